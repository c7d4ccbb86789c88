"""The claims of CWN: every row decided, every planted fault caught."""

import math

import pytest
from claim_cases import decided, decided_again, decided_alone, faults_of, heavy_imports, record

from wnverify.papers import claims, ledger

IDS = claims.table("CWN")
VERDICTS = dict.fromkeys(IDS, "holds") | {
    "CWN-P1-STEPS": "refuted",
    "CWN-P1-SIGN": "holds-under",
    "CWN-GUAR": "holds-under",
    "CWN-S2-SPEED": "undecided",
    "CWN-S2-CONJ": "undecided",
}
FAULTS = faults_of(IDS)
WITH_FURTHER_ROUTES = ("CWN-EQ3", "CWN-P2a", "CWN-P2b", "CWN-P2-CONS", "CWN-P1-STEPS", "CWN-GUAR")


def test_exactly_the_rows_of_the_ledger_are_decided():
    """The ids with a claim are the ledger's rows, in its order."""
    assert tuple(ledger.rows("CWN")) == IDS


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", IDS)
def test_verdict(claim_id, quick):
    """Each claim comes out as read by hand, in quick mode as in full, and no route is left unheard in an error."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("CWN")[claim_id]
    assert finding.routes


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_refuted(claim_id, fault):
    """A formula made wrong on purpose is refuted, with a witness."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict == "refuted", finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", WITH_FURTHER_ROUTES)
def test_the_routes_of_full_mode_see_faults_too(claim_id):
    """The routes that quick mode leaves out agree that the first two faults are faults."""
    claim = claims.get(claim_id)
    for formula in list(claim.faults.values())[:2]:
        finding = claim.decide(formula)
        assert finding.verdict == "refuted", finding.message


DEGENERATE = claims.get("CWN-P2-DEG").formula
NOT_A_NUMBER_ONCE = {
    "CWN-P1-MEAN": (lambda w, one, mu, sigma2: math.nan if one @ one == 8 else 0, "error"),
    "CWN-P2a": (lambda g, w, one, d, norm: math.nan if d == 8 else 0, "error"),
    "CWN-P2-DEG": (
        DEGENERATE._replace(error=lambda d, kappa, u: math.nan if d == 3 else DEGENERATE.error(d, kappa, u)),
        "refuted",
    ),
}


@pytest.mark.parametrize("claim_id", NOT_A_NUMBER_ONCE)
def test_one_nan_among_many_points_is_not_lost(claim_id):
    """A formula that is no number at one size of a numerical search is not confirmed by the sizes before and after."""
    formula, verdict = NOT_A_NUMBER_ONCE[claim_id]
    assert claims.get(claim_id).decide(formula).verdict == verdict


def test_every_claim_has_several_faults():
    """No claim is left with fewer than three planted faults."""
    assert not [claim_id for claim_id in IDS if len(claims.get(claim_id).faults) < 3]


@pytest.mark.parametrize("claim_id", [each for each, verdict in VERDICTS.items() if verdict == "refuted"])
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted statement holds itself."""
    claim = claims.get(claim_id)
    assert claim.corrected
    assert claim.decide(claim.corrected_formula).verdict == "holds"


def test_both_readings_of_the_variance_chain_are_refuted():
    """eq. 2 fails however E[x]² is read, at line 3 in one reading, at line 1 in the other, at line 5 in both."""
    finding = decided("CWN-P1-STEPS")
    inside, outside = finding.readings
    assert inside["verdict"] == outside["verdict"] == "refuted"
    assert inside["note"] == "refuted: line 2 = line 3; line 4 = line 5"
    assert outside["note"] == "refuted: var(z) = line 1; line 4 = line 5"


def test_needed_conditions_are_named():
    """holds-under says what is needed besides the text."""
    sign = decided("CWN-P1-SIGN")
    guarantee = decided("CWN-GUAR")
    assert "needed besides: σ² ≥ 0" in sign.conditions
    assert sum(condition.startswith("needed besides: ") for condition in guarantee.conditions) == 2


def test_steps_say_which_assumption_they_use():
    """In eq. 4 only the last equality uses wᵀ1 = 0; in eq. 5 only the third uses both assumptions."""
    for claim_id, step, used in (
        ("CWN-EQ4-STEPS", "line 3 = line 4", "uses wᵀ1 = 0"),
        ("CWN-EQ5-STEPS", "line 2 = line 3", "uses wᵀ1 = 0 and ‖w‖ = 1"),
    ):
        finding = decided(claim_id)
        using = [route.note for route in finding.routes if "; uses " in route.note and "neither" not in route.note]
        assert len(using) == 1
        assert using[0].startswith(step)
        assert using[0].endswith(used)


def test_undecided_prose_is_decided_by_numbers():
    """The two undecided rows hold as soon as favourable numbers are given: the rule, not the row, is undecided."""
    speed = claims.get("CWN-S2-SPEED").decide({"CWN": 50, "WN": 55, "plain": 60})
    conjecture = claims.get("CWN-S2-CONJ").decide({"regularises": True, "improves conditioning": True})
    assert (speed.verdict, conjecture.verdict) == ("holds", "holds")


def test_quick_mode_says_what_it_left_out():
    """A claim with fewer routes in quick mode says so in its conditions, and in full mode says nothing of the kind."""
    for claim_id in WITH_FURTHER_ROUTES:
        claim = claims.get(claim_id)
        assert any(text.startswith("quick: left out") for text in claim.decide(quick=True).conditions)
        assert not any(text.startswith("quick") for text in claim.decide(quick=False).conditions)


def test_two_runs_give_the_same_json():
    """Deciding again gives the same record, byte for byte."""
    assert [decided_again(each) for each in VERDICTS] == [record(decided(each)) for each in VERDICTS]


@pytest.mark.parametrize("claim_id", ["CWN-EQ3", "CWN-P1-VAR"])
def test_a_fresh_process_decides_alike(claim_id):
    """A claim decided alone in a fresh process gives the record that it gives among others."""
    assert decided_alone(claim_id) == record(decided(claim_id))


def test_the_table_is_read_without_heavy_imports():
    """Listing the claims imports neither SymPy nor torch nor NumPy."""
    assert heavy_imports("wnverify.papers.claims", calling="sys.modules['wnverify.papers.claims'].table('CWN')") == []
