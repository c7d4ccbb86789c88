"""Soft orthogonality in balls: ‖W Wᵀ − I‖_F² and its gradient, each side by its own Gram matrix, for small matrices."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, side: str = "rows", squared: bool = True, bits: int = BITS) -> flint.arb:
    """A ball around the penalty of exactly this float64 W (n, d), or of every W in a matrix of balls."""
    with precision(bits):
        total = sum((x * x for x in _defect(ball_matrix(W, "W"), side).entries()), flint.arb(0))
        return total if squared else total.sqrt()


def gradient(W: Any, *, side: str = "rows", squared: bool = True, bits: int = BITS) -> flint.arb_mat:
    """Balls around 4 (W Wᵀ − I) W, or 4 W (Wᵀ W − I); without the square 0 where that is proved to be the value.

    ``ValueError`` where it is neither proved zero nor proved positive.
    """
    with precision(bits):
        W = ball_matrix(W, "W")
        E = _defect(W, side)
        G: flint.arb_mat = 4 * E * W if side == "rows" else 4 * W * E
        if squared:
            return G
        norm = value(W, side=side, squared=False, bits=bits)
        if norm > 0:
            G /= 2 * norm
            return G
        if norm == 0:
            G *= 0
            return G
        raise ValueError(f"W must be provably orthonormal or provably not; ‖W Wᵀ − I‖ is {norm}")


def _defect(W: flint.arb_mat, side: str) -> flint.arb_mat:
    X = W if side == "rows" else W.transpose()
    identity = flint.arb_mat([[int(i == j) for j in range(X.nrows())] for i in range(X.nrows())])
    return X * X.transpose() - identity
