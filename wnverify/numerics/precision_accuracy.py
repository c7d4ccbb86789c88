"""Ratio and correct digits of a method over conditioning and scale, in one row of the precision matrix."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

from wnverify.finding import Evidence, Finding, Json, Verdict
from wnverify.numerics import precision_cases as measured
from wnverify.numerics.judge import UNDECIDED_FROM, Subject, finding, judge
from wnverify.numerics.precision_cases import Cell, Row
from wnverify.numerics.precision_formats import Emulated
from wnverify.oracles.ratio import Ratio, unit_roundoff

WHATS: Final = ("value", "gradient")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What came of a cell, for value or gradient: a ratio, or what was raised."""

    cell: Cell
    what: str
    found: Any

    @property
    def ratio(self) -> Ratio:
        if isinstance(self.found, Exception):
            raise self.found
        assert isinstance(self.found, Ratio)
        return self.found


def accuracy(subject: Subject, row: Row, cells: list[Cell]) -> Finding:
    """Value and gradient at every cell, against the float64 reference at the same input.

    Figures of the first route: ``cells``, each {condition, scale, shape, ratio, digits, gradient_ratio,
    gradient_digits, decided}; digits are −log10 of the relative error, at most those of the format, and None stands
    where there is nothing to measure.  ``decided`` tells whether the model excuses less than a tenth.
    """
    seen = _measured(subject, row, cells)
    routes = [_route(subject, row, what, seen[what]) for what in WHATS if seen[what]]
    if not routes:
        note = f"no matrix of this scale and conditioning has a value that {row.format} holds"
        routes = [Evidence(route="arithmetic", verdict=Verdict.INCONCLUSIVE, note=note)]
    figures: dict[str, Json] = {
        "format": row.format,
        "sums": row.sums or ("float32" if row.format == "tf32" else "as implemented"),
        "emulated": row.emulated,
        "cells": [_figures(subject, row, cell, seen) for cell in cells],
    }
    routes[0] = dataclasses.replace(routes[0], figures={**routes[0].figures, **figures})
    found = finding(
        subject,
        measured_check(subject, "accuracy"),
        row.label,
        f"How accurate are value and gradient over conditioning and scale ({row.words})?",
        routes,
        [cell.case for cell in cells],
    )
    return found if found.verdict is Verdict.PASS else found.replace(message=f"{found.message}{_why(found, row)}")


def measured_check(subject: Subject, name: str) -> str:
    """The check's id; a second map of a method (``transform``, ``prox``) is named in it."""
    return f"precision.{name}" + (f".{subject.map.name}" if subject.map.name in ("transform", "prox") else "")


def _measured(subject: Subject, row: Row, cells: list[Cell]) -> dict[str, list[Seen]]:
    """What came of value and gradient, cell by cell, those without a gradient left out."""
    seen: dict[str, list[Seen]] = {what: [] for what in WHATS}
    for cell in cells:
        for what, found in measured.run(subject, row, cell).items():
            seen[what].append(Seen(cell, what, _ratio(subject, row, cell, what, found)))
    return seen


def _ratio(subject: Subject, row: Row, cell: Cell, what: str, found: Any) -> Any:
    return found if isinstance(found, Exception) else measured.ratio(subject, row.model, cell, what, found)


def _route(subject: Subject, row: Row, what: str, seen: list[Seen]) -> Evidence:
    """The worst of the decided cells; what is emulated is a hazard at most, as what only storing excuses."""
    of = {one.cell.case: one for one in seen}
    usual = "arithmetic" if what == "value" else "automatic differentiation"
    route = judge(
        subject,
        row.model,
        "simulation" if row.emulated else usual,
        list(of),
        lambda case: of[case].ratio,
        lambda case, name: measured.excused(subject, name, case, what),
        what=what,
    )
    worst = next((one.cell for one in seen if one.cell.case.name == route.figures.get("worst_case")), None)
    raised = bool(route.figures.get("raised"))
    narrow = worst is not None and measured.narrower(subject, row.model, worst.case, what)
    if route.verdict is Verdict.FAIL and (row.emulated or (narrow and not raised)):
        route = dataclasses.replace(route, verdict=Verdict.HAZARD)
    if worst is not None and (route.ratio or 0) > 1 and row.sums and row.format != "tf32":
        route = dataclasses.replace(route, figures={**route.figures, **_parts(subject, row, worst, what)})
    return route


def _parts(subject: Subject, row: Row, cell: Cell, what: str) -> dict[str, Json]:
    """The ratio if only the partial sums were rounded, or only the results: where the loss arises."""
    parts: dict[str, Json] = {}
    for name, without in (("sums_alone", "stored"), ("storing_alone", "summed")):
        part = _Part(row.format, row.sums, without=without)
        found = _ratio(subject, row, cell, what, measured.run(subject, part, cell)[what])
        parts[name] = found.value if isinstance(found, Ratio) else str(found)
    return parts


@dataclasses.dataclass(frozen=True, slots=True)
class _Part(Row):
    """A row with one of the emulator's two roundings left out."""

    without: str = ""

    def running(self) -> Any:
        return Emulated(self.format, **{self.without: False})


def _figures(subject: Subject, row: Row, cell: Cell, seen: dict[str, list[Seen]]) -> dict[str, Json]:
    told: dict[str, Json] = dict(cell.place)
    decided = True
    for what, prefix in zip(WHATS, ("", "gradient_"), strict=True):
        one = next((one for one in seen[what] if one.cell is cell), None)
        ratio = one.found if one is not None and isinstance(one.found, Ratio) else None
        modelled = ratio is not None and math.isfinite(ratio.model.relative)
        told[f"{prefix}ratio"] = ratio.value if ratio is not None and modelled else None
        told[f"{prefix}digits"] = None if ratio is None else digits(ratio.relative, row.model)
        if one is not None:
            decided &= measured.excused(subject, row.model, cell.case, what) < UNDECIDED_FROM
    return {**told, "decided": decided}


def digits(relative: float, name: str) -> float:
    """−log10 of a relative error, between 0 and the digits of the format."""
    most = -math.log10(unit_roundoff(name))
    return most if relative == 0 else max(0.0, min(most, -math.log10(relative))) if relative < math.inf else 0.0


def _why(found: Finding, row: Row) -> str:
    """Where the loss arises, from what was measured."""
    worst = max(found.routes, key=lambda route: route.ratio or 0.0)
    if "sums_alone" in worst.figures:
        said = [
            f"{worst.figures[key]:.2g} {words}"
            for key, words in (("sums_alone", "with only sums"), ("storing_alone", "with only stored results"))
            if isinstance(worst.figures[key], float)
        ]
        return f"; of the ratio {worst.ratio:.3g} in {row.format}: {', '.join(said)} rounded"
    if row.model == "tf32":
        return "; the products of float32 matrices lose what their inputs are rounded by"
    return ""
