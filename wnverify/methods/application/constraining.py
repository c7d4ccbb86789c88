"""Constraints on the hooks of optimisers."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from torch import nn
from torch.optim import Optimizer

from wnverify.methods.application.selection import layout, options_of, plain_weight
from wnverify.primitives.constraint import Attached, Block


class Hanging(NamedTuple):
    """What a method hung on an optimiser, with its ``remove``, and the weights that it moves."""

    method: str
    attached: Any
    optimizer: weakref.ref[Optimizer]
    weights: tuple[nn.Parameter, ...]


_HANGING: Final[weakref.WeakKeyDictionary[nn.Module, list[Hanging]]] = weakref.WeakKeyDictionary()
"""What hangs on the optimisers of a model: a copy of the model has another optimiser, and nothing there."""


def attach(
    model: nn.Module,
    layers: Mapping[str, nn.Module],
    method: str,
    made: Any,
    optimizer: Optimizer,
    options: Mapping[str, Any],
) -> None:
    """Attach the constraint for these layers, one object for all that share their options, and project them.

    ``ValueError`` names a layer whose weight is parametrized, or that has the constraint already.
    """
    refuse_again(layers, method, optimizer)
    shared: list[tuple[dict[str, Any], list[Block]]] = []
    for name, layer in layers.items():
        block = Block(name, plain_weight(name, layer), layer._parameters.get("bias"), **layout(layer))
        own = options_of(options, name)
        same = next((blocks for known, blocks in shared if known == own), None)
        if same is None:
            shared.append((own, [block]))
        else:
            same.append(block)
    for own, blocks in shared:
        attached = made(**own).attach(optimizer, blocks)
        remember(model, method, attached, optimizer, (block.weight for block in blocks))


def refuse_again(layers: Mapping[str, nn.Module], method: str, optimizer: Optimizer | None) -> None:
    """``ValueError`` naming the first layer that has the method already after this optimiser's steps (None: any's)."""
    held = {
        id(weight)
        for entries in _HANGING.values()
        for each in entries
        if each.method == method and (optimizer is None or each.optimizer() is optimizer)
        for weight in each.weights
    }
    for name, layer in layers.items():
        if id(layer._parameters.get("weight")) in held:
            raise ValueError(f"layer {name!r} has {method} already; remove that first")


def remember(
    model: nn.Module, method: str, attached: Any, optimizer: Optimizer, weights: Iterable[nn.Parameter]
) -> None:
    """Keep what hangs on an optimiser for ``hanging``."""
    _HANGING.setdefault(model, []).append(Hanging(method, attached, weakref.ref(optimizer), tuple(weights)))


def hanging(model: nn.Module, method: str | None = None) -> list[Hanging]:
    """What hangs on optimisers for this model, or of that by one method, in the order in which it came."""
    return [each for each in _HANGING.get(model, []) if method in (None, each.method)]


def detach(model: nn.Module, entries: list[Hanging]) -> int:
    """Take these off their optimisers; how many there were."""
    gone = {id(each) for each in entries}
    for each in entries:
        each.attached.remove()
    if gone:
        _HANGING[model] = [each for each in _HANGING[model] if id(each) not in gone]
    return len(gone)


def resume(model: nn.Module, steps: int) -> None:
    """Let every constraint on the optimisers of this model count on from ``steps``: those with a period need it."""
    for each in hanging(model):
        if isinstance(each.attached, Attached):
            each.attached.steps = steps
