"""Stiefel layer in NumPy: before the step G ← G − ½ (G Wᵀ + W Gᵀ) W, after it a retraction onto W Wᵀ = I; W (n, d).

M. Harandi and B. Fernando, *Generalized backpropagation, étude de cas: orthogonality*, 2016, whose matrices are the
transposes of these: columns of theirs are rows here, so n ≤ d.  M. Ozay and T. Okatani, *Optimization on submanifolds
of convolution kernels in CNNs*, 2016, for kernels.

Two retractions of X = W + step.  By the triangular factor: X = L Q, L lower triangular with positive diagonal, ↦ Q, the
Gram-Schmidt process in the order of the rows.  By the polar factor: X ↦ (X Xᵀ)^{-1/2} X, the nearest point.  Both are
undefined where X has a rank below n.  Derivatives: with B = A Qᵀ, the cotangent A of Q gives

    L^{-T} (A − low(B) Q),    low(B) the symmetric matrix with the lower triangle of B,

and that of the polar factor W, with S = (X Xᵀ)^{1/2} and Z from S Z + Z S = B − Bᵀ, B = A Wᵀ, gives

    Z W + S^{-1} (A − B W).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from wnverify.primitives.reference import (
    UNIT_ROUNDOFF,
    Matrix,
    as_matrix,
    normalize_rows,
    polar,
    solve_lyapunov,
)


def project(W: Any, *, retraction: str = "qr", grouping: str = "filters") -> Matrix:
    """The point of the Stiefel manifold (n, d), n ≤ d, that takes the place of W; see above.

    ``grouping`` says which matrices are meant, not what happens to one.  ``ValueError`` names a non-finite entry, the
    shape where n > d, or row or rank where W has not rank n.

    >>> project([[2.0, 0.0], [1.0, 3.0]]).diagonal()
    array([1., 1.])
    """
    W = as_matrix(W, "W")
    if _by_triangle(retraction):
        return _triangular(W)[0]
    return _polar(W)[0]


def vjp(W: Any, A: Any, *, retraction: str = "qr", grouping: str = "filters") -> Matrix:
    """The cotangent A of ``project`` pulled back; W, A (n, d)."""
    W = as_matrix(W, "W")
    A = as_matrix(A, "A", W.shape)
    if _by_triangle(retraction):
        Q, L, norms = _triangular(W)
        B = A @ Q.T
        low = np.tril(B) + np.tril(B, -1).T
        return np.asarray(solve_triangular(L, A - low @ Q, lower=True, trans="T") / norms)
    X, D, s = _polar(W)
    B = A @ X.T
    G: Matrix = solve_lyapunov(D, s, B - B.T) @ X + (D / s) @ (D.T @ (A - B @ X))
    return G


def transform(W: Any, G: Any, *, retraction: str = "qr", grouping: str = "filters") -> Matrix:
    """G − ½ (G Wᵀ + W Gᵀ) W: for W Wᵀ = I the part of G tangent to the manifold; W, G (n, d).

    >>> transform([[1.0, 0.0]], [[3.0, 2.0]])
    array([[0., 2.]])
    """
    W = as_matrix(W, "W")
    G = as_matrix(G, "G", W.shape)
    B = G @ W.T
    tangent: Matrix = G - 0.5 * (B + B.T) @ W
    return tangent


def _by_triangle(retraction: str) -> bool:
    if retraction not in ("qr", "polar"):
        raise ValueError(f"retraction must be 'qr' or 'polar'; got {retraction!r}")
    return retraction == "qr"


def _triangular(W: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """(Q, L, r) with W = diag(r) L Q, rows of L of unit norm: its diagonal holds the sines to the rows before."""
    n, d = W.shape
    if n > d:
        raise ValueError(f"V must have full row rank, which needs n ≤ d; got shape {(n, d)}, so rank at most {d}")
    unit, norms = normalize_rows(W)
    Q, R = np.linalg.qr(unit.T)
    sign = np.where(np.diag(R) < 0, -1.0, 1.0)
    L = (R * sign[:, None]).T
    small = np.flatnonzero(np.diag(L) <= d * UNIT_ROUNDOFF)
    if len(small):
        raise ValueError(f"V must have full row rank; V[{small[0]}, :] is a combination of the rows before it")
    return Q.T * sign[:, None], L, norms


def _polar(W: Matrix) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
    X, D, s = polar(W, centred=False)
    # LAPACK leaves W Wᵀ − I at up to about 100 u: a Newton step squares it.
    return 1.5 * X - 0.5 * (X @ X.T) @ X, D, s
