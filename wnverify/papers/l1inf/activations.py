"""L1,∞, Secs. 2.3 and 3: what is said of ReLU and tanh."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said


class Functions(NamedTuple):
    """The functions that an activation is written with, of symbols or of balls."""

    exp: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    positive: Callable[[Any], Any]


Activation = Callable[[Any, Functions], Any]
NAMED: Final[Mapping[str, Activation]] = MappingProxyType(
    {"ReLU": lambda x, f: f.positive(x), "tanh": lambda x, f: f.tanh(x)}
)


def _symbols() -> Functions:
    import sympy

    return Functions(sympy.exp, sympy.tanh, lambda x: sympy.Max(x, 0))


def _balls() -> Functions:
    import flint

    return Functions(lambda x: x.exp(), lambda x: x.tanh(), lambda x: x.max(flint.arb(0)))


@claim(
    "L1-P-SIG0",
    place="Sec. 2.3",
    statement="σ(0) = 0 for ReLU and for tanh.",
    reading="the text assumes it of every σ.  It excludes the logistic function (1/2) and softplus (log 2).",
    formula=NAMED,
    faults={
        "logistic function": {**NAMED, "tanh": lambda x, f: 1 / (1 + f.exp(-x))},
        "exp": {**NAMED, "ReLU": lambda x, f: f.exp(x)},
        "shifted ReLU": {**NAMED, "ReLU": lambda x, f: f.positive(x + 1)},
        "shifted tanh": {**NAMED, "tanh": lambda x, f: f.tanh(x - 1)},
    },
)
def zero_at_zero(formula: Mapping[str, Activation], quick: bool) -> Measured:
    import flint
    import sympy

    parts = []
    for name, activation in formula.items():
        value = activation(sympy.Integer(0), _symbols())
        ball = activation(flint.arb(0), _balls())
        routes = [
            said("symbolic", sympy.simplify(value) == 0, f"σ(0) = {value}", power=0.0),
            said("enclosure", bool(ball.is_zero()), "a ball of radius 0 around 0", power=0.0),
        ]
        parts.append(Part(name, routes, {"σ": name, "σ(0)": str(value)}))
    return Measured(parts=parts)


STEP: Final = Fraction(1, 1024)
NOTICED: Final = 1e-6
"""Excess of the slope that the pairs notice: within STEP of 0 the slope of tanh is above 1 − STEP²/3."""


@claim(
    "L1-P-LIP",
    place="Sec. 3",
    statement="|σ(x) − σ(y)| ≤ |x − y| for all x, y, for ReLU and for tanh.",
    formula=NAMED,
    faults={
        "2 tanh": {**NAMED, "tanh": lambda x, f: 2 * f.tanh(x)},
        "tanh(1.001 x)": {**NAMED, "tanh": lambda x, f: f.tanh(x * 1001 / 1000)},
        "leaky, slope −1.5 on the left": {**NAMED, "ReLU": lambda x, f: f.positive(x) + 3 * f.positive(-x) / 2},
        "x times the logistic function": {**NAMED, "ReLU": lambda x, f: x / (1 + f.exp(-x))},
    },
)
def lipschitz(formula: Mapping[str, Activation], quick: bool) -> Measured:
    parts = []
    for name, activation in formula.items():
        pairs, witness = _slopes(name, activation, quick)
        parts.append(Part(name, [_derivative(activation), pairs], witness))
    return Measured(
        parts=parts,
        message="1 is the least constant of both: their slope at 0 (from the right) is 1.",
        left_out=("pairs at odd quarters",) if quick else (),
    )


def _derivative(activation: Activation) -> Evidence:
    """0 ≤ 1 ∓ σ' on x > 0 and on x < 0, with exp x as a positive unknown; σ is continuous, so that is enough."""
    import sympy

    y = sympy.Symbol("y", positive=True)
    proved = True
    for x, sign in ((sympy.Symbol("x", positive=True), 1), (sympy.Symbol("x", negative=True), -1)):
        slope = sympy.diff(activation(x, _symbols()), x).rewrite(sympy.exp)
        for point in (sympy.Rational(1, 1000), sympy.Rational(5, 2)):
            at = slope.subs(x, sign * point)
            if abs(at.evalf(30)) > 1:
                return said("symbolic", False, f"σ'({sign * point}) = {float(at):.6g}", power=0.0)
        for bound in (1 - slope, 1 + slope):
            proved = proved and bool(sympy.factor(bound.subs(x, sympy.log(y))).is_nonnegative)
    return said("symbolic", True if proved else None, "0 ≤ 1 ∓ σ' on either side of 0", power=0.0)


def _slopes(name: str, activation: Activation, quick: bool) -> tuple[Evidence, Json]:
    """|σ(x) − σ(y)| / |x − y| in balls for pairs 1/1024 apart, and for neighbours of these pairs."""
    import flint

    starts = [Fraction(i, 2 if quick else 4) for i in range(-12 if quick else -24, 13 if quick else 25)]
    points = sorted({x for start in starts for x in (start, start + STEP)})
    largest, where = 0.0, points[0]
    values = [activation(flint.arb(flint.fmpq(x.numerator, x.denominator)), _balls()) for x in points]
    for (x, low), (y, high) in itertools.pairwise(zip(points, values, strict=True)):
        step = y - x
        slope = abs(high - low) / flint.arb(flint.fmpq(step.numerator, step.denominator))
        if float(slope.mid()) > largest:
            largest, where = float(slope.mid()), x
    over = max(largest - 1, 0.0) / NOTICED
    model = f"excess of the slope over 1, against {NOTICED:g}"
    route = by_ratio(
        "property search", over, f"{len(points) - 1} pairs, largest slope {largest:.9g}", power=NOTICED, model=model
    )
    return route, {"σ": name, "x": str(where), "slope": round(largest, 9)}
