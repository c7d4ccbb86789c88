"""Intervals for the mean of bounded independent values."""

from __future__ import annotations

import dataclasses
import math

from wnverify.theory.network import Vector


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """The mean of ``trials`` exact values, and bounds that hold the expectation with probability ``confidence``."""

    mean: float
    lower: float
    upper: float
    trials: int
    confidence: float


def bernstein(values: Vector, largest: float, confidence: float) -> Interval:
    """The empirical Bernstein interval for the mean of independent values in [0, B], B = ``largest``.

    |mean − E| ≤ √(2 V log(4/δ)/N) + 7 B log(4/δ)/(3 (N − 1)) with probability 1 − δ, V the sample variance (Maurer and
    Pontil, COLT 2009, Theorem 4, for both sides).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be a probability between 0 and 1; got {confidence!r}")
    count = len(values)
    log = math.log(4 / (1 - confidence))
    spread = math.sqrt(2 * float(values.var(ddof=1)) * log / count) + 7 * largest * log / (3 * (count - 1))
    mean = float(values.mean())
    return Interval(mean, max(0.0, mean - spread), min(largest, mean + spread), count, confidence)
