"""Spectral normalization in NumPy: W = V / σ, σ = σ_1(V) the largest singular value of V (n, d).

T. Miyato, T. Kataoka, M. Koyama and Y. Yoshida, *Spectral normalization for generative adversarial networks*, 2018,
equation 8, with σ exact instead of estimated by power iteration.  Undefined at the zero matrix.

Derivative.  With u, v the leading singular pair, dσ = uᵀ E v for E = dV, so dW = (E − (uᵀ E v) W) / σ.  Where σ is a
repeated singular value the map has no derivative; the pair that the decomposition happens to give then yields a limit
of derivatives at points nearby (V + t u vᵀ, t ↓ 0), an element of Clarke's generalized Jacobian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import Matrix, as_matrix


def forward(V: Any) -> Matrix:
    """W = V / σ_1(V), of spectral norm 1.

    V, W (n, d).  ``ValueError`` for the zero matrix, or naming a non-finite entry of V.

    >>> forward([[0.0, 2.0], [4.0, 0.0]])
    array([[0. , 0.5],
           [1. , 0. ]])
    """
    return _decomposed(as_matrix(V, "V"))[0]


def vjp(V: Any, A: Any) -> Matrix:
    """The gradient by V for the cotangent A of W: (A − ⟨A, W⟩ u vᵀ) / σ; V, A (n, d); errors as in ``forward``."""
    V = as_matrix(V, "V")
    W, sigma, u, v = _decomposed(V)
    A = as_matrix(A, "A", V.shape)
    return np.asarray((A - (A * W).sum() * np.outer(u, v)) / sigma)


def jvp(V: Any, E: Any) -> Matrix:
    """The change of W along the direction E of V: (E − (uᵀ E v) W) / σ, not the same as ``vjp(V, E)``."""
    V = as_matrix(V, "V")
    W, sigma, u, v = _decomposed(V)
    E = as_matrix(E, "E", V.shape)
    return np.asarray((E - (u @ E @ v) * W) / sigma)


def _decomposed(V: Matrix) -> tuple[Matrix, np.float64, NDArray[np.float64], NDArray[np.float64]]:
    """W, σ, u and v."""
    if not V.any():
        raise ValueError(f"V must not be zero: its largest singular value is divided by; got shape {V.shape}")
    _, exponent = np.frexp(np.abs(V).max())
    X = np.ldexp(V, -exponent)  # no square over- or underflows
    u = np.linalg.svd(X, full_matrices=False)[0][:, 0]
    v = u @ X
    sigma = np.linalg.norm(v)  # misses by the square only of what u misses
    return X / sigma, np.ldexp(sigma, exponent), u, v / sigma
