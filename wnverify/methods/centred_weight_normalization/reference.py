"""Centred weight normalization in NumPy: v̂_i = v_i − mean(v_i), w_i = v̂_i / ‖v̂_i‖ for every row of V (n, d).

L. Huang, X. Liu, Y. Liu, B. Lang and D. Tao, *Centered weight normalization*, 2017; the gradient is equation 3 of the
supplement.  Undefined at a constant row, so for d = 1 everywhere.
"""

from __future__ import annotations

from typing import Any

from wnverify.primitives.reference import (
    Matrix,
    as_matrix,
    centre_and_normalize_rows,
    centre_rows,
    normalize_rows_vjp,
)


def forward(V: Any) -> Matrix:
    """W with w_i = v̂_i / ‖v̂_i‖, v̂ = v − (1/d) 1 (1ᵀ v).

    V, W (n, d).  ``ValueError`` names a constant row or a non-finite entry of V, or d where d = 1.

    >>> forward([[2.0, 4.0]]) * 2**0.5
    array([[-1.,  1.]])
    """
    return centre_and_normalize_rows(as_matrix(V, "V"))[0]


def vjp(V: Any, A: Any) -> Matrix:
    """The gradient by V for the cotangent A of W: (â_i − ⟨â_i, w_i⟩ w_i) / ‖v̂_i‖ with â the centred a.

    Equal to ``printed_gradient`` wherever W is exact; V, A (n, d).  Errors as in ``forward``.
    """
    V = as_matrix(V, "V")
    W, norms = centre_and_normalize_rows(V)
    return normalize_rows_vjp(W, norms, centre_rows(as_matrix(A, "A", V.shape)))


def printed_gradient(V: Any, A: Any) -> Matrix:
    """Equation 3, term by term: (a_i − (a_i w_i) w_iᵀ − (1/d)(a_i 1) 1ᵀ) / ‖v̂_i‖; shapes and errors as ``vjp``."""
    V = as_matrix(V, "V")
    W, norms = centre_and_normalize_rows(V)
    A = as_matrix(A, "A", V.shape)
    G: Matrix = (A - (A * W).sum(axis=1, keepdims=True) * W - A.sum(axis=1, keepdims=True) / V.shape[1]) / norms
    return G


def jvp(V: Any, E: Any) -> Matrix:
    """The change of W along the direction E of V: equal to ``vjp(V, E)``, since the map is the gradient of Σ ‖v̂_i‖."""
    return vjp(V, E)
