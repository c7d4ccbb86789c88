"""L1,∞, Sec. 3.2: Remarks 3 and 4, losses that meet (A3) or do so after a division."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import right_side
from wnverify.papers.l1inf.right_side import second

Loss = Callable[[Any, Any, Any], Any]
"""(f(x), y, minimum) → L."""


def _squared(f: Any, y: Any, minimum: Any) -> Any:
    return minimum(((y - f) / 2) ** 2, 1)


def _absolute(f: Any, y: Any, minimum: Any) -> Any:
    return minimum(abs(y - f), 1)


@claim(
    "L1-REM3-S",
    place="Remark 3",
    statement="L_S(f, y) = min(((y − f)/2)², 1) is 1-Lipschitz in f and |L_S| ≤ 1.",
    reading="its slope |y − f|/2 is at most 1 where the square is below 1, |y − f| ≤ 2; its values are in [0, 1], so "
    "that Theorem 2 applies as printed.  The constant 1 is attained at |y − f| = 2.",
    formula=_squared,
    faults={
        "not truncated": lambda f, y, minimum: ((y - f) / 2) ** 2,
        "not halved": lambda f, y, minimum: minimum((y - f) ** 2, 1),
        "halved after squaring": lambda f, y, minimum: minimum((y - f) ** 2 / 2, 1),
        "truncated at 2": lambda f, y, minimum: minimum(((y - f) / 2) ** 2, 2),
    },
)
def truncated_square(formula: Loss, quick: bool) -> Measured:
    return _condition_a3(formula, quick)


@claim(
    "L1-REM3-A",
    place="Remark 3",
    statement="L_A(f, y) = min(|y − f|, 1) is 1-Lipschitz in f and |L_A| ≤ 1.",
    reading="values in [0, 1], so that Theorem 2 applies as printed.",
    formula=_absolute,
    faults={
        "not truncated": lambda f, y, minimum: abs(y - f),
        "truncated at 2": lambda f, y, minimum: minimum(abs(y - f), 2),
        "slope 2": lambda f, y, minimum: minimum(2 * abs(y - f), 1),
        "slope 1.01": lambda f, y, minimum: minimum(Fraction(101, 100) * abs(y - f), 1),
    },
)
def truncated_absolute(formula: Loss, quick: bool) -> Measured:
    return _condition_a3(formula, quick)


def _condition_a3(formula: Loss, quick: bool) -> Measured:
    at, steep, large = _searched(formula, 6 if quick else 16)
    slope, top = _pieces(formula)
    return Measured(
        parts=[
            Part("1-Lipschitz in f", [slope, said("exact", not steep, f"chords on a grid {at}", power=0.01)], steep),
            Part("|L| at most 1", [top, said("exact", not large, f"values on a grid {at}", power=0.01)], large),
        ]
    )


def _pieces(formula: Loss) -> tuple[Evidence, Evidence]:
    """On u = f − y ≥ 0 (the loss is even in u): each argument of the minimum where it is the smaller one."""
    import sympy

    u = sympy.Symbol("u", nonnegative=True)
    slopes, tops = [], []
    value = sympy.sympify(formula(u, sympy.Integer(0), sympy.Min))
    even = sympy.simplify(value - formula(-u, sympy.Integer(0), sympy.Min)) == 0
    branches = value.args if isinstance(value, sympy.Min) else (value,)
    for branch in branches:
        where = sympy.Interval(0, sympy.oo)
        for other in branches:
            if other != branch:
                where = where.intersect(sympy.solveset(branch <= other, u, where))
        slopes.append(sympy.calculus.util.maximum(sympy.diff(branch, u), u, where) if branch.has(u) else sympy.S.Zero)
        tops.append(sympy.calculus.util.maximum(branch, u, where) if branch.has(u) else branch)
    steepest, largest = max(slopes), max(tops)
    return (
        said("symbolic", bool(even and steepest <= 1), f"steepest slope {steepest}", power=0.0),
        said("symbolic", bool(even and largest <= 1), f"largest value {largest}", power=0.0),
    )


def _searched(formula: Loss, reach: int) -> tuple[str, Json, Json]:
    """All neighbours of a grid of tenths, in fractions; y shifts the grid."""
    grid = sorted({Fraction(i, 10) for i in range(-10 * reach // 2, 10 * reach // 2 + 1)})
    steep: Json = None
    large: Json = None
    for y in (Fraction(0), Fraction(1, 3)):
        values = [formula(f, y, min) for f in grid]
        for (f, g), (a, b) in zip(itertools.pairwise(grid), itertools.pairwise(values), strict=True):
            if steep is None and abs(a - b) > abs(f - g):
                steep = {"f": str(f), "g": str(g), "y": str(y), "L(f)": str(a), "L(g)": str(b)}
            if large is None and abs(a) > 1:
                large = {"f": str(f), "y": str(y), "L": str(a)}
    return f"of {len(grid)} outputs", steep, large


@claim(
    "L1-REM4",
    place="Remark 4",
    statement="If L is B0-Lipschitz in f and |L| ≤ B0, then L/B0 meets (A3), and |E_L − Ê_L| is at most B0 times the "
    "bound of Theorem 2.",
    hypotheses=("B0 > 0 is known before the sample is seen", "Theorem 2 as it holds for L/B0"),
    reading="the reduction.  It inherits the condition of Theorem 2: for losses of both signs the first term doubles "
    "(L1-TH2-RANGE), for 0 ≤ L ≤ B0 it stands.",
    formula=lambda bound, B0, sqrt: B0 * bound,
    faults={
        "divided instead": lambda bound, B0, sqrt: bound / B0,
        "not scaled": lambda bound, B0, sqrt: bound,
        "the root of B0": lambda bound, B0, sqrt: sqrt(B0) * bound,
        "half of it": lambda bound, B0, sqrt: B0 * bound / 2,
    },
)
def scaled_loss(formula: Callable[[Any, Any, Any], Any], quick: bool) -> Measured:
    import sympy

    bound, B0 = sympy.symbols("bound B0", positive=True)
    risk, empirical = sympy.symbols("E Ehat", real=True)
    # |E_{L/B0} − Ê_{L/B0}| ≤ bound with equality: what |E_L − Ê_L| is then.
    reached = B0 * sympy.Abs(risk / B0 - empirical / B0)
    linear = sympy.simplify(reached - sympy.Abs(risk - empirical)) == 0
    same = sympy.simplify(formula(bound, B0, sympy.sqrt) - B0 * bound) == 0
    symbolic = said("symbolic", bool(linear and same), "the risks are linear in the loss", power=0.0)
    enclosed, at = _derived(formula)
    scaled, where = _scaled()
    return Measured(
        parts=[
            Part("the bound for L", [symbolic, enclosed], at),
            Part("L/B0 meets (A3)", [scaled], where),
        ]
    )


def _derived(formula: Callable[[Any, Any, Any], Any]) -> tuple[Evidence, Json]:
    """What the proof gives for a B0-Lipschitz loss in an interval of length B0: both of its terms grow by B0."""
    import flint

    point = (500, 1000, 1, Fraction(1), Fraction(999, 1000), Fraction(1, 20))
    with flint.ctx.workprec(right_side.PRECISION):
        eq31 = right_side.in_balls(right_side.printed, point)
        # McDiarmid with differences B0/n, contraction with B0; o = t + 1 and the share δ/(t + 2)² as in eq. 3.1.
        for B0 in (Fraction(1, 3), Fraction(1), Fraction(9)):
            n, _, _, _, t, delta = point
            length, slope = right_side.ball(B0), right_side.ball(B0)
            tail = ((right_side.ball((t + 2) ** 2 * 2 / delta)).log() * length**2 / (2 * n)).sqrt()
            proof = tail + slope * right_side.in_balls(second, point)
            if not (formula(eq31, right_side.ball(B0), right_side.root) - proof).contains(0):
                return said("enclosure", False, f"B0 = {B0}", power=1e-30), {"B0": str(B0), **right_side.shown(point)}
    return said("enclosure", True, "McDiarmid with B0/n and contraction with B0, at B0 = 1/3, 1, 9", power=1e-30), None


def _scaled() -> tuple[Evidence, Json]:
    """Losses with a slope and a size of at most B0, one of them of both signs, divided by it, on a grid."""
    losses: tuple[tuple[str, Fraction, Loss], ...] = (
        ("min((y − f)², 9)", Fraction(9), lambda f, y, minimum: minimum((y - f) ** 2, 9)),
        ("min(3 |y − f|, 4)", Fraction(4), lambda f, y, minimum: minimum(3 * abs(y - f), 4)),
        ("y − f, clipped to [−2, 2]", Fraction(2), lambda f, y, minimum: -minimum(-minimum(y - f, 2), 2)),
        ("min(|y − f|/4, 1/3)", Fraction(1, 3), lambda f, y, minimum: minimum(abs(y - f) / 4, Fraction(1, 3))),
    )
    for name, B0, loss in losses:

        def divided(f: Any, y: Any, minimum: Any, B0: Fraction = B0, loss: Loss = loss) -> Any:
            return loss(f, y, minimum) / B0

        _, steep, large = _searched(divided, 8)
        if steep or large:
            return said("exact", False, f"{name}, B0 = {B0}", power=0.01), {"loss": name, "B0": str(B0)}
    return said("exact", True, f"{len(losses)} losses with B0 from 1/3 to 9", power=0.01), None
