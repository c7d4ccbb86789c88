"""The quintic Newton-Schulz iteration in balls, for small matrices: X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X.

The backward is not written out: with X_ε = X + ε E the derivative along E comes from numbers x + ε y, ε² = 0, with
balls for x and y, one direction for every entry of V; ⟨A, dW⟩ over all of them is the gradient.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision
from wnverify.primitives.singular_values import Step, check_count

Dual = tuple[flint.arb_mat, flint.arb_mat]


def forward(
    V: Any,
    coefficients: Step = (3.4445, -4.7750, 2.0315),
    steps: int = 5,
    eps: float = 1e-7,
    *,
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls; coefficients are float64.

    ``ValueError`` where eps is 0 and V not proved other than zero, or for a non-finite entry.
    """
    with precision(bits):
        V = ball_matrix(V, "V")
        return _map((V, V * 0), coefficients, steps, eps)[0]


def vjp(
    V: Any,
    A: Any,
    coefficients: Step = (3.4445, -4.7750, 2.0315),
    steps: int = 5,
    eps: float = 1e-7,
    *,
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``, also at a zero V."""
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        gradient = flint.arb_mat(V.nrows(), V.ncols())
        for i in range(V.nrows()):
            for j in range(V.ncols()):
                E = V * 0
                E[i, j] = 1
                gradient[i, j] = _inner(A, _map((V, E), coefficients, steps, eps)[1])
        return gradient


def _map(V: Dual, coefficients: Step, steps: int, eps: float) -> Dual:
    check_count(steps, "steps")
    a, b, c = (flint.arb(float(x)) for x in coefficients)
    value, change = V
    norm = _inner(value, value).sqrt()
    length = norm + flint.arb(float(eps))
    if not length > 0:
        raise ValueError("V must not be the zero matrix; it is not provably other")
    along = _inner(value, change)
    if not along.is_zero():
        if not norm > 0:
            raise ValueError("V must not be the zero matrix where it is differentiated; it is not provably other")
        along = along / norm
    X = value / length, change / length - along * value / (length * length)
    for _ in range(steps):
        Xt = X[0].transpose(), X[1].transpose()
        R = _product(X, Xt)
        cubic = _product(R, X)
        quintic = _product(R, cubic)
        X = (a * X[0] + b * cubic[0] + c * quintic[0], a * X[1] + b * cubic[1] + c * quintic[1])
    return X


def _product(A: Dual, B: Dual) -> Dual:
    return A[0] * B[0], A[0] * B[1] + A[1] * B[0]


def _inner(A: flint.arb_mat, B: flint.arb_mat) -> flint.arb:
    return sum((x * y for x, y in zip(A.entries(), B.entries(), strict=True)), flint.arb(0))
