"""DSWN with both measurements in balls: the two maps one after the other, and their vector-Jacobian product."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.methods.dswn_neuron_measurement import enclosure as neuron
from wnverify.methods.dswn_sparsity_measurement import enclosure as sparsity
from wnverify.methods.orthogonal_weight_normalization import enclosure as orthogonal
from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def forward(
    V: Any,
    *,
    order: str = "nm-sm",
    tau: float = 1.0,
    epsilon: float = neuron.PERTURBATION,
    eta: float = 1e-3,
    update: str = "printed",
    group: str = "rows",
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d); errors as in the two methods, or another ``order``."""
    with precision(bits):
        V = ball_matrix(V, "V")
        phi, scales = orthogonal.forward(V, bits=bits), neuron.column_scales(V, tau=tau, epsilon=epsilon)
        if _scaled_first(order):
            return sparsity.shrink(neuron.times_columns(phi, scales), eta=eta, update=update, group=group)
        return neuron.times_columns(sparsity.shrink(phi, eta=eta, update=update, group=group), scales)


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
    bits: int = BITS,
) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in the two methods, or another ``order``."""
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        phi, scales = orthogonal.forward(V, bits=bits), neuron.column_scales(V, tau=tau, epsilon=epsilon)
        if _scaled_first(order):
            scaled = neuron.times_columns(phi, scales)
            A = sparsity.shrink_vjp(scaled, A, eta=eta, update=update, group=group)
            scales_bar, phi_bar = neuron.products(phi, A), neuron.times_columns(A, scales)
        else:
            scales_bar = neuron.products(sparsity.shrink(phi, eta=eta, update=update, group=group), A)
            A = neuron.times_columns(A, scales)
            phi_bar = sparsity.shrink_vjp(phi, A, eta=eta, update=update, group=group)
        return orthogonal.vjp(V, phi_bar, bits=bits) + neuron.scales_vjp(V, scales_bar, tau=tau)


def _scaled_first(order: str) -> bool:
    if order not in ("nm-sm", "sm-nm"):
        raise ValueError(f"order must be nm-sm or sm-nm; got {order!r}")
    return order == "nm-sm"
