"""Typed test matrices, and what a polar factor may lose at one: its local condition number.  NumPy only.

``typed`` are the matrices of every comparison, ``random_small`` plain random draws.  Many of one shape at once,
with prescribed spectra as LAPACK's generators have them and by their entries, are ``generators.drawn``: one large, one
small, geometric, arithmetic, log-uniform, repeated, nearly equal, rank deficient; random, near underflow, near
overflow, constant rows, large mean, ties, graded rows, unlike rows.

Three methods (``ANALYTIC``) are the polar factor of blocks: of each row (weight normalization), of each centred row, of
the whole centred matrix.  Let σ be the smallest singular value of a block (the row's norm where the block is a row).
Then

    ‖dW‖ ≤ ‖dV‖ / σ,        ‖vjp(A)‖ ≤ ‖A‖ / σ,        ‖d vjp(A)‖ ≤ (2/√3) ‖A‖ ‖dV‖ / σ².

The constant 2/√3 is the maximum of (sin² 2t + sin⁴ t)^{1/2} for a row; for two and three rows maximisation gives the
same number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wnverify.finding import seed_of
from wnverify.oracles.ratio import Ratio, map_model

Matrix = NDArray[np.float64]
SECOND: Final = 2 / math.sqrt(3)
ROUNDINGS: Final = 3
"""Stored results on the way: the centred entry, its norm, the quotient."""
SHAPES: Final = ((1, 2), (1, 6), (2, 3), (3, 5), (5, 12), (4, 4), (7, 3), (16, 40), (70, 134), (6, 1100))
LARGEST_QUICK: Final = 700
CENTRES: Final = frozenset({"centred_weight_normalization", "orthogonal_weight_normalization"})
MIXES: Final = frozenset({"orthogonal_weight_normalization"})
"""Those of them in which the rows of a weight depend on each other."""
ANALYTIC: Final = CENTRES | {"weight_normalization"}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Typed:
    """A named matrix V and a cotangent A of its size, float64 values that the dtype under test holds exactly."""

    name: str
    V: Matrix
    A: Matrix


def normal(*shape: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).standard_normal(shape)


def frame(n: int, d: int, seed: int) -> Matrix:
    """n orthonormal rows of zero mean, n ≤ d − 1."""
    Q: Matrix = np.linalg.qr(np.column_stack([np.ones(d), normal(d, n, seed=seed)]))[0][:, 1:].T
    return Q


def with_singular_values(sigma: list[float], d: int, seed: int) -> Matrix:
    """Zero-mean rows with these singular values."""
    rotation = np.linalg.qr(normal(len(sigma), len(sigma), seed=seed_of(seed, "left")))[0]
    return np.asarray((rotation * sigma) @ frame(len(sigma), d, seed))


def typed(dtype: str, seed: int, *, quick: bool = False) -> Iterator[Typed]:
    """Generic of many shapes, large means, extreme scales, tied and nearly tied singular values, condition numbers."""

    def named(name: str, V: Matrix) -> Typed:
        A = normal(*V.shape, seed=seed_of(seed, name, "cotangent"))
        return Typed(name, V.astype(dtype).astype(np.float64), A.astype(dtype).astype(np.float64))

    for shape in SHAPES:
        if not quick or math.prod(shape) <= LARGEST_QUICK:
            yield named(f"generic {shape[0]}x{shape[1]}", normal(*shape, seed=seed_of(seed, shape)) + 0.3)
    base = normal(4, 9, seed=seed_of(seed, "base"))
    yield named("mean 1e4", base + 1e4)
    power = 30 if dtype == "float32" else 200
    yield named(f"all times 1e-{power}", base * 10.0**-power)
    yield named(f"all times 1e{power}", base * 10.0**power)
    yield named(f"rows from 1e-{power} to 1e{power}", base * np.logspace(-power, power, 4)[:, None])
    yield named("small integers", np.round(3 * base) + np.eye(4, 9))
    yield named("equal singular values", 2 * frame(4, 9, seed_of(seed, "equal")))
    yield named("singular values 2, 2, 1, 1", with_singular_values([2.0, 2.0, 1.0, 1.0], 9, seed_of(seed, "tied")))
    near = [2 + 1e-9, 2.0, 1.0, 1 - 1e-9]
    yield named("singular values 1e-9 apart", with_singular_values(near, 9, seed_of(seed, "near")))
    for exponent in (1, 2, 3, 4, 6):
        sigma = list(np.logspace(0, -exponent, 4))
        yield named(f"condition 1e{exponent}", with_singular_values(sigma, 9, seed_of(seed, "condition", exponent)))


def random_small(dtype: str, seed: int, count: int) -> Iterator[Typed]:
    """For a search: 1 to 4 rows, 2 to 7 columns, integers or normal numbers, rows of unlike size, shifted or not."""
    for trial in range(count):
        own = np.random.default_rng(seed_of(seed, "search", trial))
        n, d = int(own.integers(1, 5)), int(own.integers(2, 8))
        V = own.standard_normal((n, d)) * 10.0 ** own.uniform(-1, 1, (n, 1))
        V = np.round(V) if trial % 4 == 0 else V
        V = V + own.integers(-3, 4, (n, 1)) * (10.0 ** own.integers(0, 3)) if trial % 3 == 0 else V
        V, A = (X.astype(dtype).astype(np.float64) for X in (V, own.standard_normal((n, d))))
        yield Typed(f"search {trial}: {n}x{d}", V, A)


def smallest(method_id: str, V: Matrix) -> tuple[Matrix, Matrix]:
    """(σ, κ) of each block, shape (blocks, 1): σ as above, κ = ‖V‖_F / (σ ‖W‖_F), the condition number of the map."""
    X = V - V.mean(axis=1, keepdims=True) if method_id in CENTRES else V
    if method_id not in MIXES:
        sigma, size = norms(X), norms(V)
        return sigma, np.divide(size, sigma, out=np.full(size.shape, math.inf), where=sigma > 0)
    largest = np.abs(X).max() or 1.0
    sigma = np.array([[largest * np.linalg.svd(X / largest, compute_uv=False)[-1]]])
    size = norms(V.reshape(1, -1)) / math.sqrt(len(V))
    return sigma, np.divide(size, sigma, out=np.full(size.shape, math.inf), where=sigma > 0)


def forward_ratio(method_id: str, case: Typed, error: Matrix, dtype: str) -> Ratio:
    """‖error‖ ÷ (‖W‖ × model) of the worst block; rows of W have norm 1."""
    _, kappa = smallest(method_id, case.V)
    size = math.sqrt(len(case.V)) if method_id in MIXES else 1.0
    return _worst(method_id, error, np.full(kappa.shape, size), kappa, dtype)


def backward_ratio(method_id: str, case: Typed, error: Matrix, dtype: str) -> Ratio:
    """‖error‖ σ ÷ (‖A‖ × model) of the worst block: relative to the largest gradient that A could have."""
    sigma, kappa = smallest(method_id, case.V)
    # Multiplied by σ entry by entry: the squares of gradients at rows of size 1e-200 overflow.
    return _worst(method_id, error * sigma, norms(_blocks(method_id, case.A)), SECOND * kappa, dtype)


def excused(method_id: str, V: Matrix, dtype: str) -> float:
    """The largest relative error of W that the model excuses at V."""
    _, kappa = smallest(method_id, V)
    return map_model(dtype, _terms(method_id, V), condition=float(kappa.max()), roundings=ROUNDINGS).relative


def _worst(method_id: str, error: Matrix, scale: Matrix, condition: Matrix, dtype: str) -> Ratio:
    terms = _terms(method_id, error)
    blocks = np.broadcast_arrays(norms(_blocks(method_id, error)), scale, condition)
    ratios = [
        Ratio(float(e), float(s), map_model(dtype, terms, condition=float(c), roundings=ROUNDINGS))
        for e, s, c in zip(*(block[:, 0] for block in blocks), strict=True)
    ]
    return max(ratios, key=lambda ratio: ratio.value)


def _terms(method_id: str, X: Matrix) -> int:
    n, d = (int(size) for size in X.shape)
    return max(n, d) if method_id in MIXES else d


def _blocks(method_id: str, X: Matrix) -> Matrix:
    return X.reshape(1, -1) if method_id in MIXES else X


def norms(X: Matrix) -> Matrix:
    """Row norms, (n, 1), of numbers whose squares may over- or underflow."""
    largest: Matrix = np.abs(X).max(axis=1, keepdims=True)
    usual = (largest > 0) & (largest < math.inf)
    scaled = np.divide(X, largest, out=np.zeros(X.shape), where=usual)
    norms: Matrix = np.where(usual, largest, 0.0) * np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    return np.where(np.isfinite(largest), norms, math.inf)
