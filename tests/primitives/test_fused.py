"""The one-pass kernels for rows: where they may be used, and that they give what the formulas give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from wnverify.methods.weight_normalization.pytorch import WeightNormalization
from wnverify.oracles.ratio import probabilistic_gamma, unit_roundoff
from wnverify.primitives import fused
from wnverify.primitives.pytorch import normalize

SHAPES = ((3, 5), (2, 4, 33), (7, 576))
IDS = ["3x5", "2x4x33", "7x576"]


def weight(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def off(found: Tensor, right: Tensor, scale: Tensor) -> float:
    """Largest error of a row over its scale and a float32 sum of its length."""
    error = torch.linalg.vector_norm(found.double() - right, dim=-1, keepdim=True)
    model = probabilistic_gamma(found.shape[-1] + 8, unit_roundoff("float32"))
    return float((error / (model * scale)).max())


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("eps", [0.0, 1e-2], ids=["eps-0", "eps-1e-2"])
@pytest.mark.parametrize("unbiased", [False, True], ids=["by-d", "by-d-minus-1"])
def test_a_standardized_row_and_its_backward_are_those_of_the_formula(
    shape: tuple[int, ...], eps: float, unbiased: bool
) -> None:
    """Kernels for layers and batches, fed with rows, give w = x / s, s² = ‖x‖² / m + eps, and the derivative."""
    d = shape[-1]
    m = d - unbiased
    V = weight(shape)
    V -= 0.9 * V.mean(-1, keepdim=True)
    made = fused.standardized_rows(V, m, eps)
    assert made is not None
    exact = V.double().requires_grad_()
    x = exact - exact.mean(-1, keepdim=True)
    s = ((x * x).sum(-1, keepdim=True) / m + eps).sqrt()
    W = x / s
    assert off(made[0], W.detach(), W.detach().norm(dim=-1, keepdim=True)) <= 1
    assert off(made[1], s.detach(), s.detach()) <= 1
    A = weight(shape, seed=1)
    (right,) = torch.autograd.grad(W, exact, A.double())
    G = fused.centred_tangential(A, made[0], made[1], m)
    assert off(G, right, A.norm(dim=-1, keepdim=True) / s.detach()) <= 1


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_a_scaled_row_and_both_its_gradients_are_those_of_the_formula(shape: tuple[int, ...]) -> None:
    """w = g v / ‖v‖ with one number a row, and the gradients to V and to g."""
    V = weight(shape).flatten(0, -2)
    module = WeightNormalization()
    g = weight((len(V), 1), seed=2).requires_grad_()
    V.requires_grad_()
    A = weight(tuple(V.shape), seed=1)
    W = module(V, g)
    made = torch.autograd.grad(W, (V, g), A)
    exact = [each.detach().double().requires_grad_() for each in (V, g)]
    direct = exact[1] * exact[0] / exact[0].norm(dim=-1, keepdim=True)
    right = torch.autograd.grad(direct, exact, A.double())
    size = A.norm(dim=-1, keepdim=True)
    assert off(W.detach(), direct.detach(), g.detach().abs()) <= 1
    assert off(made[0], right[0], size * (g / V.norm(dim=-1, keepdim=True)).detach().abs()) <= 1
    assert off(made[1], right[1], size) <= 1


def test_the_backward_with_a_gain_keeps_no_directions() -> None:
    """Of a weight of many entries only V itself is kept, which is the parameter."""
    V, g = weight((4, 50)).requires_grad_(), torch.ones(4, 1).requires_grad_()
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: kept.append(saved) or saved, lambda saved: saved):  # type: ignore[func-returns-value]
        WeightNormalization()(V, g)
    assert {each.data_ptr() for each in kept if each.numel() > 4} == {V.data_ptr()}


ODD_ROWS = {
    "constant": [1.0, 1.0, 1.0],
    "zero": [0.0, 0.0, 0.0],
    "far-mean": [9.0, 10.0, 11.0],
    "huge": [2.0**70, 0.0, 1.0],
    "tiny": [2.0**-70, 0.0, 0.0],
    "nan": [0.0, 1.0, torch.nan],
}


@pytest.mark.parametrize("row", ODD_ROWS.values(), ids=ODD_ROWS)
def test_rows_that_would_lose_bits_are_left_to_others(row: list[float]) -> None:
    """One row that is constant, not finite, of extreme scale or far off zero sends the weight another way."""
    assert fused.standardized_rows(torch.tensor([[-1.0, 0.0, 1.0], row]), 3, 0.0) is None


def test_no_kernel_is_used_where_a_transform_would_not_follow() -> None:
    """Transforms, forward and dispatch modes and long rows are none of the kernels' business; a plain weight is."""
    V = weight((2, 3))
    seen = []

    def look(X: Tensor) -> Tensor:
        seen.append(fused.usable(X))
        return X.sum()

    torch.func.vmap(look)(V)
    torch.func.grad(look)(V)
    with torch.autograd.forward_ad.dual_level():
        look(V)
    with FlopCounterMode(display=False):
        look(V)
    look(torch.empty(1, fused.LONGEST + 1))
    assert seen == [False] * 5
    assert fused.usable(V)


def test_a_derivative_that_is_differentiated_again_goes_by_plain_operations() -> None:
    """The second derivative through the fused forward is that of the formula."""
    V, A, E = (weight((3, 6), seed).double() for seed in range(3))
    V.requires_grad_()

    def second(W: Tensor) -> Tensor:
        (G,) = torch.autograd.grad(W, V, A, create_graph=True)
        return torch.autograd.grad(G, V, E)[0]

    found, right = second(normalize(V, centred=False)[0]), second(V / V.norm(dim=1, keepdim=True))
    model = probabilistic_gamma(60, unit_roundoff("float64")) * right.norm()
    assert float((found - right).norm() / model) <= 1


@pytest.mark.parametrize("shape", [(3, 7), (fused.BLOCK + 5, fused.PANEL + 9)], ids=["one-block", "several-blocks"])
@pytest.mark.parametrize("centred", [False, True], ids=["as-is", "centred"])
def test_a_gram_matrix_by_halves_is_that_of_the_whole(shape: tuple[int, int], centred: bool) -> None:
    """Its lower triangle is V_C V_Cᵀ, also where the mean is far above the spread; a constant row gives zero."""
    V = weight(shape) + 1000.0
    V[0] = 0.1
    X = V.double()
    X = X - X.mean(-1, keepdim=True) if centred else X
    Sigma = fused.gram_of_rows(V, centred=centred)
    size = X.norm(dim=-1)
    model = probabilistic_gamma(shape[1] + 8, unit_roundoff("float64")) * 2.0**10  # κ of centring at this mean
    assert bool((((Sigma - X @ X.mT).tril()).abs() <= model * size[:, None] * size).all())
    assert not centred or float(Sigma[0, 0]) == 0
