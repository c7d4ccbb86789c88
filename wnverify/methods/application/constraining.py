"""Constraints on the hooks of optimisers."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, Final

from torch import nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from wnverify.methods.application.selection import layout, options_of
from wnverify.primitives.constraint import Attached, Block

_ATTACHED: Final[weakref.WeakKeyDictionary[nn.Module, list[tuple[str, Any]]]] = weakref.WeakKeyDictionary()
"""What hangs on the optimisers of a model: a copy of the model has another optimiser, and nothing there."""


def attach(
    model: nn.Module,
    layers: Mapping[str, nn.Module],
    method: str,
    made: Any,
    optimizer: Optimizer,
    options: Mapping[str, Any],
) -> None:
    """Attach the constraint for these layers, one object for all that share their options; or for none at all."""
    shared: list[tuple[dict[str, Any], list[Block]]] = []
    for name, layer in layers.items():
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"layer {name!r} must have a plain weight; it is parametrized")
        block = Block(name, layer.get_parameter("weight"), _bias(layer), **layout(layer))
        own = options_of(options, name)
        same = next((blocks for known, blocks in shared if known == own), None)
        if same is None:
            shared.append((own, [block]))
        else:
            same.append(block)
    before = {name: layer.get_parameter("weight").detach().clone() for name, layer in layers.items()}
    biases = {name: bias.detach().clone() for name, layer in layers.items() if (bias := _bias(layer)) is not None}
    hung: list[Attached] = []
    try:
        for own, blocks in shared:
            hung.append(made(**own).attach(optimizer, blocks, at_once=False))
        for attached in hung:
            attached.project()
    except (ValueError, TypeError):
        for attached in hung:
            attached.remove()
        for name, layer in layers.items():
            layer.get_parameter("weight").data.copy_(before[name])
            if name in biases:
                layer.get_parameter("bias").data.copy_(biases[name])
        raise
    for attached in hung:
        remembered(model, method, attached)


def detach(model: nn.Module, method: str) -> int:
    """Take the method off the optimisers that it hangs on for this model; how many objects there were."""
    held = _ATTACHED.get(model, [])
    mine = [attached for name, attached in held if name == method]
    for attached in mine:
        attached.remove()
    if held:
        _ATTACHED[model] = [entry for entry in held if entry[0] != method]
    return len(mine)


def remembered(model: nn.Module, method: str, attached: Any) -> None:
    """Keep what hangs on an optimiser, with its ``remove``, for ``detach``."""
    _ATTACHED.setdefault(model, []).append((method, attached))


def resume(model: nn.Module, steps: int) -> None:
    """Let every constraint on the optimisers of this model count on from ``steps``: those with a period need it."""
    for _, attached in _ATTACHED.get(model, []):
        if isinstance(attached, Attached):
            attached.steps = steps


def _bias(layer: nn.Module) -> nn.Parameter | None:
    return layer._parameters.get("bias")
