"""The quintic Newton-Schulz iteration in NumPy: X_0 = V / (‖V‖_F + eps), X ← a X + (b A + c A²) X, A = X Xᵀ.

K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024, with (a, b, c) = (3.4445, −4.7750,
2.0315) and five steps; there the gradient is so treated, here the weight.  Every singular value s goes through
s (a + b s² + c s⁴): with those coefficients it does not converge to one but stays near it, with (15, −10, 3) / 8 it
converges.  For n > d the same on Vᵀ, which in exact arithmetic is the same map.  Zero stays zero.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix
from wnverify.primitives.singular_values import Step, check_count

MUON: Final[Step] = (3.4445, -4.7750, 2.0315)


def forward(V: Any, coefficients: Step = MUON, steps: int = 5, eps: float = 1e-7) -> Matrix:
    """W (n, d) of V (n, d).  ``ValueError`` names a non-finite entry, or a zero V where ``eps`` is 0.

    >>> forward([[3.0, 4.0]], coefficients=(1.5, -0.5, 0.0), eps=0.0)
    array([[0.6, 0.8]])
    """
    W = _states(as_matrix(V, "V"), coefficients, steps, eps)[-1]
    return W.T if W.shape != np.shape(V) else W


def vjp(V: Any, A: Any, coefficients: Step = MUON, steps: int = 5, eps: float = 1e-7) -> Matrix:
    """The gradient by V for the cotangent A of W, V and A (n, d); options and errors as in ``forward``.

    With R = X Xᵀ, P = bR + cR² and A the cotangent of the next X, that of X is aA + PA + (K + Kᵀ) X, where
    K = bE + c (E R + R E) for E = A Xᵀ.  At V = 0 the derivative is that of V / eps.
    """
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    wide = len(V) <= V.shape[1]
    A = A if wide else A.T
    states = _states(V, coefficients, steps, eps)
    a, b, c = coefficients
    for X in reversed(states[:-1]):
        R, E = X @ X.T, A @ X.T
        K = b * E + c * (E @ R + R @ E)
        A = a * A + (b * R + c * (R @ R)) @ A + (K + K.T) @ X
    X, exponent, norm = states[0], *_norm(V)
    length = norm + np.ldexp(eps, -exponent)
    along = (A * X).sum() / norm * X if norm > 0 else 0.0
    G: Matrix = np.ldexp(A / length - along, -exponent)
    return G if wide else G.T


def limit(V: Any) -> Matrix:
    """U Q for V = U diag(s) Q with positive s only, the polar factor of V: where converging coefficients go.

    Singular values up to max(n, d) u times the largest count as zero.
    """
    V = as_matrix(V, "V")
    U, s, Q = np.linalg.svd(np.ldexp(V, -_norm(V)[0]), full_matrices=False)
    keep = s > max(V.shape) * 2.0**-53 * s[0]
    W: Matrix = U[:, keep] @ Q[keep]
    return W


def _norm(V: Matrix) -> tuple[int, float]:
    """(e, ‖2^-e V‖_F) with the largest |entry| of 2^-e V in [1/2, 1), so that no square over- or underflows."""
    exponent = int(np.frexp(np.abs(V).max())[1])
    return exponent, float(np.linalg.norm(np.ldexp(V, -exponent)))


def _states(V: Matrix, coefficients: Step, steps: int, eps: float) -> list[Matrix]:
    """X_0, …, X_T, transposed where n > d."""
    check_count(steps, "steps")
    exponent, norm = _norm(V)
    if eps == 0 and norm == 0:
        raise ValueError("V must not be the zero matrix; it is")
    X = np.ldexp(V, -exponent) / (norm + np.ldexp(eps, -exponent))
    states = [X if len(V) <= V.shape[1] else X.T]
    a, b, c = coefficients
    for _ in range(steps):
        X = states[-1]
        R = X @ X.T
        states.append(a * X + (b * R + c * (R @ R)) @ X)
    return states
