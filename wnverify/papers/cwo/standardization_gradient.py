"""CWO, eqs. 18 and 19: the gradient of weight standardization as it is printed.

    ŵ = (w − μ 1) / σ,      ∇_w L = (1/σ) (g − (1/n)(1·g) 1 − (1/n)(ŵ·g) ŵ),      g = ∇_ŵ L

Between w and ŵ lies a third vector for which the paper has no symbol: the centred ẇ = w − μ 1 (or, with the two steps
exchanged, the scaled u = w/σ).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.cwo import maps

WS: Final = ("ŵ = (w − μ 1)/σ by eqs. 15 to 17, w not constant",)
LEFT_OUT: Final = "reverse mode, and seven of ten enclosed cases"


def centring(b: Any, one: Any, n: Any) -> Any:
    """The right side of eq. 18 for whatever gradient b stands there."""
    return b - (one @ b) / n * one


def scaling(d: Any, w_hat: Any, n: Any, sigma: Any) -> Any:
    """The right side of eq. 19 for whatever gradient d stands there."""
    return (d - (w_hat @ d) / n * w_hat) / sigma


def true_gradient(g: Any, w_hat: Any, one: Any, n: Any, sigma: Any) -> Any:
    return (g - (one @ g) / n * one - (w_hat @ g) / n * w_hat) / sigma


@claim(
    "CWO-EQ18",
    place="Sec. 3.5, eq. 18",
    statement="∇_w L = ∇_ŵ L − (1/n)(1·∇_ŵ L) 1.",
    hypotheses=WS,
    reading="as printed: ∇_ŵ L is the gradient by the standardized weight ŵ (for other readings see CWO-EQ18-19).",
    formula=lambda g, w_hat, one, n, sigma: centring(g, one, n),
    corrected="∇_w L = (1/σ)(∇_ŵ L − (1/n)(1·∇_ŵ L) 1 − (1/n)⟨ŵ, ∇_ŵ L⟩ ŵ)",
    corrected_formula=true_gradient,
    faults={
        "1/sigma put in, the part along w-hat left out": lambda g, w_hat, one, n, sigma: centring(g, one, n) / sigma,
        "the part along w-hat put in, 1/sigma left out": lambda g, w_hat, one, n, sigma: (
            true_gradient(g, w_hat, one, n, sigma) * sigma
        ),
        "the part along 1 left out": lambda g, w_hat, one, n, sigma: scaling(g, w_hat, n, sigma),
        "1/n missing at the part along w-hat": lambda g, w_hat, one, n, sigma: (
            (centring(g, one, n) - (w_hat @ g) * w_hat) / sigma
        ),
        "the wrong sign at the part along w-hat": lambda g, w_hat, one, n, sigma: (
            (centring(g, one, n) + (w_hat @ g) / n * w_hat) / sigma
        ),
        "1/(n-1) for 1/n at the mean": lambda g, w_hat, one, n, sigma: (
            (g - (one @ g) / (n - 1) * one - (w_hat @ g) / n * w_hat) / sigma
        ),
        "the variance for the standard deviation": lambda g, w_hat, one, n, sigma: (
            true_gradient(g, w_hat, one, n, sigma) / sigma
        ),
    },
)
def gradient_by_w(formula: Any, quick: bool) -> Measured:
    from wnverify.oracles.symbolic import is_identity

    known = maps.symbols()
    u = known.gram.vector("u")
    claimed = formula(known.g, known.w_hat, known.one, known.n, known.sigma) @ u
    proof = is_identity(claimed, maps.symbolic_slope(known, u))
    routes = [said("symbolic", proof, "along an arbitrary direction, over inner products, for every n", power=0.0)]

    def at(case: maps.Case) -> tuple[Any, Any, Json]:
        w, g = maps.vector(case.w), maps.vector(case.g)
        sigma, true = maps.deviation(w), maps.pullback(maps.standardized, w, g)
        found = formula(g, maps.standardized(w), maps.ones(case.n), case.n, sigma)
        sides = {"claimed ∇_w L": maps.numbers(found), "true ∇_w L": maps.numbers(true)}
        return found - true, maps.norm_of(g) / sigma, case.shown() | sides

    with maps.at_precision():
        enclosed, witness = maps.vanishing(map(at, maps.cases(quick)), "against Taylor series of L(ŵ(w))")
    routes.append(enclosed)
    if not quick:
        routes.append(
            maps.reverse_mode(lambda g, w_hat, one, n, s, w: formula(g, w_hat, one, n, s), "eq18", "reverse mode")
        )
    return Measured(parts=[Part("eq. 18", routes, witness)], left_out=(LEFT_OUT,) if quick else ())


Gradients = Mapping[str, Any]
Equation = Callable[[Gradients, Any, Any, Any], tuple[Any, Any]]
"""(the true gradients by name, ŵ, n, σ) → left and right side."""


@claim(
    "CWO-EQ19",
    place="Sec. 3.5, eq. 19",
    statement="∇_ŵ L = (1/σ)(∇_w L − (1/n)⟨ŵ, ∇_w L⟩ ŵ).",
    hypotheses=WS,
    reading="as printed: ∇_ŵ L on the left is the gradient by ŵ, ∇_w L on the right the one by w.",
    formula=lambda G, w_hat, n, sigma: (G["ŵ"], scaling(G["w"], w_hat, n, sigma)),
    corrected="∇_ẇ L = (1/σ)(∇_ŵ L − (1/n)⟨ŵ, ∇_ŵ L⟩ ŵ) with ẇ = w − μ 1, the centred weight, which has no symbol "
    "in the paper: the gradient by ŵ goes in, not out.  (∇_ŵ L does not follow from ∇_w L, for w ↦ ŵ forgets mean "
    "and scale.)",
    corrected_formula=lambda G, w_hat, n, sigma: (G["ẇ"], scaling(G["ŵ"], w_hat, n, sigma)),
    faults={
        "only exchanged, with no symbol for the centred weight": lambda G, w_hat, n, sigma: (
            G["w"],
            scaling(G["ŵ"], w_hat, n, sigma),
        ),
        "1/n missing": lambda G, w_hat, n, sigma: (G["ẇ"], (G["ŵ"] - (w_hat @ G["ŵ"]) * w_hat) / sigma),
        "the wrong sign": lambda G, w_hat, n, sigma: (G["ẇ"], (G["ŵ"] + (w_hat @ G["ŵ"]) / n * w_hat) / sigma),
        "1/sigma missing": lambda G, w_hat, n, sigma: (G["ẇ"], scaling(G["ŵ"], w_hat, n, sigma) * sigma),
        "the part along w-hat missing": lambda G, w_hat, n, sigma: (G["ẇ"], G["ŵ"] / sigma),
        "the gradient by w on the right": lambda G, w_hat, n, sigma: (G["ẇ"], scaling(G["w"], w_hat, n, sigma)),
    },
)
def gradient_by_w_hat(formula: Equation, quick: bool) -> Measured:
    known = maps.symbols()
    by_name, proved = maps.gradients(known)
    left, right = formula(by_name, known.w_hat, known.n, known.sigma)
    holds = (left - right).is_zero() if proved else None
    routes = [said("symbolic", holds, "with the gradients proved from the definition, for every n", power=0.0)]
    enclosed, witness = _in_balls(formula, quick)
    return Measured(
        parts=[Part("eq. 19", [*routes, enclosed], witness)],
        left_out=("seven of ten enclosed cases",) if quick else (),
    )


def _in_balls(equation: Equation, quick: bool) -> tuple[Evidence, Json]:
    def at(case: maps.Case) -> tuple[Any, Any, Json]:
        w, g = maps.vector(case.w), maps.vector(case.g)
        G, w_hat, sigma = maps.gradients_in_balls(w, g), maps.standardized(w), maps.deviation(w)
        left, right = equation(G, w_hat, case.n, sigma)
        sides = {"left": maps.numbers(left), "right": maps.numbers(right)}
        return left - right, maps.norm_of(g) * (1 + 1 / sigma) ** 2, case.shown() | sides

    with maps.at_precision():
        return maps.vanishing(map(at, maps.cases(quick)), "against Taylor series of each gradient's own map")


class Both(NamedTuple):
    """The right sides of eqs. 18 and 19, whatever gradients are put in."""

    eq18: Callable[[Any, Any, Any], Any]
    eq19: Callable[[Any, Any, Any, Any], Any]


BOTH: Final = Both(centring, scaling)
NAMES: Final = ("w", "ẇ", "u", "ŵ")
READINGS: Final = (
    ("as printed: eq. 18 gives ∇_w from ∇_ŵ, eq. 19 gives ∇_ŵ from ∇_w", ("w", "ŵ"), ("ŵ", "w")),
    (
        "eq. 19 first: it gives ∇_ẇ (printed ∇_ŵ) from ∇_ŵ (printed ∇_w), ẇ = w − μ 1 the centred weight; then "
        "eq. 18 gives ∇_w from ∇_ẇ (printed ∇_ŵ)",
        ("w", "ẇ"),
        ("ẇ", "ŵ"),
    ),
    (
        "eq. 18 first: it gives ∇_u (printed ∇_w) from ∇_ŵ, u = w/σ the scaled weight; then eq. 19 gives ∇_w "
        "(printed ∇_ŵ) from ∇_u (printed ∇_w)",
        ("u", "ŵ"),
        ("w", "u"),
    ),
)
"""Reading, (left, right) of eq. 18, (left, right) of eq. 19."""


@claim(
    "CWO-EQ18-19",
    place="Sec. 3.5",
    statement="Eqs. 18 and 19 together give the exact gradient of the loss by the unnormalised w.",
    hypotheses=WS,
    reading="each of the four gradients in the two equations may be the one by w, by ŵ, by the centred ẇ = w − μ 1 or "
    "by the scaled u = w/σ; all 16 × 16 assignments are tried.",
    formula=BOTH,
    faults={
        "1/n missing in eq. 18": BOTH._replace(eq18=lambda b, one, n: b - (one @ b) * one),
        "the wrong sign in eq. 18": BOTH._replace(eq18=lambda b, one, n: b + (one @ b) / n * one),
        "1/n missing in eq. 19": BOTH._replace(eq19=lambda d, w_hat, n, s: (d - (w_hat @ d) * w_hat) / s),
        "the wrong sign in eq. 19": BOTH._replace(eq19=lambda d, w_hat, n, s: (d + (w_hat @ d) / n * w_hat) / s),
        "1/sigma missing in eq. 19": BOTH._replace(eq19=lambda d, w_hat, n, s: d - (w_hat @ d) / n * w_hat),
        "the variance in eq. 19": BOTH._replace(eq19=lambda d, w_hat, n, s: scaling(d, w_hat, n, s) / s),
    },
)
def both_equations(formula: Both, quick: bool) -> Measured:
    known = maps.symbols()
    by_name, proved = maps.gradients(known)
    readings = []
    for text, names18, names19 in READINGS:
        parts = []
        for name, equation in (("eq. 18", _eighteen(formula, *names18)), ("eq. 19", _nineteen(formula, *names19))):
            left, right = equation(by_name, known.w_hat, known.n, known.sigma, known.one)
            holds = (left - right).is_zero() if proved else None
            symbolic = said("symbolic", holds, "over inner products, for every n", power=0.0)
            enclosed, witness = _in_balls(_with_ones(equation), quick)
            parts.append(Part(name, [symbolic, enclosed], witness))
        readings.append(Reading(text, parts))
    return Measured(
        readings=readings, message=_exhausted(formula), left_out=("seven of ten enclosed cases",) if quick else ()
    )


def _with_ones(equation: Callable[..., tuple[Any, Any]]) -> Equation:
    return lambda G, w_hat, n, s: equation(G, w_hat, n, s, maps.ones(n))


def _eighteen(formula: Both, left: str, right: str) -> Callable[..., tuple[Any, Any]]:
    return lambda G, w_hat, n, s, one: (G[left], formula.eq18(G[right], one, n))


def _nineteen(formula: Both, left: str, right: str) -> Callable[..., tuple[Any, Any]]:
    return lambda G, w_hat, n, s, one: (G[left], formula.eq19(G[right], w_hat, n, s))


def _exhausted(formula: Both) -> str:
    """Which of the 16 assignments of each equation are true, and which two of them lead from ∇_ŵ to ∇_w."""
    known = maps.symbols()
    G, _ = maps.gradients(known)
    pairs = list(itertools.product(NAMES, repeat=2))

    def true(equation: Callable[..., tuple[Any, Any]]) -> bool:
        left, right = equation(G, known.w_hat, known.n, known.sigma, known.one)
        return bool((left - right).is_zero())

    eighteen = [pair for pair in pairs if true(_eighteen(formula, *pair))]
    nineteen = [pair for pair in pairs if true(_nineteen(formula, *pair))]
    chains = [
        f"∇_ŵ → ∇_{first[0]} → ∇_w"
        for firsts, seconds in ((nineteen, eighteen), (eighteen, nineteen))
        for first, second in itertools.product(firsts, seconds)
        if first[1] == "ŵ" and second == ("w", first[0])
    ]
    listed = [", ".join(f"∇_{a} from ∇_{b}" for a, b in found) or "none" for found in (eighteen, nineteen)]
    return (
        f"Of the 16 assignments, true for eq. 18: {listed[0]}; for eq. 19: {listed[1]}. "
        f"Chains that use both and lead from ∇_ŵ to ∇_w: {'; '.join(chains) or 'none'}."
    )
