"""Stiefel layer in balls: both retractions, their derivatives and the Riemannian gradient, for small matrices.

The triangular retraction is the Gram-Schmidt process, row by row; the polar one is (X Xᵀ)^{-1/2} X.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, inverse, inverse_square_root, precision, solve_lyapunov


def project(W: Any, *, retraction: str = "qr", grouping: str = "filters", bits: int = BITS) -> flint.arb_mat:
    """Balls around the retraction; ``ValueError`` where W is not proved to have rank n."""
    with precision(bits):
        X = ball_matrix(W, "W")
        retracted: flint.arb_mat = _gram_schmidt(X)[0] if retraction == "qr" else _root(X) * X
        return retracted


def vjp(W: Any, A: Any, *, retraction: str = "qr", grouping: str = "filters", bits: int = BITS) -> flint.arb_mat:
    """Balls around the cotangent A of ``project`` pulled back."""
    with precision(bits):
        X, A = ball_matrix(W, "W"), ball_matrix(A, "A")
        gradient: flint.arb_mat
        if retraction == "qr":
            Q, L = _gram_schmidt(X)
            B = (A * Q.transpose()).table()
            low = flint.arb_mat([[B[max(i, j)][min(i, j)] for j in range(len(B))] for i in range(len(B))])
            gradient = inverse(L.transpose()) * (A - low * Q)
            return gradient
        # Through Σ = X Xᵀ and P = Σ^{-1/2}, another route than that of the reference, by rotations.
        P = _root(X)
        P_bar = A * X.transpose()
        S_bar = -(P * ((P_bar + P_bar.transpose()) / 2) * P)
        gradient = P * A + 2 * solve_lyapunov(X * X.transpose() * P, S_bar) * X
        return gradient


def transform(W: Any, G: Any, *, retraction: str = "qr", grouping: str = "filters", bits: int = BITS) -> flint.arb_mat:
    """Balls around G − ½ (G Wᵀ + W Gᵀ) W."""
    with precision(bits):
        W, G = ball_matrix(W, "W"), ball_matrix(G, "G")
        B = G * W.transpose()
        tangent: flint.arb_mat = G - (B + B.transpose()) * W / 2
        return tangent


def _gram_schmidt(X: flint.arb_mat) -> tuple[flint.arb_mat, flint.arb_mat]:
    """(Q, L) with X = L Q, L lower triangular with positive diagonal."""
    done: list[list[flint.arb]] = []
    n = X.nrows()
    L = [[flint.arb(0)] * n for _ in range(n)]
    for i, x in enumerate(X.table()):
        for j, q in enumerate(done):
            L[i][j] = sum((a * b for a, b in zip(x, q, strict=True)), flint.arb(0))
            x = [a - L[i][j] * b for a, b in zip(x, q, strict=True)]
        L[i][i] = sum((a * a for a in x), flint.arb(0)).sqrt()
        if not L[i][i] > 0:
            raise ValueError(f"V must have full row rank, n ≤ d; V[{i}, :] is not provably outside the rows before it")
        done.append([a / L[i][i] for a in x])
    return flint.arb_mat(done), flint.arb_mat(L)


def _root(X: flint.arb_mat) -> flint.arb_mat:
    try:
        return inverse_square_root(X * X.transpose())
    except ValueError as reason:
        raise ValueError(f"V must have full row rank, n ≤ d; got shape {(X.nrows(), X.ncols())}: {reason}") from None
