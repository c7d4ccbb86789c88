"""Scale and bias with noise in NumPy: y_i = (1 + n_i) γ_i x_i + β_i for inputs (batch, units, …).

D. Ikami, G. Irie and T. Shibata, *Constrained weight optimization for learning without activation normalization*,
equations 6 (no noise), 7 (noise) and 8 (its size from layer to layer).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def forward(x: Any, gamma: Any, beta: Any, noise: Any = 0.0) -> Array:
    """Equation 7: y = (1 + n) γ x + β with n broadcast against x (0: equation 6).

    x (batch, units, …), γ and β (units,).  ``ValueError`` unless the second axis of x is as long as γ and β.

    >>> forward([[1.0, 2.0]], gamma=[2.0, 3.0], beta=[0.0, 1.0], noise=[[0.5, 0.0]])
    array([[3., 7.]])
    """
    x, gamma, beta = _checked(x, gamma, beta)
    return np.asarray((1.0 + np.asarray(noise, dtype=np.float64)) * gamma * x + beta)


def vjp(x: Any, gamma: Any, beta: Any, A: Any, noise: Any = 0.0) -> tuple[Array, Array, Array]:
    """The gradients by x, γ and β for the cotangent A of y: (1 + n) γ a, Σ (1 + n) x a and Σ a over all but units."""
    x, gamma, beta = _checked(x, gamma, beta)
    A = np.asarray(A, dtype=np.float64)
    factor = 1.0 + np.asarray(noise, dtype=np.float64)
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    return np.asarray(factor * gamma * A), np.asarray((factor * x * A).sum(axis=others)), A.sum(axis=others)


def noise_of_layer(index: int, count: int, sigma: float, *, growth: str = "constant") -> float:
    """σ_l of layer ``index`` of ``count``, from 1: σ (``constant``), or equation 8, σ l / L (``linear``).

    >>> [noise_of_layer(l, 4, 0.8, growth="linear") for l in (1, 2, 4)]
    [0.2, 0.4, 0.8]
    """
    if not 1 <= index <= count:
        raise ValueError(f"index must be from 1 to {count}; got {index}")
    if growth == "constant":
        return sigma
    if growth == "linear":
        return sigma * index / count
    raise ValueError(f"growth must be 'constant' or 'linear'; got {growth!r}")


def _checked(x: Any, gamma: Any, beta: Any) -> tuple[Array, Array, Array]:
    x = np.asarray(x, dtype=np.float64)
    gamma, beta = (np.asarray(value, dtype=np.float64) for value in (gamma, beta))
    if x.ndim < 2 or gamma.shape != beta.shape or gamma.shape != x.shape[1:2]:
        raise ValueError(
            f"x must be (batch, units, …) with γ and β (units,); got shapes {x.shape}, {gamma.shape} and {beta.shape}"
        )
    column = (-1,) + (1,) * (x.ndim - 2)
    return x, gamma.reshape(column), beta.reshape(column)
