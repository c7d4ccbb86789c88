"""Correct pieces that the projections share: thresholds by sorting, balls, the polar factor.

Every matrix here is two-dimensional, one row an output unit; ``W.flatten(1)`` is done by the variant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

Facts = dict[str, object]

ONTO: Final[Facts] = {"euclidean_projection": True, "idempotent": True, "permutation_equivariant_rows": True}
ONTO_CONVEX: Final[Facts] = {**ONTO, "nonexpansive": True}
L1: Final[Facts] = {**ONTO_CONVEX, "odd": True, "l1_rows_le": 1.0}
L2: Final[Facts] = {**ONTO_CONVEX, "odd": True, "rotation_equivariant": True}
KINKS: Final[Facts] = {"nonsmooth": "on the border of the set"}


def by_rows(W: Tensor, project: Callable[[Tensor], Tensor]) -> Tensor:
    """``project`` on the matrix of rows, in float32 at least, in the shape and dtype of W."""
    X = W.flatten(1)
    X = X.float() if X.dtype in (torch.bfloat16, torch.float16) else X
    return project(X).to(W.dtype).reshape(W.shape)


def norms(X: Tensor) -> Tensor:
    """Euclidean norms of the rows, shape ``(out, 1)``; no square over- or underflows."""
    largest = X.abs().amax(dim=1, keepdim=True)
    safe = torch.where(largest > 0, largest, 1.0)
    length: Tensor = torch.linalg.vector_norm(X / safe, dim=1, keepdim=True) * safe
    return length


def simplex_threshold(X: Tensor, total: float) -> Tensor:
    """τ with ``Σ max(x_j − τ, 0) = total`` for each row, by sorting."""
    ordered = X.sort(dim=1, descending=True).values
    counts = torch.arange(1, X.shape[1] + 1, dtype=X.dtype, device=X.device)
    thresholds = (ordered.cumsum(dim=1) - total) / counts
    used = (ordered > thresholds).sum(dim=1, keepdim=True).clamp_min(1)
    return thresholds.gather(1, used - 1)


def onto_simplex(X: Tensor, total: float = 1.0) -> Tensor:
    """The nearest point with entries ≥ 0 that sum to ``total``."""
    # The largest entry is taken off first: it cancels, and huge entries keep their differences.
    X = X - X.amax(dim=1, keepdim=True)
    return (X - simplex_threshold(X, total)).clamp_min(0)


def onto_l1_ball(X: Tensor, radius: float = 1.0) -> Tensor:
    """The nearest point with ``Σ|x_j| ≤ radius``."""
    size = X.abs()
    outside = size.sum(dim=1, keepdim=True) > radius
    return torch.where(outside, X.sign() * onto_simplex(size, radius), X)


def onto_l2_ball(X: Tensor, radius: float = 1.0) -> Tensor:
    """The nearest point with ``‖x‖ ≤ radius``."""
    sizes = norms(X)
    return torch.where(sizes > radius, X / sizes.clamp_min(radius) * radius, X)


def centred(X: Tensor) -> Tensor:
    """``x − mean(x)``, twice, so that the mean of the result vanishes to its own rounding."""
    once = X - X.mean(dim=1, keepdim=True)
    return once - once.mean(dim=1, keepdim=True)


def polar(X: Tensor) -> Tensor:
    """The nearest matrix with orthonormal rows."""
    A, _, Bt = torch.linalg.svd(X, full_matrices=False)
    W: Tensor = A @ Bt
    return W
