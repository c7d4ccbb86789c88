"""Gradient, continued: what the map and its backward do at singular points, told apart.

Over shrinking steps h along a direction e the quotients (f(V ± h e) − f(V)) / ±h tell four behaviours of the map apart:
both settle at one value (defined and finite), each at its own (one-sided, as |x| at 0 or a maximum at a tie), they grow
without bound (infinite), or there is no number (NaN).  Where they settle the backward must be a limit of the gradients
nearby, or lie between them (Clarke's generalised gradient): at a tie of a maximum any share of it will do, and twice of
it will not.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from wnverify.auditing.checks.edge import base_of, built
from wnverify.auditing.checks.gradient import AFTER
from wnverify.auditing.context import Context, first_line, witness_of
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import outside, randn, repeated_singular_values, rows
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict
from wnverify.oracles.gradients import BackwardError, reverse_mode
from wnverify.oracles.ratio import ErrorModel, Ratio

FINITE, ONE_SIDED, INFINITE, NAN = "defined and finite", "one-sided", "infinite", "NaN"
COARSE: Final = 2.0**-14
FINE: Final = 2.0**-22
"""Steps relative to an ordinary weight's entries."""
GROWS: Final = 8.0
"""A quotient of a bounded derivative does not grow so much over steps 2^8 times shorter; 1/√h grows by 16."""
APART: Final = 2.0**-10
"""Sides that differ by less are told apart by curvature or rounding alone."""
NEARBY: Final = 24
DIRECTIONS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A singular point; ``told_elsewhere``: that its gradient is no number is the finding of another check."""

    name: str
    V: Tensor
    told_elsewhere: bool = True


@check(
    "gradient.singular",
    asks="Where there may be no derivative (zeros, ties, equal singular values): which is it, and is the backward one?",
    requires=AFTER,
    needs=("derivative",),
)
def singular(look: Context, sheet: Sheet) -> None:
    for place in _places(look):
        why = outside(place.V, look.subject.domain)
        if why is not None:
            sheet.note(f"{place.name}: outside the stated domain ({why})")
            continue
        try:
            _judge(look, sheet, place)
        except BackwardError as error:
            sheet.note(f"{place.name}: the backward raised {first_line(error)}")
        except Exception as error:  # foreign code may raise anything; what a refusal is worth is asked by edge
            sheet.note(f"{place.name}: raises {type(error).__name__}: {first_line(error)}")


def _places(look: Context) -> Iterator[Place]:
    base = base_of(look)

    def changed(*entries: tuple[int, int | slice, Tensor | float]) -> Tensor:
        V = base.clone()
        for row, columns, value in entries:
            V[row, columns] = value
        return V

    every = slice(None)
    top = float(base[1].abs().max()) * 1.25
    yield Place("a zero row", changed((1, every, 0.0)))
    yield Place("a constant row", changed((2, every, 0.75)))
    yield Place("equal rows", changed((3, every, base[0])))
    yield Place("a row that is the sum of two", changed((3, every, base[0] + base[1])))
    yield Place("a zero entry", changed((1, 4, 0.0)), told_elsewhere=False)
    yield Place("two equal largest entries", changed((1, 2, top), (1, 5, top)), told_elsewhere=False)
    yield Place("largest entries of both signs", changed((1, 2, top), (1, 5, -top)), told_elsewhere=False)
    smallest = rows(base)[1].abs().min() / 2
    yield Place("two equal smallest entries", changed((1, 2, smallest), (1, 5, smallest)), told_elsewhere=False)
    for point in repeated_singular_values(look.seed):
        yield Place(point.name, point.V)


def _judge(look: Context, sheet: Sheet, place: Place) -> None:
    instance, V = built(look, place.V), place.V
    cotangent = look.cotangent(V, look.seed_for("singular"))
    step = float(base_of(look).abs().mean())
    moving = _moving(V, look.seed_for("singular", place.name))
    kinds = [_behaviour(instance, cotangent, V, step * e) for e in moving]
    kind = max(kinds, key=(FINITE, ONE_SIDED, INFINITE, NAN).index)
    pull = reverse_mode(instance, instance.with_primary(V), instance.primary)
    gradient = pull(cotangent)
    finite = bool(torch.isfinite(gradient).all())
    what = FINITE if finite else NAN if bool(torch.isnan(gradient).any()) else INFINITE
    figures = {"map": kind, "gradient": what}
    sheet.note(f"{place.name}: the map's derivative is {kind}, the gradient {what}")
    if kind in (INFINITE, NAN) or (not finite and place.told_elsewhere):
        sheet.add(place.name, Verdict.PASS, figures=figures)
    elif not finite:
        said = f"the gradient is {what} though the map's derivative is {kind}"
        sheet.add(place.name, Verdict.HAZARD, said, figures=figures, witness=witness_of(V))
    else:
        ratio = _beyond(look, instance, V, cotangent, gradient, step, moving)
        said = f"the gradient is none: along a direction it lies beyond all gradients nearby; the map is {kind}"
        sheet.compare(place.name, ratio, said, wrong=Verdict.HAZARD, figures=figures, witness=witness_of(V))


def _moving(V: Tensor, seed: int) -> list[Tensor]:
    """Directions of entries of size one: random ones, and all entries alike."""
    return [*(randn(*V.shape, seed=seed + k) for k in range(DIRECTIONS)), torch.ones_like(V)]


def _behaviour(instance: Instance, cotangent: Tensor, V: Tensor, e: Tensor) -> str:
    """Which of the four it is along one direction."""

    def quotients(h: float) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            here, after, before = (rows(instance.at(X)) for X in (V.clone(), V + h * e, V - h * e))
        return (after - here) / h, (here - before) / h

    coarse, fine = quotients(COARSE), quotients(FINE)
    if not all(bool(torch.isfinite(q).all()) for q in (*coarse, *fine)):
        return NAN
    sizes = [max(float(q.norm()) for q in pair) for pair in (coarse, fine)]
    with torch.no_grad():
        floor = float(rows(instance.at(V)).norm())  # what rounding leaves of a quotient is far below it
    if sizes[1] > GROWS * max(sizes[0], floor):
        return INFINITE
    apart = float((fine[0] - fine[1]).norm())
    return ONE_SIDED if apart > APART * max(sizes[1], floor) else FINITE


def _beyond(
    look: Context,
    instance: Instance,
    V: Tensor,
    cotangent: Tensor,
    gradient: Tensor,
    step: float,
    directions: list[Tensor],
) -> Ratio:
    """How far, along any direction, ⟨gradient, e⟩ lies outside what the gradients nearby give; the worst."""
    pull_at = (
        reverse_mode(instance, instance.with_primary(X), instance.primary)(cotangent)
        for k in range(NEARBY)
        for X in [V + FINE * step * randn(*V.shape, seed=look.seed_for("nearby", k))]
    )
    nearby = [found for found in pull_at if bool(torch.isfinite(found).all())]
    model = ErrorModel(APART, f"{NEARBY} gradients within {FINE:.1g} of the weight")
    worst = Ratio(0.0, 1.0, model)
    if not nearby:
        return worst
    spread = max(float((g - nearby[0]).norm()) for g in nearby)
    size = max(float(gradient.norm()), max(float(g.norm()) for g in nearby))
    for e in [*directions, *((g - gradient) / max(spread, size, 1e-300) for g in nearby[:3])]:
        inside = [float((g * e).sum()) for g in nearby]
        at = float((gradient * e).sum())
        # Of a continuum of pieces (equal singular values) samples show a part of its width.
        width = max(inside) - min(inside)
        miss = max(min(inside) - width - at, at - max(inside) - width, 0.0)
        ratio = Ratio(miss, size * max(float(e.norm()), 1e-300), model)
        worst = max(worst, ratio, key=lambda r: r.value if math.isfinite(r.value) else math.inf)
    return worst
