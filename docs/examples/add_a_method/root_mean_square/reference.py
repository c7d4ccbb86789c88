"""Rows of root mean square 1 in NumPy: w_i = √d v_i / ‖v_i‖ for every row v_i of V (n, d).  Undefined at a zero row."""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, normalize_rows, normalize_rows_vjp


def forward(V: Any) -> Matrix:
    """W with w_i = √d v_i / ‖v_i‖; V, W (n, d).  ``ValueError`` names a zero row or a non-finite entry.

    >>> forward([[3.0, -4.0, 0.0, 0.0]])
    array([[ 1.2, -1.6,  0. ,  0. ]])
    """
    V = as_matrix(V, "V")
    return np.sqrt(V.shape[1]) * normalize_rows(V)[0]


def vjp(V: Any, A: Any) -> Matrix:
    """The gradient by V for the cotangent A of W: √d (a_i − ⟨a_i, v_i⟩ v_i / ‖v_i‖²) / ‖v_i‖; V, A (n, d)."""
    V = as_matrix(V, "V")
    U, norms = normalize_rows(V)
    return np.sqrt(V.shape[1]) * normalize_rows_vjp(U, norms, as_matrix(A, "A", V.shape))
