"""Exclusive sparsity in NumPy: ½ Σ_g ‖w_g‖₁² over the rows or columns of W (n, d), its subgradient and prox.

Y. Zhou, R. Jin and S. C. H. Hoi 2010; equation 7 of *Deep structural weight normalization*; for networks the
(1,2)-norm in J. Yoon and S. J. Hwang, *Combined group and exclusive sparsity for deep neural networks*, 2017.

Which weights make a group is open: "the weights from the same neuron at each layer ... will enforce each output
neuron to compete for input neurons".  Competing for an input are the weights that leave it, a column of W; the
program published with the paper of 2017 sums over output units too.  So columns are the default here; rows are the
other reading, where "the same neuron" is the output unit, as in DSWN's W of n rows for n units: every unit then
selects few inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix
from wnverify.primitives.shrinkage_reference import shrink_rows


def value(W: Any, *, group: str = "columns") -> float:
    """½ Σ_g ‖w_g‖₁².  ``ValueError`` names a non-finite entry or an unknown ``group``.

    >>> value([[1.0, -2.0], [0.0, 1.0]]), value([[1.0, -2.0], [0.0, 1.0]], group="rows")
    (5.0, 5.0)
    """
    W = _by_group(as_matrix(W, "W"), group)
    return float((np.abs(W).sum(axis=1) ** 2).sum() / 2)


def gradient(W: Any, *, group: str = "columns") -> Matrix:
    """‖w_g‖₁ sgn(w), and 0 where w = 0: of the subgradients ‖w_g‖₁ [−1, 1] there the one of least norm.

    >>> gradient([[1.0, -2.0], [0.0, 1.0]])
    array([[ 1., -3.],
           [ 0.,  3.]])
    """
    W = _by_group(as_matrix(W, "W"), group)
    return _by_group(np.abs(W).sum(axis=1, keepdims=True) * np.sign(W), group)


def prox(W: Any, step: float, *, group: str = "columns") -> Matrix:
    """argmin_X ½ ‖X − W‖² + step × value(X): sgn(w) (|w| − θ)₊ with θ = step S_k / (1 + step k) for every group.

    S_k is the sum of the k largest |w| of the group, those above θ: the optimality condition says that θ = step ‖x_g‖₁.
    ``ValueError`` for a step below 0.

    >>> prox([[3.0], [1.5], [0.5]], 0.5).ravel()
    array([1.875, 0.375, 0.   ])
    """
    W = _by_group(as_matrix(W, "W"), group)
    if not 0 <= step < np.inf:
        raise ValueError(f"step must be finite and at least 0; got {step!r}")
    slope = min(1 / step, np.finfo(np.float64).max) if step else 0.0
    return _by_group(shrink_rows(W, radius=0.0, slope=slope) if step else W, group)


def printed_prox(W: Any, step: float, *, group: str = "columns") -> Matrix:
    """sgn(w) (|w| − step ‖w_g‖₁)₊: the threshold of the papers, taken from w where optimality asks for it from x.

    That is how equation 8 of *Deep structural weight normalization* reads, and the program of Yoon and Hwang.  It is a
    step of first order: the error is of the order step², and for step ≥ 1 every group becomes zero, which the minimiser
    never is unless w_g is.  A group of one entry w: (1 − step)₊ w here, w / (1 + step) is right.

    >>> printed_prox([[3.0]], 1.0), prox([[3.0]], 1.0)
    (array([[0.]]), array([[1.5]]))
    """
    W = _by_group(as_matrix(W, "W"), group)
    level = step * np.abs(W).sum(axis=1, keepdims=True)
    return _by_group(np.sign(W) * np.maximum(np.abs(W) - level, 0.0), group) + 0.0


def _by_group(W: Matrix, group: str) -> Matrix:
    """One group in each row; its own inverse."""
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be one of rows, columns; got {group!r}")
    return W.T if group == "columns" else W
