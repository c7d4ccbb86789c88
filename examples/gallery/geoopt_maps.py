"""geoopt's projections onto manifolds; its Stiefel manifold has orthonormal columns, so weights are transposed."""

from __future__ import annotations

import geoopt
import torch
from torch import Tensor


def stiefel_projx(W: Tensor) -> Tensor:
    with torch.no_grad():
        return geoopt.Stiefel().projx(W.flatten(1).mT).mT.reshape(W.shape)


stiefel_projx.DECLARES = {"orthonormal_rows": True, "euclidean_projection": True, "idempotent": True}
stiefel_projx.SET = {"name": "stiefel_rows"}
stiefel_projx.DOMAIN = {"rows_le_cols": True, "full_rank": True}


def sphere_projx(W: Tensor) -> Tensor:
    with torch.no_grad():
        return geoopt.Sphere().projx(W.flatten(1)).reshape(W.shape)


sphere_projx.DECLARES = {"unit_norm_rows": True, "euclidean_projection": True, "idempotent": True}
sphere_projx.SET = {"name": "sphere_rows"}


class Whitening(torch.nn.Module):
    """``(V Vᵀ)^(−1/2) V`` by ``geoopt.linalg.sym_inv_sqrtm1``."""

    DECLARES = {"orthonormal_rows": True, "scale_invariant": True, "rotation_equivariant": True}
    DOMAIN = {"rows_le_cols": True, "full_rank": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (geoopt.linalg.sym_inv_sqrtm1(X @ X.mT) @ X).reshape(V.shape)
