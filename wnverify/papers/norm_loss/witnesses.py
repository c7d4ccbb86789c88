"""What the claims on norm loss share: exact vectors of rational norm, derivatives in three ways, printed sums.

A filter's norm is a square root; with Pythagorean vectors everything stays rational, and exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, unit_roundoff
from wnverify.papers.claims import by_ratio, said

F = Fraction
FILTERS: Final = (
    ((F(3), F(4)), F(5)),
    ((F(3, 10), F(-4, 10)), F(1, 2)),
    ((F(2), F(-1), F(2)), F(3)),
    ((F(1, 9), F(8, 9), F(-4, 9)), F(1)),
    ((F(-1, 70), F(-1, 70), F(7, 70), F(7, 70)), F(1, 7)),
    ((F(-7),), F(7)),
)
"""Filters with their norms, below one, one and above one; the second has one entry below 0."""
DIGITS: Final = 50


def exact(holds: bool | None, note: str) -> Evidence:
    """Decided in rational numbers."""
    return said("exact", holds, note, power=0.0)


def proved(holds: bool | None, note: str) -> Evidence:
    """Decided in symbols."""
    return said("symbolic", holds, note, power=0.0)


def shown(value: Any) -> Any:
    """A value as plain data: fractions as text, sequences as lists."""
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): shown(each) for key, each in value.items()}
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)


def circle() -> Iterator[tuple[Fraction, Fraction]]:
    """Unit vectors of the plane with rational entries, in all four quadrants and on the axes."""
    for p, q in ((0, 1), (1, 1), (1, 2), (1, 3), (2, 3), (1, 5)):
        square = p * p + q * q
        a, b = F(q * q - p * p, square), F(2 * p * q, square)
        yield from ((a, b), (-a, b), (a, -b), (-a, -b))


def vectors(size: int, entries: Sequence[int] = (0, 1, -1, 2)) -> Iterator[tuple[Fraction, ...]]:
    """All vectors with these entries, the zero vector first."""
    for entry in itertools.product(entries, repeat=size):
        yield tuple(F(x) for x in entry)


def norm(w: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """The Euclidean norm, in whatever ring the entries live."""
    squares = [x * x for x in w]
    return root(sum(squares[1:], squares[0]))


def fraction_root(x: Fraction) -> Fraction:
    """The square root of a rational square.  ``ValueError`` for any other number."""
    x = F(x)
    if x < 0 or math.isqrt(x.numerator) ** 2 != x.numerator or math.isqrt(x.denominator) ** 2 != x.denominator:
        raise ValueError(f"x must be the square of a rational number; got {x}")
    return F(math.isqrt(x.numerator), math.isqrt(x.denominator))


class Network(NamedTuple):
    """Filters of symbols, one tuple a filter, their norms as expressions."""

    rows: tuple[tuple[Any, ...], ...]
    norms: tuple[Any, ...]


def network(filters: int, size: int) -> Network:
    """``filters`` filters of ``size`` real symbols."""
    import sympy

    rows = tuple(tuple(sympy.Symbol(f"w{c}{i}", real=True) for i in range(size)) for c in range(filters))
    return Network(rows, tuple(norm(row, sympy.sqrt) for row in rows))


def difference(loss: Callable[[Sequence[Any], Callable[[Any], Any]], Any], w: Sequence[Fraction], i: int) -> Any:
    """∂loss/∂w_i by the central difference in 50 digits, step 10⁻¹⁸: right to 10⁻³⁰ relative for these losses."""
    import mpmath

    with mpmath.workdps(DIGITS):
        h = mpmath.mpf(10) ** -18
        point = [mpmath.mpf(x.numerator) / x.denominator for x in w]

        def moved(step: Any) -> Any:
            return loss([x + step * (k == i) for k, x in enumerate(point)], mpmath.sqrt)

        return mpmath.mpf((moved(h) - moved(-h)) / (2 * h))


def gradient_by_differences(
    loss: Callable[[Sequence[Any], Callable[[Any], Any]], Any],
    formula: Callable[[Fraction, Fraction], Any],
    filters: Sequence[tuple[tuple[Fraction, ...], Fraction]] = FILTERS,
) -> tuple[Evidence, Any]:
    """``formula(w_i, ‖w‖)`` against differences of ``loss``; the truncation is h²/6 L''' ≤ 10⁻³⁶ × 10³ here."""
    worst, witness = 0.0, None
    for w, r in filters:
        for i, x in enumerate(w):
            right = difference(loss, w, i)
            claimed = F(formula(x, r))
            error = float(abs(right * claimed.denominator - claimed.numerator) / claimed.denominator)
            if error > 1e-20 and witness is None:
                witness = {"w": shown(w), "entry": i + 1, "formula": shown(claimed), "gradient": float(right)}
            worst = max(worst, error)
    return by_ratio(
        "differences",
        worst / 1e-25,
        f"central differences in 50 digits, {len(filters)} filters",
        power=2e-25,
        model="10^-25 absolute, gradients of order 1",
    ), witness


def gradient_by_reverse_mode(loss: Callable[[Any], Any], formula: Callable[[Any, Any], Any], seed: str) -> Evidence:
    """``formula(W, norms (n, 1))`` in float64 against reverse mode of ``loss(W)``, random rows of widely varying norm.

    Each side takes some d + 10 roundings of numbers up to 2 ‖w‖ + 2.
    """
    import numpy as np
    import torch

    rng = np.random.default_rng(seed_of("norm_loss", seed))
    W = torch.from_numpy(rng.standard_normal((12, 7)) * 10.0 ** np.arange(-6, 6)[:, None]).requires_grad_(True)
    (found,) = torch.autograd.grad(loss(W), W)
    with torch.no_grad():
        norms = (W * W).sum(1, keepdim=True).sqrt()
        gap = (found - formula(W, norms)).abs() / (2 * norms + 2)
    allowed = 2 * (7 + 10) * unit_roundoff("float64")
    ratio = float(gap.max()) / allowed
    return by_ratio(
        "automatic differentiation",
        ratio,
        "reverse mode of the loss, norms from 10^-6 to 10^5",
        power=REFUTES_FROM * allowed,
        model="(2 ‖w‖ + 2) × 34 u",
    )


class Sums(NamedTuple):
    """Nested sums over w_{i j c_i c_o} squared as printed: (index, its range) from the outermost in."""

    outer: tuple[tuple[str, str], ...]
    inner: tuple[tuple[str, str], ...]


AXES: Final = (("i", "F_h"), ("j", "F_w"), ("c_i", "C_i"), ("c_o", "C_o"))
"""The indices of w in their order, each with the extent of its axis."""


def unsound(sums: Sums) -> list[str]:
    """What is wrong with the indices of the sums: an index of w bound twice or never, or over another axis' range."""
    bound = [*sums.outer, *sums.inner]
    found = []
    for index, extent in AXES:
        over = [extents for name, extents in bound if name == index]
        if len(over) != 1:
            found.append(f"{index} is summed over {' and '.join(over) or 'nothing'}")
        elif over[0] != extent:
            found.append(f"{index} runs over {over[0]}, its axis has {extent}")
    return found


def evaluate(
    sums: Sums, w: Mapping[tuple[int, ...], Any], sizes: Mapping[str, int], outside: Callable[[Any], Any]
) -> Any:
    """Σ_outer outside(Σ_inner w²), to the letter: an inner index hides an outer one of the same name.

    ``LookupError`` where an index is free or w has no such entry.
    """

    def walk(rest: Sequence[tuple[str, str]], known: dict[str, int], leaf: Callable[[dict[str, int]], Any]) -> Any:
        if not rest:
            return leaf(known)
        (index, extent), *further = rest
        return sum((walk(further, known | {index: k}, leaf) for k in range(1, sizes[extent] + 1)), F(0))

    def square(known: dict[str, int]) -> Any:
        return w[tuple(known[name] for name, _ in AXES)] ** 2

    return walk(sums.outer, {}, lambda known: outside(walk(sums.inner, known, square)))
