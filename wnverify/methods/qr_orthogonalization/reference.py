"""Orthonormal rows by QR decomposition in NumPy: Vᵀ = Q R with diag(R) > 0, W = Qᵀ, for V (n, d) of rank n.

*Deep structural weight normalization* compares with "QR": a fully connected layer kept orthogonal by a QR decomposition
(Harandi and Fernando 2016).  Read here as the parametrization V ↦ W; the sign fix makes the decomposition unique, and W
is what Gram-Schmidt makes of the rows, in order.

Derivative.  Let L = Rᵀ, so V = L W, L lower triangular.  For E = dV let M = L⁻¹ E Wᵀ = L⁻¹ dL + dW Wᵀ, the first lower
triangular, the second skew, so

    X = L⁻¹ dL = tril(M) + striu(M)ᵀ,    dW = L⁻¹ E − X W,

and a cotangent A is pulled back to L⁻ᵀ (A − C W) with C the symmetric matrix that has the lower triangle of A Wᵀ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from wnverify.primitives.reference import UNIT_ROUNDOFF, Matrix, as_matrix, scaled_rows


def forward(V: Any) -> Matrix:
    """W with orthonormal rows, w_i in the span of v_1 … v_i and ⟨w_i, v_i⟩ > 0.

    V, W (n, d).  ``ValueError`` names a non-finite entry of V, or shape, rank and the row that lies in the span of
    those before it: nearer than max(n, d) u ‖v_i‖.

    >>> forward([[3.0, 0.0], [5.0, 2.0]]) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    return _decomposed(as_matrix(V, "V"))[0]


def vjp(V: Any, A: Any) -> Matrix:
    """The gradient by V for the cotangent A of W: L⁻ᵀ (A − C W); V, A (n, d); errors as in ``forward``."""
    V = as_matrix(V, "V")
    W, L = _decomposed(V)
    A = as_matrix(A, "A", V.shape)
    B = A @ W.T
    C = np.tril(B) + np.tril(B, -1).T
    return np.asarray(solve_triangular(L, A - C @ W, lower=True, trans="T"))


def jvp(V: Any, E: Any) -> Matrix:
    """The change of W along the direction E of V: L⁻¹ E − X W; errors as in ``forward``."""
    V = as_matrix(V, "V")
    W, L = _decomposed(V)
    moved = solve_triangular(L, as_matrix(E, "E", V.shape), lower=True)
    M = moved @ W.T
    return np.asarray(moved - (np.tril(M) + np.triu(M, 1).T) @ W)


def _decomposed(V: Matrix) -> tuple[Matrix, Matrix]:
    """W and L, V = L W."""
    n, d = V.shape
    if n > d:
        raise ValueError(f"V must have full row rank, which needs n ≤ d; got shape {(n, d)}, so rank at most {d}")
    scaled, exponent = scaled_rows(V)  # W does not depend on the scale of a row
    Q, R = np.linalg.qr(scaled.T)
    diagonal = np.diagonal(R)
    near = np.abs(diagonal) <= max(n, d) * UNIT_ROUNDOFF * np.linalg.norm(scaled, axis=1)
    if near.any():
        s = np.linalg.svd(scaled, compute_uv=False)
        rank = min(n - 1, int((s > max(n, d) * UNIT_ROUNDOFF * s[0]).sum()))
        raise ValueError(
            f"V must have full row rank, which needs n ≤ d; got shape {(n, d)} and numerical rank {rank}: "
            f"V[{int(np.argmax(near))}, :] is a combination of the rows before it"
        )
    sign = np.sign(diagonal)
    return (Q * sign).T, np.ldexp((R.T * sign), exponent)
