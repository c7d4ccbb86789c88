"""Row norms, centring, the polar factor and its Lyapunov equation in NumPy float64; plain, and accurate at any scale.

Everything here takes matrices (n, d): n rows, one for each output unit, d columns.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
UNIT_ROUNDOFF: Final = 2.0**-53


def as_matrix(value: Any, name: str, shape: tuple[int, ...] | None = None) -> Matrix:
    """``value`` as a float64 matrix (n, d) with n, d ≥ 1.

    Raises ``TypeError`` unless it is real, ``ValueError`` unless it has two axes, none of them empty (and the given
    ``shape``) and only finite entries; the first other entry is named.

    >>> as_matrix([[1, 2]], "V")
    array([[1., 2.]])
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be a real matrix; got dtype {array.dtype}")
    array = array.astype(np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be a matrix (n, d), n, d ≥ 1, further axes flattened; got shape {array.shape}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape} of V; got {array.shape}")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        i, j = (int(k) for k in wrong[0])
        raise ValueError(f"{name} must be finite; got {name}[{i}, {j}] = {array[i, j]}")
    return array


def scaled_rows(V: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
    """(V', e) with V = diag(2^e) V' exactly and every largest |entry| of a row of V' in [1/2, 1); e has shape (n, 1).

    No square of a scaled entry overflows, nor underflows beside the largest.
    """
    _, exponent = np.frexp(np.abs(V).max(axis=1, keepdims=True))
    return np.asarray(np.ldexp(V, -exponent)), exponent.astype(np.int64)


def centre_rows(V: Matrix) -> Matrix:
    """V − c 1ᵀ with c = V 1 / d, the row means.

    The mean is rounded, and every entry of V − c 1ᵀ carries that same error: up to γ_d |c|, however small the spread.
    The difference itself is rounded only relative to its own size, so taking the mean of the result off once more
    leaves a mean of the size of a rounding of the spread.
    """
    once = V - V.mean(axis=1, keepdims=True)
    centred: Matrix = once - once.mean(axis=1, keepdims=True)
    return centred


def constant_rows(V: Matrix) -> NDArray[np.intp]:
    """The indices of the rows whose entries are all equal; decided exactly."""
    return np.flatnonzero(V.max(axis=1) == V.min(axis=1))


def normalize_rows(V: Matrix) -> tuple[Matrix, Matrix]:
    """(W, r) with r_i = ‖v_i‖, shape (n, 1), and w_i = v_i / r_i; a ``ValueError`` names the first zero row."""
    zero = np.flatnonzero(~V.any(axis=1))
    if len(zero):
        raise ValueError(f"V must have no zero row; got V[{zero[0]}, :] = 0")
    scaled, exponent = scaled_rows(V)
    norms = np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    return scaled / norms, np.asarray(np.ldexp(norms, exponent))


def centre_and_normalize_rows(V: Matrix) -> tuple[Matrix, Matrix]:
    """(W, r) with r_i = ‖v̂_i‖, shape (n, 1), and w_i = v̂_i / r_i, v̂ the centred row.

    A ``ValueError`` names d where it is 1, or the first constant row.
    """
    if V.shape[1] == 1:
        raise ValueError("V must have d ≥ 2 columns: centring a row of one entry leaves zero; got d = 1")
    constant = constant_rows(V)
    if len(constant):
        raise ValueError(f"V must have no constant row; got V[{constant[0]}, :] = {V[constant[0], 0]:.6g}")
    scaled, exponent = scaled_rows(V)
    W, norms = normalize_rows(centre_rows(scaled))
    return W, np.ldexp(norms, exponent)


def normalize_rows_vjp(W: Matrix, norms: Matrix, A: Matrix) -> Matrix:
    """The cotangent A of W = diag(1/r) V pulled back to V: g_i = (a_i − ⟨a_i, w_i⟩ w_i) / r_i."""
    G: Matrix = (A - (A * W).sum(axis=1, keepdims=True) * W) / norms
    return G


def polar(X: Matrix, *, centred: bool = True) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
    """(W, D, s) of a matrix (n, d) of rank n: X Xᵀ = D diag(s²) Dᵀ and W = D diag(1/s) Dᵀ X.

    By the singular value decomposition X = D diag(s) Qᵀ, W = D Qᵀ: backward stable, while eigenvalues of X Xᵀ lose
    whatever is below √u of the largest.  ``ValueError`` where the numerical rank, the number of s_i above
    max(n, d) u s_1, is below n; ``centred`` says in its message that X are centred rows.
    """
    n, d = X.shape
    _, exponent = np.frexp(np.abs(X).max())
    D, s, Qt = np.linalg.svd(np.ldexp(X, -exponent), full_matrices=False)
    rank = int((s > max(n, d) * UNIT_ROUNDOFF * s[0]).sum())
    if rank < n:
        needs, of = ("after centring, which needs n ≤ d - 1", " of V_C") if centred else ("which needs n ≤ d", "")
        raise ValueError(f"V must have full row rank {needs}; got shape {(n, d)} and numerical rank {rank}{of}")
    return D @ Qt, D, np.asarray(np.ldexp(s, exponent))


def solve_lyapunov(D: Matrix, s: NDArray[np.float64], C: Matrix) -> Matrix:
    """X of S X + X S = C for S = D diag(s) Dᵀ, s > 0: X = D [(Dᵀ C D)_ij / (s_i + s_j)] Dᵀ.

    Sums of positive numbers are divided by, never differences: nothing happens at repeated s_i.
    """
    X: Matrix = D @ ((D.T @ C @ D) / (s[:, None] + s[None, :])) @ D.T
    return X
