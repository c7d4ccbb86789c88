"""Penalties that a model remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from wnverify.methods.application import constraining
from wnverify.methods.application.selection import Layers, chosen, layout, options_of, plain_weight, weight_of
from wnverify.primitives.distributed import placed_like, whole
from wnverify.primitives.penalty import ProximalPenalty, RowPenalty

_HELD: Final = "wnverify_penalties"
_OF_W: Final = ": without optimizer the penalty is one of W = f(V), to add to the loss"

Schedule = Callable[[int], float]


class _Term(NamedTuple):
    """One penalty on one layer (``layer`` empty: on the network), its factor or the schedule of it."""

    layer: str
    penalty: Any
    factor: float | Schedule


def remember(
    model: nn.Module,
    layers: Layers,
    method: str,
    made: Any,
    optimizer: Optimizer | None,
    options: Mapping[str, Any],
) -> None:
    """Keep one penalty a layer beside the model, or hang its proximal operator on the optimiser."""
    held = _held(model)
    if method in held:
        raise ValueError(f"method must not have been applied before; the model has {method} already")
    if not issubclass(made, nn.Module):
        raise ValueError(f"method must be a penalty; {method} is a schedule: give it to one as its factor")
    if not issubclass(made, RowPenalty):
        held[method] = [_term("", made, dict(options))]
        return
    where = chosen(model, layers)
    constraining.refuse_again(where, method, optimizer)
    terms = []
    for index, (name, layer) in enumerate(where.items()):
        own = _term(name, made, {**layout(layer), **options_of(options, name)})
        terms.append(own._replace(penalty=own.penalty.at(index, len(where))))
    if optimizer is None:
        held[method] = terms
        return
    weights = [plain_weight(name, layer, _OF_W) for name, layer in where.items()]
    hung = _Proximal(optimizer, list(zip(terms, weights, strict=True)))
    constraining.remember(model, method, hung, optimizer, weights)


def forget(model: nn.Module, method: str) -> int:
    """Drop the penalty; how many layers had it."""
    return len(_held(model).pop(method, []))


def total(model: nn.Module, *, inputs: Any, epoch: int) -> Tensor:
    """The sum over penalties and layers; a plain tensor also of distributed weights, to add to a loss that is one."""
    held = _held(model)
    if not held:
        raise ValueError("model must have a penalty: apply one first, as in apply(model, 'norm_loss')")
    values = []
    for method, terms in held.items():
        for layer, penalty, factor in terms:
            if callable(factor):
                penalty.factor = float(factor(epoch))
            if layer:
                weight = weight_of(model.get_submodule(layer))
                if weight is None:
                    raise ValueError(f"layer {layer!r} must have the weight that {method} penalizes; it has none now")
                values.append(whole(penalty(weight)))
            elif inputs is None:
                raise ValueError(f"inputs must be given: {method} penalizes the network's output at them")
            else:
                values.append(penalty(model, inputs))
    return torch.stack([value.to(values[0]) for value in values]).sum()


def _term(layer: str, made: Any, options: dict[str, Any]) -> _Term:
    factor = options.pop("factor", 1.0)
    if callable(factor):
        return _Term(layer, made(factor(0), **options), factor)
    return _Term(layer, made(factor, **options), factor)


def _held(model: nn.Module) -> dict[str, list[_Term]]:
    held: dict[str, list[_Term]] = model.__dict__.setdefault(_HELD, {})
    return held


class _Proximal:
    """The proximal operator of a penalty after every step, with the learning rate of the weight's group as its step."""

    def __init__(self, optimizer: Optimizer, terms: list[tuple[_Term, nn.Parameter]]) -> None:
        held = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for term, weight in terms:
            if id(weight) not in held:
                raise ValueError(f"optimizer must hold {term.layer}.weight, which the proximal operator moves")
            if not isinstance(term.penalty, ProximalPenalty):
                raise ValueError(f"optimizer is for penalties with a proximal operator; {term.penalty!r} has none")
            if callable(term.factor):
                raise ValueError("factor must be a number with optimizer: a step of it knows no epoch")
        self._terms = terms
        self._hook = optimizer.register_step_post_hook(self._after)

    @torch.no_grad()
    def _after(self, optimizer: Optimizer, *_: Any) -> None:
        rate = {id(p): float(group["lr"]) for group in optimizer.param_groups for p in group["params"]}
        for term, weight in self._terms:
            weight.copy_(placed_like(term.penalty.prox(weight, rate[id(weight)]), weight))

    def remove(self) -> None:
        self._hook.remove()
