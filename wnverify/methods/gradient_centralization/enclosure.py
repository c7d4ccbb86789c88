"""Gradient centralization in balls: g − mean(g) for every row; written from equation 2 of Yong et al. 2020."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def project(W: Any, *, bits: int = BITS) -> flint.arb_mat:
    """W itself in balls of radius zero."""
    with precision(bits):
        return ball_matrix(W, "W")


def vjp(W: Any, A: Any, *, bits: int = BITS) -> flint.arb_mat:
    """The cotangent A itself."""
    with precision(bits):
        return ball_matrix(A, "A")


def transform(W: Any, G: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around G (I − 1 1ᵀ / d); ``ValueError`` for d = 1."""
    with precision(bits):
        G = ball_matrix(G, "G")
        d = G.ncols()
        if d == 1:
            raise ValueError("G must have rows of d ≥ 2 entries; got d = 1")
        centring = [[flint.arb(int(i == j)) - flint.arb(1) / d for j in range(d)] for i in range(d)]
        centred: flint.arb_mat = G * flint.arb_mat(centring)
        return centred
