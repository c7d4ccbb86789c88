"""Coarse arithmetic: what is computed loses ten roundings, inside sums too, and what is exact stays."""

import math

import pytest
import torch

from wnverify.numerics.coarse import Coarse
from wnverify.numerics.generators import drawn

dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


@dtypes
def test_coarse_arithmetic_loses_ten_roundings_of_what_is_computed(dtype):
    """A computed number is off by 10 u, of either sign; inputs, what is moved, constants and integers stay."""
    V = torch.tensor(drawn("random", 1, 40, 50, seed=3, dtype=dtype)[0]).to(getattr(torch, dtype))
    u = torch.finfo(V.dtype).eps / 2
    with Coarse(dtype, seed=1):
        tripled, view, moved, ones, whole = V * 3, V.t(), torch.cat([V, V.flip(0)]), torch.ones_like(V), torch.arange(7)
        exact = torch.tensor([0.0, math.inf, 5.0], dtype=V.dtype) * 2
    off = (tripled.double() - 3 * V.double()) / (3 * V.double()) / u
    assert off.abs().max() <= 12
    assert (off > 8).double().mean() > 0.3
    assert (off < -8).double().mean() > 0.3
    assert torch.equal(view, V.t())
    assert torch.equal(moved, torch.cat([V, V.flip(0)]))
    assert torch.equal(ones, torch.ones(V.shape, dtype=V.dtype))
    assert torch.equal(whole, torch.arange(7))
    assert exact.tolist() == [0.0, math.inf, 10.0]


SUMMED = {
    "sum": lambda x: x.sum(-1),
    "sum of all columns": lambda x: x.mT.sum(0),
    "mean": lambda x: x.mean(-1) * x.shape[-1],
    "product with a vector": lambda x: x @ torch.full((x.shape[-1],), 3.0, dtype=x.dtype) / 3,
    "product of matrices": lambda x: (x @ torch.full((x.shape[-1], 1), 3.0, dtype=x.dtype)).squeeze(-1) / 3,
}


@dtypes
@pytest.mark.parametrize("name", SUMMED)
def test_coarse_arithmetic_loses_inside_a_sum(name, dtype):
    """Partial sums are rounded as well: where a large one cancels, ten roundings of it are lost, not of the result."""
    x = torch.tensor(drawn("random", 1, 200, 6, seed=4, dtype=dtype)[0]).to(getattr(torch, dtype))
    x = torch.cat([1000 * x[:, :1], x, -1000 * x[:, :1]], dim=1)
    with Coarse(dtype, seed=2):
        found = SUMMED[name](x)
    lost = (found.double() - x.double().sum(-1)).abs() / (1000 * x[:, 1].double().abs()) / torch.finfo(x.dtype).eps * 2
    assert (lost > 10).double().mean() > 0.5
    assert lost.median() < 10 * 3 * math.sqrt(x.shape[1])


@dtypes
def test_what_is_exact_inside_a_sum_stays(dtype):
    """Small integers, a sum of one term, zeros beside it, and a norm of one entry are exact in coarse arithmetic."""
    x = torch.tensor(drawn("random", 1, 20, 5, seed=5, dtype=dtype)[0]).to(getattr(torch, dtype))
    one = torch.zeros_like(x).index_copy(1, torch.tensor([2]), x[:, 2:3])
    whole = x.mul(4).round()
    with Coarse(dtype, seed=2):
        sums, alone, product = whole.sum(-1), one.sum(-1), whole @ whole.mT
        norms = torch.linalg.vector_norm(2 * whole[:, :1], dim=-1)
    assert torch.equal(sums, whole.sum(-1))
    assert torch.equal(alone, one.sum(-1))
    assert torch.equal(product, whole @ whole.mT)
    assert torch.equal(norms, 2 * whole[:, 0].abs())


def test_a_norm_loses_half_of_what_its_sum_does():
    """√ halves a relative error, and an ord of which nothing is known adds none."""
    x = torch.tensor(drawn("random", 1, 300, 9, seed=6, dtype="float64")[0])
    with Coarse("float64", seed=3):
        norm, largest = torch.linalg.vector_norm(x, dim=-1), torch.linalg.vector_norm(x, math.inf, dim=-1)
    off = (norm / torch.linalg.vector_norm(x, dim=-1) - 1).abs() * 2**53
    assert 9 < off.median() < 20
    assert ((largest / x.abs().amax(-1) - 1).abs() * 2**53).max() <= 12
