"""A second way to the exact complexity: one mixed-integer linear program for each sign vector, certified.

    max Σ_i e_i h_i,  h_i = max(v·x̃_i, 0),  ‖v‖_1 ≤ 1,

with a binary variable for each h_i that the objective wants large (e_i = +1); where e_i = −1 two inequalities do.
HiGHS solves it with zero relative gap.  Of its answer only the pattern is used, which coordinates and which v·x̃_i are
zero: the vertex with that pattern is solved for in rational numbers, and the objective evaluated there: a value that
is attained.  The solver's dual bound is quoted from above.  Nothing of ``rays`` is used.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import flint
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from wnverify.theory.network import Matrix, NetworkClass, augmented, checked_data

ZERO: Final = 1e-7
"""Below this a number of the solver counts as zero: its feasibility tolerance."""
MAX_SIGNS: Final = 1 << 10


@dataclasses.dataclass(frozen=True, slots=True)
class Certified:
    """``attained`` ≤ the value ≤ ``dual``: a rational number that some network reaches, and the solver's dual bound."""

    attained: Fraction
    dual: float
    programs: int


def certified_complexity(network: NetworkClass, X: Matrix) -> Certified:
    """R̂_S for one hidden layer of ReLU units, between an attained rational value and a dual bound.

    ``ValueError`` for k ≠ 1, ρ ≠ 1 or more than 2¹⁰ pairs of sign vectors.
    """
    data = checked_data(X)
    n = len(data)
    if network.k != 1 or network.rho != 1:
        raise ValueError(f"network must have one hidden layer of ReLU units; got k = {network.k}, rho = {network.rho}")
    if 1 << (n - 1) > MAX_SIGNS:
        raise ValueError(f"X must have at most 11 samples for one program a sign vector; got n = {n}")
    halves = [(*signs, 1) for signs in itertools.product((1, -1), repeat=n - 1)]
    each = [certified_supremum(network, data, signs) for signs in halves]
    scale = Fraction(network.o) / (n * len(halves))
    return Certified(
        scale * sum((one.attained for one in each), Fraction(0)),
        float(scale) * float(sum(one.dual for one in each)),
        sum(one.programs for one in each),
    )


def certified_supremum(network: NetworkClass, X: Matrix, signs: Sequence[int]) -> Certified:
    """max(|Σ ε_i|, c max_v |Σ_i ε_i max(v·x̃_i, 0)|) for one ε, without the factor o."""
    total = abs(sum(signs))
    c = Fraction(network.c[0])
    both = [_unit(X, [factor * int(each) for each in signs]) for factor in (1, -1)]
    attained = max(Fraction(total), *(c * value for value, _ in both))
    return Certified(attained, max(float(total), *(float(c) * dual for _, dual in both)), len(both))


def _unit(X: Matrix, e: Sequence[int]) -> tuple[Fraction, float]:
    """(attained, dual) for max_v Σ_i e_i max(v·x̃_i, 0), ‖v‖_1 ≤ 1."""
    points = augmented(X)
    n, m = points.shape
    large = [i for i in range(n) if e[i] > 0]
    # Variables: v⁺ (m), v⁻ (m), h (n), z for the h_i wanted large.
    size = 2 * m + n + len(large)
    cost = np.zeros(size)
    cost[2 * m : 2 * m + n] = -np.asarray(e, dtype=np.float64)
    rows, upper = [], []

    def row(entries: dict[int, float], bound: float, point: int | None = None, sign: float = 1.0) -> None:
        made = np.zeros(size)
        if point is not None:
            made[:m], made[m : 2 * m] = sign * points[point], -sign * points[point]
        for column, value in entries.items():
            made[column] = value
        rows.append(made)
        upper.append(bound)

    row(dict.fromkeys(range(2 * m), 1.0), 1.0)
    for i in range(n):
        row({2 * m + i: -1.0}, 0.0, i)  # h_i ≥ v·x̃_i
    for position, i in enumerate(large):
        reach = float(np.abs(points[i]).max())  # |v·x̃_i| for ‖v‖_1 ≤ 1
        z = 2 * m + n + position
        row({2 * m + i: 1.0, z: reach}, reach, i, -1.0)  # h_i ≤ v·x̃_i + reach (1 − z)
        row({2 * m + i: 1.0, z: -reach}, 0.0)  # h_i ≤ reach z
    integrality = np.zeros(size)
    integrality[2 * m + n :] = 1
    limits = np.full(size, np.inf)
    limits[2 * m + n :] = 1.0
    found = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), -np.inf, np.array(upper)),
        integrality=integrality,
        bounds=Bounds(np.zeros(size), limits),
        options={"mip_rel_gap": 0.0},
    )
    if found.status != 0:
        raise RuntimeError(f"the mixed-integer program was not solved: {found.message}")
    v = found.x[:m] - found.x[m : 2 * m]
    dual = -float(found.mip_dual_bound) if found.mip_dual_bound is not None else -float(found.fun)
    return _attained(points, e, v), dual


def _attained(points: Matrix, e: Sequence[int], v: Matrix) -> Fraction:
    """The objective, in rational numbers, at the vertex that shares the zeros of the solver's v; 0 is attained too."""
    exact = [[Fraction(float(each)) for each in x] for x in points]
    zeros = [[Fraction(int(i == j)) for i in range(len(v))] for j in range(len(v)) if abs(v[j]) <= ZERO]
    zeros += [x for x, value in zip(exact, points @ v, strict=True) if abs(value) <= ZERO]
    candidates = [[Fraction(float(each)) for each in v]]
    line = _null_line(zeros, len(v))
    if line is not None:
        candidates += [line, [-each for each in line]]
    return max((_value(exact, e, candidate) for candidate in candidates), default=Fraction(0))


def _value(points: list[list[Fraction]], e: Sequence[int], v: list[Fraction]) -> Fraction:
    norm = sum((abs(each) for each in v), Fraction(0))
    if norm == 0:
        return Fraction(0)
    products = [sum((a * b for a, b in zip(v, x, strict=True)), Fraction(0)) for x in points]
    total = sum((sign * max(each, Fraction(0)) for sign, each in zip(e, products, strict=True)), Fraction(0))
    return max(total / norm, Fraction(0))


def _null_line(rows: list[list[Fraction]], m: int) -> list[Fraction] | None:
    """A vector that spans the null space of ``rows`` where that is a line."""
    if not rows:
        return [Fraction(1)] if m == 1 else None
    matrix = flint.fmpq_mat([[flint.fmpq(each.numerator, each.denominator) for each in row] for row in rows])
    reduced, rank = matrix.rref()
    if rank != m - 1:
        return None
    pivots = [next(j for j in range(m) if reduced[i, j] != 0) for i in range(rank)]
    free = next(j for j in range(m) if j not in pivots)
    line = [Fraction(0)] * m
    line[free] = Fraction(1)
    for i, j in enumerate(pivots):
        line[j] = -Fraction(int(reduced[i, free].p), int(reduced[i, free].q))
    return line
