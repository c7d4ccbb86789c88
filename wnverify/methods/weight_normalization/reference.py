"""Weight normalization in NumPy: w_i = g_i v_i / ‖v_i‖ for every row v_i of V (n, d).

T. Salimans and D. P. Kingma, *Weight normalization*, 2016, equations 2 (forward) and 3 (gradients).
Undefined at a zero row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnverify.primitives.reference import Matrix, as_matrix, normalize_rows, normalize_rows_vjp


def forward(V: Any, g: Any = None) -> Matrix:
    """W with w_i = g_i v_i / ‖v_i‖ (equation 2); without ``g`` every g_i is 1.

    V (n, d), g (n,), W (n, d).  ``ValueError`` names a zero row or a non-finite entry of V, or a wrong shape of g.

    >>> forward([[3.0, 4.0]], [10.0])
    array([[6., 8.]])
    """
    V = as_matrix(V, "V")
    W, _ = normalize_rows(V)
    return _gain(g, V) * W


def vjp(V: Any, A: Any) -> Matrix:
    """The gradient by V for the cotangent A of W, with g = 1: (a_i − ⟨a_i, w_i⟩ w_i) / ‖v_i‖.

    V, A (n, d).  The Jacobian is symmetric: the map is the gradient of Σ_i ‖v_i‖.  Errors as in ``forward``.

    >>> vjp([[0.0, 2.0]], [[1.0, 1.0]])
    array([[0.5, 0. ]])
    """
    V = as_matrix(V, "V")
    W, norms = normalize_rows(V)
    return normalize_rows_vjp(W, norms, as_matrix(A, "A", V.shape))


def vjp_with_gain(V: Any, g: Any, A: Any) -> tuple[Matrix, NDArray[np.float64]]:
    """The gradients by V (n, d) and by g (n,) for the cotangent A of W, as equation 3 states them.

    ∇_g = ⟨a_i, v_i⟩ / ‖v_i‖ and ∇_v = (g_i / ‖v_i‖) a_i − (g_i ∇_g / ‖v_i‖²) v_i.  Errors as in ``forward``.
    """
    V = as_matrix(V, "V")
    W, norms = normalize_rows(V)
    A, gain = as_matrix(A, "A", V.shape), _gain(g, V)
    return gain * normalize_rows_vjp(W, norms, A), (A * W).sum(axis=1)


def jvp(V: Any, E: Any) -> Matrix:
    """The change of W, with g = 1, along the direction E of V: equal to ``vjp(V, E)``, the Jacobian being symmetric."""
    return vjp(V, E)


def _gain(g: Any, V: Matrix) -> Matrix:
    if g is None:
        return np.ones((len(V), 1))
    gain = np.asarray(g, dtype=np.float64)
    if gain.shape != (len(V),):
        raise ValueError(f"g must have one entry for each of the {len(V)} rows of V; got shape {gain.shape}")
    return gain[:, None]
