"""Group lasso in balls: Σ_g c ‖w_g‖₂, its subgradient and its proximal point, for small matrices."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, group: str = "rows", sized: bool = False, bits: int = BITS) -> flint.arb:
    """A ball around Σ_g c ‖w_g‖₂ for exactly this float64 W (n, d), or for every W in a matrix of balls."""
    with precision(bits):
        rows = _by_group(ball_matrix(W, "W"), group).table()
        return _weight(rows, sized) * sum((_norm(w) for w in rows), flint.arb(0))


def gradient(W: Any, *, group: str = "rows", sized: bool = False, bits: int = BITS) -> flint.arb_mat:
    """c w_g / ‖w_g‖₂, 0 for a group of exact zeros; ``ValueError`` where a ball does not decide which."""
    with precision(bits):
        rows = _by_group(ball_matrix(W, "W"), group).table()
        weight, gradient = _weight(rows, sized), []
        for g, w in enumerate(rows):
            norm = _norm(w)
            if norm > 0:
                gradient.append([weight * x / norm for x in w])
            elif all(x == 0 for x in w):
                gradient.append([flint.arb(0)] * len(w))
            else:
                raise ValueError(f"W must have groups that are zero or not; group {g} is undecided")
        return _by_group(flint.arb_mat(gradient), group)


def prox(W: Any, step: float, *, group: str = "rows", sized: bool = False, bits: int = BITS) -> flint.arb_mat:
    """Balls around argmin_X ½ ‖X − W‖² + step Σ_g c ‖x_g‖₂: w_g shortened by step c, down to 0.

    ``ValueError`` for a step below 0, and where a ball does not decide whether a group is zero.
    """
    if not step >= 0:
        raise ValueError(f"step must be at least 0; got {step!r}")
    with precision(bits):
        rows = _by_group(ball_matrix(W, "W"), group).table()
        threshold, shortened = flint.arb(float(step)) * _weight(rows, sized), []
        for g, w in enumerate(rows):
            norm = _norm(w)
            if norm > 0:
                left = (norm - threshold).max(flint.arb(0))
                shortened.append([x * left / norm for x in w])
            elif all(x == 0 for x in w):
                shortened.append([flint.arb(0)] * len(w))
            else:
                raise ValueError(f"W must have groups that are zero or not; group {g} is undecided")
        return _by_group(flint.arb_mat(shortened), group)


def _norm(w: list[flint.arb]) -> flint.arb:
    return sum((x * x for x in w), flint.arb(0)).sqrt()


def _weight(rows: list[list[flint.arb]], sized: bool) -> flint.arb:
    return flint.arb(len(rows[0])).sqrt() if sized else flint.arb(1)


def _by_group(W: flint.arb_mat, group: str) -> flint.arb_mat:
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be one of rows, columns; got {group!r}")
    return W.transpose() if group == "columns" else W
