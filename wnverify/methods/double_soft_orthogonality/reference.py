"""Double soft orthogonality in NumPy: L(W) = ‖Wᵀ W − I‖_F² + ‖W Wᵀ − I‖_F², W (n, d).

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.2.  Meant to mend what soft orthogonality cannot do where one side is over-complete; but the two Gram matrices
share their nonzero eigenvalues, so that

    L(W) = 2 ‖W Wᵀ − I‖_F² + d − n,    gradient 8 (W Wᵀ − I) W:

it is soft orthogonality with twice the factor, and a constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix


def value(W: Any) -> float:
    """‖Wᵀ W − I‖_F² + ‖W Wᵀ − I‖_F², each from its own Gram matrix; ``ValueError`` names a non-finite entry.

    >>> value([[2.0, 0.0]])
    19.0
    """
    rows, columns = _defects(as_matrix(W, "W"))
    return float(np.square(rows).sum() + np.square(columns).sum())


def gradient(W: Any) -> Matrix:
    """4 (W Wᵀ − I) W + 4 W (Wᵀ W − I): twice the same.

    >>> gradient([[2.0, 0.0]])
    array([[48.,  0.]])
    """
    W = as_matrix(W, "W")
    rows, columns = _defects(W)
    G: Matrix = 4 * rows @ W + 4 * W @ columns
    return G


def _defects(W: Matrix) -> tuple[Matrix, Matrix]:
    return W @ W.T - np.eye(W.shape[0]), W.T @ W - np.eye(W.shape[1])
