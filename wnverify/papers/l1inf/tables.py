"""L1,∞, section 5: how the claims compare printed decimals."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from wnverify.experiments.published.l1inf_tables import (
    NO_LIMIT,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    Table1,
    Table2,
    Table3,
)
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Part, said


def number(cell: str) -> Decimal:
    """The number of a cell without its mark.

    >>> number("**98.11**")
    Decimal('98.11')
    """
    return Decimal(cell.strip("*"))


def limit(c: str) -> float:
    """c as a number.

    >>> limit("0.90"), limit("∞")
    (0.9, inf)
    """
    return float("inf") if c == NO_LIMIT else float(c)


def half_digit(cell: str) -> Fraction:
    """How far a number may be from the one it was rounded from.

    >>> half_digit("2.424"), half_digit("91.0")
    (Fraction(1, 2000), Fraction(1, 20))
    """
    _, _, decimals = cell.strip("*").partition(".")
    return Fraction(1, 2 * 10 ** len(decimals))


def changed1(c: str, **cells: str) -> Table1:
    """Table 1 with some cells of one row replaced."""
    return {**TABLE_1, c: TABLE_1[c]._replace(**cells)}


def changed2(c: str, **cells: str) -> Table2:
    """Table 2 with some cells of one row replaced."""
    return {**TABLE_2, c: TABLE_2[c]._replace(**cells)}


def changed3(regularizer: str, **cells: str) -> Table3:
    """Table 3 with some cells of one row replaced (Cla stands for Cla. Exp)."""
    old = dict(zip(("Cla", "MNIST", "CIFAR10"), TABLE_3[regularizer], strict=True)) | cells
    return {**TABLE_3, regularizer: (old["Cla"], old["MNIST"], old["CIFAR10"])}


def steps_against(values: Mapping[str, Decimal], *, falls: bool) -> dict[str, Json]:
    """The neighbours in the order given between which the values do not strictly fall (rise)."""
    pairs = list(values.items())
    return {
        f"c = {first} → {second}": f"{a} → {b}"
        for (first, a), (second, b) in itertools.pairwise(pairs)
        if (a <= b if falls else a >= b)
    }


def pairs_with(values: Mapping[str, Decimal], *, falls: bool) -> tuple[int, int]:
    """How many of all pairs strictly fall (rise) in the order given, and how many pairs there are."""
    numbers = list(values.values())
    pairs = [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
    return sum(a > b if falls else a < b for a, b in pairs), len(pairs)


def supplied(name: str, outcome: bool | None, why: str) -> Part:
    """A part that the text gives no number for: undecided by ``why`` unless an outcome is supplied."""
    route = said("reading", None, why) if outcome is None else exactly(outcome, f"'{name}' as supplied")
    return Part(name, [route], {name: outcome})
