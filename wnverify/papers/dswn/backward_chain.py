"""DSWN, section 3.3: the lines of eqs. 11 and 12 as printed, and points in exact numbers.

    X = V − c 1ᵀ,   Σ = X Xᵀ = D Λ Dᵀ,   P = D Λ^{-1/2} Dᵀ,   φ = P X,   W = φ G^{-1},   A = ∂L/∂W

A point is built backwards, from a rational orthogonal D, rational roots μ of the eigenvalues and a rational φ with
orthonormal rows of zero sum: X = D diag(μ) Dᵀ φ.  So everything in eqs. 11 and 12 is a rational number.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """Matrices as object arrays of exact numbers, balls or symbols; ``one`` is the column 1_d, ``eye`` I_n.

    ``K`` is ``None`` where two eigenvalues agree.  ``own`` tells that G = I, ``kind`` what sort of matrix G is.
    """

    name: str
    kind: str
    d: int
    V: Any
    V_C: Any
    D: Any
    eigenvalues: Any
    half: Any
    minus_half: Any
    inverse: Any
    K: Any
    phi: Any
    G_inv: Any
    W: Any
    A: Any
    one: Any
    eye: Any

    @property
    def P(self) -> Any:
        return self.D @ self.minus_half @ self.D.T

    def but(self, **changes: Any) -> Point:
        return dataclasses.replace(self, **changes)

    def mapped(self, move: Callable[[Any], Any]) -> Point:
        """The same point in another ring."""
        names = ("V", "V_C", "D", "half", "minus_half", "inverse", "K", "phi", "G_inv", "W", "A", "one", "eye")
        return self.but(**{name: move(getattr(self, name)) for name in names if getattr(self, name) is not None})


# Eqs. 11 and 12 as printed, each line given those before it.


def line_lambda(p: Point) -> Any:
    return -(p.D.T @ p.A @ p.W.T @ p.D @ p.inverse) / 2


def line_d(p: Point) -> Any:
    return p.A @ p.W.T @ p.D + p.D @ p.half @ p.D.T @ p.W @ p.A.T @ p.D @ p.minus_half


def line_sigma(p: Point, Lambda_bar: Any, D_bar: Any) -> Any:
    return p.D @ (p.K.T * (p.D.T @ D_bar) + Lambda_bar * p.eye) @ p.D.T


def line_c(p: Point, Sigma_bar: Any) -> tuple[Any, Any]:
    """The two terms of the row ∂L/∂c."""
    first = -(p.one.T @ p.G_inv @ p.A.T @ p.D @ p.minus_half @ p.D.T)
    return first, -2 * (p.one.T @ p.V_C.T @ symmetric(Sigma_bar))


def line_v(p: Point, Sigma_bar: Any, c_bar: Any) -> Any:
    return p.D @ p.minus_half @ p.D @ p.A @ p.G_inv + 2 * Sigma_bar.T @ p.V_C + c_bar.T @ p.one.T / p.d


def mended_v(p: Point, Sigma_bar: Any, c_bar: Any) -> Any:
    """Line 3 of eq. 12 with Dᵀ for the second D, the symmetric part for the transpose, and G^{-T} for G^{-1}."""
    return p.D @ p.minus_half @ p.D.T @ p.A @ p.G_inv.T + 2 * symmetric(Sigma_bar) @ p.V_C + c_bar.T @ p.one.T / p.d


def symmetric(M: Any) -> Any:
    return (M + M.T) / 2


def sigma_bar(p: Point) -> Any:
    """∂L/∂Σ as printed, from the printed lines before it."""
    return line_sigma(p, line_lambda(p), line_d(p))


def chain(p: Point, last: Callable[[Point, Any, Any], Any]) -> Any:
    """∂L/∂V by eqs. 11 and 12 with ``last`` as the last line of eq. 12."""
    Sigma_bar = sigma_bar(p)
    first, second = line_c(p, Sigma_bar)
    return last(p, Sigma_bar, first + second)


# Points.

_HADAMARD: Final = ((1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))
TURNS: Final = {
    "reflection, D = Dᵀ": ((3, 4), (4, -3), 5),
    "rotation": ((3, -4), (4, 3), 5),
    "rotation, first column turned": ((-3, -4), (-4, 3), 5),
    "n = 3": ((2, -1, 2), (2, 2, -1), (-1, 2, 2), 3),
    "n = 1": ((1,), 1),
    "n = 1, D = -1": ((-1,), 1),
    "standard basis": ((1, 0), (0, 1), 1),
}
GS: Final = {
    "identity": ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
    "diagonal": ((2, 0, 0, 0), (0, 1, 0, 0), (0, 0, 3, 0), (0, 0, 0, 4)),
    "symmetric": ((2, 1, 0, 0), (1, 1, 0, 1), (0, 0, 3, 0), (0, 1, 0, -1)),
    "full": ((1, 2, 0, 0), (0, 1, 0, -1), (0, 0, 2, 0), (3, 0, 0, 1)),
}
"""G^{-1}, called by what G is."""
_SLOPE: Final = ((1, 0, 2, -4), (3, 1, 0, 1), (-2, 1, 1, 0))
_MEANS: Final = (1, -2, 3)


def matrix(rows: Sequence[Sequence[Any]], over: int = 1) -> Any:
    import numpy as np

    return np.array([[Fraction(x, over) for x in row] for row in rows], dtype=object)


def diagonal(values: Sequence[Any]) -> Any:
    import numpy as np

    M = np.zeros((len(values), len(values)), dtype=object)
    for i, x in enumerate(values):
        M[i, i] = x
    return M


def reciprocal_differences(eigenvalues: Sequence[Any]) -> Any:
    """K of eq. 12; ``ZeroDivisionError`` where two eigenvalues agree."""
    import numpy as np

    n = len(eigenvalues)
    K = np.zeros((n, n), dtype=object)
    for i in range(n):
        for j in range(n):
            if i != j:
                K[i, j] = 1 / (eigenvalues[i] - eigenvalues[j])
    return K


def point(
    turn: str,
    roots: Sequence[int | Fraction],
    kind: str = "identity",
    *,
    slope: Any = None,
    mixed: bool = False,
    name: str = "",
) -> Point:
    """The point with the D of ``TURNS``, the roots of the eigenvalues, and G^{-1} of ``GS``; d = 4, or 5 if ``mixed``.

    ``slope`` is A.  ``mixed`` puts φ into five columns and reflects it by a vector of zero sum.
    """
    import numpy as np

    *rows, over = TURNS[turn]
    D = matrix(rows, over)  # type: ignore[arg-type]
    n = len(D)
    phi = matrix(_HADAMARD[:n], 2)
    G_inv, A = matrix(GS[kind]), matrix(_SLOPE[:n]) if slope is None else matrix(slope)
    if mixed:
        u = matrix([(1, 0, 0, 3, -4)])
        pad = matrix([[0]] * n)
        mirror = diagonal([Fraction(1)] * 5) - u.T @ u / 13
        phi = np.hstack([phi, pad]) @ mirror
        A = np.hstack([A, matrix([[i + 1] for i in range(n)])])
        G_inv = diagonal([*np.diag(G_inv), Fraction(1 if kind == "identity" else 5)])
    mu = [Fraction(x) for x in roots]
    d = phi.shape[1]
    one = matrix([[1]] * d)
    V_C = D @ diagonal(mu) @ D.T @ phi
    return from_parts(
        name or f"{turn}, roots {', '.join(map(str, roots))}, G {kind}, n = {n}, d = {d}",
        kind,
        V_C + matrix([[x] for x in _MEANS[:n]]) @ one.T,
        V_C,
        D,
        mu,
        G_inv,
        A,
    )


def from_parts(name: str, kind: str, V: Any, V_C: Any, D: Any, roots: Sequence[Any], G_inv: Any, A: Any) -> Point:
    """The point of these, in whatever ring they live; A may be a function of W."""
    import numpy as np

    n, d = V.shape
    eigenvalues = [x * x for x in roots]
    minus_half = diagonal([1 / x for x in roots])
    phi = D @ minus_half @ D.T @ V_C
    W = phi @ G_inv
    try:
        K = reciprocal_differences(eigenvalues)
    except ZeroDivisionError:
        K = None
    return Point(
        name=name,
        kind=kind,
        d=d,
        V=V,
        V_C=V_C,
        D=D,
        eigenvalues=eigenvalues,
        half=diagonal(roots),
        minus_half=minus_half,
        inverse=diagonal([1 / x for x in eigenvalues]),
        K=K,
        phi=phi,
        G_inv=G_inv,
        W=W,
        A=A(W) if callable(A) else A,
        one=np.ones((d, 1), dtype=object),
        eye=np.eye(n, dtype=object),
    )


@functools.cache
def points(quick: bool = False) -> tuple[Point, ...]:
    """Points with distinct eigenvalues: generic first, then those where a wrong formula may look right."""
    few = (
        point("rotation", (1, 2)),
        point("n = 3", (1, 2, 3), "diagonal"),
        point("reflection, D = Dᵀ", (2, 1), "full"),
    )
    if quick:
        return few
    return (
        *few,
        point("rotation", (3, 1), "diagonal"),
        point("rotation, first column turned", (1, 2), "symmetric"),
        point("n = 3", (2, 5, 3), "full"),
        point("n = 3", (1, 3, 2), mixed=True),
        point("rotation", (1, 2), "diagonal", mixed=True),
        point("n = 1", (3,)),
        point("n = 1, D = -1", (2,), "full"),
        point("standard basis", (1, 10**6), "diagonal", name="condition 10^12"),
        point("rotation", (1, 2), slope=[[1] * 4] * 2, name="the sum as the loss"),
    )
