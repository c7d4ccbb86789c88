"""Double soft orthogonality in balls: both Gram matrices, as printed, for small matrices."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, bits: int = BITS) -> flint.arb:
    """A ball around the penalty of exactly this float64 W (n, d), or of every W in a matrix of balls."""
    with precision(bits):
        W = ball_matrix(W, "W")
        entries = _defect(W).entries() + _defect(W.transpose()).entries()
        return sum((x * x for x in entries), flint.arb(0))


def gradient(W: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around 4 (W Wᵀ − I) W + 4 W (Wᵀ W − I)."""
    with precision(bits):
        W = ball_matrix(W, "W")
        G: flint.arb_mat = 4 * _defect(W) * W + 4 * W * _defect(W.transpose())
        return G


def _defect(X: flint.arb_mat) -> flint.arb_mat:
    identity = flint.arb_mat([[int(i == j) for j in range(X.nrows())] for i in range(X.nrows())])
    return X * X.transpose() - identity
