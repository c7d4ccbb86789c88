"""The maps of a method of the catalogue: its NumPy reference, its balls and its PyTorch form, with one set of options.

A parametrization is one map (``forward``), a constraint one or two (``project``, ``transform``), a penalty one or two
(``value``, whose gradient is its derivative, and ``prox``).  Every map takes a matrix and gives a matrix: a transform
takes the rows of W above those of G, a value is a matrix of one entry.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wnverify.finding import slug
from wnverify.methods.catalogue import Method, settings_of
from wnverify.numerics.topics import judged as judged

if TYPE_CHECKING:
    import flint

Matrix = NDArray[np.float64]
STEP: Final = 0.37
"""The step of a proximal point: none of the numbers that make formulas simpler than they are."""
DIRECTION: Final = {"weight_normalization": {"gain": False}}
"""Its gain is a factor of its own; what is judged is the direction."""
APPLIED: Final[Mapping[str, Callable[[Any, Tensor], Tensor]]] = {
    "forward": lambda built, V: built(V),
    "project": lambda built, W: built(W),
    "transform": lambda built, X: built.transform(X[: len(X) // 2], X[len(X) // 2 :]),
    "value": lambda built, W: built(W).reshape(1, 1),
    "prox": lambda built, W: built.prox(W, STEP),
}
"""How each map is called on the PyTorch object of its method."""
NO_ENCLOSURES: Final = "python-flint is not installed"


def encloses() -> bool:
    """Whether there is ball arithmetic: without python-flint everything but the enclosures works."""
    return importlib.util.find_spec("flint") is not None


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
    def lacks_enclosure(self) -> bool:
        """Whether the method has an enclosure that only ``NO_ENCLOSURES`` keeps from being asked."""
        return not encloses() and importlib.util.find_spec(f"{self.method.module}.enclosure") is not None

    @property
    def conditions(self) -> tuple[str, ...]:
        """The options as a finding states them."""
        return (f"with {self.said}",) if self.said else ()

    def build(self, **others: Any) -> Any:
        """The PyTorch object with these options and ``others`` (``dim``, ``groups``, ``factor``, ``every``)."""
        module, _, name = self.method.implementation.partition(":")
        return getattr(importlib.import_module(module), name)(**self.options, **others)

    def built(self, name: str) -> Callable[[Tensor], Tensor]:
        """The map ``name`` of one object of this form, built here: what a compiler or an exporter is given."""
        return functools.partial(APPLIED[name], self.build())

    def fresh(self, name: str) -> Callable[[Tensor], Tensor]:
        """The same of a new object at every call, so that no call sees what another left."""
        return lambda V: self.built(name)(V)

    def function(self, form: str, name: str) -> Callable[..., Any] | None:
        """``reference.name`` or ``enclosure.name`` with the options that it takes; None where there is none, or no
        enclosure with an option that the reference has, or no enclosure at all (``encloses``)."""
        if form == "enclosure" and not encloses():
            return None
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
            return (self._map("forward", "vjp"),)
        if self.method.kind == "constraint":
            found = [self._map("project", "vjp")]
            if self.function("reference", "transform"):
                found.append(self._transform())
            return tuple(found)
        found = [self._value()]
        if self.function("reference", "prox"):
            found.append(self._prox())
        return tuple(found)

    def _map(self, name: str, vjp: str) -> Map:
        reference = self.function("reference", name)
        if reference is None:
            raise ValueError(f"{self.method.module}.reference must have {name!r}; it has not")
        found = (self.function("reference", vjp), self.function("enclosure", name), self.function("enclosure", vjp))
        return Map(name, reference, *found, self.fresh(name))

    def _transform(self) -> Map:
        reference, ball = (self.function(form, "transform") for form in ("reference", "enclosure"))

        def halves(X: Any) -> tuple[Any, Any]:
            return X[: len(X) // 2], X[len(X) // 2 :]

        return Map(
            "transform",
            lambda X: reference(*halves(X)),  # type: ignore[misc]
            None,
            None if ball is None else lambda X, **given: ball(*halves(X), **given),
            None,
            self.fresh("transform"),
        )

    def _value(self) -> Map:
        value, gradient = (self.function("reference", name) for name in ("value", "gradient"))
        ball, ball_gradient = (self.function("enclosure", name) for name in ("value", "gradient"))
        return Map(
            "value",
            lambda W: np.array([[value(W)]], dtype=np.float64),  # type: ignore[misc]
            None if gradient is None else lambda W, A: A.item() * gradient(W),
            None if ball is None else lambda W, **given: _entry(ball(W, **given)),
            None if ball_gradient is None else lambda W, A, **given: _times(ball_gradient(W, **given), A.item()),
            self.fresh("value"),
        )

    def _prox(self) -> Map:
        reference, ball = (self.function(form, "prox") for form in ("reference", "enclosure"))
        return Map(
            "prox",
            lambda W: reference(W, STEP),  # type: ignore[misc]
            None,
            None if ball is None else lambda W, **given: ball(W, STEP, **given),
            None,
            self.fresh("prox"),
            bool(self.build().DECLARES.get("convex")),
        )


def _entry(ball: flint.arb) -> flint.arb_mat:
    import flint

    return flint.arb_mat([[ball]])


def _times(balls: flint.arb_mat, factor: float) -> flint.arb_mat:
    import flint

    return balls * flint.arb(factor)


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
