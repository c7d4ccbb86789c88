"""The maps of a method of the catalogue: its NumPy reference, its balls and its PyTorch form, with one set of options.

A parametrization is one map (``forward``), a constraint one or two (``project``, ``transform``), a penalty one or two
(``value``, whose gradient is its derivative, and ``prox``).  Every map takes a matrix and gives a matrix: a transform
takes the rows of W above those of G, a value is a matrix of one entry.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, Final

import flint
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wnverify.finding import slug
from wnverify.methods.catalogue import Method, implemented, settings_of

Matrix = NDArray[np.float64]
STEP: Final = 0.37
"""The step of a proximal point: none of the numbers that make formulas simpler than they are."""
JUDGED: Final = ("parametrization", "constraint", "penalty")
DIRECTION: Final = {"weight_normalization": {"gain": False}}
"""Its gain is a factor of its own; what is judged is the direction."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Map:
    """One map in its three forms; ``vjp``, ``ball`` and ``ball_vjp`` are None where the method has none."""

    name: str
    reference: Callable[[Matrix], Matrix]
    vjp: Callable[[Matrix, Matrix], Matrix] | None
    ball: Callable[..., flint.arb_mat] | None
    ball_vjp: Callable[..., flint.arb_mat] | None
    implementation: Callable[[Tensor], Tensor]
    nonexpansive: bool = False

    @property
    def stacked(self) -> bool:
        """Whether the matrix is W above G."""
        return self.name == "transform"


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A method with its ``options``; ``said``: those beside the defaults, as the catalogue has them, else empty."""

    method: Method
    said: str = ""

    @property
    def name(self) -> str:
        return f"{self.method.id} {self.said}".strip()

    @property
    def options(self) -> dict[str, Any]:
        return {**DIRECTION.get(self.method.id, {}), **self.method.fixed, **settings_of(self.said)}

    def case(self, dtype: str) -> str:
        """The last part of a finding's id."""
        return slug(f"{dtype},{self.said.replace(chr(39), '')}") if self.said else dtype

    @property
    def conditions(self) -> tuple[str, ...]:
        """The options as a finding states them."""
        return (f"with {self.said}",) if self.said else ()

    def build(self, **others: Any) -> Any:
        """The PyTorch object with these options and ``others`` (``dim``, ``groups``, ``factor``, ``every``)."""
        module, _, name = self.method.implementation.partition(":")
        return getattr(importlib.import_module(module), name)(**self.options, **others)

    def function(self, form: str, name: str) -> Callable[..., Any] | None:
        """``reference.name`` or ``enclosure.name`` with the options that it takes; None where there is none, or no
        enclosure with an option that the reference has."""
        try:
            module = importlib.import_module(f"{self.method.module}.{form}")
        except ModuleNotFoundError:
            return None
        found = getattr(module, name, None)
        if found is None:
            return None
        taken = inspect.signature(found).parameters
        if form == "enclosure":
            reference = getattr(importlib.import_module(f"{self.method.module}.reference"), name, found)
            if any(key in inspect.signature(reference).parameters and key not in taken for key in self.options):
                return None
        return functools.partial(found, **{key: value for key, value in self.options.items() if key in taken})

    def maps(self) -> tuple[Map, ...]:
        """Every map of weights alone that the reference has."""
        if self.method.kind == "penalty" and _needs_data(self.function("reference", "value")):
            return ()
        if self.method.kind == "parametrization":
            return (self._map("forward", "vjp", lambda V: self.build()(V)),)
        if self.method.kind == "constraint":
            found = [self._map("project", "vjp", lambda W: self.build()(W))]
            if self.function("reference", "transform"):
                found.append(self._transform())
            return tuple(found)
        found = [self._value()]
        if self.function("reference", "prox"):
            found.append(self._prox())
        return tuple(found)

    def _map(self, name: str, vjp: str, implementation: Callable[[Tensor], Tensor]) -> Map:
        reference = self.function("reference", name)
        if reference is None:
            raise ValueError(f"{self.method.module}.reference must have {name!r}; it has not")
        found = (self.function("reference", vjp), self.function("enclosure", name), self.function("enclosure", vjp))
        return Map(name, reference, *found, implementation)

    def _transform(self) -> Map:
        reference, ball = (self.function(form, "transform") for form in ("reference", "enclosure"))
        constraint = self.build()

        def halves(X: Any) -> tuple[Any, Any]:
            return X[: len(X) // 2], X[len(X) // 2 :]

        return Map(
            "transform",
            lambda X: reference(*halves(X)),  # type: ignore[misc]
            None,
            None if ball is None else lambda X, **given: ball(*halves(X), **given),
            None,
            lambda X: constraint.transform(*halves(X)),
        )

    def _value(self) -> Map:
        value, gradient = (self.function("reference", name) for name in ("value", "gradient"))
        ball, ball_gradient = (self.function("enclosure", name) for name in ("value", "gradient"))
        return Map(
            "value",
            lambda W: np.array([[value(W)]], dtype=np.float64),  # type: ignore[misc]
            None if gradient is None else lambda W, A: A.item() * gradient(W),
            None if ball is None else lambda W, **given: flint.arb_mat([[ball(W, **given)]]),
            None if ball_gradient is None else lambda W, A, **given: ball_gradient(W, **given) * flint.arb(A.item()),
            lambda W: self.build()(W).reshape(1, 1),
        )

    def _prox(self) -> Map:
        reference, ball = (self.function(form, "prox") for form in ("reference", "enclosure"))
        return Map(
            "prox",
            lambda W: reference(W, STEP),  # type: ignore[misc]
            None,
            None if ball is None else lambda W, **given: ball(W, STEP, **given),
            None,
            lambda W: self.build().prox(W, STEP),
            bool(self.build().DECLARES.get("convex")),
        )


def _needs_data(function: Callable[..., Any] | None) -> bool:
    """Whether it takes more than a weight: a penalty on outputs has no error model of a weight's."""
    parameters = () if function is None else inspect.signature(function).parameters.values()
    return sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) != 1


def forms(method: Method) -> tuple[Form, ...]:
    """The method by itself and with each of its options, those that change nothing left out."""
    found = [Form(method)]
    for said in method.options:
        form = Form(method, said)
        if all(form.options != other.options for other in found):
            found.append(form)
    return tuple(found)


def judged() -> tuple[Method, ...]:
    """The methods of this project that are maps: parametrizations, constraints and penalties."""
    return tuple(method for method in implemented() if method.kind in JUDGED)
