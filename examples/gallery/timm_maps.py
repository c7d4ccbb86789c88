"""Weight standardization of timm's convolutions, and the Newton–Schulz iterations of its Muon.

timm imports torchvision.  Its builds on the package index are linked to CUDA: beside a torch for the CPU their compiled
operators are missing, and the import stops where it looks for two of them.  No weight map uses either, so that here the
two names are declared, without a body, before the import.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, _name):
        _OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from timm import layers  # noqa: E402
from timm.optim import muon as _muon  # noqa: E402

_STANDARDIZED = {"zero_mean_rows": True, "shift_invariant_rows": True, "gradient_zero_mean": True}
_WITH_EPS = {"constant_row": "a row without spread becomes zero, because eps is added under the root", "min_cols": 2}


class _OnlyTheWeight(TorchFunctionMode):
    """A convolution gives the weight that it was called with: the layers have no function that does."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return args[1] if func is nn.functional.conv2d else func(*args, **(kwargs or {}))


class _Standardized(nn.Module):
    """The weight that a layer with 1 × 1 kernels computes from the flattened rows."""

    layer_type: type[nn.Conv2d]

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows = weight.shape[0]
        self.layer = self.layer_type(weight[0].numel(), rows, 1, bias=False, dtype=weight.dtype)
        del self.layer.weight

    def forward(self, V: Tensor) -> Tensor:
        layer = copy.copy(self.layer)
        layer.weight = V.reshape(V.shape[0], -1, 1, 1)
        with _OnlyTheWeight():
            return layer(V).reshape(V.shape)


class Standardized(_Standardized):
    layer_type = layers.StdConv2d
    DECLARES = _STANDARDIZED
    DOMAIN = _WITH_EPS


class ScaledStandardized(_Standardized):
    """With a gain for each row, over the root of the fan-in."""

    layer_type = layers.ScaledStdConv2d
    DECLARES = _STANDARDIZED
    DOMAIN = _WITH_EPS


def _newton_schulz(W: Tensor, coefficients: str, **settings: float) -> Tensor:
    named = _muon._COEFFICIENTS[coefficients]
    with torch.no_grad():
        return _muon.zeropower_via_newtonschulz(W, _muon.DEFAULT_NS_STEPS, named, **settings).to(W.dtype)


def muon(W: Tensor) -> Tensor:
    return _newton_schulz(W, "original")


def muon_polar_express(W: Tensor) -> Tensor:
    return _newton_schulz(W, "polar_express", safety_factor=1.01)


for _map in (muon, muon_polar_express):
    _map.DECLARES = {"orthonormal_rows": True}
    _map.DOMAIN = {"matrices_only": True, "approximate": {"orthonormal_rows": 1.25}}
