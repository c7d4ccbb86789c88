"""CWO, Sec. 3.4, eqs. 9 and 10: the problem that defines the update, and its Lagrangian."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo.rational_points import Vector, feasible, square


def _distance(w: Vector, start: Vector, alpha: Fraction, gradient: Vector) -> Fraction:
    return square([a - (b - alpha * d) for a, b, d in zip(w, start, gradient, strict=True)])


class Problem(NamedTuple):
    """What eq. 9 takes of its objective over the feasible points, and where the gradient in it stands."""

    take: Callable[[Sequence[Vector], Callable[[Vector], Fraction]], Any]
    at_unknown: bool
    uphill: bool = False

    def objective(self, start: Vector, alpha: Fraction, gradient: Callable[[Vector], Vector], w: Vector) -> Fraction:
        step = -alpha if self.uphill else alpha
        return _distance(w, start, step, gradient(w if self.at_unknown else start))


def _value(candidates: Sequence[Vector], objective: Callable[[Vector], Fraction]) -> Fraction:
    return min(objective(w) for w in candidates)


def _argmin(candidates: Sequence[Vector], objective: Callable[[Vector], Fraction]) -> Vector:
    return min(candidates, key=objective)


def _argmax(candidates: Sequence[Vector], objective: Callable[[Vector], Fraction]) -> Vector:
    return max(candidates, key=objective)


@claim(
    "CWO-EQ9",
    place="Sec. 3.4, eq. 9",
    statement="The update is w^(t+1) = min_w ‖w − (w^(t) − α∇L(w))‖² over ‖w‖² = c, 1ᵀw = 0: the step of projected "
    "gradient descent from w^(t).",
    reading="to the letter: 'min' is the least value, and the gradient is taken at the w that is sought.  Projected "
    "gradient descent, which Sec. 3.4 announces and Alg. 1 carries out, has the gradient at w^(t).",
    formula=Problem(_value, at_unknown=True),
    corrected="w^(t+1) = argmin_w ‖w − (w^(t) − α∇L(w^(t)))‖² over ‖w‖² = c, 1ᵀw = 0.",
    corrected_formula=Problem(_argmin, at_unknown=False),
    faults={
        "argmin, but the gradient at w": Problem(_argmin, at_unknown=True),
        "min, with the gradient at w^(t)": Problem(_value, at_unknown=False),
        "the farthest point": Problem(_argmax, at_unknown=False),
        "uphill": Problem(_argmin, at_unknown=False, uphill=True),
    },
)
def problem(formula: Problem, quick: bool) -> Measured:
    vector, step = [], []
    witness: Json = None
    for start, factor in _exact_steps():
        candidates = feasible(len(start))
        gradient = functools.partial(_scaled, factor)
        objective = functools.partial(formula.objective, start, Fraction(1), gradient)
        found = formula.take(candidates, objective)
        is_vector = isinstance(found, tuple) and len(found) == len(start)
        attained = found if is_vector else _argmin(candidates, objective)
        right = _by_cauchy_schwarz(candidates, start, gradient(start))
        vector.append(is_vector)
        step.append(attained == right)
        if witness is None and not (is_vector and attained == right):
            witness = {
                "L(w)": f"{factor / 2} ‖w‖²",
                "w(t)": [str(x) for x in start],
                "alpha": 1,
                "c": 2,
                "assigned": [str(x) for x in found] if is_vector else str(found),
                "attained at": [str(x) for x in attained],
                "projected gradient step": [str(x) for x in right],
            }
    note = f"{len(step)} exact cases, n = 2 and 3, c = 2"
    return Measured(
        parts=[
            Part(
                "what is assigned to w^(t+1) is a vector of n entries",
                [said("exact", all(vector), note, power=0.0)],
                witness,
            ),
            Part("attained at the projected gradient step", [said("exact", all(step), note, power=0.0)], witness),
        ]
    )


def _scaled(factor: Fraction, w: Vector) -> Vector:
    return tuple(factor * x for x in w)


def _exact_steps() -> list[tuple[Vector, Fraction]]:
    """(w^(t) on the sphere c = 2, h) for the loss h ‖w‖² / 2 and α = 1: the gradient step is (1 − h) w^(t)."""
    F = Fraction
    return [
        ((F(1), F(-1)), F(2)),
        ((F(1), F(-1)), F(1, 2)),
        ((F(3, 7), F(5, 7), F(-8, 7)), F(3)),
        ((F(1), F(0), F(-1)), F(1, 3)),
    ]


def _by_cauchy_schwarz(candidates: Sequence[Vector], start: Vector, gradient: Vector) -> Vector:
    """The candidate w with w·x = √c ‖x̂‖, which is then the only nearest point of the whole feasible set."""
    x = [a - b for a, b in zip(start, gradient, strict=True)]
    mean = sum(x, Fraction(0)) / len(x)
    sought = 2 * square([a - mean for a in x])
    products = {w: sum((a * b for a, b in zip(w, x, strict=True)), Fraction(0)) for w in candidates}
    (found,) = [w for w, value in products.items() if value > 0 and value * value == sought]
    return found


Lagrangian = Callable[[Any, Any, Any, Any, Any, Any], Any]
"""(w, w^(t) − α∇L, λ₁, λ₂, c, 1) → a number."""


def _eq10(w: Any, x: Any, l1: Any, l2: Any, c: Any, one: Any) -> Any:
    return (w - x) @ (w - x) + l1 * (w @ w - c) + l2 * (one @ w)


@claim(
    "CWO-EQ10",
    place="Sec. 3.4, eq. 10",
    statement="The Lagrangian of eq. 9 is ‖w − (w^(t) − α∇L)‖² + λ₁(‖w‖² − c) + λ₂ 1ᵀw, and the zeros of its "
    "derivative give the solution: they are ±√c x̂/‖x̂‖, x̂ the centred w^(t) − α∇L, of which + is the solution.",
    hypotheses=("w^(t) − α∇L is not constant (see CWO-EQ11-UNIQ)",),
    reading="whether that solution is eq. 11 is asked in CWO-EQ11.",
    formula=_eq10,
    corrected="With ∇L held at w^(t), eq. 10 is the Lagrangian and its derivative gives ±√c x̂/‖x̂‖; with ∇L(w) the "
    "derivative has the further factor I + α∇²L.",
    faults={
        "λ₁ on ‖w‖² without c": lambda w, x, l1, l2, c, one: (w - x) @ (w - x) + l1 * (w @ w) + l2 * (one @ w),
        "the sign of the step": lambda w, x, l1, l2, c, one: (w + x) @ (w + x) + l1 * (w @ w - c) + l2 * (one @ w),
        "without centring": lambda w, x, l1, l2, c, one: (w - x) @ (w - x) + l1 * (w @ w - c),
        "λ₂ on 1ᵀw − c": lambda w, x, l1, l2, c, one: (w - x) @ (w - x) + l1 * (w @ w - c) + l2 * (one @ w - c),
        "twice the distance": lambda w, x, l1, l2, c, one: 2 * _eq10(w, x, l1, l2, c, one) - l1 * (w @ w - c),
    },
)
def lagrangian(formula: Lagrangian, quick: bool) -> Measured:
    definition = _is_lagrangian(formula)
    only, witness = _zeros_exactly(formula)
    held, at_w = _gradient_moves()
    parts = [
        Part("objective plus multiplier times constraint", [definition], {"n": 3, "formula": "see the statement"}),
        Part(
            "its zeros are ±√c x̂/‖x̂‖",
            [_zeros_in_symbols(formula), only],
            witness or {"w": "√c x̂/‖x̂‖", "derivative": "not 0"},
        ),
    ]
    condition = Condition("∇L is held at w^(t), a constant of the problem", [held], at_w)
    return Measured(
        parts=parts,
        conditions=[condition],
        message="The derivative does not tell the nearest from the farthest point; w·x > 0 does.",
    )


def _is_lagrangian(formula: Lagrangian) -> Evidence:
    """Objective at λ = 0, and the constraints as the derivatives in the multipliers, for n = 3."""
    import sympy

    from wnverify.oracles.symbolic import coordinates, is_identity

    w, x = coordinates("w", 3), coordinates("x", 3)
    one = coordinates("w", 3) * 0 + 1
    l1, l2, c = sympy.symbols("lambda1 lambda2 c", real=True)
    value = formula(w, x, l1, l2, c, one)
    found = [
        is_identity(sympy.sympify(value).subs({l1: 0, l2: 0}), (w - x) @ (w - x)),
        is_identity(sympy.diff(value, l1), w @ w - c),
        is_identity(sympy.diff(value, l2), sum(w)),
    ]
    return said("symbolic", all(found), "objective, sphere, centring; n = 3, all in symbols", power=0.0)


def _zeros_in_symbols(formula: Lagrangian) -> Evidence:
    """x = m 1 + r u with u centred of norm 1: for some λ₁, λ₂ the derivative is 0 at √c u and at −√c u; every n."""
    import sympy

    from wnverify.oracles.symbolic import Gram

    m, t, l1, l2 = sympy.symbols("m t lambda1 lambda2", real=True)
    n, r, q = sympy.symbols("n r q", positive=True)
    gram = Gram({("u", "u"): 1, ("one", "one"): n, ("one", "u"): 0})
    u, one, d = (gram.vector(name) for name in ("u", "one", "d"))
    zero = True
    for sign in (1, -1):
        value = formula(sign * q * u + t * d, m * one + r * u, l1, l2, q**2, one)
        slope = sympy.expand(sympy.diff(value, t).subs(t, 0))
        equations = [slope.coeff(d @ u), slope.coeff(d @ one)]
        equations += [sympy.diff(value, each).subs(t, 0) for each in (l1, l2)]
        zero = zero and bool(sympy.linsolve([sympy.expand(each) for each in equations], l1, l2))
    return said("symbolic", zero, "over inner products, for every n and x, some λ₁ and λ₂", power=0.0)


def _zeros_exactly(formula: Lagrangian) -> tuple[Evidence, Json]:
    """All zeros for x = (4, 6, −7), x̂ = (3, 5, −8), c = 2, by a polynomial solver: ±(3, 5, −8)/7 and no other."""
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import coordinates

    x = np.array([sympy.Integer(e) for e in (4, 6, -7)], dtype=object)
    w, one = coordinates("w", 3), np.array([sympy.Integer(1)] * 3, dtype=object)
    l1, l2 = sympy.symbols("lambda1 lambda2", real=True)
    value = sympy.expand(formula(w, x, l1, l2, sympy.Integer(2), one))
    slopes = [sympy.diff(value, each) for each in (*w, l1, l2)]
    found = sympy.solve([slope for slope in slopes if slope != 0], [*w, l1, l2], dict=True)
    points = sorted({str([solution.get(each, each) for each in w]) for solution in found})
    right = ["[-3/7, -5/7, 8/7]", "[3/7, 5/7, -8/7]"]
    witness: Json = {"w(t) − α∇L": [4, 6, -7], "c": 2, "zeros": list(points), "right": list(right)}
    return said("exact", points == right, f"x = (4, 6, −7), c = 2: {len(points)} zeros", power=0.0), witness


def _gradient_moves() -> tuple[Evidence, Json]:
    """L(w) = ‖w‖², w^(t) = (1, −1), α = 1, c = 2, the gradient at w: eq. 9 has the minimiser (1, −1), which is not
    √c x̂/‖x̂‖ with x = w^(t) − 2 w."""
    start, candidates = (Fraction(1), Fraction(-1)), feasible(2)
    gradient = functools.partial(_scaled, Fraction(2))
    values = {w: Problem(_value, at_unknown=True).objective(start, Fraction(1), gradient, w) for w in candidates}
    found = min(values, key=lambda w: values[w])
    solving = []
    for w in candidates:
        x = [a - b for a, b in zip(start, gradient(w), strict=True)]
        if sum(a * b for a, b in zip(w, x, strict=True)) > 0:  # for n = 2 the sign decides whether w = √c x̂/‖x̂‖
            solving.append(w)
    witness: Json = {
        "L(w)": "‖w‖²",
        "w(t)": [1, -1],
        "alpha": 1,
        "c": 2,
        "objective": {str([str(a) for a in w]): str(value) for w, value in values.items()},
        "minimiser": [str(a) for a in found],
        "points with w = √c x̂/‖x̂‖": [[str(a) for a in w] for w in solving],
    }
    return said("exact", found in solving, "L(w) = ‖w‖², w^(t) = (1, −1), α = 1, c = 2", power=0.0), witness
