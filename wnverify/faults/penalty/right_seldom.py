"""Right penalties of which at some weights nothing but rounding is left, or that are finite in a small set only."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


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
