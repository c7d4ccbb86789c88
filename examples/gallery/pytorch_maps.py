"""PyTorch's own parametrizations, put on a layer as its manual says, and the Newton–Schulz iteration of its Muon."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.optim import _muon


def weight_norm(module: nn.Module, name: str) -> nn.Module:
    """``g v / ‖v‖`` row by row."""
    return parametrizations.weight_norm(module, name)


weight_norm.DECLARES = {"row_scale_invariant": True, "gradient_orthogonal_to_weight": True}


def orthogonal_exponential(module: nn.Module, name: str) -> nn.Module:
    return parametrizations.orthogonal(module, name, orthogonal_map="matrix_exp")


def orthogonal_cayley(module: nn.Module, name: str) -> nn.Module:
    return parametrizations.orthogonal(module, name, orthogonal_map="cayley")


def orthogonal_householder(module: nn.Module, name: str) -> nn.Module:
    return parametrizations.orthogonal(module, name, orthogonal_map="householder")


for _orthogonal in (orthogonal_exponential, orthogonal_cayley, orthogonal_householder):
    _orthogonal.DECLARES = {"orthonormal_rows": True}
    _orthogonal.DOMAIN = {"matrices_only": True}


def spectral_norm(module: nn.Module, name: str) -> nn.Module:
    """``V / σ`` with σ from a power iteration that goes on in training."""
    return parametrizations.spectral_norm(module, name)


spectral_norm.DECLARES = {"scale_invariant": True}
spectral_norm.DOMAIN = {"stateful_in_training": True}


class Normalize(nn.Module):
    """``torch.nn.functional.normalize`` on the flattened rows."""

    DECLARES = {"unit_norm_rows": True, "row_scale_invariant": True, "gradient_orthogonal_to_weight": True}
    DOMAIN = {"zero_row": "a zero row stays zero, because the norm is clamped at eps", "min_row_norm": 1e-12}

    def forward(self, V: Tensor) -> Tensor:
        return nn.functional.normalize(V.flatten(1), dim=1).reshape(V.shape)


def muon(W: Tensor) -> Tensor:
    """Five steps of a quintic in bfloat16, whose source says that singular values end between 0.5 and 1.5."""
    coefficients = (_muon.DEFAULT_A, _muon.DEFAULT_B, _muon.DEFAULT_C)
    with torch.no_grad():
        return _muon._zeropower_via_newtonschulz(W, coefficients, 5, _muon.EPS).to(W.dtype)


muon.DECLARES = {"orthonormal_rows": True}
muon.DOMAIN = {"matrices_only": True, "approximate": {"orthonormal_rows": 1.25}}
