"""CWO, Secs. 1 and 5: what Alg. 1 reaches when it is run on eq. 2, minimise L over ‖w‖² = c, 1·w = 0."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, probabilistic_gamma, unit_roundoff
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwo import updates

RADIUS: Final = 2.0
"""c of all problems here."""
SHORT: Final = 0.5
LONG: Final = 4.0
"""Steps in units of 1/K, K a Lipschitz constant of the gradient."""
PASSES: Final = 60


class Promise(NamedTuple):
    """What Alg. 1 is said to do: from which w^(1), with which step, and what it reaches."""

    any_start: bool
    any_step: bool
    global_minimum: bool


CORRECTED: Final = Promise(any_start=False, any_step=False, global_minimum=False)


@claim(
    "CWO-P-SOLVE",
    place="Secs. 1, 5",
    statement="Alg. 1 solves the constrained problem of eq. 2: whatever the initial weights and the learning rate, it "
    "reaches a feasible point of least loss.",
    reading="'solve' as for any optimisation problem.  If less is meant, a feasible stationary point, the statement "
    "still fails without conditions on w^(1) and α, which the paper does not give.  What a pass costs is CWO-P-COST.",
    formula=Promise(any_start=True, any_step=True, global_minimum=True),
    corrected="From 1ᵀw^(1) = 0 with α < 1/K, K a Lipschitz constant of ∇L on the ball ‖w‖² ≤ c, no pass raises the "
    "loss: L(w^(t+1)) ≤ L(w^(t)) − (1/(2α) − K/2)‖w^(t+1) − w^(t)‖², so that the movement tends to 0 and limit points "
    "are feasible stationary points; a least loss is not ensured.",
    corrected_formula=CORRECTED,
    faults={
        "from any start": CORRECTED._replace(any_start=True),
        "with any step": CORRECTED._replace(any_step=True),
        "a least loss": CORRECTED._replace(global_minimum=True),
    },
)
def solves(formula: Promise, quick: bool) -> Measured:
    feasible, infeasible_at = _feasible(formula.any_start)
    lower, raised_at = _never_raised(formula.any_step, 3 if quick else 12)
    reached, stuck_at = _least(formula.global_minimum)
    return Measured(
        parts=[
            Part("a least loss is reached" if formula.global_minimum else "movement tends to 0", reached, stuck_at),
            Part("the point reached is feasible", [feasible], infeasible_at),
            Part("no pass raises the loss", lower, raised_at),
        ],
        left_out=("9 of 12 random losses",) if quick else (),
    )


def _feasible(any_start: bool) -> tuple[Evidence, Json]:
    """L = 0, which leaves w where it is put: from (3, 1), or from the centred (3, −3)."""
    import numpy as np

    start = np.array([3.0, 1.0 if any_start else -3.0])
    w = updates.in_floats(updates.printed, start, np.zeros(2), 1.0, RADIUS)
    again = updates.in_floats(updates.printed, w, np.zeros(2), 1.0, RADIUS)
    allowed = 16 * unit_roundoff("float64") * math.sqrt(RADIUS)
    witness: Json = {"L": "0", "c": 2, "w(1)": updates.encode(start), "w(t), t ≥ 2": updates.encode(again)}
    gap = max(abs(again.sum()), abs(math.sqrt(again @ again) - math.sqrt(RADIUS)))
    note = f"L = 0 from {updates.encode(start)}: 1·w = {again.sum():.3g}"
    evidence = by_ratio("simulation", gap / allowed, note, power=REFUTES_FROM * allowed, model="16 u √c")
    return evidence, witness


def _least(global_minimum: bool) -> tuple[list[Evidence], Json]:
    """L = w₁, n = 2, c = 2, α = 1 from (1, −1): w̃ = (1/2, −1/2), so that w stays; L(−1, 1) = −1."""
    import numpy as np
    import sympy

    w, one = (np.array([sympy.Integer(x) for x in pair]) for pair in ((1, -1), (1, 1)))
    g = np.array([sympy.Integer(1), sympy.Integer(0)])
    after = updates.printed(w, g, one, sympy.Integer(2), sympy.Integer(1), sympy.Integer(2), sympy.sqrt)
    stays = [sympy.simplify(x) for x in after] == list(w)
    witness: Json = {
        "L": "w₁",
        "c": 2,
        "alpha": 1,
        "w(1)": [1, -1],
        "w(t), t ≥ 2": [str(sympy.simplify(x)) for x in after],
        "L there": 1,
        "least": "L(−1, 1) = −1",
    }
    note = f"L = w₁ from (1, −1): w {'stays, though L(−1, 1) = −1' if stays else 'moves'}"
    if global_minimum:
        return [
            said("exact", not stays, note, power=0.0),
            _maximiser_stays(),
        ], witness
    return [said("exact", stays, note + "; it is stationary", power=0.0), _movement()], witness


def _maximiser_stays() -> Evidence:
    """For L = b·w the worst feasible point √c b̂/‖b̂‖ is left as it is by every α < √c/‖b̂‖; in every n ≥ 2."""
    import sympy

    from wnverify.oracles.symbolic import Gram

    n, q, r, m, k = sympy.symbols("n q r m k", positive=True)
    gram = Gram({("u", "u"): 1, ("one", "one"): n, ("one", "u"): 0})
    u, one = gram.vector("u"), gram.vector("one")
    alpha = q / r / (1 + k)  # any step in (0, √c/‖b̂‖)
    after = updates.printed(q * u, r * u + m * one, one, n, alpha, q**2, sympy.sqrt)
    left = (after - q * u).is_zero()
    return said("symbolic", not left, "L = b·w at its greatest feasible point, α < √c/‖b̂‖, every n ≥ 2", power=0.0)


def _losses(number: int) -> Any:
    """(H, b, K, w^(1)) of L = w·H w/2 + b·w, K the spectral norm of H, and a centred start: first L = (w₁ − w₂)² near
    its least, then random ones with H indefinite."""
    import numpy as np

    pair, near = np.array([1.0, -1.0, 0.0]), np.array([1.1, 0.9, -2.0])
    yield 2 * np.outer(pair, pair), np.zeros(3), 4.0, math.sqrt(RADIUS) / math.sqrt(near @ near) * near
    for index in range(number - 1):
        n = 2 + index % 5 + (index > 0)
        rng = np.random.default_rng(seed_of("cwo", "solve", index))
        bend = rng.standard_normal((n, n))
        bend, slope = bend + bend.T, rng.standard_normal(n)
        w = rng.standard_normal(n)
        w = w - w.mean()
        yield bend, slope, float(np.linalg.norm(bend, 2)), math.sqrt(RADIUS) / math.sqrt(w @ w) * w


def _never_raised(any_step: bool, number: int) -> tuple[list[Evidence], Json]:
    """The descent inequality proved from that of the projection, and tried on quadratic losses."""
    worst, power, witness = 0.0, 0.0, None
    u = unit_roundoff("float64")
    for number_of, (bend, slope, bound, start) in enumerate(_losses(number)):
        alpha, w = (LONG if any_step else SHORT) / bound, start
        for step in range(PASSES):
            g = bend @ w + slope
            after = updates.in_floats(updates.printed, w, g, alpha, RADIUS)
            after = after - after.mean()  # rounding of the mean is CWO-ALG1-INV's matter
            before, now = (x @ bend @ x / 2 + slope @ x for x in (w, after))
            moved = after - w
            owed = 0.0 if any_step else (1 / (2 * alpha) - bound / 2) * (moved @ moved)
            size = bound * RADIUS + math.sqrt(slope @ slope * RADIUS)
            allowed = (8 * u + 2 * probabilistic_gamma(len(w) ** 2, u)) * size * (1 + 1 / (alpha * bound))
            ratio = (now - before + owed) / allowed
            power = max(power, REFUTES_FROM * allowed)
            if ratio > worst or math.isnan(ratio):  # a NaN stays
                worst = ratio
                witness = {
                    "L": "(w₁ − w₂)²" if number_of == 0 else "random",
                    "alpha": alpha,
                    "pass": step + 1,
                    "w": updates.encode(w),
                    "L before": before,
                    "L after": now,
                }
            w = after
    seen = by_ratio(
        "property search",
        worst,
        f"{number} quadratic losses, {PASSES} passes, α K = {LONG if any_step else SHORT}",
        power=power,
        model="(8u + 2γ̃_{n²}) (K c + ‖b‖√c) (1 + 1/αK)",
    )
    return [seen] if any_step else [_descent(), seen], witness if worst >= REFUTES_FROM else None


def _descent() -> Evidence:
    """g·d + K d·d/2 = −(1/(2α) − K/2) d·d + (1/(2α)) (d·d + 2α g·d), whose last bracket is
    ‖w⁺ − w + αg‖² − ‖αg‖² ≤ 0."""
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    alpha, bound = sympy.symbols("alpha K", positive=True)
    gram = Gram({})
    g, d = gram.vector("g"), gram.vector("d")
    bracket = (d + alpha * g) @ (d + alpha * g) - alpha**2 * (g @ g)
    left = g @ d + bound / 2 * (d @ d)
    right = -(1 / (2 * alpha) - bound / 2) * (d @ d) + bracket / (2 * alpha)
    note = "the quadratic upper bound of L, and w⁺ being no farther from w − αg than w is"
    return said("symbolic", is_identity(left, right), note, power=0.0)


def _movement() -> Evidence:
    """min_t ‖w^(t+1) − w^(t)‖² ≤ (L(w^(1)) − min L)/(T (1/(2α) − K/2)), the sum of the descent inequalities."""
    import numpy as np

    worst = 0.0
    for bend, slope, bound, start in _losses(3):
        alpha, w, least = SHORT / bound, start, math.inf
        first = w @ bend @ w / 2 + slope @ w
        for _ in range(PASSES):
            after = updates.in_floats(updates.printed, w, bend @ w + slope, alpha, RADIUS)
            after = after - after.mean()
            least, w = min(least, float((after - w) @ (after - w))), after
        below = first + bound * RADIUS / 2 + math.sqrt(slope @ slope * RADIUS)
        allowed = below / (PASSES * (1 / (2 * alpha) - bound / 2)) + np.finfo(float).eps
        worst = worse(worst, least / allowed)
    note = f"least movement of {PASSES} passes against the sum of the descent inequalities"
    return by_ratio("property search", worst, note, power=1.0, model="(L(w^(1)) − L_min)/(T (1/(2α) − K/2))")
