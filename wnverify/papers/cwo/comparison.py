"""What a difference of two printed errors is worth, and what words like *comparable* are taken to mean in CWO.

The paper gives one run for each entry.  A difference is *told from chance* when it is above two standard errors of the
difference of two independent binomial counts on the test set: the least that a second test set would vary by, with
nothing for the variation between runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from wnverify.experiments.published.cwo_tables import Row
from wnverify.finding import Evidence, Json
from wnverify.papers.arithmetic import standard_errors
from wnverify.papers.claims import Part, said
from wnverify.papers.cwo.tables import ITALIC, known, mark, number

STANDARD_ERRORS: Final = 2
"""A difference of fewer standard errors is not told from chance."""
SHARE: Final = Decimal("0.98")
"""Second reading of *competitive*: at least this share of the best accuracy."""
WITHIN_CHANCE: Final = "never behind the best by more than two standard errors of the difference on the test set"
WITHIN_SHARE: Final = "an accuracy of at least 98 % of the best one"


def behind(ours: Decimal, others: Iterable[Decimal], size: int, *, accuracy: bool = False) -> float:
    """How many standard errors ours is worse than the best of the others; negative where it is better than all."""
    best = max(others) if accuracy else min(others)
    return standard_errors(ours, best, size) if accuracy else standard_errors(best, ours, size)


def share(ours: Decimal, others: Iterable[Decimal]) -> Decimal:
    """Our accuracy over the best of the others, from errors in percent."""
    return (100 - ours) / (100 - min(others))


def judged(name: str, holds: bool, note: str, witness: Json = None, figures: Mapping[str, Json] | None = None) -> Part:
    """A part that arithmetic on printed numbers decides; the printed decimals are exact, so its power is 0."""
    shown = {"part": name} if witness is None else witness
    return Part(name, [said("arithmetic", holds, note, power=0.0, figures=figures)], shown)


def whole(name: str, errors: Mapping[str, Decimal], size: int) -> Part:
    """Whether every percentage is a whole number of samples of the test set."""
    wrong = {key: str(value) for key, value in errors.items() if (value * size) % 100}
    return judged(name, not wrong, f"each entry is a whole number of {size} samples", dict(wrong) or None)


def marked(name: str, row: Row) -> list[Part]:
    """Whether bold is the smallest and italic the second-smallest number of a row, found by sorting and by counting."""
    numbers = {key: value for key, cell in row.items() if (value := number(cell)) is not None}
    ranked = sorted(numbers, key=lambda key: numbers[key])
    parts = []
    for kind, place in (("bold", 0), (ITALIC, 1)):
        found = sorted(key for key, cell in row.items() if mark(cell) == kind)
        sought = [key for key in ranked if numbers[key] == numbers[ranked[place]]]
        counted = [key for key in numbers if sum(other < numbers[key] for other in numbers.values()) == place]
        witness: Json = {"row": name, kind: _shown(found, row) or "no entry", "right": _shown(sought, row)}
        routes = [
            said("arithmetic", found == sorted(sought), f"{kind} against the sorted row", power=0.0),
            said("exact", found == sorted(counted), f"{kind} against the number of smaller entries", power=0.0),
        ]
        parts.append(Part(f"{name}: {kind}", routes, witness))
    return parts


def _shown(keys: Iterable[str], row: Row) -> str:
    return ", ".join(f"{key} {known(row[key])}" for key in keys)


def unmeasured(name: str, outcome: bool | None, why: str) -> Part:
    """A part that the paper gives no number for: undecided by ``why`` unless an outcome is supplied."""
    route: Evidence = (
        said("reading", None, why)
        if outcome is None
        else said("arithmetic", outcome, f"'{name}' as supplied", power=0.0)
    )
    return Part(name, [route], {name: outcome})
