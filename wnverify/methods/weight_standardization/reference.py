"""Weight standardization in NumPy: w_i = (v_i − μ_i 1) / s_i for every row v_i of V (n, d).

S. Qiao, H. Wang, C. Liu, W. Shen and A. Yuille, *Weight standardization*, 2019; equations 15 to 17 of *Centered weight
optimization* print it without eps.  With x = v − μ 1 and σ = ‖x‖ / √m, the divisor s has these readings:

    eps_inside       s = (σ² + eps)^{1/2}       smooth everywhere
    not eps_inside   s = σ + eps                as the public code has it, once differentiable at a constant row
    eps = 0          s = σ                      as equation 15 prints it, undefined at a constant row

and m = d, as equation 17 prints it, or m = d − 1 (``unbiased``, as the public code has it).

Derivative.  For E = dx the divisor moves by ds = c ⟨w, E⟩ with c = 1/m inside and for eps = 0, c = s / (m σ) outside,
so dw = (E − c ⟨w, E⟩ w) / s.  This is symmetric in E and dw, and so is centring: the Jacobian is symmetric.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wnverify.primitives.reference import Matrix, as_matrix, centre_rows, constant_rows, scaled_rows


def forward(V: Any, *, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False) -> Matrix:
    """W with w_i = (v_i − μ_i 1) / s_i; a constant row becomes zero where eps > 0.

    V, W (n, d).  ``ValueError`` names a non-finite entry of V, a constant row where eps = 0, a negative eps, or d = 1
    where ``unbiased``.

    >>> forward([[2.0, 4.0]], eps=0.0)
    array([[-1.,  1.]])
    """
    return _standardized(as_matrix(V, "V"), eps, eps_inside, unbiased)[0]


def vjp(V: Any, A: Any, *, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False) -> Matrix:
    """The gradient by V for the cotangent A of W: (a − c ⟨w, a⟩ w) / s in every row, a centred first.

    V, A (n, d).  At a constant row, eps > 0, it is a / eps or a / eps^{1/2}, centred.  Errors as in ``forward``.
    """
    V = as_matrix(V, "V")
    W, s, c = _standardized(V, eps, eps_inside, unbiased)
    A = centre_rows(as_matrix(A, "A", V.shape))
    G: Matrix = (A - c * (A * W).sum(axis=1, keepdims=True) * W) / s
    return G


def jvp(V: Any, E: Any, *, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False) -> Matrix:
    """The change of W along the direction E of V: equal to ``vjp(V, E)``, the Jacobian being symmetric."""
    return vjp(V, E, eps=eps, eps_inside=eps_inside, unbiased=unbiased)


def printed_eq18(A: Any) -> Matrix:
    """Equation 18 as printed: ∇_w = ∇_ŵ − (1/d) (1ᵀ ∇_ŵ) 1 in every row of A = ∇_ŵ (n, d).

    Not the gradient by w: neither 1/σ nor the part along ŵ is there.  It is, where its ∇_ŵ is read as the gradient by
    the *centred* w.
    """
    A = as_matrix(A, "A")
    return np.asarray(A - A.sum(axis=1, keepdims=True) / A.shape[1])


def printed_eq19(V: Any, G: Any) -> Matrix:
    """Equation 19 as printed: ∇_ŵ = (1/σ) (∇_w − (1/d) ⟨ŵ, ∇_w⟩ ŵ) in every row of G = ∇_w (n, d), eps = 0.

    As printed it says that the gradient by ŵ follows from the one by w, which is not so: w ↦ ŵ forgets mean and scale.
    With the two symbols exchanged it is the gradient by the *centred* w.
    """
    V = as_matrix(V, "V")
    W, sigma, c = _standardized(V, 0.0, True, False)
    G = as_matrix(G, "G", V.shape)
    return np.asarray((G - c * (G * W).sum(axis=1, keepdims=True) * W) / sigma)


def printed_gradient(V: Any, A: Any) -> Matrix:
    """Equations 18 and 19 together, read so that they are right: 18 of 19 of A = ∇_ŵ; 19 of 18 gives the same.

    The inner result is the gradient by the centred w, for which the paper has no symbol of its own.  V, A (n, d);
    errors as ``forward`` with eps = 0.
    """
    return printed_eq18(printed_eq19(V, A))


def _standardized(V: Matrix, eps: float, eps_inside: bool, unbiased: bool) -> tuple[Matrix, Matrix, Matrix]:
    """W, s and c, the last two (n, 1)."""
    d = V.shape[1]
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps must be finite and at least 0; got {eps!r}")
    if unbiased and d == 1:
        raise ValueError("V must have d ≥ 2 columns for the unbiased standard deviation; got d = 1")
    if eps == 0 and len(constant := constant_rows(V)):
        raise ValueError(f"V must have no constant row; got V[{constant[0]}, :] = {V[constant[0], 0]:.6g}")
    m = d - 1 if unbiased else d
    scaled, exponent = scaled_rows(V)
    X = centre_rows(scaled)
    small = np.sqrt((X * X).sum(axis=1, keepdims=True) / m)  # σ of the scaled row
    sigma = np.ldexp(small, exponent)
    if eps == 0:
        return X / small, sigma, np.full_like(sigma, 1 / m)
    s = np.hypot(sigma, math.sqrt(eps)) if eps_inside else sigma + eps
    W = X / np.where(small > 0, small, 1.0) * (sigma / s)
    if eps_inside:
        return W, s, np.full_like(sigma, 1 / m)
    # Below the smallest normal number σ / eps is nothing: the term with c is left out.
    seen = sigma >= np.finfo(np.float64).tiny
    return W, s, np.where(seen, s / (m * np.where(seen, sigma, 1.0)), 0.0)
