"""The claims of DSWN's sections 1 to 3 (the prose, the model, eqs. 1-6): verdicts, faults, corrections, conditions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from claim_cases import decided, decided_again, faults_of, record, witnessed

from wnverify.methods.orthogonal_weight_normalization import reference
from wnverify.oracles.ratio import map_model
from wnverify.papers import claims, ledger
from wnverify.papers.dswn import contributions, feasibility, model_points

VERDICTS = {
    "DSWN-ABS-PARAM": "refuted",
    "DSWN-S1-NDB": "holds",
    "DSWN-S1-ENERGY": "holds-under",
    "DSWN-S2-BN": "holds-under",
    "DSWN-S2-IN": "holds",
    "DSWN-S2-LNGN": "holds",
    "DSWN-S2-WN": "inconsistent",
    "DSWN-S2-WNORTH": "holds-under",
    "DSWN-S3-FWD": "holds-under",
    "DSWN-EQ1": "inconsistent",
    "DSWN-S3-LIN": "refuted",
    "DSWN-S3-CENTER": "holds",
    "DSWN-EQ2-CONS": "holds",
    "DSWN-EQ2-GSYM": "holds-under",
    "DSWN-EQ2-MIN": "holds-under",
    "DSWN-EQ2-P": "holds-under",
    "DSWN-EQ2-GDROP": "holds",
    "DSWN-EQ3": "refuted",
    "DSWN-EQ4": "holds-under",
    "DSWN-S3-PINV": "holds-under",
    "DSWN-S3-COV": "refuted",
    "DSWN-EQ5": "holds-under",
    "DSWN-S3-SQRT": "holds-under",
    "DSWN-EQ6": "holds-under",
    "DSWN-EQ6-ZEROSUM": "holds",
    "DSWN-EQ6-ORTH": "refuted",
    "DSWN-FEAS": "holds",
    "DSWN-FEAS-NET": "refuted",
    "DSWN-EQ6-INV": "holds",
    "DSWN-EQ6-NUM": "holds",
}
RANK, SYMMETRIC_G, SYMMETRIC_GAMMA = "V_C has rank n (which needs n ≤ d − 1)", "G is symmetric", "Γ is symmetric"
NEEDED = {
    "DSWN-S1-ENERGY": ["W is square, n = d"],
    "DSWN-S2-BN": [
        "ε = 0 (else the variance is v / (v + ε))",
        "the learned scale and shift are 1 and 0",
        "the feature varies over the batch (m ≥ 2)",
        "the statistics are those of the batch at hand (training)",
    ],
    "DSWN-S2-WNORTH": [
        "the covariance of the input is I",
        "the mean of the input is 0",
        "the gains of weight normalization are 1",
    ],
    "DSWN-S3-FWD": ["A has one column, or b stands for b 1_mᵀ (added to every column)"],
    "DSWN-EQ2-GSYM": [SYMMETRIC_G],
    "DSWN-EQ2-MIN": [RANK, SYMMETRIC_G],
    "DSWN-EQ2-P": [RANK],
    "DSWN-EQ4": [SYMMETRIC_GAMMA, SYMMETRIC_G],
    "DSWN-S3-PINV": [RANK],
    "DSWN-EQ5": [SYMMETRIC_GAMMA, SYMMETRIC_G],
    "DSWN-S3-SQRT": [
        RANK,
        "of the symmetric roots of Σ^{-1}, all of which eqs. 4-5 allow, the positive definite one is taken",
    ],
    "DSWN-EQ6": [RANK, SYMMETRIC_G],
}
WITNESSED = witnessed(VERDICTS)
FAULTS = faults_of(VERDICTS)


def test_every_row_of_the_two_sections_has_a_claim():
    """The rows of the ledger up to eq. 7 are decided here, each under its id."""
    rows = tuple(ledger.rows("DSWN"))
    assert rows[: rows.index("DSWN-EQ7")] == tuple(VERDICTS)


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as derived by hand, quick as full, at the ledger's place, with the conditions it needs."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("DSWN")[claim_id]
    needed = [text.removeprefix("needed besides: ") for text in finding.conditions if text.startswith("needed")]
    assert needed == NEEDED.get(claim_id, [])


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_refuted(claim_id, fault):
    """A formula made wrong on purpose is refuted, with a witness."""
    claim = claims.get(claim_id)
    finding = claim.decide(claim.faults[fault], quick=True)
    assert finding.verdict == "refuted", finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_the_routes_of_full_mode_see_faults_too(claim_id):
    """What quick mode leaves out agrees that the first two faults are faults."""
    claim = claims.get(claim_id)
    for formula in itertools.islice(claim.faults.values(), 2):
        finding = claim.decide(formula)
        assert finding.verdict == "refuted", finding.message


def test_every_claim_has_several_faults():
    """No claim is left with fewer than three planted faults."""
    assert not [claim_id for claim_id in VERDICTS if len(claims.get(claim_id).faults) < 3]


@pytest.mark.parametrize("claim_id", WITNESSED)
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted or inconsistent statement holds itself, and the finding offers it."""
    claim = claims.get(claim_id)
    assert claim.decide(claim.corrected_formula).verdict == "holds"
    finding = decided(claim_id)
    assert finding.corrected == claim.corrected
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_every_route_states_its_power(claim_id):
    """Each route that decides says what relative error it would have noticed."""
    finding = decided(claim_id)
    assert all(route.power is not None for route in finding.routes if route.verdict != "undecided")


def test_witnesses_of_the_network_are_the_layers_of_the_paper():
    """The refuted layers are those with n ≥ d: 128 units to 128, and the first convolution."""
    finding = decided("DSWN-FEAS-NET")
    refuted = [route.note.split(":")[0] for route in finding.routes if route.verdict == "refuted"]
    assert dict.fromkeys(refuted) == dict.fromkeys(
        ["PIE, hidden to hidden, sec. 4.2.1", "VGG, first 3×3 convolution on 3 channels"]
    )
    assert (finding.witness["rank of V_C"], finding.witness["rank needed"]) == (127, 128)


def test_whether_a_matrix_is_p_v_c_is_asked_of_that_matrix():
    """A matrix whose rows leave the span of the rows of V_C is no P V_C, whatever the rank of V_C."""
    X = model_points.matrix([[1, -1, 0]])
    assert feasibility._is_p_times(np.array([[1.0, -1.0, 0.0]]) / np.sqrt(2), X)
    assert not feasibility._is_p_times(np.array([[1.0, 1.0, -2.0]]) / np.sqrt(6), X)


def test_quick_mode_says_what_it_left_out():
    """Quick says in its conditions what it skipped; full says nothing of the kind."""
    for claim_id in ("DSWN-EQ2-CONS", "DSWN-EQ2-GDROP", "DSWN-S3-SQRT", "DSWN-EQ6-NUM", "DSWN-S2-BN", "DSWN-S1-ENERGY"):
        claim = claims.get(claim_id)
        assert any(text.startswith("quick: left out") for text in claim.decide(quick=True).conditions)
        assert not any(text.startswith("quick") for text in claim.decide().conditions)


def test_two_runs_give_the_same_json():
    """Deciding again gives the same record, byte for byte."""
    assert [decided_again(each) for each in VERDICTS] == [record(decided(each)) for each in VERDICTS]


def test_rational_points_are_what_they_are_said_to_be():
    """At each of them V_C = S Q with Q = P V_C the value of φ, G regular and symmetric, and S positive definite."""
    points = list(model_points.exact_points())
    for at in points:
        assert model_points.is_phi(at.V, at.P @ at.V_C), at.name
        assert (at.G @ at.G_inverse == model_points.eye(len(at.G))).all()
        assert (at.G == at.G.T).all()
        assert (model_points.centred(at.V) == at.V_C).all()
    assert {at.V.shape for at in points} == {(1, 4), (2, 4), (3, 4), (2, 5), (3, 5)}


def test_phi_is_told_from_what_resembles_it():
    """The negative root, another orthonormal matrix, a scaled one and the uncentred one are not φ(V)."""
    at = model_points.point("", 2 * model_points.eye(2), model_points.rows_of(2, 4), model_points.eye(4))
    Y = at.P @ at.V_C
    swapped = Y[::-1]
    for other in (-Y, swapped, 2 * Y, at.P @ at.V, np.vstack([Y[0], -Y[1]])):
        assert not model_points.is_phi(at.V, other)


def test_rational_linear_algebra_agrees_with_numpy():
    """Rank, determinant and inverse in rationals are those of NumPy on small whole-number matrices."""
    for rows in ([[2, 1], [1, 3]], [[1, 2], [2, 4]], [[0, 1, 2], [1, 0, 3], [4, -3, 8]], [[0, 1], [1, 0]]):
        A = model_points.matrix(rows)
        assert model_points.rank(A) == np.linalg.matrix_rank(np.array(rows))
        assert model_points.determinant(A) == round(np.linalg.det(np.array(rows)))
        if model_points.determinant(A):
            assert (A @ model_points.inverse(A) == model_points.eye(len(A))).all()
    with pytest.raises(ZeroDivisionError):
        model_points.inverse(model_points.matrix([[1, 2], [2, 4]]))
    assert model_points.matrix([[1]])[0, 0] == Fraction(1)


def test_the_slopes_of_phi_are_those_of_the_reference():
    """The rational Jacobian by which trained entries are counted is the reference's, entry by entry."""
    phi = [x / 6 for x in contributions.PROXY]
    slopes = np.array(contributions.jacobian(phi, 6), dtype=np.float64)
    V = np.array([contributions.PROXY], dtype=np.float64)
    known = np.vstack([reference.jvp(V, row[None]) for row in np.eye(4)])
    assert np.abs(slopes - known).max() / np.abs(known).max() / map_model("float64", 4).relative <= 1
