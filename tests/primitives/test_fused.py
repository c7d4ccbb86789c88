"""Rows and Gram matrices by fewer passes: they give what the formulas give, and one alone what it gives among many."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from wnverify.methods.centred_weight_normalization.pytorch import centre_and_normalize_rows
from wnverify.methods.weight_normalization.pytorch import WeightNormalization, normalize_rows
from wnverify.methods.weight_standardization.pytorch import standardize_rows
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


def nothing_else() -> tuple[Tensor, Tensor]:
    raise AssertionError("every row is one for the kernel")


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
    made = fused.standardized_rows(V, m, eps, nothing_else)
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


GAINED = WeightNormalization()


def with_gain(V: Tensor) -> Tensor:
    g = torch.linspace(1.0, 2.0, 8, dtype=V.dtype)[V[:, -1].abs().frexp()[1].long() % 8]  # of the row alone
    return GAINED(V, g.detach().unsqueeze(-1))  # type: ignore[no-any-return]


MAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "wn": normalize_rows,
    "wn-gain": with_gain,
    "cwn": centre_and_normalize_rows,
    "ws": standardize_rows,
    "ws-printed-unbiased": lambda V: standardize_rows(V, eps=0.0, unbiased=True),
    "ws-outside": lambda V: standardize_rows(V, eps_inside=False),
}


ODD: dict[str, tuple[float, float, float]] = {
    "none": (1, 0, 0),
    "huge": (2.0**70, 0, 0),
    "tiny": (2.0**-70, 0, 0),
    "far-mean": (1, 9, 0),
    "near-zero": (2.0**-25, 0, 0),
    "tiny-beside-far-mean": (2.0**-70, 0, 9),
}
"""Scale and shift of the second row, and shift of the first."""


def pulled(f: Callable[[Tensor], Tensor], V: Tensor, A: Tensor) -> tuple[Tensor, Tensor]:
    V = V.clone().requires_grad_()
    W = f(V)
    (G,) = torch.autograd.grad(W, V, A.clone())
    return W.detach(), G


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", MAPS)
def test_a_row_alone_is_that_row_in_a_matrix_bit_for_bit(name: str, odd: str, dtype: torch.dtype) -> None:
    """Neither the number of rows beside it, nor one of extreme scale or mean, changes a row's value or gradient."""
    scale, shift, first = ODD[odd]
    for n, d in ((2, 3), (5, 4), (40, 2), (3, 127), (9, 576), (300, 33), (7, 1025), (1000, 8)):
        V, A = weight((n, d), seed=d).to(dtype), weight((n, d), seed=n).to(dtype)
        V[1] = V[1] * scale + shift
        V[0] += first
        W, G = pulled(MAPS[name], V, A)
        for k in {0, 1, n // 2, n - 1}:
            one, gradient = pulled(MAPS[name], V[k : k + 1], A[k : k + 1])
            assert torch.equal(W[k], one[0]), (n, d, k)
            assert torch.equal(G[k], gradient[0]), (n, d, k)


@pytest.mark.parametrize("exponent", [-140, -100, 60, 120])
@pytest.mark.parametrize("name", ["wn", "wn-gain", "cwn", "ws-printed-unbiased"])
def test_a_gradient_at_extreme_scale_is_the_ordinary_one_scaled(name: str, exponent: int) -> None:
    """No inverse or power of a norm over- or underflows on the way; of a subnormal norm there are fewer bits."""
    f = {**MAPS, "wn-gain": lambda V: GAINED(V, torch.ones_like(V[:, :1]))}[name]
    V, A = weight((3, 9)), weight((3, 9), seed=1)
    V -= V.mean(-1, keepdim=True)
    far = V * 2.0**exponent
    _, right = pulled(f, far.double() * 2.0**-exponent, A.double())
    _, found = pulled(f, far, A * 2.0 ** (exponent // 2))
    lost = 2.0 ** max(-149 - exponent, -149) / float(V.norm(dim=-1).min())
    model = probabilistic_gamma(20, unit_roundoff("float32")) + lost
    scale = A.norm(dim=-1, keepdim=True) / V.norm(dim=-1, keepdim=True) * (8**0.5 if name[:2] == "ws" else 1)
    assert float(((found.double() * 2.0 ** (exponent - exponent // 2) - right).abs() / scale).max() / model) <= 1


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


@pytest.mark.parametrize("shape", [(65, 67), (70, 301), (130, 576)], ids=["65x67", "70x301", "130x576"])
def test_a_gram_matrix_alone_is_that_of_a_stack_bit_for_bit(shape: tuple[int, int]) -> None:
    """What stands beside a weight does not change how its products are summed."""
    V = weight((5, *shape))
    together = fused.gram_of_rows(V, centred=True)
    for k in range(5):
        assert torch.equal(fused.gram_of_rows(V[k].clone(), centred=True), together[k]), k


def test_no_kernel_is_used_where_a_transform_would_not_follow() -> None:
    """Transforms, forward and dispatch modes, no rows and long rows are not for the kernels; a plain weight is."""
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
    look(torch.empty(0, 3))
    assert seen == [False] * 6
    assert fused.usable(V)


def test_of_a_single_column_the_direction_is_exact_and_its_gradient_zero() -> None:
    """v / |v| is a sign, and no multiple of the cotangent is left of its gradient."""
    V = weight((9, 1)).requires_grad_()
    W = normalize_rows(V)
    (G,) = torch.autograd.grad(W, V, weight((9, 1), seed=1))
    assert torch.equal(W.detach(), V.detach().sign())
    assert not G.any()
