"""Topics about generalization: the rivals of Theorem 1, Theorem 2 on trained networks, and how vacuous it is."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from wnverify.bounding.topics import Told, at_most_one, curve, held
from wnverify.finding import Evidence, Json, Verdict, encode_array, seed_of
from wnverify.methods.l1_inf_projection.reference import project
from wnverify.theory import bounds
from wnverify.theory.coverage import Distribution, VectorLoss, Weights, gradient_projection, measure
from wnverify.theory.coverage import coverage as interval
from wnverify.theory.generalization import ComplexityBound, hypotheses, regression, vacuous
from wnverify.theory.network import Matrix, NetworkClass, Vector, forward
from wnverify.theory.rademacher import complexity
from wnverify.theory.rivals import RIVALS, ratio_to_theorem1

DELTA: Final = 0.05
PAPERS_SAMPLES: Final = 500
"""n of sections 5.1 and 5.2."""
COVERED_SAMPLES: Final = 2000
"""With ‖T‖_1 of about 2, which training gives here, the bound is below the loss' range from some 1,600 on."""
RANGE: Final = 1.0
"""Of the truncated loss."""
CONFIDENCE: Final = 0.99


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
    """Networks trained with Algorithm 1 on samples of a finite distribution, their exact error against the bound.

    The error is at most the loss' range, so that only a bound below it can fail: n is that large.  A bound divided by
    ``noticed`` would have failed on just as many of these samples as it takes to refute it.
    """
    n, k, c, trials = COVERED_SAMPLES, 1, 1.5, 40 if quick else 300
    distribution = _distribution()
    m1 = distribution.X.shape[1]
    ratios: list[float] = []
    limits: list[float] = []
    sample: list[tuple[Matrix, Vector]] = []

    def train(X: Matrix, y: Vector, rng: np.random.Generator) -> Weights:
        sample[:] = [(X, y)]
        return gradient_projection(X, y, rng, width=6, c=c, project=_rows, steps=60, rate=0.5)

    def bound(weights: Weights) -> float:
        limits.append(regression(n, m1, k, c, float(np.abs(weights[-1]).sum()), DELTA))
        ratios.append(_error(weights, distribution, *sample[0]) / limits[-1])
        return limits[-1]

    seen = measure(
        distribution,
        train,
        TRUNCATED,
        bound,
        n=n,
        trials=trials,
        seed=seed_of("coverage", seed),
        confidence=CONFIDENCE,
    )
    known = hypotheses(distribution.X, distribution.y, _one, c, 1.0, np.linspace(-3, 3, 61).tolist())
    met = all(each.holds for each in known)
    enough = next(fails for fails in range(1, trials + 1) if interval(fails, trials, CONFIDENCE)[0] > DELTA)
    below = sum(limit < RANGE for limit in limits)
    # With fewer samples whose bound is below the range no error could refute it.
    tells = met and below >= enough
    kth = sorted(ratios)[-enough]
    noticed = 1 / kth if tells and kth > 0 else None
    note = (
        f"the bound failed on {seen.fails} of {seen.trials} samples: 99 % interval "
        f"[{seen.lower:.3f}, {seen.upper:.3f}] for the probability, which may be {DELTA}; it is below "
        f"the loss' range on {below}"
    )
    note += f"; {noticed:.0f} times smaller it would have been refuted" if noticed else ""
    note += "; vacuous at this size" if below < enough else ""
    figures: dict[str, Json] = {"fails": seen.fails, "trials": seen.trials, "lower": seen.lower, "upper": seen.upper}
    return Told(
        (
            Evidence(
                route="simulation",
                verdict=held(seen.lower <= DELTA) if tells else Verdict.UNDECIDED,
                ratio=seen.closest,
                power=1 - 1 / noticed if noticed else None,
                model="largest generalization error seen ÷ bound",
                note=note,
                figures={**figures, "below the range": below, "noticed": noticed},
            ),
            Evidence(
                route="arithmetic",
                verdict=Verdict.HOLDS if met and tells else Verdict.UNDECIDED,
                note="; ".join(f"{each.name} ({each.figure:.3g} against {each.limit:.3g})" for each in known),
            ),
        ),
        conditions=(
            f"truncated squared error, n = {n}, m1 = {m1}, one hidden layer of 6 ReLU units, c = {c}, δ = {DELTA}",
        ),
        witness={"seed": seed, "fails": seen.fails},
        message="" if met else "no test of the theorem: a hypothesis is not met",
    )


def _error(weights: Weights, distribution: Distribution, X: Matrix, y: Vector) -> float:
    """|E_L − Ê_L| of trained weights: over the distribution, over the sample."""
    expected = float(distribution.p @ _truncated(forward(weights, distribution.X), distribution.y))
    return abs(expected - float(_truncated(forward(weights, X), y).mean()))


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
