"""Centred weight normalization in balls: w_i = v̂_i / ‖v̂_i‖ and its vector-Jacobian product, for small matrices.

Written from the supplement of Huang et al., *Centered weight normalization*, 2017, equation 3 and the line after it.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def forward(V: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` names a row that is constant (or not provably otherwise) or a non-finite entry.
    """
    with precision(bits):
        V = ball_matrix(V, "V")
        return flint.arb_mat([_row(i, v)[0] for i, v in enumerate(V.table())])


def vjp(V: Any, A: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A: equation 3, row by row, in exactly that form."""
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        gradient = []
        for i, (v, a) in enumerate(zip(V.table(), A.table(), strict=True)):
            w, norm = _row(i, v)
            along = sum((x * y for x, y in zip(a, w, strict=True)), flint.arb(0))
            mean = sum(a, flint.arb(0)) / len(a)
            gradient.append([(y - along * x - mean) / norm for x, y in zip(w, a, strict=True)])
        return flint.arb_mat(gradient)


def _row(i: int, v: list[flint.arb]) -> tuple[list[flint.arb], flint.arb]:
    """w and ‖v̂‖ of row i."""
    mean = sum(v, flint.arb(0)) / len(v)
    hat = [x - mean for x in v]
    norm = sum((x * x for x in hat), flint.arb(0)).sqrt()
    if not norm > 0:
        raise ValueError(f"V must have no constant row; V[{i}, :] is not provably other than constant")
    return [x / norm for x in hat], norm
