"""Claims on the equations of the norm-loss paper, its prose on them, and its operation counts."""

import pytest
from claim_cases import decided, faults_of

from wnverify.papers import claims, ledger

VERDICTS = {
    "NL-EQ1": "ambiguous",
    "NL-P-OVERC": "holds",
    "NL-F1": "holds-under",
    "NL-EQ2": "holds",
    "NL-P-CONV": "holds",
    "NL-EQ3": "holds",
    "NL-P-LESS": "holds",
    "NL-EQ4": "refuted",
    "NL-EQ5": "refuted",
    "NL-P-DOM": "inconsistent",
    "NL-EQ6": "holds-under",
    "NL-EQ7": "refuted",
    "NL-EQ7-MIN": "holds",
    "NL-EQ8": "ambiguous",
    "NL-EQ9": "refuted",
    "NL-EQ10": "holds",
    "NL-EQ11": "holds-under",
    "NL-EQ11-ZERO": "holds",
    "NL-P-SIGN": "holds-under",
    "NL-P-TINY": "holds",
    "NL-P-UNIF": "holds",
    "NL-P-EXT": "holds",
    "NL-EQ12": "holds",
    "NL-EQ12-DYN": "holds-under",
    "NL-P-SYM": "ambiguous",
    "NL-OPS-WD": "holds",
    "NL-OPS-NL": "ambiguous",
    "NL-OPS-OV": "holds",
    "NL-OPS-CONV": "holds-under",
    "NL-OPS-ORD": "holds",
    "NL-EQ13": "holds",
    "NL-EQ14": "holds",
    "NL-EQ15": "holds",
}
WITNESSED = ("refuted", "inconsistent")
FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name, quick):
    """Each comes out as derived by hand, in quick mode as in full."""
    finding = decided(name, quick)
    assert finding.verdict == VERDICTS[name], finding.message
    assert finding.place == ledger.rows("NL")[name]
    assert {route.route for route in finding.routes} - {"reading"}


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_refuted(name, fault):
    """A formula made wrong on purpose is refuted, or contradicts the rest of the paper, with a witness."""
    claim = claims.get(name)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict == ("inconsistent" if VERDICTS[name] == "inconsistent" else "refuted"), finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("name", VERDICTS)
def test_full_mode_agrees_on_the_first_fault(name):
    """The routes that quick mode leaves out see the fault too, so that no two routes contradict each other."""
    claim = claims.get(name)
    assert claim.decide(next(iter(claim.faults.values()))).verdict in WITNESSED


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict in WITNESSED])
def test_the_corrected_form_holds(name):
    """What is offered in place of a wrong statement holds itself."""
    claim = claims.get(name)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    assert claim.decide(quick=True).corrected


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == "ambiguous"])
def test_the_readings_differ_where_the_text_is_ambiguous(name):
    """One reading holds and another is refuted."""
    finding = decided(name)
    assert {reading["verdict"] for reading in finding.readings} == {"holds", "refuted"}


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == "holds-under"])
def test_what_is_needed_besides_is_named_with_a_counterexample(name):
    """Every condition is needed, and the record says what happens without it."""
    finding = decided(name)
    needed = [text for text in finding.conditions if text.startswith("needed besides: ")]
    assert len(needed) == len(finding.witness)
    assert all(finding.witness.values())


def test_eq4_is_right_for_columns():
    """Equation 4 fails for rows, as the text has w, by its shapes, and is right for columns."""
    finding = decided("NL-EQ4")
    assert "does not exist" in finding.witness["formula"]
    assert "As columns, w (p, 1), it is right." in finding.message
