"""Two hidden layers of ReLU units, wide enough: the empirical Rademacher complexity between certified bounds.

A unit of the second layer sees h = c_2 G λ, ‖λ‖_1 ≤ 1, where the columns of G are (1, …, 1) and c_1 times the features
of one hidden layer: on every cone the activations of a first-layer unit are convex combinations of those on its rays,
so that width n + 1 reaches every h.  For one sign vector, N = {i : ε_i = −1} and Z ⊆ {i : ε_i = 1},

    max_λ Σ_{i∈Z} h_i − Σ_{i∈N} max(h_i, 0)  =  min_{0 ≤ μ ≤ 1} c_2 ‖Gᵀ (1_Z − μ)‖_∞     (μ_i = 0 outside N),

and the supremum of Σ ε_i max(h_i, 0) is the largest over Z.  Both sides are evaluated: a feasible λ from below, a
feasible μ from above, whatever the solver's tolerance.  There are 3ⁿ linear programs.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

import numpy as np
from scipy.optimize import linprog

from wnverify.oracles.ratio import gamma, unit_roundoff
from wnverify.theory.network import Matrix, NetworkClass, Vector, checked_data
from wnverify.theory.rays import features, rays

MAX_SAMPLES: Final = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Enclosed:
    """lower ≤ R̂_S ≤ upper, rounding included."""

    lower: float
    upper: float


def two_hidden(network: NetworkClass, X: Matrix) -> Enclosed:
    """R̂_S of SN_{c,o} with k = 2 and d_1 > n units in the first layer; an upper bound for any widths.

    ``ValueError`` for k ≠ 2, ρ ≠ 1 or more than 8 samples.
    """
    data = checked_data(X)
    n = len(data)
    if network.k != 2 or network.rho != 1:
        raise ValueError(f"network must have two hidden layers of ReLU units; got k = {network.k}, rho = {network.rho}")
    if n > MAX_SAMPLES:
        raise ValueError(f"X must have at most {MAX_SAMPLES} samples, as there are 3^n programs; got n = {n}")
    G = np.hstack([np.ones((n, 1)), network.c[0] * features(data, rays(data))])
    found: dict[tuple[int, ...], Enclosed] = {
        signs: _supremum(G, network.c[1], signs) for signs in itertools.product((1, -1), repeat=n)
    }
    lower, upper = 0.0, 0.0
    for signs, one in found.items():
        other = found[tuple(-each for each in signs)]
        lower += max(float(abs(sum(signs))), one.lower, other.lower)
        upper += max(float(abs(sum(signs))), one.upper, other.upper)
    scale = network.o / (n * len(found))
    slack = gamma(4 * n + G.shape[1] + 80, unit_roundoff("float64")) * network.range()
    return Enclosed(scale * lower - slack, scale * upper + slack)


def _supremum(G: Matrix, c: float, signs: tuple[int, ...]) -> Enclosed:
    """sup_h Σ_i ε_i max(h_i, 0) over h = c G λ."""
    positive = [i for i, each in enumerate(signs) if each > 0]
    negative = [i for i, each in enumerate(signs) if each < 0]
    lower, upper = 0.0, 0.0
    for size in range(len(positive) + 1):
        for chosen in itertools.combinations(positive, size):
            weights = np.zeros(len(signs))
            weights[list(chosen)] = 1.0
            below, above = _program(G, c, weights, negative, np.array(signs, dtype=np.float64))
            lower, upper = max(lower, below), max(upper, above)
    return Enclosed(lower, upper)


def _program(G: Matrix, c: float, weights: Vector, negative: list[int], signs: Vector) -> tuple[float, float]:
    """(attained, bound) from one solution of min τ, −τ ≤ G_rᵀ(1_Z − μ) ≤ τ; its multipliers are λ."""
    moved = G[negative].T
    target = G.T @ weights
    cost = np.zeros(len(negative) + 1)
    cost[-1] = 1.0
    edge = -np.ones((G.shape[1], 1))
    A = np.vstack([np.hstack([-moved, edge]), np.hstack([moved, edge])])
    b = np.concatenate([-target, target])
    limits = [(0.0, 1.0)] * len(negative) + [(0.0, None)]
    solved = linprog(cost, A_ub=A, b_ub=b, bounds=limits, method="highs")
    if solved.status != 0:
        raise RuntimeError(f"the linear program was not solved: {solved.message}")
    free = weights.copy()
    free[negative] -= np.clip(solved.x[:-1], 0.0, 1.0)
    bound = c * float(np.abs(G.T @ free).max())
    multipliers = -np.asarray(solved.ineqlin.marginals)
    lam = multipliers[: G.shape[1]] - multipliers[G.shape[1] :]
    norm = max(float(np.abs(lam).sum()), 1.0)
    attained = float(signs @ np.maximum(c * (G @ (lam / norm)), 0.0))
    return attained, bound
