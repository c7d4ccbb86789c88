"""A subject in the process where it is audited: loaded, recognised, built for a weight, called.

Recognised by what it does.  A class or factory is called with ``()``, ``(weight)`` or ``(module, name)``; what comes
back is a module or another callable, or, for a plain function of a tensor, the result itself.  What gives a scalar is a
penalty.  Of the rest modules with ``forward(V) → W`` (perhaps of several tensors, as ``right_inverse`` returns them)
and layers that carry a parametrization are parametrizations; functions and other callables of W are projections, and
so are modules that declare ``euclidean_projection`` and whose output has no graph.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wnverify.auditing.calling import (
    calling_style,
    is_object,
    layer_for,
    most_tensors,
    parameters_of,
    required,
    required_tensors,
)
from wnverify.auditing.instance import Chain, Instance, fitting
from wnverify.auditing.loading import load
from wnverify.auditing.target import PARAMETRIZATION, PENALTY, PROJECTION, TargetError, TargetSpec
from wnverify.auditing.vocabulary import check_declared, check_domain, check_set

_ORDINARY: Final = torch.eye(3, 5, dtype=torch.float64) + torch.linspace(0.1, 0.6, 15).reshape(3, 5).double()
_LARGER: Final = torch.eye(4, 12, dtype=torch.float64) + torch.linspace(0.1, 0.6, 48).reshape(4, 12).double()
_TRIED: Final = (_ORDINARY, _LARGER, _ORDINARY / 64)
"""Weights at which a subject is recognised, the first that it takes: a barrier takes small ones alone."""
BUILD_SEED: Final = 20240229


class Subject:
    """A loaded subject; ``build(V)`` makes a fresh instance whose tensor V is the given one.

    ``kind`` (``parametrization``, ``projection``, ``penalty``) is what the specification or the caller says, or else
    what the object does with an ordinary weight; what cannot be found out counts as a parametrization.
    """

    def __init__(self, spec: TargetSpec, kind: str | None = None):
        self.spec = spec
        self.name = spec.subject
        self.object, self._module = load(spec)
        self.arguments = {**self._said("ARGS", self.object), **spec.settings, **spec.arguments}
        speaker = self._speaker
        self.kind: str = kind or spec.kind or self._recognised()
        said = {**self._said("DECLARES", speaker), **spec.declare}
        self.declares = check_declared(said, kind=self.kind)
        # The name says what a penalty's own ``prox`` is, unless that is denied; a module's may be another penalty's.
        self.has_own_prox = callable(getattr(speaker, "prox", None)) and said.get("is_prox_of_penalty") is not False
        self.domain = check_domain(self._said("DOMAIN", speaker))
        self.target_set = check_set(self._said("SET", speaker), self.declares)
        if "is_prox_of_penalty" in self.declares and not self._has_prox():
            raise ValueError("DECLARES['is_prox_of_penalty'] needs prox(W, step) beside the penalty; there is none")

    def build(self, V: Tensor, *, training: bool = True) -> Instance:
        """A fresh instance for a weight V, in training mode unless told; every build draws the same random numbers.

        The instance's own ``V`` is what registration made of the weight: the weight itself, unless ``right_inverse``
        maps it to other coordinates.
        """
        _seed_everything(BUILD_SEED)
        made = self._make(V)
        scalar = self.kind == PENALTY
        if made is None:
            call = functools.partial(self.object, **self.arguments)
            return Instance(None, call, (V,), 0, scalar=scalar, prox=self._neighbouring_prox())
        if isinstance(made, nn.Module):
            made.train(training)
            owner = getattr(made, "parametrizations", None)
            if isinstance(owner, nn.ModuleDict):
                return self._from_layer(made, V)
            _brought_to(made, V.dtype)
            return Instance(made, made, (V,), 0, scalar=True) if scalar else self._from_module(made, V)
        if callable(made):
            return Instance(None, made, (V,), 0, scalar=scalar)
        said = f"{self.spec.target} must make a module with forward(V) or a function of a tensor"
        raise TypeError(f"{said}; it made {type(made).__name__}")

    @functools.cached_property
    def style(self) -> str:
        """How the class or factory is called: ``()``, ``(weight)`` or ``(module, name)``."""
        return calling_style(self.object, self.arguments)

    def refuses_weight(self) -> str:
        """What to do where a class that asks for one thing cannot be made of the weight; else empty."""
        if not inspect.isclass(self.object) or self.style != "(weight)":
            return ""
        try:
            self._make(_ORDINARY.clone())
        except Exception:  # whatever it raises has been said
            (wanted,) = required(self.object, self.arguments)
            return (
                f"its one argument without a value, {wanted}, was given the weight: give it with --arg {wanted}=… "
                "or ARGS, or audit a function of the weight that makes it, as "
                f"def make(weight): return {self.object.__name__}(len(weight))"
            )
        return ""

    @property
    def is_function(self) -> bool:
        """Whether it is a plain function of a tensor: nothing that has a state, can be copied or registered."""
        if isinstance(self.object, nn.Module) or inspect.isclass(self.object):
            return False
        return self.style == "(weight)" and self._make(_ORDINARY.clone()) is None

    @functools.cached_property
    def capabilities(self) -> frozenset[str]:
        """What checks may need: ``object`` (it can be copied), ``gradient`` (it is meant to have one), ``derivative``
        (which is meant to be the derivative) and ``prox``.

        Of a parametrization and of a penalty a gradient is always asked, of a projection where its output has a graph;
        not of a penalty that is used by its prox because it counts, and is constant around nearly every weight.
        """
        has = set() if self.is_function else {"object"}
        if self.kind == PENALTY and self._has_prox():
            has.add("prox")
        if self.kind == PROJECTION:
            differentiable = self._carries_a_graph()
        else:
            differentiable = "prox" not in has or self._carries_a_graph() or not self._counts()
        if differentiable:
            has.add("gradient")
            if not self.domain.get("surrogate_gradient"):
                has.add("derivative")
        return frozenset(has)

    def _recognised(self) -> str:
        """The kind, by what is made and what that makes of an ordinary weight."""
        for V in _TRIED:
            with contextlib.suppress(Exception):  # foreign code may raise anything; another weight may do
                _seed_everything(BUILD_SEED)
                made = self._make(V.clone())
                if isinstance(made, nn.Module):
                    if hasattr(made, "parametrizations") or required_tensors(made.forward) > 1:
                        return PARAMETRIZATION
                    _brought_to(made, V.dtype)
                elif made is not None and not callable(made):
                    return PARAMETRIZATION
                call = functools.partial(self.object, **self.arguments) if made is None else made
                with torch.no_grad():
                    out = call(V.clone())
                if isinstance(out, Tensor) and out.numel() == 1 and out.shape != V.shape:
                    return PENALTY
                parametrizes = isinstance(made, nn.Module) and not self._says_projection(call, V)
                return PARAMETRIZATION if parametrizes else PROJECTION
        return PARAMETRIZATION

    def _says_projection(self, call: Callable[..., Any], V: Tensor) -> bool:
        """Whether a module calls itself a projection and gives no graph: it is meant for after the optimiser's step."""
        said = {**self._said("DECLARES", self._speaker), **self.spec.declare}
        if not said.get("euclidean_projection"):
            return False
        out = call(V.clone().requires_grad_())
        return isinstance(out, Tensor) and not out.requires_grad

    def _make(self, V: Tensor) -> Any:
        """The module, layer or other callable that the object makes for this weight; None for a function of tensors."""
        target: Any = self.object
        if isinstance(target, nn.Module) or is_object(target):
            return copy.deepcopy(target)
        if not callable(target):
            raise TargetError(f"TARGET {self.spec.target!r} must be a class, a module or a function; got {target!r}")
        if self.style == "()":
            return target(**self.arguments)
        if self.style == "(module, name)":
            layer = layer_for(V)
            made = target(layer, "weight", **self.arguments)
            return layer if made is None else made
        trial: Any = target(V.detach().clone(), **self.arguments)
        return None if isinstance(trial, Tensor) else trial

    def _carries_a_graph(self) -> bool:
        """Whether the output for an ordinary weight that needs a gradient has a graph."""
        for V in _TRIED:
            with contextlib.suppress(Exception):  # foreign code may raise anything; another weight may do
                out = self.build(V).at(V.clone().requires_grad_())
                return out.grad_fn is not None  # not so the weight itself, given back
        return False

    def _counts(self) -> bool:
        """Whether the value stays as it is when an ordinary weight moves a little, and is another at a sparse one."""
        sparse = _ORDINARY * (torch.arange(_ORDINARY.numel()).reshape(_ORDINARY.shape) % 2)
        moved = (_ORDINARY * (1 + 1e-6 * step) for step in (1, -1, _ORDINARY.sin()))
        with contextlib.suppress(Exception), torch.no_grad():  # what it raises is a finding of contract.forward
            here, at_sparse, *near = (self.build(V).at(V.clone()) for V in (_ORDINARY, sparse, *moved))
            return not torch.equal(here, at_sparse) and all(torch.equal(here, there) for there in near)
        return False

    def _has_prox(self) -> bool:
        if not (inspect.isclass(self.object) or isinstance(self.object, nn.Module) or is_object(self.object)):
            with contextlib.suppress(Exception):  # what cannot be built is a finding of contract.forward
                return self.build(_ORDINARY).has_prox
        return callable(getattr(self._speaker, "prox", None))

    def surrogate(self, instance: Instance) -> Callable[[Tensor], Tensor] | None:
        """The map whose derivative a surrogate gradient is meant to be, of the object or beside it; None if unsaid."""
        spoken = [getattr(instance.callable, "surrogate", None)]
        own = sys.modules.get(getattr(self.object, "__module__", None) or type(self.object).__module__)
        spoken += [vars(module).get("surrogate") for module in (own, self._module) if module is not None]
        return next((found for found in spoken if callable(found)), None)

    def _neighbouring_prox(self) -> Callable[..., Any] | None:
        """The ``prox`` of the module that a function comes from, given those of the arguments that it takes."""
        if self.kind != PENALTY:
            return None
        for module in (sys.modules.get(getattr(self.object, "__module__", None) or ""), self._module):
            found = None if module is None else vars(module).get("prox")
            if callable(found):
                takes = {p.name for p in parameters_of(found)}
                return functools.partial(found, **{k: v for k, v in self.arguments.items() if k in takes})
        return None

    def _from_layer(self, layer: nn.Module, V: Tensor) -> Instance:
        registered: Any = layer.parametrizations
        name = "weight" if "weight" in registered else next(iter(registered))
        chain = registered[name]
        tensors = [chain.original] if hasattr(chain, "original") else []
        index = 0
        while hasattr(chain, f"original{index}"):
            tensors.append(getattr(chain, f"original{index}"))
            index += 1
        steps = Chain(chain)
        return fitting(steps, tensors, V, getattr(chain[-1], "right_inverse", None) if len(chain) == 1 else None)

    def _from_module(self, module: nn.Module, V: Tensor) -> Instance:
        inverse = getattr(module, "right_inverse", None)
        if required_tensors(module.forward) > 1 or (inverse is not None and self._several(module, V)):
            if inverse is None:
                raise TypeError("forward takes several tensors, so right_inverse(W) must return them; it has none")
            made = inverse(V.detach().clone())
            tensors = list(made) if isinstance(made, tuple | list) else [made]
            return fitting(module, tensors, V, inverse)
        return Instance(module, module, (V,), 0)

    def _several(self, module: nn.Module, V: Tensor) -> bool:
        """Whether forward takes optional further tensors that right_inverse supplies."""
        if most_tensors(module.forward) < 2:
            return False
        made = module.right_inverse(V.detach().clone())  # type: ignore[operator]
        return isinstance(made, tuple | list) and len(made) > 1

    @functools.cached_property
    def _speaker(self) -> Any:
        """Whose attributes speak: what a class or a factory makes of an ordinary weight, since they may depend on
        arguments; of a layer its one parametrization.  The object itself where nothing is made."""
        target: Any = self.object
        if isinstance(target, nn.Module) or is_object(target):
            return target
        if inspect.isclass(target) and self.style == "()":
            return target(**self.arguments)
        for V in _TRIED:
            with contextlib.suppress(Exception):  # what it raises is a finding of contract.forward
                _seed_everything(BUILD_SEED)
                made = self._make(V.clone())
                return target if made is None else _only_parametrization(made)
        return target

    def _said(self, name: str, speaker: Any) -> Mapping[str, Any]:
        """The mappings of the object's module, or else of the module that the target names; over them the attributes of
        the speaker; over these a factory's own."""
        own = sys.modules.get(getattr(self.object, "__module__", None) or type(self.object).__module__)
        spoken = (vars(module).get(name) for module in (own, self._module) if module is not None)
        from_module: Any = next((given for given in spoken if given is not None), {})
        from_speaker = getattr(speaker, name, None) or {}
        from_factory = {} if inspect.isclass(self.object) else getattr(self.object, name, None) or {}
        for given in (from_module, from_speaker, from_factory):
            if not isinstance(given, Mapping):
                raise ValueError(f"{name} must be a mapping from names to values; got {type(given).__name__}")
        return {**from_module, **from_speaker, **from_factory}


def _brought_to(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert a module that was made in another floating dtype, as a model is that holds it.

    A module of buffers alone is converted to float64, in which nobody makes them and the audit looks; to others it is
    not, so that what a buffer of its own dtype does there is seen.
    """
    held = [*module.parameters(), *(module.buffers() if dtype == torch.float64 else ())]
    if dtype.is_floating_point and any(tensor.is_floating_point() and tensor.dtype != dtype for tensor in held):
        module.to(dtype)


def _only_parametrization(made: Any) -> Any:
    """The one parametrization of a layer; else the thing itself: several say nothing of one after the other."""
    owner = getattr(made, "parametrizations", None)
    if not isinstance(owner, nn.ModuleDict) or not len(owner):
        return made
    steps: Any = owner["weight"] if "weight" in owner else next(iter(owner.values()))
    return steps[0] if len(steps) == 1 else made


def _seed_everything(seed: int) -> None:
    """``torch.manual_seed`` where a device beside the CPU is in use; elsewhere that would queue a call for each device,
    with its formatted stack, at every build."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


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
