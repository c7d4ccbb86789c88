"""Spectral restricted isometry (SRIP) in NumPy: L(W) = σ(W Wᵀ − I), W (n, d) with one row for each output unit.

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.4, there Wᵀ W with one column for each unit.  σ is the largest |s_i² − 1| over the singular values s_i, and at
least 1 where the Gram matrix is larger than the rank can be (n > d by rows, d > n by columns): there the penalty stands
still wherever all s_i² ≤ 2.  ``side="smaller"`` takes the smaller Gram matrix, as their published program does (which
also squares the estimate, and draws v from [0, 1)).

They estimate it from a random vector v by u = E v, v ← E u, ‖v‖ / ‖u‖, E = W Wᵀ − I: here ``iterations=2``, two
products with E, from a Gaussian v that ``seed`` fixes.  ‖E û‖ never exceeds σ.  ``iterations=None`` is σ itself.

Where several |s_i² − 1| are largest: the mean of the positive ones, a subgradient in E, if there is a positive one,
else of the negative ones; at E = 0 (to rounding) the gradient is 0.  Not convex: W = 0 lies between Q
and −Q, Q orthonormal.
"""

from __future__ import annotations

import random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import UNIT_ROUNDOFF, Matrix, as_matrix

TIED: Final = 8.0
"""|s_i² − 1| within TIED · min(n, d) · u · (1 + σ) of the largest count as equal to it."""


def value(W: Any, *, side: str = "rows", iterations: int | None = None, seed: int = 0) -> float:
    """σ(W Wᵀ − I), by columns σ(Wᵀ W − I), or its estimate; ``ValueError`` names a wrong argument or entry.

    >>> value([[2.0, 0.0], [0.0, 0.5]])
    3.0
    """
    X = facing(as_matrix(W, "W"), side)
    if iterations is not None:
        return _estimate(X, iterations, seed)[0]
    _, s, _, missing = _spectrum(X)
    defects = _defects(s)
    return float(max(np.abs(defects).max(), 1.0 if missing else 0.0))


def gradient(W: Any, *, side: str = "rows", iterations: int | None = None, seed: int = 0) -> Matrix:
    """± 2 x xᵀ W with x the unit eigenvector of the largest |eigenvalue| of W Wᵀ − I, ± its sign.

    >>> gradient([[2.0, 0.0], [0.0, 0.5]])
    array([[4., 0.],
           [0., 0.]])
    """
    W = as_matrix(W, "W")
    X = facing(W, side)
    if iterations is not None:
        Z = _estimate(X, iterations, seed)[1]
        G = (Z + Z.T) @ X
    else:
        U, s, Vt, missing = _spectrum(X)
        defects = _defects(s)
        largest = np.abs(defects).max()
        width = TIED * len(defects) * UNIT_ROUNDOFF * (1 + largest)
        sign = 0.0 if largest <= width else 1.0 if defects.max() >= largest - width else -1.0
        tied = sign * defects >= largest - width
        # Beside the −1 of a missing rank, whose own gradient is 0, an equal defect counts half, as in torch.maximum.
        weight = 1.0 if not missing or largest > 1 else 0.5 if largest == 1 else 0.0
        scale = np.where(tied, weight * 2 * sign / tied.sum() * s, 0.0)
        G = (U * scale) @ Vt
    return G if X is W else G.T


def facing(W: Matrix, side: str) -> Matrix:
    """W, or Wᵀ for columns, or of the two the one with fewer rows; ``ValueError`` for another side."""
    if side not in ("rows", "columns", "smaller"):
        raise ValueError(f"side must be 'rows' (W Wᵀ = I), 'columns' (Wᵀ W = I) or 'smaller'; got {side!r}")
    return W if side == "rows" or (side == "smaller" and W.shape[0] <= W.shape[1]) else W.T


def _spectrum(X: Matrix) -> tuple[Matrix, NDArray[np.float64], Matrix, bool]:
    """U, s, Vᵀ of X = U diag(s) Vᵀ, and whether X Xᵀ has eigenvalues 0 beside."""
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    return U, s, Vt, X.shape[0] > X.shape[1]


def _defects(s: NDArray[np.float64]) -> NDArray[np.float64]:
    """s² − 1; of s all but zero it is −1, from which s could not be had again."""
    return (s - 1) * (s + 1)


def _estimate(X: Matrix, iterations: int, seed: int) -> tuple[float, Matrix]:
    """f = ‖E^k v‖ / ‖E^{k-1} v‖ and Z with df = ⟨Z, dE⟩; 0 and 0 where a product vanishes.

    With a_j = E^j v:  d‖a_k‖ = ⟨a_k, Σ_{j<k} E^{k-1-j} dE a_j⟩ / ‖a_k‖.
    """
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise ValueError(f"iterations must be None (exact) or a whole number, at least 1; got {iterations!r}")
    generator = random.Random(seed)
    v = np.array([generator.gauss(0.0, 1.0) for _ in range(len(X))])
    E = X @ X.T - np.eye(len(X))
    powers = [v / np.linalg.norm(v)]
    for _ in range(iterations):
        powers.append(E @ powers[-1])
    last, before = (float(np.linalg.norm(a)) for a in (powers[-1], powers[-2]))
    if last == 0 or before == 0:
        return 0.0, np.zeros_like(E)
    f = last / before
    Z = f * (_derivative(E, powers, iterations) - _derivative(E, powers, iterations - 1))
    return f, Z


def _derivative(E: Matrix, powers: list[Matrix], k: int) -> Matrix:
    """The derivative of log ‖E^k v‖ by E."""
    back, Z = powers[k] / float(powers[k] @ powers[k]), np.zeros_like(E)
    for j in reversed(range(k)):
        Z += np.outer(back, powers[j])
        back = E @ back
    return Z
