"""What many findings say together, as tables: methods against columns, the worst inputs, cost beside accuracy.

Nothing is decided here: a cell is the gravest verdict of the findings it stands for, with their largest ratio.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, number
from wnverify.report.digest import DTYPES, GRAVITY, Digest, case_parts, dtype_order, worst_ratio
from wnverify.report.wording import one_line, short

MOST: Final = 40
"""Rows of the worst inputs."""
_COST: Final[Mapping[str, str]] = {
    "work": "work",
    "tensors kept for the backward": "kept for the backward",
    "tensors made on the way": "made on the way",
    "operations called": "calls",
}
"""Cases of the audit's checks of cost, with the words of a column."""
_MULTIPLE: Final = "of_weight_normalization"


@dataclasses.dataclass(frozen=True)
class Table:
    """Text in rows under a header."""

    title: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Grid:
    """A row for each subject, a column for each question and type; a cell stands for the findings with all options."""

    family: str
    title: str
    caption: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Finding | None]]]

    def heading(self, column: tuple[str, str]) -> str:
        return " ".join(word for word in column if word)


GRIDS: Final = (
    ("precision", "Precision", "How accurate a method is in each format, sums in that of the second part of the name."),
    ("elsewhere", "The same result elsewhere", "Compiled, mapped, cast, exported, strided and on a device."),
    ("sharding", "Sharded against whole", "Value, gradient and one step, for each placement of the weight."),
)
"""Families of the numerics lab that are shown as a grid: name, title, caption."""


def grids(data: Digest) -> list[Grid]:
    """One grid for each family of ``GRIDS`` that has findings."""
    found = []
    for family, title, caption in GRIDS:
        cells: dict[tuple[str, tuple[str, str]], Finding] = {}
        for method in data.groups["method"]:
            for each in method.findings:
                if each.family == family:
                    key = (method.name, column_of(each))
                    cells[key] = min((cells.get(key, each), each), key=_worse)
        columns = sorted({column for _, column in cells}, key=lambda column: (column[0], dtype_order(column[1])))
        names = sorted({name for name, _ in cells})
        rows = [(name, [cells.get((name, column)) for column in columns]) for name in names]
        if rows:
            found.append(Grid(family, title, caption, columns, rows))
    return found


def column_of(finding: Finding) -> tuple[str, str]:
    """What was asked, without the family, and in which type: an option of the method is no column."""
    return finding.check.partition(".")[2], case_parts(finding)[0]


def _worse(finding: Finding) -> tuple[int, float]:
    """Sort key: the gravest verdict first, then the largest ratio, NaN and none counting as the largest and least."""
    ratio = worst_ratio(finding)
    return GRAVITY.index(finding.verdict), -math.inf if ratio is not None and math.isnan(ratio) else -(ratio or 0.0)


def numbers(data: Digest) -> list[Table]:
    """The tables on accuracy that have rows."""
    return [table for make in (worst_inputs, digits, error_models) if (table := make(data)).rows]


def performance(data: Digest) -> list[Table]:
    """The tables on cost that have rows."""
    return [table for make in (cost_beside_accuracy, growth) if (table := make(data)).rows]


def worst_inputs(data: Digest) -> Table:
    """For each method, question and type the input with the largest ratio, largest first."""
    seen: dict[tuple[str, str, str], tuple[float, Finding, Any]] = {}
    for method in data.groups["method"]:
        for each in method.findings:
            for route in each.routes:
                if route.ratio is None:
                    continue
                key = (method.name, each.check, case_parts(each)[0])
                value = math.inf if math.isnan(route.ratio) else route.ratio
                if key not in seen or value > seen[key][0]:
                    seen[key] = (value, each, route)
    ordered = sorted(seen.items(), key=lambda pair: (-pair[1][0], pair[0]))
    rows = [
        (
            name,
            check,
            each.case,
            short(value),
            one_line(str(route.figures.get("worst_case", route.note)), 90),
            _figure(route.figures.get("relative_error")),
            _figure(route.figures.get("modelled")),
        )
        for (name, check, _), (value, each, route) in ordered[:MOST]
    ]
    more = f", the {MOST} largest of {len(ordered)}" if len(ordered) > MOST else ""
    caption = f"Where the observed error comes nearest to the modelled one, or passes it{more}."
    header = ("method", "asked", "case", "ratio", "input", "observed error", "modelled error")
    return Table("The worst inputs found", caption, header, rows)


def digits(data: Digest) -> Table:
    """The least and the median number of correct digits over the matrices whose model decides."""
    rows = []
    for method in data.groups["method"]:
        for each in method.findings:
            cells: Any = next((route.figures["cells"] for route in each.routes if _has_cells(route.figures)), [])
            known = sorted(
                number(cell["digits"]) for cell in cells if cell.get("decided") and cell["digits"] is not None
            )
            if known:
                middle = known[len(known) // 2]
                rows.append((method.name, each.case, f"{known[0]:.1f}", f"{middle:.1f}", str(len(known))))
    header = ("method", "format", "fewest digits", "median digits", "matrices")
    return Table("Correct digits", "Decimal digits of the value that are right, by format.", header, rows)


def error_models(data: Digest) -> Table:
    """How the modelled error did over many draws, and whether a tenfold loss would be seen."""
    rows = []
    for method in data.groups["method"]:
        for each in method.findings:
            for route in each.routes if each.family == "error_model" else ():
                names = ("draws", "above_one", "exceedance_95", "seen_in_coarse_arithmetic")
                told = [_figure(route.figures.get(name)) for name in names]
                rows.append((method.name, each.check.partition(".")[2], each.case, short(route.ratio), *told))
    header = ("method", "of", "case", "largest ratio", "draws", "above 1", "at most (95 %)", "tenfold loss seen at")
    return Table("The error model", "Its ratio over random draws, and the share that shows ten times.", header, rows)


def cost_beside_accuracy(data: Digest) -> Table:
    """Work and memory of a step, counted, in multiples of plain weight normalization's, beside the worst ratios."""
    rows = []
    for name, cases in costs(data).items():
        multiples = [multiple_of(cases, case) for case in list(_COST)[:3]]
        if any(multiple is not None for multiple in multiples):
            ratios = (worst_value_ratio(data, name), worst_value_ratio(data, name, "agreement.backward"))
            rows.append((name, *map(short, multiples), *map(short, ratios)))
    header = (
        "subject",
        *(f"{_COST[case]}, × plain" for case in list(_COST)[:3]),
        "ratio of the value",
        "of the gradient",
    )
    caption = "Work and memory of a step as multiples of weight normalization's; beside them the worst ratios."
    return Table("Cost beside accuracy", caption, header, rows)


def growth(data: Digest) -> Table:
    """With which power of the number of rows work, memory and calls grow, for weights of m rows and 2m columns."""
    rows = [
        (name, *(_figure(cases.get(case, {}).get("exponent")) for case in _COST))
        for name, cases in costs(data).items()
        if any("exponent" in cases.get(case, {}) for case in _COST)
    ]
    header = ("subject", *(f"{word}, power of m" for word in _COST.values()))
    return Table("Growth with size", "Measured exponents for weights of m rows and 2m columns.", header, rows)


def costs(data: Digest) -> dict[str, dict[str, dict[str, Any]]]:
    """Audited subject → case of a check of cost → its figures."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for subject in data.groups["check"]:
        for each in subject.findings:
            cases: Any = each.routes[0].figures.get("cases") if each.family == "cost" and each.routes else None
            if isinstance(cases, Mapping):
                found.setdefault(subject.name, {}).update(cases)
    return found


def multiple_of(cases: Mapping[str, Mapping[str, Any]], case: str) -> float | None:
    """What weight normalization's is to be multiplied by; work is counted at one size, named like ``128x256``."""
    known = [cases[case]] if case in cases else []
    known += [told for name, told in cases.items() if case == "work" and "work" in told]
    return next((number(told[_MULTIPLE]) for told in known if _MULTIPLE in told), None)


def worst_value_ratio(data: Digest, name: str, check: str = "agreement.forward") -> float | None:
    """The largest ratio of a method by itself in any type, for its values or by another check."""
    found = [f for method in data.groups["method"] if method.name == name for f in method.findings if f.check == check]
    return max((r for f in found if f.case in DTYPES and (r := worst_ratio(f)) is not None), default=None)


def _has_cells(figures: Mapping[str, Any]) -> bool:
    cells = figures.get("cells")
    return isinstance(cells, Sequence) and bool(cells) and isinstance(cells[0], Mapping) and "digits" in cells[0]


def _figure(value: Any) -> str:
    return (
        short(number(value)) if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity") else short(value)
    )
