"""Parametrizations on the weights of layers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from wnverify.methods.application.selection import layout, options_of, weight_of
from wnverify.methods.catalogue import Method

MARK = "wnverify_method"


def register(layers: Mapping[str, nn.Module], row: Method, made: Any, options: Mapping[str, Any]) -> None:
    """Register the parametrization on every layer; ``ValueError`` or ``TypeError`` names one that refuses."""
    for name, layer in layers.items():
        weight = weight_of(layer)
        try:
            if parametrize.is_parametrized(layer, "weight") or weight is None:
                raise ValueError("its weight is parametrized already; remove that first")
            if inspect.isclass(made):
                module: Any = made(**layout(layer), **options_of(options, name))
                module.to(device=weight.device)
                parametrize.register_parametrization(layer, "weight", module)
            else:
                made(layer, "weight", **options_of(options, name))
            for step in _steps(layer):
                step.__dict__[MARK] = row.id
            _make_picklable(layer)
        except (ValueError, TypeError, RuntimeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"layer {name!r}: {error}") from error


def unregister(model: nn.Module, row: Method, *, leave_parametrized: bool) -> int:
    """Remove the parametrization from every layer of the model that has it; how many there were.

    ``ValueError`` where another one was registered on the same weight: PyTorch removes all of them or none.
    """
    found = []
    for name, layer in model.named_modules():
        if not parametrize.is_parametrized(layer, "weight"):
            continue
        marks = [step.__dict__.get(MARK) for step in _steps(layer)]
        if row.id not in marks:
            continue
        if any(mark != row.id for mark in marks):
            raise ValueError(f"layer {name!r} has other parametrizations too; they can only be removed together")
        found.append(layer)
    for layer in found:
        if leave_parametrized:
            _take_off(layer)
        else:
            _undo(layer, _original(layer))
    return len(found)


def _make_picklable(layer: nn.Module) -> None:
    """PyTorch refuses to pickle a layer whose class it has made; by its own class and state it can be made again."""
    type(layer).__reduce_ex__ = _reduced  # type: ignore[method-assign, assignment]


def _reduced(layer: nn.Module, protocol: int) -> Any:
    return _made_again, (type(layer).__base__, layer.__dict__)


def _made_again(kind: type[nn.Module], state: dict[str, Any]) -> nn.Module:
    layer = kind.__new__(kind)
    nn.Module.__setstate__(layer, dict(state))  # type: ignore[no-untyped-call]
    parametrize._inject_new_class(layer)
    for name in state["_modules"]["parametrizations"]:
        parametrize._inject_property(layer, name)
    _make_picklable(layer)
    return layer


def _steps(layer: nn.Module) -> list[nn.Module]:
    chain: Any = layer.parametrizations
    return list(chain["weight"])


def _original(layer: nn.Module) -> torch.Tensor:
    """V: the first of the tensors that the parametrization maps, which has the weight's shape."""
    chain: Any = layer.parametrizations
    named = chain["weight"].named_parameters(recurse=False)
    first: torch.Tensor = next(value for key, value in named if "original" in key)
    return first.detach()


def _undo(layer: nn.Module, value: torch.Tensor) -> None:
    """Off again, with the weight at ``value``."""
    value = value.clone()
    _take_off(layer)
    with torch.no_grad():
        layer.get_parameter("weight").copy_(value)


def _take_off(layer: nn.Module) -> None:
    """Off, with the weight at W and again the first of the layer's parameters, as it was before."""
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    for name in [name for name in layer._parameters if name != "weight"]:
        layer._parameters[name] = layer._parameters.pop(name)
