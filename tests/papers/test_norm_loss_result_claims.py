"""Claims on the tables and the prose of the norm-loss paper."""

import pytest
from claim_cases import decided, faults_of

from wnverify.papers import claims, ledger

VERDICTS = {
    "NL-P-SOFTER": "undecided",
    "NL-P-TIME": "inconsistent",
    "NL-P-INFER": "holds",
    "NL-APP-REF": "inconsistent",
    "NL-P-LAMCONV": "undecided",
    "NL-P-FIGS": "undecided",
    "NL-P-BATCH128": "undecided",
    "NL-P-DATA": "holds",
    "NL-T1-BEATS": "holds",
    "NL-T1-WRN": "holds",
    "NL-T1-CAP": "inconsistent",
    "NL-T12-GRIM": "holds",
    "NL-T1-SRIP": "undecided",
    "NL-T2-MOST": "holds",
    "NL-T2-BASELIT": "undecided",
    "NL-T2-ALT": "holds",
    "NL-P-2749": "inconsistent",
    "NL-P-LAMRES": "ambiguous",
    "NL-T3-ROWS": "inconsistent",
    "NL-T3-IMPR": "holds",
    "NL-T3-GAP": "holds",
    "NL-C-ONESETUP": "ambiguous",
    "NL-C-COMP": "ambiguous",
}
FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name):
    """Each comes out as reckoned by hand from the printed numbers."""
    finding = decided(name, False)
    assert finding.verdict == VERDICTS[name], finding.message
    assert finding.place == ledger.rows("NL")[name]
    assert finding.routes


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_noticed(name, fault):
    """With other numbers the statement is refuted, or contradicts the rest of the paper, with a witness."""
    claim = claims.get(name)
    finding = claim.decide(claim.faults[fault])
    assert finding.verdict in ("refuted", "inconsistent"), finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == "inconsistent"])
def test_the_corrected_form_holds(name):
    """What is offered instead is consistent with the rest."""
    claim = claims.get(name)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    assert claim.decide().corrected


def test_the_correction_of_the_overhead_is_about_the_printed_hours():
    """What is offered for the training times keeps them and changes what is said of them."""
    claim = claims.get("NL-P-TIME")
    assert claim.corrected_formula.hours == claim.formula.hours
    assert claim.corrected_formula.largest > claim.formula.largest


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == "undecided"])
def test_what_is_undecided_would_be_decided_by_numbers(name):
    """Favourable numbers make it hold: the row is undecided, not the rule."""
    favourable = {
        "NL-P-SOFTER": {"norm loss": 0.7, "soft orthogonality": 1.0, "weight decay": 0.5},
        "NL-P-LAMCONV": {"factor of w in the authors' weight decay": 2.0},
        "NL-P-FIGS": {"spread over λ": 0.5, "epochs": 0.8, "spread over batch sizes": 0.5, "best batch size": 64},
        "NL-P-BATCH128": {"8": -1.0, "16": -1.0, "32": -1.0, "64": -1.0, "128": 0.1},
        "NL-T1-SRIP": {"nl": 5.996, "SRIP": 6.5},
        "NL-T2-BASELIT": {"literature": 28.4, "Table II": 28.398, "other schedule": 28.094},
    }
    assert claims.get(name).decide(favourable[name]).verdict == "holds"


def test_the_readings_differ_where_the_text_is_ambiguous():
    """One reading holds, the other does not."""
    for name in ("NL-P-LAMRES", "NL-C-ONESETUP", "NL-C-COMP"):
        finding = decided(name, False)
        assert len({reading["verdict"] for reading in finding.readings}) == 2
