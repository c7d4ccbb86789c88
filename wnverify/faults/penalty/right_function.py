"""A right penalty that is a function, with its proximal operator beside it in the module."""

from __future__ import annotations

import torch
from torch import Tensor

DECLARES = {"permutation_equivariant_rows": True, "convex": True, "is_prox_of_penalty": True}
DOMAIN = {"nonsmooth": "twice, where an entry is 1 or -1"}


def huber(W: Tensor) -> Tensor:
    """``Σ h(w)``, h(w) = w²/2 up to |w| = 1 and |w| − ½ beyond."""
    size = W.abs()
    return torch.where(size <= 1, W.square() / 2, size - 0.5).sum()


def prox(W: Tensor, step: float) -> Tensor:
    """``w / (1 + t)`` up to |w| = 1 + t, ``w − t sign(w)`` beyond."""
    return torch.where(W.abs() <= 1 + step, W / (1 + step), W - step * W.sign())
