"""Orthogonalization by Newton's iteration in NumPy: X_0 = Z / r, X_{t+1} = (3 X_t − X_t X_tᵀ X_t) / 2, W = scale X_T.

L. Huang et al., *Controllable orthogonalization in training DNNs*, 2020.  The paper's proxy Z is our V (n, d); Z here
is V with its rows centred (algorithm 2) or V itself (algorithm 1), r = ‖Z‖_F (algorithm 1) or ‖Z Zᵀ‖_F^{1/2}
(algorithm 2).  The paper runs B_0 = I, B_{t+1} = (3 B_t − B_t³ S) / 2, S = Z Zᵀ / r², W = B_T Z / r; then
B_t Z / r = X_t, so that both are the same map: every singular value s of Z / r goes T times through s (3 − s²) / 2,
and zero stays zero.  Rows and columns come out alike, so that for n > d the columns become orthonormal.

In floating point they differ: a rounding error of B that does not commute with S is multiplied in every step by up to
(κ − 1)² / 2 or so, and beyond a dozen steps ``printed_forward`` may diverge.  X_t corrects itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, centre_rows
from wnverify.primitives.singular_values import check_count, check_scaling


def forward(V: Any, iterations: int = 5, centred: bool = True, scaling: str = "gram", scale: float = 1.0) -> Matrix:
    """W (n, d) of V (n, d).

    ``ValueError`` names a non-finite entry, says that Z is zero, or which option is wrong.

    >>> forward([[3.0, 4.0]], centred=False)
    array([[0.6, 0.8]])
    """
    _, states = _states(as_matrix(V, "V"), iterations, centred, scaling)
    W: Matrix = scale * states[-1]
    return W


def vjp(V: Any, A: Any, iterations: int = 5, centred: bool = True, scaling: str = "gram", scale: float = 1.0) -> Matrix:
    """The gradient by V for the cotangent A of W, V and A (n, d); options and errors as in ``forward``.

    X̄_t = (3 A − A XᵀX − X Aᵀ X − X Xᵀ A) / 2 at X = X_t for A = X̄_{t+1}; then through the division by r.
    """
    V = as_matrix(V, "V")
    A = scale * as_matrix(A, "A", V.shape)
    r, states = _states(V, iterations, centred, scaling)
    for X in reversed(states[:-1]):
        A = centre_rows(A) if centred else A
        A = 1.5 * A - 0.5 * (A @ X.T @ X + X @ A.T @ X + X @ (X.T @ A))
    X = states[0]
    N = X if scaling == "frobenius" else X @ X.T @ X  # ∂r/∂Z at r = 1: r² = Σ Z² or r⁴ = ‖Z Zᵀ‖²
    G = (A - (A * X).sum() * N) / r
    return centre_rows(G) if centred else G


def printed_forward(
    V: Any, iterations: int = 5, centred: bool = True, scaling: str = "gram", scale: float = 1.0
) -> Matrix:
    """Algorithm 1 (``centred=False``, ``scaling="frobenius"``) or 2 (the defaults) to the letter, with B_t (n, n).

    The same map as ``forward``, but unstable: it may diverge, without an error, when iterated on.
    """
    X = _states(as_matrix(V, "V"), 1, centred, scaling)[1][0]
    check_count(iterations, "iterations")
    S, B = X @ X.T, np.eye(len(X))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(iterations):
            B = 1.5 * B - 0.5 * (B @ B @ B) @ S
        W: Matrix = scale * (B @ X)
    return W


def limit(V: Any, centred: bool = True, scale: float = 1.0) -> Matrix:
    """Where the iteration goes: scale U Q for Z = U diag(s) Q with positive s only, the polar factor of Z.

    Singular values up to max(n, d) u times the largest count as zero; errors as in ``forward``.
    """
    U, s, Q = np.linalg.svd(_states(as_matrix(V, "V"), 1, centred, "gram")[1][0], full_matrices=False)
    keep = s > max(U.shape[0], Q.shape[1]) * 2.0**-53 * s[0]
    W: Matrix = scale * (U[:, keep] @ Q[keep])
    return W


def _states(V: Matrix, iterations: int, centred: bool, scaling: str) -> tuple[float, list[Matrix]]:
    """r and X_0, …, X_T; a power of two keeps the Gram matrix of r from over- and underflow."""
    check_count(iterations, "iterations")
    exponent = int(np.frexp(np.abs(V).max())[1])
    Z = np.ldexp(V, -exponent)
    if centred:
        Z = centre_rows(Z)
    if not Z.any():
        after = " after centring; every row of it is constant" if centred else "; it is"
        raise ValueError(f"V must not be the zero matrix{after}")
    r = np.linalg.norm(Z) if check_scaling(scaling) == "frobenius" else np.sqrt(np.linalg.norm(Z @ Z.T))
    states = [Z / r]
    for _ in range(iterations):
        X = states[-1]
        product = (X @ X.T) @ X if len(X) <= X.shape[1] else X @ (X.T @ X)
        X = 1.5 * X - 0.5 * product
        # For n ≥ d a rounding error along 1 belongs to the singular value 0 and would grow by 3/2 in every step.
        states.append(centre_rows(X) if centred else X)
    return float(np.ldexp(r, exponent)), states
