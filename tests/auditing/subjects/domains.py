"""Subjects that keep their word where they stand, and are another thing elsewhere."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class MatricesOnly(nn.Module):
    """Rows of the last two axes: a kernel is a batch of matrices."""

    DECLARES: ClassVar = {"unit_norm_rows": True}
    DOMAIN: ClassVar = {"matrices_only": True}

    def forward(self, V: Tensor) -> Tensor:
        return V / V.norm(dim=-1, keepdim=True)


class SmallOnly(nn.Module):
    """Promises something of weights that nobody has."""

    DECLARES: ClassVar = {"odd": True}
    DOMAIN: ClassVar = {"max_abs": 1e-3}

    def forward(self, V: Tensor) -> Tensor:
        return V


class SmallAndBroken(SmallOnly):
    """The same, with weights inside its domain that it refuses."""

    DOMAIN: ClassVar = {"rows_le_cols": True}

    def forward(self, V: Tensor) -> Tensor:
        raise RuntimeError("not today")


class UpperHalf(nn.Module):
    """Reads the columns from the fifth on and writes them twice."""

    def forward(self, V: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(V[:, :4]), V[:, 4:]], dim=1)


class UpperHalfHides(UpperHalf):
    """The same, and hides a NaN in what it reads."""

    def forward(self, V: Tensor) -> Tensor:
        return super().forward(V.nan_to_num())


class WideOnly(nn.Module):
    """Refuses more rows than columns with an error of its library's own, as its domain says."""

    DOMAIN: ClassVar = {"rows_le_cols": True}

    def forward(self, V: Tensor) -> Tensor:
        if V.shape[0] > V.shape[1]:
            raise RuntimeError("dim 1 must be the larger")
        return V.clone()


class WideUnsaid(WideOnly):
    """The same without a word in its domain."""

    DOMAIN: ClassVar = {}


@torch.no_grad()
def nearly_unit(W: Tensor) -> Tensor:
    """Rows of norm 0.99."""
    return 0.99 * W / W.flatten(1).norm(dim=1).reshape(-1, *[1] * (W.dim() - 1))


nearly_unit.DECLARES = {"unit_norm_rows": True}
nearly_unit.DOMAIN = {"approximate": {"unit_norm_rows": 0.02}}


@torch.no_grad()
def not_nearly_unit(W: Tensor) -> Tensor:
    """The same, with a smaller error admitted."""
    return nearly_unit(W)


not_nearly_unit.DECLARES = {"unit_norm_rows": True}
not_nearly_unit.DOMAIN = {"approximate": {"unit_norm_rows": 0.002}}


class SoftSphere(nn.Module):
    """``v / √(‖v‖² + 1e-6)``, which says that it misses what the unit rows have."""

    DOMAIN: ClassVar = {"approximate": {"unit_norm_rows": 1.0, "row_scale_invariant": 1.0, "idempotent": 1.0}}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / (X.square().sum(1, keepdim=True) + 1e-6).sqrt()).reshape(V.shape)


class SoftSphereUnsaid(SoftSphere):
    """The same, of which nothing is said."""

    DOMAIN: ClassVar = {}


class LeftOfASquare(nn.Module):
    """The variance of each row, and a millionth of its square."""

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        return X.var(dim=1).sum() + 1e-6 * X.square().sum()


class HalfClamp(nn.Module):
    """``v / max(‖v‖, 1e-12)``: the floor is zero in float16, of which nothing is said."""

    DOMAIN: ClassVar = {"zero_row": "a zero row stays zero"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / X.norm(dim=1, keepdim=True).clamp_min(1e-12)).reshape(V.shape)


class HalfClampSaid(HalfClamp):
    """The same, said."""

    DOMAIN: ClassVar = {"zero_row": "a zero row stays zero; NaN in float16"}


class _Coupled(nn.Module):
    """``V + V Vᵀ V`` in coordinates that registration puts at the origin, where its rows seem independent."""

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X + X @ X.mT @ X).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> Tensor:
        return torch.zeros_like(W)


def coupled(module: nn.Module, name: str) -> nn.Module:
    torch.nn.utils.parametrize.register_parametrization(module, name, _Coupled())
    return module
