"""Orthogonal weight normalization in balls: W = Σ^{-1/2} V_C and its vector-Jacobian product, for small matrices.

Written from equations 1, 5 and 6 of *Deep structural weight normalization* with G = I.  The gradient follows the chain
of equation 12, through Σ, with the step that divides by λ_i − λ_j replaced by a Lyapunov equation: from P = Σ^{-1/2},
S = Σ^{1/2} and W = P V_C,

    S̄ = −P (A V_Cᵀ)_s P,    S Σ̄ + Σ̄ S = S̄,    V̄ = (P A + 2 Σ̄ V_C) (I − 1 1ᵀ / d),

( )_s the symmetric part.  This is another route than the one by rotations in ``reference``, and it needs no gaps.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, inverse_square_root, precision, solve_lyapunov


def forward(V: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` where V_C is not proved to have rank n (always for n ≥ d), or for a non-finite entry.
    """
    with precision(bits):
        X = _centred(ball_matrix(V, "V"))
        return _root(X) * X


def vjp(V: Any, A: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``."""
    with precision(bits):
        X, A = _centred(ball_matrix(V, "V")), ball_matrix(A, "A")
        P = _root(X)
        S = X * X.transpose() * P
        P_bar = A * X.transpose()
        S_bar = -(P * ((P_bar + P_bar.transpose()) / 2) * P)
        Sigma_bar = solve_lyapunov(S, S_bar)
        return _centred(P * A + 2 * Sigma_bar * X)


def _centred(V: flint.arb_mat) -> flint.arb_mat:
    means = [sum(v, flint.arb(0)) / len(v) for v in V.table()]
    return flint.arb_mat([[x - c for x in v] for v, c in zip(V.table(), means, strict=True)])


def _root(X: flint.arb_mat) -> flint.arb_mat:
    n, d = X.nrows(), X.ncols()
    try:
        return inverse_square_root(X * X.transpose())
    except ValueError as reason:
        raise ValueError(f"V must have full row rank after centring, n ≤ d - 1; got shape {(n, d)}: {reason}") from None
