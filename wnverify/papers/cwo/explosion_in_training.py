"""CWO, sec. 3.5: whether training makes the gradient of a reparametrization, or of CWO's own update, explode."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, unit_roundoff
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwo import maps
from wnverify.papers.cwo.explosion import LEFT_OUT
from wnverify.papers.cwo.standardization_gradient import WS


@claim(
    "CWO-P-EXPL-SMALL",
    place='Sec. 3.5 (implied by "during training")',
    statement="σ can become small in the course of training WS: a step of gradient descent with decay β makes of σ² "
    "σ′² = (1 − β)² σ² + α²‖∇_w L‖²/n, so that σ shrinks by 1 − β in every step in which the gradient is small.",
    hypotheses=(*WS, "w′ = (1 − β) w − α ∇_w L, no momentum"),
    reading="the formula is σ′² of (σ², β, α, ‖∇_w L‖², n).",
    formula=lambda square, beta, alpha, slope, n: (1 - beta) ** 2 * square + alpha**2 * slope / n,
    faults={
        "the gradient shrinks it": lambda square, beta, alpha, slope, n: (
            (1 - beta) ** 2 * square - alpha**2 * slope / n
        ),
        "the gradient leaves it": lambda square, beta, alpha, slope, n: (1 - beta) ** 2 * square,
        "the decay is not squared": lambda square, beta, alpha, slope, n: (
            (1 - beta) * square + alpha**2 * slope / n
        ),
        "1/n missing": lambda square, beta, alpha, slope, n: (1 - beta) ** 2 * square + alpha**2 * slope,
        "decay leaves it": lambda square, beta, alpha, slope, n: square + alpha**2 * slope / n,
        "of first order in the step": lambda square, beta, alpha, slope, n: (
            (1 - beta) ** 2 * square + alpha * slope / n
        ),
    },
)  # fmt: skip
def size_in_training(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    known = maps.symbols()
    found, proved = maps.gradients(known)
    beta, alpha = sympy.symbols("beta alpha", positive=True)
    after = (1 - beta) * known.w - alpha * found["w"]
    centred = after - (known.one @ after) / known.n * known.one
    claimed = formula(known.sigma**2, beta, alpha, found["w"] @ found["w"], known.n)
    holds = is_identity((centred @ centred) / known.n, claimed) if proved else None
    proof = said("symbolic", holds, "one step, over inner products, for every n", power=0.0)
    rise = ((centred @ centred) / known.n - known.sigma**2).subs(beta, 0)
    grows = is_identity(rise, alpha**2 * (found["w"] @ found["w"]) / known.n)

    def at(case: maps.Case) -> tuple[Any, Any, Json]:
        w, g = maps.vector(case.w), maps.vector(case.g)
        decay, rate, n = maps.vector([Fraction(1, 4), Fraction(1, 2), Fraction(case.n)])
        slope, sigma = maps.pullback(maps.standardized, w, g), maps.deviation(w)
        moved = maps.deviation((1 - decay) * w - rate * slope)
        predicted = formula(sigma * sigma, decay, rate, slope @ slope, n)
        sides = {"β": "1/4", "α": "1/2", "σ′²": maps.numbers([moved * moved]), "claimed": maps.numbers([predicted])}
        return [moved * moved - predicted], sigma * sigma + (slope @ slope), case.shown() | sides

    with maps.at_precision():
        enclosed, witness = maps.vanishing(map(at, maps.cases(quick)), "one step along the gradient from Taylor series")
    steps = 200 if quick else 1000
    lawful, smallest = _trained(formula, 0.02, steps)
    _, without = _trained(formula, 0.0, steps)
    shrinks = said("simulation", smallest < 0.2, f"with β = 0.02 σ falls to {smallest:.3g} of its start", power=0.2)
    monotone = said("symbolic", not grows, "β = 0: σ′² − σ² = α²‖∇_w L‖²/n ≥ 0, σ never falls", power=0.0)
    never = said("simulation", without < 1, f"β = 0, {steps} steps: σ is never below its start", power=1e-12)
    counter: Json = {"β": "0", "w": ["2", "-1", "-1"], "σ²": "2", "∇_ŵ L": ["0", "3", "1"], "α": "1", "σ′²": "7/3"}
    return Measured(
        parts=[Part("one step", [proof, enclosed, lawful], witness), Part("small in a run", [shrinks])],
        conditions=[Condition("weight decay, 0 < β < 1", [monotone, never], counter)],
        message="With decay and a gradient that does not vanish, σ settles where σ⁴ = α²‖g_t‖²/(n β (2 − β)), "
        "g_t as in CWO-P-EXPL-SCALE: a small σ makes the gradient large, which makes σ grow again.",
        left_out=(LEFT_OUT, f"all but {steps} of 1000 steps") if quick else (),
    )


def _trained(formula: Any, beta: float, steps: int, n: int = 8, alpha: float = 0.05) -> tuple[Evidence, float]:
    """Gradient descent on ‖ŵ − target‖²/2: (the law against every step, the smallest σ over the first)."""
    import numpy as np

    rng = np.random.default_rng(seed_of("cwo", "explosion", n))
    w, target = rng.standard_normal(n), rng.standard_normal(n)
    sigma = start = smallest = float(w.std())
    worst, u = 0.0, unit_roundoff("float64")
    for _ in range(steps):
        w_hat = (w - w.mean()) / sigma
        g = w_hat - target
        slope = (g - g.mean() - (w_hat @ g) / n * w_hat) / sigma
        w = (1 - beta) * w - alpha * slope
        predicted = formula(sigma**2, beta, alpha, float(slope @ slope), n)
        sigma = float(w.std())
        allowed = 8 * n * u * (float(w @ w) / n + (alpha**2 * float(g @ g) / sigma**2))
        worst = worse(worst, abs(sigma**2 - predicted) / allowed)
        smallest = min(smallest, sigma)
    evidence = by_ratio(
        "simulation",
        worst,
        f"{steps} steps in float64, n = {n}, β = {beta}",
        power=REFUTES_FROM * 8 * n * u,
        model="8 n u (‖w‖²/n + α²‖g‖²/σ²) per step",
    )
    return evidence, smallest / start


Bound = Callable[[Any, Any, Any, Any], Any]


@claim(
    "CWO-P-NOEXPL",
    place="Sec. 3.5",
    statement="The update of CWO does not divide the gradient by the standard deviation of an unnormalised weight and "
    "so avoids explosion: written as in eq. 12 its gradient has the coefficient α′ = √c α/‖w − α Pg‖, which depends "
    "on no scale but that of the step and is at most √c α/(√c − α‖Pg‖).",
    hypotheses=("w feasible: ‖w‖² = c, 1·w = 0",),
    reading="explosion: a coefficient of the gradient that is not bounded over the weights that the method admits; "
    "eq. 14 with the √c that it needs for c ≠ 1. The formula is the least such bound, of (α, ‖Pg‖, c, square root).",
    formula=lambda alpha, slope, c, sqrt: sqrt(c) * alpha / (sqrt(c) - alpha * slope),
    faults={
        "bounded by the rate itself": lambda alpha, slope, c, sqrt: alpha,
        "the other sign": lambda alpha, slope, c, sqrt: sqrt(c) * alpha / (sqrt(c) + alpha * slope),
        "the squared radius": lambda alpha, slope, c, sqrt: c * alpha / (c - alpha * slope),
        "first order in the step": lambda alpha, slope, c, sqrt: alpha * (1 + alpha * slope / sqrt(c)),
    },
)
def no_explosion(formula: Bound, quick: bool) -> Measured:
    import sympy

    c, slope, alpha, gap = sympy.symbols("c slope alpha gap", positive=True)
    # ‖w − α Pg‖² = c − 2 α w·Pg + α²‖Pg‖² with w·Pg = √c ‖Pg‖ (1 − gap): least where gap = 0, Pg pointing along w
    stepped = c - 2 * alpha * sympy.sqrt(c) * slope * (1 - gap) + alpha**2 * slope**2
    least = sympy.expand(stepped - (sympy.sqrt(c) - alpha * slope) ** 2 - 2 * alpha * sympy.sqrt(c) * slope * gap) == 0
    bound = formula(alpha, slope, c, sympy.sqrt)
    attained = sympy.simplify(bound - sympy.sqrt(c) * alpha / (sympy.sqrt(c) - alpha * slope)) == 0
    note = "‖w − α Pg‖ ≥ √c − α‖Pg‖, with equality where Pg points along w"
    proof = said("symbolic", bool(least and attained), note, power=0.0)
    searched, witness = _coefficients(formula, 40 if quick else 400)
    w, g = (1, -1), (1, -1)  # g is centred: Pg = g
    moved = [a - b for a, b in zip(w, g, strict=True)]
    note = f"w = (1, −1), Pg = (1, −1), α = 1: w − α Pg = ({moved[0]}, {moved[1]}), and near 0 α′ is unbounded"
    touched = said("exact", any(moved), note, power=0.0)
    counter: Json = {"c": 2, "w": list(w), "g": list(g), "α": 1, "w − α Pg": list(moved)}
    return Measured(
        parts=[Part("the coefficient is bounded", [proof, searched], witness)],
        conditions=[Condition("the step is shorter than the radius: α‖Pg‖ < √c", [touched], counter)],
        message="Eq. 14 does divide by ‖w̃‖ = √n times the standard deviation of the centred w̃ = w − α Pg, but w̃ starts "
        "from the sphere in every step, where that of WS starts from any σ. The step ‖w′ − w‖ ≤ 2√c is bounded always.",
        left_out=("nine random points in ten",) if quick else (),
    )


def _coefficients(formula: Bound, count: int) -> tuple[Evidence, Json]:
    """√c α/‖w − α Pg‖ at random feasible w and at Pg along w: never above the bound, and up to it at the latter."""
    import math

    import numpy as np

    rng = np.random.default_rng(seed_of("cwo", "no explosion"))
    worst, shown, u = 0.0, None, unit_roundoff("float64")
    for index in range(count):
        n, c = int(rng.integers(2, 8)), float(rng.uniform(0.5, 4))
        w, g = (x - x.mean() for x in rng.standard_normal((2, n)))
        w *= math.sqrt(c) / np.linalg.norm(w)
        g = w / math.sqrt(c) if index % 2 else g / np.linalg.norm(g)
        reach = float(rng.uniform(0.05, 0.9))
        alpha = reach * math.sqrt(c)  # ‖Pg‖ = 1
        found = math.sqrt(c) * alpha / float(np.linalg.norm(w - alpha * g))
        claimed = formula(alpha, 1.0, c, math.sqrt)
        excess = abs(found - claimed) if index % 2 else max(0.0, found - claimed)
        ratio = excess / (16 * n * u * found / (1 - reach))
        if ratio > worst or math.isnan(ratio):  # a NaN stays
            worst = ratio
            shown = {"n": n, "c": round(c, 6), "α": round(alpha, 6), "coefficient": round(found, 6)}
            shown["bound"] = round(float(claimed), 6)
    note = f"{count} feasible points, every other with Pg along w"
    model = "16 n u / (1 − α‖Pg‖/√c)"
    return by_ratio("property search", worst, note, power=REFUTES_FROM * 16 * 2 * u, model=model), shown
