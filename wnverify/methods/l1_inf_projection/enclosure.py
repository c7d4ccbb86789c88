"""L1,∞ projection in balls: sgn(w) (|w| − θ)₊ for every row outside the L1 ball, for small matrices.

Written from Wen et al. 2021, Algorithm 2 (θ and p*) and the condition of Algorithm 1 under which it is called.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def project(W: Any, *, c: float = 1.0, bits: int = BITS) -> flint.arb_mat:
    """Balls around the projection of exactly this float64 W (n, d), or of every W in a matrix of balls.

    ``ValueError`` for c below 0, and where balls do not decide ‖w‖₁ > c or p*: more bits do, for exact W.
    """
    with precision(bits):
        result = []
        for i, w in enumerate(ball_matrix(W, "W").table()):
            p, theta = _level(w, c, i)
            result.append(w if p == 0 else [_shrunk(x, theta, i) for x in w])
        return flint.arb_mat(result)


def vjp(W: Any, A: Any, *, c: float = 1.0, bits: int = BITS) -> flint.arb_mat:
    """Balls around the cotangent A pulled back: A inside the ball, a − s ⟨a, s⟩ / p* on the active set, 0 elsewhere."""
    with precision(bits):
        W, A, result = ball_matrix(W, "W"), ball_matrix(A, "A"), []
        for i, (w, a) in enumerate(zip(W.table(), A.table(), strict=True)):
            p, theta = _level(w, c, i)
            if p == 0:
                result.append(a)
                continue
            signs = [(1 if x > 0 else -1) if _shrunk(x, theta, i) != 0 else 0 for x in w]
            along = sum((s * y for s, y in zip(signs, a, strict=True)), flint.arb(0))
            active = max(sum(map(abs, signs)), 1)
            result.append([(y - s * along / active) * abs(s) for s, y in zip(signs, a, strict=True)])
        return flint.arb_mat(result)


def _level(w: list[flint.arb], c: float, i: int) -> tuple[int, flint.arb]:
    """(p*, θ) of row i, p* = 0 for a row that stays."""
    if not 0 <= c < float("inf"):
        raise ValueError(f"c must be finite and at least 0; got {c!r}")
    bound = flint.arb(c)
    mu = sorted((abs(x) for x in w), key=lambda x: x.mid(), reverse=True)
    if _decided(sum(mu, flint.arb(0)) <= bound, sum(mu, flint.arb(0)) > bound, i):
        return (0, flint.arb(0)) if c else (1, mu[0])
    total, p, theta = flint.arb(0), 1, mu[0]
    for q, x in enumerate(mu, 1):
        total += x
        level = (total - bound) / q
        if not _decided(x > level, x <= level, i):
            break
        p, theta = q, level
    return p, theta


def _shrunk(x: flint.arb, theta: flint.arb, i: int) -> flint.arb:
    if _decided(abs(x) <= theta, abs(x) > theta, i):
        return flint.arb(0)
    return x - theta if x > 0 else x + theta


def _decided(yes: bool, no: bool, i: int) -> bool:
    if yes == no:
        raise ValueError(f"W must be decided in balls; row {i} is too near the ball's boundary or a tie for these bits")
    return yes
