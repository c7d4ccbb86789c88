"""Rows of root mean square 1 in balls: w_i = √d v_i / ‖v_i‖ and its vector-Jacobian product, from the formula alone."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def forward(V: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around W for exactly this V (n, d).  ``ValueError`` names a row that is not provably non-zero."""
    with precision(bits):
        V = ball_matrix(V, "V")
        root = flint.arb(V.ncols()).sqrt()
        return flint.arb_mat([[root * x / r for x in v] for v, r in zip(V.table(), _norms(V), strict=True)])


def vjp(V: Any, A: Any, *, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A: √d (a / r − ⟨a, v⟩ v / r³), r = ‖v‖, in every row."""
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        root = flint.arb(V.ncols()).sqrt()
        gradient = []
        for v, a, r in zip(V.table(), A.table(), _norms(V), strict=True):
            inner = sum((x * y for x, y in zip(a, v, strict=True)), flint.arb(0))
            gradient.append([root * (y / r - inner * x / r**3) for x, y in zip(v, a, strict=True)])
        return flint.arb_mat(gradient)


def _norms(V: flint.arb_mat) -> list[flint.arb]:
    norms = [sum((x * x for x in v), flint.arb(0)).sqrt() for v in V.table()]
    for i, norm in enumerate(norms):
        if not norm > 0:
            raise ValueError(f"V must have no zero row; V[{i}, :] is not provably non-zero")
    return norms
