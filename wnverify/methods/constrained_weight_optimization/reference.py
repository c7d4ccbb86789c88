"""The sphere-and-centring update of *Constrained weight optimization* in NumPy: equations 9 to 14 and Algorithm 1.

Equation 9 asks for the nearest point to X = W − α G, row by row, with ‖w‖² = c and 1ᵀw = 0.  The nearest point is
√c x̂ / ‖x̂‖ with x̂ = x − mean(x): the *whole* row is centred.  Equation 11 centres the gradient alone, which is the same
only where 1ᵀw = 0 held before the step; and equations 12 to 14 leave out √c, so that they give rows of norm 1.
Undefined where x̂ = 0 (a constant row, always for d = 1): then every point of the set is as near.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import (
    Matrix,
    as_matrix,
    centre_and_normalize_rows,
    centre_rows,
    normalize_rows,
    normalize_rows_vjp,
)


def project(W: Any, *, c: float = 2.0, update: str = "projection") -> Matrix:
    """√c ŵ / ‖ŵ‖ with ŵ = w − mean(w), or ``update="printed"`` √c w / ‖w‖ (the last line of Algorithm 1); W (n, d).

    ``ValueError`` names a constant row (printed: a zero row), a non-finite entry, or c unless positive and finite.

    >>> project([[3.0, 5.0]])
    array([[-1.,  1.]])
    """
    return math.sqrt(_squared_radius(c)) * _directions(as_matrix(W, "W"), update)[0]


def vjp(W: Any, A: Any, *, c: float = 2.0, update: str = "projection") -> Matrix:
    """The cotangent A of ``project`` pulled back: √c (â − ⟨â, u⟩ u) / ‖ŵ‖ with u the direction; W, A (n, d)."""
    W = as_matrix(W, "W")
    A = as_matrix(A, "A", W.shape)
    unit, norms = _directions(W, update)
    A = centre_rows(A) if update == "projection" else A
    return math.sqrt(_squared_radius(c)) * normalize_rows_vjp(unit, norms, A)


def transform(W: Any, G: Any, *, c: float = 2.0, update: str = "projection") -> Matrix:
    """The zero-mean gradient of Algorithm 1, g − (1ᵀg) 1 / d, for either update; W, G (n, d)."""
    return centre_rows(as_matrix(G, "G", as_matrix(W, "W").shape))


def solution(W: Any, G: Any, lr: float, c: float = 2.0) -> Matrix:
    """The minimiser of equation 9: ``project(W − lr G)``, whatever the mean of W; W, G (n, d).

    ``ValueError`` names a row where W − lr G is constant: the minimiser is not unique.
    """
    W = as_matrix(W, "W")
    return project(W - lr * as_matrix(G, "G", W.shape), c=c)


def printed_update(W: Any, G: Any, lr: float, c: float = 2.0) -> Matrix:
    """Algorithm 1 and equation 11 to the letter: √c w̃ / ‖w̃‖ with w̃ = w − lr (g − (1ᵀg) 1 / n), n the d of here.

    ``ValueError`` names a row with w̃ = 0.
    """
    return math.sqrt(_squared_radius(c)) * normalize_rows(_stepped(W, G, lr))[0]


def printed_coefficients(W: Any, G: Any, lr: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(β, α') of equations 13 and 14 as printed, one of each a row, (n, 1): 1 − 1 / ‖w̃‖ and lr / ‖w̃‖."""
    norms = normalize_rows(_stepped(W, G, lr))[1]
    return 1 - 1 / norms, lr / norms


def coefficients(W: Any, G: Any, lr: float, c: float = 2.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(β, α') with which equation 12 is equation 11 for every c: 1 − √c / ‖w̃‖ and √c lr / ‖w̃‖."""
    radius = math.sqrt(_squared_radius(c))
    norms = normalize_rows(_stepped(W, G, lr))[1]
    return 1 - radius / norms, radius * lr / norms


def printed_eq12(W: Any, G: Any, lr: float) -> Matrix:
    """Equation 12 with the coefficients as printed: (1 − β) w − α' (g − mean(g)).  Rows of norm 1, not √c."""
    return _eq12(W, G, *printed_coefficients(W, G, lr))


def eq12(W: Any, G: Any, lr: float, c: float = 2.0) -> Matrix:
    """Equation 12 with the right coefficients: the same as ``printed_update``."""
    return _eq12(W, G, *coefficients(W, G, lr, c))


def _eq12(W: Any, G: Any, beta: NDArray[np.float64], alpha: NDArray[np.float64]) -> Matrix:
    W = as_matrix(W, "W")
    stepped: Matrix = (1 - beta) * W - alpha * centre_rows(as_matrix(G, "G", W.shape))
    return stepped


def _stepped(W: Any, G: Any, lr: float) -> Matrix:
    W = as_matrix(W, "W")
    stepped: Matrix = W - lr * centre_rows(as_matrix(G, "G", W.shape))
    return stepped


def _directions(W: Matrix, update: str) -> tuple[Matrix, Matrix]:
    """Rows of unit norm, centred for the projection, and the norms that were divided by."""
    if update not in ("projection", "printed"):
        raise ValueError(f"update must be 'projection' or 'printed'; got {update!r}")
    if update == "printed":
        return normalize_rows(W)
    return centre_and_normalize_rows(W)


def _squared_radius(c: float) -> float:
    if not 0 < c < math.inf:
        raise ValueError(f"c must be a finite squared radius above 0; got {c!r}")
    return c
