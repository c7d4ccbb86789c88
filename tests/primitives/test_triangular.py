"""The triangular factorization of rows and the polar factor without centring: values and derivatives."""

import math

import pytest
import torch

from wnverify.finding import seed_of
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives.polar import polar
from wnverify.primitives.triangular import triangular

SHAPES = [(1, 1), (3, 3), (3, 7), (2, 3, 7)]


def normal(*shape):
    generator = torch.Generator().manual_seed(seed_of("triangular", shape) % 2**31)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def ratio(found, right, dtype, terms, scale=1.0, condition=1.0):
    error = float((found.double() - right).abs().max())
    return Ratio(error, scale, map_model(dtype, terms, condition=condition)).value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_factors_are_those_of_the_weight(shape, dtype):
    """L W = V, W Wᵀ = I, L lower triangular with a positive diagonal."""
    V = normal(*shape).to(dtype)
    W, L = (factor.double() for factor in triangular(V))
    name, n, d = str(dtype).removeprefix("torch."), *shape[-2:]
    assert ratio(L @ W, V.double(), name, d, scale=float(V.abs().max()) * n) <= 1
    assert ratio(W @ W.mT, torch.eye(n, dtype=torch.float64), name, d) <= 1
    assert not L.triu(1).any()
    assert (L.diagonal(dim1=-2, dim2=-1) > 0).all()


def test_rows_of_any_scale():
    """Rows scaled by powers of two, up to the ends of the format, give the same W and scaled rows of L."""
    V, powers = normal(3, 7), torch.tensor([[2.0**900], [1.0], [2.0**-900]], dtype=torch.float64)
    (W, L), (W_scaled, L_scaled) = triangular(V), triangular(powers * V)
    condition = float(torch.linalg.cond(V))
    assert ratio(W_scaled, W, "float64", 7, condition=condition) <= 1
    assert ratio(L_scaled / powers, L, "float64", 7, condition=condition, scale=float(L.abs().max())) <= 1


@pytest.mark.parametrize("factorize", [triangular, lambda V: polar(V, centred=False)], ids=["triangular", "polar"])
def test_derivatives_of_both_modes_and_orders(factorize):
    """Forward, reverse, batched and second derivatives agree with differences; square weights too."""
    for shape in ((2, 3), (2, 2)):
        V = normal(*shape).requires_grad_()
        assert torch.autograd.gradcheck(factorize, V, check_forward_ad=True, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(factorize, V, check_fwd_over_rev=True)


@pytest.mark.parametrize("factorize", [triangular, lambda V: (polar(V, centred=False),)], ids=["triangular", "polar"])
def test_a_batch_is_mapped_matrix_by_matrix(factorize):
    """Leading axes and vmap give what each matrix gives alone."""
    V = normal(2, 3, 7)
    for whole, mapped, alone in zip(factorize(V), torch.func.vmap(factorize)(V), factorize(V[1]), strict=True):
        assert ratio(whole, mapped, "float64", 7, scale=float(whole.abs().max())) <= 1
        assert ratio(whole[1], alone, "float64", 7, scale=float(whole.abs().max())) <= 1


def test_without_a_rank_there_is_no_factor():
    """A dependent, zero or non-finite row, or more rows than columns, is a ValueError with its place."""
    V = normal(2, 3, 7)
    V[1, 2] = V[1, 0] + V[1, 1]
    with pytest.raises(ValueError, match=r"rank 2: V\[1, 2, :\] is a combination"):
        triangular(V)
    V[1, 2] = 0.0
    with pytest.raises(ValueError, match=r"rank 2: V\[1, 2, :\] is a combination"):
        triangular(V)
    V[1, 2, 3] = math.inf
    with pytest.raises(ValueError, match=r"V\[1, 2, 3\] = inf"):
        triangular(V)
    with pytest.raises(ValueError, match=r"n ≤ d; got shape \(3, 2\)"):
        triangular(normal(3, 2))
    with pytest.raises(ValueError, match=r"n ≤ d; got shape \(3, 2\)"):
        polar(normal(3, 2), centred=False)
    with pytest.raises(ValueError, match=r"n ≤ d; got shape \(2, 3\) and numerical rank 1$"):
        polar(torch.ones(2, 3), centred=False)
