"""CWO, Sec. 3.4: the update, its coefficients, its cost and what it reaches; every planted fault caught."""

import importlib
import math
from fractions import Fraction

import numpy as np
import pytest
from claim_cases import decided, faults_of, heavy_imports

from wnverify.methods.constrained_weight_optimization import reference
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.papers import claims, ledger
from wnverify.papers.cwo import updates
from wnverify.papers.cwo.rational_points import feasible

MODULES = ("problem", "solution", "coefficients", "algorithm", "solving")
for each in MODULES:
    importlib.import_module(f"wnverify.papers.cwo.{each}")

VERDICTS = {
    "CWO-EQ9": "refuted",
    "CWO-EQ10": "holds-under",
    "CWO-EQ11": "holds-under",
    "CWO-EQ11-UNIQ": "holds-under",
    "CWO-ALG1": "holds-under",
    "CWO-ALG1-INV": "holds-under",
    "CWO-EQ12": "holds",
    "CWO-EQ13": "refuted",
    "CWO-EQ14": "refuted",
    "CWO-P-COST": "holds",
    "CWO-P-SOLVE": "refuted",
}
NEEDED = {
    "CWO-EQ10": ["∇L is held at w^(t)"],
    "CWO-EQ11": ["1ᵀw^(t) = 0", "w^(t) − α∇L is not constant"],
    "CWO-EQ11-UNIQ": ["n ≥ 2", "w^(t) − α∇L is not constant"],
    "CWO-ALG1": ["1ᵀw^(1) = 0", "w̃ ≠ 0"],
    "CWO-ALG1-INV": ["1ᵀw^(1) = 0", "w̃ ≠ 0", "exact arithmetic"],
}
FAULTS = faults_of(VERDICTS)


def needed(finding):
    return [text.removeprefix("needed besides: ") for text in finding.conditions if text.startswith("needed besides")]


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as derived by hand, in quick mode as in full, at the ledger's place, with its conditions."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("CWO")[claim_id]
    found, sought = needed(finding), NEEDED.get(claim_id, [])
    assert len(found) == len(sought)
    assert all(text.startswith(start) for text, start in zip(found, sought, strict=True))


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_refuted(claim_id, fault):
    """A formula made wrong on purpose is refuted, with a witness."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict == "refuted", finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", ["CWO-EQ11", "CWO-ALG1", "CWO-P-SOLVE"])
def test_full_mode_sees_faults_too(claim_id):
    """The routes that quick mode leaves out agree that the faults are faults."""
    claim = claims.get(claim_id)
    for formula in claim.faults.values():
        assert claim.decide(formula).verdict == "refuted"


def test_a_nan_in_the_passes_is_not_lost():
    """An update that gives no number in the float64 passes is not confirmed by the routes that never meet them."""

    def lost_at_fan_in_8(w, g, one, n, alpha, c, root):
        return updates.printed(w, g, one, n, alpha, c, root) * (math.nan if n == 8 else 1)

    assert claims.get("CWO-ALG1-INV").decide(lost_at_fan_in_8, quick=True).verdict == "error"


def test_every_claim_has_three_faults():
    """No claim is left with fewer than three planted faults."""
    assert not [claim_id for claim_id in VERDICTS if len(claims.get(claim_id).faults) < 3]


@pytest.mark.parametrize("claim_id", [each for each, verdict in VERDICTS.items() if verdict == "refuted"])
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted statement holds itself, and is printed."""
    claim = claims.get(claim_id)
    assert claim.corrected
    assert claim.decide(claim.corrected_formula).verdict == "holds"


@pytest.mark.parametrize("claim_id", ["CWO-EQ11", "CWO-ALG1", "CWO-ALG1-INV"])
def test_centring_the_whole_step_needs_no_centred_start(claim_id):
    """With the whole step centred only a step to nothing remains excluded, rounding of the mean included."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.corrected_formula)
    assert finding.verdict == "holds-under"
    assert len(needed(finding)) == 1
    assert needed(finding)[0].startswith(("w̃ ≠ 0", "w^(t) − α∇L is not constant"))


def test_an_uncentred_weight_is_not_projected():
    """The witness of eq. 11: (3, 1) with g = 0 and c = 2 goes to (3, 1)/√5 and not to (1, −1); NumPy agrees."""
    finding = decided("CWO-EQ11")
    witness = finding.witness["1ᵀw^(t) = 0"]
    assert witness["nearest"] == [1, -1]
    assert witness["sum of the updated"] == "4*sqrt(5)/5"
    zero = [[0.0, 0.0]]
    for found, right in (
        (reference.printed_update([[3.0, 1.0]], zero, 1.0), np.array([[3, 1]]) / 5**0.5),
        (reference.solution([[3.0, 1.0]], zero, 1.0), np.array([[1.0, -1.0]])),
    ):
        assert Ratio(float(np.abs(found - right).max()), float(np.abs(right).max()), map_model("float64", 2)).value <= 1


def test_a_rounded_mean_takes_over():
    """The witness of exact arithmetic: after 80 passes in float32 and float64 the weight is constant."""
    finding = decided("CWO-ALG1-INV")
    assert finding.witness["exact arithmetic"]["|1·w|"] == pytest.approx(6**0.5, rel=1e-3)
    drifting = [route for route in finding.routes if "passes on ‖w‖²/2" in route.note]
    assert [route.verdict for route in drifting] == ["refuted", "refuted"]


def test_coefficients_of_the_reference_are_those_of_the_claims():
    """The NumPy reference and the claims' corrected formulas give one pair of coefficients."""
    W, G = [[2.0, -1.0, -1.0]], [[3.0, -0.5, 7.0]]
    beta, rate = reference.coefficients(W, G, 0.5, c=3.0)
    moved = np.array(W) - 0.5 * (np.array(G) - np.mean(G))
    for claim_id, value in (("CWO-EQ13", beta), ("CWO-EQ14", rate)):
        formula = claims.get(claim_id).corrected_formula
        assert formula(np.linalg.norm(moved), 0.5, 3.0, np.sqrt) == pytest.approx(float(value[0, 0]), rel=1e-14)


def test_coefficients_are_right_for_c_equal_to_1():
    """The printed coefficients differ from the right ones by √c alone."""
    for claim_id in ("CWO-EQ13", "CWO-EQ14"):
        claim = claims.get(claim_id)
        for c, same in ((1.0, True), (2.0, False)):
            printed, right = (formula(1.7, 0.3, c, np.sqrt) for formula in (claim.formula, claim.corrected_formula))
            assert bool(printed == pytest.approx(right, rel=1e-14)) is same


def test_the_rational_points_are_feasible():
    """Every point of the exact comparisons satisfies both constraints, and there are both of n = 2."""
    for n, number in ((2, 2), (3, 24)):
        points = feasible(n)
        assert len(set(points)) == number
        assert all(sum(w) == 0 and sum(x * x for x in w) == 2 for w in points)


def test_cases_are_centred():
    """The points at which eq. 11 is checked meet its condition, those of eq. 12 do not."""
    assert all(sum(case.w) == 0 for case in updates.cases(quick=False))
    assert all(sum(case.w) != 0 for case in updates.uncentred_cases())
    assert {case.c for case in updates.cases(quick=True)} != {Fraction(1)}


def test_quick_mode_says_what_it_left_out():
    """A claim with fewer checks in quick mode says so, and says nothing of the kind in full mode."""
    for claim_id in ("CWO-EQ11", "CWO-ALG1", "CWO-ALG1-INV", "CWO-EQ13", "CWO-EQ14", "CWO-P-SOLVE"):
        quick, full = (decided(claim_id, flag) for flag in (True, False))
        assert any(text.startswith("quick: left out") for text in quick.conditions)
        assert not any(text.startswith("quick") for text in full.conditions)


def test_nothing_heavy_is_imported():
    """The modules of these claims import neither SymPy nor NumPy nor torch nor flint."""
    assert heavy_imports(*(f"wnverify.papers.cwo.{name}" for name in MODULES)) == []
