"""DSWN with neuron measurement in NumPy: W = φ(V) G^{-1}, φ(V) = Σ^{-1/2} V_C, G = diag(g), equations 6, 9 and 10.

*Deep structural weight normalization*, section 3.2.  The reading taken: g_j = τ / (2 ‖x_j‖₂ + ε) with x_j = V_C e_j the
j-th column of the *centred* V, τ = 1 and ε a small positive number ("ε → 0"), against the infinite g_j of a zero
column.  Both letters are lost in the text; should they be one, that is ``epsilon=tau``.  Undefined unless V_C (n, d)
has rank n, which needs n ≤ d − 1.  W G² Wᵀ = I.

Derivative.  With the scales s_j = 1 / g_j = (2 ‖x_j‖ + ε) / τ, the unit columns u_j = x_j / ‖x_j‖ (zero where x_j is),
and J the symmetric Jacobian of φ,

    dW = (J E) diag(s) + φ diag(2 ⟨u_j, E_C e_j⟩ / τ),
    ∂L/∂V = J (A diag(s)) + [u_j · 2 ⟨φ_j, A_j⟩ / τ]_j, centred.

The second parts are what a gradient with G held constant, as equations 11 and 12 take it, leaves out.  At a zero column
the map is differentiable once: φ_j vanishes with x_j.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
from wnverify.primitives.reference import Matrix, as_matrix, centre_rows

PERTURBATION = 1e-8


def forward(V: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Matrix:
    """W = φ(V) diag(s), s_j = (2 ‖column j of V_C‖ + ε) / τ.

    V, W (n, d).  ``ValueError`` names a non-finite entry of V, or the shape and the numerical rank of V_C below n, or
    a τ that is not positive, or a negative ε.

    >>> forward([[3.0, 1.0]], epsilon=0.0) * 2**0.5
    array([[ 2., -2.]])
    """
    V = as_matrix(V, "V")
    W, scales = orthogonal.factors(V)[0], column_scales(V, tau=tau, epsilon=epsilon)
    return np.asarray(W * scales)


def vjp(V: Any, A: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Matrix:
    """The gradient by V for the cotangent A of W, G depending on V included; V, A (n, d); errors as in ``forward``."""
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    scales = column_scales(V, tau=tau, epsilon=epsilon)
    W, D, s = orthogonal.factors(V)
    return orthogonal.pulled_back(W, D, s, A * scales) + scales_vjp(V, (W * A).sum(axis=0), tau=tau)


def jvp(V: Any, E: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Matrix:
    """The change of W along the direction E of V; errors as in ``forward``."""
    V = as_matrix(V, "V")
    E = as_matrix(E, "E", V.shape)
    scales = column_scales(V, tau=tau, epsilon=epsilon)
    W, D, s = orthogonal.factors(V)
    along = (_unit_columns(V) * centre_rows(E)).sum(axis=0)
    return np.asarray(orthogonal.pulled_back(W, D, s, E) * scales + W * (2 * along / tau))


def printed_backward(V: Any, A: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Matrix:
    """Equations 11 and 12 to the letter, with this G taken as a constant: not the gradient, nor that with G constant.

    V, A (n, d); errors as in ``forward``, and a ``ValueError`` at equal eigenvalues of Σ.
    """
    scales = column_scales(as_matrix(V, "V"), tau=tau, epsilon=epsilon)
    return orthogonal.printed_backward(V, A, inverse_g=scales)


def repaired_backward(V: Any, A: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION) -> Matrix:
    """Equations 11 and 12 with line 3 mended: the gradient if G were a constant, so not that of equation 10 (``vjp``).

    V, A (n, d); errors as in ``printed_backward``.
    """
    scales = column_scales(as_matrix(V, "V"), tau=tau, epsilon=epsilon)
    return orthogonal.repaired_backward(V, A, inverse_g=scales)


def column_scales(V: Matrix, *, tau: float, epsilon: float) -> Matrix:
    """s = 1 / g, shape (1, d)."""
    if not 0 < tau < np.inf:
        raise ValueError(f"tau must be positive and finite; got {tau!r}")
    if not 0 <= epsilon < np.inf:
        raise ValueError(f"epsilon must be finite and at least 0; got {epsilon!r}")
    return np.asarray((2 * _column_norms(V) + epsilon) / tau)


def scales_vjp(V: Matrix, scales_bar: Any, *, tau: float) -> Matrix:
    """The cotangent of s pulled back to V: columns u_j · 2 s̄_j / τ, rows centred."""
    return centre_rows(_unit_columns(V) * (2 * np.asarray(scales_bar) / tau))


def _column_norms(V: Matrix) -> Matrix:
    X = orthogonal.centred(V)
    _, exponent = np.frexp(np.abs(X).max(axis=0, keepdims=True))
    return np.asarray(np.ldexp(np.linalg.norm(np.ldexp(X, -exponent), axis=0, keepdims=True), exponent))


def _unit_columns(V: Matrix) -> Matrix:
    X, norms = orthogonal.centred(V), _column_norms(V)
    return np.divide(X, norms, out=np.zeros_like(X), where=norms > 0)
