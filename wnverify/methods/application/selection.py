"""Which layers of a model are meant, and how their weights lie."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.utils import parametrize

TRANSPOSED: Final = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTED: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
"""What has units with incoming weights; other modules are chosen by name."""

Layers = str | Iterable[str] | Callable[[str, nn.Module], bool] | None


def chosen(model: nn.Module, layers: Layers, *, but_last: bool = False) -> dict[str, nn.Module]:
    """The layers by name, in the model's order.

    ``layers``: None for every linear and convolutional layer (``but_last`` leaves out the last, the output layer); one
    or several names or patterns (``"features.*"``), each of which must match a module with a weight; or a function of
    name and module.  ``ValueError`` for a pattern without a match, with what there is, or where nothing is chosen.
    """
    every = {name: module for name, module in model.named_modules() if isinstance(weight_of(module), Tensor)}
    usual = [name for name, module in every.items() if isinstance(module, WEIGHTED)]
    if layers is None:
        names = usual[:-1] if but_last else usual
    elif callable(layers):
        names = [name for name, module in every.items() if layers(name, module)]
    else:
        names = _named([layers] if isinstance(layers, str) else list(layers), every)
    if not names:
        offered = f"; the output layer {usual[-1]!r} is left free" if but_last and usual else ""
        raise ValueError(f"layers must choose at least one layer with a weight; got {layers!r}{offered}")
    return {name: every[name] for name in names}


def _named(patterns: list[str], every: Mapping[str, nn.Module]) -> list[str]:
    for pattern in patterns:
        found = fnmatch.filter(every, pattern)
        if not found:
            raise ValueError(f"layers: {pattern!r} matches no layer with a weight; they are {', '.join(every)}")
        for name in found:
            weight = weight_of(every[name])
            if weight is not None and weight.dim() < 2:
                raise ValueError(f"layers: {name!r} has a weight of shape {tuple(weight.shape)}, no rows and columns")
    return [name for name in every if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def weight_of(module: nn.Module) -> Tensor | None:
    """The module's weight, or None where it has none of its own (a parametrized one counts)."""
    if "weight" in module._parameters or "weight" in getattr(module, "parametrizations", {}):
        weight = module.weight
        return weight if isinstance(weight, Tensor) else None
    return None


def plain_weight(name: str, layer: nn.Module, otherwise: str = "") -> nn.Parameter:
    """The weight, to be overwritten after a step; ``ValueError``, with ``otherwise``, where it is parametrized."""
    if parametrize.is_parametrized(layer, "weight"):
        raise ValueError(f"layer {name!r} must have a plain weight; it is parametrized{otherwise}")
    return layer.get_parameter("weight")


def layout(module: nn.Module) -> dict[str, int]:
    """``dim`` and ``groups`` of ``to_rows`` for the weight of this layer."""
    if isinstance(module, TRANSPOSED):
        return {"dim": 1, "groups": module.groups}
    return {"dim": 0, "groups": 1}


def options_of(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of one layer: an option given as a mapping from names or patterns gives each layer its own.

    ``ValueError`` for a mapping that has nothing for this layer.

    >>> options_of({"c": {"conv*": 2.0, "head": 1.0}, "every": 3}, "head")
    {'c': 1.0, 'every': 3}
    """
    own = {}
    for option, value in options.items():
        if isinstance(value, Mapping):
            fitting = [key for key in value if fnmatch.fnmatchcase(name, key)]
            if not fitting:
                raise ValueError(f"{option} must have a value for layer {name!r}; it has {', '.join(value)}")
            value = value[fitting[0]]
        own[option] = value
    return own
