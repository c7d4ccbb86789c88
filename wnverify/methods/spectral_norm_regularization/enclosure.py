"""Spectral norm regularization in balls: ½ σ_1² from the eigenvalues of W Wᵀ, and σ_1 u vᵀ = u uᵀ W."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, bits: int = BITS) -> flint.arb:
    """A ball around ½ σ_1² of exactly this float64 W (n, d), or of every W in a matrix of balls."""
    with precision(bits):
        S = _gram(ball_matrix(W, "W"))
        eigenvalues = [x.real for x in flint.acb_mat(S).eig(multiple=True)]
        largest: flint.arb = eigenvalues[0]
        for x in eigenvalues[1:]:
            largest = largest.max(x)
        largest /= 2
        return largest


def gradient(W: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around u uᵀ W; ``ValueError`` unless the singular values are proved distinct."""
    with precision(bits):
        W = ball_matrix(W, "W")
        tall = W.nrows() > W.ncols()
        Y = W.transpose() if tall else W
        eigenvalues, vectors = flint.acb_mat(_gram(Y)).eig(right=True)
        top = max(range(len(eigenvalues)), key=lambda i: eigenvalues[i].real.mid())
        x = [vectors[i, top] for i in range(Y.nrows())]
        size = sum((abs(z) ** 2 for z in x), flint.arb(0))
        P = flint.arb_mat([[(a * b.conjugate()).real / size for b in x] for a in x])
        G: flint.arb_mat = P * Y
        return G.transpose() if tall else G


def _gram(W: flint.arb_mat) -> flint.arb_mat:
    Y = W.transpose() if W.nrows() > W.ncols() else W
    return Y * Y.transpose()
