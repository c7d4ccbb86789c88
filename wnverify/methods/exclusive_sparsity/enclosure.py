"""Exclusive sparsity in balls: ½ Σ_g ‖w_g‖₁², its subgradient and its proximal point, for small matrices."""

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


def prox(W: Any, step: float, *, group: str = "columns", bits: int = BITS) -> flint.arb_mat:
    """Balls around argmin_X ½ ‖X − W‖² + (step/2) Σ_g ‖x_g‖₁²: sgn(w) (|w| − θ)₊, θ = step ‖x_g‖₁ group by group.

    A set of entries is proved to be the one that stays when all of it is above its own θ = step S / (1 + step k), S
    their sum, and nothing else is.  ``ValueError`` for a step below 0, and where balls prove no set or no sign.
    """
    if not step >= 0:
        raise ValueError(f"step must be at least 0; got {step!r}")
    with precision(bits):
        rows = _by_group(ball_matrix(W, "W"), group).table()
        return _by_group(flint.arb_mat([_shrunk(w, flint.arb(float(step)), g) for g, w in enumerate(rows)]), group)


def _shrunk(w: list[flint.arb], step: flint.arb, g: int) -> list[flint.arb]:
    falling = sorted(range(len(w)), key=lambda j: abs(w[j]).mid(), reverse=True)
    for k in range(len(w), -1, -1):
        stays = set(falling[:k])
        theta = step * sum((abs(w[j]) for j in stays), flint.arb(0)) / (1 + step * k)
        if all(abs(x) > theta if j in stays else abs(x) <= theta for j, x in enumerate(w)):
            return [_sign(x, g) * (abs(x) - theta) if j in stays else flint.arb(0) for j, x in enumerate(w)]
    raise ValueError(f"W must have entries that are known to stay or not; those of group {g} are undecided")


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
