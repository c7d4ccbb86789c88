"""Penalties whose proximal operator is right at ordinary weights of a few rows and columns, and wrong elsewhere."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import CONVEX, CONVEX_ROTATED, OF_ROWS, Facts, groups_shrunk, norms, shrunk


class _LargestEntries(nn.Module):
    """``Σ_i max_j |w_ij|``."""

    DECLARES = CONVEX
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where two largest entries tie, and at zero"}

    def forward(self, W: Tensor) -> Tensor:
        return W.flatten(1).abs().amax(dim=1).sum()

    @staticmethod
    def capped(X: Tensor, step: float) -> Tensor:
        """Entries cut at the level above which they sum to ``step``."""
        size = X.abs()
        ordered = size.sort(dim=1, descending=True).values
        levels = (ordered.cumsum(dim=1) - step) / torch.arange(1, X.shape[1] + 1, dtype=X.dtype, device=X.device)
        used = (ordered > levels).sum(dim=1, keepdim=True).clamp_min(1)
        return X.sign() * torch.minimum(size, levels.gather(1, used - 1).clamp_min(0))


class OneOfTheLargest(_LargestEntries):
    """Of several largest entries only the first is lowered."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        size = X.abs()
        first = torch.zeros_like(X, dtype=torch.bool).scatter_(1, size.argmax(dim=1, keepdim=True), True)
        others = (size == size.amax(dim=1, keepdim=True)) & ~first
        return torch.where(others, X, self.capped(X, step)).reshape(W.shape)


class EntriesCapped(_LargestEntries):
    """Right: the largest entries of a row are lowered together."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return self.capped(W.flatten(1), step).reshape(W.shape)


class ZeroEntriesMoved(nn.Module):
    """An entry that is zero is moved by the step."""

    DECLARES = CONVEX
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def forward(self, W: Tensor) -> Tensor:
        return W.abs().sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return torch.where(W == 0, torch.full_like(W, step / 8), shrunk(W, step))


class _Groups(nn.Module):
    """``Σ ‖w_i‖``."""

    DECLARES = CONVEX_ROTATED
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where a row is zero"}

    def forward(self, W: Tensor) -> Tensor:
        return norms(W.flatten(1)).sum()


class ZeroRowsMoved(_Groups):
    """A row of zeros is moved by the step."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        live = W.flatten(1).any(dim=1).reshape(-1, *[1] * (W.dim() - 1))
        return torch.where(live, groups_shrunk(W, step), torch.full_like(W, step / 8))


class NormOfFirstEntries(_Groups):
    """The norm of a row is that of its first 256 entries."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        sizes = norms(X[:, :256])
        return (X * (1 - step / sizes.clamp_min(max(step, 1e-30))).clamp_min(0)).reshape(W.shape)


class SixteenSingularValues(nn.Module):
    """The nuclear norm; of its proximal point the sixteen largest singular values are kept."""

    DECLARES = CONVEX_ROTATED
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where W has not full rank", "full_rank": True}

    def forward(self, W: Tensor) -> Tensor:
        total: Tensor = torch.linalg.svdvals(W.flatten(1)).sum()
        return total

    def prox(self, W: Tensor, step: float) -> Tensor:
        A, s, Bt = torch.linalg.svd(W.flatten(1), full_matrices=False)
        kept = (s - step).clamp_min(0)[:16]
        X: Tensor = (A[:, : len(kept)] * kept) @ Bt[: len(kept)]
        return X.reshape(W.shape)


class SquareCalledProx(nn.Module):
    """Nothing is declared of a ``prox`` that is the square's, beside the norms of the rows."""

    def forward(self, W: Tensor) -> Tensor:
        return norms(W.flatten(1)).sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return W / (1 + step)


class ConcavePenaltyWithCap(nn.Module):
    """Right: the minimax concave penalty, constant beyond its cap, so that a NaN there is counted as a large entry."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "is_prox_of_penalty": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def forward(self, W: Tensor) -> Tensor:
        size = W.abs()
        return torch.where(size <= 8, size - size.square() / 16, torch.full_like(size, 4.0)).sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        if step >= 8:
            raise ValueError(f"step must be below 8 for the proximal point to be one; got {step}")
        return torch.where(W.abs() <= 8, shrunk(W, step) / (1 - step / 8), W)


class SpreadWithinRows(nn.Module):
    """Right: half the squared distance of entries from their row's mean; flat, by cancellation, at constant rows."""

    DECLARES = CONVEX

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        return (X - X.mean(dim=1, keepdim=True)).square().sum() / 2

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        return ((X + step * X.mean(dim=1, keepdim=True)) / (1 + step)).reshape(W.shape)
