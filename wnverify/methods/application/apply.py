"""``wnverify.apply``, ``remove`` and ``penalty``: a method by its name, on a model."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Final

from torch import Tensor, nn
from torch.optim import Optimizer

from wnverify.methods.application import constraining, dropping, parametrizing, penalizing, replacing
from wnverify.methods.application.selection import Layers, chosen
from wnverify.methods.application.undoing import Before
from wnverify.methods.catalogue import Method, find, methods

OUTPUT_FREE: Final = frozenset({"l1_inf_projection"})
"""Methods whose paper leaves the output layer as it is."""
OF_WEIGHTS: Final = frozenset({"dropout", "scale_and_bias"})
"""Methods of kind layer whose ``layers`` are layers with weights."""
WITHOUT_UPDATE: Final = "none"
"""``update`` of ``"cwo"`` for its layers alone: the paper's ablation."""


def apply(
    model: nn.Module, method: str, *, layers: Layers = None, optimizer: Optimizer | None = None, **options: Any
) -> nn.Module:
    """Apply a method of the catalogue to ``model``, in place, and return it.

    ``method``: an id or other name that ``wnverify methods`` lists (``"cwn"``, ``"norm_loss"``); several are joined by
    ``+`` (``"ws+gn"``), and each option goes to those that know it.  What happens depends on the kind:

    - *parametrization*: registered on the weight of the chosen layers (``torch.nn.utils.parametrize``).
    - *constraint*: hung on the hooks of ``optimizer``, which must hold the weights; they are projected at once.
    - *penalty*: remembered by the model; add ``wnverify.penalty(model)`` to the loss.  ``factor`` may be a schedule
      over epochs.  With ``optimizer`` the proximal operator follows every step instead, its step size the learning
      rate.
    - *layer*: takes the place of every activation normalization; ``"plain"`` removes them.  ``"cwo"`` puts
      scale-and-bias layers there (options ``sigma``, ``growth``, ``granularity``, ``seed``), and with ``optimizer``
      also the sphere-and-centring update on the chosen layers (option ``c``), γ and β free of weight decay;
      ``update="none"`` leaves the weights free, or to a constraint that is joined (``"cwo+pbwn"``).

    ``layers``: which (None: every linear and convolutional layer; for ``l1inf`` all but the last), by names, patterns
    or a function of name and module; of joined methods the layers whose weights are meant (``"ws+gn"``: those to
    standardize, while every normalization is replaced).  An option given as a mapping from names or patterns gives
    each layer its own: ``c={"conv*": 2.0, "fc": 0.5}``.

    Nothing is changed where a ``ValueError`` or ``TypeError`` is raised: for an unknown method or option, a layer for
    which the method is undefined (the layer is named), a layer that has it already, or a model with nothing fitting.
    Parametrizations, penalties and layers survive ``deepcopy`` and pickling; parametrizations and layers are in the
    ``state_dict``, to be loaded into a model to which the same was applied.  Hooks belong to one optimiser: apply to
    its copies anew.

    >>> import torch
    >>> model = apply(torch.nn.Sequential(torch.nn.Linear(4, 3)), "cwn")
    >>> bool(model[0].weight.sum(1).abs().max() < 1e-6)
    True
    """
    rows = _rows(method)
    shares = _shares(rows, options)
    # Parametrizations and what hangs on an optimiser move weights, the others do not.
    moving = optimizer is not None or any(row.kind == "parametrization" for row in rows)
    before = Before(model, optimizer, values=moving)
    try:
        for row, share in zip(rows, shares, strict=True):
            # Joined, the layers are those whose weights are meant; every activation normalization is replaced.
            replaced = len(rows) > 1 and row.kind == "layer" and row.id not in OF_WEIGHTS
            _apply_one(model, row, None if replaced else layers, optimizer, share)
    except Exception:
        before.restore()
        raise
    return model


def remove(model: nn.Module, method: str | None = None, *, leave_parametrized: bool = True) -> nn.Module:
    """Take a method off ``model``, in place, and return it: the inverse of ``apply``; None takes off everything.

    A parametrized weight stays at its present value W, or with ``leave_parametrized=False`` becomes V again.  Replaced
    layers come back as they were (on the device and in the dtype of what stood in their place), an optimiser is freed
    of the hooks, though not of the parameter groups that ``"cwo"`` made.  ``ValueError`` where the model does not have
    the method.
    """
    wanted = _rows(method) if method is not None else list(methods())
    for row in wanted:
        found = replacing.restore(model, row.id)
        found += parametrizing.unregister(model, row, leave_parametrized=leave_parametrized)
        found += constraining.detach(model, constraining.hanging(model, row.id))
        found += penalizing.forget(model, row.id)
        found += dropping.undrop(model) if row.id == "dropout" else 0
        if method is not None and not found:
            raise ValueError(f"method must have been applied to the model; {row.id} was not")
    return model


def penalty(model: nn.Module, *, inputs: Any = None, epoch: int = 0) -> Tensor:
    """The sum of the penalties that were applied to ``model``, a scalar to add to the loss.

    ``inputs``: a batch, for penalties of the network's output (Jacobian norm); ``epoch``: for schedules of factors.
    ``ValueError`` where no penalty was applied, or one needs ``inputs`` that are not given.
    """
    return penalizing.total(model, inputs=inputs, epoch=epoch)


def _apply_one(
    model: nn.Module, row: Method, layers: Layers, optimizer: Optimizer | None, options: dict[str, Any]
) -> None:
    if row.kind == "out of scope":
        raise ValueError(f"method {row.id!r} is out of scope: {row.reason}")
    made = implementation(row)
    options = {**row.fixed, **options}
    if row.kind == "parametrization":
        parametrizing.register(chosen(model, layers), row, made, options)
    elif row.kind == "constraint":
        if optimizer is None:
            raise ValueError(f"optimizer must be given: {row.id} acts before and after its steps")
        where = chosen(model, layers, but_last=layers is None and row.id in OUTPUT_FREE)
        constraining.attach(model, where, row.id, made, optimizer, options)
    elif row.kind == "penalty":
        penalizing.remember(model, layers, row.id, made, optimizer, options)
    else:
        _apply_layer(model, row, made, layers, optimizer, options)


def _apply_layer(
    model: nn.Module, row: Method, made: Any, layers: Layers, optimizer: Optimizer | None, options: dict[str, Any]
) -> None:
    if row.id == "dropout":
        dropping.drop(chosen(model, layers), **options)
        return
    if row.id != "scale_and_bias":
        replacing.replace(model, row.id, made, layers, options)
        return
    constraint = find("constrained_weight_optimization")
    known = inspect.signature(implementation(constraint)).parameters
    own = {name: value for name, value in options.items() if name not in known}
    if optimizer is not None and options.get("update") == WITHOUT_UPDATE:
        replacing.replace(model, row.id, made, None, own)
        replacing.adopt(model, row.id, optimizer)
        return
    if optimizer is None:
        if unused := sorted(set(options) - set(own)):
            raise ValueError(f"{unused[0]} belongs to the update, which needs optimizer; got none")
        replacing.replace(model, row.id, made, None, own)
        return
    where = chosen(model, layers)
    replacing.replace(model, row.id, made, None, own)
    share = {name: value for name, value in options.items() if name in known}
    constraining.attach(model, where, row.id, implementation(constraint), optimizer, share)
    replacing.adopt(model, row.id, optimizer)


def implementation(row: Method) -> Any:
    """The class or function that a row names."""
    module, _, name = row.implementation.partition(":")
    return getattr(importlib.import_module(module), name)


def _rows(method: str) -> list[Method]:
    """The methods that a name joins: ``"ws+gn"``, or the id of such a combination."""
    if "+" not in method:
        row = find(method)
        joined = next((name for name in row.names if "+" in name), None)
        if joined is None:
            return [row]
        method = joined
    return [find(name) for name in method.split("+")]


def _shares(rows: list[Method], options: dict[str, Any]) -> list[dict[str, Any]]:
    """What of the options each method knows; all of them where there is one method."""
    if len(rows) == 1:
        return [options]
    known = [_options_of(row) for row in rows]
    for name in options:
        if not any(name in names for names in known):
            raise ValueError(f"{name} is an option of none of {', '.join(row.id for row in rows)}")
    return [{name: value for name, value in options.items() if name in names} for names in known]


def _options_of(row: Method) -> set[str]:
    """The options that a method takes; scale-and-bias layers take those of their noise and of the update too."""
    of = [row, find("constrained_weight_optimization")] if row.id == "scale_and_bias" else [row]
    names = {name for each in of for name in inspect.signature(implementation(each)).parameters}
    return names | {"growth"} if row.id == "scale_and_bias" else names
