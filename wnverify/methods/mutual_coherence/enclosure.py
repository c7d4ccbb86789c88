"""Mutual coherence regularization in balls: ‖W Wᵀ − I‖_∞ and its gradient where one entry is the largest."""

from __future__ import annotations

from typing import Any

import flint

from wnverify.oracles.enclosures import BITS, ball_matrix, precision


def value(W: Any, *, side: str = "rows", norm: str = "entry", bits: int = BITS) -> flint.arb:
    """A ball around the penalty of exactly this float64 W (n, d), or of every W in a matrix of balls."""
    with precision(bits):
        sizes = _sizes(_defect(ball_matrix(W, "W"), side), norm)
        largest = sizes[0][0]
        for x in (x for row in sizes for x in row):
            largest = largest.max(x)
        return largest


def gradient(W: Any, *, side: str = "rows", norm: str = "entry", bits: int = BITS) -> flint.arb_mat:
    """Balls around the gradient; ``ValueError`` unless one entry (with its mirror) or row sum is proved largest."""
    with precision(bits):
        W = ball_matrix(W, "W")
        E = _defect(W, side)
        sizes = _sizes(E, norm)
        places = [(i, j) for i, row in enumerate(sizes) for j in range(len(row))]
        best = max(places, key=lambda k: sizes[k[0]][k[1]].mid())
        for i, j in places:
            if (i, j) not in (best, best[::-1]) and not sizes[i][j] < sizes[best[0]][best[1]]:
                raise ValueError(f"W must have one largest of |W Wᵀ − I|; {(i, j)} and {best} are not told apart")
        Z = flint.arb_mat(E.nrows(), E.ncols())
        for j in range(E.ncols()):
            if norm == "row_sum" or j == best[1]:
                Z[best[0], j] = _sign(E[best[0], j])
        S = Z + Z.transpose()
        G: flint.arb_mat = S * W if side == "rows" else W * S
        return G


def _sign(x: flint.arb) -> flint.arb:
    if x > 0 or x < 0 or x == 0:
        return x.sgn()
    raise ValueError(f"the sign of {x} is not decided")


def _sizes(E: flint.arb_mat, norm: str) -> list[list[flint.arb]]:
    if norm == "entry":
        return [[abs(x) for x in row] for row in E.table()]
    return [[sum((abs(x) for x in row), flint.arb(0))] for row in E.table()]


def _defect(W: flint.arb_mat, side: str) -> flint.arb_mat:
    X = W if side == "rows" else W.transpose()
    identity = flint.arb_mat([[int(i == j) for j in range(X.nrows())] for i in range(X.nrows())])
    return X * X.transpose() - identity
