"""Jacobian regularization in NumPy, for a multilayer perceptron: L = mean over the batch of ‖∂f(x)/∂x‖_F².

J. Sokolić, R. Giryes, G. Sapiro and M. Rodrigues, *Robust large margin deep neural networks*, 2017, who bound the norm;
J. Hoffman, D. A. Roberts and S. Yaida, *Robust learning with Jacobian regularization*, 2019, equation 4 (there with the
factor λ/2) and the estimate by random projections, equation 5.  A penalty on a network, not on a weight.

The network: ``layers`` is a list of (W, b), W (out, in); h ← φ(W h + b) with φ of ``activation`` after all layers but
the last.  The derivative of ReLU at 0 is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import Matrix, as_matrix

ACTIVATIONS: Final = ("tanh", "relu")


def jacobians(layers: Sequence[tuple[Any, Any]], x: Any, *, activation: str = "tanh") -> NDArray[np.float64]:
    """∂f_c/∂x_i for every row of x (B, in): shape (B, out, in); ``ValueError`` for an unknown activation.

    >>> jacobians([([[2.0]], [0.0]), ([[3.0]], [1.0])], [[0.0]])
    array([[[6.]]])
    """
    states, slopes = _forward(layers, x, activation)
    J = np.broadcast_to(np.eye(states[0].shape[1]), (len(states[0]), states[0].shape[1], states[0].shape[1]))
    for (W, _), slope in zip(layers, slopes, strict=True):
        J = slope[:, :, None] * (as_matrix(W, "W") @ J)
    return J


def value(layers: Sequence[tuple[Any, Any]], x: Any, *, activation: str = "tanh") -> float:
    """mean_b ‖J(x_b)‖_F².

    >>> value([([[2.0]], [0.0]), ([[3.0]], [1.0])], [[0.0]])
    36.0
    """
    return float(np.square(jacobians(layers, x, activation=activation)).sum(axis=(1, 2)).mean())


def estimate(layers: Sequence[tuple[Any, Any]], x: Any, v: Any, *, activation: str = "tanh") -> float:
    """mean_b (C / p) Σ_k ‖v_bkᵀ J(x_b)‖² for unit vectors v (B, p, C): its mean over uniform v is ``value``."""
    v = np.asarray(v, dtype=np.float64)
    J = jacobians(layers, x, activation=activation)
    return float(v.shape[2] * np.square(v @ J).sum(axis=2).mean())


def estimate_variance(
    layers: Sequence[tuple[Any, Any]], x: Any, *, projections: int, activation: str = "tanh"
) -> float:
    """The variance of ``estimate`` over independent v, uniform on the unit sphere of C dimensions.

    With A = J Jᵀ one projection has E (C vᵀ A v)² = C (2 tr A² + (tr A)²) / (C + 2), and mean tr A; so a variance of
    2 (C tr A² − (tr A)²) / (C + 2), divided by the number of projections and, for the batch mean, by B twice.
    """
    J = jacobians(layers, x, activation=activation)
    A = J @ J.transpose(0, 2, 1)
    count, C = A.shape[:2]
    traces, squares = np.trace(A, axis1=1, axis2=2), np.square(A).sum(axis=(1, 2))
    return float((2 * (C * squares - traces**2) / (C + 2)).sum() / projections / count**2)


def gradient(layers: Sequence[tuple[Any, Any]], x: Any, *, activation: str = "tanh") -> list[tuple[Matrix, Matrix]]:
    """The derivatives of ``value`` by every (W, b), by one pass back through states and Jacobians.

    Layer l maps h to s(z), z = W h + b, and J to diag(s'(z)) W J.  From cotangents h̄ and J̄ of what leaves it,
    z̄ = s' h̄ + s'' Σ_i J̄_i (W J)_i, and W̄ = z̄ hᵀ + diag(s') J̄ Jᵀ.
    """
    states, slopes = _forward(layers, x, activation)
    weights = [as_matrix(W, "W") for W, _ in layers]
    entering = [np.broadcast_to(np.eye(states[0].shape[1]), (len(states[0]), *[states[0].shape[1]] * 2))]
    for W, slope in zip(weights, slopes, strict=True):
        entering.append(slope[:, :, None] * (W @ entering[-1]))
    J_bar, h_bar = 2 * entering[-1] / len(states[0]), np.zeros_like(states[-1])
    made: list[tuple[Matrix, Matrix]] = []
    for level in reversed(range(len(weights))):
        W, slope, J, h = weights[level], slopes[level], entering[level], states[level]
        last = level == len(weights) - 1
        curvature = -2 * states[level + 1] * slope if activation == "tanh" and not last else np.zeros_like(slope)
        z_bar = slope * h_bar + curvature * (J_bar * (W @ J)).sum(axis=2)
        turned = slope[:, :, None] * J_bar
        made.append((z_bar.T @ h + np.einsum("boi,bji->oj", turned, J), z_bar.sum(axis=0)))
        h_bar, J_bar = z_bar @ W, W.T @ turned
    return made[::-1]


def _forward(
    layers: Sequence[tuple[Any, Any]], x: Any, activation: str
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """The input and every layer's output, and the slopes of its activation."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}")
    states, slopes = [as_matrix(x, "x")], []
    for level, (W, b) in enumerate(layers):
        z = states[-1] @ as_matrix(W, "W").T + np.asarray(b, dtype=np.float64)
        if level == len(layers) - 1:
            states.append(z)
            slopes.append(np.ones_like(z))
        elif activation == "tanh":
            states.append(np.tanh(z))
            slopes.append(1 - states[-1] ** 2)
        else:
            states.append(np.maximum(z, 0.0))
            slopes.append((z > 0).astype(np.float64))
    return states, slopes
