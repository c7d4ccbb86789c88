"""CWO, Alg. 1: whether it computes eq. 9, whether it keeps the two constraints, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, probabilistic_gamma, unit_roundoff
from wnverify.papers.arithmetic import Counted
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwo import updates

CENTRED: Final = "1ᵀw^(1) = 0"
NOT_ZERO: Final = "w̃ ≠ 0 in every step"
EXACT: Final = "exact arithmetic"
STEPS: Final = 20


@claim(
    "CWO-ALG1",
    place="Alg. 1",
    statement="From the initial weights w^(1) of a network, each pass of Alg. 1 computes the update of eq. 9.",
    reading="eq. 9 as projected gradient descent, with the gradient at w^(t) (see CWO-EQ9); the initial weights are "
    "arbitrary.",
    formula=updates.printed,
    corrected="From 1ᵀw^(1) = 0, or with the whole of w^(t) − α∇L centred in place of ∇L alone.",
    corrected_formula=updates.nearest,
    faults=updates.FAULTS,
)
def computes_eq9(formula: updates.Update, quick: bool) -> Measured:
    kept, _ = updates.feasible_in_symbols(formula)
    enclosed, at = updates.nearest_in_balls(formula, quick)
    run, point = _certified_run(formula)
    free, from_uncentred = updates.uncentred(formula)
    nothing, at_zero = updates.stepped_to_nothing(formula)
    witness = at or point
    return Measured(
        parts=[
            Part("a pass from a centred w", [enclosed], witness),
            Part("the next w is centred again", [kept], witness),
            Part(f"{STEPS} passes", [run], witness),
        ],
        conditions=[Condition(CENTRED, [free], from_uncentred), Condition(NOT_ZERO, [nothing], at_zero)],
        left_out=("n = 4 and 5 in balls",) if quick else (),
    )


def _certified_run(update: updates.Update) -> tuple[Evidence, Json]:
    """Passes in float64 on a quadratic loss, each against the certificate of the nearest point to w − α∇L(w)."""
    import numpy as np

    from wnverify.oracles.optimality import certificate

    n, alpha, c = 6, 0.2, 2.0
    rng = np.random.default_rng(seed_of("cwo", "alg1"))
    bend, slope, w = rng.standard_normal((n, n)), rng.standard_normal(n), rng.standard_normal(n)
    w = w - w.mean()
    worst, reach, witness = 0.0, 0.0, None
    for step in range(STEPS):
        g = bend @ bend.T @ w + slope
        moved = updates.in_floats(update, w, g, alpha, c)
        seen = certificate("sphere_zero_mean_rows", (w - alpha * g)[None], moved[None], radius=math.sqrt(c))
        reach = max(reach, seen.optimality.model.relative)
        if seen.ratio > worst:
            worst = seen.ratio
            witness = {"pass": step + 1, "w": updates.encode(w), "g": updates.encode(g), "to": updates.encode(moved)}
        w = moved - moved.mean()  # rounding of the mean is CWO-ALG1-INV's matter
    note = f"{STEPS} passes in float64, n = {n}, each certified"
    evidence = by_ratio("optimisation", worst, note, power=REFUTES_FROM * reach, model="certificate of the set")
    return evidence, witness if worst >= REFUTES_FROM else None


@claim(
    "CWO-ALG1-INV",
    place="Alg. 1, Fig. 1 (implied)",
    statement="Every iterate w^(t), t ≥ 2, of Alg. 1 satisfies ‖w‖² = c and 1ᵀw = 0.",
    reading="for whatever w^(1) and loss.  In floating point: up to the rounding of one pass.",
    formula=updates.printed,
    corrected="‖w^(t)‖² = c always holds; 1ᵀw^(t+1) = (√c/‖w̃‖) 1ᵀw^(t), so that a mean of w^(1) stays, and one due to "
    "rounding grows wherever ‖w̃‖ < √c.  Centring the whole step removes both.",
    corrected_formula=updates.nearest,
    faults={
        name: updates.FAULTS[name]
        for name in (
            "the sum of g subtracted for its mean",
            "g not centred",
            "without √c",
            "c for √c",
            "the square of the norm",
        )
    },
)
def keeps_constraints(formula: updates.Update, quick: bool) -> Measured:
    centred, on_sphere = updates.feasible_in_symbols(formula)
    enclosed, at = updates.nearest_in_balls(formula, quick, only_feasible=True)
    run, point = _benign_run(formula)
    free, from_uncentred = updates.uncentred(formula)
    nothing, at_zero = updates.stepped_to_nothing(formula)
    drifting = [_drift(formula, dtype) for dtype in ("float32", "float64")]
    witness = at or point
    return Measured(
        parts=[
            Part("‖w‖² = c", [on_sphere], witness),
            Part("1·w = 0 stays", [centred], witness),
            Part("both at rational points, and over passes", [enclosed, run], witness),
        ],
        conditions=[
            Condition(CENTRED, [free], from_uncentred),
            Condition(NOT_ZERO, [nothing], at_zero),
            Condition(EXACT, [evidence for evidence, _ in drifting], drifting[0][1]),
        ],
        left_out=("n = 4 and 5 in balls",) if quick else (),
    )


def _benign_run(update: updates.Update) -> tuple[Evidence, Json]:
    """Passes in float64 on a loss with g ⟂ w, for which ‖w̃‖ ≥ √c and no rounding grows; the worst of both gaps."""
    import numpy as np

    n, alpha, c, u = 8, 0.3, 0.5, unit_roundoff("float64")
    rng = np.random.default_rng(seed_of("cwo", "invariant"))
    w = rng.standard_normal(n)
    w = w - w.mean()
    worst, power = 0.0, 0.0
    for step in range(1, STEPS + 1):
        g = rng.standard_normal(n)
        g = g - g.mean() + 0.7
        g = g - (g @ w - 0.7 * w.sum()) / (w @ w) * w
        w = updates.in_floats(update, w, g, alpha, c)
        # a pass rounds the mean of g and some products: each is relative to ‖w̃‖ or ‖g‖, and none shrinks in a sum
        allowed = step * (8 * u + probabilistic_gamma(n, u)) * math.sqrt(n) * (math.sqrt(c) + alpha * math.sqrt(g @ g))
        worst = worse(worst, abs(w.sum()) / allowed, abs(math.sqrt(w @ w) - math.sqrt(c)) / allowed)
        power = max(power, REFUTES_FROM * allowed)
    note = f"{STEPS} passes, n = {n}, g ⟂ w"
    witness: Json = {"1·w": float(f"{w.sum():.4g}"), "‖w‖²": float(f"{w @ w:.6g}"), "c": c}
    evidence = by_ratio("simulation", worst, note, power=power, model="t (8u + γ̃_n) √n (√c + α‖g‖)")
    return evidence, witness if worst >= REFUTES_FROM else None


def _drift(update: updates.Update, dtype: str) -> tuple[Evidence, Json]:
    """L = ‖w‖²/2, α = 1/2, c = 2 from w = (0.1, 0.2, −0.3): P w shrinks by half in a pass and is scaled back, so that a
    mean due to rounding doubles; after 80 passes w is constant."""
    import numpy as np

    kind = np.dtype(dtype).type
    w, one = np.array([0.1, 0.2, -0.3], dtype=kind), np.ones(3, dtype=kind)
    passes, u = 80, unit_roundoff(dtype)
    for _ in range(passes):
        w = update(w, w, one, kind(3), kind(0.5), kind(2), np.sqrt).astype(kind)
    total = abs(float(w.sum(dtype=np.float64)))  # its sign is that of the first rounding, which may differ by machine
    allowed = (8 * u + probabilistic_gamma(3, u)) * math.sqrt(3) * 2
    witness: Json = {
        "L": "‖w‖²/2",
        "alpha": 0.5,
        "c": 2,
        "w(1)": [0.1, 0.2, -0.3],
        "passes": passes,
        "dtype": dtype,
        "|w|": updates.encode(np.round(np.abs(w), 3)),
        "|1·w|": float(f"{total:.4g}"),
    }
    note = f"{dtype}, {passes} passes on ‖w‖²/2: |1·w| = {total:.3g}"
    model = "(8u + γ̃_3) √3 (√c + ‖g‖ α)"
    return by_ratio("simulation", total / allowed, note, power=REFUTES_FROM * allowed, model=model), witness


def _total(values: list[Counted]) -> Counted:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _operations(n: int, batch: int) -> tuple[int, int, int]:
    """Operations of a plain step, of Alg. 1, and of one row's forward pass and gradient for ``batch`` samples."""
    w, g = ([Counted(1.0 + i) for i in range(n)] for _ in range(2))
    alpha, size, radius = Counted(0.1), Counted(float(n)), Counted(math.sqrt(2))
    Counted.done = 0
    for a, b in zip(w, g, strict=True):
        a - alpha * b
    plain, Counted.done = Counted.done, 0
    mean = _total(g) / size
    moved = [a - alpha * (b - mean) for a, b in zip(w, g, strict=True)]
    scale = radius / _total([x * x for x in moved]).root()
    for x in moved:
        scale * x
    ours, Counted.done = Counted.done, 0
    for _ in range(batch):
        output = _total([a * b for a, b in zip(w, g, strict=True)])
        g = [a + output * b for a, b in zip(g, w, strict=True)]
    gradient, Counted.done = Counted.done, 0
    return plain, ours, gradient


@claim(
    "CWO-P-COST",
    place="Sec. 3.4",
    statement="The update is as efficient as plain SGD: it adds only a mean subtraction (2n operations for a row of n "
    "weights) and a scaling (3n + 1 with its norm).",
    reading="'as efficient': the same order in n, a constant number of operations a weight more, whatever the batch: "
    "7n + 1 for SGD's 2n in the update itself, a share of about 5/(4B) of the forward pass and gradient that a row "
    "needs for B samples at one position.",
    formula=lambda n: 5 * n + 1,
    faults={
        "nothing is added": lambda n: 0,
        "the norm is free": lambda n: 3 * n,
        "quadratic": lambda n: n * n,
        "the mean alone": lambda n: 2 * n,
    },
)
def cost(formula: Callable[[int], int], quick: bool) -> Measured:
    import sympy

    parts = []
    size = sympy.Symbol("n", positive=True)
    per_weight = sympy.limit(sympy.sympify(formula(size)) / size, size, sympy.oo)
    for n in (2, 9, 64):
        plain, ours, _ = _operations(n, 1)
        witness: Json = {"n": n, "SGD": plain, "Alg. 1": ours, "claimed to be added": formula(n)}
        counted = said("exact", ours - plain == formula(n), f"n = {n}: {plain} for SGD, {ours} for Alg. 1", power=0.0)
        parts.append(Part(f"operations added, n = {n}", [counted], witness))
    note = f"operations added a weight as n grows: {per_weight}"
    bounded = said("symbolic", bool(per_weight.is_finite), note, power=0.0)
    shares = {batch: _operations(64, batch) for batch in (4, 128)}
    figures: dict[str, Json] = {
        f"added over forward and gradient, B = {batch}, one position": round((ours - plain) / gradient, 4)
        for batch, (plain, ours, gradient) in shares.items()
    }
    counted = said("arithmetic", None, "for comparison", figures=figures)
    parts.append(Part("a constant number a weight", [bounded, counted], {"added a weight": str(per_weight)}))
    return Measured(parts=parts)
