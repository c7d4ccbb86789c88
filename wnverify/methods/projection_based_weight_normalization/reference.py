"""Projection based weight normalization in NumPy: every T steps w ← w / ‖w‖ for every row of W (n, d).

L. Huang, X. Liu, B. Lang and B. Li, *Projection based weight normalization for deep neural networks*, 2017; equations
2 to 6 of *Norm loss*.  The set is the oblique manifold, unit rows.  Undefined at a zero row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, normalize_rows, normalize_rows_vjp


def project(W: Any, *, riemannian: bool = False) -> Matrix:
    """Equation 6: w / ‖w‖, the nearest point of the unit sphere, row by row; W (n, d).

    ``riemannian`` changes the gradient, not the projection.  ``ValueError`` names a zero row or a non-finite entry.

    >>> project([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    return _unit_rows(W)[0]


def vjp(W: Any, A: Any, *, riemannian: bool = False) -> Matrix:
    """The cotangent A of ``project`` pulled back: (a − ⟨a, ŵ⟩ ŵ) / ‖w‖ with ŵ = w / ‖w‖; W, A (n, d)."""
    unit, norms = _unit_rows(W)
    return normalize_rows_vjp(unit, norms, as_matrix(A, "A", unit.shape))


def transform(W: Any, G: Any, *, riemannian: bool = False) -> Matrix:
    """The gradient for the step: G itself (equation 2), or ``riemannian`` g − ⟨g, ŵ⟩ ŵ with ŵ = w / ‖w‖; (n, d).

    On unit rows this is equation 4.  Between projections, T > 1, rows have other norms: the part of g along w is taken
    off there too, so that the step still changes ‖w‖ in second order only.

    >>> transform([[1.0, 0.0]], [[3.0, 2.0]], riemannian=True)
    array([[0., 2.]])
    """
    gradient = as_matrix(G, "G", as_matrix(W, "W").shape)
    if not riemannian:
        return gradient
    return normalize_rows_vjp(_unit_rows(W)[0], np.ones((len(gradient), 1)), gradient)


def printed_riemannian_gradient(w: Any, G: Any) -> Matrix:
    """Equation 4 to the letter, G − (wᵀ G) w, for the weight w and the gradient G of one unit.

    The text has w as a row (1, p): then wᵀ G is (p, p), and its product with w (1, p) does not exist for p ≥ 2
    (``ValueError``).  For a column (p, 1) it is right: wᵀ G is a number.
    """
    w = as_matrix(w, "w")
    G = as_matrix(G, "G", w.shape)
    if w.shape[1] == 1:
        along: Matrix = G - float((w.T @ G)[0, 0]) * w
        return along
    if w.shape[0] != w.shape[1]:
        raise ValueError(f"w must be a column (p, 1) for (wᵀ G) w to exist; got shape {w.shape}")
    product: Matrix = G - (w.T @ G) @ w
    return product


def _unit_rows(W: Any) -> tuple[Matrix, Matrix]:
    return normalize_rows(as_matrix(W, "W"))
