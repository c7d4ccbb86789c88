"""Whether a method's eps does in a format what it does in mathematics, and the smallest one that does."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch

from wnverify.finding import Evidence, Finding, Json, Verdict, seed_of
from wnverify.numerics import matrices
from wnverify.numerics import precision_cases as measured
from wnverify.numerics.forms import Form, Map
from wnverify.numerics.judge import Subject, attempt, finding
from wnverify.numerics.matrices import Matrix
from wnverify.numerics.precision_accuracy import measured_check
from wnverify.numerics.precision_cases import SHAPE, Row
from wnverify.numerics.precision_formats import FORMATS
from wnverify.numerics.precision_range import last

NAMES: Final = ("eps", "epsilon")
EFFECT: Final = 0.5
"""An eps must show where it changes the value by this part of itself."""


def eps_of(form: Form) -> tuple[str, float] | None:
    """The name and the value of the method's eps with these options; None where it has none, or one of 0."""
    parameters = inspect.signature(type(form.build()).__init__).parameters
    for name in NAMES:
        if name in parameters:
            value = float(form.options.get(name, parameters[name].default))
            return (name, value) if value > 0 else None
    return None


def alive(subject: Subject, row: Row, name: str, value: float, *, own: bool) -> Finding:
    """``pass`` where the eps shows in the value wherever mathematics has it show, or the format has no such row.

    Asked at the largest power of two times small integers at which eps changes the reference's W by half of it, and at
    a zero row, a zero matrix where only an eps gives a value: the implementation must be nearer to the reference with
    eps than without.  Figures: ``eps``, ``alive`` (None where no weight of the format asks), ``at`` (exponent of two),
    ``dead_at``, and of the method's ``own`` implementation, not in a quick run, ``smallest`` (the smallest power of two
    that is alive) and ``own_smallest`` (the smallest that any weight of the format asks for).
    """
    look = _Look(subject, row, name, own)
    lives, at = look.alive(value)
    figures: dict[str, Json] = {"eps": value, "alive": lives, "at": at}
    told = f"{name} = {value:g} " + {None: "changes no value of the format", True: "is alive", False: "is dead"}[lives]
    told += f" at scale 2^{at}" if at is not None else ""
    if own and not subject.quick:
        # From 1 downwards, in powers of two.
        smallest = last(lambda exponent: look.asked(2.0**exponent) is not None, -1074)
        figures["own_smallest"] = 2.0**smallest
        lived = smallest
        if look.alive(2.0**smallest)[0] is False:
            lived = last(lambda exponent: look.alive(2.0**exponent)[0] is True, smallest)
        figures["smallest"] = 2.0**lived
        told += f"; the smallest alive is 2^{lived}, of 2^{smallest} that the format can ask for"
    dead_at = [] if lives is False else look.dead(value)
    figures["dead_at"] = list(dead_at)
    told += "".join(f"; dead at a {where}" for where in dead_at)
    route = Evidence(
        route="arithmetic",
        verdict=Verdict.HAZARD if lives is False or dead_at else Verdict.PASS,
        note=told,
        figures=figures,
    )
    asked = f"Does {name} change the value where it must?"
    return finding(subject, measured_check(subject, "eps"), row.label, asked, [route])


class _Look:
    """One subject in one format with any value of its eps."""

    def __init__(self, subject: Subject, row: Row, name: str, own: bool) -> None:
        self.subject, self.row, self.name, self.own = subject, row, name, own
        # Small integers times a power of two are exact in every format, down to its smallest normal number.
        self.V = np.round(3 * matrices.normal(*SHAPE, seed=seed_of(subject.seed, "precision", "integers"))) + 1
        self.map = functools.cache(self._map)

    def _map(self, eps: float) -> Map:
        form = self.subject.form
        return dataclasses.replace(form, said=f"{form.said} {self.name}={eps!r}".strip()).maps()[0]

    def _pair(self, V: Matrix, eps: float) -> tuple[Any, Any]:
        """The reference's W with eps and without; exceptions in their place."""
        with np.errstate(all="ignore"):
            return attempt(self.map(eps).reference, V), attempt(self.map(0.0).reference, V)

    def _shows(self, eps: float, exponent: int) -> bool:
        W, without = self._pair(np.ldexp(self.V, exponent), eps)
        if isinstance(W, Exception) or isinstance(without, Exception):
            return False
        return bool(np.abs(W - without).max() >= EFFECT * np.abs(without).max())

    def asked(self, eps: float) -> int | None:
        """The largest exponent at which the eps must show; None where the format has none or cannot hold the change."""
        form = FORMATS[self.row.format]
        if not self._shows(eps, form.lowest):
            return None
        exponent = form.lowest + last(lambda up: self._shows(eps, form.lowest + up), form.highest - form.lowest)
        W, without = self._pair(np.ldexp(self.V, exponent), eps)
        held = all(measured.representable(X, self.row.format) for X in (W, W - without))
        return exponent if held else None

    def _found(self, V: Matrix, eps: float) -> Any:
        implementation: Callable[..., Any] = (self.map(eps) if self.own else self.subject.map).implementation
        with torch.no_grad():
            W = attempt(implementation, torch.tensor(V, dtype=self.row.dtype, device=self.subject.device))
        return W if isinstance(W, Exception) else measured.array(W)

    def alive(self, eps: float) -> tuple[bool | None, int | None]:
        exponent = self.asked(eps)
        if exponent is None:
            return None, None
        V = np.ldexp(self.V, exponent)
        (W, without), found = self._pair(V, eps), self._found(V, eps)
        if isinstance(found, Exception):
            return False, exponent
        return bool(np.abs(found - W).max() < np.abs(W - without).max() / 2), exponent

    def dead(self, eps: float) -> list[str]:
        """Of the places where only an eps gives a value, those where the implementation has none, or another."""
        row = self.V.copy()
        row[1] = 0.0
        wrong = []
        for where, V in (("zero row", row), ("zero matrix", np.zeros(SHAPE))):
            W, without = self._pair(V, eps)
            if isinstance(W, Exception) or not (isinstance(without, Exception) or not np.isfinite(without).all()):
                continue
            found = self._found(V, eps)
            if isinstance(found, Exception) or not np.abs(found - W).max() <= EFFECT * np.abs(W).max():
                wrong.append(where)
        return wrong
