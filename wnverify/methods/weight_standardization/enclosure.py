"""Weight standardization in balls: w_i = (v_i − μ_i 1) / s_i and its vector-Jacobian product, for small matrices.

Written from equations 15 to 17 of *Centered weight optimization*, with eps added inside or outside the root.  The
gradient follows the chain w = x / s, s = s(q), q = ‖x‖² / m, x = v − μ 1, one partial derivative after the other.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def forward(
    V: Any, *, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False, bits: int = BITS
) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d) and this float64 eps, or for every V in a matrix of balls.

    ``ValueError`` names a row that is not provably other than constant where eps = 0, or a non-finite entry.
    """
    with precision(bits):
        rows = ball_matrix(V, "V").table()
        return flint.arb_mat([_row(i, v, eps, eps_inside, unbiased)[0] for i, v in enumerate(rows)])


def vjp(
    V: Any, A: Any, *, eps: float = 1e-5, eps_inside: bool = True, unbiased: bool = False, bits: int = BITS
) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A.

    ``ValueError`` as in ``forward``, and outside the root also at a constant row with eps > 0, where σ has no
    derivative.
    """
    with precision(bits):
        V, A = ball_matrix(V, "V"), ball_matrix(A, "A")
        gradient = []
        for i, (v, a) in enumerate(zip(V.table(), A.table(), strict=True)):
            w, x, s, sigma, m = _row(i, v, eps, eps_inside, unbiased)
            s_bar = -_inner(a, w) / s
            # ds/dq is 1 / (2 s) for s² = q + eps and 1 / (2 σ) for s = q^{1/2} + eps.
            root = s if eps_inside else sigma
            if not root > 0:
                raise ValueError(f"V must have no constant row; V[{i}, :] is not provably other than constant")
            q_bar = s_bar / (2 * root)
            x_bar = [y / s + q_bar * 2 * z / m for y, z in zip(a, x, strict=True)]
            mean = sum(x_bar, flint.arb(0)) / len(x_bar)
            gradient.append([y - mean for y in x_bar])
        return flint.arb_mat(gradient)


def _row(
    i: int, v: list[flint.arb], eps: float, eps_inside: bool, unbiased: bool
) -> tuple[list[flint.arb], list[flint.arb], flint.arb, flint.arb, int]:
    """w, x, s, σ and m of row i."""
    m = len(v) - 1 if unbiased else len(v)
    if m == 0:
        raise ValueError("V must have d ≥ 2 columns for the unbiased standard deviation; got d = 1")
    mean = sum(v, flint.arb(0)) / len(v)
    x = [y - mean for y in v]
    q = _inner(x, x) / m
    sigma = q.sqrt()
    s = (q + flint.arb(eps)).sqrt() if eps_inside else sigma + flint.arb(eps)
    if not s > 0:
        raise ValueError(f"V must have no constant row; V[{i}, :] is not provably other than constant")
    return [y / s for y in x], x, s, sigma, m


def _inner(a: list[flint.arb], b: list[flint.arb]) -> flint.arb:
    return sum((y * z for y, z in zip(a, b, strict=True)), flint.arb(0))
