"""L1 penalty in NumPy: Σ_ij |w_ij|, its subgradient and its proximal operator, soft-thresholding.

Compared with in M. Wen et al. 2021, section 5.5: λ Σ ‖W‖_{1,1}.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix


def value(W: Any) -> float:
    """Σ_ij |w_ij|, W (n, d).  ``ValueError`` names a non-finite entry.

    >>> value([[1.0, -2.0], [0.0, 0.5]])
    3.5
    """
    return float(np.abs(as_matrix(W, "W")).sum())


def gradient(W: Any) -> Matrix:
    """sgn(w), and 0 where w = 0: of the subgradients [−1, 1] there the one of least norm."""
    return np.sign(as_matrix(W, "W"))


def prox(W: Any, step: float) -> Matrix:
    """argmin_X ½ ‖X − W‖² + step Σ |x_ij|: sgn(w) (|w| − step)₊.  ``ValueError`` for a step below 0.

    >>> prox([[1.0, -2.0], [0.0, 0.5]], 0.75)
    array([[ 0.25, -1.25],
           [ 0.  ,  0.  ]])
    """
    W = as_matrix(W, "W")
    if not 0 <= step < np.inf:
        raise ValueError(f"step must be finite and at least 0; got {step!r}")
    return np.asarray(np.sign(W) * np.maximum(np.abs(W) - step, 0.0)) + 0.0
