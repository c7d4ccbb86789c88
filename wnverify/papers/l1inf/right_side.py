"""The right-hand side of eq. 3.1, what the proof of Theorem 2 asks of it, and both in balls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

RightSide = Callable[..., Any]
"""(n, m1, k, cρ, t, δ, log, sqrt) → a bound on |E_L − Ê_L|, t = ‖T_{k+1}‖_1, in the arithmetic of log and sqrt."""
PRECISION: Final = 128
Point = tuple[int, int, int, Fraction, Fraction, Fraction]


def first(n: Any, m1: Any, k: Any, c_rho: Any, t: Any, delta: Any, log: Any, sqrt: Any) -> Any:
    return sqrt((log(2 / delta) + 2 * log(t + 2)) / (2 * n))


def second(n: Any, m1: Any, k: Any, c_rho: Any, t: Any, delta: Any, log: Any, sqrt: Any) -> Any:
    return 2 / sqrt(n) * (t + 1) * c_rho**k * (sqrt((k + 3) * log(4)) + sqrt(2 * log(2 * m1)))


def printed(*given: Any) -> Any:
    """Eq. 3.1."""
    return first(*given) + second(*given)


def in_balls(formula: RightSide, point: Point) -> Any:
    """The formula at a rational point, enclosed; call it under ``flint.ctx.workprec``."""
    n, m1, k, *rest = point
    return formula(ball(n), ball(m1), k, *map(ball, rest), log, root)


def ball(x: Any) -> Any:
    import flint

    return flint.arb(flint.fmpq(x.numerator, x.denominator)) if isinstance(x, Fraction | int) else flint.arb(x)


def log(x: Any) -> Any:
    return ball(x).log()


def root(x: Any) -> Any:
    return ball(x).sqrt()


def needed(width: int, point: Point) -> Any:
    """What the proof gives for a loss with values in an interval of length ``width``, in balls.

    The union's member for t is o = max(1, ⌈t⌉) with the share δ/(o(o+1)), half of it for each sign; McDiarmid's
    inequality with differences width/n, symmetrisation, contraction, and Theorem 1's second bound at o.
    """
    n, m1, k, c_rho, t, delta = point
    o = max(1, math.ceil(t))
    tail = root(log(Fraction(2 * o * (o + 1)) / delta) / (2 * n))
    roots = root((k + 3) * log(4)) + root(2 * log(2 * m1))
    return width * tail + 2 * o * ball(c_rho) ** k * roots / root(n)


def points(quick: bool) -> Iterator[Point]:
    """n, m1, k, cρ, t, δ; the norms just above a whole number are the hardest for the union."""
    hard = Fraction(1, 1000)
    for n, m1, k in ((1, 1, 0), (500, 1000, 1), (10**6, 3, 7)):
        for c_rho in (Fraction(1), Fraction(5, 2)):
            for t in (
                (Fraction(0), hard, 1 + hard, 9 + hard) if quick else (Fraction(0), *(m + hard for m in range(40)))
            ):
                for delta in (Fraction(1, 20), Fraction(999, 1000), Fraction(1, 2**300)):
                    yield n, m1, k, c_rho, t, delta


def lacking(formula: RightSide, width: int, quick: bool) -> Point | None:
    """The first point where the formula is below what the proof gives; ``None`` where it never is."""
    import flint

    with flint.ctx.workprec(PRECISION):
        for point in points(quick):
            if not in_balls(formula, point) - needed(width, point) >= 0:
                return point
    return None


def shown(point: Point) -> dict[str, Any]:
    return dict(zip(("n", "m1", "k", "c rho", "||T||_1", "delta"), map(str, point), strict=True))
