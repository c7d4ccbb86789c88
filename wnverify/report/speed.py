"""How fast the rows of an experiment train: epochs to where a rival ends, and how long their runs took.

Durations are measured: they stand in the document's ``timing`` block alone, no finding has them, nothing rests on them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, number
from wnverify.report.digest import Subject
from wnverify.report.tables import Table
from wnverify.report.wording import short

DURATION: Final = "duration of a run"
_CAPTION: Final = (
    "Epochs until a run errs no more than the rival's run with the same seed does at its end: mean with its 95 % "
    "interval where every run gets there, the median alone where most do, and the rival itself beside it."
)


def seconds_of(row: Finding, timing: Mapping[str, Any]) -> list[float]:
    """The seconds of the runs behind the finding of a row, as far as the ``timing`` block knows them."""
    scale = row.check.removesuffix(".row")
    begins = f"experiment/{row.subject}/{scale}.trial/{row.case},seed="
    found: list[float] = []
    for name, entry in timing.items():
        if name.startswith(begins):
            told = entry["seconds"]
            found += [number(value) for value in (told if isinstance(told, list) else [told])]
    return found


def duration(row: Finding, timing: Mapping[str, Any]) -> str:
    """The median over the runs of a row, in the largest unit of which it is at least one.

    >>> from wnverify.finding import Verdict
    >>> row = Finding(kind="experiment", id="experiment/e/small.row/A", subject="e", check="small.row",
    ...               verdict=Verdict.UNDECIDED, statement="?")
    >>> duration(row, {"experiment/e/small.trial/A,seed=0": {"seconds": 90.0}}), duration(row, {})
    ('1.5 min', '–')
    """
    found = seconds_of(row, timing)
    if not found:
        return "–"
    middle = statistics.median(found)
    unit, size = next(((u, s) for u, s in (("h", 3600.0), ("min", 60.0)) if middle >= s), ("s", 1.0))
    return f"{short(middle / size)} {unit}"


def races(subject: Subject, scale: str) -> Table | None:
    """A row for each claim that counts epochs."""
    rows = []
    for finding in subject.findings:
        if finding.check != f"{scale}.expected" or not finding.routes:
            continue
        told: Any = finding.routes[0].figures.get("epochs")
        if told is None:
            continue
        reached = f"{told['reached']} of {len(told['values'])}"
        ours, theirs = _interval(told["of_row"]), _interval(told["of_rival"])
        named = (told["row"], told["rival"], told["figure"].replace(".", " "))
        rows.append((*named, reached, ours, theirs, told["printed"] or "–", str(finding.verdict)))
    if not rows:
        return None
    header = ("row", "rival", "of", "runs that get there", "epochs", "the rival itself", "printed", "sooner")
    return Table(f"{subject.name}: epochs to a rival's end, {scale} scale", _CAPTION, header, rows)


def _interval(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return "–"
    if "mean" not in told:
        return f"median {short(number(told['median']))}"
    half = number(told["high"]) - number(told["mean"])
    return short(number(told["mean"])) + (f" ± {short(half)}" if math.isfinite(half) else "")


def with_durations(
    columns: Sequence[str], rows: Sequence[tuple[str, ...]], found: Sequence[Finding], timing: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table's header and rows with a last but one column of durations, where any is known."""
    told = [duration(row, timing) for row in found]
    if all(each == "–" for each in told):
        return tuple(columns), list(rows)
    return (
        (*columns[:-1], DURATION, columns[-1]),
        [(*row[:-1], each, row[-1]) for row, each in zip(rows, told, strict=True)],
    )
