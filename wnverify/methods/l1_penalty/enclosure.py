"""L1 penalty in balls: Σ_ij |w_ij|, its subgradient and its proximal point, for small matrices."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, bits: int = BITS) -> flint.arb:
    """A ball around Σ |w_ij| for exactly this float64 W (n, d), or for every W in a matrix of balls."""
    with precision(bits):
        return sum((abs(x) for x in ball_matrix(W, "W").entries()), flint.arb(0))


def gradient(W: Any, *, bits: int = BITS) -> flint.arb_mat:
    """sgn(w), 0 at exactly 0; ``ValueError`` where a ball does not decide the sign."""
    with precision(bits):
        W = ball_matrix(W, "W")
        return flint.arb_mat([[_sign(x, i, j) for j, x in enumerate(row)] for i, row in enumerate(W.table())])


def prox(W: Any, step: float, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around argmin_X ½ ‖X − W‖² + step Σ |x|, entry by entry w − step, 0 or w + step.

    ``ValueError`` for a step below 0, and where a ball does not decide the sign.
    """
    if not step >= 0:
        raise ValueError(f"step must be at least 0; got {step!r}")
    with precision(bits):
        zero, threshold = flint.arb(0), flint.arb(float(step))
        rows = enumerate(ball_matrix(W, "W").table())
        return flint.arb_mat(
            [[_sign(x, i, j) * (abs(x) - threshold).max(zero) for j, x in enumerate(row)] for i, row in rows]
        )


def _sign(x: flint.arb, i: int, j: int) -> int:
    if x > 0:
        return 1
    if x < 0:
        return -1
    if x == 0:
        return 0
    raise ValueError(f"W must have entries of known sign; W[{i}, {j}] = {x}")
