"""Combined group and exclusive sparsity in balls: value and subgradient, for small matrices."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(
    W: Any, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns", bits: int = BITS
) -> flint.arb:
    """A ball around (1 − μ) Σ ‖w_g‖₂ + (μ/2) Σ ‖w_g‖₁² for exactly this float64 W (n, d), or every W in the balls."""
    with precision(bits):
        W, exact = ball_matrix(W, "W"), flint.arb(mu)
        lasso = sum((_length(w) for w in _by_group(W, lasso_group).table()), flint.arb(0))
        exclusive = sum((_size(w) ** 2 for w in _by_group(W, exclusive_group).table()), flint.arb(0))
        return (1 - exact) * lasso + exact * exclusive / 2


def gradient(
    W: Any, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns", bits: int = BITS
) -> flint.arb_mat:
    """(1 − μ) w / ‖w_g‖₂ + μ ‖w_g‖₁ sgn(w), 0 for exact zeros; ``ValueError`` where a ball does not decide."""
    with precision(bits):
        W, exact = ball_matrix(W, "W"), flint.arb(mu)
        lasso = flint.arb_mat([_direction(w) for w in _by_group(W, lasso_group).table()])
        rows = _by_group(W, exclusive_group).table()
        exclusive = flint.arb_mat([[_size(w) * _sign(x) for x in w] for w in rows])
        return (1 - exact) * _by_group(lasso, lasso_group) + exact * _by_group(exclusive, exclusive_group)


def _direction(w: list[flint.arb]) -> list[flint.arb]:
    if all(x == 0 for x in w):
        return [flint.arb(0)] * len(w)
    norm = _length(w)
    if not norm > 0:
        raise ValueError(f"W must have groups that are zero or not; undecided for {w}")
    return [x / norm for x in w]


def _sign(x: flint.arb) -> int:
    if x > 0:
        return 1
    if x < 0:
        return -1
    if x == 0:
        return 0
    raise ValueError(f"W must have entries of known sign; undecided for {x}")


def _length(w: list[flint.arb]) -> flint.arb:
    return sum((x * x for x in w), flint.arb(0)).sqrt()


def _size(w: list[flint.arb]) -> flint.arb:
    return sum((abs(x) for x in w), flint.arb(0))


def _by_group(W: flint.arb_mat, group: str) -> flint.arb_mat:
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be one of rows, columns; got {group!r}")
    return W.transpose() if group == "columns" else W
