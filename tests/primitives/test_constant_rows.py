"""Rows whose entries are all equal, where a mean of equal numbers is not that number, as on a GPU for some d."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from wnverify.methods.constrained_weight_optimization.pytorch import sphere_zero_mean_rows
from wnverify.methods.newton_orthogonalization.pytorch import newton_orthogonalize_rows
from wnverify.methods.orthogonal_weight_normalization.pytorch import orthogonalize_rows
from wnverify.methods.weight_standardization import pytorch as standardization
from wnverify.methods.weight_standardization.pytorch import standardize_rows
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives import fused, polar
from wnverify.primitives import pytorch as primitives

CONSTANT = [0.1, 1 / 3, -7.7e6, 1e-9]
COLUMNS = [3, 11, 25, 49, 61, 103, 187]
DTYPES = [torch.float32, torch.float64]
REFUSING = {
    "normalize": lambda V: primitives.normalize(V, centred=True),
    "sphere": sphere_zero_mean_rows,
    "standardize": lambda V: standardize_rows(V, eps=0.0),
    "polar": orthogonalize_rows,
    "newton": newton_orthogonalize_rows,
}


@pytest.fixture(autouse=True)
def _means_by_a_rounded_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean that multiplies the sum by 1/d, and plain operations everywhere."""

    def mean(X: Tensor, dim: int, keepdim: bool = False, dtype: torch.dtype | None = None) -> Tensor:
        X = X if dtype is None else X.to(dtype)
        return X.sum(dim, keepdim=keepdim) * torch.tensor(1 / X.shape[dim], dtype=X.dtype)

    monkeypatch.setattr(Tensor, "mean", mean)
    monkeypatch.setattr(fused, "alone", lambda *tensors: False)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_such_a_mean_leaves_something_of_a_constant_row(dtype: torch.dtype) -> None:
    """Centring alone does not decide: without this the tests below would be about nothing."""
    assert any(
        bool(primitives.centred_rows(torch.full((1, d), c, dtype=dtype)).any()) for d in COLUMNS for c in CONSTANT
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("name", REFUSING)
def test_a_constant_row_is_refused(name: str, dtype: torch.dtype) -> None:
    """However a mean is rounded, alone and for every d: what centring leaves of the row has no direction."""
    for d in COLUMNS:
        for c in CONSTANT:
            with pytest.raises(ValueError, match="V"):
                REFUSING[name](torch.full((1, d), c, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_a_constant_row_far_above_the_others_costs_a_rank(dtype: torch.dtype) -> None:
    """What rounding leaves of it is no direction beside rows of that size."""
    for d in COLUMNS:
        V = torch.randn(2, d, dtype=dtype, generator=torch.Generator().manual_seed(d)) * 2.0**-100
        V[1] = 0.1
        with pytest.raises(ValueError, match="numerical rank 1"):
            orthogonalize_rows(V)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("inside", [True, False])
def test_with_eps_a_constant_row_becomes_zero(inside: bool, dtype: torch.dtype) -> None:
    """Exactly, and no other row is touched by it."""
    for d in COLUMNS:
        for c in CONSTANT:
            V = torch.randn(2, d, dtype=dtype, generator=torch.Generator().manual_seed(d))
            alone = standardize_rows(V[1:], eps_inside=inside)
            V[0] = c
            W = standardize_rows(V, eps_inside=inside)
            assert not W[0].any()
            assert torch.equal(W[1:], alone)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_where_nothing_is_refused_it_becomes_nan(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways that are taken under a compiler give NaN, as for a mean that is exact."""
    for module in (primitives, standardization, polar):
        monkeypatch.setattr(module, "looking", lambda: False)
    for name in ("normalize", "standardize", "polar"):
        for d in COLUMNS:
            made = REFUSING[name](torch.full((1, d), 0.1, dtype=dtype))
            assert bool((made[0] if name == "normalize" else made).isnan().all()), (name, d)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["normalize", "standardize", "polar", "newton"])
def test_a_row_that_differs_in_its_last_bit_is_an_ordinary_one(name: str, dtype: torch.dtype) -> None:
    """One entry is one unit in the last place above the others: e − 1/d is the direction, whatever the mean does."""
    for d in COLUMNS:
        V = torch.full((1, d), 0.1, dtype=dtype)
        V[0, 1] = torch.nextafter(V[0, 1], torch.tensor(1.0, dtype=dtype))
        right = -torch.ones(d, dtype=torch.float64) / d
        right[1] += 1
        W = REFUSING[name](V)
        W = (W[0] if name == "normalize" else W)[0].double()
        error = float((W / W.norm() - right / right.norm()).norm())
        assert Ratio(error, 1.0, map_model(str(dtype).removeprefix("torch."), d)).value <= 1, d
