"""Weight decay in NumPy: L(W) = Σ w² (``convention="sum"``, equation 9 of *Norm loss*) or ½ Σ w² (``"half"``).

The gradient is 2 w (equation 10) or w.  PyTorch's ``weight_decay=λ`` of SGD adds λ w to the gradient: factor λ with
``"half"``, λ/2 with ``"sum"``; factors tuned with one convention are off by two in the other.  Decoupled weight decay
(Loshchilov and Hutter 2019) is a step of its own, W ← W − η λ ∂L/∂W, beside that of the optimiser.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix

SLOPES: Final = {"sum": 2.0, "half": 1.0}
"""∂L/∂w = slope × w."""


def value(W: Any, *, convention: str = "sum") -> float:
    """Σ w², or half of it, W (n, d).  ``ValueError`` for another convention or a non-finite entry.

    >>> value([[1.0, 2.0]]), value([[1.0, 2.0]], convention="half")
    (5.0, 2.5)
    """
    return slope(convention) / 2 * float(np.square(as_matrix(W, "W")).sum())


def gradient(W: Any, *, convention: str = "sum") -> Matrix:
    """2 W, or W."""
    G: Matrix = slope(convention) * as_matrix(W, "W")
    return G


def prox(W: Any, step: float, *, convention: str = "sum") -> Matrix:
    """argmin_X ½ ‖X − W‖² + step × value(X) = W / (1 + slope × step); ``ValueError`` for a step below 0.

    >>> prox([[3.0]], 1.0)
    array([[1.]])
    """
    if not 0 <= step < np.inf:
        raise ValueError(f"step must be finite and at least 0; got {step!r}")
    X: Matrix = as_matrix(W, "W") / (1 + slope(convention) * step)
    return X


def decoupled(W: Any, rate: float, factor: float, *, convention: str = "sum") -> Matrix:
    """(1 − η λ slope) W: the decoupled step; the gradient step on λ L where the optimiser is plain gradient descent."""
    moved: Matrix = (1 - rate * factor * slope(convention)) * as_matrix(W, "W")
    return moved


def slope(convention: str) -> float:
    """2 for ``"sum"``, 1 for ``"half"``; ``ValueError`` for anything else."""
    if convention not in SLOPES:
        raise ValueError(f"convention must be 'sum' (Σ w²) or 'half' (½ Σ w²); got {convention!r}")
    return SLOPES[convention]
