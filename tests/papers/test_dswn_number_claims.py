"""Claims on the numbers of section 4 of the DSWN paper: tables and prose against each other."""

import pytest
from claim_cases import decided, faults_of

from wnverify.papers import claims, ledger

VERDICTS = {
    "DSWN-S4-NMETH": "holds",
    "DSWN-S4-RETR": "inconsistent",
    "DSWN-S41-C10": "holds",
    "DSWN-S41-C100": "holds",
    "DSWN-S41-LR": "ambiguous",
    "DSWN-S41-40LESS": "undecided",
    "DSWN-S41-EPOCH30": "undecided",
    "DSWN-S41-C100GAP": "undecided",
    "DSWN-S41-80": "undecided",
    "DSWN-S41-OUT": "inconsistent",
    "DSWN-S412-30": "ambiguous",
    "DSWN-S412-PCT": "undecided",
    "DSWN-S412-OWN": "holds",
    "DSWN-S42-SPEED": "refuted",
    "DSWN-S42-MNIST": "inconsistent",
    "DSWN-S42-PIE": "holds",
    "DSWN-T1-OWN": "holds",
    "DSWN-T1-QR": "holds",
    "DSWN-T1-SUP": "holds",
    "DSWN-T1-PIE": "holds",
    "DSWN-T1-GRIM": "holds",
    "DSWN-S42-EPOCHS": "holds",
    "DSWN-S42-MORE": "ambiguous",
    "DSWN-T2-NUM": "holds",
    "DSWN-T2-BEST": "holds",
    "DSWN-T2-ERR": "inconsistent",
    "DSWN-T2-SIG": "holds",
    "DSWN-S423-21": "holds",
    "DSWN-S423-MULTI": "inconsistent",
}
FAULTS = faults_of(VERDICTS)
WRONG = [name for name, verdict in VERDICTS.items() if verdict in ("refuted", "inconsistent")]
UNDECIDED = {
    "DSWN-S41-40LESS": {"accuracy of DSWN-SM": "90.9"},
    "DSWN-S41-EPOCH30": {"error of DSWN-SM": "10.0", "final error of ES, CGES": "10.0"},
    "DSWN-S41-C100GAP": {"accuracy of DSWN-SM": "65.5", "accuracy of ES": "63.3", "accuracy of CGES": "63.4"},
    "DSWN-S41-80": {"VGG in Fig. 3c": "91.48", "BN-Inception in Fig. 3c": "95.48"},
    "DSWN-S412-PCT": {"mean gap to CGES in Fig. 3b": "2.5", "gap to ES at 80 %": "2.74"},
}
"""Numbers that the figures might hold and that would bear the statements out."""


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name):
    """Each comes out as reckoned by hand from the printed numbers, at the ledger's place, quick or not."""
    finding = decided(name, False)
    assert finding.verdict == VERDICTS[name], finding.message
    assert finding.place == ledger.rows("DSWN")[name]
    assert finding.routes
    assert claims.get(name).decide(quick=True).verdict == finding.verdict


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_noticed(name, fault):
    """With other numbers the statement is refuted, or contradicts the rest of the paper, with a witness."""
    claim = claims.get(name)
    finding = claim.decide(claim.faults[fault])
    assert finding.verdict in ("refuted", "inconsistent"), finding.message
    assert finding.witness is not None


def test_each_claim_has_two_faults_or_more():
    """A claim whose check cannot fail says nothing."""
    assert all(len(claims.get(name).faults) >= 2 for name in VERDICTS)


@pytest.mark.parametrize("name", WRONG)
def test_the_corrected_form_holds(name):
    """What is offered instead agrees with the tables."""
    claim = claims.get(name)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    assert claim.decide().corrected


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_is_undecided_would_be_decided_by_numbers(name):
    """Favourable numbers make it hold: the figure is missing, not the rule."""
    claim = claims.get(name)
    assert claim.decide({**claim.formula, **UNDECIDED[name]}).verdict == "holds"


def test_undecided_claims_are_all_tried_with_numbers():
    """None is left undecided whatever the figures show."""
    assert set(UNDECIDED) == {name for name, verdict in VERDICTS.items() if verdict == "undecided"}


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == "ambiguous"])
def test_the_readings_differ_where_the_text_is_ambiguous(name):
    """At least one reading holds, at least one does not."""
    finding = decided(name, False)
    verdicts = {reading["verdict"] for reading in finding.readings}
    assert "holds" in verdicts
    assert len(verdicts) == 2


def test_the_readings_of_the_gain_by_hand():
    """Over OWN on average fully connected networks gain more, over the best other row they gain less, in points."""
    finding = decided("DSWN-S42-MORE", False)
    verdicts = {reading["reading"]: reading["verdict"] for reading in finding.readings}
    assert verdicts["over OWN, points, on average"] == "holds"
    assert verdicts["over OWN, points, on each data set"] == "refuted"
    assert verdicts["over the best other row, points, on average"] == "refuted"
    assert verdicts["over the best other row, share of the error, on each data set"] == "holds"
