"""DSWN, section 3.2: the constants of g_i = α / (2 ‖V_{C,i}‖₂ + ε), the range of α and what ε is for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.oracles.ratio import REFUTES_FROM
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said
from wnverify.papers.dswn.neuron_scale import scale, weight_squared


class Range(NamedTuple):
    """The range of α, the value taken, and what g that value is meant to give among those of the range."""

    low: Fraction
    low_included: bool
    high: Fraction
    taken: Fraction
    gives: str


SMALLEST: Final = "the smallest g"
LARGEST: Final = "the largest g"
RANGE: Final = Range(Fraction(0), True, Fraction(1), Fraction(1), SMALLEST)


@claim(
    "DSWN-S32-ALPHA",
    place="sec. 3.2",
    statement="For g_i to be small and G_NM^{-1} large, α is chosen in [0, 1], and then as α = 1: every α of the range "
    "gives a G that eq. 10 can use (G invertible, section 3), and the value taken serves the aim.",
    formula=RANGE,
    faults={
        "from −1 on": RANGE._replace(low=Fraction(-1)),
        "0 taken": RANGE._replace(taken=Fraction(0)),
        "without 0, for the smallest g": RANGE._replace(low_included=False),
        "1/2 for the smallest g": RANGE._replace(low_included=False, taken=Fraction(1, 2)),
        "with 0, for the largest g": RANGE._replace(gives=LARGEST),
    },
    corrected="α > 0: at α = 0 all g_i are 0, G is singular and eq. 10 undefined. α only multiplies W by 1/α (no "
    "column is ranked otherwise), and α = 1 gives the largest g_i of (0, 1]: the aim, small g_i, asks for a small α.",
    corrected_formula=RANGE._replace(low_included=False, gives=LARGEST),
)
def range_of_alpha(formula: Range, quick: bool) -> Measured:
    import sympy

    steps = range(0 if formula.low_included else 1, 65)
    inside = [formula.low + (formula.high - formula.low) * Fraction(k, 64) for k in steps]
    norms = [Fraction(1), Fraction(1), Fraction(2)]
    singular = [a for a in inside if math.prod(scale(r, a, Fraction(0)) for r in norms) == 0]
    alpha = sympy.Symbol("alpha", real=True)
    r1, r2 = sympy.symbols("r1 r2", positive=True)
    roots = sympy.solveset(scale(r1, alpha, 0) * scale(r2, alpha, 0), alpha, sympy.S.Reals)
    zero = any(formula.low < x < formula.high or (x == formula.low and formula.low_included) for x in roots)
    scales = [scale(Fraction(1), a, Fraction(0)) for a in inside]
    chosen = scale(Fraction(1), formula.taken, Fraction(0))
    fits = chosen == (min if formula.gives == SMALLEST else max)(scales)
    other = min(scales) if formula.gives == SMALLEST else max(scales)
    return Measured(
        parts=[
            Part(
                "G is invertible over the range",
                [
                    said("exact", not singular, f"{len(inside)} values of α, column norms 1, 1, 2", power=0.0),
                    said("symbolic", not zero, f"det G = α²/(4 r₁ r₂) vanishes at α in {roots}", power=0.0),
                ],
                {"alpha": "0", "V": ["1", "1", "-2"], "g": ["0", "0", "0"], "det G": "0"},
            )
        ],
        consistency=[
            Part(
                "the value taken serves the aim",
                [said("exact", fits, f"‖V_{{C,i}}‖ = 1: g = {chosen} at α = {formula.taken}", power=0.0)],
                {"alpha": str(formula.taken), "g": str(chosen), f"{formula.gives} of the range": str(other)},
            )
        ],
    )


class Perturbed(NamedTuple):
    """What ε does: g itself; is g finite at a zero column without ε; W_i there, with ε or without; ∂W_i/∂x_i there in
    units of Σ^{-1/2} (of α, ε); and does the chain rule through ‖x_i‖ = √(x_i·x_i) give it."""

    scale: Callable[[Any, Any, Any], Any]
    finite_without: bool
    weight_at_zero: Fraction
    slope: Callable[[Any, Any], Any]
    by_chain_rule: bool


EPS: Final = Perturbed(scale, False, Fraction(0), lambda alpha, eps: eps / alpha, False)


@claim(
    "DSWN-S32-EPS",
    place="sec. 3.2",
    statement="The perturbation ε in g_i keeps trivial cases away. What happens at V_{C,i} = 0 with and without it? "
    "Answer: without ε g_i is not finite and G_NM does not exist; with ε > 0 g_i = α/ε is finite for every V and G_NM "
    "invertible (in the limit ε → 0 it is not). W_i = 0 in both cases, since φ(V)_i = Σ^{-1/2} V_{C,i}. W_i is "
    "differentiable there, ∂W_i/∂V_{C,i} = (ε/α) Σ^{-1/2}, which is 0 without ε; but the chain rule through "
    "√(V_{C,i}·V_{C,i}) gives 0/0 with ε as without, as ε stands outside the root.",
    hypotheses=("α > 0",),
    formula=EPS,
    faults={
        "ε outside the quotient": EPS._replace(scale=lambda r, alpha, eps: alpha / (2 * r) + eps),
        "ε in the numerator": EPS._replace(scale=lambda r, alpha, eps: (alpha + eps) / (2 * r)),
        "finite without ε": EPS._replace(finite_without=True),
        "W_i away from 0": EPS._replace(weight_at_zero=Fraction(1)),
        "slope without ε": EPS._replace(slope=lambda alpha, eps: 1 / alpha),
        "slope upside down": EPS._replace(slope=lambda alpha, eps: alpha / eps),
        "the chain rule is saved by ε": EPS._replace(by_chain_rule=True),
    },
)
def perturbation(formula: Perturbed, quick: bool) -> Measured:
    alpha, eps = Fraction(3), Fraction(1, 2)
    with_it, without = (_value(formula.scale, Fraction(0), alpha, each) for each in (eps, Fraction(0)))
    finite = [
        said("exact", with_it == alpha / eps, f"g at a zero column, α = 3, ε = 1/2: {with_it}", power=0.0),
        said("symbolic", *_symbolic_scale(formula), power=0.0),
    ]
    infinite = said("exact", (without is not None) == formula.finite_without, "α/0", power=0.0)
    weights = [weight_squared([Fraction(x) for x in (0, 1, -1)], 0, alpha, each) for each in (eps, Fraction(0))]
    zero = [
        said("exact", all(x == formula.weight_at_zero**2 for x in weights), "V_C = (0, 1, −1)", power=0.0),
        said("enclosure", _enclosed_column() == formula.weight_at_zero, "n = 2, d = 4, ε = 0 and 1/2", power=1e-60),
    ]
    chain = [said("exact", _by_chain_rule() == formula.by_chain_rule, "d‖x‖ = x·dx / ‖x‖ at x = 0", power=0.0)]
    if not quick:
        chain.append(_by_torch(formula.by_chain_rule))
    at: Json = {"V": ["0", "1", "-1"], "alpha": "3", "epsilon": "1/2", "g_1": str(with_it), "W_1": "0"}
    return Measured(
        parts=[
            Part("g with ε", finite, at),
            Part("g without ε", [infinite], at),
            Part("W_i", zero, at),
            Part("slope of W_i", list(_slope(formula)), at),
            Part("chain rule", chain, at),
        ],
        left_out=("the chain rule by PyTorch",) if quick else (),
    )


def _value(formula: Callable[[Any, Any, Any], Any], r: Fraction, alpha: Fraction, eps: Fraction) -> Fraction | None:
    try:
        return Fraction(formula(r, alpha, eps))
    except ZeroDivisionError:
        return None


def _enclosed_column() -> float:
    """The farthest from 0 that a zero column of V_C may come to in W, by balls."""
    from wnverify.methods.dswn_neuron_measurement import enclosure

    V = [[0.0, 1.0, -3.0, 2.0], [1.0, 2.0, 4.0, -3.0]]  # the first column holds the means of the rows
    columns = [[row[0] for row in enclosure.forward(V, epsilon=eps).table()] for eps in (0.0, 0.5)]
    return max(float(abs(x).upper()) for column in columns for x in column)


def _symbolic_scale(formula: Perturbed) -> tuple[bool, str]:
    import sympy

    alpha, eps, r = sympy.symbols("alpha epsilon r", positive=True)
    at_zero = sympy.limit(formula.scale(r, alpha, eps), r, 0, "+")
    return bool(at_zero == alpha / eps), f"g → {at_zero} as the column goes to 0"


def _slope(formula: Perturbed) -> Iterator[Evidence]:
    """W_1 of V_C = (t, 1, −1 − t) by t, where Σ^{-1/2} = 1/‖V_C‖: in symbols from both sides, and at t = 10^{-12}."""
    import sympy

    t, alpha, eps = sympy.symbols("t alpha epsilon", positive=True)
    sides = []
    for sign in (1, -1):
        x = sign * t
        quotient = (2 * t + eps) / (alpha * sympy.sqrt(x**2 + 1 + (1 + x) ** 2))
        sides.append(sympy.limit(quotient, t, 0, "+") * sympy.sqrt(2))
    same = all(sympy.simplify(side - formula.slope(alpha, eps)) == 0 for side in sides)
    yield said("symbolic", same, f"W_1/t from above and below: {sides[0]} in units of Σ^{{-1/2}}", power=0.0)
    worst, a, h = 0.0, Fraction(3), Fraction(1, 10**12)
    for e in (Fraction(1, 2), Fraction(0)):
        for x in (h, -h):
            square = weight_squared([x, Fraction(1), -1 - x], 0, a, e) / x**2 * 2
            claimed = _value(lambda r, alpha, eps: formula.slope(alpha, eps), Fraction(0), a, e)
            worst = max(worst, math.inf if claimed is None else float(abs(square - claimed**2) / (4 * h)))
    yield by_ratio(
        "differences", worst, "squares, exactly, with ε = 1/2 and 0", power=REFUTES_FROM * 4e-12, model="4 t"
    )


def _by_chain_rule() -> bool:
    """Whether the factor x_i/‖x‖ of d‖x‖ = x·dx/‖x‖ exists at x = 0; ε, outside the norm, is not in it."""
    x, norm = [Fraction(0), Fraction(0)], Fraction(0)
    try:
        return all(abs(each / norm) <= 1 for each in x)
    except ZeroDivisionError:
        return False


def _by_torch(claimed: bool) -> Evidence:
    import torch

    x = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    (torch.sqrt((x * x).sum()) * 2 + 0.5).backward()  # type: ignore[no-untyped-call]
    defined = bool(torch.isfinite(x.grad).all()) if x.grad is not None else False
    note = f"reverse mode of 2 √(x·x) + ε at x = 0: {'finite' if defined else 'NaN'}"
    return said("automatic differentiation", defined == claimed, note, power=0.0)
