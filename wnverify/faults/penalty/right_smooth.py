"""Right penalties without a proximal operator, smooth and not convex."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import (
    OF_ROWS,
    ROTATED,
    Facts,
    gram_gradient,
    gram_loss,
    hand_written,
    norms,
    widened,
)


class SoftOrthogonality(nn.Module):
    """``‖W Wᵀ − I‖²`` with its gradient ``4 (W Wᵀ − I) W`` written by hand."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, gram_loss, gram_gradient)


class NormLoss(nn.Module):
    """``Σ (‖w_i‖ − 1)²``."""

    DECLARES = ROTATED
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where a row is zero"}

    def forward(self, W: Tensor) -> Tensor:
        return (norms(W.flatten(1)) - 1).square().sum()


class SquaredCosines(nn.Module):
    """``Σ_{i<j} cos²(w_i, w_j)``; a zero row is refused."""

    DECLARES: ClassVar[Facts] = {
        **ROTATED,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "gradient_orthogonal_to_weight": True,
    }
    DOMAIN: ClassVar[Facts] = {"zero_row": "ValueError"}

    def forward(self, W: Tensor) -> Tensor:
        X = widened(W.flatten(1))
        largest = X.detach().abs().amax(dim=1, keepdim=True)
        if bool((largest == 0).any()):
            raise ValueError("W must have no zero row")
        unit = X / largest
        unit = unit / norms(unit)
        return (unit @ unit.mT).triu(1).square().sum().to(W.dtype)


class PseudoHuber(nn.Module):
    """``Σ √(1 + w²) − 1``: of small entries the rounding of the ones is left."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "convex": True}

    def forward(self, W: Tensor) -> Tensor:
        return ((1 + widened(W).square()).sqrt() - 1).sum().to(W.dtype)


class DoubleWell(nn.Module):
    """``Σ (1 − w²)²`` entry by entry."""

    DECLARES = OF_ROWS

    def forward(self, W: Tensor) -> Tensor:
        return (1 - widened(W).square()).square().sum().to(W.dtype)


class MeanSquare(nn.Module):
    """The mean of the squares, convex and without a declared proximal operator."""

    DECLARES: ClassVar[Facts] = {**ROTATED, "convex": True}

    def forward(self, W: Tensor) -> Tensor:
        return W.square().mean()


class WeightedLogarithm(nn.Module):
    """``g Σ log(1 + w²)`` with a factor g that is learnt."""

    DECLARES = OF_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, W: Tensor) -> Tensor:
        return self.factor * torch.log1p(widened(W).square()).sum().to(W.dtype)
