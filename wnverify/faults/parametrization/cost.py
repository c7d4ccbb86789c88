"""Right values and gradients that cost more than they must."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import CENTRED_UNIT_ROWS, UNIT_ROWS, unit_rows


class CentredByMatrix(nn.Module):
    """The rows are centred by a product with the matrix ``I − 1 1ᵀ / d``: d² for each row instead of d."""

    DECLARES = CENTRED_UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        d = X.shape[1]
        centring = torch.eye(d, dtype=X.dtype, device=X.device) - 1 / d
        return unit_rows(X @ centring).reshape(V.shape)


class GramByBroadcast(nn.Module):
    """The squared norms are the diagonal of all inner products, made by a product with three axes: n² d numbers."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        Gram = (X[:, None, :] * X[None, :, :]).sum(dim=2)
        return (X / Gram.diagonal().sqrt()[:, None]).reshape(V.shape)


class RowByRow(nn.Module):
    """The rows are normalized one after the other in a loop: the number of operations grows with the layer."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return torch.stack([row / torch.linalg.vector_norm(row) for row in V.unbind()]).reshape(V.shape)
