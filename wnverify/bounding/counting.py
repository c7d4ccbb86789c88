"""What torch's counter says of layers and of the methods' PyTorch implementations, forward and backward apart."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from wnverify.bounding import schedules
from wnverify.finding import seed_of
from wnverify.methods.catalogue import find
from wnverify.theory import cost
from wnverify.theory.cost import LayerCost, Operations


class Case(NamedTuple):
    """A convolution; (C_in, C_out), kernel and input size by axis."""

    batch: int
    channels: tuple[int, int]
    kernel: tuple[int, ...]
    size: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    def closed(self) -> LayerCost:
        """By ``theory.cost``."""
        options = {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}
        return cost.convolution(self.batch, self.channels, self.kernel, self.size, **options)


def _vectors(A: Sequence[int], *_: Any, **__: Any) -> int:
    """2 for each entry of the first argument: a matrix times a vector, or two vectors."""
    return 2 * math.prod(A)


_UNSEEN: Final = (torch.ops.aten.mv, torch.ops.aten.dot, torch.ops.aten.vdot)
"""What the counter has no formula for, and ``_vectors`` gives it."""


def seen(act: Callable[[], Any]) -> tuple[Operations, Any]:
    """Products of matrices and of vectors in ``act()`` by torch's counter, and what it returned."""
    with FlopCounterMode(display=False, custom_mapping=dict.fromkeys(_UNSEEN, _vectors)) as counter:
        made = act()
    vectors = sum(counter.flop_counts.get("Global", {}).get(each, 0) for each in _UNSEEN)
    return Operations(int(counter.get_total_flops()) - vectors, vectors), made


def layer_passes(layer: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor) -> LayerCost:
    """The three passes of a layer by torch's counter."""
    x, weight = x.requires_grad_(), weight.requires_grad_()
    forward, y = seen(lambda: layer(x, weight))
    passes = [
        seen(partial(torch.autograd.grad, y, leaf, torch.ones_like(y), retain_graph=True))[0] for leaf in (weight, x)
    ]
    return LayerCost(forward.products, *(each.products for each in passes))


def convolution_passes(case: Case, *, at_once: bool = False) -> LayerCost:
    """A convolution's group by group, or ``at_once``.

    In one call the counter may take the gradient of the weight ``groups`` times (PyTorch 2.13 does).
    """
    functional = torch.nn.functional
    function = (functional.conv1d, functional.conv2d, functional.conv3d)[len(case.kernel) - 1]
    layer = partial(function, stride=case.stride, padding=case.padding, dilation=case.dilation)
    parts = 1 if at_once else case.groups
    inputs, outputs = (channels // parts for channels in case.channels)
    x = torch.empty(case.batch, inputs, *case.size, device="meta")
    weight = torch.empty(outputs, case.channels[0] // case.groups, *case.kernel, device="meta")
    one = layer_passes(partial(layer, groups=case.groups // parts), x, weight)
    return LayerCost(*(parts * each for each in one))


def linear_passes(batch: int, inputs: int, outputs: int) -> LayerCost:
    """A linear layer's."""
    x, weight = torch.empty(batch, inputs, device="meta"), torch.empty(outputs, inputs, device="meta")
    return layer_passes(torch.nn.functional.linear, x, weight)


_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "weight_normalization": {"gain": False},
    "l1_inf_projection": {"c": schedules.C},
}


def weight_of(n: int, d: int, seed: int) -> Any:
    """Rows of ordinary scale; for n < d nearly orthogonal, of lengths 4 to 5 and a mean."""
    rng = np.random.default_rng(seed_of("cost", seed, n, d))
    V = rng.normal(size=(n, d)) * 3
    if n >= d:
        return V
    Q = np.linalg.qr((V - V.mean(1, keepdims=True)).T)[0].T
    return Q * rng.uniform(4, 5, size=(n, 1)) + rng.uniform(-0.2, 0.2, size=(n, 1))


def implementation(method: str, V: Tensor) -> Callable[[Tensor], Tensor]:
    """What people use: the map of the rows, the projection or the penalty."""
    row = find(method)
    if method == "spectral_normalization_by_power_iteration":
        layer = torch.nn.Linear(V.shape[1], V.shape[0], bias=False, dtype=V.dtype)
        module: Any = torch.nn.utils.parametrizations.spectral_norm(layer).get_submodule("parametrizations.weight.0")
        module._v.copy_(torch.full_like(module._v, V.shape[1] ** -0.5))
        return module  # type: ignore[no-any-return]
    module_name, _, name = row.implementation.partition(":")
    factory = getattr(importlib.import_module(module_name), name)
    made = factory(**row.fixed, **_SETTINGS.get(method, {}))
    return made.project if row.kind == "constraint" else made  # type: ignore[no-any-return]


def executed(method: str, V: Tensor, A: Tensor) -> tuple[Operations, Operations, Tensor, Tensor]:
    """Products of the implementation forward and backward, its output and what its backward gives."""
    leaf = V.clone().requires_grad_()
    row = find(method)
    act = implementation(method, V)
    forward, out = seen(lambda: act(leaf))
    if row.kind == "constraint":
        backward, back = seen(lambda: act.__self__.transform(V, A))  # type: ignore[attr-defined]
        return forward, backward, out.detach(), back
    cotangent = torch.ones_like(out) if row.kind == "penalty" else A
    backward, (back,) = seen(lambda: torch.autograd.grad(out, leaf, cotangent))
    return forward, backward, out.detach(), A + back if row.kind == "penalty" else back
