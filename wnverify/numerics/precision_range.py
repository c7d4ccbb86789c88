"""How far a method's value and gradient stay right when the weight is scaled by powers of two."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from wnverify.finding import Evidence, Finding, Json, Verdict, seed_of
from wnverify.numerics import matrices
from wnverify.numerics import precision_cases as measured
from wnverify.numerics.judge import UNDECIDED_FROM, Subject, attempt, finding
from wnverify.numerics.matrices import Typed
from wnverify.numerics.precision_accuracy import measured_check
from wnverify.numerics.precision_cases import SHAPE, Cell, Row
from wnverify.numerics.precision_formats import FORMATS

SHORT: Final = 0.25
"""A border is well before the map's own where it misses more than this part of the exponents up to it: a square loses
half of them."""
NARROW: Final = 2
"""Borders this near to the map's own are never well before it: another summand or two may need the room."""


@dataclasses.dataclass(frozen=True, slots=True)
class Border:
    """Exponents of two, on one side of scale 1: the map's ``own``, and the ``found`` one of the implementation, None
    where it is wrong at scale 1 already."""

    own: int
    found: int | None

    @property
    def short(self) -> bool:
        return self.found is None or abs(self.own) - abs(self.found) > max(NARROW, SHORT * abs(self.own))


def ranges(subject: Subject, row: Row) -> Finding:
    """``pass`` where value and gradient are right (ratio ≤ 1) nearly as far as they are numbers of the format.

    The map's own range: the scales 2^k at which the entries of V are normal numbers of the format and the largest entry
    of W, or of the gradient, is one, and the reference has them.  ``hazard`` where the implementation over- or
    underflows well before.  Figures: for ``value`` and ``gradient`` the exponents ``smallest``, ``largest``,
    ``own_smallest`` and ``own_largest``; ``format`` has those of its normal numbers.
    """
    look = _Look(subject, row)
    form = FORMATS[row.format]
    figures: dict[str, Json] = {"format": {"smallest": form.lowest, "largest": form.highest}}
    said, verdict = [], Verdict.INCONCLUSIVE
    for what in ("value", "gradient"):
        if not look.own(what, 0):
            continue
        with np.errstate(all="ignore"):
            low, high = (look.border(what, side) for side in (-1, 1))
        figures[what] = {"smallest": low.found, "largest": high.found, "own_smallest": low.own, "own_largest": high.own}
        verdict = Verdict.HAZARD if low.short or high.short or verdict is Verdict.HAZARD else Verdict.PASS
        said.append(_said(what, low, high))
    route = Evidence(
        route="arithmetic",
        verdict=verdict,
        note="; ".join(said) or f"no value that {row.format} holds at scale 1",
        figures=figures,
    )
    asked = "At which powers of two do value and gradient stay right, beside those at which they are numbers at all?"
    return finding(subject, measured_check(subject, "range"), row.label, asked, [route])


def _said(what: str, low: Border, high: Border) -> str:
    if low.found is None or high.found is None:
        return f"{what} wrong at scale 1"
    told = f"{what} right from 2^{low.found} to 2^{high.found}, of 2^{low.own} to 2^{high.own}"
    causes = [
        f"{side} near the square root of the {where}"
        for border, side, where in ((low, "lost", "smallest"), (high, "lost", "largest"))
        if border.short and border.found is not None and 0.4 <= border.found / border.own <= 0.6
    ]
    return ", ".join([told, *causes])


class _Look:
    """The cells of one subject in one format, and what of them is right."""

    def __init__(self, subject: Subject, row: Row) -> None:
        self.subject, self.row, self.form = subject, row, FORMATS[row.format]
        base = matrices.normal(*SHAPE, seed=seed_of(subject.seed, "precision", *SHAPE)) + 0.3
        A = matrices.normal(*SHAPE, seed=seed_of(subject.seed, "precision", *SHAPE, "cotangent"))
        self.V, self.A = (measured.held(X, row.format) for X in (base, A))
        self.cell = functools.cache(self._cell)
        self.found = functools.cache(self._found)

    def _cell(self, exponent: int) -> Cell | None:
        with np.errstate(all="ignore"):
            V = np.ldexp(self.V, exponent)
        sizes = np.abs(V[self.V != 0])
        if not 2.0**self.form.lowest <= sizes.min() <= sizes.max() <= self.form.largest:
            return None
        return measured.placed(self.subject, self.row.format, Typed(f"times 2^{exponent}", V, self.A), 1.0, exponent)

    def _found(self, exponent: int) -> dict[str, Any]:
        cell = self.cell(exponent)
        return {} if cell is None else measured.run(self.subject, self.row, cell)

    def own(self, what: str, exponent: int) -> bool:
        cell = self.cell(exponent)
        return cell is not None and (what == "value" or cell.G is not None)

    def decided(self, what: str, exponent: int) -> bool:
        cell = self.cell(exponent)
        if cell is None or not self.own(what, exponent):
            return False
        # At the ends of float64 the models, float64 themselves, over- and underflow: then nothing is decided.
        found = attempt(measured.excused, self.subject, self.row.format, cell.case, what)
        return not isinstance(found, Exception) and found < UNDECIDED_FROM

    def right(self, what: str, exponent: int) -> bool:
        cell = self.cell(exponent)
        found = self.found(exponent).get(what)
        if cell is None or found is None or isinstance(found, Exception):
            return False
        return measured.ratio(self.subject, self.row.format, cell, what, found).value <= 1

    def border(self, what: str, side: int) -> Border:
        """The last exponent on this side that is the map's own, and the last that is right."""
        limit = side * (self.form.highest if side > 0 else -self.form.lowest)
        own = last(lambda exponent: self.own(what, exponent), limit)
        if not self.decided(what, own):
            own = last(lambda exponent: self.decided(what, exponent), own)
        if self.right(what, own):
            return Border(own, own)
        return Border(own, last(lambda exponent: self.right(what, exponent), own) if self.right(what, 0) else None)


def last(holds: Callable[[int], bool], limit: int) -> int:
    """The integer farthest from 0 towards ``limit`` up to which ``holds``, by bisection; 0 where it holds nowhere."""
    inside, outside = 0, limit + (1 if limit > 0 else -1)
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside
