"""Spectral restricted isometry in balls: the largest |λ − 1| of the eigenvalues λ of W Wᵀ, and ± 2 x xᵀ W."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, side: str = "rows", bits: int = BITS) -> flint.arb:
    """A ball around σ(W Wᵀ − I), or σ(Wᵀ W − I), of exactly this float64 W (n, d), or of every W in balls."""
    with precision(bits):
        W = ball_matrix(W, "W")
        tall = W.nrows() > W.ncols()
        X = W.transpose() if side == "columns" or (side == "smaller" and tall) else W
        eigenvalues = flint.acb_mat(X * X.transpose()).eig(multiple=True)
        largest = flint.arb(0)
        for x in eigenvalues:
            largest = largest.max(abs(x.real - 1))
        return largest


def gradient(W: Any, *, side: str = "rows", bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient; ``ValueError`` unless one |λ − 1| is proved largest, and the eigenvalues distinct.

    Eigenvalues 0 of a Gram matrix larger than the rank have an eigenvector that W maps to 0: their gradient is 0.
    """
    with precision(bits):
        W = ball_matrix(W, "W")
        tall = W.nrows() > W.ncols()
        missing = side != "smaller" and W.nrows() != W.ncols() and tall == (side == "rows")
        Y = W.transpose() if tall else W
        eigenvalues, vectors = flint.acb_mat(Y * Y.transpose()).eig(right=True)
        defects = [x.real - 1 for x in eigenvalues]
        top = max(range(len(defects)), key=lambda i: abs(defects[i]).mid())
        largest = abs(defects[top])
        if not all(abs(x) < largest for i, x in enumerate(defects) if i != top) or (missing and not largest != 1):
            raise ValueError("W must have one largest |λ − 1| of its Gram matrix; two are not told apart")
        if missing and largest < 1:
            return flint.arb_mat(W.nrows(), W.ncols())
        x = [vectors[i, top] for i in range(Y.nrows())]
        size = sum((abs(z) ** 2 for z in x), flint.arb(0))
        P = flint.arb_mat([[2 * defects[top].sgn() * (a * b.conjugate()).real / size for b in x] for a in x])
        G: flint.arb_mat = P * Y
        return G.transpose() if tall else G
