"""Gram-Schmidt on the rows, in order, and its vector-Jacobian product in balls, for small matrices.

This is the QR decomposition Vᵀ = Q R with diag(R) > 0 and W = Qᵀ, and another route than the triangular solves of
``reference``: the gradient runs the recurrence w_i = x_i / ‖x_i‖, x_i = v_i − Σ_{j < i} ⟨v_i, w_j⟩ w_j backwards.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision

Row = list[flint.arb]


def forward(V: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` names a row that is not provably outside the span of those before it, or a non-finite entry.
    """
    with precision(bits):
        return flint.arb_mat(_gram_schmidt(ball_matrix(V, "V").table())[0])


def vjp(V: Any, A: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``."""
    with precision(bits):
        rows, cotangent = ball_matrix(V, "V").table(), ball_matrix(A, "A").table()
        W, norms = _gram_schmidt(rows)
        gradient: list[Row] = [[] for _ in rows]
        for i in reversed(range(len(rows))):
            along = _inner(cotangent[i], W[i])
            x_bar = [(a - along * w) / norms[i] for a, w in zip(cotangent[i], W[i], strict=True)]
            v_bar = x_bar
            for j in range(i):
                of_v, of_x = _inner(rows[i], W[j]), _inner(x_bar, W[j])
                v_bar = [g - of_x * w for g, w in zip(v_bar, W[j], strict=True)]
                cotangent[j] = [a - of_v * x - of_x * v for a, x, v in zip(cotangent[j], x_bar, rows[i], strict=True)]
            gradient[i] = v_bar
        return flint.arb_mat(gradient)


def _gram_schmidt(rows: list[Row]) -> tuple[list[Row], list[flint.arb]]:
    """The rows of W and the norms ‖x_i‖."""
    W: list[Row] = []
    norms: list[flint.arb] = []
    for i, v in enumerate(rows):
        x = v
        for w in W:
            along = _inner(v, w)
            x = [y - along * z for y, z in zip(x, w, strict=True)]
        norm = _inner(x, x).sqrt()
        if not norm > 0:
            shape = (len(rows), len(v))
            raise ValueError(
                f"V must have full row rank, n ≤ d; got shape {shape}, and V[{i}, :] is not provably outside the span "
                "of the rows before it"
            )
        W.append([y / norm for y in x])
        norms.append(norm)
    return W, norms


def _inner(a: Row, b: Row) -> flint.arb:
    return sum((y * z for y, z in zip(a, b, strict=True)), flint.arb(0))
