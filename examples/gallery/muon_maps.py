"""The quintic of Muon in two packages, given back in the type that came, as their optimisers add it to the weight."""

from __future__ import annotations

import torch
from muon import zeropower_via_newtonschulz5
from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_newton_schulz_5
from torch import Tensor


@torch.no_grad()
def muon(W: Tensor) -> Tensor:
    """Its source says that singular values end between one half and three halves."""
    return zeropower_via_newtonschulz5(W.flatten(1), steps=5).to(W.dtype).reshape(W.shape)


@torch.no_grad()
def pytorch_optimizer(W: Tensor) -> Tensor:
    return zero_power_via_newton_schulz_5(W.flatten(1)).to(W.dtype).reshape(W.shape)


for _map in (muon, pytorch_optimizer):
    _map.DECLARES = {"orthonormal_rows": True}
    _map.DOMAIN = {"approximate": {"orthonormal_rows": 1.25}}
