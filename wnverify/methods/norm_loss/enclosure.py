"""Norm loss in balls: Σ_i (1 − ‖w_i‖)², its gradient and its proximal operator, for small matrices.

Written from equations 11, 13 and 14 of *Norm loss* (Georgiou et al.).
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, bits: int = BITS) -> flint.arb:
    """A ball around the loss of exactly this float64 W (n, d), or of every W in a matrix of balls."""
    with precision(bits):
        return sum(((1 - _norm(w)) ** 2 for w in ball_matrix(W, "W").table()), flint.arb(0))


def gradient(W: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around 2 w (1 − 1/‖w‖), and 0 at a row that is exactly zero; ``ValueError`` where that is not decided."""
    with precision(bits):
        rows = []
        for i, w in enumerate(ball_matrix(W, "W").table()):
            norm = _norm(w)
            rows.append([flint.arb(0)] * len(w) if _zero(i, norm) else [2 * x * (1 - 1 / norm) for x in w])
        return flint.arb_mat(rows)


def prox(W: Any, step: float, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around the proximal point: w (r + 2t) / ((1 + 2t) r); at a zero row 2t / (1 + 2t) along the first axis."""
    with precision(bits):
        t, rows = flint.arb(step), []
        for i, w in enumerate(ball_matrix(W, "W").table()):
            r = _norm(w)
            if _zero(i, r):
                rows.append([2 * t / (1 + 2 * t)] + [flint.arb(0)] * (len(w) - 1))
            else:
                rows.append([x * (r + 2 * t) / ((1 + 2 * t) * r) for x in w])
        return flint.arb_mat(rows)


def _norm(w: list[flint.arb]) -> flint.arb:
    return sum((x * x for x in w), flint.arb(0)).sqrt()


def _zero(i: int, norm: flint.arb) -> bool:
    """Whether row i is zero; ``ValueError`` where balls do not tell."""
    if norm > 0:
        return False
    if norm == 0:
        return True
    raise ValueError(f"W[{i}, :] must be provably zero or provably not; its norm is {norm}")
