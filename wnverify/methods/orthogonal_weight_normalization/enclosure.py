"""Orthogonal weight normalization in balls: W = Σ^{-1/2} V_C and its vector-Jacobian product, for small matrices.

Written from equations 1, 5 and 6 of *Deep structural weight normalization* with G = I.  The gradient follows the chain
of equation 12, through Σ, with the step that divides by λ_i − λ_j replaced by a Lyapunov equation: from P = Σ^{-1/2},
S = Σ^{1/2} and W = P V_C,

    S̄ = −P (A V_Cᵀ)_s P,    S Σ̄ + Σ̄ S = S̄,    V̄ = (P A + 2 Σ̄ V_C) (I − 1 1ᵀ / d),

( )_s the symmetric part.  This is another route than the one by rotations in ``reference``, and it needs no gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, inverse_square_root, precision, solve_lyapunov


def forward(V: Any, *, group_rows: int | None = None, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``group_rows``: None, or the size of the consecutive groups of rows that are orthogonalised by themselves.
    ``ValueError`` where V_C (of a group) is not proved to have full row rank (always for n ≥ d), or for a non-finite
    entry.
    """
    with precision(bits):
        return _by_groups(_orthogonalized, group_rows, ball_matrix(V, "V"))


def vjp(V: Any, A: Any, *, group_rows: int | None = None, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``."""
    with precision(bits):
        return _by_groups(_pulled_back, group_rows, ball_matrix(V, "V"), ball_matrix(A, "A"))


def _by_groups(map_of: Callable[..., flint.arb_mat], group_rows: int | None, *given: flint.arb_mat) -> flint.arb_mat:
    tables, n = [matrix.table() for matrix in given], given[0].nrows()
    if group_rows is not None and group_rows < 1:
        raise ValueError(f"group_rows must be None or a whole number of rows, at least 1; got {group_rows!r}")
    size = group_rows or n
    parts = (map_of(*(flint.arb_mat(table[start : start + size]) for table in tables)) for start in range(0, n, size))
    return flint.arb_mat([row for part in parts for row in part.table()])


def _orthogonalized(V: flint.arb_mat) -> flint.arb_mat:
    X = centred(V)
    return _root(X) * X


def _pulled_back(V: flint.arb_mat, A: flint.arb_mat) -> flint.arb_mat:
    X = centred(V)
    P = _root(X)
    S = X * X.transpose() * P
    P_bar = A * X.transpose()
    S_bar = -(P * ((P_bar + P_bar.transpose()) / 2) * P)
    Sigma_bar = solve_lyapunov(S, S_bar)
    return centred(P * A + 2 * Sigma_bar * X)


def centred(V: flint.arb_mat) -> flint.arb_mat:
    means = [sum(v, flint.arb(0)) / len(v) for v in V.table()]
    return flint.arb_mat([[x - c for x in v] for v, c in zip(V.table(), means, strict=True)])


def _root(X: flint.arb_mat) -> flint.arb_mat:
    n, d = X.nrows(), X.ncols()
    try:
        return inverse_square_root(X * X.transpose())
    except ValueError as reason:
        raise ValueError(f"V must have full row rank after centring, n ≤ d - 1; got shape {(n, d)}: {reason}") from None
