"""A row of the table: what is measured beside what, what it aims at, and what is kept of that today.

What the clock or the allocator says, and every verdict that rests on it, goes into the block ``timing`` of a results
document; the finding of a row is what two runs agree on: that the contenders do the same work.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.side_by_side import MIB, Contender, Times, measure
from wnverify.finding import Evidence, Finding, Json, Verdict

UNITS: Final = {"faster": "×", "time": "×", "peak": "×", "seconds": "s", "mebibytes": "MiB", "exponent": ""}
"""What is measured: the peer's time over ours (≥), ours over the peer's (≤), likewise memory, or ours alone."""


@dataclasses.dataclass(frozen=True)
class Aim:
    """One line of the table.

    ``of``: one of ``UNITS``; ``beside``: the peer, where there is one; ``limit``: at least (``faster``) or at most,
    None where the figure is only stated; ``promise``: what is kept today, None for nothing, where the aim is missed;
    ``why``: the reason of a miss; ``floor``: the contender that does the least that any program must, so that ours ÷
    floor says how near the limit it is, and ``least`` what that is; ``mine``: whose figure it is, where the row has
    several of ours; ``diluted``: how many times larger the batch would be at which the paper trains, while what is
    added to the step stays.
    """

    of: str
    beside: str = ""
    limit: float | None = None
    promise: float | None = None
    why: str = ""
    floor: str = ""
    least: str = ""
    mine: str = ""
    diluted: int = 0

    def __post_init__(self) -> None:
        if self.of not in UNITS:
            raise ValueError(f"of must be one of {', '.join(UNITS)}; got {self.of!r}")

    @property
    def name(self) -> str:
        whose = f"{self.mine}: " if self.mine else ""
        return whose + (f"{self.of} beside {self.beside}" if self.beside else self.of)

    def keeps(self, value: float, limit: float | None) -> bool:
        return limit is None or (value >= limit if self.of == "faster" else value <= limit)


@dataclasses.dataclass(frozen=True)
class Line:
    """An aim with what was measured."""

    aim: Aim
    value: float
    least: float
    most: float
    bound: bool = False
    """The peer was stopped: it is slower still than ``value`` says."""
    near: float | None = None

    @property
    def met(self) -> bool:
        return self.aim.keeps(self.value, self.aim.limit)

    @property
    def kept(self) -> bool:
        """Whether today's promise stands; without one the aim is the promise."""
        return self.met or (self.aim.promise is not None and self.aim.keeps(self.value, self.aim.promise))

    def to_json(self) -> dict[str, Json]:
        """What the report shows of it."""
        beside = self.aim.beside or "alone"
        word = "≥" if self.aim.of == "faster" else "≤"
        aim = "stated" if self.aim.limit is None else f"{word} {self.aim.limit:g} {UNITS[self.aim.of]}".rstrip()
        why = ""
        if not self.met:
            near = f"; {self.near:.3g} times {self.aim.least}" if self.near is not None else ""
            times = self.aim.diluted
            larger = f"; at {times} times the batch, reckoned, {1 + (self.value - 1) / times:.3g} ×" if times else ""
            why = f"{self.aim.why}{near}{larger}"
        return {
            "of": f"{self.aim.mine} {self.aim.of}".strip(),
            "beside": beside,
            "aim": aim,
            "measured": ("" if not self.bound else "> " if self.aim.of == "faster" else "< ")
            + f"{self.value:.3g} {UNITS[self.aim.of]}".rstrip(),
            "spread": f"{self.least:.3g} to {self.most:.3g}",
            "met": None if self.aim.limit is None else self.met,
            "kept": self.kept,
            "why": why,
        }


Judged = tuple[Verdict, str, Mapping[str, Json]]


def ran(times: Mapping[str, Times]) -> Judged:
    """Nothing is compared but the times."""
    return Verdict.PASS, f"{', '.join(times)} ran", {}


@dataclasses.dataclass(frozen=True)
class Row:
    """``id``: family/case, the first contender ours.  ``judge``: from what the contenders told (``Times.told``)
    whether they do the same work, as a verdict, words and figures, the same in every run.  ``measured``: in place of
    contenders, a function of the number of turns that gives the times by name."""

    id: str
    work: str
    aims: Sequence[Aim]
    contenders: Sequence[Contender] = ()
    statement: str = "Do the contenders do the same work?"
    judge: Callable[[Mapping[str, Times]], Judged] = ran
    turns: int = 7
    conditions: tuple[str, ...] = ()
    measured: Callable[[int], dict[str, Times]] | None = None
    ours: str = "ours"

    def run(self, turns: int | None = None) -> Result:
        turns = turns or self.turns
        times = self.measured(turns) if self.measured else measure(self.contenders, turns)
        made = [line(aim, times, self.ours) for aim in self.aims if not aim.beside or aim.beside in times]
        verdict, message, figures = self.judge(times)
        said = tuple(f"{c.name}: {c.said}" for c in self.contenders if c.said)
        family, _, case = self.id.partition("/")
        finding = Finding(
            kind="benchmark",
            id=f"benchmark/{self.id}",
            subject=family,
            check=case,
            verdict=verdict,
            statement=self.statement,
            message=message,
            conditions=(self.work, *self.conditions, *said, "one thread"),
            routes=(Evidence(route="arithmetic", verdict=verdict, note=message, figures=dict(figures)),),
            replay=f"python -m benchmarks --row '{self.id}'",
        )
        return Result(self, made, times, finding)


@dataclasses.dataclass(frozen=True)
class Result:
    row: Row
    lines: Sequence[Line]
    times: Mapping[str, Times]
    finding: Finding

    @property
    def sound(self) -> bool:
        """Whether every promise is kept and the work is the same."""
        return all(each.kept for each in self.lines) and self.finding.verdict is not Verdict.FAIL

    def timing(self) -> dict[str, Json]:
        """The entry of ``timing["benchmarks"]``."""
        seconds: dict[str, Json] = {}
        for name, each in self.times.items():
            known: dict[str, Json] = {"median": each.median, "least": min(each.seconds), "most": max(each.seconds)}
            seconds[name] = {**known, "turns": len(each.seconds), "peak_mib": each.peak / MIB, "stopped": each.cut}
        lines: dict[str, Json] = {each.aim.name: each.to_json() for each in self.lines}
        return {"work": self.row.work, "lines": lines, "seconds": seconds}


def line(aim: Aim, times: Mapping[str, Times], ours: str = "ours") -> Line:
    """The figure of an aim: the ratio of the medians, and the least and the most of the ratios turn by turn."""
    ours = aim.mine or ours
    mine = times[ours]
    if mine.cut:
        raise RuntimeError(f"{ours} did not come to an end within {mine.seconds[0]:g} s")
    near = mine.median / times[aim.floor].median if aim.floor in times and aim.of in ("faster", "time") else None
    if aim.of in ("seconds", "exponent"):
        return Line(aim, mine.median, min(mine.seconds), max(mine.seconds), near=near)
    if aim.of == "mebibytes":
        return Line(aim, *(3 * [mine.peak / MIB]))
    other = times[aim.beside]
    if aim.of == "peak":
        return Line(aim, *(3 * [mine.peak / other.peak]))
    pairs = [(a, other.seconds[min(k, len(other.seconds) - 1)]) for k, a in enumerate(mine.seconds)]
    ratios = [b / a if aim.of == "faster" else a / b for a, b in pairs]
    whole = statistics.median(other.seconds) / mine.median
    return Line(aim, whole if aim.of == "faster" else 1 / whole, min(ratios), max(ratios), bound=other.cut, near=near)
