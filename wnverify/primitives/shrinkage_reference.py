"""Soft-thresholding whose level is set row by row by an equation of the row itself, in NumPy float64, by sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import Matrix, as_matrix


def shrink_rows(V: Any, *, radius: float, slope: float) -> Matrix:
    """X with x_j = sgn(v_j) (|v_j| − θ)₊, Σ|x| = radius + slope θ for every row; a row with Σ|v| ≤ radius stays.

    slope 0 is the projection onto the L1 ball, radius 0 and slope 1/t the proximal operator of (t/2) ‖·‖₁².

    >>> shrink_rows([[3.0, -1.0, 0.5]], radius=3.0, slope=0.0)
    array([[ 2.5, -0.5,  0. ]])
    """
    V = as_matrix(V, "V")
    if radius == 0 and slope == 0:
        return np.zeros(V.shape)
    unit = _unit(V)
    size = np.abs(V) * unit
    level = _level(size, radius * unit, slope)
    y = size - level
    # Once more from the differences: near the level they are exact, so Σ|x| is right to its own rounding.
    X = np.copysign(np.maximum(y - _level(y, radius * unit + slope * level, slope), 0.0) / unit, V) + 0.0
    return np.asarray(np.where(_inside(V, radius, slope), V, X))


def shrink_rows_vjp(V: Any, A: Any, *, radius: float, slope: float) -> Matrix:
    """The cotangent A of X pulled back: a − s ⟨a, s⟩ / (k + slope) on the k active entries, s their signs, 0 elsewhere.

    A itself for a row that stays.
    """
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    X = shrink_rows(V, radius=radius, slope=slope)
    if radius == 0 and slope == 0:
        return np.zeros(V.shape)
    signs = np.sign(X)
    count = np.maximum(np.abs(signs).sum(axis=1, keepdims=True), 1.0)
    G = (A - signs * (A * signs).sum(axis=1, keepdims=True) / (count + slope)) * np.abs(signs)
    return np.asarray(np.where(_inside(V, radius, slope), A, G))


def proximal_level(size: Matrix, slope: float) -> tuple[Matrix, NDArray[np.int64]]:
    """(θ, k) of sizes ≥ 0 for every row: Σ (size − θ)₊ = slope θ, and how many are above it.

    >>> proximal_level(np.array([[3.0, 1.5, 0.5]]), 2.0)
    (array([[1.125]]), array([[2]]))
    """
    level = _level(size, 0.0, slope)
    return level, (size > level).sum(axis=1, keepdims=True)


def _unit(V: Matrix) -> Matrix:
    """2^-b, or 1, for every row, (n, 1): a power of two with which no sum of its d < 2^b entries overflows."""
    bits = V.shape[1].bit_length()
    return np.where(np.abs(V).max(axis=1, keepdims=True) < 2.0 ** (1023 - bits), 1.0, 2.0**-bits)


def _inside(V: Matrix, radius: float, slope: float) -> NDArray[np.bool_]:
    """The rows of the L1 ball, which stay; none where there is a slope."""
    unit = _unit(V)
    return np.asarray(((np.abs(V) * unit).sum(axis=1, keepdims=True) <= radius * unit) & (slope == 0))


def _level(y: Matrix, bound: Any, slope: float) -> Matrix:
    """θ of Σ (y − θ)₊ = bound + slope θ: the step from the longest run of largest entries that all exceed it.

    Rounding of the sums may put that below the step from the largest entry alone, or above this entry: there it is
    held.
    """
    falling = -np.sort(-y, axis=1)
    levels = (falling.cumsum(axis=1) - bound) / (np.arange(1, y.shape[1] + 1) + slope)
    last = np.maximum((falling > levels).sum(axis=1, keepdims=True), 1) - 1
    return np.asarray(np.clip(np.take_along_axis(levels, last, axis=1), levels[:, :1], falling[:, :1]))
