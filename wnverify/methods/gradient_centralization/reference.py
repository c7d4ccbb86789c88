"""Gradient centralization in NumPy: before the step g ← g − mean(g) for every row of the gradient (n, d).

H. Yong, J. Huang, X. Hua and L. Zhang, *Gradient centralization*, 2020, equations 1 and 2: G ← G (I − 1 1ᵀ / d).
Undefined for d = 1, where nothing would be left of a gradient.
"""

from __future__ import annotations

from typing import Any

from wnverify.primitives.reference import Matrix, as_matrix, centre_rows


def project(W: Any) -> Matrix:
    """W itself, a copy: the weight is not touched after a step; W (n, d).

    >>> project([[1.0, 2.0]])
    array([[1., 2.]])
    """
    return as_matrix(W, "W").copy()


def vjp(W: Any, A: Any) -> Matrix:
    """The cotangent A itself, a copy; W, A (n, d)."""
    return as_matrix(A, "A", as_matrix(W, "W").shape).copy()


def transform(W: Any, G: Any) -> Matrix:
    """G less its row means, the nearest gradient along which no row's sum moves; W, G (n, d), d ≥ 2.

    ``ValueError`` for d = 1 or a non-finite entry.

    >>> transform([[0.0, 0.0]], [[3.0, 1.0]])
    array([[ 1., -1.]])
    """
    G = as_matrix(G, "G", as_matrix(W, "W").shape)
    if G.shape[1] == 1:
        raise ValueError("G must have rows of d ≥ 2 entries: less its mean a single one is zero; got d = 1")
    return centre_rows(G)
