"""Projections onto balls and simplices that miss the nearest point, or the set."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wnverify.faults.projection.pieces import (
    L1,
    L2,
    ONTO_CONVEX,
    Facts,
    by_rows,
    norms,
    onto_l1_ball,
    onto_l2_ball,
    onto_simplex,
)

L1_BALL: Facts = {"name": "l1_ball_rows", "radius": 1.0}
SIMPLEX: Facts = {"name": "simplex_rows"}
L2_BALL: Facts = {"name": "l2_ball_rows", "radius": 1.0}


class _OntoL1Ball:
    """Rows with ``Σ|w_j| ≤ 1`` through the threshold that a leaf finds for those outside."""

    DECLARES: ClassVar[Facts] = L1
    SET: ClassVar[Facts] = L1_BALL

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        size = X.abs()
        shrunk = X.sign() * (size - self.threshold(size)).clamp_min(0)
        return torch.where(size.sum(dim=1, keepdim=True) > 1, shrunk, X)

    def threshold(self, size: Tensor) -> Tensor:
        ordered = size.sort(dim=1, descending=True).values
        thresholds = (ordered.cumsum(dim=1) - 1) / self.counts(size)
        used = self.used(ordered, thresholds)
        return thresholds.gather(1, (used - 1).clamp(0, size.shape[1] - 1))

    def counts(self, size: Tensor) -> Tensor:
        return torch.arange(1, size.shape[1] + 1, dtype=size.dtype)

    def used(self, ordered: Tensor, thresholds: Tensor) -> Tensor:
        return (ordered > thresholds).sum(dim=1, keepdim=True)


class CountedFromZero(_OntoL1Ball):
    """The sums are divided by 0, 1, 2, … where 1, 2, 3, … is right."""

    def counts(self, size: Tensor) -> Tensor:
        return torch.arange(size.shape[1], dtype=size.dtype)


class ThresholdOneFurther(_OntoL1Ball):
    """The threshold is read one place after the last active entry."""

    def used(self, ordered: Tensor, thresholds: Tensor) -> Tensor:
        return super().used(ordered, thresholds) + 1


class SortedUpwards(_OntoL1Ball):
    """The entries are sorted upwards: the smallest ones make the threshold."""

    def threshold(self, size: Tensor) -> Tensor:
        ordered = size.sort(dim=1).values
        thresholds = (ordered.cumsum(dim=1) - 1) / self.counts(size)
        return thresholds.gather(1, (self.used(ordered, thresholds) - 1).clamp_min(0))


class TiesCountOnce(_OntoL1Ball):
    """Equal entries are merged before the threshold is sought: right where all differ."""

    def threshold(self, size: Tensor) -> Tensor:
        found = []
        for row in size:
            ordered = row.unique().flip(0)
            thresholds = (ordered.cumsum(0) - 1) / torch.arange(1, len(ordered) + 1, dtype=row.dtype)
            found.append(thresholds[int((ordered > thresholds).sum()) - 1])
        return torch.stack(found)[:, None]


class TenBisections(_OntoL1Ball):
    """The threshold is halved in ten times only."""

    def threshold(self, size: Tensor) -> Tensor:
        low, high = torch.zeros_like(size[:, :1]), size.amax(dim=1, keepdim=True)
        for _ in range(10):
            middle = (low + high) / 2
            above = (size - middle).clamp_min(0).sum(dim=1, keepdim=True) > 1
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        return high


class SignsLost(_OntoL1Ball):
    """The projected rows are all positive."""

    def project(self, X: Tensor) -> Tensor:
        return super().project(X).abs()


class ScaledInstead(_OntoL1Ball):
    """Rows are divided by ``Σ|w|``: in the ball, and not the nearest point."""

    def project(self, X: Tensor) -> Tensor:
        return X / X.abs().sum(dim=1, keepdim=True).clamp_min(1)


class InsideMovedToo(_OntoL1Ball):
    """Rows inside the ball are put onto its border."""

    def project(self, X: Tensor) -> Tensor:
        return X.sign() * onto_simplex(X.abs())


class RadiusNotUsed(_OntoL1Ball):
    """A ball of radius two is asked for, and that of radius one given."""

    DECLARES: ClassVar[Facts] = {**L1, "l1_rows_le": 2.0}
    SET: ClassVar[Facts] = {"name": "l1_ball_rows", "radius": 2.0}

    def __init__(self, radius: float = 2.0):
        self.radius = radius


class WholeMatrixInBall(_OntoL1Ball):
    """The whole matrix is one vector of the ball, where each row should be."""

    def project(self, X: Tensor) -> Tensor:
        return onto_l1_ball(X.reshape(1, -1)).reshape(X.shape)


class FirstRowsOnly(_OntoL1Ball):
    """Rows from the 65th on are not projected."""

    def project(self, X: Tensor) -> Tensor:
        return torch.cat([onto_l1_ball(X[:64]), X[64:]])


class ReturnsItsInput(_OntoL1Ball):
    """The projection is computed and the input returned."""

    def project(self, X: Tensor) -> Tensor:
        onto_l1_ball(X)
        return X


class NextBall(_OntoL1Ball):
    """The Euclidean ball in the place of the L1 ball."""

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(X)


class _OntoSimplex:
    DECLARES: ClassVar[Facts] = {**ONTO_CONVEX, "l1_rows_le": 1.0}
    SET = SIMPLEX

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        return onto_simplex(X)


class ClippedThenRescaled(_OntoSimplex):
    """Negative entries become zero, the rest is divided by its sum."""

    def project(self, X: Tensor) -> Tensor:
        positive = X.clamp_min(0)
        total = positive.sum(dim=1, keepdim=True)
        return torch.where(total > 0, positive / torch.where(total > 0, total, 1.0), 1 / X.shape[1])


class SoftmaxForSimplex(_OntoSimplex):
    """Softmax gives points of the simplex, not the nearest ones."""

    def project(self, X: Tensor) -> Tensor:
        return X.softmax(dim=1)


class ShiftedThenClipped(_OntoSimplex):
    """Rows are shifted to sum one, then negative entries cut off: they sum to more."""

    def project(self, X: Tensor) -> Tensor:
        return (X + (1 - X.sum(dim=1, keepdim=True)) / X.shape[1]).clamp_min(0)


class _OntoL2Ball:
    DECLARES: ClassVar[Facts] = L2
    SET: ClassVar[Facts] = L2_BALL

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(X)


class ColumnsShortened(_OntoL2Ball):
    """Columns are shortened in the place of rows."""

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(X.mT).mT


class SmallRowsLengthened(_OntoL2Ball):
    """Rows shorter than one are lengthened to one."""

    def project(self, X: Tensor) -> Tensor:
        return X / norms(X).clamp_min(1e-300)


class HalfwayToBall(_OntoL2Ball):
    """Only half of the way to the ball is gone: a second call goes on."""

    DECLARES: ClassVar[Facts] = {"idempotent": True, "odd": True}
    SET: ClassVar[Facts] = {}

    def project(self, X: Tensor) -> Tensor:
        return (X + onto_l2_ball(X)) / 2


class TooFar(_OntoL2Ball):
    """One and a half times the way to the ball is gone, and declared not to expand."""

    DECLARES: ClassVar[Facts] = {"nonexpansive": True, "odd": True}
    SET: ClassVar[Facts] = {}

    def project(self, X: Tensor) -> Tensor:
        return X + 2.5 * (onto_l2_ball(X) - X)


class SimplexAxisBySize:
    """The nearest rows with entries ≥ 0 that sum to one; the axis of the entries is found by its length."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        along_rows = X.shape.index(X.shape[1]) == 1
        return (onto_simplex(X) if along_rows else onto_simplex(X.mT).mT).reshape(W.shape)
