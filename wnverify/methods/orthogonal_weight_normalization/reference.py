"""Orthogonal weight normalization in NumPy: W = Σ^{-1/2} V_C with V_C = V − c 1ᵀ, c = V 1 / d, Σ = V_C V_Cᵀ.

Equation 6 of *Deep structural weight normalization* with G = I; L. Huang et al., *Orthogonal weight normalization*,
2018.  W is the polar factor of V_C.  Undefined unless V_C (n, d) has rank n, which needs n ≤ d − 1.

Derivative.  Let S = Σ^{1/2}, so V_C = S W and W Wᵀ = I.  Differentiating both, with Ω = dW Wᵀ skew,

    S Ω + Ω S = E Wᵀ − W Eᵀ,    dW = Ω W + S^{-1} (E − E Wᵀ W)    for E = dV_C.

The map is the gradient of the nuclear norm of V_C, so the Jacobian is symmetric and a cotangent A is pulled back by
the same formula.  It divides by s_i + s_j, never by λ_i − λ_j: repeated eigenvalues are ordinary points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import Matrix, as_matrix, centre_rows, constant_rows, polar, solve_lyapunov


def forward(V: Any, *, group_rows: int | None = None) -> Matrix:
    """W = Σ^{-1/2} V_C with orthonormal rows of zero mean.

    V, W (n, d).  ``group_rows``: None, or the size of the consecutive groups of rows (the last may be smaller) that
    are orthogonalised by themselves.  ``ValueError`` names a non-finite entry of V, or the shape and the numerical
    rank of V_C (of a group) below its number of rows.

    >>> forward([[3.0, 1.0]]) * 2**0.5
    array([[ 1., -1.]])
    """
    V = as_matrix(V, "V")
    return np.concatenate([factors(V[rows])[0] for rows in _groups(len(V), group_rows)])


def vjp(V: Any, A: Any, *, group_rows: int | None = None) -> Matrix:
    """The gradient by V for the cotangent A of W, V and A (n, d); errors as in ``forward``.

    With B = A Wᵀ and Z skew from S Z + Z S = B − Bᵀ:  G_C = Z W + S^{-1} (A − B W),  G = G_C centred.
    """
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    parts = [pulled_back(*factors(V[rows]), A[rows]) for rows in _groups(len(V), group_rows)]
    return np.concatenate(parts)


def jvp(V: Any, E: Any, *, group_rows: int | None = None) -> Matrix:
    """The change of W along the direction E of V: equal to ``vjp(V, E)``, the Jacobian being symmetric."""
    return vjp(V, E, group_rows=group_rows)


def _groups(n: int, group_rows: int | None) -> list[slice]:
    if group_rows is not None and group_rows < 1:
        raise ValueError(f"group_rows must be None or a whole number of rows, at least 1; got {group_rows!r}")
    size = group_rows or n
    return [slice(start, start + size) for start in range(0, n, size)]


def printed_backward(V: Any, A: Any, *, inverse_g: Any = 1.0) -> Matrix:
    """Equations 11 and 12 to the letter: not the gradient (see ``repaired_backward``).

    ∂L/∂V = D Λ^{-1/2} D A G^{-1} + 2 (∂L/∂Σ)ᵀ V_C + (1/d)(∂L/∂c)ᵀ 1ᵀ, line 3 of equation 12 as printed, for a constant
    G = diag(1 / inverse_g), the identity unless given.  ``inverse_g`` (n, d) multiplies entry by entry wherever G^{-1}
    stands, in the W = φ(V) G^{-1} of equation 11 too.  V, A (n, d); errors as in ``forward``, and a ``ValueError`` at
    equal eigenvalues, where K is not defined.
    """
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    B = A @ (factors(V)[0] * inverse_g).T
    A = A * inverse_g
    D, lam, X, Sigma_bar, c_bar = _printed_chain(V, B, A)
    G: Matrix = (D / np.sqrt(lam)) @ D @ A + 2 * Sigma_bar.T @ X + c_bar[:, None] / V.shape[1]
    return G


def repaired_backward(V: Any, A: Any, *, inverse_g: Any = 1.0) -> Matrix:
    """Equations 11 and 12 with line 3 mended in two places: Dᵀ for the second D, (∂L/∂Σ)_s for (∂L/∂Σ)ᵀ.

    Then it is the gradient of Σ^{-1/2} V_C G^{-1} for a constant G = diag(1 / inverse_g), wherever the eigenvalues of
    Σ differ.  For ``inverse_g`` (n, d) that needs a third: (A G^{-1}) φ(V)ᵀ for A Wᵀ in equation 11, which is the same
    for a diagonal G.  V, A (n, d); errors as in ``printed_backward``.
    """
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape) * inverse_g
    D, lam, X, Sigma_bar, c_bar = _printed_chain(V, A @ factors(V)[0].T, A)
    G: Matrix = (D / np.sqrt(lam)) @ D.T @ A + (Sigma_bar + Sigma_bar.T) @ X + c_bar[:, None] / V.shape[1]
    return G


def _printed_chain(V: Matrix, B: Matrix, A: Matrix) -> tuple[Matrix, Matrix, Matrix, Matrix, Matrix]:
    """D, λ, V_C, ∂L/∂Σ and ∂L/∂c of equations 11 and 12, from B, which is A Wᵀ there, and A, which is A G^{-1}."""
    X = centred(V)
    lam, D = np.linalg.eigh(X @ X.T)
    differences = lam[:, None] - lam[None, :]
    np.fill_diagonal(differences, np.inf)
    if not differences.all():
        i, j = (int(k) for k in np.argwhere(differences == 0)[0])
        raise ValueError(f"V must give Σ distinct eigenvalues, K of equation 12 divides by λ_{i} - λ_{j}; got 0")
    K = 1 / differences
    root = np.sqrt(lam)
    Lambda_bar = -0.5 * (D.T @ B @ D) / lam
    D_bar = B @ D + (D * root) @ D.T @ B.T @ D / root
    Sigma_bar = D @ (K.T * (D.T @ D_bar) + np.diag(np.diag(Lambda_bar))) @ D.T
    symmetric = (Sigma_bar + Sigma_bar.T) / 2
    c_bar = -(A.sum(axis=1) @ (D / root) @ D.T) - 2 * X.sum(axis=1) @ symmetric
    return D, lam, X, Sigma_bar, c_bar


def factors(V: Matrix) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
    """W, D, s with V_C = D diag(s) Dᵀ W, W = Σ^{-1/2} V_C; errors as in ``forward``."""
    # V_C has zero mean to u, its polar factor only to κ u, hence centred once more.
    X = centred(V)
    W, D, s = polar(X)
    # LAPACK's singular value decomposition drops off-diagonal entries up to about 100 u, and centring changes W Wᵀ by
    # (κ u)².  One Newton step each mends that: orthonormality, symmetry of W V_Cᵀ (by the rotation of the derivative),
    # and orthonormality again; Σ^{1/2} = W V_Cᵀ then has eigenvalues of its own, right to u.
    W = _orthonormalized(centre_rows(W))
    M = W @ X.T
    W = _orthonormalized(W + solve_lyapunov(D, s, M.T - M) @ W)
    M = W @ X.T
    smallest = s.min()  # known to be positive; eigh is right to u s_max only
    s, D = np.linalg.eigh((M + M.T) / 2)
    return W, D, np.maximum(s, smallest)


def pulled_back(W: Matrix, D: Matrix, s: NDArray[np.float64], A: Matrix) -> Matrix:
    """``vjp`` from ``factors``."""
    A = centre_rows(A)
    B = A @ W.T
    Z = solve_lyapunov(D, s, B - B.T)
    return centre_rows(Z @ W + (D / s) @ (D.T @ (A - B @ W)))


def _orthonormalized(W: Matrix) -> Matrix:
    """A Newton-Schulz step: W Wᵀ − I is squared, and rows of zero mean stay such."""
    return 1.5 * W - 0.5 * (W @ W.T) @ W


def centred(V: Matrix) -> Matrix:
    """V_C; a constant row is exactly zero in it, where two roundings of its mean would leave noise."""
    X = centre_rows(V)
    X[constant_rows(V)] = 0.0
    return X
