"""geotorch's constraints, put on a layer as its README says."""

from __future__ import annotations

import geotorch
from torch import nn


def sphere(module: nn.Module, name: str) -> nn.Module:
    """Rows on the unit sphere by its exponential map."""
    geotorch.sphere(module, name)
    return module


def sphere_embedded(module: nn.Module, name: str) -> nn.Module:
    """Rows on the unit sphere by division."""
    geotorch.sphere(module, name, embedded=True)
    return module


sphere.DECLARES = {"unit_norm_rows": True}
sphere_embedded.DECLARES = {"unit_norm_rows": True, "row_scale_invariant": True}
sphere.DOMAIN = sphere_embedded.DOMAIN = {"matrices_only": True}


def stiefel(module: nn.Module, name: str) -> nn.Module:
    geotorch.orthogonal(module, name)
    return module


def stiefel_cayley(module: nn.Module, name: str) -> nn.Module:
    geotorch.orthogonal(module, name, triv="cayley")
    return module


def grassmannian(module: nn.Module, name: str) -> nn.Module:
    geotorch.grassmannian(module, name)
    return module


for _frame in (stiefel, stiefel_cayley, grassmannian):
    _frame.DECLARES = {"orthonormal_rows": True}
    _frame.DOMAIN = {"matrices_only": True}


def almost_orthogonal(module: nn.Module, name: str) -> nn.Module:
    """Singular values within a tenth of one."""
    geotorch.almost_orthogonal(module, name, lam=0.1, f="sin")
    return module


almost_orthogonal.DECLARES = {"orthonormal_rows": True}
almost_orthogonal.DOMAIN = {"matrices_only": True, "approximate": {"orthonormal_rows": 0.21}}
