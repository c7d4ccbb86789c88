"""L1,∞ projection in NumPy: every row w of W (n, d) to the nearest point with ‖w‖₁ ≤ c.

M. Wen, Y. Xu, Y. Zheng, Z. Yang and X. Wang, *Sparse deep neural networks using L1,∞-weight normalization*,
Statistica Sinica 31 (2021), Algorithms 1 and 2; the latter after J. Duchi et al. 2008.  The paper's columns of Ṽ =
(B, Wᵀ)ᵀ are rows here: a unit's incoming weights together with its bias, which the caller appends as a column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import Matrix
from wnverify.primitives.shrinkage_reference import shrink_rows, shrink_rows_vjp


def project(W: Any, *, c: float = 1.0) -> Matrix:
    """argmin_X ½ ‖X − W‖² over ‖x_i‖₁ ≤ c for every row: W (n, d) itself inside, sgn(w) (|w| − θ)₊ outside.

    ``ValueError`` names a non-finite entry of W, or c below 0.  c = 0 gives zero.

    >>> project([[3.0, -1.0, 0.5], [0.5, 0.25, 0.0]], c=3.0)
    array([[ 2.5 , -0.5 ,  0.  ],
           [ 0.5 ,  0.25,  0.  ]])
    """
    return shrink_rows(W, radius=_radius(c), slope=0.0)


def vjp(W: Any, A: Any, *, c: float = 1.0) -> Matrix:
    """The cotangent A of the projection pulled back: A inside the ball, outside a − s ⟨a, s⟩ / k on the active set.

    s are the signs of the k entries with |w| > θ; other entries get 0.  Where |w| = θ or ‖w‖₁ = c the projection has
    one-sided derivatives only: there these are the ones for smaller |w|.
    """
    return shrink_rows_vjp(W, A, radius=_radius(c), slope=0.0)


def printed_algorithm2(v: Any, c: float) -> NDArray[np.float64]:
    """Algorithm 2 as printed, for one vector v (s,): sort, p*, θ, output; nothing asks whether ‖v‖₁ > c.

    Right for ‖v‖₁ ≥ c > 0.  For ‖v‖₁ < c it *enlarges* v: θ is negative and every non-zero entry grows by |θ|;
    Algorithm 1 calls it for ‖v‖₁ > c only.  For c = 0 no p passes, since μ_p never exceeds the mean of the larger
    ones: p* is the maximum of an empty set, a ``ValueError`` here.

    >>> printed_algorithm2([0.5, -0.25], 1.0)
    array([ 0.625, -0.375])
    """
    v = np.asarray(v, dtype=np.float64)
    mu = -np.sort(-np.abs(v))
    p = np.arange(1, len(v) + 1)
    levels = (np.cumsum(mu) - c) / p
    passing = p[mu - levels > 0]
    if len(passing) == 0:
        raise ValueError(f"p* must be the largest p with μ_p − (1/p)(Σ μ_q − c) > 0; for c = {c} there is none")
    theta = levels[passing.max() - 1]
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - theta, 0.0))


def _radius(c: float) -> float:
    if not 0 <= c < np.inf:
        raise ValueError(f"c must be finite and at least 0; got {c!r}")
    return float(c)
