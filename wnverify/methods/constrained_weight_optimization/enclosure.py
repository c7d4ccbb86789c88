"""The sphere-and-centring update in balls: √c ŵ / ‖ŵ‖ and the zero-mean gradient, for small matrices.

Written from equation 9 and Algorithm 1 of *Constrained weight optimization*.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def project(W: Any, *, c: float = 2.0, update: str = "projection", bits: int = BITS) -> flint.arb_mat:
    """Balls around √c x / ‖x‖, x the centred row (``update="printed"``: the row itself).

    ``ValueError`` names a row with x not proved to be other than zero.
    """
    with precision(bits):
        radius = flint.arb(c).sqrt()
        return flint.arb_mat([[radius * x for x in unit] for unit, _ in _directions(W, update)])


def vjp(W: Any, A: Any, *, c: float = 2.0, update: str = "projection", bits: int = BITS) -> flint.arb_mat:
    """Balls around the cotangent A of ``project`` pulled back."""
    with precision(bits):
        radius, gradient = flint.arb(c).sqrt(), []
        for (unit, norm), a in zip(_directions(W, update), ball_matrix(A, "A").table(), strict=True):
            a = _centred(a) if update == "projection" else a
            along = sum((x * y for x, y in zip(unit, a, strict=True)), flint.arb(0))
            gradient.append([radius * (y - along * x) / norm for x, y in zip(unit, a, strict=True)])
        return flint.arb_mat(gradient)


def transform(W: Any, G: Any, *, c: float = 2.0, update: str = "projection", bits: int = BITS) -> flint.arb_mat:
    """Balls around g − (1ᵀg) 1 / d."""
    with precision(bits):
        return flint.arb_mat([_centred(g) for g in ball_matrix(G, "G").table()])


def _directions(W: Any, update: str) -> list[tuple[list[flint.arb], flint.arb]]:
    found = []
    for i, w in enumerate(ball_matrix(W, "W").table()):
        x = _centred(w) if update == "projection" else w
        norm = sum((y * y for y in x), flint.arb(0)).sqrt()
        if not norm > 0:
            wanted = "constant" if update == "projection" else "zero"
            raise ValueError(f"V must have no {wanted} row; V[{i}, :] is not provably other than {wanted}")
        found.append(([y / norm for y in x], norm))
    return found


def _centred(v: list[flint.arb]) -> list[flint.arb]:
    mean = sum(v, flint.arb(0)) / len(v)
    return [x - mean for x in v]
