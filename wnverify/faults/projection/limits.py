"""Projections that are right as far as their domain does not reach, or whose rounding is that of what they take off."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

Facts = dict[str, Any]


class FewIterations:
    """The nearest frame by sixteen steps of Newton-Schulz: too few for the condition numbers that are promised."""

    DECLARES: ClassVar[Facts] = {"euclidean_projection": True, "orthonormal_rows": True}
    SET: ClassVar[Facts] = {"name": "stiefel_rows"}
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True, "full_rank": True, "max_condition": 100.0}

    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        X = X / torch.linalg.matrix_norm(X)
        for _ in range(16):
            X = 1.5 * X - 0.5 * (X @ X.mT) @ X
        found: Tensor = X.reshape(W.shape)
        return found


class CentredThenShrunk:
    """The nearest rows of mean zero and norm one at most; of constant rows only rounding is left."""

    DECLARES: ClassVar[Facts] = {
        "euclidean_projection": True,
        "zero_mean_rows": True,
        "idempotent": True,
        "nonexpansive": True,
    }
    SET: ClassVar[Facts] = {"name": "zero_mean_l2_ball_rows", "radius": 1.0}
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        X = X - X.mean(1, keepdim=True)
        found: Tensor = (X / torch.linalg.vector_norm(X, dim=1, keepdim=True).clamp_min(1)).reshape(W.shape)
        return found
