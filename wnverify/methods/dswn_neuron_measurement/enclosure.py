"""DSWN with neuron measurement in balls: W = φ(V) G^{-1} and its vector-Jacobian product, for small matrices.

Written from equations 6, 9 and 10 of *Deep structural weight normalization*; the gradient is the one of φ for the
cotangent A G^{-1}, plus what comes through the column norms r_j = ‖V_C e_j‖: (2/τ) ⟨φ_j, A_j⟩ V_C e_j / r_j, centred.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.methods.orthogonal_weight_normalization import enclosure as orthogonal
from wnverify.oracles.enclosures import BITS, ball_matrix, precision

PERTURBATION = 1e-8


def forward(V: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` where V_C is not proved to have rank n (always for n ≥ d), or for a non-finite entry.
    """
    with precision(bits):
        V = ball_matrix(V, "V")
        scales = column_scales(V, tau=tau, epsilon=epsilon)
        return times_columns(orthogonal.forward(V, bits=bits), scales)


def vjp(V: Any, A: Any, *, tau: float = 1.0, epsilon: float = PERTURBATION, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``."""
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        phi = orthogonal.forward(V, bits=bits)
        direct = orthogonal.vjp(V, times_columns(A, column_scales(V, tau=tau, epsilon=epsilon)), bits=bits)
        return direct + scales_vjp(V, products(phi, A), tau=tau)


def column_scales(V: flint.arb_mat, *, tau: float, epsilon: float) -> list[flint.arb]:
    """s_j = (2 r_j + ε) / τ."""
    return [(2 * r + flint.arb(epsilon)) / flint.arb(tau) for r in _norms(orthogonal.centred(V))]


def scales_vjp(V: flint.arb_mat, scales_bar: list[flint.arb], *, tau: float) -> flint.arb_mat:
    """The cotangent of s pulled back to V: columns (2/τ) s̄_j u_j, u_j = x_j / r_j, rows centred.

    Where r_j is not provably positive the entries of u_j are taken to lie in [−1, 1], which is all that can be said.
    """
    X = orthogonal.centred(V)
    norms, unknown = _norms(X), flint.arb(0, 1)
    rows = [[x / r if r > 0 else unknown for x, r in zip(row, norms, strict=True)] for row in X.table()]
    return orthogonal.centred(times_columns(flint.arb_mat(rows), [2 * bar / flint.arb(tau) for bar in scales_bar]))


def products(X: flint.arb_mat, Y: flint.arb_mat) -> list[flint.arb]:
    """⟨column j of X, column j of Y⟩."""
    columns = zip(X.transpose().table(), Y.transpose().table(), strict=True)
    return [sum((a * b for a, b in zip(x, y, strict=True)), flint.arb(0)) for x, y in columns]


def times_columns(X: flint.arb_mat, scales: list[flint.arb]) -> flint.arb_mat:
    """X diag(scales)."""
    return flint.arb_mat([[x * s for x, s in zip(row, scales, strict=True)] for row in X.table()])


def _norms(X: flint.arb_mat) -> list[flint.arb]:
    return [sum((x * x for x in column), flint.arb(0)).sqrt() for column in X.transpose().table()]
