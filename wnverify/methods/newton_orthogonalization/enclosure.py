"""Orthogonalization by Newton's iteration in balls, with the matrices B_t (n, n) of the paper, for small matrices.

Written from algorithms 1 and 2 of *Controllable orthogonalization in training DNNs*: S = X Xᵀ, X = Z / r,
B_{t+1} = (3 B_t − B_t³ S) / 2, W = scale B_T X.  The backward goes the same way back, with Y = (∂L/∂B_{t+1}):

    ∂L/∂B_t = (3 Y − Y (B²S)ᵀ − Bᵀ Y (BS)ᵀ − (B²)ᵀ Y Sᵀ) / 2,    ∂L/∂S = −Σ_t (B_t³)ᵀ Y / 2,

then through X and r.  No product of n d entries occurs in the recursion: another route than that of ``reference``.
"""

from __future__ import annotations

from typing import Any, Final

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision
from wnverify.primitives.singular_values import check_count, check_scaling

GUARD: Final = 32
"""More bits for every step: radii of B_t grow faster than B_t, as its rounding errors do in floating point."""


def forward(
    V: Any,
    iterations: int = 5,
    centred: bool = True,
    scaling: str = "gram",
    scale: float = 1.0,
    *,
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` where Z is not proved other than zero, or for a non-finite entry or a wrong option.
    """
    with precision(bits + GUARD * check_count(iterations, "iterations")):
        X, _, B = _run(ball_matrix(V, "V"), iterations, centred, scaling)
        return flint.arb(scale) * (B[-1] * X)


def vjp(
    V: Any,
    A: Any,
    iterations: int = 5,
    centred: bool = True,
    scaling: str = "gram",
    scale: float = 1.0,
    *,
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``."""
    with precision(bits + GUARD * check_count(iterations, "iterations")):
        A = flint.arb(scale) * ball_matrix(A, "A")
        X, r, B = _run(ball_matrix(V, "V"), iterations, centred, scaling)
        S, Y = X * X.transpose(), A * X.transpose()
        S_bar = flint.arb_mat(X.nrows(), X.nrows())
        for b in reversed(B[:-1]):
            square = b * b
            S_bar -= (square * b).transpose() * Y / 2
            Y = (
                3 * Y
                - Y * (square * S).transpose()
                - b.transpose() * Y * (b * S).transpose()
                - square.transpose() * Y * S.transpose()
            ) / 2
        X_bar = B[-1].transpose() * A + (S_bar + S_bar.transpose()) * X
        N = X if scaling == "frobenius" else S * X
        G = (X_bar - _inner(X_bar, X) * N) / r
        return _centred(G) if centred else G


def _run(
    V: flint.arb_mat, iterations: int, centred: bool, scaling: str
) -> tuple[flint.arb_mat, flint.arb, list[flint.arb_mat]]:
    """X = Z / r, r, and B_0, …, B_T."""
    Z = _centred(V) if centred else V
    squared = Z if check_scaling(scaling) == "frobenius" else Z * Z.transpose()
    r = _inner(squared, squared).sqrt()
    r = r if scaling == "frobenius" else r.sqrt()
    if not r > 0:
        raise ValueError("V must not be the zero matrix (after centring, where it is); it is not provably other")
    X, n = Z / r, V.nrows()
    S = X * X.transpose()
    B = [flint.arb_mat([[int(i == j) for j in range(n)] for i in range(n)])]
    for _ in range(iterations):
        b = B[-1]
        B.append((3 * b - b * b * b * S) / 2)
    return X, r, B


def _inner(A: flint.arb_mat, B: flint.arb_mat) -> flint.arb:
    return sum((x * y for x, y in zip(A.entries(), B.entries(), strict=True)), flint.arb(0))


def _centred(V: flint.arb_mat) -> flint.arb_mat:
    means = [sum(v, flint.arb(0)) / len(v) for v in V.table()]
    return flint.arb_mat([[x - c for x in v] for v, c in zip(V.table(), means, strict=True)])
