"""Spectral norm regularization in NumPy: L(W) = ½ σ_1(W)², σ_1 the largest singular value of W (n, d).

Y. Yoshida and T. Miyato, *Spectral norm regularization for improving the generalizability of deep learning*, 2017,
equation 3, one layer of it: the loss is that of the task + λ/2 Σ_l σ_1(W_l)².  They estimate σ_1 by one step of power
iteration and take σ_1 u vᵀ for the gradient; here both are exact.

Where σ_1 is repeated, k times, the convex L has the subgradients σ_1 U M Vᵀ, M ⪰ 0, tr M = 1.  The shortest is taken,
M = I / k: it depends on W alone, not on the choice of singular vectors.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from wnverify.primitives.reference import UNIT_ROUNDOFF, Matrix, as_matrix

TIED: Final = 8.0
"""Squares of singular values within TIED · min(n, d) · u of the largest, relatively, count as equal to it."""


def value(W: Any) -> float:
    """½ σ_1², W (n, d); ``ValueError`` names a non-finite entry.

    >>> value([[3.0, 4.0]])
    12.5
    """
    _, s, _, exponent = _decomposed(as_matrix(W, "W"))
    return float(np.ldexp(s[0] * s[0] / 2, 2 * exponent))


def gradient(W: Any) -> Matrix:
    """σ_1 u vᵀ, the mean of the k such terms where σ_1 is repeated.

    >>> gradient([[2.0, 0.0], [0.0, 2.0]])
    array([[1., 0.],
           [0., 1.]])
    """
    U, s, Vt, exponent = _decomposed(as_matrix(W, "W"))
    k = int((s * s >= s[0] * s[0] * (1 - TIED * len(s) * UNIT_ROUNDOFF)).sum())
    G: Matrix = np.ldexp(s[0] / k * U[:, :k] @ Vt[:k], exponent)
    return G


def _decomposed(W: Matrix) -> tuple[Matrix, Matrix, Matrix, int]:
    """The singular value decomposition of W 2^-e, entries below 1, and e."""
    exponent = int(np.frexp(np.abs(W).max())[1])
    U, s, Vt = np.linalg.svd(np.ldexp(W, -exponent), full_matrices=False)
    return U, s, Vt, exponent
