"""Deep structural weight normalization, Tables 1 and 2 as printed, decimals as text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

Table1 = Mapping[str, tuple[str, str]]

TABLE_1: Final[Table1] = MappingProxyType(
    {
        "Standard": ("94.74", "96.52"),
        "QR": ("94.38", "94.82"),
        "WN": ("97.60", "97.33"),
        "OWN": ("96.61", "98.54"),
        "DSWN-NM": ("97.90", "98.88"),
    }
)
"""Table 1: mean test accuracy in percent of fully connected networks on MNIST and PIE."""
MNIST, PIE = 0, 1


class Cell(NamedTuple):
    """An average accuracy and its standard deviation, in percent."""

    mean: str
    deviation: str


Table2 = Mapping[str, tuple[Cell, Cell]]

TABLE_2: Final[Table2] = MappingProxyType(
    {
        "Standard": (Cell("90.88", "0.18"), Cell("64.72", "0.20")),
        "WN": (Cell("90.25", "0.26"), Cell("65.83", "0.23")),
        "OWN": (Cell("91.24", "0.13"), Cell("67.24", "0.15")),
        "DSWN-NM": (Cell("91.74", "0.14"), Cell("67.64", "0.10")),
    }
)
"""Table 2: VGG on CIFAR-10 and CIFAR-100, five independent runs."""
CIFAR_10, CIFAR_100 = 0, 1
