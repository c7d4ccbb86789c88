"""Qualitative claims on training as statistical tests over seeds: nothing is asserted from one run.

A claim says that a figure of one row is smaller (or larger) than that of another, by paired runs: same seed, same
initial weights, same order of the data.  The test is the exact sign-flip test of the mean of the paired differences
(every one of the 2^n assignments of signs; Fisher 1935), beyond 20 pairs over random assignments, among which the
observed one is counted: p = (b + 1) / (m + 1), never too small (Phipson and Smyth 2010).  The interval is Student's.
Over all comparisons of an experiment the p-values are Holm's (1979, step down), which keeps the probability of any
false verdict below the level whatever depends on what.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from wnverify.finding import Verdict, seed_of

LEVEL: Final = 0.05
LARGEST_EXACT: Final = 20
"""Pairs up to which all assignments of signs are gone through."""
DRAWN: Final = 2**17 - 1
"""m, the random assignments beyond: with them the smallest p-value is 2⁻¹⁷."""


@dataclasses.dataclass(frozen=True, slots=True)
class Paired:
    """Mean of the differences a − b, its 95 % interval, and p-values that they are at least (at most) so by chance."""

    mean: float
    low: float
    high: float
    p_less: float
    p_greater: float
    pairs: int


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """A mean over runs with its 95 % interval, and the other figures that papers quote."""

    mean: float
    low: float
    high: float
    deviation: float
    median: float
    best: float
    runs: int


def paired(a: Sequence[float], b: Sequence[float]) -> Paired:
    """The differences of runs with the same seeds; ``ValueError`` for fewer than two pairs or uneven numbers.

    >>> paired([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).p_less
    0.125
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"a and b must be runs with the same seeds, two at least; got {len(a)} and {len(b)}")
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if not np.isfinite(difference).all():
        raise ValueError("a and b must be finite")
    seen = interval(list(difference))
    less, greater = _sign_flips(difference)
    return Paired(seen.mean, seen.low, seen.high, less, greater, len(difference))


def _sign_flips(difference: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """P(mean ≤ observed) and P(mean ≥ observed) over all signs, over drawn ones and the observed where they are too
    many; both 1 where every difference is 0."""
    n, exact = len(difference), len(difference) <= LARGEST_EXACT
    sums = np.zeros(1 if exact else DRAWN)
    rng = np.random.default_rng(seed_of("statistics", "signs", n))
    for size in np.abs(difference):
        if exact:
            sums = np.concatenate((sums - size, sums + size))
        else:
            sums += np.where(rng.integers(2, size=DRAWN, dtype=np.int8), size, -size)
    observed = float(difference.sum())
    # What is equal but for rounding counts as equal.
    slack = n * 2.0**-52 * float(np.abs(difference).sum())
    less, greater = int((sums <= observed + slack).sum()), int((sums >= observed - slack).sum())
    alone = 0 if exact else 1
    return (less + alone) / (len(sums) + alone), (greater + alone) / (len(sums) + alone)


def interval(values: Sequence[float], *, best: str = "least") -> Interval:
    """Mean with Student's 95 % interval, standard deviation (n − 1), median and best (``least`` or ``largest``)."""
    found = np.asarray(values, dtype=np.float64)
    n = len(found)
    mean = float(found.mean())
    deviation = float(found.std(ddof=1)) if n > 1 else math.nan
    half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * deviation / math.sqrt(n) if n > 1 else math.inf
    extreme = float(found.min() if best == "least" else found.max())
    return Interval(mean, mean - half, mean + half, deviation, float(np.median(found)), extreme, n)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: the k-th smallest times (m − k + 1), never below a smaller one's, at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def least_pairs(claims: int, level: float = LEVEL) -> int:
    """The fewest pairs with which one of so many claims can be decided at all: 2 claims / 2^n ≤ level.

    >>> least_pairs(1), least_pairs(4)
    (6, 8)
    """
    return max(2, math.ceil(math.log2(2 * claims / level)))


def verdicts(compared: Sequence[Paired], level: float = LEVEL) -> list[Verdict]:
    """For each claim that a is smaller than b: ``holds``, ``refuted`` (a is larger), or ``undecided``.

    Both directions of every claim are among the tests that Holm's procedure corrects for.
    """
    adjusted = holm([p for each in compared for p in (each.p_less, each.p_greater)])
    found = []
    for k in range(len(compared)):
        less, greater = adjusted[2 * k], adjusted[2 * k + 1]
        found.append(Verdict.HOLDS if less <= level else Verdict.REFUTED if greater <= level else Verdict.UNDECIDED)
    return found
