"""DSWN with sparsity measurement in balls: the shrunk φ(V) and its vector-Jacobian product, for small matrices.

Written from equations 6 to 8 of *Deep structural weight normalization* and, for the proximal point, from its condition
of optimality: with θ = η ‖w_g‖_1, w = φ − θ sign(φ) where |φ| > θ and w = 0 where |φ| < θ, which only the minimiser
meets.  A support is guessed from midpoints and then proved.
"""

from __future__ import annotations

from typing import Any

import flint

from wnverify.methods.orthogonal_weight_normalization import enclosure as orthogonal
from wnverify.oracles.enclosures import BITS, ball_matrix, precision

Group = list[flint.arb]


def forward(
    V: Any, *, eta: float = 1e-3, update: str = "printed", group: str = "rows", bits: int = BITS
) -> flint.arb_mat:
    """Balls around W for exactly this float64 V (n, d), or for every V in a matrix of balls.

    ``ValueError`` where V_C is not proved to have rank n (always for n ≥ d), for a non-finite entry, and where it
    cannot be decided whether an entry is kept.
    """
    with precision(bits):
        return shrink(orthogonal.forward(V, bits=bits), eta=eta, update=update, group=group)


def vjp(
    V: Any, A: Any, *, eta: float = 1e-3, update: str = "printed", group: str = "rows", bits: int = BITS
) -> flint.arb_mat:
    """Balls around the gradient by V for the cotangent A of W; errors as in ``forward``, and for an undecided sign."""
    with precision(bits):
        phi, A = orthogonal.forward(V, bits=bits), ball_matrix(A, "A")
        return orthogonal.vjp(V, shrink_vjp(phi, A, eta=eta, update=update, group=group), bits=bits)


def shrink(Y: flint.arb_mat, *, eta: float, update: str, group: str) -> flint.arb_mat:
    """sign(y) (|y| − θ)_+ group by group."""

    def shrunk(y: Group) -> Group:
        if len(y) == 1:
            return [_share(eta, update) * y[0]]
        theta, _ = _threshold(y, eta, update)
        return [(x - _sign(x) * theta) if _kept(x, theta) else flint.arb(0) for x in y]

    return _grouped(group, shrunk, Y)


def shrink_vjp(Y: flint.arb_mat, A: flint.arb_mat, *, eta: float, update: str, group: str) -> flint.arb_mat:
    """The cotangent A of ``shrink`` pulled back: kept a, less η (or η / (1 + η k)) sign(y) × the sum of sign(y) a over
    what is kept, for every entry whose size counts in θ."""

    def pulled_back(y: Group, a: Group) -> Group:
        if len(y) == 1:
            return [_share(eta, update) * a[0]]
        theta, c = _threshold(y, eta, update)
        kept = [_kept(x, theta) for x in y]
        inner = sum((_sign(x) * b for x, b, k in zip(y, a, kept, strict=True) if k), flint.arb(0))
        counted = kept if update == "prox" else [True] * len(y)
        return [
            (b if k else flint.arb(0)) - (c * _sign(x) * inner if t else flint.arb(0))
            for x, b, k, t in zip(y, a, kept, counted, strict=True)
        ]

    return _grouped(group, pulled_back, Y, A)


def _threshold(y: Group, eta: float, update: str) -> tuple[flint.arb, flint.arb]:
    """θ and its derivative c by the sum of the sizes that count."""
    rate, size = flint.arb(eta), [abs(x) for x in y]
    if update == "printed":
        return rate * sum(size, flint.arb(0)), rate
    if update != "prox":
        raise ValueError(f"update must be printed or prox; got {update!r}")
    falling = sorted(size, key=lambda x: float(x.mid()), reverse=True)
    for k in range(len(falling), 0, -1):
        c = rate / (1 + rate * k)
        theta = c * sum(falling[:k], flint.arb(0))
        if all(x > theta for x in falling[:k]) and all(x <= theta for x in falling[k:]):
            return theta, c
    if all(x == 0 for x in size):
        return flint.arb(0), rate
    raise ValueError(f"V must lie provably off the borders of the supports at {flint.ctx.prec} bits")


def _share(eta: float, update: str) -> flint.arb:
    """What is left of an entry alone in its group, where shrinking is linear."""
    rate = flint.arb(eta)
    if update == "printed":
        return 1 - rate if eta < 1 else flint.arb(0)
    if update != "prox":
        raise ValueError(f"update must be printed or prox; got {update!r}")
    return 1 / (1 + rate)


def _kept(x: flint.arb, theta: flint.arb) -> bool:
    if abs(x) > theta:
        return True
    if abs(x) <= theta:
        return False
    raise ValueError(f"V must lie provably off the borders of the supports at {flint.ctx.prec} bits")


def _sign(x: flint.arb) -> int:
    if x > 0 or x < 0:
        return 1 if x > 0 else -1
    if x == 0:
        return 0
    raise ValueError(f"V must give entries of decided sign at {flint.ctx.prec} bits")


def _grouped(group: str, function: Any, *matrices: flint.arb_mat) -> flint.arb_mat:
    if group not in ("rows", "columns"):
        raise ValueError(f"group must be rows or columns; got {group!r}")
    turned = [X if group == "rows" else X.transpose() for X in matrices]
    made = flint.arb_mat([function(*each) for each in zip(*(X.table() for X in turned), strict=True)])
    return made if group == "rows" else made.transpose()
