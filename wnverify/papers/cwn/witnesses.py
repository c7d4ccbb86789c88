"""Ways to know what the parametrization of CWN does, all from its definition and none from eq. 3.

    v̂ = v − (1/d) 1 (1·v),      w = v̂ / ‖v̂‖,      v ∈ R^d not constant

The derivative of w(v + t u) at t = 0 is found in four ways that share no code: in symbols over inner products alone
(every d at once), by Taylor series whose coefficients are balls, by differences in 60 digits with a proved bound for
the truncation, and (in the claims that use it) by automatic differentiation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, seed_of
from wnverify.papers.claims import said

PRECISION: Final = 160
"""Bits of the ball arithmetic."""
WIDEST: Final = 1e-25
"""Relative radius up to which a ball that contains 0 counts as having confirmed an equation."""
DIGITS: Final = 60
STEP: Final = 1e-20
"""Step of the differences, relative to ‖v̂‖ / ‖u‖."""
THIRD_DERIVATIVE: Final = 4.5
"""‖w'''‖ ≤ 4.25 (‖û‖ / ‖x‖)³ along x + t û for w = x / ‖x‖ (the angle θ of x has |θ'| ≤ 1, |θ''| ≤ 1, |θ'''| ≤ 2 in
units of ‖û‖ / ‖x‖, and w''' = (θ''' − θ'³) n − 3 θ' θ'' w); rounded up for the change of ‖x‖ over a step."""


class Symbols(NamedTuple):
    """Vectors known by inner products only, with w·1 = 0, w·w = 1, 1·1 = d, and s = ‖v̂‖, so that v̂ = s w."""

    gram: Any
    g: Any
    w: Any
    one: Any
    d: Any
    s: Any


class Case(NamedTuple):
    """A point v and the loss L(w) = c·w + Σ q_i w_i² / 2, whose gradient in w is c + q w."""

    name: str
    v: tuple[Fraction, ...]
    c: tuple[Fraction, ...]
    q: tuple[Fraction, ...]

    @property
    def d(self) -> int:
        return len(self.v)


def symbols() -> Symbols:
    """Fresh symbols for one proof in every dimension."""
    import sympy

    from wnverify.oracles.symbolic import Gram

    d, s = sympy.Symbol("d", positive=True), sympy.Symbol("s", positive=True)
    gram = Gram({("w", "w"): 1, ("one", "w"): 0, ("one", "one"): d})
    return Symbols(gram, gram.vector("g"), gram.vector("w"), gram.vector("one"), d, s)


def symbolic_derivative(known: Symbols, u: Any) -> Any:
    """∂L/∂v·u = d/dt g·w(v + t u) at t = 0, by differentiating the definition: a SymPy expression for every d."""
    import sympy

    t = sympy.Symbol("t", real=True)
    u_hat = u - (known.one @ u) / known.d * known.one
    square = known.s**2 + 2 * t * known.s * (known.w @ u_hat) + t**2 * (u_hat @ u_hat)
    moved = (known.s * (known.g @ known.w) + t * (known.g @ u_hat)) / sympy.sqrt(square)
    return sympy.diff(moved, t).subs(t, 0)


def cases(quick: bool = False) -> Iterator[Case]:
    """Points and losses: generic, a sum as the loss, g parallel to w, already normalised, a mean much above the spread,
    tiny, a single nonzero entry, and d = 2, where every gradient vanishes."""
    F = Fraction
    plain = (F(3), F(-1, 2), F(2), F(5, 3), F(-7, 4))
    slope = (F(1), F(-2), F(1, 3), F(4), F(1, 5))
    bend = (F(0), F(3), F(-1), F(1, 2), F(2))
    zero = (F(0),) * 5
    for d in (3, 4) if quick else (2, 3, 4, 5):
        yield Case(f"generic, d = {d}", plain[:d], slope[:d], bend[:d])
    yield Case("mean 10^6 times the spread, d = 3", tuple(x + 10**6 for x in plain[:3]), slope[:3], bend[:3])
    if quick:
        return
    yield Case("sum as the loss, d = 4", plain[:4], (F(1),) * 4, zero[:4])
    yield Case("loss whose gradient is parallel to w, d = 4", plain[:4], zero[:4], (F(1),) * 4)
    yield Case("already normalised, d = 4", (F(1, 2), F(1, 2), F(-1, 2), F(-1, 2)), slope[:4], bend[:4])
    yield Case("tiny, d = 5", tuple(x / 10**9 for x in plain), slope, bend)
    yield Case("one nonzero entry, d = 4", (F(7), F(0), F(0), F(0)), slope[:4], bend[:4])


class Balls(NamedTuple):
    """What a case is in ball arithmetic: vectors as object arrays, and the true gradient from Taylor series."""

    g: Any
    w: Any
    one: Any
    v: Any
    norm: Any
    norm_v: Any
    gradient: Any


def balls(case: Case) -> Balls:
    """Enclosures of w, ∂L/∂w and ∂L/∂v; to be used at the precision ``PRECISION`` (see ``at_precision``)."""
    import flint
    import numpy as np

    v = [_arb(x) for x in case.v]
    c, q = [_arb(x) for x in case.c], [_arb(x) for x in case.q]

    def line(point: Sequence[Any], index: int) -> list[Any]:
        return [flint.arb_series([x, flint.arb(int(i == index))], 2) for i, x in enumerate(point)]

    def loss(w: Sequence[Any]) -> Any:
        return sum((a * x + b * x * x / 2 for a, b, x in zip(c, q, w, strict=True)), flint.arb_series([0], 2))

    w = ball_map(v)
    gradient = [loss(ball_map(line(v, i)))[1] for i in range(case.d)]
    g = [loss(line(w, i))[1] for i in range(case.d)]
    mean = sum(v, flint.arb(0)) / case.d
    norm = sum(((x - mean) * (x - mean) for x in v), flint.arb(0)).sqrt()
    norm_v = sum((x * x for x in v), flint.arb(0)).sqrt()
    one = [flint.arb(1)] * case.d
    arrays = [np.array(x, dtype=object) for x in (g, w, one, v)]
    return Balls(arrays[0], arrays[1], arrays[2], arrays[3], norm, norm_v, np.array(gradient, dtype=object))


def ball_map(v: Sequence[Any]) -> list[Any]:
    """w(v) from its definition, entries being balls or power series with ball coefficients."""
    mean = sum(v[1:], v[0]) / len(v)
    v_hat = [x - mean for x in v]
    squares = [x * x for x in v_hat]
    norm = sum(squares[1:], squares[0]).sqrt()
    return [x / norm for x in v_hat]


def _arb(x: Fraction) -> Any:
    import flint

    return flint.arb(flint.fmpq(x.numerator, x.denominator))


def at_precision() -> Any:
    """Context in which balls have ``PRECISION`` bits."""
    import flint

    return flint.ctx.workprec(PRECISION)


def by_enclosure(equation: Callable[[Case, Balls], Sequence[Any]], quick: bool, note: str) -> tuple[Evidence, Any]:
    """Whether every entry of ``equation`` (a left minus a right side, relative to ‖g‖ / ‖v̂‖) is 0 in every case.

    A ball that excludes 0 refutes and is the witness; balls that contain 0 confirm to their radius.
    """
    widest, count, failed = 0.0, 0, None
    with at_precision():
        for case in cases(quick):
            known = balls(case)
            scale = sum(float(x.mid()) ** 2 for x in known.g) ** 0.5 / float(known.norm.mid())
            for entry in equation(case, known):
                count += 1
                widest = max(widest, float(entry.rad()) / scale)
                if not entry.contains(0) and failed is None:
                    failed = (case, float(entry.mid()))
    figures = {"equations": count, "widest relative radius": float(f"{widest:.1e}"), "bits": PRECISION}
    if failed is not None:
        case, value = failed
        note = f"{note}: off by {value:.4g} in the case '{case.name}'"
        return said("enclosure", False, note, power=widest, figures=figures), case_witness(case, value)
    holds = True if widest <= WIDEST else None
    return said(
        "enclosure", holds, note, power=widest, model="Taylor series with ball coefficients", figures=figures
    ), None


def case_witness(case: Case, value: float) -> dict[str, Any]:
    """A case as plain data: v, and the loss c·w + Σ q_i w_i² / 2."""
    shown = {"v": case.v, "c": case.c, "q": case.q}
    return (
        {"case": case.name} | {k: [str(x) for x in xs] for k, xs in shown.items()} | {"off by": float(f"{value:.6g}")}
    )


class Digits(NamedTuple):
    """What a case is in ``DIGITS`` digits, its loss being the linear part c·w alone."""

    v: Any
    c: Any
    w: Any
    one: Any
    norm: Any
    norm_v: Any
    norm_c: Any


def digits(case: Case) -> Digits:
    """A case in 60 digits; to be used inside ``mpmath.workdps(DIGITS)``."""
    import mpmath as mp
    import numpy as np

    v, c = (np.array([mp.mpf(x.numerator) / x.denominator for x in part], dtype=object) for part in (case.v, case.c))
    v_hat = v - mp.fsum(v) / case.d
    norm, norm_v, norm_c = (mp.norm(list(x)) for x in (v_hat, v, c))
    return Digits(v, c, v_hat / norm, np.array([mp.mpf(1)] * case.d, dtype=object), norm, norm_v, norm_c)


def directional_difference(point: Digits, u: Sequence[Any]) -> tuple[Any, float]:
    """((L(v + h u) − L(v − h u)) / 2 h, bound of its error) for the linear loss c·w, in 60 digits.

    The bound is h²/6 times ``THIRD_DERIVATIVE`` ‖c‖ (‖u‖ / ‖v̂‖)³, and the rounding of the loss over h.  ``ValueError``
    for the direction 0.
    """
    import mpmath as mp

    d, norm_u = len(point.v), mp.norm(list(u))
    if norm_u == 0:
        raise ValueError("u must be a direction other than 0")
    h = mp.mpf(STEP) * point.norm / norm_u

    def loss(t: Any) -> Any:
        moved = [x + t * e for x, e in zip(point.v, u, strict=True)]
        middle = mp.fsum(moved) / d
        centred = [x - middle for x in moved]
        return mp.fdot(point.c, centred) / mp.norm(centred)

    truncation = h**2 / 6 * THIRD_DERIVATIVE * point.norm_c * (norm_u / point.norm) ** 3
    rounding = point.norm_c * (1 + point.norm_v / point.norm) * mp.mpf(10) ** (1 - DIGITS) * d / h
    return (loss(h) - loss(-h)) / (2 * h), float(truncation + rounding)


class FloatCase(NamedTuple):
    """A float64 point v and a linear-quadratic loss as in ``Case``; every float is exact."""

    name: str
    v: Any
    c: Any
    q: Any


def float_cases(seed: str) -> Iterator[FloatCase]:
    """Random and adversarial points in float64, from d = 2 to 64, with a mean up to 10^6 times the spread."""
    import numpy as np

    for d in (2, 3, 8, 64):
        for offset, scale in ((0.0, 1.0), (1e3, 1.0), (1e6, 1.0), (0.0, 1e-8), (-1e-4, 1e-8), (0.0, 1e8)):
            rng = np.random.default_rng(seed_of("cwn", seed, d, offset, scale))
            v = offset + scale * rng.standard_normal(d)
            yield FloatCase(
                f"d = {d}, mean {offset:g}, spread {scale:g}", v, rng.standard_normal(d), rng.standard_normal(d)
            )


def kappa(v: Any) -> float:
    """κ = ‖v‖ / ‖v̂‖ of a float vector, with the centring done exactly."""
    exact = [Fraction(float(x)) for x in v]
    mean = sum(exact, Fraction(0)) / len(exact)
    square = sum((x * x for x in exact), Fraction(0))
    square_hat = sum(((x - mean) ** 2 for x in exact), Fraction(0))
    return math.inf if square_hat == 0 else math.sqrt(square / square_hat)
