"""Norm loss: the numbers of its tables and of the text of section V, as printed, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Row(NamedTuple):
    """A row of Tables I and II: test error in percent, best run and mean (or median); None where a dash is printed."""

    network: str
    source: str
    method: str
    best: str | None
    mean: str | None

    @property
    def own(self) -> bool:
        """Whether the authors ran it themselves: no star, no foreign source."""
        return self.source in ("", "Ours")


TABLE_1: Final = (
    Row("ResNet110", "", "wd", "6.32", "6.568"),
    Row("ResNet110", "[2]*", "wd", "6.43", "6.61"),
    Row("ResNet110", "[20]*", "WN", None, "7.56"),
    Row("ResNet110", "[19]*", "PBWN", None, "6.27"),
    Row("ResNet110", "[15]*", "ONI", None, "6.56"),
    Row("ResNet110", "Ours", "nl", "5.9", "5.996"),
    Row("WRN-28-10", "", "wd", "3.9", "3.966"),
    Row("WRN-28-10", "[3]*", "wd", None, "3.89"),
    Row("WRN-28-10", "[21]*", "OLM", None, "3.73"),
    Row("WRN-28-10", "[21]*", "OLM-L1", None, "3.82"),
    Row("WRN-28-10", "Ours", "nl", "4.47", "4.662"),
)
"""Table I: CIFAR-10."""

TABLE_2: Final = (
    Row("ResNet110", "", "wd", "27.9", "28.398"),
    Row("ResNet110", "[20]*", "WN", None, "28.38"),
    Row("ResNet110", "[19]*", "PBWN", None, "27.03"),
    Row("ResNet110", "Ours", "nl", "26.24", "26.526"),
    Row("WRN-28-10", "", "wd", "18.85", "19.138"),
    Row("WRN-28-10", "[3]*", "wd", None, "18.85"),
    Row("WRN-28-10", "[21]*", "OLM", None, "18.76"),
    Row("WRN-28-10", "[21]*", "OLM-L1", None, "18.61"),
    Row("WRN-28-10", "Ours", "nl", "18.57", "18.648"),
)
"""Table II: CIFAR-100."""

OTHER_SCHEDULE: Final = (
    Row("ResNet110", "", "wd", "27.56", "28.094"),
    Row("ResNet110", "Ours", "nl", "25.2", "25.878"),
)
"""Sec. V-D: CIFAR-100 with the learning rate schedule of CIFAR-10."""


class Row3(NamedTuple):
    """A row of Table III: top-1 and top-5 error in percent of ResNet50 on ImageNet."""

    source: str
    method: str
    top1: str
    top5: str | None


TABLE_3: Final = (
    Row3("", "wd", "25.29", "7.86"),
    Row3("[15]*", "wd", "23.85", None),
    Row3("[15]*", "ONI", "23.30", None),
    Row3("Ours", "nl", "24.34", "7.44"),
)

HOURS: Final[Mapping[str, str]] = {"wd": "4.56", "nl": "4.79"}
"""Sec. V-C: hours to train ResNet110 on CIFAR-10."""
