"""Exclusive sparsity in balls: ½ Σ_g ‖w_g‖₁² and its subgradient, for small matrices."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, group: str = "columns", bits: int = BITS) -> flint.arb:
    """A ball around ½ Σ_g ‖w_g‖₁² for exactly this float64 W (n, d), or for every W in a matrix of balls."""
    with precision(bits):
        rows = _by_group(ball_matrix(W, "W"), group).table()
        return sum((_size(w) ** 2 for w in rows), flint.arb(0)) / 2


def gradient(W: Any, *, group: str = "columns", bits: int = BITS) -> flint.arb_mat:
    """‖w_g‖₁ sgn(w), 0 at exactly 0; ``ValueError`` where a ball does not decide the sign."""
    with precision(bits):
        rows = _by_group(ball_matrix(W, "W"), group).table()
        return _by_group(flint.arb_mat([[_size(w) * _sign(x, g) for x in w] for g, w in enumerate(rows)]), group)


def _size(w: list[flint.arb]) -> flint.arb:
    return sum((abs(x) for x in w), flint.arb(0))


def _sign(x: flint.arb, g: int) -> int:
    if x > 0:
        return 1
    if x < 0:
        return -1
    if x == 0:
        return 0
    raise ValueError(f"W must have entries of known sign; group {g} has the entry {x}")


def _by_group(W: flint.arb_mat, group: str) -> flint.arb_mat:
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be one of rows, columns; got {group!r}")
    return W.transpose() if group == "columns" else W
