"""CWO, Sec. 3.4, eq. 11: the solution of the problem that defines the update, and whether it is the only one."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from wnverify.finding import Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.cwo import updates
from wnverify.papers.cwo.rational_points import feasible, square

CENTRED: Final = "1ᵀw^(t) = 0"
SPREAD: Final = "w^(t) − α∇L is not constant (so that n ≥ 2)"


@claim(
    "CWO-EQ11",
    place="Sec. 3.4, eq. 11",
    statement="The solution of eq. 9 is √c w̃/‖w̃‖ with w̃ = w^(t) − α(∇L − (1ᵀ∇L)1/n).",
    reading="eq. 9 as projected gradient descent, with the gradient at w^(t) (see CWO-EQ9).",
    formula=updates.printed,
    corrected="√c x̂/‖x̂‖ with x̂ the whole of w^(t) − α∇L centred; where 1ᵀw^(t) = 0 that is eq. 11.",
    corrected_formula=updates.nearest,
    faults=updates.FAULTS,
)
def solution(formula: updates.Update, quick: bool) -> Measured:
    centred, on_sphere = updates.feasible_in_symbols(formula)
    enclosed, at = updates.nearest_in_balls(formula, quick)
    searched, point = updates.certified(formula, quick)
    witness = at or point
    free, from_uncentred = updates.uncentred(formula)
    nothing, at_zero = updates.stepped_to_nothing(formula)
    return Measured(
        parts=[
            Part("1·w = 0", [centred], witness),
            Part("‖w‖² = c", [on_sphere], witness),
            Part("nearest up to sign", [updates.nearest_in_symbols(formula)], witness),
            Part("the nearest point", [enclosed, searched], witness),
        ],
        conditions=[Condition(CENTRED, [free], from_uncentred), Condition(SPREAD, [nothing], at_zero)],
        left_out=("n = 4 and 5 in balls, and SLSQP",) if quick else (),
    )


@claim(
    "CWO-EQ11-UNIQ",
    place="Sec. 3.4 (implied)",
    statement="The problem of eq. 9 has exactly one solution.",
    reading="the gradient at w^(t); the claim's formula is the number of solutions.",
    formula=1,
    corrected="No solution for n = 1; where w^(t) − α∇L is constant every feasible point (two for n = 2, a sphere of "
    "dimension n − 2 above); otherwise one.",
    faults={"none": 0, "two, ±": 2, "infinitely many": math.inf},
)
def uniqueness(formula: float, quick: bool) -> Measured:
    proved = _unique_in_symbols()
    generic = [_count(Fraction(3), Fraction(1)), _count(Fraction(4), Fraction(6), Fraction(-7))]
    shown: Json = {"x": [[3, 1], [4, 6, -7]], "c": 2, "nearest": list(generic)}
    parts = [
        Part(
            "x not constant",
            [
                said(
                    "symbolic",
                    proved and formula == 1,
                    "‖w−x‖² − ‖w*−x‖² = (‖x̂‖/√c) ‖w−w*‖² on the set, every n",
                    power=0.0,
                ),
                said(
                    "exact",
                    all(count == formula for count in generic),
                    f"nearest of rational points: {generic}",
                    power=0.0,
                ),
            ],
            shown,
        )
    ]
    flat = [_count(Fraction(5), Fraction(5)), _count(Fraction(5), Fraction(5), Fraction(5))]
    alone = _count(Fraction(3))
    single: Json = {"n": 1, "c": 2, "feasible": "1ᵀw = 0 forces w = 0, whose square is not 2", "solutions": alone}
    constant: Json = {"w(t) − α∇L": [5, 5], "c": 2, "solutions": "(1, −1) and (−1, 1)", "of n = 3, rational": flat[1]}
    return Measured(
        parts=parts,
        conditions=[
            Condition(
                "n ≥ 2", [said("exact", alone == formula, "n = 1: the feasible set is empty", power=0.0)], single
            ),
            Condition(
                "w^(t) − α∇L is not constant",
                [
                    said(
                        "exact",
                        all(count == formula for count in flat),
                        f"constant x: {flat} rational points tie",
                        power=0.0,
                    )
                ],
                constant,
            ),
        ],
    )


def _unique_in_symbols() -> bool:
    """With w and w* feasible, w* = √c x̂/‖x̂‖: the difference of squared distances is (‖x̂‖/√c) ‖w − w*‖²."""
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    n, s, q, m = sympy.symbols("n s q m", positive=True)
    gram = Gram({("u", "u"): 1, ("one", "one"): n, ("one", "u"): 0, ("one", "w"): 0, ("w", "w"): q**2})
    u, w, one = (gram.vector(name) for name in ("u", "w", "one"))
    x, best = s * u + m * one, q * u
    excess = (w - x) @ (w - x) - (best - x) @ (best - x)
    return is_identity(excess, s / q * ((w - best) @ (w - best)))


def _count(*x: Fraction) -> int:
    """How many of the rational feasible points are nearest to x among all feasible ones: w·x = √c ‖x̂‖."""
    mean = sum(x, Fraction(0)) / len(x)
    best = 2 * square([a - mean for a in x])
    products = [sum((a * b for a, b in zip(w, x, strict=True)), Fraction(0)) for w in feasible(len(x))]
    return sum(value >= 0 and value * value == best for value in products)
