"""The numerics of the methods: what is right passes, what loses digits or breaks is noticed."""

import json
import re

import numpy as np
import pytest
import torch

from wnverify.finding import Finding, Verdict, dumps, seed_of, unique
from wnverify.methods.centred_weight_normalization.pytorch import centre_and_normalize_rows
from wnverify.methods.orthogonal_weight_normalization.pytorch import orthogonalize_rows
from wnverify.methods.weight_normalization.pytorch import normalize_rows
from wnverify.numerics import agreement, matrices
from wnverify.numerics.agreement import numerics
from wnverify.numerics.forms import judged
from wnverify.numerics.judge import subject_of
from wnverify.numerics.matrices import Typed
from wnverify.numerics.sensitivity import Analytic

ALL = [method.id for method in judged()]
IDS = ["weight_normalization", "centred_weight_normalization", "orthogonal_weight_normalization"]
PLAIN, CENTRED, ORTHOGONAL = IDS
RIGHT = dict(zip(IDS, (normalize_rows, centre_and_normalize_rows, orthogonalize_rows), strict=True))
CHECKS = {"agreement.forward", "agreement.backward", "agreement.enclosure", "conditioning", "undefined"}
every_method = pytest.mark.parametrize("method", IDS)


def quickly(method, implementation, **given):
    """check/dtype → finding, of a quick run with this implementation."""
    found = numerics(method, quick=True, implementation=implementation, **given)
    return {finding.id.removeprefix(f"method/{method}/"): finding for finding in found}


@every_method
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_methods_of_the_house_pass(method, seed):
    """Every check passes in float64 and float32, over several seeds, with room (ratio) and sight (power)."""
    found = numerics(method, seed=seed, quick=seed > 0)
    assert {finding.check for finding in found} == CHECKS
    assert len(unique(found)) >= 10
    for finding in found:
        assert finding.verdict is Verdict.PASS, finding
        for route in finding.routes:
            assert route.ratio is None or route.ratio <= 1
            assert route.power is None or route.power < 1e-5


@every_method
def test_findings_are_strict_json_and_the_same_again(method):
    """A second run gives the same bytes, and the record survives writing and reading."""
    text = [dumps([finding.to_json() for finding in numerics(method, quick=True)]) for _ in range(2)]
    assert text[0] == text[1]
    assert [Finding.from_json(data).to_json() for data in json.loads(text[0])] == json.loads(text[0])


def with_error(right, size, seed=0):
    """``right`` with a relative error of ``size`` unit roundoffs in every entry, in value and gradient alike."""

    def wrong(V):
        W = right(V)
        generator = torch.Generator().manual_seed(seed_of("error", seed) % 2**62)
        noise = torch.empty(W.shape, dtype=torch.float64).uniform_(-1, 1, generator=generator)
        return (W * (1 + size * 2 * torch.finfo(W.dtype).eps * noise)).to(W.dtype)

    return wrong


@every_method
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tenfold_loss_of_accuracy_is_noticed(method, dtype):
    """An implementation ten times less accurate than the present one has a ratio above 1, though no more is lost."""
    found = quickly(method, with_error(RIGHT[method], 10))[f"agreement.forward/{dtype}"]
    assert found.verdict is Verdict.HAZARD
    assert max(route.ratio for route in found.routes) > 1


@every_method
def test_float32_inside_float64_is_a_failure(method):
    """A float64 result that went through float32 fails in every check of the value, and in the proved one."""
    found = quickly(method, lambda V: RIGHT[method](V.float()).to(V.dtype))
    for check in ("agreement.forward", "agreement.enclosure"):
        assert found[f"{check}/float64"].verdict in (Verdict.FAIL, Verdict.HAZARD)
        assert max(route.ratio for route in found[f"{check}/float64"].routes if route.ratio) > 1e4
        assert found[f"{check}/float32"].verdict is Verdict.PASS


def gram_squared(V):
    X = V - V.mean(-1, keepdim=True)
    X = X - X.mean(-1, keepdim=True)
    lam, D = torch.linalg.eigh(X @ X.mT)
    return (D / lam.sqrt()) @ D.mT @ X


def test_an_orthogonalization_by_the_gram_matrix_in_float32_is_noticed():
    """eigh of V_C V_Cᵀ in the weight's own dtype squares the condition number: seen from 1e3 on, well before."""
    found = quickly(ORTHOGONAL, gram_squared)["conditioning/float32"]
    assert found.verdict is Verdict.FAIL
    curves = found.routes[0].figures
    at = dict(zip(curves["condition"], zip(curves["error"], curves["modelled"], strict=True), strict=True))
    assert at[10.0**0.5][0] <= at[10.0**0.5][1]
    assert at[1000.0][0] > 2 * at[1000.0][1]


def test_eigenvectors_differentiated_by_autograd_are_noticed_at_ties():
    """Reverse mode through eigh is not finite, or wrong, at equal and nearly equal singular values."""
    found = quickly(ORTHOGONAL, gram_squared)["agreement.backward/float64"]
    assert found.verdict is Verdict.FAIL
    above = found.routes[0].figures["above_one"]
    assert {"equal singular values", "singular values 2, 2, 1, 1", "singular values 1e-9 apart"} <= set(above)
    assert not any(name.startswith("generic") for name in above)
    assert found.witness["V"]["shape"] == [4, 9]


class WrongGradient(torch.autograd.Function):
    """w = v/‖v‖ with the projection of the gradient left out."""

    @staticmethod
    def forward(ctx, V):
        r = V.norm(dim=-1, keepdim=True)
        ctx.save_for_backward(r)
        return V / r

    @staticmethod
    def backward(ctx, A):
        return A / ctx.saved_tensors[0]


def test_a_wrong_backward_is_noticed_by_every_route():
    """A gradient without its projection fails against the reference, in the search and by differences."""
    found = quickly(PLAIN, WrongGradient.apply)["agreement.backward/float64"]
    assert [route.verdict for route in found.routes] == [Verdict.FAIL] * 3
    assert all(route.ratio > 1e3 for route in found.routes)


def test_squares_that_overflow_are_noticed():
    """A norm by the sum of squares in float32 is lost for rows of size 1e30 and 1e-30."""
    found = quickly(PLAIN, lambda V: V / (V * V).sum(-1, keepdim=True).sqrt())
    assert found["agreement.forward/float32"].verdict is Verdict.FAIL
    assert "1e" in found["agreement.forward/float32"].routes[0].figures["worst_case"]


def test_centring_that_loses_what_it_should_keep_is_noticed():
    """A row whose mean is subtracted in the wrong place, or not at all, fails at generic matrices."""
    for wrong in (lambda V: V / V.norm(dim=-1, keepdim=True), lambda V: normalize_rows(V - V.mean())):
        found = quickly(CENTRED, wrong)
        assert found["agreement.forward/float64"].verdict is Verdict.FAIL
        assert found["agreement.enclosure/float64"].verdict is Verdict.FAIL


def test_a_silent_value_where_there_is_none_is_a_hazard():
    """A small number added to the norm gives zeros for a zero row, without a word; division by it gives NaN."""
    for eps, behaviour in ((1e-30, "finite numbers where there is no value"), (0.0, "NaN or infinity without a word")):
        found = quickly(PLAIN, lambda V, eps=eps: V / (V.norm(dim=-1, keepdim=True) + eps))["undefined/float64"]
        assert found.verdict is Verdict.HAZARD
        assert found.routes[0].figures["behaviour"]["zero row"] == f"hazard: {behaviour}"


def test_another_error_than_a_value_error_is_a_hazard():
    """A subject that falls over with an error of the library's, without naming the weight, is a hazard."""

    def falls_over(V):
        if not bool(torch.linalg.vector_norm(V, dim=-1).all()):
            raise RuntimeError("linalg: error code 3")
        return normalize_rows(V)

    found = quickly(PLAIN, falls_over)["undefined/float32"]
    assert found.verdict is Verdict.HAZARD
    assert "no ValueError but RuntimeError: linalg: error code 3" in found.message


def test_an_exception_inside_the_domain_is_a_failure():
    """A subject that refuses what has a value fails, with the case and the exception in the message."""

    def refuses(V):
        if V.shape[0] == 1:
            raise IndexError("row 1")
        return normalize_rows(V)

    found = quickly(PLAIN, refuses)
    for check in ("agreement.forward", "agreement.backward", "agreement.enclosure"):
        assert found[f"{check}/float64"].verdict is Verdict.FAIL
        assert "IndexError: row 1" in found[f"{check}/float64"].message


def test_what_the_model_cannot_decide_is_left_out_and_named():
    """A float32 orthogonalization at condition 1e6, where the model excuses everything, is listed as undecided."""
    routes = quickly(ORTHOGONAL, None)["agreement.forward/float32"].routes
    assert routes[0].figures["undecided"] == ["condition 1e6"]


def test_the_radius_of_the_proof_is_above_every_error_seen():
    """r of the enclosure is an upper bound of the distance to a far more precise computation of the same."""
    found = quickly(PLAIN, None)["agreement.enclosure/float32"]
    r = found.routes[0].figures["r"]
    printed = float(re.search("within r = (\\S+) ", found.message)[1])
    assert r <= printed <= 1.1 * r
    for case in list(matrices.typed("float32", 0, quick=True))[:3]:
        exact = case.V / np.sqrt((case.V.astype(np.longdouble) ** 2).sum(axis=1, keepdims=True))
        assert np.abs(normalize_rows(torch.tensor(case.V).float()).double().numpy() - exact).max() <= r


def test_the_distance_of_a_gradient_is_that_of_the_farthest_block():
    """A row of which the model excuses more may be the farthest off while another has the worst ratio."""
    V = matrices.normal(2, 6, seed=0) + np.array([[1e4], [0.0]])
    case, model = Typed("large mean", V, matrices.normal(2, 6, seed=1)), Analytic(CENTRED)
    sigma, _ = matrices.smallest(CENTRED, V)
    error = np.array([[1e-10], [1e-13]]) * case.A / sigma
    assert model.gradient(case, error, "float64").relative == pytest.approx(1e-13)
    assert model.off(case, error, "float64") == pytest.approx(1e-10)


@pytest.mark.parametrize("enclosed", [0, 2])
def test_gradients_that_are_not_enclosed_are_not_said_to_be_near(enclosed, monkeypatch):
    """The message counts the gradients that balls were around, and is silent about gradients where there are none."""
    right, seen = agreement._ball_of_gradient, []

    def some(subject, case):
        seen.append(case)
        return right(subject, case) if len(seen) <= enclosed else None

    monkeypatch.setattr(agreement, "_ball_of_gradient", some)
    subject = subject_of(PLAIN, 0, True)
    found = agreement.enclosure(subject, "float64")
    assert found.verdict is Verdict.PASS
    assert found.routes[0].figures["gradients"] == enclosed < found.routes[0].figures["cases"]
    assert (f"at {enclosed} of them the gradient" in found.message) == (enclosed > 0) == ("gradient" in found.message)


def test_an_unknown_method_is_an_error_that_lists_the_known_ones():
    """The message has all ids and what came."""
    with pytest.raises(ValueError, match=f"method_id must be one of {', '.join(ALL)}; got 'wn'"):
        numerics("wn")
