"""Topics about generalization: the rivals of Theorem 1, Theorem 2 on trained networks, and how vacuous it is."""

from __future__ import annotations

import functools
import itertools
from typing import Final

import numpy as np

from wnverify.bounding.topics import Told, at_most_one, curve, held
from wnverify.finding import Evidence, Json, encode_array, seed_of
from wnverify.methods.l1_inf_projection.reference import project
from wnverify.theory import bounds
from wnverify.theory.coverage import Distribution, VectorLoss, Weights, gradient_projection, measure
from wnverify.theory.generalization import ComplexityBound, hypotheses, regression, vacuous
from wnverify.theory.network import Matrix, NetworkClass, Vector
from wnverify.theory.rademacher import complexity
from wnverify.theory.rivals import RIVALS, ratio_to_theorem1

DELTA: Final = 0.05
PAPERS_SAMPLES: Final = 500
"""n of sections 5.1 and 5.2."""


def rivals(seed: int, quick: bool) -> Told:
    """Each rival that reaches networks with biases against exact values, and all of them against Theorem 1 by depth."""
    worst, witness = 0.0, None
    for case in range(20 if quick else 80):
        rng = np.random.default_rng(seed_of("rivals", seed, case))
        n, m1 = int(rng.integers(1, 7)), int(rng.integers(1, 4))
        X = np.sign(rng.uniform(-1, 1, size=(n, m1))) if case % 2 else rng.uniform(-1, 1, size=(n, m1))
        network = NetworkClass(case % 2, float(rng.choice([1.0, 1.5, 3.0])))
        exact = complexity(network, X)
        for rival in RIVALS.values():
            if rival.biases and (exact.value - exact.error) / rival.bound(network, n, m1) > worst:
                worst = (exact.value - exact.error) / rival.bound(network, n, m1)
                witness = {"X": encode_array(X), "k": network.k, "c": list(network.c)}
    depths = range(7 if quick else 13)
    series = {name: list(ratio_to_theorem1(rival.bound, depths, 1.0, 10)) for name, rival in RIVALS.items()}
    drawn = curve("hidden layers k", "rival bound ÷ Theorem 1", depths, series, ["y"])
    sources = tuple(f"{name}: {rival.source}; {rival.holds_for}" for name, rival in RIVALS.items())
    return Told(
        (
            at_most_one(
                worst, "rivals that reach networks with biases, k = 0 and 1; the curve has c = 1, m1 = 10", curve=drawn
            ),
        ),
        conditions=sources,
        witness=witness,
        strength="certified",
    )


def coverage(seed: int, quick: bool) -> Told:
    """Networks trained with Algorithm 1 on samples of a finite distribution, their exact error against the bound."""
    n, k, c, trials = (200, 1, 1.5, 40) if quick else (400, 1, 1.5, 300)
    distribution = _distribution()
    train = functools.partial(gradient_projection, width=6, c=c, project=_rows, steps=60, rate=0.5)
    m1 = distribution.X.shape[1]

    def bound(weights: Weights) -> float:
        return regression(n, m1, k, c, float(np.abs(weights[-1]).sum()), DELTA)

    seen = measure(
        distribution, train, TRUNCATED, bound, n=n, trials=trials, seed=seed_of("coverage", seed), confidence=0.99
    )
    known = hypotheses(distribution.X, distribution.y, _one, c, 1.0, np.linspace(-3, 3, 61).tolist())
    met = all(each.holds for each in known)
    return Told(
        (
            Evidence(
                route="simulation",
                verdict=held(seen.lower <= DELTA),
                ratio=seen.closest,
                model="largest generalization error seen ÷ bound",
                note=f"the bound failed on {seen.fails} of {seen.trials} samples: 99 % interval "
                f"[{seen.lower:.3f}, {seen.upper:.3f}] for the probability, which may be {DELTA}",
                figures={"fails": seen.fails, "trials": seen.trials, "lower": seen.lower, "upper": seen.upper},
            ),
            Evidence(
                route="arithmetic",
                verdict=held(met),
                note="; ".join(f"{each.name} ({each.figure:.3g} against {each.limit:.3g})" for each in known),
            ),
        ),
        conditions=(
            f"truncated squared error, n = {n}, m1 = {m1}, one hidden layer of 6 ReLU units, c = {c}, δ = {DELTA}",
        ),
        witness={"seed": seed, "fails": seen.fails},
    )


def vacuity(seed: int, quick: bool) -> Told:
    """The sample size from which Theorem 2 is below the loss' range, by depth; as printed, with the sharper bound."""
    depths = range(1, 5 if quick else 9)
    forms = {"as printed": bounds.theorem1_second, "with the sharper bound": bounds.closed_form}
    series: dict[str, list[Json]] = {}
    for (name, form), c in itertools.product(forms.items(), (1.0, 2.0)):
        series[f"{name}, c = {c:g}"] = [_needed(k, c, form) for k in depths]
    printed = [_needed(k, c, bounds.theorem1_second) for k in depths for c in (1.0, 2.0)]
    drawn = curve("hidden layers k", "n for a bound below 1", depths, series, ["y"])
    return Told(
        (
            Evidence(
                route="arithmetic",
                verdict=held(min(printed) > PAPERS_SAMPLES),
                note=f"as printed, the smallest sample size with a bound below 1 is {min(printed):,}",
                figures={"curve": drawn},
            ),
        ),
        conditions=(f"m1 = 1000, ‖T_(k+1)‖_1 = 1, δ = {DELTA}, ρ = 1",),
        witness={"series": dict(series)},
    )


def _needed(k: int, c: float, form: ComplexityBound) -> int:
    """The smallest n at which Theorem 2 with this bound on the complexity is below 1."""
    return vacuous(lambda n: regression(n, 1000, k, c, 1.0, DELTA, complexity=form), PAPERS_SAMPLES).enough


def _distribution() -> Distribution:
    """36 points of a grid in the square with a target that one hidden layer can follow, not all equally likely."""
    grid = np.linspace(-1, 1, 6)
    X = np.array(list(itertools.product(grid, grid)))
    y = np.sign(X[:, 0]) * np.abs(X[:, 1])
    p = 1.0 + np.arange(len(X)) % 3
    return Distribution(X, y, p / p.sum())


def _rows(W: Matrix, c: float) -> Matrix:
    return project(W, c=c)


def _truncated(f: Vector, y: Vector) -> Vector:
    """min(((y − f)/2)², 1): the loss of Remark 3."""
    return np.minimum(np.square((y - f) / 2), 1.0)


def _one(f: float, y: float) -> float:
    return float(_truncated(np.array([f]), np.array([y]))[0])


TRUNCATED: Final[VectorLoss] = _truncated
