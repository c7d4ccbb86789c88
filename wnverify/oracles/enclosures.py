"""Ball arithmetic (Arb through python-flint) for small matrices: every returned ball provably contains the exact value.

A float64 matrix becomes balls of radius zero; everything after it is enclosed at the working precision, which is set
with ``precision(bits)``.  Sizes up to about six rows: a Lyapunov equation of order n is solved as n² linear equations.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import flint
import numpy as np
from numpy.typing import NDArray

from wnverify.oracles.arrays import real

BITS: Final = 256
"""Working precision where none is given: about 77 decimal digits, so that radii are far below float64's u."""


@contextlib.contextmanager
def precision(bits: int) -> Iterator[None]:
    """Run the block with ``bits`` bits of working precision; ``ValueError`` below 64."""
    if bits < 64:
        raise ValueError(f"bits must be at least 64, more than the float64 that is judged; got {bits}")
    with flint.ctx.workprec(bits):
        yield


def ball_matrix(value: Any, name: str = "value") -> flint.arb_mat:
    """The matrix in balls of radius zero; a matrix of balls is handed back as it is.

    ``value`` (n, d) of float64 (or narrower), n, d ≥ 1.  ``ValueError`` for another shape or a non-finite entry,
    ``TypeError`` for complex numbers.
    """
    if isinstance(value, flint.arb_mat):
        return value
    array = real(value, name)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be a matrix (n, d), n, d ≥ 1; got shape {array.shape}")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        i, j = (int(k) for k in wrong[0])
        raise ValueError(f"{name} must be finite; got {name}[{i}, {j}] = {array[i, j]}")
    return flint.arb_mat([[flint.arb(float(x)) for x in row] for row in array])


def entrywise(function: Callable[[Any], Any], A: flint.arb_mat) -> flint.arb_mat:
    """``function`` of every entry."""
    return flint.arb_mat([[function(x) for x in row] for row in A.table()])


def midpoints(A: flint.arb_mat) -> flint.arb_mat:
    """The midpoints as balls of radius zero."""
    return entrywise(lambda x: x.mid(), A)


def to_float64(A: flint.arb_mat) -> NDArray[np.float64]:
    """The midpoints rounded to float64."""
    return np.array([[float(x.mid()) for x in row] for row in A.table()])


def radius(A: flint.arb_mat) -> float:
    """The largest radius of an entry."""
    return max(float(x.rad()) for x in A.entries())


def frobenius_bound(A: flint.arb_mat) -> flint.arb:
    """An exact number, at least (Σ a_ij²)^{1/2} for every matrix in A."""
    largest = [x.abs_upper() for x in A.entries()]
    squares: flint.arb = sum((x * x for x in largest), flint.arb(0))
    return squares.sqrt().upper()


def contains(A: flint.arb_mat, values: Any) -> bool:
    """Whether every float64 entry of ``values`` lies in its ball."""
    return bool(A.contains(ball_matrix(values, "values")))


def distance(A: flint.arb_mat, values: Any) -> NDArray[np.float64]:
    """Entry by entry an upper bound of |exact − value|: what ``values`` is certainly not further off than."""
    difference = A - ball_matrix(values, "values")
    return np.array([[float(abs(x).upper()) for x in row] for row in difference.table()])


def inverse(A: flint.arb_mat) -> flint.arb_mat:
    """Balls around the inverse of every matrix in A; ``ValueError`` where none can be proved to exist."""
    try:
        return A.inv()
    except ZeroDivisionError:
        raise ValueError(
            f"A must be provably invertible at {flint.ctx.prec} bits; it is singular or too near"
        ) from None


def positive_definite(A: flint.arb_mat) -> bool:
    """Whether every symmetric matrix in A is proved positive definite: all pivots of L D Lᵀ are provably positive."""
    rows = A.table()
    for k in range(len(rows)):
        if not rows[k][k] > 0:
            return False
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            for j in range(k + 1, len(rows)):
                rows[i][j] -= factor * rows[j][k]
    return True


def inverse_square_root(Sigma: flint.arb_mat) -> flint.arb_mat:
    """Balls around Σ^{-1/2}, the positive definite root of Σ^{-1}, for every symmetric Σ in ``Sigma`` (n, n).

    A candidate X comes from the Denman-Beavers iteration on midpoints; it proves nothing by itself.  Let N = X² and
    R = Σ^{-1/2}.  Then X (X − R) + (X − R) R = N − Σ^{-1}, a Lyapunov equation with positive definite X and R, so

        ‖X − R‖_F ≤ ‖N − Σ^{-1}‖_F / (λ_min(X) + λ_min(R)) ≤ ‖N − Σ^{-1}‖_F ‖Σ‖_F^{1/2},

    and every entry of X is enlarged by that bound.  Nothing depends on gaps between eigenvalues.  ``ValueError`` where
    Σ or X is not proved positive definite.
    """
    if not positive_definite(Sigma):
        raise ValueError(f"Sigma must be provably positive definite at {flint.ctx.prec} bits")
    X = _denman_beavers(midpoints(Sigma))
    if not positive_definite(X):
        raise ValueError(f"Sigma must be better conditioned: no root could be proved at {flint.ctx.prec} bits")
    bound = frobenius_bound(X * X - inverse(Sigma)) * frobenius_bound(Sigma).sqrt()
    error = flint.arb(0, bound.upper())
    return entrywise(lambda x: x + error, X)


def _denman_beavers(Sigma: flint.arb_mat) -> flint.arb_mat:
    """Symmetric midpoints near Σ^{-1/2}: Y ← (Y + Z⁻¹)/2, Z ← (Z + Y⁻¹)/2 from Y = Σ/t, Z = I, until Z stands still."""
    scale = frobenius_bound(Sigma).mid()
    Y, Z = midpoints(Sigma / scale), _identity(Sigma.nrows())
    for _ in range(2 * flint.ctx.prec):
        step = midpoints((Z + inverse(Y)) / 2)
        Y = midpoints((Y + inverse(Z)) / 2)
        moved, Z = frobenius_bound(step - Z), step
        if moved < frobenius_bound(Z) * flint.arb(2) ** (16 - flint.ctx.prec):
            break
    root = Z / scale.sqrt()
    return midpoints((root + root.transpose()) / 2)


def solve_lyapunov(S: flint.arb_mat, C: flint.arb_mat) -> flint.arb_mat:
    """Balls around X of S X + X S = C (all n × n): the n² linear equations (S ⊗ I + I ⊗ Sᵀ) vec X = vec C, by rows.

    ``ValueError`` where the system cannot be proved regular.
    """
    n = S.nrows()
    system = [[flint.arb(0)] * (n * n) for _ in range(n * n)]
    for i in range(n):
        for j in range(n):
            for k in range(n):
                system[i * n + j][k * n + j] += S[i, k]
                system[i * n + j][i * n + k] += S[k, j]
    right = flint.arb_mat(n * n, 1, C.entries())
    try:
        X = flint.arb_mat(system).solve(right)
    except ZeroDivisionError:
        raise ValueError(f"S must give a provably regular Lyapunov equation at {flint.ctx.prec} bits") from None
    return flint.arb_mat(n, n, X.entries())


def _identity(n: int) -> flint.arb_mat:
    return flint.arb_mat([[int(i == j) for j in range(n)] for i in range(n)])
