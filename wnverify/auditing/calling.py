"""How foreign code wants to be called: the signature of a class, a factory or a forward, and a layer for a weight."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from wnverify.auditing.target import TargetError

_LAYERS: Final = {2: nn.Linear, 3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}


def calling_style(target: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """How the class or factory wants to be called: ``()``, ``(weight)`` or ``(module, name)``."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return "()" if inspect.isclass(target) else "(weight)"
    missing = required(target, arguments)
    first = next(iter(signature.parameters), "")
    if first in ("module", "layer") and len(signature.parameters) > 1:
        return "(module, name)"
    if not missing:
        return "()"
    if len(missing) == 1:
        return "(module, name)" if first in ("module", "layer") else "(weight)"
    raise TargetError(
        f"arguments {', '.join(missing)} are missing: give all, or all but that which is the weight, "
        "with --arg name=value or ARGS"
    )


def required(target: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The positional parameters without a default that ``arguments`` does not give."""
    return tuple(
        p.name
        for p in parameters_of(target)
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in arguments
    )


def is_object(target: object) -> bool:
    """Whether it is a live object with a call of its own: neither a class nor a function nor a module."""
    if inspect.isclass(target) or inspect.isroutine(target) or isinstance(target, functools.partial | nn.Module):
        return False
    return callable(target)


def layer_for(V: Tensor) -> nn.Module:
    """A layer whose weight is V."""
    if V.dim() not in _LAYERS:
        raise TypeError(f"no layer has a weight of {V.dim()} axes; Linear and Conv1d-3d have 2 to 5")
    layer: Any
    if V.dim() == 2:
        layer = nn.Linear(V.shape[1], V.shape[0], bias=False, dtype=V.dtype)
    else:
        kind: Any = _LAYERS[V.dim()]
        layer = kind(V.shape[1], V.shape[0], tuple(V.shape[2:]), bias=False, dtype=V.dtype)
    with torch.no_grad():
        layer.weight.copy_(V)
    made: nn.Module = layer
    return made


def required_tensors(forward: Callable[..., Any]) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in positional for p in parameters_of(forward))


def most_tensors(forward: Callable[..., Any]) -> int:
    kinds = [p.kind for p in parameters_of(forward)]
    variadic = any(kind is inspect.Parameter.VAR_POSITIONAL for kind in kinds)
    return 99 if variadic else sum(k is not inspect.Parameter.VAR_KEYWORD for k in kinds)


def parameters_of(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """Those that a call gives; none where they cannot be told.  A method's are found once, whatever object has it."""
    if isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType):
        return _of_method(function.__func__)
    return _parameters(function)


@functools.lru_cache(maxsize=256)
def _of_method(function: types.FunctionType) -> tuple[inspect.Parameter, ...]:
    return _parameters(types.MethodType(function, object()))


def _parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ()
