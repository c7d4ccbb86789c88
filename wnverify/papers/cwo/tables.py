"""CWO: how the claims read the cells of its printed tables."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from wnverify.experiments.published.cwo_tables import Noise

BOLD: Final = "bold"
ITALIC: Final = "italic"
MISSING: Final = "-"


def number(cell: str) -> Decimal | None:
    """The number of a cell without its mark; ``None`` for a cell that has none.

    >>> number("**4.19**"), number("-")
    (Decimal('4.19'), None)
    """
    return None if cell == MISSING else Decimal(cell.strip("*"))


def known(cell: str) -> Decimal:
    """The number of a cell that must have one; ``ValueError`` where it has none."""
    value = number(cell)
    if value is None:
        raise ValueError(f"cell must hold a number; got {cell!r}")
    return value


def mark(cell: str) -> str:
    """``bold``, ``italic`` or nothing.

    >>> mark("**4.19**"), mark("*4.37*"), mark("4.40")
    ('bold', 'italic', '')
    """
    return BOLD if cell.startswith("**") else ITALIC if cell.startswith("*") else ""


def with_noise(table: Noise, data: str, column: tuple[str, str], text: str) -> Noise:
    """Table 4 with one entry replaced."""
    return {**table, data: {**table[data], column: text}}


TEST_SIZE: Final[Mapping[str, int]] = MappingProxyType(
    {"CIFAR-10": 10_000, "CIFAR-100": 10_000, "ModelNet40": 2_468, "ImageNet": 50_000}
)
"""Samples of each test set as printed (Secs. 4.1, 4.2, 4.3; for ImageNet the validation set)."""
