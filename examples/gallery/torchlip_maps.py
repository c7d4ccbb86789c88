"""deel-torchlip's normalizations of weights."""

from __future__ import annotations

import torch
from deel.torchlip.normalizers import DEFAULT_EPS_BJORCK
from deel.torchlip.utils import frobenius_norm as _frobenius_norm
from deel.torchlip.utils.bjorck_norm import _BjorckNorm
from torch import Tensor, nn


class Bjorck(nn.Module):
    """Björck's iteration until it has settled, after division by the spectral norm, as its documentation advises."""

    DECLARES = {"odd": True}
    DOMAIN = {"matrices_only": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.inner = _BjorckNorm(weight.detach().clone(), DEFAULT_EPS_BJORCK)

    def forward(self, V: Tensor) -> Tensor:
        return self.inner(V / torch.linalg.matrix_norm(V, 2))


def frobenius_norm(module: nn.Module, name: str) -> nn.Module:
    """Rows of norm one."""
    return _frobenius_norm(module, name)


frobenius_norm.DECLARES = {"unit_norm_rows": True, "row_scale_invariant": True, "gradient_orthogonal_to_weight": True}
