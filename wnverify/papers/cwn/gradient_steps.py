"""CWN, eqs. 4 and 5: the printed derivations of the two properties of Proposition 2, line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwn import witnesses
from wnverify.papers.cwn.gradient import eq3

Line = Callable[[Any, Any, Any, Any, Any], Any]


def _eq4_line1(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return eq3(g, w, one, d, norm, None) @ one


def _eq4_line2(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return ((g @ one) - (g @ w) * (w @ one) - (g @ one) / d * d) / norm


def _eq4_line3(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return -(g @ w) * (w @ one) / norm


def _zero(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return 0


EQ4: Final = (_eq4_line1, _eq4_line2, _eq4_line3, _zero)


def _eq5_line1(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return eq3(g, w, one, d, norm, None) @ w


def _eq5_line2(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return ((g @ w) - (g @ w) * (w @ w) - (g @ one) / d * (one @ w)) / norm


def _eq5_line3(g: Any, w: Any, one: Any, d: Any, norm: Any) -> Any:
    return ((g @ w) - (g @ w)) / norm


EQ5: Final = (_eq5_line1, _eq5_line2, _eq5_line3, _zero)


def _but(chain: tuple[Line, ...], number: int, line: Line) -> tuple[Line, ...]:
    return (*chain[: number - 1], line, *chain[number:])


@claim(
    "CWN-EQ4-STEPS",
    place="eq. 4",
    statement="Each printed equality of eq. 4 is true: ∂L/∂v·1 = (1/‖v̂‖)[eq. 3]·1 = (1/‖v̂‖)[∂L/∂w 1 − (∂L/∂w w) wᵀ1 "
    "− (1/d)(∂L/∂w 1) d] = (1/‖v̂‖)[−(∂L/∂w w)(wᵀ1)] = 0.",
    hypotheses=("wᵀ1 = 0",),
    formula=EQ4,
    faults={
        "line 1 without the mean term": _but(EQ4, 1, lambda g, w, one, d, norm: (g - (g @ w) * w) @ one / norm),
        "line 2 without the factor d of 1·1": _but(
            EQ4, 2, lambda g, w, one, d, norm: ((g @ one) - (g @ w) * (w @ one) - (g @ one) / d) / norm
        ),
        "line 2 with the wrong sign": _but(
            EQ4, 2, lambda g, w, one, d, norm: ((g @ one) - (g @ w) * (w @ one) + (g @ one)) / norm
        ),
        "line 3 with w·w for w·1": _but(EQ4, 3, lambda g, w, one, d, norm: -(g @ w) * (w @ w) / norm),
        "line 3 keeps the mean": _but(EQ4, 3, lambda g, w, one, d, norm: (g @ one) / norm),
        "line 4 is 1": _but(EQ4, 4, lambda g, w, one, d, norm: 1),
    },
)
def steps_of_eq4(formula: tuple[Line, ...], quick: bool) -> Measured:
    return _steps(formula, lambda known: known.one, "1")


@claim(
    "CWN-EQ5-STEPS",
    place="eq. 5",
    statement="Each printed equality of eq. 5 is true: ∂L/∂v·w = (1/‖v̂‖)[eq. 3]·w = (1/‖v̂‖)[∂L/∂w·w − (∂L/∂w w)(wᵀw) "
    "− (1/d)(∂L/∂w 1)(1ᵀw)] = (1/‖v̂‖)[∂L/∂w·w − (∂L/∂w w)] = 0.",
    hypotheses=("wᵀ1 = 0", "‖w‖ = 1"),
    formula=EQ5,
    faults={
        "line 1 without the radial term": _but(EQ5, 1, lambda g, w, one, d, norm: (g - (g @ one) / d * one) @ w / norm),
        "line 2 with the wrong sign": _but(
            EQ5, 2, lambda g, w, one, d, norm: ((g @ w) + (g @ w) * (w @ w) - (g @ one) / d * (one @ w)) / norm
        ),
        "line 2 with 1·1 for 1·w": _but(
            EQ5, 2, lambda g, w, one, d, norm: ((g @ w) - (g @ w) * (w @ w) - (g @ one) / d * (one @ one)) / norm
        ),
        "line 3 with a factor 2": _but(EQ5, 3, lambda g, w, one, d, norm: ((g @ w) - 2 * (g @ w)) / norm),
        "line 3 keeps the mean": _but(EQ5, 3, lambda g, w, one, d, norm: (g @ one) / norm),
        "line 4 is 1": _but(EQ5, 4, lambda g, w, one, d, norm: 1),
    },
)
def steps_of_eq5(formula: tuple[Line, ...], quick: bool) -> Measured:
    return _steps(formula, lambda known: known.w, "w")


def _steps(chain: tuple[Line, ...], direction: Callable[[Any], Any], name: str) -> Measured:
    """Each equality over inner products (for every d) and at rational points; the first against the definition."""
    from wnverify.oracles.symbolic import is_identity

    known = witnesses.symbols()
    values: list[Any] = [witnesses.symbolic_derivative(known, direction(known))]
    values += [line(known.g, known.w, known.one, known.d, known.s) for line in chain]
    parts = []
    for number in range(len(chain)):
        label = f"∂L/∂v·{name} = line 1" if number == 0 else f"line {number} = line {number + 1}"
        holds = is_identity(values[number], values[number + 1])
        routes = [said("symbolic", holds, f"over inner products, for every d{_uses(chain, number)}", power=0.0)]
        exact, witness = _at_rational_points(chain, number, direction)
        parts.append(Part(label, [*routes, exact], witness))
    return Measured(parts=parts)


def _uses(chain: tuple[Line, ...], number: int) -> str:
    """Which of w·1 = 0 and w·w = 1 an equality between two lines rests on, found by leaving each out."""
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    if number == 0:
        return ""
    d, s = sympy.symbols("d s", positive=True)
    given: dict[str, dict[tuple[str, str], Any]] = {"wᵀ1 = 0": {("one", "w"): 0}, "‖w‖ = 1": {("w", "w"): 1}}
    used = []
    for text in given:
        kept = {pair: value for other, products in given.items() if other != text for pair, value in products.items()}
        gram = Gram({("one", "one"): d, **kept})
        g, w, one = (gram.vector(each) for each in ("g", "w", "one"))
        if not is_identity(chain[number - 1](g, w, one, d, s), chain[number](g, w, one, d, s)):
            used.append(text)
    return f"; uses {' and '.join(used)}" if used else "; uses neither wᵀ1 = 0 nor ‖w‖ = 1"


def _rational_points() -> Iterator[tuple[Any, Any, Any, int, Fraction]]:
    """(g, w, 1, d, ‖v̂‖) in rationals with w·1 = 0, w·w = 1, which needs d = 4 at least."""
    import numpy as np

    halves = [Fraction(x, 2) for x in (1, 1, -1, -1)]
    sixths = [Fraction(x, 6) for x in (5, -3, -1, -1)]
    six = [Fraction(x, 6) for x in (3, -3, 3, -3, 0, 0)]
    for w in (halves, sixths, six):
        for slope in ((1, 0, 0, 0, 0, 0), (2, -1, 3, 5, 1, 4), (1, 1, 1, 1, 1, 1)):
            d = len(w)
            g, entries, one = (np.array([Fraction(x) for x in part], dtype=object) for part in (slope[:d], w, [1] * d))
            yield g, entries, one, d, Fraction(2)


def _at_rational_points(chain: tuple[Line, ...], number: int, direction: Callable[[Any], Any]) -> tuple[Evidence, Json]:
    """The equality at rational points; the left of the first is the derivative by dual numbers of the definition."""
    count = 0
    for g, w, one, d, norm in _rational_points():
        known = witnesses.Symbols(None, g, w, one, d, norm)
        left = _dual_derivative(known, direction(known)) if number == 0 else chain[number - 1](g, w, one, d, norm)
        right = chain[number](g, w, one, d, norm)
        count += 1
        if left != right:
            shown: dict[str, Json] = {"g": [str(x) for x in g], "w": [str(x) for x in w], "norm": str(norm)}
            shown |= {"left": str(left), "right": str(right)}
            return said("exact", False, f"at w = ({', '.join(map(str, w))})", power=0.0), shown
    return said("exact", True, f"at {count} rational points with d = 4 and 6", power=0.0), None


def _dual_derivative(known: witnesses.Symbols, u: Any) -> Fraction:
    """d/dt g·w(v + t u) at t = 0 in dual rationals, at v = ‖v̂‖ w + 1: the root of a + b ε is √a + b ε / (2 √a)."""
    d = int(known.d)
    v = [(known.s * x + 1, Fraction(e)) for x, e in zip(known.w, u, strict=True)]
    mean = tuple(sum((entry[k] for entry in v), Fraction(0)) / d for k in (0, 1))
    v_hat = [(value - mean[0], slope - mean[1]) for value, slope in v]
    square = sum((value * value for value, _ in v_hat), Fraction(0))
    slope_of_square = sum((2 * value * slope for value, slope in v_hat), Fraction(0))
    root = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
    if root * root != square:
        raise ValueError(f"w must have a rational norm; its square is {square}")
    slope_of_root = slope_of_square / (2 * root)
    slopes = [(slope * root - value * slope_of_root) / square for value, slope in v_hat]
    return sum((a * b for a, b in zip(known.g, slopes, strict=True)), Fraction(0))
