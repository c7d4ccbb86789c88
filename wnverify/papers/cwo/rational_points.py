"""Rational points of the feasible set of eq. 9 for c = 2, and comparisons with them in fractions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction

Vector = tuple[Fraction, ...]


def square(x: Sequence[Fraction]) -> Fraction:
    return sum((a * a for a in x), Fraction(0))


@functools.cache
def feasible(n: int) -> tuple[Vector, ...]:
    """Rational points of ‖w‖² = 2, 1ᵀw = 0: none of n = 1, both of n = 2; of n = 3 (a, b, −a−b), a² + ab + b² = 1."""
    F = Fraction
    if n == 1:
        return ()  # 1ᵀw = 0 leaves w = 0
    if n == 2:
        return ((F(1), F(-1)), (F(-1), F(1)))
    pairs = [(F(1), F(0)), (F(3, 7), F(5, 7)), (F(5, 7), F(3, 7)), (F(7, 13), F(8, 13))]
    found: set[Vector] = set()
    for a, b in pairs:
        for x, y, z in ((a, b, -a - b), (b, -a - b, a), (-a - b, a, b)):
            found |= {(x, y, z), (-x, -y, -z)}
    return tuple(sorted(found))
