"""The claims of DSWN on eqs. 7 to 10: every row decided as derived by hand, every planted fault caught."""

from fractions import Fraction

import numpy as np
import pytest
from claim_cases import decided, faults_of, heavy_imports, witnessed

from wnverify.methods.dswn_neuron_measurement import reference as neuron_measurement
from wnverify.methods.exclusive_sparsity import reference as exclusive_sparsity
from wnverify.papers import claims, ledger
from wnverify.papers.dswn import shrinkage
from wnverify.papers.dswn.neuron_scale import scale

VERDICTS = {
    "DSWN-EQ7": "holds",
    "DSWN-EQ7-NORM": "refuted",
    "DSWN-S31-GROUP": "ambiguous",
    "DSWN-S31-COMP": "holds",
    "DSWN-EQ8-FORMS": "holds-under",
    "DSWN-EQ8-PROX": "refuted",
    "DSWN-EQ8-GAP": "holds",
    "DSWN-EQ8-ZERO": "holds",
    "DSWN-EQ8-PENALTY": "refuted",
    "DSWN-EQ8-CONS": "refuted",
    "DSWN-S31-PG": "inconsistent",
    "DSWN-LAM-SET": "holds",
    "DSWN-LAM-EFF": "holds",
    "DSWN-S32-INV": "holds-under",
    "DSWN-S32-RANK": "holds",
    "DSWN-S32-ALPHA": "refuted",
    "DSWN-S32-EPS": "holds",
    "DSWN-S32-NEURON": "ambiguous",
    "DSWN-EQ9": "holds",
    "DSWN-EQ10": "holds-under",
    "DSWN-EQ10-HOM": "holds",
    "DSWN-S42-DIAG": "ambiguous",
}
FAULTS = faults_of(VERDICTS)
WITNESSED = witnessed(VERDICTS)
WITH_FURTHER_ROUTES = ("DSWN-EQ7", "DSWN-EQ8-PROX", "DSWN-EQ8-GAP", "DSWN-LAM-EFF", "DSWN-S32-EPS")
ONE_ROUTE_SUFFICES = ("DSWN-LAM-SET",)
GROUPS = (([2.0, 1.0], 0.5), ([3.0, -1.0, 0.0], 1.0), ([4.0, 4.0, -4.0], 0.125), ([-0.5], 3.0))


def test_these_are_the_rows_of_eqs_7_to_10():
    """The verdicts above are for the ledger's rows from eq. 7 to section 4.2's word on eq. 10, in its order."""
    rows = list(ledger.rows("DSWN"))
    first, last = rows.index("DSWN-EQ7"), rows.index("DSWN-S42-DIAG")
    assert rows[first : last + 1] == list(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as derived by hand, in quick mode as in full, at the place that the ledger names."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("DSWN")[claim_id]


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_caught(claim_id, fault):
    """A formula made wrong on purpose is refuted (or found to contradict its other place), with a witness."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict in ("refuted", "inconsistent"), finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", WITH_FURTHER_ROUTES)
def test_the_routes_of_full_mode_see_faults_too(claim_id):
    """The routes that quick mode leaves out agree that faults are faults, and quick mode names them."""
    claim = claims.get(claim_id)
    for formula in list(claim.faults.values())[:2]:
        assert claim.decide(formula).verdict == "refuted"
    assert any(text.startswith("quick: left out") for text in claim.decide(quick=True).conditions)
    assert not any(text.startswith("quick") for text in claim.decide().conditions)


def test_every_claim_has_several_faults():
    """No claim is left with fewer than three planted faults."""
    assert not [claim_id for claim_id in VERDICTS if len(claims.get(claim_id).faults) < 3]


@pytest.mark.parametrize("claim_id", WITNESSED)
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted statement holds itself, and a witness speaks against the printed one."""
    claim = claims.get(claim_id)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    finding = claim.decide(quick=True)
    assert finding.corrected
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdicts_stand_on_two_routes(claim_id):
    """Every verdict stands on at least two kinds of route, save where the list of printed numbers is all there is."""
    kinds = {route.route for route in decided(claim_id, False).routes}
    assert len(kinds) >= (1 if claim_id in ONE_ROUTE_SUFFICES else 2), kinds


@pytest.mark.parametrize("claim_id", [each for each, verdict in VERDICTS.items() if verdict == "ambiguous"])
def test_ambiguous_rows_hold_in_one_reading_only(claim_id):
    """Of the two readings of 'neuron' one holds and the other is refuted."""
    assert {reading["verdict"] for reading in decided(claim_id).readings} == {"holds", "refuted"}


def test_needed_conditions_are_named():
    """holds-under says what is needed besides the text."""
    for claim_id, text in (
        ("DSWN-EQ8-FORMS", "needed besides: φ_{g,i} ≠ 0"),
        ("DSWN-S32-INV", "needed besides: V is the same"),
        ("DSWN-EQ10", "needed besides: V_C has rank n (which needs n ≤ d − 1)"),
    ):
        assert [each for each in decided(claim_id).conditions if each.startswith("needed")] == [text]


def test_the_witness_against_eq_8_is_the_smallest_pair():
    """At φ = (2, 1), ρ = 1/2 eq. 8 gives (1/2, 0) with objective 27/16, the minimiser is (5/4, 1/4) with 9/8."""
    witness = decided("DSWN-EQ8-PROX").witness
    assert (witness["phi"], witness["rho"]) == (["2", "1"], "1/2")
    assert (witness["formula"], witness["minimiser"]) == (["1/2", "0"], ["5/4", "1/4"])
    assert (witness["its_objective"], witness["its_objective_there"]) == ("27/16", "9/8")


@pytest.mark.parametrize(("x", "rho"), GROUPS)
def test_three_ways_to_the_proximal_point_agree(x, rho):
    """Closed form, best face and condition of optimality name one point, the one that the method's reference gives."""
    exact = tuple(Fraction(each) for each in x)
    point = shrinkage.closed_form(Fraction(rho), exact)
    assert point == shrinkage.best_face(Fraction(rho), exact)
    assert shrinkage.is_optimal(Fraction(rho), exact, point)
    if all(each.denominator & (each.denominator - 1) == 0 for each in point):  # dyadic, so that floats are exact
        assert exclusive_sparsity.prox([x], rho, group="rows").ravel().tolist() == [float(each) for each in point]
    printed = exclusive_sparsity.printed_prox([x], rho, group="rows").ravel().tolist()
    assert printed == [float(each) for each in shrinkage.eq8(Fraction(rho), exact)]


def test_another_point_is_not_optimal():
    """The condition of optimality tells the minimiser from eq. 8, from 0 and from the group itself."""
    x, rho = (Fraction(2), Fraction(1)), Fraction(1, 2)
    others = (shrinkage.eq8(rho, x), [Fraction(0)] * 2, list(x))
    assert not any(shrinkage.is_optimal(rho, x, each) for each in others)


def test_the_scale_is_that_of_the_method():
    """1/g of the claims is the number by which the method's reference multiplies a column, constants included."""
    V = [[3.0, 1.0, -4.0], [4.0, 0.0, -4.0]]  # columns of norm 5, 1 and √32, rows of sum 0
    meant = neuron_measurement.column_scales(np.array(V), tau=2.0, epsilon=0.25)[0, :2].tolist()
    assert [float(1 / scale(Fraction(r), Fraction(2), Fraction(1, 4))) for r in (5, 1)] == meant == [5.125, 1.125]


def test_the_modules_are_read_without_heavy_imports():
    """Importing the claims imports neither SymPy nor torch nor NumPy."""
    names = "competition exclusive neuron_constants neuron_scale neuron_weight neurons proximal_gradient shrinkage"
    names += " soft_threshold sparse_weight sparsity_strength threshold_gap"
    assert heavy_imports(*(f"wnverify.papers.dswn.{name}" for name in names.split())) == []
