"""Laws of random variables in rationals, and estimates from samples, for the claims about moments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, REFUTES_FROM
from wnverify.papers.claims import by_ratio

Law = Mapping[Fraction, Fraction]
"""Value → probability."""

SIGNS: Final[Law] = {Fraction(-1): Fraction(1, 2), Fraction(1): Fraction(1, 2)}
SPREAD_SIGNS: Final[Law] = {Fraction(x): Fraction(1, 4) for x in (-3, -1, 1, 3)}
THREE_POINTS: Final[Law] = {Fraction(-2): Fraction(1, 8), Fraction(0): Fraction(3, 4), Fraction(2): Fraction(1, 8)}


def outcomes(laws: Sequence[Law]) -> Iterator[tuple[tuple[Fraction, ...], Fraction]]:
    """Every outcome of independent variables with its probability."""
    for point in itertools.product(*(law.items() for law in laws)):
        yield tuple(value for value, _ in point), math.prod((p for _, p in point), start=Fraction(1))


def mean(function: Callable[[tuple[Fraction, ...]], Fraction], laws: Sequence[Law]) -> Fraction:
    """E f(X) over independent variables with these laws."""
    return sum((p * function(point) for point, p in outcomes(laws)), Fraction(0))


def variance(function: Callable[[tuple[Fraction, ...]], Fraction], laws: Sequence[Law]) -> Fraction:
    """var f(X) over independent variables with these laws."""
    first = mean(function, laws)
    return mean(lambda point: (function(point) - first) ** 2, laws)


def relu(x: Fraction) -> Fraction:
    return max(x, Fraction(0))


def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return sum((x * y for x, y in zip(a, b, strict=True)), 0)


def shown(law: Law) -> str:
    """A law in words.

    >>> shown(SIGNS)
    '-1 with probability 1/2, 1 with probability 1/2'
    """
    return ", ".join(f"{value} with probability {p}" for value, p in law.items())


def quantile() -> float:
    """z with P(|N(0, 1)| > z) = the false-alarm budget of one comparison."""
    from statistics import NormalDist

    return -NormalDist().inv_cdf(FALSE_ALARM_BUDGET / 2)


def estimated(samples: Any, claimed: float, note: str, **figures: Json) -> Evidence:
    """Whether independent samples (a NumPy vector) average to ``claimed``, by their own standard error."""
    import numpy as np

    error = float(np.std(samples)) / math.sqrt(len(samples))
    found = float(np.mean(samples))
    allowed = quantile() * error
    ratio = 0.0 if found == claimed else abs(found - claimed) / allowed if allowed else math.inf
    return by_ratio(
        "simulation",
        ratio,
        note,
        power=REFUTES_FROM * allowed / abs(found) if found else REFUTES_FROM * allowed,
        model=f"{quantile():.2f} standard errors of the mean (false alarms: {FALSE_ALARM_BUDGET:g})",
        figures={
            "samples": len(samples), "found": float(f"{found:.5g}"), "claimed": float(f"{claimed:.5g}"), **figures
        },
    )  # fmt: skip
