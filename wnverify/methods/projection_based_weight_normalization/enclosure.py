"""Projection based weight normalization in balls: w / ‖w‖ and the gradient less its part along w, for small matrices.

Written from equations 4 and 6 of *Norm loss*, with w as a column.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def project(W: Any, *, riemannian: bool = False, bits: int = BITS) -> flint.arb_mat:
    """Balls around w / ‖w‖; ``ValueError`` names a row not proved to be other than zero."""
    with precision(bits):
        return flint.arb_mat([_unit(i, w)[0] for i, w in enumerate(ball_matrix(W, "W").table())])


def vjp(W: Any, A: Any, *, riemannian: bool = False, bits: int = BITS) -> flint.arb_mat:
    """Balls around the cotangent A of ``project`` pulled back."""
    with precision(bits):
        return flint.arb_mat(
            [
                [x / norm for x in _less_along(unit, a)]
                for (unit, norm), a in zip(_units(W), ball_matrix(A, "A").table(), strict=True)
            ]
        )


def transform(W: Any, G: Any, *, riemannian: bool = False, bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient of the step: G, or ``riemannian`` g − ⟨g, ŵ⟩ ŵ."""
    with precision(bits):
        gradient = ball_matrix(G, "G")
        if not riemannian:
            return gradient
        rows = zip(_units(W), gradient.table(), strict=True)
        return flint.arb_mat([_less_along(unit, g) for (unit, _), g in rows])


def _units(W: Any) -> list[tuple[list[flint.arb], flint.arb]]:
    return [_unit(i, w) for i, w in enumerate(ball_matrix(W, "W").table())]


def _unit(i: int, w: list[flint.arb]) -> tuple[list[flint.arb], flint.arb]:
    norm = sum((x * x for x in w), flint.arb(0)).sqrt()
    if not norm > 0:
        raise ValueError(f"V must have no zero row; V[{i}, :] is not provably other than zero")
    return [x / norm for x in w], norm


def _less_along(unit: list[flint.arb], g: list[flint.arb]) -> list[flint.arb]:
    along = sum((x * y for x, y in zip(unit, g, strict=True)), flint.arb(0))
    return [y - along * x for x, y in zip(unit, g, strict=True)]
