"""Combined group and exclusive sparsity in NumPy: (1 − μ) Σ_g ‖w_g‖₂ + (μ/2) Σ_g ‖w_g‖₁² of W (n, d).

J. Yoon and S. J. Hwang, *Combined group and exclusive sparsity for deep neural networks*, 2017; μ grows from layer to
layer, μ_l = m + (1 − 2m) l / (L − 1) for l = 0 … L − 1, as in the program published with it (m = 0.2).

*Groups.*  In that program both parts sum over the output units, so a group is what leaves one input (of a kernel: one
tap of one channel), a column of W; that is the default.  ``lasso_group`` and ``exclusive_group`` are arguments, since
the text ("weights from the same neuron") can be read as rows too, and (2,1)-norms often take whole units.

*Prox.*  With both parts on the same groups, x minimises ½ ‖x − v‖² + α ‖x‖₂ + (β/2) ‖x‖₁² exactly if

    v − x ∈ α ∂‖x‖₂ + β ‖x‖₁ ∂‖x‖₁,   hence   x = u (1 − α / ‖u‖₂)₊,  u = sgn(v) (|v| − θ)₊,  θ = β ‖x‖₁.

θ is the root of θ = β ‖u‖₁ (1 − α / ‖u‖₂)₊: the left side grows, the right one falls, so there is one root, and it is
bracketed by 0 and the θ of α = 0.  The composition of the two operators, whatever its order, has another threshold
(that of β ‖·‖₁ before or after the shrinking), since ‖·‖₁² is not homogeneous of degree 1: it is not the prox of the
sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, scaled_rows
from wnverify.primitives.shrinkage_reference import shrink_rows


def mixing(index: int, count: int, *, m: float = 0.2) -> float:
    """μ of layer ``index`` of ``count``, from 0: m + (1 − 2m) index / (count − 1); ½, the mean, for a single layer.

    >>> [round(mixing(l, 4), 12) for l in range(4)], mixing(0, 1)
    ([0.2, 0.4, 0.6, 0.8], 0.5)
    """
    return m + (1 - 2 * m) * index / (count - 1) if count > 1 else 0.5


def value(W: Any, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns") -> float:
    """(1 − μ) Σ ‖w_g‖₂ + (μ/2) Σ ‖w_g‖₁².  ``ValueError`` names a non-finite entry, an unknown group, a μ beyond [0,
    1].

    >>> value([[3.0], [4.0]])
    14.75
    """
    W, mu = as_matrix(W, "W"), _checked(mu)
    lasso = _norms(_by_group(W, lasso_group)).sum()
    exclusive = (np.abs(_by_group(W, exclusive_group)).sum(axis=1) ** 2).sum() / 2
    return float((1 - mu) * lasso + mu * exclusive)


def gradient(W: Any, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns") -> Matrix:
    """(1 − μ) w / ‖w_g‖₂ + μ ‖w_g‖₁ sgn(w), each part 0 where its group or w is zero.

    >>> gradient([[3.0], [4.0], [0.0]])
    array([[3.8],
           [3.9],
           [0. ]])
    """
    W, mu = as_matrix(W, "W"), _checked(mu)
    X, Y = _by_group(W, lasso_group), _by_group(W, exclusive_group)
    scaled, _ = scaled_rows(X)
    norms = _norms(scaled)
    lasso = np.divide(scaled, norms, out=np.zeros(X.shape), where=norms > 0)
    exclusive = np.abs(Y).sum(axis=1, keepdims=True) * np.sign(Y)
    return np.asarray((1 - mu) * _by_group(lasso, lasso_group) + mu * _by_group(exclusive, exclusive_group))


def prox(
    W: Any, step: float, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns"
) -> Matrix:
    """argmin_X ½ ‖X − W‖² + step × value(X) where both parts have the same groups; else ``ValueError``.

    ``ValueError`` for a step below 0.

    >>> prox([[3.0], [4.0]], 1.0).ravel()
    array([1.16797556, 1.98987008])
    """
    W, mu = as_matrix(W, "W"), _checked(mu)
    if lasso_group != exclusive_group:
        raise ValueError(
            "lasso_group and exclusive_group must be the same for a prox of the sum; "
            f"got {lasso_group!r} and {exclusive_group!r}: sequential_prox takes one after the other"
        )
    step = _step(step)
    V = _by_group(W, lasso_group)
    alpha, beta = step * (1 - mu), step * mu
    size = np.abs(V)
    if beta == 0 or alpha == 0:
        return _by_group(_lasso(V, alpha) if beta == 0 else _exclusive(V, beta), lasso_group)
    weight = min(1 / beta, np.finfo(np.float64).max)
    high = (size - np.abs(_exclusive(V, beta))).max(axis=1, keepdims=True)
    low = np.zeros_like(high)
    for _ in range(2 * 64):  # halving a float64 bracket: after that it is one number or its neighbour
        middle = (low + high) / 2
        u = np.maximum(size - middle, 0.0)
        under = u.sum(axis=1, keepdims=True) * _left(_norms(u), alpha) > weight * middle
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return _by_group(_lasso(np.copysign(np.maximum(size - (low + high) / 2, 0.0), V), alpha), lasso_group)


def sequential_prox(
    W: Any, step: float, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns"
) -> Matrix:
    """The exact prox of the group lasso part, then that of the exclusive part: not the prox of their sum.

    The error is of the order step², and 0 for μ = 0 and μ = 1.
    """
    W, mu, step = as_matrix(W, "W"), _checked(mu), _step(step)
    shrunk = _by_group(_lasso(_by_group(W, lasso_group), step * (1 - mu)), lasso_group)
    return _by_group(_exclusive(_by_group(shrunk, exclusive_group), step * mu), exclusive_group)


def printed_prox(
    W: Any, step: float, *, mu: float = 0.5, lasso_group: str = "columns", exclusive_group: str = "columns"
) -> Matrix:
    """The update of the published program: block soft-thresholding, then sgn(x) (|x| − step μ ‖x_g‖₁)₊.

    Beside the order, the second threshold is taken from the argument instead of the result.  Where the program divides
    by the norm of a zero group it gets 0 · (−∞), NaN; here a zero group stays.  Its constants that weigh the layers of
    one network are left out.
    """
    W, mu, step = as_matrix(W, "W"), _checked(mu), _step(step)
    shrunk = _by_group(_lasso(_by_group(W, lasso_group), step * (1 - mu)), lasso_group)
    X = _by_group(shrunk, exclusive_group)
    level = step * mu * np.abs(X).sum(axis=1, keepdims=True)
    return _by_group(np.sign(X) * np.maximum(np.abs(X) - level, 0.0), exclusive_group) + 0.0


def _lasso(V: Matrix, alpha: float) -> Matrix:
    return np.asarray(V * _left(_norms(V), alpha) + 0.0)


def _exclusive(V: Matrix, beta: float) -> Matrix:
    return shrink_rows(V, radius=0.0, slope=min(1 / beta, np.finfo(np.float64).max)) if beta else V


def _left(norms: Matrix, alpha: float) -> Matrix:
    """(1 − α / r)₊, 0 for r = 0."""
    return np.divide(np.maximum(norms - alpha, 0.0), norms, out=np.zeros(norms.shape), where=norms > 0)


def _norms(W: Matrix) -> Matrix:
    scaled, exponent = scaled_rows(W)
    return np.asarray(np.ldexp(np.sqrt((scaled * scaled).sum(axis=1, keepdims=True)), exponent))


def _step(step: float) -> float:
    if not 0 <= step < np.inf:
        raise ValueError(f"step must be finite and at least 0; got {step!r}")
    return step


def _checked(mu: float) -> float:
    if not 0 <= mu <= 1:
        raise ValueError(f"mu must lie between 0 and 1; got {mu!r}")
    return mu


def _by_group(W: Matrix, group: str) -> Matrix:
    """One group in each row; its own inverse."""
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be one of rows, columns; got {group!r}")
    return W.T if group == "columns" else W
