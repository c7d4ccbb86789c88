"""DSWN, eq. 8: its two forms, and whether it is the proximal operator of the penalty of eq. 7."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.oracles.ratio import REFUTES_FROM, gamma, unit_roundoff
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.dswn import shrinkage
from wnverify.papers.dswn.shrinkage import STRENGTHS, Shrinkage, shown


class Forms(NamedTuple):
    """The two sides of eq. 8 for one entry: of (x, |x|, sign x, level ρ‖φ_g‖₁, positive part)."""

    factor: Callable[..., Any]
    soft: Callable[..., Any]


def factor_form(x: Any, magnitude: Any, sign: Any, level: Any, positive: Callable[[Any], Any]) -> Any:
    """x (1 − level / |x|)_+."""
    return x * positive(1 - level / magnitude)


def soft_form(x: Any, magnitude: Any, sign: Any, level: Any, positive: Callable[[Any], Any]) -> Any:
    """sign(x) (|x| − level)_+."""
    return sign * positive(magnitude - level)


PRINTED_FORMS: Final = Forms(factor_form, soft_form)
NO_ZERO: Final = "φ_{g,i} ≠ 0"


@claim(
    "DSWN-EQ8-FORMS",
    place="eq. 8",
    statement="φ (1 − ρ‖φ_g‖₁/|φ|)_+ = sign(φ) (|φ| − ρ‖φ_g‖₁)_+ for every entry φ = φ(V)_{g,i}.",
    reading="ρ ≥ 0 real, so that the level ρ‖φ_g‖₁ is any number ≥ 0; an equation holds where both sides are numbers.",
    formula=PRINTED_FORMS,
    faults={
        "the sign missing": PRINTED_FORMS._replace(soft=lambda x, m, s, level, positive: positive(m - level)),
        "the level added": PRINTED_FORMS._replace(soft=lambda x, m, s, level, positive: s * positive(m + level)),
        "the quotient squared": PRINTED_FORMS._replace(
            factor=lambda x, m, s, level, positive: x * positive(1 - (level / m) ** 2)
        ),
        "no positive part": PRINTED_FORMS._replace(soft=lambda x, m, s, level, positive: s * (m - level)),
        "the quotient upside down": PRINTED_FORMS._replace(
            factor=lambda x, m, s, level, positive: x * positive(1 - m / (level + 1))
        ),
        "|φ| in front": PRINTED_FORMS._replace(factor=lambda x, m, s, level, positive: m * positive(1 - level / m)),
    },
    corrected="for φ_{g,i} ≠ 0 as printed; at φ_{g,i} = 0 the right side, 0, is the definition: the left divides by 0, "
    "and is 0/0 (NaN in floating point) for ρ = 0 or a group of zeros.",
)
def two_forms(formula: Forms, quick: bool) -> Measured:
    points = [Fraction(p, q) for p, q in ((1, 1), (2, 1), (-2, 1), (1, 3), (-1, 1), (-5, 7))]
    levels = [Fraction(p, q) for p, q in ((0, 1), (1, 2), (1, 1), (3, 2), (5, 1))]
    witness: Json = None
    for x, level in itertools.product(points, levels):
        left, right = _sides(formula, x, level)
        if left != right:
            witness = shown(phi=x, level=level, left=left, right=right)
            break
    exact = said("exact", witness is None, f"{len(points) * len(levels)} pairs of entry and level", power=0.0)
    symbolic, failing = _in_symbols(formula)
    part = Part("the two forms", [symbolic, exact], witness if witness is not None else failing)
    return Measured(parts=[part], conditions=[_at_zero(formula)])


def _sides(formula: Forms, x: Fraction, level: Fraction) -> tuple[Fraction, Fraction]:
    arguments = (x, abs(x), (x > 0) - (x < 0), level, lambda value: max(value, Fraction(0)))
    return formula.factor(*arguments), formula.soft(*arguments)


def _in_symbols(formula: Forms) -> tuple[Evidence, Json]:
    """Both sides for |x| = level + a, level = |x| + a and x of either sign: rational identities in each case."""
    import sympy

    from wnverify.oracles.symbolic import is_identity

    a, b = sympy.symbols("a b", positive=True)

    def positive(value: Any) -> Any:
        number = sympy.factor(sympy.together(value))
        if number.is_nonnegative:
            return number
        return sympy.Integer(0) if number.is_nonpositive else sympy.Max(number, 0)

    for sign, (m, level) in itertools.product((1, -1), ((a + b, a), (a, a + b), (a, a), (a, sympy.Integer(0)))):
        left, right = (side(sign * m, m, sign, level, positive) for side in formula)
        if not is_identity(left, right):
            note = f"|φ| = {m}, level {level}, sign {sign}: {left} against {right}"
            return said("symbolic", False, note, power=0.0), {"case": note}
    return said("symbolic", True, "above, below and at the level, both signs", power=0.0), None


def _at_zero(formula: Forms) -> Condition:
    import numpy as np

    defined = {}
    for name, level in (("ρ‖φ_g‖₁ = 1", Fraction(1)), ("ρ‖φ_g‖₁ = 0", Fraction(0))):
        try:
            left, right = _sides(formula, Fraction(0), level)
            defined[name] = left == right
        except ZeroDivisionError:
            defined[name] = False
    with np.errstate(all="ignore"):
        zero = np.float64(0.0)
        sides = [side(zero, zero, zero, zero, lambda value: np.maximum(value, zero)) for side in formula]
    note = "at φ_{g,i} = 0 the left side divides by 0, as at V = (1, −1, 0), where φ(V) = (1, −1, 0)/√2"
    return Condition(
        NO_ZERO,
        [
            said("exact", all(defined.values()), note, power=0.0, figures=dict(defined)),
            said("property search", bool(sides[0] == sides[1]), f"float64, ρ = 0: {sides[0]} against {sides[1]}"),
        ],
        {"phi": "0", "rho": "0", "left": "0/0", "right": "0"},
    )


WRONG_LEVELS: Final[dict[str, Shrinkage]] = {
    "S_k without 1 + ρ k": lambda rho, x: shrinkage.soft(
        rho * shrinkage.size(shrinkage.closed_form(rho, x)) * (1 + rho), x
    ),
    "all entries taken as kept": lambda rho, x: shrinkage.soft(rho * shrinkage.size(x) / (1 + rho * len(x)), x),
    "the level of one kept entry": lambda rho, x: shrinkage.soft(rho * max(map(abs, x)) / (1 + rho), x),
    "plain soft-thresholding by ρ": lambda rho, x: shrinkage.soft(rho, x),
    "the level of half the penalty": lambda rho, x: shrinkage.closed_form(rho / 2, x),
    "the level of twice the penalty": lambda rho, x: shrinkage.closed_form(2 * rho, x),
    "weight decay": lambda rho, x: [each / (1 + rho) for each in x],
    "nothing done": lambda rho, x: list(x),
}


@claim(
    "DSWN-EQ8-PROX",
    place="sec. 3.1, eq. 8",
    statement="Eq. 8 is the proximal operator of ρ ES at φ(V): in each group it gives the minimiser of "
    "½ ‖w − φ_g‖₂² + (ρ/2) ‖w‖₁².",
    formula=shrinkage.eq8,
    faults=WRONG_LEVELS,
    corrected="the minimiser is sign(φ_{g,i}) (|φ_{g,i}| − θ)_+ with θ = ρ ‖w_g‖₁, the 1-norm of the result: θ = "
    "ρ S_k / (1 + ρ k), S_k the sum of the k largest |φ_{g,i}|, k the largest number whose k-th |φ| exceeds that θ.",
    corrected_formula=shrinkage.closed_form,
)
def proximal_operator(formula: Shrinkage, quick: bool) -> Measured:
    count, faces, conditions, witness = 0, True, True, None
    for x, rho in itertools.product(shrinkage.groups(quick), STRENGTHS):
        count += 1
        found, best = formula(rho, x), shrinkage.best_face(rho, x)
        faces, conditions = faces and found == best, conditions and shrinkage.is_optimal(rho, x, found)
        if found != best and (witness is None or (list(x) == [2, 1] and rho == Fraction(1, 2))):
            values = [shrinkage.objective(rho, x, w) for w in (found, best)]
            witness = shown(phi=x, rho=rho, formula=found, its_objective=values[0])
            witness |= shown(minimiser=best, its_objective_there=values[1])
    routes = [
        said("exact", conditions, f"x − w ∈ ρ‖w‖₁ ∂‖w‖₁, {count} groups and strengths in rationals", power=0.0),
        said("optimisation", faces, "against the best of all faces, in rationals", power=0.0),
    ]
    if not quick:
        routes.append(_by_least_squares(formula))
    return Measured(parts=[Part("minimiser", routes, witness)], left_out=("groups of 3, NNLS",) if quick else ())


def _by_least_squares(formula: Shrinkage) -> Evidence:
    """Against SciPy's non-negative least squares of [I; √ρ 1ᵀ] w = [|x|; 0], an active-set method of its own."""
    import numpy as np
    from scipy.optimize import nnls

    worst, cases, least = 0.0, 0, math.inf
    for x, rho in itertools.product(shrinkage.groups(True), STRENGTHS):
        if not any(x):
            continue
        d = len(x)
        size = np.array([float(abs(each)) for each in x])
        w, _ = nnls(np.vstack([np.eye(d), np.full((1, d), math.sqrt(rho))]), np.append(size, 0.0))
        found = np.array([abs(float(each)) for each in formula(rho, x)])
        # the normal equations have condition number 1 + ρ d, and are solved in d + 1 terms
        allowed = gamma(8 * (d + 1), unit_roundoff("float64")) * (1 + float(rho) * d) ** 2 * float(np.linalg.norm(size))
        error = float(np.abs(found - w).max())
        cases, worst, least = cases + 1, worse(worst, error / allowed), min(least, allowed)
    return by_ratio(
        "optimisation",
        worst,
        f"SciPy's NNLS, {cases} cases",
        power=REFUTES_FROM * least,
        model="γ_{8(d+1)} (1+ρd)² ‖φ‖",
    )
