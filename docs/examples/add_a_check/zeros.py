"""Weight normalization that tells one zero from the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NudgedFromZero(nn.Module):
    """Every entry is moved away from zero by its sign bit, which -0.0 has and 0.0 has not."""

    DECLARES = {"unit_norm_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        rows = V.flatten(1)
        moved = rows + torch.where(torch.signbit(rows), -1e-3, 1e-3).to(rows.dtype)
        return (moved / torch.linalg.vector_norm(moved, dim=1, keepdim=True)).reshape(V.shape)
