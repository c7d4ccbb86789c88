"""Dropout after layers, as a forward hook of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class AfterLayer:
    """A forward hook: torch's dropout on the output of a layer in training."""

    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return nn.functional.dropout(output, self.p, module.training)


def drop(layers: Mapping[str, nn.Module], *, p: float = 0.5) -> None:
    """Hang dropout on every layer; ``ValueError`` for a p outside [0, 1], or a layer that has it already."""
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1; got {p!r}")
    for name, layer in layers.items():
        if any(isinstance(hook, AfterLayer) for hook in layer._forward_hooks.values()):
            raise ValueError(f"layer {name!r} has dropout already; remove that first")
    for layer in layers.values():
        layer.register_forward_hook(AfterLayer(p))


def undrop(model: nn.Module) -> int:
    """Take dropout off every layer; how many had it."""
    count = 0
    for module in model.modules():
        for key in [key for key, hook in module._forward_hooks.items() if isinstance(hook, AfterLayer)]:
            del module._forward_hooks[key]
            count += 1
    return count
