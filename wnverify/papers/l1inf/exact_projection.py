"""Algorithm 2 in fractions, and two ways to know the projection to an L1 ball that share nothing with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

Vector = tuple[Fraction, ...]
Projector = Callable[[Vector, Fraction], Vector]
ZERO: Final = Fraction(0)


def vector(*entries: int | str | Fraction) -> Vector:
    return tuple(Fraction(x) for x in entries)


def size(v: Sequence[Fraction]) -> Fraction:
    """‖v‖₁."""
    return sum(map(abs, v), ZERO)


def sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)


def threshold(v: Vector, c: Fraction, *, strict: bool = True) -> Fraction:
    """θ of Algorithm 2.  ``ValueError`` where no p passes, so that p* is the maximum of an empty set."""
    mu = sorted(map(abs, v), reverse=True)
    levels = [(total - c) / p for p, total in enumerate(itertools.accumulate(mu), start=1)]
    passing = [level for x, level in zip(mu, levels, strict=True) if x > level or (x == level and not strict)]
    if not passing:
        raise ValueError("p* must be the largest p with μ_p − (1/p)(Σ μ_q − c) > 0; there is none")
    return passing[-1]


def shrink(v: Vector, theta: Fraction) -> Vector:
    """sgn(v_p) max(|v_p| − θ, 0)."""
    return tuple(sign(x) * max(abs(x) - theta, ZERO) for x in v)


def algorithm2(v: Vector, c: Fraction) -> Vector:
    """Algorithm 2 as printed: nothing asks whether ‖v‖₁ > c."""
    return shrink(v, threshold(v, c))


def projection(v: Vector, c: Fraction) -> Vector:
    """Algorithm 2 as Algorithm 1 calls it: v itself stays where ‖v‖₁ ≤ c."""
    return algorithm2(v, c) if size(v) > c else v


def is_projection(columns: Sequence[Vector], found: Sequence[Vector], c: Fraction) -> bool:
    """Whether ``found`` is the point of {‖·‖_{1,∞} ≤ c} nearest to ``columns``, by the variational inequality.

    With Y = columns − found that is ⟨Y, X⟩ ≤ ⟨Y, found⟩ for every X of the set; the largest ⟨Y, X⟩ is
    c Σ_j max_i |y_ij|.
    """
    gaps = [tuple(a - b for a, b in zip(v, w, strict=True)) for v, w in zip(columns, found, strict=True)]
    reach = c * sum((max(map(abs, y)) for y in gaps), ZERO)
    reached = sum((a * b for y, w in zip(gaps, found, strict=True) for a, b in zip(y, w, strict=True)), ZERO)
    return all(size(w) <= c for w in found) and reached == reach


def nearest(v: Vector, c: Fraction) -> Vector:
    """The projection by trying every face of the ball: the nearest feasible one of the projections to their hulls."""
    if size(v) <= c:
        return v
    candidates: list[Vector] = []
    for signs in itertools.product((-1, 0, 1), repeat=len(v)):
        active = sum(map(abs, signs))
        if active:
            shift = (sum((s * x for s, x in zip(signs, v, strict=True)), ZERO) - c) / active
            point = tuple(x - s * shift if s else ZERO for s, x in zip(signs, v, strict=True))
            candidates += [point] if size(point) <= c else []
    return min(candidates, key=lambda w: distance(v, w))


def distance(v: Sequence[Fraction], w: Sequence[Fraction]) -> Fraction:
    """‖v − w‖²."""
    return sum(((a - b) ** 2 for a, b in zip(v, w, strict=True)), ZERO)


def shown(v: Sequence[Fraction]) -> list[str]:
    return [str(x) for x in v]
