"""Penalties whose value breaks in a narrower precision, at an edge, or between two points of a chord."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import OF_ROWS, ROTATED, Facts, gram_loss


class SummedInFloat32(nn.Module):
    """A float64 weight is squared and summed in float32."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        return W.float().square().sum().to(W.dtype)


class SummedOneByOne(nn.Module):
    """In half precision the squares are added four by four in half precision."""

    DECLARES = OF_ROWS

    def forward(self, W: Tensor) -> Tensor:
        return W.square().sum() if W.dtype.itemsize > 2 else self.one_by_one(W)

    @staticmethod
    def one_by_one(W: Tensor) -> Tensor:
        total, squares = torch.zeros((), dtype=W.dtype), W.flatten().square()
        for first in range(0, len(squares), 4):
            total = total + squares[first : first + 4].sum()
        return total


class RootOfZero(nn.Module):
    """``Σ √(Σ w²)``: the gradient is NaN at a zero row."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return W.flatten(1).square().sum(dim=1).sqrt().sum()


class ShareOfNothing(nn.Module):
    """``Σ w⁴ / (Σ w²)²`` is 0/0 at the zero matrix."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "scale_invariant": True}

    def forward(self, W: Tensor) -> Tensor:
        X = W / W.detach().abs().max()
        return X.square().square().sum() / X.square().sum().square()


class SpreadOfOneColumn(nn.Module):
    """The sample deviation of a row with a single entry is NaN."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "shift_invariant_rows": True, "gradient_zero_mean": True}

    def forward(self, W: Tensor) -> Tensor:
        return W.flatten(1).var(dim=1).sum()


class LogDeterminant(nn.Module):
    """``−log det(W Wᵀ)`` is infinite at a zero row."""

    DECLARES = ROTATED
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        X = X.float() if X.dtype in (torch.bfloat16, torch.float16) else X
        total: Tensor = -torch.linalg.slogdet(X @ X.mT)[1]
        return total.to(W.dtype)


class SquaresBeforeRoot(nn.Module):
    """The root of a sum of squares that over- and underflow, where the norm does not."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return (W.square().sum() + 1e-30).sqrt()


class MissingIgnored(nn.Module):
    """A NaN counts for nothing: a broken weight looks well."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return W.square().nansum()


class DeviationOfLargeMeans(nn.Module):
    """The variance as mean of squares minus square of mean, which cancels."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "shift_invariant_rows": True}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        return (X.square().mean(dim=1) - X.mean(dim=1).square()).sum()


class GramLossSaidConvex(nn.Module):
    """``‖W Wᵀ − I‖²`` is said to be convex."""

    DECLARES: ClassVar[Facts] = {**ROTATED, "convex": True}

    def forward(self, W: Tensor) -> Tensor:
        return gram_loss(W.flatten(1))


class LogarithmSaidConvex(nn.Module):
    """``Σ log(1 + w²)`` is said to be convex, and is so near zero only."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "convex": True}

    def forward(self, W: Tensor) -> Tensor:
        return torch.log1p(W.square()).sum()


class SlightlyConcave(nn.Module):
    """``½ ‖W‖² − 10⁻³ Σ cos(40 w)``: a ripple that the eye does not see makes it concave in places."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "convex": True}

    def forward(self, W: Tensor) -> Tensor:
        return W.square().sum() / 2 - 1e-3 * torch.cos(40 * W).sum()
