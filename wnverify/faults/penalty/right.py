# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Right penalties with closed proximal operators, convex save one."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import (
    CONVEX,
    CONVEX_ROTATED,
    OF_ROWS,
    Facts,
    groups_shrunk,
    hand_written,
    norms,
    shrunk,
    widened,
)

KINKS: Facts = {"nonsmooth": "where an entry is zero"}
ZERO_ROWS: Facts = {"nonsmooth": "where a row is zero"}


class AbsoluteSum(nn.Module):
    """``3 Σ|w|``, whose proximal operator is soft thresholding."""

    DECLARES = CONVEX
    DOMAIN = KINKS

    def forward(self, W: Tensor) -> Tensor:
        return 3 * W.abs().sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return shrunk(W, 3 * step)


class NonzeroCount(nn.Module):
    """The number of entries that are not zero; it is used by its proximal operator, hard thresholding."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "is_prox_of_penalty": True}

    def forward(self, W: Tensor) -> Tensor:
        return torch.count_nonzero(W).to(W.dtype)

    def prox(self, W: Tensor, step: float) -> Tensor:
        return torch.where(W.square() > 2 * step, W, 0.0)


class GroupLasso(nn.Module):
    """``Σ ‖w_i‖``."""

    DECLARES = CONVEX_ROTATED
    DOMAIN = ZERO_ROWS

    def forward(self, W: Tensor) -> Tensor:
        return norms(W.flatten(1)).sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return groups_shrunk(W, step)


class HalfSquares(nn.Module):
    """``½ ‖W‖²`` with a hand-written backward."""

    DECLARES = CONVEX_ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: (widened(X).square().sum() / 2).to(X.dtype), torch.clone)

    def prox(self, W: Tensor, step: float) -> Tensor:
        return W / (1 + step)


class NuclearNorm(nn.Module):
    """The sum of the singular values, whose gradient is the polar factor."""

    DECLARES = CONVEX_ROTATED
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where W has not full rank"}

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, self.value, self.gradient)

    @staticmethod
    def value(X: Tensor) -> Tensor:
        total: Tensor = torch.linalg.svdvals(widened(X)).sum()
        return total.to(X.dtype)

    @staticmethod
    def gradient(X: Tensor) -> Tensor:
        A, _, Bt = torch.linalg.svd(widened(X), full_matrices=False)
        return (A @ Bt).to(X.dtype)

    def prox(self, W: Tensor, step: float) -> Tensor:
        A, s, Bt = torch.linalg.svd(widened(W.flatten(1)), full_matrices=False)
        return ((A * (s - step).clamp_min(0)) @ Bt).to(W.dtype).reshape(W.shape)


class RowVariance(nn.Module):
    """``½ Σ (w_ij − mean_i)²``, which does not see a shift of a row."""

    DECLARES: ClassVar[Facts] = {**CONVEX, "shift_invariant_rows": True, "gradient_zero_mean": True}

    def forward(self, W: Tensor) -> Tensor:
        return self.centred(W.flatten(1)).square().sum() / 2

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        return (X - step / (1 + step) * self.centred(X)).reshape(W.shape)

    @staticmethod
    def centred(X: Tensor) -> Tensor:
        once = X - X.mean(dim=1, keepdim=True)
        return once - once.mean(dim=1, keepdim=True)


class CappedAbsolute(nn.Module):
    """``Σ min(|w|, 1)``, not convex: the better of two candidates is its proximal point."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "is_prox_of_penalty": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is 0, 1 or -1"}

    def forward(self, W: Tensor) -> Tensor:
        return W.abs().clamp_max(1).sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        size = W.abs()
        small, large = (size - step).clamp(0, 1), size.clamp_min(1)
        better = (small - size).square() / 2 + step * small <= (large - size).square() / 2 + step
        return W.sign() * torch.where(better, small, large)


class WeightDecayObject:
    """``½ c ‖W‖²`` as an object that is no module."""

    DECLARES = CONVEX_ROTATED

    def __init__(self, factor: float = 0.25):
        self.factor = factor

    def __call__(self, W: Tensor) -> Tensor:
        return self.factor / 2 * W.square().sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return W / (1 + step * self.factor)
