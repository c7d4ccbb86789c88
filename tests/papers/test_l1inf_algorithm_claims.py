"""The claims of L1,∞'s algorithms (sec. 4, sparsity of sec. 5): every row decided as by hand, every fault caught."""

from fractions import Fraction

import numpy as np
import pytest
from claim_cases import decided, decided_again, decided_alone, faults_of, heavy_imports, record, witnessed

from wnverify.methods.l1_inf_projection import reference
from wnverify.papers import claims, ledger
from wnverify.papers.l1inf import exact_projection, networks, proximal
from wnverify.papers.l1inf.exact_projection import vector

VERDICTS = {
    "L1-ALG1": "holds",
    "L1-ALG1-OUT": "inconsistent",
    "L1-ALG1-TILDE": "ambiguous",
    "L1-ALG1-MAT": "holds",
    "L1-ALG2": "holds",
    "L1-ALG2-IN": "refuted",
    "L1-ALG2-EDGE": "holds-under",
    "L1-P-PROX": "ambiguous",
    "L1-P-UNIFALG": "holds-under",
    "L1-P-SPARSDEF": "ambiguous",
}
WITNESSED = witnessed(VERDICTS)
FAULTS = faults_of(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as read by hand, in quick mode as in full, at the ledger's place and on routes."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("L1")[claim_id]
    assert len({(route.route, route.note) for route in finding.routes}) >= 2
    assert quick or not any(text.startswith("quick") for text in finding.conditions)


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_routes_decide(claim_id):
    """Every calculation decides something; only where the text defines nothing a reading stays open."""
    open_routes = [route.route for route in decided(claim_id, False).routes if route.verdict == "undecided"]
    assert open_routes == (["reading"] if claim_id in ("L1-P-PROX", "L1-P-SPARSDEF") else [])


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_refuted(claim_id, fault):
    """A formula made wrong on purpose is refuted with a witness, and no route calls it right."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict in ("refuted", "inconsistent"), finding.message
    assert finding.witness


def test_every_claim_has_three_faults():
    """Three or more wrong forms of every statement are tried."""
    assert all(len(claims.get(claim_id).faults) >= 3 for claim_id in VERDICTS)


@pytest.mark.parametrize("claim_id", WITNESSED)
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a wrong statement holds itself, in quick mode and in full."""
    claim = claims.get(claim_id)
    assert claim.corrected
    for quick in (True, False):
        assert claim.decide(claim.corrected_formula, quick=quick).verdict == "holds"


@pytest.mark.parametrize(
    ("claim_id", "verdicts"),
    [
        ("L1-ALG1-TILDE", ["holds", "refuted"]),
        ("L1-P-PROX", ["refuted", "undecided"]),
        ("L1-P-SPARSDEF", ["inconsistent", "undecided"]),
    ],
)
def test_readings(claim_id, verdicts):
    """Each reading of an ambiguous text has its own verdict."""
    assert [each["verdict"] for each in decided(claim_id).readings] == verdicts


@pytest.mark.parametrize(
    ("claim_id", "needed"),
    [("L1-ALG2-EDGE", ["c > 0", "exact"]), ("L1-P-UNIFALG", ["hold the bias"])],
)
def test_needed_conditions_are_named(claim_id, needed):
    """holds-under names each condition that the text lacks, with a counterexample to each and the right form."""
    finding = decided(claim_id)
    named = [text for text in finding.conditions if text.startswith("needed besides: ")]
    assert all(word in text for word, text in zip(needed, named, strict=True))
    assert len(finding.witness) == len(needed)
    assert finding.corrected


def test_algorithm_2_with_at_least_for_above_needs_no_radius():
    """With ≥ in p* Algorithm 2 is also right for c = 0; only floating point still has to be excluded."""
    claim = claims.get("L1-ALG2-EDGE")

    def repaired(v, c):
        return exact_projection.shrink(v, exact_projection.threshold(v, c, strict=False))

    finding = claim.decide(repaired, quick=True)
    assert finding.verdict == "holds-under"
    assert list(finding.witness) == ["arithmetic is exact, or c far above the rounding of max |v|"]


def test_algorithm_2_in_float64_as_printed():
    """The reference's printed algorithm has no p* at (2^60, 1) and leaves L1 norm 3/2 for c = 1 near 2^51."""
    with pytest.raises(ValueError, match=r"p\*"):
        reference.printed_algorithm2([2.0**60, 1.0], 1.0)
    assert np.abs(reference.printed_algorithm2([2.0**51 + 0.5, 2.0**51], 1.0)).sum() == 1.5


def test_projection_by_hand():
    """(3, −1, 1/2) goes to (5/2, −1/2, 0) at c = 3; by faces as by threshold, and the certificate denies others."""
    v, c = vector(3, -1, "1/2"), Fraction(3)
    right = vector("5/2", "-1/2", 0)
    assert exact_projection.projection(v, c) == exact_projection.nearest(v, c) == right
    assert exact_projection.is_projection([v], [right], c)
    assert not exact_projection.is_projection([v], [vector("5/2", "-1/2", "1/8")], c)
    assert not exact_projection.is_projection([v], [vector(2, -1, 0)], c)


def test_inside_is_enlarged():
    """(1/2, 0) in the ball of radius 1 becomes (3/4, 0): neither the point nor on the boundary."""
    assert exact_projection.algorithm2(vector("1/2", 0), Fraction(1)) == vector("3/4", 0)
    assert decided("L1-ALG2-IN").witness["found"] == ["1"]


def test_proximal_operator_by_hand():
    """V = columns (3, −1) and (2, 2), λ = 1: radius 3, the columns (5/2, −1/2) and (3/2, 3/2)."""
    found = proximal.prox((vector(3, -1), vector(2, 2)), Fraction(1))
    assert found == (vector("5/2", "-1/2"), vector("3/2", "3/2"))
    assert not proximal.is_prox((vector(3, -1), vector(2, 2)), (vector(3, -1), vector(1, 1)), Fraction(1))
    assert not proximal.is_prox((vector(3, -1), vector(2, 2)), (vector(0, 0), vector(0, 0)), Fraction(4))
    assert proximal.is_prox((vector(3, -1), vector(2, 2)), (vector(0, 0), vector(0, 0)), Fraction(5))


def test_proximal_operator_is_no_worse_than_neighbours():
    """No point of a cloud around the computed operator has a lower λ‖X‖ + ½‖X − V‖², in fractions."""
    numbers = networks.rationals(17)
    for V, weight in proximal.CASES:
        X = proximal.prox(V, weight)

        def objective(Y, V=V, weight=weight):
            gaps = [exact_projection.distance(v, y) for v, y in zip(V, Y, strict=True)]
            return weight * networks.norm(Y) + sum(gaps, Fraction(0)) / 2

        for scale in (1, 8, 64):
            near = tuple(tuple(x + next(numbers) / scale for x in column) for column in X)
            assert objective(X) <= objective(near)


def test_two_runs_give_the_same_json():
    """Deciding again gives the same record, byte for byte."""
    assert [decided_again(each) for each in VERDICTS] == [record(decided(each)) for each in VERDICTS]


def test_a_fresh_process_decides_alike():
    """A claim decided alone in a fresh process gives the record that it gives among others."""
    assert decided_alone("L1-P-SPARSDEF") == record(decided("L1-P-SPARSDEF"))


def test_the_modules_are_read_without_heavy_imports():
    """Reading the modules of these claims imports neither SymPy nor torch nor NumPy nor SciPy nor python-flint."""
    names = ("algorithm1", "algorithm1_layers", "algorithm2", "proximal", "trained_networks")
    assert heavy_imports(*(f"wnverify.papers.l1inf.{name}" for name in names)) == []
