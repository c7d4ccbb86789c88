"""Group lasso in NumPy: Σ_g c_g ‖w_g‖₂ over the rows or columns of W (n, d), its subgradient and proximal operator.

M. Yuan and Y. Lin 2006; for networks as the (2,1)-norm in J. Yoon and S. J. Hwang, *Combined group and exclusive
sparsity for deep neural networks*, 2017.  c_g = 1, or the square root of the group's size (Yuan and Lin's).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, scaled_rows


def value(W: Any, *, group: str = "rows", sized: bool = False) -> float:
    """Σ_g c ‖w_g‖₂.  ``ValueError`` names a non-finite entry or an unknown ``group``.

    >>> value([[3.0, 4.0], [0.0, 0.0]]), value([[3.0, 4.0], [0.0, 0.0]], group="columns")
    (5.0, 7.0)
    """
    W = _by_group(as_matrix(W, "W"), group)
    return _weight(W, sized) * float(_norms(W).sum())


def gradient(W: Any, *, group: str = "rows", sized: bool = False) -> Matrix:
    """c w_g / ‖w_g‖₂, and 0 for a zero group: the least of its subgradients, a ball of radius c.

    >>> gradient([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    W = _by_group(as_matrix(W, "W"), group)
    scaled, _ = scaled_rows(W)
    norms = _norms(scaled)
    return _by_group(_weight(W, sized) * np.divide(scaled, norms, out=np.zeros(W.shape), where=norms > 0), group)


def prox(W: Any, step: float, *, group: str = "rows", sized: bool = False) -> Matrix:
    """argmin_X ½ ‖X − W‖² + step × value(X): w_g (1 − step c / ‖w_g‖)₊, zero groups stay.

    ``ValueError`` for a step below 0.

    >>> prox([[3.0, 4.0], [0.0, 0.5]], 1.0)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """
    W = _by_group(as_matrix(W, "W"), group)
    if not 0 <= step < np.inf:
        raise ValueError(f"step must be finite and at least 0; got {step!r}")
    norms = _norms(W)
    left = np.maximum(norms - step * _weight(W, sized), 0.0)
    return _by_group(W * np.divide(left, norms, out=np.zeros(norms.shape), where=norms > 0), group) + 0.0


def _norms(W: Matrix) -> Matrix:
    scaled, exponent = scaled_rows(W)
    return np.asarray(np.ldexp(np.sqrt((scaled * scaled).sum(axis=1, keepdims=True)), exponent))


def _weight(W: Matrix, sized: bool) -> float:
    return math.sqrt(W.shape[1]) if sized else 1.0


def _by_group(W: Matrix, group: str) -> Matrix:
    """One group in each row; its own inverse."""
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be one of rows, columns; got {group!r}")
    return W.T if group == "columns" else W
