"""DSWN, section 4: how the claims read the numbers of its tables and text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from wnverify.experiments.published.dswn_tables import TABLE_1, TABLE_2, Cell, Table1, Table2
from wnverify.finding import Evidence, Json
from wnverify.papers.claims import said

RUNS: Final = 5
OURS: Final = "DSWN-NM"
HALF_A_DIGIT: Final = Decimal("0.05")
"""How far a number printed with one decimal may be from the one measured."""

TEST_IMAGES: Final[Mapping[str, int]] = MappingProxyType({"MNIST": 10_000, "PIE": 1_340})
"""MNIST: 10 classes of 1,000 by sec. 4.2.1; PIE: the sample of sec. 4.2.1."""


def only_in(place: str, what: str) -> Evidence:
    """Nothing in the text holds what is asked."""
    return said("reading", None, f"only {place} could tell {what}, and the text does not contain its data")


def column(table: Table1, index: int) -> dict[str, Decimal]:
    """Method → accuracy, of one column of Table 1."""
    return {method: Decimal(cells[index]) for method, cells in table.items()}


def means(table: Table2, index: int) -> dict[str, Decimal]:
    """Method → mean accuracy, of one column of Table 2."""
    return {method: Decimal(cells[index].mean) for method, cells in table.items()}


def printed(row: Mapping[str, Decimal]) -> dict[str, Json]:
    """Accuracies as they are printed, for a witness."""
    return {method: str(value) for method, value in row.items()}


def changed1(method: str, index: int, value: str) -> Table1:
    """Table 1 with another number in one cell: for planted faults."""
    cells = list(TABLE_1[method])
    cells[index] = value
    return {**TABLE_1, method: (cells[0], cells[1])}


def changed2(method: str, index: int, mean: str, deviation: str = "") -> Table2:
    """Table 2 with another cell: for planted faults."""
    cells = list(TABLE_2[method])
    cells[index] = Cell(mean, deviation or cells[index].deviation)
    return {**TABLE_2, method: (cells[0], cells[1])}


def rest_of(ours: str, gain: str, *, relative: bool) -> Fraction:
    """The accuracy that ``ours`` exceeds by ``gain`` per cent, in points or as a share of it."""
    return Fraction(ours) / (1 + Fraction(gain) / 100) if relative else Fraction(ours) - Fraction(gain)
