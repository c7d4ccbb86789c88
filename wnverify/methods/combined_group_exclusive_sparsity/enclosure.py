"""Combined group and exclusive sparsity in balls: value, subgradient and proximal point, for small matrices."""

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


def prox(
    W: Any,
    step: float,
    *,
    mu: float = 0.5,
    lasso_group: str = "columns",
    exclusive_group: str = "columns",
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around argmin_X ½ ‖X − W‖² + step × value(X), both parts with the same groups, else ``ValueError``.

    With u = (|w| − θ)₊ and α = step (1 − μ) the minimiser is sgn(w) u (1 − α / ‖u‖₂)₊, where θ = step μ ‖x‖₁.  The
    right-hand side falls as θ grows, so that its sign at two points encloses θ.  ``ValueError`` also where a sign is
    undecided.
    """
    if lasso_group != exclusive_group:
        raise ValueError(f"lasso_group and exclusive_group must be the same; got {lasso_group!r}, {exclusive_group!r}")
    if not step >= 0:
        raise ValueError(f"step must be at least 0; got {step!r}")
    with precision(bits):
        share = flint.arb(float(mu))
        alpha, beta = float(step) * (1 - share), float(step) * share
        rows = _by_group(ball_matrix(W, "W"), lasso_group).table()
        return _by_group(flint.arb_mat([_shrunk(w, alpha, beta, bits) for w in rows]), lasso_group)


def _shrunk(w: list[flint.arb], alpha: flint.arb, beta: flint.arb, bits: int) -> list[flint.arb]:
    low, high = flint.arb(0), (beta * _size(w)).upper()
    for _ in range(bits):
        middle = ((low + high) / 2).mid()
        over = beta * _size(_left(w, middle, alpha)) - middle
        if over > 0:
            low = middle
        elif over < 0:
            high = middle
        else:  # no sign at this precision: what is left of the bracket encloses
            break
    return [_sign(x) * y for x, y in zip(w, _left(w, low.union(high), alpha), strict=True)]


def _left(w: list[flint.arb], theta: flint.arb, alpha: flint.arb) -> list[flint.arb]:
    """|x| at the threshold θ."""
    zero = flint.arb(0)
    u = [(abs(x) - theta).max(zero) for x in w]
    norm = _length(u)
    if not norm > alpha:
        # ‖x‖ ≤ ‖u‖ − α where that is positive: a ball around 0 as wide as that.
        widest = (norm - alpha).max(zero).upper()
        return [zero.union(y.min(widest)) for y in u]
    return [y * (1 - alpha / norm) for y in u]


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
