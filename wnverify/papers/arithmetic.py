"""What the claims about printed numbers and counted operations share, whatever the paper."""

from __future__ import annotations

import math
from decimal import Decimal

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import said


def exactly(holds: bool, note: str, **figures: Json) -> Evidence:
    """Printed decimals compared exactly: a change in the last digit would be noticed."""
    return said("arithmetic", holds, note, power=0.0, figures=figures)


def standard_errors(first: Decimal, second: Decimal, size: int) -> float:
    """(second − first) over the standard error of a difference of two independent binomial shares, in percent of
    ``size`` samples, to hundredths.

    >>> standard_errors(Decimal("5.64"), Decimal("6.00"), 10_000)
    1.09
    """
    shares = [float(x) / 100 for x in (first, second)]
    return round(float(second - first) / 100 / math.sqrt(sum(x * (1 - x) for x in shares) / size), 2)


class Counted:
    """A number that counts the operations done with it, each as one; ``done`` is shared by all and reset by hand."""

    done = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def _count(self, value: float) -> Counted:
        Counted.done += 1
        return Counted(value)

    def __add__(self, other: Counted) -> Counted:
        return self._count(self.value + other.value)

    def __sub__(self, other: Counted) -> Counted:
        return self._count(self.value - other.value)

    def __mul__(self, other: Counted) -> Counted:
        return self._count(self.value * other.value)

    def __truediv__(self, other: Counted) -> Counted:
        return self._count(self.value / other.value)

    def root(self) -> Counted:
        return self._count(math.sqrt(self.value))

    def inverse(self) -> Counted:
        return self._count(1 / self.value)

    def inverse_root(self) -> Counted:
        return self._count(self.value**-0.5)
