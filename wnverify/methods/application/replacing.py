"""Layers in the place of activation normalizations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import nn
from torch.optim import Optimizer

from wnverify.finding import seed_of
from wnverify.methods.application.selection import WEIGHTED, Layers, chosen
from wnverify.methods.mean_only_batch_normalization.pytorch import MeanOnlyBatchNormalization
from wnverify.methods.scale_and_bias.pytorch import ScaleAndBias
from wnverify.methods.scale_and_bias.reference import noise_of_layer

NORMALIZATIONS: Final = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
    MeanOnlyBatchNormalization,
)
_ORIGINAL: Final = "wnverify_original"
_METHOD: Final = "wnverify_in_place_of"


class Plain(nn.Identity):
    """Nothing, where an activation normalization was: the papers' Plain baseline."""


def replace(model: nn.Module, method: str, made: Any, layers: Layers, options: Mapping[str, Any]) -> None:
    """Put what ``made`` makes in the place of every activation normalization, or of none where one cannot be made."""
    if isinstance(model, NORMALIZATIONS):
        raise ValueError("model must hold the activation normalizations; it is one itself")
    places = list(_places(model, layers))
    if not places:
        raise ValueError("model must have an activation normalization to replace; it has none")
    new: dict[int, nn.Module] = {}
    count = len({id(old) for *_, old, _ in places})
    for _, name, _, old, axes in places:
        if id(old) not in new:
            index = len(new) + 1
            try:
                new[id(old)] = _made(made, old, name, axes, index, count, dict(options))
            except (ValueError, TypeError) as error:
                raise type(error)(f"layer {name!r}: {error}") from error
    for parent, _, child, old, _ in places:
        stands = new[id(old)]
        _follow(old, stands)
        # Kept beside the registered modules, not among them: its parameters are no longer the model's.
        stands.__dict__[_ORIGINAL], stands.__dict__[_METHOD] = old, method
        setattr(parent, child, stands)


def restore(model: nn.Module, method: str) -> int:
    """Put back what the method's layers replaced; how many there were."""
    count = 0
    for parent, child, module in list(_children(model)):
        if module.__dict__.get(_METHOD) == method:
            original = module.__dict__[_ORIGINAL]
            _follow(module, original)
            original.train(module.training)
            setattr(parent, child, original)
            count += 1
    return count


def adopt(model: nn.Module, method: str, optimizer: Optimizer) -> None:
    """Give the new layers' parameters to the optimiser, without weight decay, and take those they replaced from it."""
    stand = [module for *_, module in _children(model) if module.__dict__.get(_METHOD) == method]
    gone = {id(p) for module in stand for p in module.__dict__[_ORIGINAL].parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) in gone:
                optimizer.state.pop(parameter, None)
        group["params"] = [parameter for parameter in group["params"] if id(parameter) not in gone]
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    new = [p for module in dict.fromkeys(stand) for p in module.parameters() if id(p) not in held]
    optimizer.add_param_group({"params": new, "weight_decay": 0.0})


def _made(
    made: Any, old: nn.Module, name: str, axes: int, index: int, count: int, options: dict[str, Any]
) -> nn.Module:
    """The new layer for as many units as the old one had; ``axes`` of position where that decides its class."""
    if made is Plain:
        return Plain(**options)
    shape, trailing = _units(old)
    if made is ScaleAndBias:
        growth = options.pop("growth", "constant")
        options["sigma"] = noise_of_layer(index, count, options.get("sigma", 0.0), growth=growth)
        if options.get("seed") is not None:
            options["seed"] = seed_of(options["seed"], name) % 2**31
        new: nn.Module = made(shape, trailing=trailing, **options)
        return new
    if trailing or len(shape) > 1:
        raise ValueError(f"a {type(old).__name__} over the last axes has no counterpart in {made.__name__}")
    return _of_torch(made, shape[0], axes, options)


def _of_torch(made: Any, units: int, axes: int, options: dict[str, Any]) -> nn.Module:
    by_axes = {
        nn.BatchNorm2d: (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
        nn.InstanceNorm2d: (None, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
    }
    new: nn.Module
    if made in by_axes:
        kind: Any = by_axes[made][axes]
        if kind is None:
            raise ValueError("instance normalization needs positions to take means over; there are none")
        new = kind(units, **({"affine": True} if made is nn.InstanceNorm2d else {}) | options)
    elif made is nn.GroupNorm:
        new = nn.GroupNorm(options.pop("num_groups", 16), units, **options)
    elif made is nn.LayerNorm:
        # Over units and positions of a sample, with one scale and bias a unit: a group normalization with one group.
        new = nn.GroupNorm(1, units, **options)
    else:
        new = made(units, **options)
    return new


def _units(old: nn.Module) -> tuple[tuple[int, ...], bool]:
    """The shape of γ and β, and whether they belong to the last axes."""
    if isinstance(old, nn.LayerNorm | nn.RMSNorm):
        return tuple(old.normalized_shape), True
    for name in ("num_features", "num_channels"):
        if hasattr(old, name):
            return (int(getattr(old, name)),), False
    raise ValueError(f"a {type(old).__name__} does not say how many units it has")


def _follow(old: nn.Module, new: nn.Module) -> None:
    """Device and dtype of the parameters of ``old``, and its mode."""
    tensor = next((t for t in (*old.parameters(), *old.buffers()) if t.is_floating_point()), None)
    if tensor is not None:
        new.to(device=tensor.device, dtype=tensor.dtype)
    new.train(old.training)


def _places(model: nn.Module, layers: Layers) -> Iterator[tuple[nn.Module, str, str, nn.Module, int]]:
    """(parent, full name, own name, normalization, axes of position), in the model's order."""
    wanted = None if layers is None else set(map(id, chosen(model, layers).values()))
    axes = 0
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, WEIGHTED):
            axes = max(0, _weight_axes(module) - 2)
        if not isinstance(module, NORMALIZATIONS) or (wanted is not None and id(module) not in wanted):
            continue
        parent, _, child = name.rpartition(".")
        own = type(module).__name__[-2:]
        yield model.get_submodule(parent), name, child, module, int(own[0]) if own in ("2d", "3d") else axes


def _weight_axes(module: nn.Module) -> int:
    weight: torch.Tensor = module.weight  # type: ignore[assignment]
    return weight.dim()


def _children(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for parent in list(model.modules()):
        for child, module in list(parent.named_children()):
            yield parent, child, module
