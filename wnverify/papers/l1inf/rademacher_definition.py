"""L1,∞, Sec. 3.1: the definition of the Rademacher complexity."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said

Values = tuple[Fraction, ...]
"""(f(z_1), …, f(z_n)) of one function of the class."""
Complexity = Callable[[Sequence[Values]], Fraction]


def _signs(n: int) -> list[tuple[int, ...]]:
    return list(itertools.product((-1, 1), repeat=n))


def _inner(signs: Sequence[int], f: Values) -> Fraction:
    return sum((s * v for s, v in zip(signs, f, strict=True)), Fraction(0)) / len(f)


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def complexity(functions: Sequence[Values]) -> Fraction:
    """E_ε sup_f (1/n) Σ ε_i f(z_i), all 2ⁿ signs."""
    return _mean([max(_inner(signs, f) for f in functions) for signs in _signs(len(functions[0]))])


def absolute(functions: Sequence[Values]) -> Fraction:
    """E_ε sup_f |(1/n) Σ ε_i f(z_i)|, the other definition in use."""
    return _mean([max(abs(_inner(signs, f)) for f in functions) for signs in _signs(len(functions[0]))])


@claim(
    "L1-RAD-DEF",
    place="Sec. 3.1",
    statement="R̂_S(F) = E_ε sup_f (1/n) Σ ε_i f(z_i), without an absolute value, ε_i independent signs; R_n(F) is its "
    "mean over S ~ 𝒟ⁿ.",
    reading="a definition, judged by what is used of it: 0 for one function, unchanged by adding one function to all "
    "and by convex hulls, at most L times as large after an L-Lipschitz map.  Where F = −F, as SN_{c,o} is, the "
    "definition with an absolute value gives the same; S is a list, its points may repeat.",
    formula=complexity,
    faults={
        "absolute value": absolute,
        "sup outside the mean": lambda functions: max(
            _mean([_inner(signs, f) for signs in _signs(len(f))]) for f in functions
        ),
        "ε in {0, 1}": lambda functions: _mean(
            [max(_inner(bits, f) for f in functions) for bits in itertools.product((0, 1), repeat=len(functions[0]))]
        ),
        "not divided by n": lambda functions: len(functions[0]) * complexity(functions),
        "inf for sup": lambda functions: _mean(
            [min(_inner(signs, f) for f in functions) for signs in _signs(len(functions[0]))]
        ),
    },
)
def definition(formula: Complexity, quick: bool) -> Measured:
    symmetric = [
        Part(
            "SN_{c,o} = −SN_{c,o}: both definitions agree there",
            [said("exact", formula(BALL) == absolute(BALL), f"o = 2, k = 0: {formula(BALL)}", power=0.0)],
            {"with absolute value": str(absolute(BALL)), "found": str(formula(BALL))},
        )
    ]
    return Measured(
        parts=[_used(formula), _of_a_ball(formula), *symmetric],
        message="The definitions differ for classes that are not symmetric, such as the losses of such networks: one "
        "function alone has 0 without, and E|·| with an absolute value.  z_i are points of S here, f(x_i) + ε_i in "
        "Sec. 2.1.",
    )


POINTS: Final = ((1, Fraction(1, 2)), (-1, Fraction(1, 4)), (Fraction(1, 2), 1))
BALL: Final = tuple(
    tuple(2 * sign * Fraction(u[j]) for u in [(1, *x) for x in POINTS]) for sign in (-1, 1) for j in range(3)
)
"""The extreme functions of {v·(1, x): ‖v‖₁ ≤ 2} at three points of the square."""


def _used(formula: Complexity) -> Part:
    """The properties that proofs use, on small classes of fractions."""
    some = [(Fraction(1), Fraction(2)), (Fraction(0), Fraction(-1)), (Fraction(3, 2), Fraction(1, 2))]
    added = [tuple(a + b for a, b in zip(f, (5, -3), strict=True)) for f in some]
    middle = tuple((a + b) / 2 for a, b in zip(some[0], some[1], strict=True))
    bent = [tuple(max(v, Fraction(0)) for v in f) for f in some]
    checks: dict[str, tuple[Fraction, Fraction, bool]] = {}
    base, one = formula(some), formula(some[:1])
    checks["one function"] = (one, Fraction(0), one == 0)
    checks["a function added to all"] = (formula(added), base, formula(added) == base)
    checks["convex hull"] = (formula([*some, middle]), base, formula([*some, middle]) == base)
    checks["after ReLU, at most"] = (formula(bent), base, formula(bent) <= base)
    wrong: Json = {name: f"{found}, against {right}" for name, (found, right, holds) in checks.items() if not holds}
    route: Evidence = said("exact", not wrong, "three functions at two points, all signs", power=0.0)
    return Part("the properties that are used", [route], wrong)


def _of_a_ball(formula: Complexity) -> Part:
    """{v·(1, x): ‖v‖₁ ≤ o}: (o/n) E max_j |Σ_i ε_i u_ij| by the dual norm, u = (1, x)."""
    rows = [(1, *x) for x in POINTS]
    total = Fraction(0)
    for signs in _signs(len(rows)):
        total += max(
            abs(sum((s * Fraction(u[j]) for s, u in zip(signs, rows, strict=True)), Fraction(0))) for j in range(3)
        )
    right = 2 * total / len(POINTS) / 2 ** len(POINTS)
    found = formula(BALL)
    route = said("exact", found == right, f"k = 0, o = 2, three points: {right} by the dual norm", power=0.0)
    return Part("a ball of linear functions", [route], {"by the dual norm": str(right), "found": str(found)})
