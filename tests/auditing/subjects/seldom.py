"""Right variants that look wrong: of which rounding alone is left somewhere, noisy ones, finite in a small set only."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


def _unit(V: Tensor) -> Tensor:
    found: Tensor = V / torch.linalg.vector_norm(V.flatten(1), dim=1).reshape(-1, *[1] * (V.dim() - 1))
    return found


class RowsDropped(nn.Module):
    """V / ‖V‖ by rows; in training one row in ten is left out at random, so that few calls may agree by chance."""

    DOMAIN: ClassVar = {"zero_row": "undefined there", "stateful_in_training": "random rows are left out"}

    def forward(self, V: Tensor) -> Tensor:
        W = _unit(V)
        if self.training:
            kept = torch.bernoulli(torch.full((V.shape[0],), 0.9, dtype=V.dtype)) / 0.9
            W = W * kept.reshape(-1, *[1] * (V.dim() - 1))
        return W


class CentredSoftmax(nn.Module):
    """softmax(V) − 1/d by rows: for small weights all but 1e-4 of it cancels, and with it the digits of its mean."""

    DECLARES: ClassVar = {"zero_mean_rows": True, "shift_invariant_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (torch.softmax(X, 1) - 1 / X.shape[1]).reshape(V.shape)


class SignByRoot(nn.Module):
    """V / √V² by entries: its derivative is zero, and what automatic differentiation leaves of it is rounding."""

    DOMAIN: ClassVar = {"zero_row": "undefined there", "nonsmooth": "where an entry is zero"}

    def forward(self, V: Tensor) -> Tensor:
        return V / V.square().sqrt()


class CosinesLessRows(nn.Module):
    """(Σ_ij cos² − n) / 2 over all rows: what cancels is as large as the number of rows, and of one row all cancels."""

    DECLARES: ClassVar = {"row_scale_invariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        X = X / torch.linalg.vector_norm(X, dim=1, keepdim=True)
        found: Tensor = ((X @ X.mT).square().sum() - X.shape[0]) / 2
        return found


class LogBarrier(nn.Module):
    """−Σ log(1 − ‖w_i‖²), finite for rows shorter than one only, as is declared."""

    DECLARES: ClassVar = {"convex": True}
    DOMAIN: ClassVar = {"finite_only_for_row_norm_lt": 1.0}

    def forward(self, W: Tensor) -> Tensor:
        return -torch.log1p(-W.flatten(1).square().sum(1)).sum()


class OntoSpectralBallBySubtraction:
    """The nearest matrix of spectral norm one, what sticks out being taken off: rounding is that of the weight."""

    DECLARES: ClassVar = {"euclidean_projection": True, "spectral_norm_le_1": True}
    SET: ClassVar = {"name": "spectral_ball", "radius": 1.0}

    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        A, s, Bt = torch.linalg.svd(X.float() if X.dtype.itemsize < 4 else X, full_matrices=False)
        found: Tensor = (X - ((A * (s - 1).clamp_min(0)) @ Bt).to(X.dtype)).reshape(W.shape)
        return found
