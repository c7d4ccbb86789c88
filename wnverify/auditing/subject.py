"""A subject in the process where it is audited: loaded, recognised, built for a weight, called.

Recognised by what it does: a class or factory is called with ``()``, ``(weight)`` or ``(module, name)``; what comes
back is a module with ``forward(V) → W`` (perhaps of several tensors, as ``right_inverse`` returns them), a layer that
carries a parametrization, or, for a plain function of a tensor, the tensor W itself.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wnverify.auditing.loading import load
from wnverify.auditing.target import TargetError, TargetSpec
from wnverify.auditing.vocabulary import check_declared, check_domain, check_set

_ORDINARY: Final = torch.eye(3, 5, dtype=torch.float64) + torch.linspace(0.1, 0.6, 15).reshape(3, 5).double()
BUILD_SEED: Final = 20240229
_LAYERS: Final = {2: nn.Linear, 3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}


class Instance:
    """A subject built for one weight: ``tensors`` (what it maps to W) and the module that does it.

    ``primary`` is the index of the tensor with the weight's shape, V; the others (a gain g) keep the values that
    ``right_inverse`` gave them.
    """

    def __init__(self, module: nn.Module | None, call: Callable[..., Any], tensors: Sequence[Tensor], primary: int):
        self.module = module
        self._call = call
        self.tensors = tuple(t.detach().clone() for t in tensors)
        self.primary = primary

    def __call__(self, *tensors: Tensor) -> Tensor:
        """W of these tensors; a ``TypeError`` when what comes back is no tensor."""
        out = self._call(*tensors)
        if not isinstance(out, Tensor):
            raise TypeError(f"forward must return one tensor; it returned {type(out).__name__}")
        return out

    def out(self) -> Tensor:
        """W of the tensors as they were built."""
        return self(*self.tensors)

    def at(self, V: Tensor) -> Tensor:
        """W of V, the other tensors staying as they were built."""
        return self(*self.with_primary(V))

    def with_primary(self, V: Tensor) -> tuple[Tensor, ...]:
        return tuple(V if i == self.primary else t.to(V.dtype) for i, t in enumerate(self.tensors))

    @property
    def V(self) -> Tensor:
        return self.tensors[self.primary]

    def to(self, dtype: torch.dtype) -> Instance:
        """The same map, module and tensors converted: one initialisation seen in two dtypes."""
        module = None if self.module is None else copy.deepcopy(self.module).to(dtype)
        return Instance(module, module or self._call, [t.to(dtype) for t in self.tensors], self.primary)

    def eval(self) -> Instance:
        if self.module is not None:
            self.module.eval()
        return self


class Subject:
    """A loaded subject; ``build(V)`` makes a fresh instance whose tensor V is the given one."""

    def __init__(self, spec: TargetSpec):
        self.spec = spec
        self.name = spec.subject
        self.object, self._module = load(spec)
        self.arguments = {**self._said("ARGS", self.object), **spec.arguments}
        speaker = self._speaker()
        self.declares = check_declared({**self._said("DECLARES", speaker), **spec.declare})
        self.domain = check_domain(self._said("DOMAIN", speaker))
        self.target_set = check_set(self._said("SET", speaker), self.declares)

    def build(self, V: Tensor, *, training: bool = True) -> Instance:
        """A fresh instance for a weight V, in training mode unless told; every build draws the same random numbers.

        The instance's own ``V`` is what registration made of the weight: the weight itself, unless ``right_inverse``
        maps it to other coordinates.
        """
        _seed_everything(BUILD_SEED)
        made = self._make(V)
        if made is None:
            return Instance(None, functools.partial(self.object, **self.arguments), (V,), 0)
        if isinstance(made, nn.Module):
            made.train(training)
            owner = getattr(made, "parametrizations", None)
            if isinstance(owner, nn.ModuleDict):
                return self._from_layer(made, V)
            if V.is_floating_point() and any(p.dtype != V.dtype for p in made.parameters()):
                made.to(V.dtype)
            return self._from_module(made, V)
        raise TypeError(f"{self.spec.target} must make a module with forward(V); it made {type(made).__name__}")

    @functools.cached_property
    def style(self) -> str:
        """How the class or factory is called: ``()``, ``(weight)`` or ``(module, name)``."""
        return _calling_style(self.object, self.arguments)

    @property
    def is_module(self) -> bool:
        """Whether it can be registered on a layer: everything but a plain function of a tensor."""
        if isinstance(self.object, nn.Module) or inspect.isclass(self.object):
            return True
        return self.style != "(weight)" or self._make(_ORDINARY.clone()) is not None

    def _make(self, V: Tensor) -> Any:
        """The module or layer that the object makes for this weight; None for a plain map of tensors."""
        target: Any = self.object
        if isinstance(target, nn.Module):
            return copy.deepcopy(target)
        if not callable(target):
            raise TargetError(f"TARGET {self.spec.target!r} must be a class, a module or a function; got {target!r}")
        if self.style == "()":
            return target(**self.arguments)
        if self.style == "(module, name)":
            layer = _layer_for(V)
            made = target(layer, "weight", **self.arguments)
            return layer if made is None else made
        trial: Any = target(V.detach().clone(), **self.arguments)
        if isinstance(trial, Tensor):
            if trial.dim() == 0 and V.dim() > 0:
                raise TargetError(f"TARGET {self.spec.target!r} maps a weight to a scalar: no parametrization")
            return None
        return trial

    def _from_layer(self, layer: nn.Module, V: Tensor) -> Instance:
        registered: Any = layer.parametrizations
        name = "weight" if "weight" in registered else next(iter(registered))
        chain = registered[name]
        tensors = [chain.original] if hasattr(chain, "original") else []
        index = 0
        while hasattr(chain, f"original{index}"):
            tensors.append(getattr(chain, f"original{index}"))
            index += 1
        steps = _Chain(chain)
        return _instance(steps, tensors, V)

    def _from_module(self, module: nn.Module, V: Tensor) -> Instance:
        inverse = getattr(module, "right_inverse", None)
        if _required_tensors(module.forward) > 1 or (inverse is not None and self._several(module, V)):
            if inverse is None:
                raise TypeError("forward takes several tensors, so right_inverse(W) must return them; it has none")
            made = inverse(V.detach().clone())
            tensors = list(made) if isinstance(made, tuple | list) else [made]
            return _instance(module, tensors, V)
        return Instance(module, module, (V,), 0)

    def _several(self, module: nn.Module, V: Tensor) -> bool:
        """Whether forward takes optional further tensors that right_inverse supplies."""
        if _most_tensors(module.forward) < 2:
            return False
        made = module.right_inverse(V.detach().clone())  # type: ignore[operator]
        return isinstance(made, tuple | list) and len(made) > 1

    def _speaker(self) -> Any:
        """Whose attributes speak: an instance where the class needs no weight, since they may depend on arguments."""
        if inspect.isclass(self.object) and self.style == "()":
            return self.object(**self.arguments)
        return self.object

    def _said(self, name: str, speaker: Any) -> Mapping[str, Any]:
        """Attributes of the speaker over the mappings of its module, or else of the module that the target names."""
        own = sys.modules.get(getattr(self.object, "__module__", None) or type(self.object).__module__)
        spoken = (vars(module).get(name) for module in (own, self._module) if module is not None)
        from_module: Any = next((given for given in spoken if given is not None), {})
        from_object = getattr(speaker, name, None) or {}
        for given in (from_module, from_object):
            if not isinstance(given, Mapping):
                raise ValueError(f"{name} must be a mapping from names to values; got {type(given).__name__}")
        return {**from_module, **from_object}


class _Chain(nn.Module):
    """The parametrizations of one tensor of a layer, one after the other, as the layer applies them."""

    def __init__(self, steps: Iterable[nn.Module]):
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, *originals: Tensor) -> Any:
        first, *others = self.steps
        out = first(*originals)
        for step in others:
            out = step(out)
        return out


def _instance(module: nn.Module, tensors: Sequence[Tensor], V: Tensor) -> Instance:
    """The instance whose V is the tensor of the weight's shape; the last such tensor where several have it."""
    fitting = [i for i, t in enumerate(tensors) if t.shape == V.shape]
    if not fitting:
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
        raise TypeError(f"no tensor of the parametrization has the weight's shape {tuple(V.shape)}; they have {shapes}")
    return Instance(module, module, tensors, fitting[-1])


def _seed_everything(seed: int) -> None:
    """``torch.manual_seed`` where a device beside the CPU is in use; elsewhere that would queue a call for each device,
    with its formatted stack, at every build."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def _calling_style(target: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """How the class or factory wants to be called: ``()``, ``(weight)`` or ``(module, name)``."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return "()" if inspect.isclass(target) else "(weight)"
    missing = [
        p
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in arguments
    ]
    first = next(iter(signature.parameters), "")
    if first in ("module", "layer") and len(signature.parameters) > 1:
        return "(module, name)"
    if not missing:
        return "()"
    if len(missing) == 1:
        return "(module, name)" if first in ("module", "layer") else "(weight)"
    names = ", ".join(p.name for p in missing)
    raise TargetError(f"constructor arguments {names} are missing: give them with --arg name=value or ARGS")


def _layer_for(V: Tensor) -> nn.Module:
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


def _required_tensors(forward: Callable[..., Any]) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in positional for p in _parameters(forward))


def _most_tensors(forward: Callable[..., Any]) -> int:
    kinds = [p.kind for p in _parameters(forward)]
    variadic = any(kind is inspect.Parameter.VAR_POSITIONAL for kind in kinds)
    return 99 if variadic else sum(k is not inspect.Parameter.VAR_KEYWORD for k in kinds)


def _parameters(forward: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        return []


def parametrized_layer(subject: Subject, layer: nn.Module) -> nn.Module:
    """``layer`` with the subject registered on its weight, as its user would do it."""
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError("layer must have a tensor called weight")
    made = subject._make(weight.detach())
    if made is None:
        raise TypeError("the subject is a function of a tensor, not a module: it cannot be registered on a layer")
    if isinstance(getattr(made, "parametrizations", None), nn.ModuleDict):
        style_layer: nn.Module = subject.object(layer, "weight", **subject.arguments) or layer
        return style_layer
    made.to(weight.dtype)
    parametrize.register_parametrization(layer, "weight", made)
    return layer
