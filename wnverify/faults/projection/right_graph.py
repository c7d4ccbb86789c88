"""Right projections whose output has a graph: their gradients have kinks, close ones in half precision."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor


class L1BallBySorting:
    """Onto the L1 ball, row by row, by sorted partial sums; the threshold is differentiated too.

    What lies inside is given back: there the sign of an entry that is zero would cost its derivative.
    """

    SET: ClassVar = {"name": "l1_ball_rows", "radius": 1.0}
    DECLARES: ClassVar = {"euclidean_projection": True, "idempotent": True, "nonexpansive": True, "l1_rows_le": 1.0}

    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        if X.numel() == 0:
            return W.clone()
        sizes = X.abs()
        ordered = sizes.sort(dim=1, descending=True).values
        excess = ordered.cumsum(1) - 1.0
        counts = torch.arange(1, X.shape[1] + 1, device=W.device, dtype=W.dtype)
        kept = (ordered * counts > excess).sum(1, keepdim=True).clamp_min(1)
        threshold = (excess.gather(1, kept - 1) / kept).clamp_min(0.0)
        shrunk = X.sign() * (sizes - threshold).clamp_min(0.0)
        return torch.where(sizes.sum(1, keepdim=True) <= 1, X, shrunk).reshape(W.shape)


class BallByWhere:
    """Onto the unit ball, row by row; what lies inside is given back."""

    SET: ClassVar = {"name": "l2_ball_rows", "radius": 1.0}
    DECLARES: ClassVar = {"euclidean_projection": True, "idempotent": True, "nonexpansive": True}

    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        squares = X.square().sum(1, keepdim=True)
        outside = squares > 1
        norm = torch.where(outside, squares, torch.ones_like(squares)).sqrt()
        return (X / norm).reshape(W.shape)
