"""L1,∞ weight normalization, Theorem 1: for which activation functions it holds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said, worse
from wnverify.papers.l1inf.theorem1_bounds import (
    CONSTANTS,
    Bound,
    above_what_is_proved,
    cases,
    domination,
    first,
    first_is_proved,
    quotient,
    value,
)

Activation = Callable[[float], float]
ACTIVATIONS: Final[dict[str, tuple[float, Activation]]] = {
    "max(t, 0)": (1.0, lambda t: max(t, 0.0)),
    "tanh t": (1.0, math.tanh),
    "|t|": (1.0, abs),
    "sin t": (1.0, math.sin),
    "max(t, t/10)": (1.0, lambda t: max(t, t / 10)),
    "3 t / (1 + |t|)": (3.0, lambda t: 3 * t / (1 + abs(t))),
}


@claim(
    "L1-TH1-ALLLIP",
    place="Sec. 1",
    statement="Theorem 1 applies to all Lipschitz activation functions.",
    reading="Sec. 1 alone, which has no further condition; Sec. 2.3 restricts the paper to σ(0) = 0.",
    formula=first,
    faults={
        "without the Lipschitz constant": lambda t: t.o * t.sqrt(t.log(2 * t.m1) / t.n) / 2,
        "the bias terms left out": lambda t: t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n),
        "an eighth": lambda t: first(t) / 8,
    },
    corrected="Theorem 1 applies to all Lipschitz activation functions with σ(0) = 0.",
)
def every_lipschitz_activation(formula: Bound, quick: bool) -> Measured:
    note = "σ enters the proof through Ledoux and Talagrand's contraction alone, which asks for ρ and σ(0) = 0"
    worst, witness = _attained(formula, (-1, -0.5, 0, 0.25, 1) if quick else tuple(i / 8 for i in range(-8, 9)))
    contraction = _contraction()
    relu = domination(formula, cases((0, 1), CONSTANTS, quick))
    ratio, constant = _constant_activation(formula)
    found = (
        f"k = 1, {len(ACTIVATIONS)} activations; the largest that units on a grid attain is {worst:.3f} of the bound"
    )
    return Measured(
        parts=[
            above_what_is_proved(formula, first_is_proved(formula), note, from_one=False),
            Part("the contraction", [contraction]),
            Part("ReLU", relu.routes, relu.witness),
            Part("several", [said("property search", worst <= 1, found, power=max(1 - worst, 0.0))], witness),
        ],
        conditions=[
            Condition(
                "σ(0) = 0",
                [
                    said(
                        "exact",
                        ratio <= 1,
                        "σ = A, a constant: o |A| E|Σ ε_i| / n against a bound without A",
                        power=0.0,
                    )
                ],
                constant,
            )
        ],
        left_out=("a finer grid",) if quick else (),
    )


def _attained(bound: Bound, grid: Sequence[float]) -> tuple[float, Json]:
    """(1/n) E max(|Σ ε_i|, |Σ ε_i σ(v·x̃_i)|) over units with ‖v‖_1 = c, v on a grid: at most R̂_S of width 1, o = 1."""
    worst, witness = 0.0, None
    points = (-1.0, 1.0)
    signs = list(itertools.product((-1, 1), repeat=len(points)))
    for (name, (rho, act)), c in itertools.product(ACTIVATIONS.items(), (0.5, 1.0, 3.0)):
        units = [[act(c * (a + s * (1 - abs(a)) * x)) for x in points] for a in grid for s in (-1, 1)]
        units.append([1.0] * len(points))
        suprema = [max(abs(sum(e * z for e, z in zip(eps, unit, strict=True))) for unit in units) for eps in signs]
        least = math.fsum(suprema) / len(signs) / len(points)
        at = value(bound, 1, c * rho, len(points))
        if quotient(least, at) > worst:
            worst = quotient(least, at)
            witness = {
                "sigma": name,
                "k": 1,
                "c": c,
                "X": [[x] for x in points],
                "complexity, at least": least,
                "bound": at,
            }
    return worst, witness


def _contraction() -> Evidence:
    """E exp(λ sup_h |Σ ε_i σ(h_i)|) ≤ 2 E exp(λ ρ sup_h Σ ε_i h_i) for symmetric finite sets of h, all sign vectors."""
    import numpy as np

    rng = np.random.default_rng(11)
    worst = 0.0
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=4)))
    for (rho, act), scale in itertools.product(ACTIVATIONS.values(), (0.1, 1.0, 3.0)):
        half = scale * rng.integers(-4, 5, (5, 4)) / 4
        H = np.vstack([half, -half])
        inner = np.abs(signs @ np.vectorize(act)(H).T).max(axis=1)
        outer = (signs @ H.T).max(axis=1)
        worst = worse(worst, float(np.exp(inner).mean() / (2 * np.exp(rho * outer).mean())))
    note = f"18 symmetric sets of ten vectors, λ = 1; the left side is at most {worst:.3f} of the right"
    return said("exact", worst <= 1, note, power=max(1 - worst, 0.0))


def _constant_activation(bound: Bound) -> tuple[float, Json]:
    """σ = 20, 0-Lipschitz; k = 1, n = 1: the output weight on one unit gives 20 o."""
    height = 20.0
    at = value(bound, 1, 0.0)
    shown: Json = {"sigma": "20, constant", "rho": 0, "k": 1, "n": 1, "o": 1, "complexity": height, "bound": at}
    return quotient(height, at), shown
