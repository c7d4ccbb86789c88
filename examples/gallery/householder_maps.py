"""torch_householder: orthonormal columns from unit reflections, transposed to rows."""

from __future__ import annotations

from torch import Tensor, nn
from torch_householder import torch_householder_orgqr


class Orgqr(nn.Module):
    DECLARES = {"orthonormal_rows": True}
    DOMAIN = {"rows_le_cols": True, "no_double_backward": True}

    def forward(self, V: Tensor) -> Tensor:
        return torch_householder_orgqr(V.flatten(1).mT.contiguous()).mT.reshape(V.shape)
