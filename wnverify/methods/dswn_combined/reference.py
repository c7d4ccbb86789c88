"""DSWN with both measurements in NumPy: columns scaled as by the neuron measurement, entries shrunk as by the sparsity
measurement, in either order.

*Deep structural weight normalization*, conclusion: "we have tried to combine the two methods"; how is not said.  Read
as one map after the other, with φ = Σ^{-1/2} V_C, s_j = (2 ‖V_C e_j‖ + ε) / τ and the shrinkage of equation 8 (or the
proximal point):  ``"nm-sm"``: W = shrink(φ diag(s));  ``"sm-nm"``: W = shrink(φ) diag(s).  The two differ: thresholds
of the first see scaled columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.methods.dswn_neuron_measurement import reference as neuron
from wnverify.methods.dswn_sparsity_measurement import reference as sparsity
from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
from wnverify.primitives.reference import Matrix, as_matrix

ORDERS = ("nm-sm", "sm-nm")


def forward(
    V: Any,
    *,
    order: str = "nm-sm",
    tau: float = 1.0,
    epsilon: float = neuron.PERTURBATION,
    eta: float = 1e-3,
    update: str = "printed",
    group: str = "rows",
) -> Matrix:
    """W; V, W (n, d).  Options and errors as in the two methods, and a ``ValueError`` for another ``order``.

    >>> forward([[3.0, 1.0]], epsilon=0.0, eta=0.25) * 2**0.5
    array([[ 1., -1.]])
    """
    phi, scales = orthogonal.factors(as_matrix(V, "V"))[0], _scales(V, order, tau, epsilon)
    if order == "nm-sm":
        return sparsity.shrink(phi * scales, eta=eta, update=update, group=group)
    return np.asarray(sparsity.shrink(phi, eta=eta, update=update, group=group) * scales)


def vjp(
    V: Any,
    A: Any,
    *,
    order: str = "nm-sm",
    tau: float = 1.0,
    epsilon: float = neuron.PERTURBATION,
    eta: float = 1e-3,
    update: str = "printed",
    group: str = "rows",
) -> Matrix:
    """The gradient by V for the cotangent A of W; V, A (n, d); errors as in ``forward``."""
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    (phi, D, s), scales = orthogonal.factors(V), _scales(V, order, tau, epsilon)
    if order == "nm-sm":
        A = sparsity.shrink_vjp(phi * scales, A, eta=eta, update=update, group=group)
        phi_bar, scales_bar = A * scales, (phi * A).sum(axis=0)
    else:
        scales_bar = (sparsity.shrink(phi, eta=eta, update=update, group=group) * A).sum(axis=0)
        phi_bar = sparsity.shrink_vjp(phi, A * scales, eta=eta, update=update, group=group)
    return orthogonal.pulled_back(phi, D, s, phi_bar) + neuron.scales_vjp(V, scales_bar, tau=tau)


def _scales(V: Any, order: str, tau: float, epsilon: float) -> Matrix:
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {order!r}")
    return neuron.column_scales(as_matrix(V, "V"), tau=tau, epsilon=epsilon)
