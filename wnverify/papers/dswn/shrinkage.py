"""The shrinkage of eq. 8 and the proximal point it is said to be, in rationals, for one group x of weights.

    F(w) = ½ ‖w − x‖₂² + (ρ/2) ‖w‖₁²

The proximal point is known in three ways that share no code: its closed form, the best of all faces on which F has a
stationary point, and the conditions of optimality, which any candidate can be put to.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

Row = Sequence[Fraction]
Shrinkage = Callable[[Fraction, Row], list[Fraction]]
"""(ρ, x) → w."""

STRENGTHS: Final = tuple(Fraction(p, q) for p, q in ((1, 8), (1, 4), (1, 3), (1, 2), (1, 1), (2, 1)))


def soft(level: Fraction, x: Row) -> list[Fraction]:
    """sign(x) (|x| − level)_+, entry by entry."""
    return [(1 if each > 0 else -1) * max(abs(each) - level, Fraction(0)) for each in x]


def size(x: Row) -> Fraction:
    """‖x‖₁."""
    return sum((abs(each) for each in x), Fraction(0))


def eq8(rho: Fraction, x: Row) -> list[Fraction]:
    """Eq. 8 as printed, second form: the level is ρ times the 1-norm of the group before it is shrunk."""
    return soft(rho * size(x), x)


def closed_form(rho: Fraction, x: Row) -> list[Fraction]:
    """The proximal point: level ρ S_k / (1 + ρ k), S_k the sum of the k largest |x|, k the largest number for which the
    k-th of them exceeds that level."""
    falling = sorted((abs(each) for each in x), reverse=True)
    level = Fraction(0)
    for k, total in enumerate(itertools.accumulate(falling), start=1):
        if (1 + rho * k) * falling[k - 1] > rho * total:
            level = rho * total / (1 + rho * k)
    return soft(level, x)


@functools.cache
def best_face(rho: Fraction, x: tuple[Fraction, ...]) -> list[Fraction]:
    """The proximal point by trying every support: the stationary point of F on each face of x's orthant that lies in
    it, then the least F.  F is convex and its minimiser has the signs of x, so that this is exhaustive."""
    best = [Fraction(0)] * len(x)
    nonzero = [i for i, each in enumerate(x) if each]
    least = objective(rho, x, best)
    for support in itertools.chain.from_iterable(
        itertools.combinations(nonzero, k) for k in range(1, len(nonzero) + 1)
    ):
        total = sum((abs(x[i]) for i in support), Fraction(0)) / (1 + rho * len(support))  # the 1-norm of the point
        point = [Fraction(0)] * len(x)
        for i in support:
            point[i] = (1 if x[i] > 0 else -1) * (abs(x[i]) - rho * total)
        if all(point[i] * x[i] > 0 for i in support) and (value := objective(rho, x, point)) < least:
            best, least = point, value
    return best


def objective(rho: Fraction, x: Row, w: Row) -> Fraction:
    """F(w)."""
    distance = sum(((a - b) ** 2 for a, b in zip(w, x, strict=True)), Fraction(0))
    return distance / 2 + rho * size(w) ** 2 / 2


def is_optimal(rho: Fraction, x: Row, w: Row) -> bool:
    """Whether x − w ∈ ρ ‖w‖₁ ∂‖w‖₁, which decides that w minimises the convex F."""
    level = rho * size(w)
    pairs = list(zip(x, w, strict=True))
    return all(a - b == (level if b > 0 else -level) if b else abs(a) <= level for a, b in pairs)


def groups(quick: bool) -> Iterator[tuple[Fraction, ...]]:
    """Every group of 1 to 3 entries (quick: 1 or 2) among a few numbers, then larger ones; smallest first."""
    for d in (1, 2) if quick else (1, 2, 3):
        for x in itertools.product((2, 1, 0, -3), repeat=d):
            yield tuple(map(Fraction, x))
    for longer in ((2, -1, -1), (1, 1, 1, 1), (5, -1, -1, -3), (9, 8, -8, 7, -7)):
        yield tuple(map(Fraction, longer))


def shown(**values: Any) -> dict[str, Any]:
    """Rationals and rows of them as strings, for a witness."""
    return {name: _shown(value) for name, value in values.items()}


def _shown(value: Any) -> Any:
    return [_shown(each) for each in value] if isinstance(value, (list, tuple)) else str(value)
