"""L1,∞, Sec. 3.3: Remark 5, the range of the outputs and the case cρ < 1."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said, worse
from wnverify.papers.l1inf import networks, right_side
from wnverify.papers.l1inf.right_side import ball

Range = Callable[[Any, int, Any], Any]
"""(cρ, k, ‖T_{k+1}‖_{1,∞}) → sup |f(x)[j]|."""


@claim(
    "L1-REM5-RANGE",
    place="Remark 5",
    statement="The largest |f(x)[j]| over x ∈ [−1, 1]^{m1} and the networks with ‖T_ℓ‖_{1,∞} ≤ c and a given "
    "‖T_{k+1}‖_{1,∞} is at most (cρ)^k ‖T_{k+1}‖_{1,∞}, and equal to it for ReLU.",
    hypotheses=("cρ ≥ 1", "σ(0) = 0, ρ-Lipschitz"),
    reading="'reflects': an upper bound for every network, attained in the class; a single network may stay below (all "
    "output weight on the bias, tanh).  For cρ < 1 the range is ‖T_{k+1}‖_{1,∞}, by the output bias.",
    formula=lambda c_rho, k, t: c_rho**k * t,
    faults={
        "one layer less": lambda c_rho, k, t: c_rho ** max(k - 1, 0) * t,
        "without the depth": lambda c_rho, k, t: t,
        "one layer more": lambda c_rho, k, t: c_rho ** (k + 1) * t,
        "a sum over the layers": lambda c_rho, k, t: sum(c_rho**each for each in range(k + 1)) * t,
        "the square of the norm": lambda c_rho, k, t: c_rho**k * t**2,
    },
)
def output_range(formula: Range, quick: bool) -> Measured:
    reached, above = _chain(formula)
    searched, witness = _random_networks(formula, 10 if quick else 60)
    return Measured(
        parts=[
            Part("equal for ReLU", [reached, _recursion(formula)], above),
            Part("never passed", [searched], witness),
        ],
        left_out=("50 networks of each activation",) if quick else (),
    )


def _recursion(formula: Range) -> Evidence:
    """b_0 = 1, b_ℓ = cρ max(1, b_{ℓ−1}) bounds a unit (the ball's corner: the bias or one input); cρ = 1 + a, a ≥ 0."""
    import sympy

    a, t = sympy.symbols("a t", nonnegative=True)
    same = True
    for k in range(5):
        unit = sympy.Integer(1)
        for _ in range(k):
            unit = (1 + a) * unit  # max(1, b) = b, as b ≥ 1
        largest = t * unit  # the output column: max(1, b_k) t
        same &= sympy.expand(formula(1 + a, k, t) - largest) == 0
    return said("symbolic", bool(same), "b_ℓ = cρ b_{ℓ−1} while b ≥ 1, k = 0 … 4", power=0.0)


def _chain(formula: Range) -> tuple[Evidence, Json]:
    """One unit a layer: x = 1, all weight on the input, then on the unit below; the output is c^k t."""
    for k, c, t in itertools.product(
        range(4), (Fraction(1), Fraction(3, 2), Fraction(4)), (Fraction(1, 2), Fraction(3))
    ):
        layers = tuple(((Fraction(0), weight),) for weight in (*[c] * k, t))
        (found,) = networks.value(layers, (Fraction(1),), networks.relu)
        if found != formula(c, k, t):
            witness: Json = {"k": k, "c": str(c), "||T||": str(t), "f(1)": str(found), "stated": str(formula(c, k, t))}
            return said("exact", False, f"k = {k}, c = {c}: reaches {found}", power=0.0), witness
    return said("exact", True, "a chain of units reaches it, k = 0 … 3", power=0.0), None


def _random_networks(formula: Range, count: int) -> tuple[Evidence, Json]:
    """Networks in fractions, columns scaled to norm c, at points of the cube."""
    for name, act in networks.ACTIVATIONS.items():
        for start, widths in itertools.product(range(count), ((2, 1), (1, 2, 2), (2, 3, 2, 1))):
            c = Fraction(3, 2) if start % 2 else Fraction(1)
            network = networks.network_of(widths, start)
            *hidden, last = network
            scaled = (*(tuple(_to_norm(column, c) for column in layer) for layer in hidden), last)
            limit = formula(c, len(hidden), networks.norm(last))
            for x in networks.inputs_of(widths[0]):
                top = max(map(abs, networks.value(scaled, x, act)))
                if top > limit:
                    witness: Json = {
                        "network": networks.shown(scaled),
                        "x": [str(each) for each in x],
                        "activation": name,
                        "|f|": str(top),
                        "stated": str(limit),
                    }
                    return said("property search", False, f"{name}: {top} > {limit}", power=0.0), witness
    return said("property search", True, f"{3 * count} networks each, ReLU and softsign", power=0.0), None


def _to_norm(column: Sequence[Fraction], c: Fraction) -> tuple[Fraction, ...]:
    size = networks.length(tuple(column))
    return tuple(each * c / size for each in column) if size else tuple(column)


@claim(
    "L1-REM5-SMALLC",
    place="Remark 5",
    statement="For cρ < 1 the bound depends on r = cρ by O((1 − r^{k+1})/(1 − r)).",
    hypotheses=("0 < cρ < 1", "Theorem 1's first bound"),
    reading="the proof is in the supplement; from Theorem 1's first bound, whose dependence on r is Σ_{ℓ≤k} r^ℓ + r^k "
    "beside √(k+1) and r^k beside √log(2 m1), and from the range of f, ‖T‖_{1,∞} without a power of r.  √k stands "
    "apart, as in Remark 1; for fixed k alone the factor lies between 1 and k + 1.",
    formula=lambda r, k: (1 - r ** (k + 1)) / (1 - r),
    faults={
        "the power alone": lambda r, k: r**k,
        "without the denominator": lambda r, k: 1 - r ** (k + 1),
        "one term short": lambda r, k: (1 - r**k) / (1 - r),
        "the sum without its first term": lambda r, k: r * (1 - r ** (k + 1)) / (1 - r),
        "its root": lambda r, k: ((1 - r ** (k + 1)) / (1 - r)) ** Fraction(1, 2),
    },
)
def small_constant(formula: Callable[[Any, int], Any], quick: bool) -> Measured:
    exact, witness = _dominated(formula)
    return Measured(parts=[Part("the factor of r", [_geometric(formula), exact, _bounds_in_floats(formula)], witness)])


def _geometric(formula: Callable[[Any, int], Any]) -> Evidence:
    """2 × formula − (Σ_{ℓ≤k} r^ℓ + r^k) has coefficients ≥ 0 in r: at least once the sum, and r^k beside it."""
    import sympy

    r = sympy.Symbol("r", positive=True)
    fine = True
    for k in range(6):
        gap = sympy.cancel(2 * sympy.sympify(formula(r, k)) - sum(r**each for each in range(k + 1)) - r**k)
        fine &= bool(gap.is_polynomial(r)) and all(each >= 0 for each in sympy.Poly(gap, r).coeffs())
    return said("symbolic", fine, "Σ r^ℓ + r^k ≤ 2 (1 − r^{k+1})/(1 − r) coefficient by coefficient, k ≤ 5", power=0.0)


def _dominated(formula: Callable[[Any, int], Any]) -> tuple[Evidence, Json]:
    """The same at rational r, for k to 200, in balls."""
    import flint

    with flint.ctx.workprec(right_side.PRECISION):
        for k in (0, 1, 2, 7, 200):
            for r in (Fraction(1, 10**6), Fraction(1, 2), Fraction(9, 10), 1 - Fraction(1, 10**6)):
                found = formula(ball(r), k)
                sum_of_powers = sum((ball(r) ** each for each in range(k + 1)), ball(r) ** k)
                # At k = 0 both sides are 2: balls that touch count as met.
                if not sum_of_powers <= 2 * found * (1 + ball(2) ** -60):
                    witness: Json = {"k": k, "r": str(r), "sum": f"{float(sum_of_powers.mid()):.6g}"}
                    return said("enclosure", False, f"k = {k}, r = {r}", power=2.0**-60), witness
    return said("enclosure", True, "k to 200, r from 1e-6 to 1 − 1e-6", power=2.0**-60), None


def _bounds_in_floats(formula: Callable[[Any, int], Any]) -> Evidence:
    """The lab's Theorem 1 at 20 depths: at most √(k+1) times 2 √log 16 + √(2 log(2 m1)) formulas, over √n."""
    from wnverify.theory.bounds import theorem1_first
    from wnverify.theory.network import NetworkClass

    m1, worst = 4, 0.0
    for k in range(20):
        for r in (1e-6, 0.3, 0.9, 1 - 1e-6):
            bound = theorem1_first(NetworkClass(k, r), 1, m1)
            limit = math.sqrt(k + 1) * (2 * math.sqrt(math.log(16)) + math.sqrt(2 * math.log(2 * m1)))
            right = limit * float(formula(r, k))
            worst = worse(worst, bound / right if right > 0 else math.inf)
    # At k = 0 the two are equal; O allows any constant, and 5/4 is told from it in spite of rounding.
    return said("arithmetic", worst <= 5 / 4, f"Theorem 1 at most {worst:.4g} of it", power=0.25)
