"""What a model and its optimiser were, to be put back where a method is refused half-way."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from wnverify.methods.application import constraining


class Before:
    """Whatever applying a method may change: modules, their parameters, hooks, the groups and state of an optimiser.

    ``values``: whether the values of the parameters are kept too, in as much memory again.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer | None, *, values: bool) -> None:
        self._model, self._optimizer = model, optimizer
        self._kinds = [(module, type(module), "weight" in module._parameters) for module in model.modules()]
        self._contents = [(mapping, dict(mapping)) for mapping in _mappings(model, optimizer)]
        self._groups = [] if optimizer is None else list(optimizer.param_groups)
        self._values = [(tensor, tensor.detach().clone()) for tensor in model.parameters()] if values else []
        self._hanging = len(constraining.hanging(model))

    @torch.no_grad()
    def restore(self) -> None:
        """Put it back, every mapping as the same object: the handle of a hook, say, knows the one that it is in."""
        constraining.detach(self._model, constraining.hanging(self._model)[self._hanging :])
        for module, kind, plain in self._kinds:
            if plain and type(module) is kind and parametrize.is_parametrized(module, "weight"):
                delattr(kind, "weight")  # a class that parametrizes another tensor too, and stays
            module.__class__ = kind
        for mapping, content in self._contents:
            mapping.clear()
            mapping.update(content)
        if self._optimizer is not None:
            self._optimizer.param_groups[:] = self._groups
        for tensor, value in self._values:
            tensor.copy_(value)


def _mappings(model: nn.Module, optimizer: Optimizer | None) -> Iterator[MutableMapping[Any, Any]]:
    for module in model.modules():
        yield vars(module)
        yield from (value for value in vars(module).values() if isinstance(value, dict))
    if optimizer is not None:
        yield from optimizer.param_groups
        yield optimizer.state
