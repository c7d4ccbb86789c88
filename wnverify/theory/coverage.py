"""How often a trained network's generalization error exceeds a bound: samples from a finite distribution.

On a distribution with finitely many points the expected risk is a sum, so that |E_L − Ê_L| is exact up to rounding and
no test sample blurs it.  The share of samples on which the bound fails gets the Clopper–Pearson interval.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import betaincinv

from wnverify.theory.network import Matrix, Vector, augmented, forward, relu

Weights = Sequence[Matrix]
"""Ṽ_1, …, Ṽ_{k+1}, each (fan-in + 1, fan-out), the bias first."""
Train = Callable[[Matrix, Vector, np.random.Generator], Weights]
VectorLoss = Callable[[Vector, Vector], Vector]
"""(f(x_i), y_i) → the losses, all (n,)."""
Project = Callable[[Matrix, float], Matrix]
"""(W, c) → the nearest matrix whose rows have an L1 norm of at most c."""


@dataclasses.dataclass(frozen=True, slots=True)
class Distribution:
    """Finitely many points: X (s, m1), y (s,), with the probabilities p (s,), which sum to 1."""

    X: Matrix
    y: Vector
    p: Vector


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """Samples on which a bound failed, with the interval for the probability of failure, and how tight it was.

    ``closest`` is the largest |E_L − Ê_L| / bound seen: 1 would be a bound that is met exactly.
    """

    fails: int
    trials: int
    lower: float
    upper: float
    closest: float


def coverage(fails: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Clopper–Pearson interval for a probability after ``fails`` of ``trials``: never below its confidence.

    ``ValueError`` unless 0 ≤ fails ≤ trials, trials ≥ 1 and 0 < confidence < 1.

    >>> tuple(round(each, 4) for each in coverage(0, 100))
    (0.0, 0.0362)
    """
    if not (trials >= 1 and 0 <= fails <= trials):
        raise ValueError(f"fails must be between 0 and trials ≥ 1; got {fails!r} of {trials!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be a probability between 0 and 1; got {confidence!r}")
    tail = (1 - confidence) / 2
    lower = float(betaincinv(fails, trials - fails + 1, tail)) if fails else 0.0
    upper = float(betaincinv(fails + 1, trials - fails, 1 - tail)) if fails < trials else 1.0
    return lower, upper


def measure(
    distribution: Distribution,
    train: Train,
    loss: VectorLoss,
    bound: Callable[[Weights], float],
    *,
    n: int,
    trials: int,
    seed: int,
    confidence: float = 0.95,
) -> Coverage:
    """Draw ``trials`` samples of size n, train on each, and count where |E_L − Ê_L| exceeds ``bound(weights)``.

    ``loss`` maps the outputs and the targets to the losses.  ``ValueError`` for probabilities that are negative or do
    not sum to 1 (NumPy's own rule), or n or trials below 1.
    """
    if n < 1 or trials < 1:
        raise ValueError(f"n and trials must be at least 1; got {n!r} and {trials!r}")
    rng = np.random.default_rng(seed)
    fails, closest = 0, 0.0
    for _ in range(trials):
        chosen = rng.choice(len(distribution.p), size=n, p=distribution.p)
        weights = train(distribution.X[chosen], distribution.y[chosen], rng)
        losses = loss(forward(weights, distribution.X), distribution.y)
        error = abs(float(distribution.p @ losses) - float(losses[chosen].mean()))
        limit = bound(weights)
        fails += error > limit
        closest = max(closest, error / limit if limit > 0 else np.inf if error > 0 else 0.0)
    return Coverage(fails, trials, *coverage(fails, trials, confidence), closest)


def gradient_projection(
    X: Matrix, y: Vector, rng: np.random.Generator, *, width: int, c: float, project: Project, steps: int, rate: float
) -> Weights:
    """Algorithm 1 for one hidden layer of ReLU units and the mean of (y − f)²/4: step, then each column to the L1 ball.

    ``project`` gets the columns as rows, as the lab's projections take them.  The output layer is stepped too and left
    free, as in the class S_c.
    """
    V = project(rng.normal(size=(width, X.shape[1] + 1)), c).T
    v = rng.normal(size=(width + 1, 1)) / (width + 1)
    data = augmented(X)
    for _ in range(steps):
        hidden = data @ V
        units = augmented(relu(hidden))
        error = (units @ v - y[:, None]) / (2 * len(X))
        back = (error @ v[1:].T) * (hidden > 0)
        v = v - rate * (units.T @ error)
        V = project((V - rate * (data.T @ back)).T, c).T
    return V, v
