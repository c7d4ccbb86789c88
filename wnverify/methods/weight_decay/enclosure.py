"""Weight decay in balls: Σ w² or ½ Σ w², gradient and proximal operator, for small matrices."""

from __future__ import annotations

from typing import Any, Final

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision

HALVES: Final = {"sum": 2, "half": 1}


def value(W: Any, *, convention: str = "sum", bits: int = BITS) -> flint.arb:
    """A ball around the penalty of exactly this float64 W (n, d), or of every W in a matrix of balls."""
    with precision(bits):
        total = sum((x * x for x in ball_matrix(W, "W").entries()), flint.arb(0))
        return total * HALVES[convention] / 2


def gradient(W: Any, *, convention: str = "sum", bits: int = BITS) -> flint.arb_mat:
    """Balls around 2 W, or W: equation 10 of *Norm loss*, or half of it."""
    with precision(bits):
        return HALVES[convention] * ball_matrix(W, "W")


def prox(W: Any, step: float, *, convention: str = "sum", bits: int = BITS) -> flint.arb_mat:
    """Balls around the zero of X − W + step × gradient(X)."""
    with precision(bits):
        return ball_matrix(W, "W") / (1 + HALVES[convention] * flint.arb(step))
