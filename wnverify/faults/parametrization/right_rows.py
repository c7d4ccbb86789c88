"""Right row maps other than weight norm: standardization, projections, softmax, and maps that do next to nothing."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts, norms
from wnverify.faults.parametrization.right_norms import ZERO_STAYS, RowMap, centred_twice, largest, safe_unit
from wnverify.faults.parametrization.rows import l1_threshold


class Standardized(RowMap):
    """Weight standardization ``(v − m) / √(var + 1e-5)``."""

    DECLARES: ClassVar[Facts] = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "odd": True,
        "gradient_zero_mean": True,
        "permutation_equivariant_rows": True,
    }

    def value(self, X: Tensor) -> Tensor:
        Y = centred_twice(X)
        return Y / (Y.pow(2).mean(dim=1, keepdim=True) + 1e-5).sqrt()


class SoftSphere(RowMap):
    """``v / √(‖v‖² + 1e-6)``, which says that it misses what the unit rows have."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar[Facts] = {"approximate": {"unit_norm_rows": 1.0, "row_scale_invariant": 1.0, "idempotent": 1.0}}

    def value(self, X: Tensor) -> Tensor:
        return X / (X.pow(2).sum(dim=1, keepdim=True) + 1e-6).sqrt()


class MeanRemoved(RowMap):
    """``v − mean(v)``: the projection onto rows of mean zero."""

    DECLARES: ClassVar[Facts] = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "odd": True,
        "idempotent": True,
        "nonexpansive": True,
        "gradient_zero_mean": True,
        "permutation_equivariant_rows": True,
        "euclidean_projection": True,
    }
    SET: ClassVar[Facts] = {"name": "zero_mean_rows"}

    def value(self, X: Tensor) -> Tensor:
        return centred_twice(X)


class UnitBall(RowMap):
    """``v / max(‖v‖, 1)``: the projection onto rows of norm one at most, which keeps what is inside."""

    DECLARES: ClassVar[Facts] = {
        "odd": True,
        "idempotent": True,
        "nonexpansive": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "euclidean_projection": True,
    }
    SET: ClassVar[Facts] = {"name": "l2_ball_rows", "radius": 1.0}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where a row has norm one"}

    def value(self, X: Tensor) -> Tensor:
        scale = largest(X)
        inside = norms(X / scale) * scale <= 1
        return torch.where(inside, X, safe_unit(X))


class L1Ball(RowMap):
    """The projection onto rows with Σ|v_j| ≤ 1, by sorting."""

    DECLARES: ClassVar[Facts] = {
        "l1_rows_le": 1.0,
        "odd": True,
        "idempotent": True,
        "nonexpansive": True,
        "permutation_equivariant_rows": True,
        "euclidean_projection": True,
    }
    SET: ClassVar[Facts] = {"name": "l1_ball_rows", "radius": 1.0}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry meets the threshold"}

    def value(self, X: Tensor) -> Tensor:
        return X.sign() * (X.abs() - l1_threshold(X, 0)).clamp_min(0)


class AbsoluteSumOne(RowMap):
    """``v / Σ|v_j|``."""

    DECLARES: ClassVar[Facts] = {
        "l1_rows_le": 1.0,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "permutation_equivariant_rows": True,
        "gradient_orthogonal_to_weight": True,
    }
    DOMAIN: ClassVar[Facts] = ZERO_STAYS | {"nonsmooth": "where an entry is zero"}

    def value(self, X: Tensor) -> Tensor:
        Y = X / largest(X)
        zero = (Y == 0).all(dim=1, keepdim=True)
        return Y / torch.where(zero, 1.0, Y).abs().sum(dim=1, keepdim=True)


class SoftmaxRows(RowMap):
    """``exp(v_j) / Σ exp(v_k)``: positive rows that sum to one."""

    DECLARES: ClassVar[Facts] = {
        "l1_rows_le": 1.0,
        "shift_invariant_rows": True,
        "gradient_zero_mean": True,
        "nonexpansive": True,
        "permutation_equivariant_rows": True,
    }

    def value(self, X: Tensor) -> Tensor:
        return X.softmax(dim=1)


class Identity(nn.Module):
    """A copy of V."""

    DECLARES: ClassVar[Facts] = {
        "odd": True,
        "idempotent": True,
        "nonexpansive": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
    }

    def forward(self, V: Tensor) -> Tensor:
        return V.clone()


class Halved(nn.Module):
    """``V / 2``."""

    DECLARES: ClassVar[Facts] = {
        "odd": True,
        "nonexpansive": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
    }

    def forward(self, V: Tensor) -> Tensor:
        return V / 2


class Saturated(nn.Module):
    """``tanh(v)`` entry by entry."""

    DECLARES: ClassVar[Facts] = {"odd": True, "nonexpansive": True, "permutation_equivariant_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        return V.tanh()
