"""Soft-thresholding whose level is set row by row by an equation of the row itself, in NumPy float64, by sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    size = np.abs(V)
    level = _level(size, radius, slope)
    y = size - level
    # Once more from the differences: near the level they are exact, so Σ|x| is right to its own rounding.
    X = np.copysign(np.maximum(y - _level(y, radius + slope * level, slope), 0.0), V) + 0.0
    inside = (size.sum(axis=1, keepdims=True) <= radius) & (slope == 0)
    return np.asarray(np.where(inside, V, X))


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
    inside = (np.abs(V).sum(axis=1, keepdims=True) <= radius) & (slope == 0)
    return np.asarray(np.where(inside, A, G))


def _level(y: Matrix, bound: Any, slope: float) -> Matrix:
    """θ of Σ (y − θ)₊ = bound + slope θ: the step from the longest run of largest entries that all exceed it."""
    falling = -np.sort(-y, axis=1)
    levels = (falling.cumsum(axis=1) - bound) / (np.arange(1, y.shape[1] + 1) + slope)
    last = np.maximum((falling > levels).sum(axis=1, keepdims=True), 1) - 1
    return np.asarray(np.take_along_axis(levels, last, axis=1))
