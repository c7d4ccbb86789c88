"""Projections that are right at ordinary weights of a few rows and columns, and wrong elsewhere."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.projection.pieces import Facts, by_rows, norms, onto_l1_ball, onto_l2_ball, onto_simplex

NEAREST: Facts = {"euclidean_projection": True}


class _Onto:
    DECLARES: ClassVar[Facts] = NEAREST
    SET: ClassVar[Facts] = {}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        raise NotImplementedError


class LargestSixtyFour(_Onto):
    """The threshold is sought among the 64 largest entries of a row: a long row may have more above it."""

    SET: ClassVar[Facts] = {"name": "simplex_rows", "sum": 100.0}

    def project(self, X: Tensor) -> Tensor:
        X = X - X.amax(dim=1, keepdim=True)
        top = X.topk(min(64, X.shape[1]), dim=1).values
        thresholds = (top.cumsum(dim=1) - 100) / torch.arange(1, top.shape[1] + 1, dtype=X.dtype)
        used = (top > thresholds).sum(dim=1, keepdim=True).clamp_min(1)
        return (X - thresholds.gather(1, used - 1)).clamp_min(0)


class WholeChunksOnly(_Onto):
    """Rows are clipped in chunks of a hundred; the rest after the last whole chunk is forgotten."""

    SET: ClassVar[Facts] = {"name": "box", "lo": -0.5, "hi": 0.25}

    def project(self, X: Tensor) -> Tensor:
        whole = max(len(X) // 100, 1) * 100
        return torch.cat([X[:whole].clamp(-0.5, 0.25), X[whole:]])


class ZeroRowOntoVertex(_Onto):
    """A row of zeros becomes a vertex of the simplex; its nearest point is the centre."""

    SET: ClassVar[Facts] = {"name": "simplex_rows"}

    def project(self, X: Tensor) -> Tensor:
        vertex = torch.zeros_like(X)
        vertex[:, :1] = 1
        return torch.where(X.any(dim=1, keepdim=True), onto_simplex(X), vertex)


class ZeroRowOntoBorder(_Onto):
    """A row of zeros is put onto the border of the ball, though it lies inside."""

    SET: ClassVar[Facts] = {"name": "l2_ball_rows", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        border = torch.full_like(X, X.shape[1] ** -0.5)
        return torch.where(X.any(dim=1, keepdim=True), onto_l2_ball(X), border)


class ThousandthOutsideStays(_Onto):
    """Rows up to a thousandth outside the ball are left there."""

    SET: ClassVar[Facts] = {"name": "l2_ball_rows", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        return torch.where(norms(X) > 1.001, onto_l2_ball(X), X)


class OneRowScalesAll(_Onto):
    """As soon as one row is outside the ball, every row is divided by the longest one's norm."""

    SET: ClassVar[Facts] = {"name": "frobenius_ball", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        longest = norms(X).amax()
        return X / longest if longest > 1 else X


class SingleColumnClipped(_Onto):
    """A single column is projected as if it were one row."""

    SET: ClassVar[Facts] = {"name": "l1_ball_rows", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        return onto_l1_ball(X.mT).mT if X.shape[1] == 1 else onto_l1_ball(X)


class FourteenNewtonSteps(_Onto):
    """Fourteen steps of Newton and Schulz: frames of badly conditioned weights are not reached."""

    SET: ClassVar[Facts] = {"name": "stiefel_rows"}
    DOMAIN: ClassVar[Facts] = {"full_rank": True, "rows_le_cols": True}

    def project(self, X: Tensor) -> Tensor:
        W: Tensor = X / X.norm()
        for _ in range(14):
            W = 1.5 * W - 0.5 * W @ W.mT @ W
        return W


class SimplexModule(nn.Module):
    """Right: a module without a graph that calls itself a projection is meant for after the optimiser's step."""

    DECLARES: ClassVar[Facts] = {**NEAREST, "nonexpansive": True}
    SET: ClassVar[Facts] = {"name": "simplex_rows", "sum": 4.0}

    @torch.no_grad()
    def forward(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: onto_simplex(X, 4.0))


class RowsLessMean(_Onto):
    """Right: rows less their mean, whatever is added to them."""

    DECLARES: ClassVar[Facts] = {}

    def project(self, X: Tensor) -> Tensor:
        return X - X.mean(dim=1, keepdim=True)
