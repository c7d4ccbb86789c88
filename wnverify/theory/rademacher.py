"""Exact empirical Rademacher complexity of SN_{c,o} with no or one hidden layer of ReLU units.

    R̂_S = E_ε sup_f (1/n) Σ_i ε_i f(x_i),   over all 2ⁿ sign vectors ε.

A linear function of the output weights is largest at a corner of their L1 ball: on the output bias or on one unit, so
that the supremum does not depend on the width:

    k = 0:  (o/n) E max_j |Σ_i ε_i x̃_ij|,        k = 1:  (o/n) E max(|Σ ε_i|, c max_v |Σ_i ε_i max(v·x̃_i, 0)|),

‖v‖_1 ≤ 1, x̃ = (1, x).  The inner maximum is attained on one of finitely many rays that do not depend on ε (``rays``),
so that all sign vectors are one product of the sign matrix with a matrix of features.  Definition: sec. 3.1 of Wen,
Xu, Zheng, Yang and Wang.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from wnverify.oracles.ratio import gamma, unit_roundoff
from wnverify.theory.intervals import bernstein
from wnverify.theory.network import Matrix, NetworkClass, Vector, augmented, checked_data
from wnverify.theory.rays import features, intersections, largest_n, rays

MAX_PRODUCTS: Final = 1 << 36
"""Sign vectors × features that are looked at before a problem counts as too large (n = 24 with m1 = 3)."""
BLOCK_BYTES: Final = 1 << 27


@dataclasses.dataclass(frozen=True, slots=True)
class Complexity:
    """A value with what is known of its error.

    ``exact``: all sign vectors, |value − R̂_S| ≤ ``error`` by rounding alone.  Otherwise a mean over ``signs`` random
    sign vectors, and [value − error, value + error] holds R̂_S with probability at least ``confidence``.
    """

    value: float
    error: float
    exact: bool
    signs: int
    features: int
    confidence: float = 1.0


def complexity(network: NetworkClass, X: ArrayLike) -> Complexity:
    """R̂_S for k ≤ 1 (ReLU), exactly.

    ``ValueError`` for bad data, k ≥ 2, ρ ≠ 1 (the unit is ReLU), or a problem too large: the message has the size that
    would do; ``sampled`` gives a mean over random signs instead.

    >>> complexity(NetworkClass(0, 1.0), [[1.0], [1.0]]).value
    0.5
    >>> complexity(NetworkClass(1, 2.0), [[1.0], [-1.0]]).value
    1.0
    """
    data = checked_data(X)
    F = feature_matrix(network, data)
    n = len(data)
    products = (1 << (n - 1)) * F.shape[1]
    if products > MAX_PRODUCTS:
        fits = largest_exact(data.shape[1], network.k)
        raise ValueError(
            f"X is too large for all sign vectors: n = {n}, m1 = {data.shape[1]} give {products:,} products, at most "
            f"{MAX_PRODUCTS:,}; n ≤ {fits} would do, or a mean over random signs"
        )
    total = math.fsum(float(block.sum()) for block in _suprema(F, n))
    count = 1 << (n - 1)
    scale = network.o / n
    return Complexity(scale * total / count, scale * _rounding(F), True, 2 * count, F.shape[1])


def sampled(
    network: NetworkClass, X: ArrayLike, *, signs: int = 1 << 14, seed: int = 0, confidence: float = 0.999
) -> Complexity:
    """A mean over random sign vectors of the exact supremum, with the empirical Bernstein interval (``intervals``)."""
    if signs < 2:
        raise ValueError(f"signs must be at least 2; got {signs!r}")
    data = checked_data(X)
    F = feature_matrix(network, data)
    rng = np.random.default_rng(seed)
    rows = max(1, BLOCK_BYTES // (8 * F.shape[1]))
    values = np.concatenate(
        [
            _largest(rng.choice(np.array([-1.0, 1.0]), size=(min(rows, signs - start), len(data))) @ F)
            for start in range(0, signs, rows)
        ]
    )
    scale = network.o / len(data)
    found = bernstein(values, float(np.abs(F).sum(axis=0).max()), confidence)
    error = max(found.upper - found.mean, found.mean - found.lower) + _rounding(F)
    return Complexity(scale * found.mean, scale * error, False, signs, F.shape[1], confidence)


def feature_matrix(network: NetworkClass, X: Matrix) -> Matrix:
    """(n, R): R̂_S = (o/n) E max_r |Σ_i ε_i F_ir|; X̃ itself for k = 0, 1 and c times the rays' activations for k = 1."""
    if network.k == 0:
        return augmented(X)
    if network.k > 1:
        raise ValueError(f"k must be 0 or 1 for an exact complexity; got {network.k} (see theory.sandwich)")
    if network.rho != 1:
        raise ValueError(f"rho must be 1, as the unit is ReLU; got {network.rho}")
    return np.hstack([np.ones((len(X), 1)), network.c[0] * features(X, rays(X))])


def supremum(network: NetworkClass, X: Matrix, signs: Vector) -> float:
    """sup_f Σ_i ε_i f(x_i) for one sign vector: n times what the expectation averages."""
    return network.o * float(
        _largest(np.atleast_2d(np.asarray(signs, dtype=np.float64)) @ feature_matrix(network, X))[0]
    )


def largest_exact(m1: int, k: int) -> int:
    """The largest n that ``complexity`` takes with m1 inputs in general position; 0 where none.

    >>> largest_exact(3, 1)
    24
    """
    n = 0
    while (1 << n) * (m1 + 1 if k == 0 else 1 + 2 * intersections(n + 1, m1)) <= MAX_PRODUCTS and n < 40:
        n += 1
    return min(n, largest_n(m1)) if k else n


def _suprema(F: Matrix, n: int) -> Iterator[Vector]:
    """max_r |Σ_i ε_i F_ir| for the sign vectors with ε_n = 1, in blocks; ε and −ε give the same."""
    count = 1 << (n - 1)
    rows = min(count, max(1, BLOCK_BYTES // (8 * F.shape[1])))
    for start in range(0, count, rows):
        yield _largest(sign_vectors(start, min(start + rows, count), n) @ F)


def sign_vectors(start: int, stop: int, n: int) -> Matrix:
    """Rows start … stop − 1 of all sign vectors with ε_n = 1: bit i of the row's number is set where ε_i = −1."""
    numbers = np.arange(start, stop, dtype=np.int64)[:, None]
    return np.asarray(1.0 - 2.0 * ((numbers >> np.arange(n)) & 1), dtype=np.float64)


def _largest(values: Matrix) -> Vector:
    # Two reductions instead of an absolute value of everything: no second array of that size.
    high: Vector = values.max(axis=1)
    low: Vector = values.min(axis=1)
    return np.asarray(np.maximum(high, -low), dtype=np.float64)


def _rounding(F: Matrix) -> float:
    """What rounding can do to a mean of max_r |Σ ε_i F_ir|: n products, a rounded F, a pairwise sum of the means."""
    n = len(F)
    return gamma(n + 70, unit_roundoff("float64")) * float(np.abs(F).sum(axis=0).max())
