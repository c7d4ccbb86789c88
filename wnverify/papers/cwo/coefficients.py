"""CWO, Sec. 3.4, eqs. 12 to 14: the update written as a step with decay, and the coefficients given for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwo import maps, updates

Line = Callable[[Any, Any, Any, Any, Any, Any], Any]
"""(w, g, 1, n, β, α') → a vector."""
Coefficient = Callable[[Any, Any, Any, Callable[[Any], Any]], Any]
"""(‖w̃‖, α, c, root) → a number."""
DEFINED: Final = "w̃ = w^(t) − α(∇L − (1ᵀ∇L)1/n) ≠ 0, where eq. 11 is defined"


@claim(
    "CWO-EQ12",
    place="Sec. 3.4, eq. 12",
    statement="There are numbers β and α' with which eq. 11 is w^(t+1) = (1 − β) w^(t) − α'(∇L − (1ᵀ∇L)1/n).",
    hypotheses=(DEFINED,),
    reading="the form alone; whether β and α' are those of eqs. 13 and 14 is asked in CWO-EQ13 and CWO-EQ14.  With "
    "those, eq. 12 gives rows of norm 1 and is eq. 11 for c = 1 alone.",
    formula=lambda w, g, one, n, beta, alpha: (1 - beta) * w - alpha * (g - (one @ g) / n * one),
    faults={
        "g not centred": lambda w, g, one, n, beta, alpha: (1 - beta) * w - alpha * g,
        "the sum for the mean": lambda w, g, one, n, beta, alpha: (1 - beta) * w - alpha * (g - (one @ g) * one),
        "w centred too": lambda w, g, one, n, beta, alpha: (
            (1 - beta) * (w - (one @ w) / n * one) - alpha * (g - (one @ g) / n * one)
        ),
        "no decay": lambda w, g, one, n, beta, alpha: w - alpha * (g - (one @ g) / n * one),
    },
)
def form(formula: Line, quick: bool) -> Measured:
    exact, witness = _form_exactly(formula)
    return Measured(parts=[Part("eq. 11 has the form of eq. 12", [_form_in_symbols(formula), exact], witness)])


def _form_in_symbols(formula: Line) -> Evidence:
    """Over the basis w, g, 1, none of them restricted: linear equations for β and α', which have a solution or not."""
    import sympy

    from wnverify.oracles.symbolic import Gram

    n, alpha, c, s = sympy.symbols("n alpha c s", positive=True)
    beta, rate = sympy.symbols("beta alphaprime", real=True)
    gram = Gram({("one", "one"): n})
    w, g, one = (gram.vector(name) for name in ("w", "g", "one"))
    sought = sympy.sqrt(c) / s * (w - alpha * (g - (one @ g) / n * one))
    gap = formula(w, g, one, n, beta, rate) - sought
    solved = sympy.linsolve([sympy.expand(x) for x in gap.coefficients.values()], beta, rate)
    return said("symbolic", bool(solved), f"coefficients of w, g and 1: {solved or 'no solution'}", power=0.0)


def _form_exactly(formula: Line) -> tuple[Evidence, Json]:
    """Whether w̃ (eq. 11 up to its positive factor) is reached, at rational points with 1·w ≠ 0, by elimination."""
    import numpy as np
    import sympy

    for case in updates.uncentred_cases():
        n = len(case.w)
        w, g, one = (np.array([sympy.Rational(x) for x in part], dtype=object) for part in (case.w, case.g, [1] * n))
        beta, rate = sympy.symbols("beta alphaprime", real=True)
        moved = w - sympy.Rational(case.alpha) * (g - (one @ g) / n * one)
        gap = formula(w, g, one, n, beta, rate) - 3 * moved
        if not sympy.linsolve([sympy.expand(x) for x in gap], beta, rate):
            return said("exact", False, f"no β and α' at {case.name}", power=0.0), updates.shown_case(case)
    return said("exact", True, "rational points, n = 3 and 4", power=0.0), None


def _decay(norm: Any, alpha: Any, c: Any, root: Callable[[Any], Any]) -> Any:
    return 1 - root(c) / norm


def _rate(norm: Any, alpha: Any, c: Any, root: Callable[[Any], Any]) -> Any:
    return root(c) * alpha / norm


@claim(
    "CWO-EQ13",
    place="Sec. 3.4, eq. 13",
    statement="Eq. 12 is eq. 11 with β = 1 − 1/‖w̃‖.",
    hypotheses=(DEFINED,),
    reading="for the c of the paper, c = 2 unless otherwise stated (Sec. 3.1), and any other; right for c = 1 alone.",
    formula=lambda norm, alpha, c, root: 1 - 1 / norm,
    corrected="β = 1 − √c/‖w̃‖.",
    corrected_formula=_decay,
    faults={
        "c for √c": lambda norm, alpha, c, root: 1 - c / norm,
        "inverted": lambda norm, alpha, c, root: 1 - norm / root(c),
        "the other sign": lambda norm, alpha, c, root: 1 + root(c) / norm,
        "the square of the norm": lambda norm, alpha, c, root: 1 - root(c) / norm**2,
        "1 − β in its place": lambda norm, alpha, c, root: root(c) / norm,
    },
)
def decay(formula: Coefficient, quick: bool) -> Measured:
    return _coefficient(formula, "β", _fixed_point(formula), quick)


@claim(
    "CWO-EQ14",
    place="Sec. 3.4, eq. 14",
    statement="Eq. 12 is eq. 11 with α' = α/‖w̃‖.",
    hypotheses=(DEFINED,),
    reading="for the c of the paper, c = 2 unless otherwise stated (Sec. 3.1), and any other; right for c = 1 alone.",
    formula=lambda norm, alpha, c, root: alpha / norm,
    corrected="α' = √c α/‖w̃‖.",
    corrected_formula=_rate,
    faults={
        "c for √c": lambda norm, alpha, c, root: c * alpha / norm,
        "without the norm": lambda norm, alpha, c, root: root(c) * alpha,
        "the other sign": lambda norm, alpha, c, root: -root(c) * alpha / norm,
        "without α": lambda norm, alpha, c, root: root(c) / norm,
    },
)
def rate(formula: Coefficient, quick: bool) -> Measured:
    return _coefficient(formula, "α'", _one_step(formula), quick)


def _coefficient(formula: Coefficient, name: str, small: tuple[Evidence, Json], quick: bool) -> Measured:
    """The coefficient from eq. 11 in symbols, recovered from updates in balls, and at one small point."""
    exact, witness = small
    enclosed, at = _recovered(formula, name, quick)
    return Measured(
        parts=[Part(f"{name} gives eq. 11", [_in_symbols(formula, name), enclosed, exact], witness or at)],
        left_out=("n = 4 and 5 in balls",) if quick else (),
    )


def _in_symbols(formula: Coefficient, name: str) -> Evidence:
    """The coefficient of w (of g) in √c (w − α Pg)/s is 1 − β (is −α'), over a basis, for every n."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    w, g, one, n, alpha, c = updates.symbols()
    s = sympy.Symbol("s", positive=True)
    updated = sympy.sqrt(c) / s * (w - alpha * (g - (one @ g) / n * one))
    found = formula(s, alpha, c, sympy.sqrt)
    right = 1 - updated.coefficients["w"] if name == "β" else -updated.coefficients["g"]
    return said("symbolic", is_identity(found, right), f"{name} = {sympy.simplify(right)}, s = ‖w̃‖", power=0.0)


def _recovered(formula: Coefficient, name: str, quick: bool) -> tuple[Evidence, Json]:
    """β and α' taken back from the nearest point by inner products: with p ⟂ Pg, W·p = (1 − β) w·p, and likewise α'."""
    widest, count = 0.0, 0
    with maps.at_precision():
        for case in updates.cases(quick):
            n = len(case.w)
            if n == 2:  # w and Pg are parallel, and the two coefficients cannot be told apart
                continue
            w, g, one = maps.vector(case.w), maps.vector(case.g), maps.ones(n)
            alpha, c = maps.vector([case.alpha, case.c])
            found = updates.nearest(w, g, one, n, alpha, c, lambda x: x.sqrt())
            slope = g - (g @ one) / n * one
            kept, other = (w, slope) if name == "β" else (slope, w)
            p = kept - (kept @ other) / (other @ other) * other
            share = (found @ p) / (kept @ p)
            right = 1 - share if name == "β" else -share
            moved = w - alpha * slope
            gap = formula((moved @ moved).sqrt(), alpha, c, lambda x: x.sqrt()) - right
            widest, count = max(widest, float(gap.rad())), count + 1
            if not gap.contains(0):
                note = f"off by {float(gap.mid()):.4g} at {case.name}"
                return said("enclosure", False, note, power=widest), updates.shown_case(case)
    holds = True if count and widest <= maps.WIDEST else None
    return said("enclosure", holds, f"{name} recovered from {count} nearest points", power=widest, model="balls"), None


def _fixed_point(formula: Coefficient) -> tuple[Evidence, Json]:
    """g = 0, c = 2: w = (1, −1) is feasible and stays, β = 0; w = (3, −3) becomes (1, −1), β = 2/3."""
    import sympy

    stay, shrink = (
        sympy.simplify(formula(factor * sympy.sqrt(2), sympy.Integer(1), sympy.Integer(2), sympy.sqrt))
        for factor in (1, 3)
    )
    witness: Json = {
        "w": [1, -1],
        "g": [0, 0],
        "c": 2,
        "eq. 11": "(1, −1), so that β = 0",
        "beta given": str(stay),
        "eq. 12 with it": f"{sympy.simplify(1 - stay)} (1, −1)",
    }
    note = f"g = 0, c = 2: β = {stay} for 0 at w = (1, −1), {shrink} for 2/3 at w = (3, −3)"
    return said("exact", stay == 0 and shrink == sympy.Rational(2, 3), note, power=0.0), witness


def _one_step(formula: Coefficient) -> tuple[Evidence, Json]:
    """w = (1, −1, 0), g = (2, 2, −4), α = 1/2, c = 2: w̃ = (0, −2, 2), eq. 11 gives (0, −1, 1), so that α' = 1/4."""
    import sympy

    found = sympy.simplify(formula(sympy.sqrt(8), sympy.Rational(1, 2), sympy.Integer(2), sympy.sqrt))
    witness: Json = {
        "w": [1, -1, 0],
        "g": [2, 2, -4],
        "alpha": "1/2",
        "c": 2,
        "eq. 11": "(0, −1, 1), so that α' = 1/4",
        "alpha' given": str(found),
    }
    note = f"w = (1, −1, 0), g = (2, 2, −4), α = 1/2, c = 2: α' = {found} for 1/4"
    return said("exact", found == sympy.Rational(1, 4), note, power=0.0), witness
