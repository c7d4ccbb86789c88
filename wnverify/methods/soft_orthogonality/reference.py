"""Soft orthogonality in NumPy: L(W) = ‖W Wᵀ − I‖_F², W (n, d) with one row for each output unit.

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.1; equation 1 of *Norm loss*, where the norm is printed without the square (``squared=False``).  Both papers
have one column for each unit there, Wᵀ W: transposed here.  ``side="columns"`` asks for orthonormal columns.

The two sides differ by a constant, ‖Wᵀ W − I‖² = ‖W Wᵀ − I‖² + d − n, since the Gram matrices share their nonzero
eigenvalues: one gradient, 4 (W Wᵀ − I) W, for both, and the least value for n > d is n − d.  Without the square the
penalty has a cone at its minimum 0 (rows with n ≤ d, columns with d ≤ n), and no gradient there: it counts as 0.  Not
convex: W = 0 lies between Q and −Q, Q orthonormal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix


def value(W: Any, *, side: str = "rows", squared: bool = True) -> float:
    """‖W Wᵀ − I‖_F² (by columns ‖Wᵀ W − I‖_F²), or its root; ``ValueError`` for another side or a non-finite entry.

    >>> value([[2.0, 0.0]]), value([[2.0, 0.0]], side="columns"), value([[2.0, 0.0]], squared=False)
    (9.0, 10.0, 3.0)
    """
    total = float(np.square(_defect(as_matrix(W, "W"), side)).sum())
    return total if squared else total**0.5


def gradient(W: Any, *, side: str = "rows", squared: bool = True) -> Matrix:
    """4 (W Wᵀ − I) W; without the square that over 2 × value, and 0 where the value is 0.

    >>> gradient([[2.0, 0.0]])
    array([[24.,  0.]])
    """
    W = as_matrix(W, "W")
    E = _defect(W, side)
    G: Matrix = 4 * E @ W if side == "rows" else 4 * W @ E
    if squared:
        return G
    size = float(np.linalg.norm(E))
    return G / (2 * size) if size > 0 else np.zeros_like(G)


def printed_value(W: Any) -> float:
    """Equation 1 of *Norm loss* to the letter, without λ: ‖Wᵀ W − I‖_F, W with one *column* for each unit.

    The method it cites as standard, and whose gradient everybody uses, is the square of it.
    """
    return value(W, side="columns", squared=False)


def _defect(W: Matrix, side: str) -> Matrix:
    if side not in ("rows", "columns"):
        raise ValueError(f"side must be 'rows' (W Wᵀ = I) or 'columns' (Wᵀ W = I); got {side!r}")
    X = W if side == "rows" else W.T
    E: Matrix = X @ X.T - np.eye(len(X))
    return E
