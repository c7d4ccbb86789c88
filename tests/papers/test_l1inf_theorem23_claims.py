"""L1,∞, Secs. 3.2 and 3.3: Theorems 2 and 3 and the remarks on them; every planted fault caught."""

import importlib
from fractions import Fraction

import pytest
from claim_cases import decided, faults_of

from wnverify.papers import claims, ledger
from wnverify.papers.l1inf import right_side, theorem3_laws

for each in (
    "theorem2",
    "theorem2_size",
    "theorem2_remarks",
    "theorem2_losses",
    "theorem3",
    "theorem3_remarks",
    "convolutions",
):
    importlib.import_module(f"wnverify.papers.l1inf.{each}")

VERDICTS = {
    "L1-TH2": "holds-under",
    "L1-TH2-RANGE": "refuted",
    "L1-TH2-SIZE": "refuted",
    "L1-REM2": "inconsistent",
    "L1-REM3-S": "holds",
    "L1-REM3-A": "holds",
    "L1-REM4": "holds",
    "L1-TH3": "holds-under",
    "L1-TH3-EDGE": "refuted",
    "L1-REM5-RANGE": "holds",
    "L1-REM5-SMALLC": "holds",
    "L1-P-CNN": "holds",
}


FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as derived by hand, at the ledger's place."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("L1")[claim_id]


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_caught(claim_id, fault):
    """A formula made wrong on purpose is refuted with a witness, or found to contradict eq. 3.1 where that is asked."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    caught = {"refuted", "inconsistent"} if claim_id == "L1-REM2" else {"refuted"}
    assert finding.verdict in caught, finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", ["L1-TH2-RANGE", "L1-REM2", "L1-TH3-EDGE"])
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted or contradictory statement holds itself, in full."""
    claim = claims.get(claim_id)
    assert claim.corrected
    assert claim.decide(claim.corrected_formula).verdict == "holds"


def test_every_formula_has_three_faults():
    """No claim is left with fewer than three planted faults."""
    assert not [claim_id for claim_id in VERDICTS if len(claims.get(claim_id).faults) < 3]


def test_every_claim_stands_on_two_routes():
    """Each claim is measured by at least two routes of different kinds."""
    for claim_id in VERDICTS:
        finding = decided(claim_id, False)
        assert len({route.route for route in finding.routes}) >= 2, claim_id


def test_quick_says_what_it_left_out():
    """The quick run of Theorem 2 names the coverage by training as left out, and has no simulation."""
    quick, full = (decided("L1-TH2", each) for each in (True, False))
    assert "quick: left out coverage by training" in quick.conditions
    assert "simulation" not in {route.route for route in quick.routes}
    assert "simulation" in {route.route for route in full.routes}


def test_theorem_2_needs_an_interval_of_length_1():
    """The condition that Theorem 2 lacks is named, and the law that needs it given in numbers."""
    finding = decided("L1-TH2")
    (text,) = (each for each in finding.conditions if each.startswith("needed besides"))
    assert "interval of length 1" in text
    (witness,) = finding.witness.values()
    assert (witness["n"], witness["delta"], witness["right-hand side"]) == (256, "2^-256", "0.9942")
    assert "doubles" in finding.corrected


def test_a_larger_right_side_holds_too():
    """With its first term doubled, as signed losses need it, Theorem 2 holds, and without a further condition."""
    claim = claims.get("L1-TH2")
    finding = claim.decide(claims.get("L1-TH2-RANGE").corrected_formula, quick=True)
    assert finding.verdict == "holds", finding.message


def test_theorem_3_needs_a_hidden_layer_or_two_inputs():
    """The condition that Theorem 3 lacks is named, and δ → 1 is where one constant is not enough."""
    finding = decided("L1-TH3")
    assert "needed besides: k ≥ 1 or m1 ≥ 2" in finding.conditions
    (witness,) = finding.witness.values()
    assert witness["growing"] == "δ to 1"
    assert (witness["k"], witness["m1"], witness["n"]) == ("0", "1", "1")


def test_the_boundary_needs_no_quotient():
    """At T = 0 the printed right-hand side is not a number; the corrected one is 0 there."""
    finding = decided("L1-TH3-EDGE")
    assert "T = 0" in finding.message
    assert "exp(−1/(4C²))" in finding.message


def test_coverage_is_far_from_the_bound():
    """No sample of 150 breaks Theorem 2, and the largest deviation is below a tenth of the bound."""
    finding = decided("L1-TH2", False)
    (route,) = (each for each in finding.routes if each.route == "simulation")
    assert (route.figures["fails"], route.figures["trials"]) == (0, 150)
    assert 0 < route.figures["largest error / bound"] < 0.1
    assert route.figures["interval"][1] < 0.05


def test_right_side_agrees_with_the_laboratory():
    """Eq. 3.1 in balls holds the value that the lab's function gives in floating point."""
    import flint

    from wnverify.theory.generalization import regression

    point = (500, 1000, 1, Fraction(5, 2), Fraction(3, 2), Fraction(1, 20))
    found = regression(500, 1000, 1, 2.5, 1.5, 0.05)
    with flint.ctx.workprec(right_side.PRECISION):
        enclosed = right_side.in_balls(right_side.printed, point)
        assert abs(enclosed / found - 1) < 16 * 2.0**-53


def test_deviations_of_the_small_laws_are_met():
    """The probabilities that the laws state are those of enumerated samples."""
    import itertools

    for n in (4, 9, 16):
        met = sum(abs(sum(signs)) ** 2 >= n for signs in itertools.product((-1, 1), repeat=n))
        assert theorem3_laws.spread(n) == Fraction(met, 2**n)
    for cases in theorem3_laws.laws(1, 2).values():
        assert all(case.probability > case.place.delta for case in cases)
    few = theorem3_laws.laws(1, 2)["inputs"][0]
    n, m1 = few.place.n, few.place.m1
    assert 1 - (1 - Fraction(2, 2**n)) ** m1 >= few.probability


def test_a_law_that_is_not_met_is_refused():
    """A deviation with a probability of at most δ is no evidence, and an error."""
    case = theorem3_laws.laws(1, 2)["n"][0]._replace(probability=Fraction(1, 5))
    with pytest.raises(ValueError, match="must be met"):
        theorem3_laws.outgrown(lambda *given: given[0], "n", [case])


def test_the_union_rounds_the_norm_up():
    """Just above a whole norm the proof needs the next limit: the same as at that limit itself."""
    import flint

    above, two, one = (
        (500, 10, 1, Fraction(1), t, Fraction(1, 20)) for t in (Fraction(1001, 1000), Fraction(2), Fraction(1))
    )
    with flint.ctx.workprec(right_side.PRECISION):
        needed = [right_side.needed(1, point) for point in (above, two, one)]
        assert needed[0].overlaps(needed[1])
        assert needed[0] > needed[2]


def test_tails_refute_no_valid_bound():
    """Hoeffding's bound for the mean of signs passes all tails; three quarters of it do not."""
    from wnverify.papers.l1inf import theorem2

    def hoeffding(n, m1, k, r, t, d, log, sqrt):
        return sqrt(2 * log(2 / d) / n)

    assert theorem2._tails(hoeffding, 100)[1] is None
    route, witness = theorem2._tails(lambda *given: hoeffding(*given) * 3 / 4, 100)
    assert route.verdict == "refuted"
    assert witness is not None
