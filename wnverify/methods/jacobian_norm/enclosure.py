"""Jacobian regularization in balls, for a small multilayer perceptron with tanh or ReLU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(layers: Sequence[tuple[Any, Any]], x: Any, *, activation: str = "tanh", bits: int = BITS) -> flint.arb:
    """A ball around mean_b ‖∂f(x_b)/∂x_b‖_F²; ``layers`` a list of (W, b), ``activation`` after all but the last.

    ``ValueError`` where the argument of a ReLU is neither proved positive nor proved 0 or less.
    """
    with precision(bits):
        batch = ball_matrix(x, "x").table()
        total = flint.arb(0)
        for row in batch:
            h = flint.arb_mat([[z] for z in row])
            J = flint.arb_mat([[int(i == j) for j in range(len(row))] for i in range(len(row))])
            for level, (W, b) in enumerate(layers):
                M = ball_matrix(W, "W")
                z = M * h + flint.arb_mat([[float(c)] for c in b])
                slopes = [flint.arb(1)] * M.nrows()
                h = z
                if level < len(layers) - 1:
                    pairs = [_activate(c, activation) for c in z.entries()]
                    h, slopes = flint.arb_mat([[p[0]] for p in pairs]), [p[1] for p in pairs]
                J = flint.arb_mat([[s * c for c in r] for s, r in zip(slopes, (M * J).table(), strict=True)])
            total += sum((c * c for c in J.entries()), flint.arb(0))
        return total / len(batch)


def _activate(z: flint.arb, activation: str) -> tuple[flint.arb, flint.arb]:
    """φ(z) and φ'(z)."""
    if activation == "tanh":
        y = z.tanh()
        return y, 1 - y * y
    if z > 0:
        return z, flint.arb(1)
    if z <= 0:
        return flint.arb(0), flint.arb(0)
    raise ValueError(f"the argument of a ReLU must be decided; {z} may be of either sign")
