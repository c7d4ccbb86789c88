"""CWN, around Proposition 2: the degenerate cases d = 1, d = 2, constant v, and a mean much above the spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, encode_array, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, probabilistic_gamma, unit_roundoff
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwn import witnesses
from wnverify.papers.cwn.gradient import eq3
from wnverify.papers.cwn.parametrization import LARGEST_KAPPA, centred

UNDEFINED: Final = "undefined"
ZERO: Final = "zero for every loss"
NONZERO: Final = "not zero for every loss"


class Degenerate(NamedTuple):
    """What the gradient is at d = 1, 2, 3 (v not constant where possible) and at constant v, and a bound (of d, κ, u)
    for the error of the gradient by eq. 3 in floating point, in units of ‖∂L/∂w‖ / ‖v̂‖."""

    d1: str
    d2: str
    d3: str
    constant: str
    error: Callable[[int, float, float], float]


def error_bound(d: int, kappa: float, u: float) -> float:
    """3 κ (u + γ̃_d) + 12 u + γ̃_d: the gradient moves by at most 3 ‖g‖/‖v̂‖ times a relative change of v̂."""
    return 3 * kappa * (u + probabilistic_gamma(d, u)) + 12 * u + probabilistic_gamma(d, u)


ANSWER: Final = Degenerate(UNDEFINED, ZERO, NONZERO, UNDEFINED, error_bound)


@claim(
    "CWN-P2-DEG",
    place="Prop. 2 (derived)",
    statement="What of d = 1; d = 2; constant v; v with a mean much larger than its spread? Answer: for d = 1 and "
    "for constant v of any d, w and the gradient are undefined (0/0); for d = 2 the gradient is zero for every loss, "
    "for w = ±(1, −1)/√2 is locally constant, so that v cannot be trained by it; from d = 3 on it is not. A large "
    "mean leaves both properties exactly true, but in floating point the gradient's error grows as κ u with κ = "
    "‖v‖/‖v̂‖: at most (3κ(u + γ̃_d) + 12u + γ̃_d) ‖∂L/∂w‖/‖v̂‖.",
    reading="L depends on v through w alone.",
    formula=ANSWER,
    faults={
        "d = 1 is defined": ANSWER._replace(d1=ZERO),
        "d = 2 can be trained": ANSWER._replace(d2=NONZERO),
        "d = 2 is undefined": ANSWER._replace(d2=UNDEFINED),
        "d = 3 is zero too": ANSWER._replace(d3=ZERO),
        "constant v gives a zero gradient": ANSWER._replace(constant=ZERO),
        "the error does not feel the mean": ANSWER._replace(error=lambda d, kappa, u: error_bound(d, 1.0, u)),
    },
)
def degenerate_cases(formula: Degenerate, quick: bool) -> Measured:
    from wnverify.oracles.symbolic import coordinates

    free = {d: list(coordinates("v", d)) for d in (1, 2, 3)}
    constant = [[coordinates("m", 1)[0]] * d for d in (2, 3, 4)]
    parts = []
    for d, claimed in ((1, formula.d1), (2, formula.d2), (3, formula.d3)):
        points = _spread_points(d)
        parts.append(_part(f"d = {d}", claimed, [_symbolic(free[d])], [_enclosed(v) for v in points], points))
    points = [[Fraction(x)] * d for x, d in ((1, 2), (5, 3), (-2, 4))]
    found = [_symbolic(v) for v in constant]
    parts.append(_part("constant v", formula.constant, found, [_enclosed(v) for v in points], points))
    floats, witness = _float_errors(formula.error, quick)
    parts.append(Part("a large mean, in floating point", [floats], witness))
    exact, exact_witness = _exact_at_large_mean()
    parts.append(Part("a large mean, exactly", [exact], exact_witness))
    return Measured(parts=parts, left_out=("floating point with d = 512",) if quick else ())


def _part(name: str, claimed: str, symbolic: list[str], enclosed: list[str], points: list[list[Fraction]]) -> Part:
    """The claimed word against what two routes found; over points the gradient is 'not zero' if it is so at one."""
    in_balls = enclosed[0] if len(set(enclosed)) == 1 else NONZERO
    routes = [
        said(
            "symbolic",
            set(symbolic) == {claimed},
            f"v̂ and the derivative of g·w(v) in symbols: {symbolic[0]}",
            power=0.0,
        ),
        said("enclosure", in_balls == claimed, f"at {len(points)} rational points: {in_balls}", power=witnesses.WIDEST),
    ]
    return Part(name, routes, {"v": [str(x) for x in points[0]], "claimed": claimed, "found": in_balls})


def _spread_points(d: int) -> list[list[Fraction]]:
    points = [[1, 0, 0], [3, -1, 4], [10**6, 10**6 + 1, 10**6 - 1]]
    return [[Fraction(x) for x in point[:d]] for point in points]


def _symbolic(v: list[Any]) -> str:
    """What the gradient of g·w(v) is for symbolic g: a word."""
    import sympy

    from wnverify.oracles.symbolic import coordinates, is_identity

    d = len(v)
    mean = sum(v) / sympy.Integer(d)
    if all(is_identity(x, mean) for x in v):
        return UNDEFINED
    g, s = coordinates("g", d), sympy.Symbol("s", positive=True)
    square = sympy.expand(sum((x - mean) ** 2 for x in v))
    loss = sum(a * (x - mean) for a, x in zip(g, v, strict=True)) / sympy.sqrt(square)
    slopes = [sympy.together(sympy.diff(loss, x).subs(square, s**2)) for x in v]
    # every slope is a polynomial in v over s³ once s² is put back, so expanding decides it
    cubes = [sympy.expand(sympy.expand(slope * s**3).subs(s**2, square)) for slope in slopes]
    return ZERO if all(cube == 0 for cube in cubes) else NONZERO


def _enclosed(v: list[Fraction]) -> str:
    """What the gradient of (1, 2, 4, …)·w(v) is at a point: a word, from Taylor series with ball coefficients."""
    import flint

    d = len(v)
    mean = sum(v, Fraction(0)) / d
    if all(x == mean for x in v):
        return UNDEFINED
    with witnesses.at_precision():
        for i in range(d):
            line = [
                flint.arb_series([flint.arb(flint.fmpq(x.numerator, x.denominator)), flint.arb(int(i == j))], 2)
                for j, x in enumerate(v)
            ]
            w = witnesses.ball_map(line)
            slope = sum((2**j * x for j, x in enumerate(w)), flint.arb_series([0], 2))[1]
            if not slope.contains(0):
                return NONZERO
    return ZERO


def _exact_at_large_mean() -> tuple[Evidence, Json]:
    """∂L/∂v·1 and ∂L/∂v·w, relative to ‖g‖/‖v̂‖, in balls at v whose mean is 10^6, 10^9 and 10^12 times its spread."""
    import flint

    widest, off = 0.0, None
    with witnesses.at_precision():
        for power in (6, 9, 12):
            v = tuple(Fraction(x + 10**power) for x in (3, -1, 4, 0))
            case = witnesses.Case(f"mean 10^{power}", v, tuple(map(Fraction, (1, -2, 3, 5))), (Fraction(1),) * 4)
            known = witnesses.balls(case)
            for product in (known.gradient @ known.one, known.gradient @ known.w):
                relative = product * known.norm / flint.arb(6)
                widest = max(widest, float(relative.rad()))
                if not relative.contains(0):
                    off = witnesses.case_witness(case, float(relative.mid()))
    holds = None if off is None and widest > witnesses.WIDEST else off is None
    return said("enclosure", holds, "mean 10^6, 10^9 and 10^12 times the spread", power=widest), off


def _float_errors(bound: Callable[[int, float, float], float], quick: bool) -> tuple[Evidence, Json]:
    """The gradient by eq. 3 in float64 and float32, κ from 1 up, against the exact one."""
    import numpy as np

    worst, least, largest, count, witness = 0.0, math.inf, 0.0, 0, None
    for dtype in ("float64", "float32"):
        for d in (3, 17, 64) if quick else (3, 17, 64, 512):
            for power in (0.0, 0.25, 0.5, 0.75):
                rng = np.random.default_rng(seed_of("cwn", "degenerate", dtype, d, power))
                v = (LARGEST_KAPPA[dtype] ** power - 1 + rng.standard_normal(d)).astype(dtype)
                g = rng.standard_normal(d).astype(dtype)
                v_hat = v - v.sum() / v.dtype.type(d)
                norm = np.sqrt(v_hat @ v_hat)
                found = eq3(g, v_hat / norm, np.ones_like(v), v.dtype.type(d), norm, None)
                true, scale = _exact_gradient(v, g)
                error = math.sqrt(math.fsum((found.astype(np.float64) - true) ** 2)) / scale
                kappa, u = witnesses.kappa(v), unit_roundoff(dtype)
                allowed = bound(d, kappa, u)
                count, least, largest = count + 1, min(least, allowed), max(largest, error / u)
                worst = worse(worst, error / allowed)
                if not error / allowed < REFUTES_FROM and witness is None:
                    witness = {"v": encode_array(v), "g": encode_array(g), "relative error": float(f"{error:.4g}")}
                    witness |= {"kappa": float(f"{kappa:.4g}"), "allowed": float(f"{allowed:.4g}")}
    return by_ratio(
        "property search",
        worst,
        "eq. 3 in float64 and float32 against exact centring",
        power=REFUTES_FROM * least,
        model="‖g‖/‖v̂‖ × (3 κ (u + γ̃_d) + 12 u + γ̃_d)",
        figures={"points": count, "largest error in units of u": float(f"{largest:.3g}")},
    ), witness


def _exact_gradient(v: Any, g: Any) -> tuple[Any, float]:
    """(∂L/∂v, ‖g‖/‖v̂‖) of the floats v and g, in rationals up to the last rounding.

    ∂L/∂v = (q (g − mean(g) 1) − (g·v̂) v̂) / q^{3/2} with q = v̂·v̂, the quotient rule applied to g·v̂ / √q.
    """
    import numpy as np

    slope = [Fraction(float(x)) for x in g]
    v_hat = list(centred(np.array([Fraction(float(x)) for x in v], dtype=object), np.array([1] * len(v)), len(v)))
    square = sum((x * x for x in v_hat), Fraction(0))
    along = sum((a * x for a, x in zip(slope, v_hat, strict=True)), Fraction(0))
    mean = sum(slope, Fraction(0)) / len(v)
    root = math.sqrt(square)
    entries = [float((square * (a - mean) - along * x) / square) / root for a, x in zip(slope, v_hat, strict=True)]
    return np.array(entries), math.sqrt(sum((a * a for a in slope), Fraction(0))) / root
