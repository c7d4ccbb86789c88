"""Projections onto the simplex and the L1 ball: entmax's sparsemax, and pyproximal through NumPy."""

from __future__ import annotations

import entmax
import numpy as np
import pyproximal
import torch
from torch import Tensor

_CONVEX = {"euclidean_projection": True, "idempotent": True, "nonexpansive": True, "permutation_equivariant_rows": True}
_WIDE = {torch.bfloat16: torch.float32, torch.float16: torch.float32}


def _by_rows(project, W: Tensor) -> Tensor:
    X = W.detach().flatten(1).to(_WIDE.get(W.dtype, W.dtype)).numpy()
    return torch.from_numpy(np.array(project(X))).to(W.dtype).reshape(W.shape)


def sparsemax(W: Tensor) -> Tensor:
    return entmax.sparsemax(W.flatten(1), dim=1).reshape(W.shape)


sparsemax.DECLARES = {**_CONVEX, "shift_invariant_rows": True}
sparsemax.SET = {"name": "simplex_rows"}
sparsemax.DOMAIN = {"nonsmooth": "where an entry meets the threshold"}


def pyproximal_l1_ball(W: Tensor) -> Tensor:
    def project(X: np.ndarray) -> np.ndarray:
        ball = pyproximal.L1Ball(X.shape[1], 1.0)
        return np.stack([ball.prox(row.copy(), 1.0) for row in X])

    return _by_rows(project, W)


pyproximal_l1_ball.DECLARES = {**_CONVEX, "odd": True, "l1_rows_le": 1.0}
pyproximal_l1_ball.SET = {"name": "l1_ball_rows"}
