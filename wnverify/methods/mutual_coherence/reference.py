"""Mutual coherence regularization in NumPy: L(W) = ‖W Wᵀ − I‖_∞, W (n, d) with one row for each output unit.

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.3, there Wᵀ W with one column for each unit.  What ‖·‖_∞ of a matrix is stays open: the mutual coherence of
unit vectors is their largest |⟨w_i, w_j⟩|, hence ``norm="entry"``, the largest entry, which is taken unless told; as an
operator norm it is ``"row_sum"``, the largest sum of a row of |W Wᵀ − I|.

Both have kinks where several entries or row sums are largest: they share the gradient equally, a subgradient in
E = W Wᵀ − I.  Not convex: W = 0 lies between Q and −Q, Q orthonormal.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix

NORMS: Final = ("entry", "row_sum")


def value(W: Any, *, side: str = "rows", norm: str = "entry") -> float:
    """max |E_ij|, or max_i Σ_j |E_ij|, of E = W Wᵀ − I; ``ValueError`` for another side or norm.

    >>> value([[1.0, 0.0], [1.0, 2.0]]), value([[1.0, 0.0], [1.0, 2.0]], norm="row_sum")
    (4.0, 5.0)
    """
    return float(_sizes(_defect(as_matrix(W, "W"), side), norm).max())


def gradient(W: Any, *, side: str = "rows", norm: str = "entry") -> Matrix:
    """(Z + Zᵀ) W with Z the derivative by E: signs at the largest entries (rows), over their number.

    >>> gradient([[1.0, 0.0], [1.0, 2.0]])
    array([[0., 0.],
           [2., 4.]])
    """
    W = as_matrix(W, "W")
    E = _defect(W, side)
    sizes = _sizes(E, norm)
    largest = sizes == sizes.max()
    Z = np.sign(E) * (largest / largest.sum())
    G: Matrix = (Z + Z.T) @ W if side == "rows" else W @ (Z + Z.T)
    return G


def _sizes(E: Matrix, norm: str) -> Matrix:
    """|E_ij|, or the row sums of |E| as a column."""
    if norm not in NORMS:
        raise ValueError(f"norm must be 'entry' (largest entry) or 'row_sum' (largest row sum); got {norm!r}")
    return np.abs(E) if norm == "entry" else np.abs(E).sum(axis=1, keepdims=True)


def _defect(W: Matrix, side: str) -> Matrix:
    if side not in ("rows", "columns"):
        raise ValueError(f"side must be 'rows' (W Wᵀ = I) or 'columns' (Wᵀ W = I); got {side!r}")
    X = W if side == "rows" else W.T
    E: Matrix = X @ X.T - np.eye(len(X))
    return E
