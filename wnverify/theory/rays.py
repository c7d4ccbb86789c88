"""The rays on which the sign sums of one ReLU unit are largest, in exact arithmetic.

v ↦ Σ_i ε_i max(v·x̃_i, 0) is linear on every cone of the arrangement of the hyperplanes {v·x̃_i = 0}; the coordinate
hyperplanes cut these into cones on which ‖v‖_1 is linear too.  On such a cone, cut off at ‖v‖_1 = 1, a linear function
is largest at a vertex: at 0 or on a ray, an intersection of m − 1 of all these hyperplanes with independent normals,
m = m1 + 1.  The rays do not depend on the signs ε.

Float64 numbers are dyadic rationals, so that normals, rays and the sign of every v·x̃_i are exact integers here:
repeated points, zeros, collinear points and points on coordinate planes need no tolerance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import flint
import numpy as np

from wnverify.theory.network import Matrix

Integers = tuple[int, ...]
MAX_INTERSECTIONS: Final = 500_000
"""Sets of m − 1 hyperplanes that are looked at before a problem counts as too large."""


def intersections(n: int, m1: int) -> int:
    """C(n + m1 + 1, m1): the sets of m − 1 hyperplanes, half of the largest possible number of rays.

    >>> intersections(20, 3)
    2024
    """
    return math.comb(n + m1 + 1, m1)


def rays(X: Matrix) -> list[Integers]:
    """All rays of the arrangement of the (1, x_i) and the coordinate hyperplanes, as primitive integer vectors.

    Both directions of a line are listed.  ``ValueError`` where more than ``MAX_INTERSECTIONS`` sets must be looked at.
    """
    n, m1 = X.shape
    normals = sorted({primitive(row) for row in _integer_rows(X)} | set(_coordinates(m1 + 1)))
    count = math.comb(len(normals), m1)
    if count > MAX_INTERSECTIONS:
        raise ValueError(
            f"X is too large for the exact rays: n = {n}, m1 = {m1} give {count:,} intersections; at most "
            f"{MAX_INTERSECTIONS:,}, so n ≤ {largest_n(m1)} at this m1"
        )
    lines = {line for chosen in itertools.combinations(normals, m1) if (line := _line(chosen)) is not None}
    return sorted(lines | {tuple(-each for each in line) for line in lines})


def largest_n(m1: int) -> int:
    """The largest n whose rays can be listed with m1 inputs; 0 where even one sample is too much."""
    n = 0
    while n < 1000 and intersections(n + 1, m1) <= MAX_INTERSECTIONS:
        n += 1
    return n


def activations(X: Matrix, directions: Iterable[Integers]) -> list[list[Fraction]]:
    """[max(v·x̃_i, 0)]_i for every direction, scaled to ‖v‖_1 = 1, exactly."""
    points = [[Fraction(1), *(Fraction(float(each)) for each in row)] for row in X]
    made = []
    for v in directions:
        norm = sum(abs(each) for each in v)
        made.append(
            [max(sum((a * b for a, b in zip(v, x, strict=True)), Fraction(0)), Fraction(0)) / norm for x in points]
        )
    return made


def features(X: Matrix, directions: list[Integers]) -> Matrix:
    """The matrix (n, R) of ``activations``, every entry correctly rounded to float64, equal columns once."""
    rows = _integer_rows(X)
    V = np.array(directions, dtype=object).T
    norms = [sum(abs(each) for each in v) for v in directions]
    made = np.empty((len(X), len(directions)))
    for i, row in enumerate(rows):
        values = np.array(row, dtype=object) @ V
        # row[0] is the power of two by which the point (1, x_i) was multiplied; int / int rounds correctly.
        made[i] = [value / (row[0] * norm) if value > 0 else 0.0 for value, norm in zip(values, norms, strict=True)]
    return np.unique(made[:, made.any(axis=0)], axis=1)


def primitive(vector: Iterable[int]) -> Integers:
    """The vector divided by its greatest common divisor, its first non-zero entry positive.

    >>> primitive((0, -4, 6))
    (0, 2, -3)
    """
    entries = [int(each) for each in vector]
    divisor = math.gcd(*entries) or 1
    sign = next((1 if each > 0 else -1 for each in entries if each), 1)
    return tuple(sign * each // divisor for each in entries)


def _line(normals: tuple[Integers, ...]) -> Integers | None:
    """The direction orthogonal to m − 1 normals; ``None`` where they are dependent."""
    m = len(normals[0]) if normals else 1
    if not normals:
        return (1,)
    reduced, denominator, rank = flint.fmpz_mat([list(each) for each in normals]).rref()
    if rank < m - 1:
        return None
    # The one column without a pivot is the free coordinate.
    pivots, row = [], 0
    for column in range(m):
        if row < m - 1 and reduced[row, column] != 0:
            pivots.append(column)
            row += 1
    free = next(column for column in range(m) if column not in pivots)
    direction = [0] * m
    direction[free] = int(denominator)
    for row, column in enumerate(pivots):
        direction[column] = -int(reduced[row, free])
    return primitive(direction)


def _integer_rows(X: Matrix) -> list[Integers]:
    """(1, x_i) times the smallest power of two that makes all its entries whole."""
    made = []
    for row in X:
        ratios = [float(each).as_integer_ratio() for each in row]
        scale = math.lcm(*(denominator for _, denominator in ratios))
        made.append((scale, *(numerator * (scale // denominator) for numerator, denominator in ratios)))
    return made


def _coordinates(m: int) -> Iterable[Integers]:
    return (tuple(int(i == j) for j in range(m)) for i in range(m))
