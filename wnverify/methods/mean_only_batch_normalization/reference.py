"""Mean-only batch normalization in NumPy: y = x − mean over batch and positions + b.

T. Salimans and D. P. Kingma, *Weight normalization*, 2016, section 4 with its unnumbered pair of equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def forward(x: Any, bias: Any = 0.0) -> Array:
    """y of x (batch, units, …): the mean of every unit over batch and positions is b, (units,) or a number.

    >>> forward([[1.0, 5.0], [3.0, 5.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    x = _checked(x)
    bias = np.asarray(bias, dtype=np.float64)
    return np.asarray(_centred(x) + (bias.reshape(-1, *[1] * (x.ndim - 2)) if bias.ndim else bias))


def vjp(x: Any, A: Any) -> tuple[Array, Array]:
    """The gradients by x and by b for the cotangent A: A less its means, and the sums of A."""
    x, A = _checked(x), _checked(A)
    return _centred(A), np.asarray(A.sum(axis=tuple(axis for axis in range(A.ndim) if axis != 1)))


def _centred(x: Array) -> Array:
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    once = x - x.mean(axis=others, keepdims=True)
    return np.asarray(once - once.mean(axis=others, keepdims=True))


def _checked(x: Any) -> Array:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim < 2 or 0 in x.shape:
        raise ValueError(f"x must be (batch, units, …), no axis empty; got shape {x.shape}")
    checked: Array = x
    return checked
