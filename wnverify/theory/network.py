"""The class SN_{c,o} of networks with bias neurons whose columns of incoming weights have bounded L1 norm.

    f(x) = ⟨ṽ, (1, σ∘f_k(x))⟩,   f_ℓ(x) = Ṽ_ℓᵀ (1, σ∘f_{ℓ-1}(x)),   f_1(x) = Ṽ_1ᵀ (1, x),
    ‖Ṽ_ℓ‖_{1,∞} = max_j Σ_i |Ṽ_ℓ[i, j]| ≤ c_ℓ  (ℓ = 1..k),   ‖ṽ‖_1 ≤ o,   x ∈ [−1, 1]^{m1},   σ(0) = 0,  ρ-Lipschitz.

Source: Wen, Xu, Zheng, Yang and Wang, sec. 2.3; a constant for each layer is the extension that its sec. 6 asks for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, init=False)
class NetworkClass:
    """SN_{c,o} with k hidden layers: ``c`` one constant or one for each hidden layer, first to last.

    ``ValueError`` for a number that is not finite or not positive (``rho`` may be 0), for k < 0, and where ``c`` has
    neither one nor k entries.  The widths are no part of it: see ``branches``.

    >>> NetworkClass(k=2, c=(2.0, 3.0), o=5.0).branches()
    (1.0, 3.0, 6.0)
    """

    k: int
    c: tuple[float, ...]
    o: float
    rho: float

    def __init__(self, k: int, c: float | Sequence[float], o: float = 1.0, rho: float = 1.0):
        if not (isinstance(k, int) and not isinstance(k, bool) and k >= 0):
            raise ValueError(f"k must be the number of hidden layers, a whole number ≥ 0; got {k!r}")
        many = tuple(float(each) for each in c) if isinstance(c, Sequence) else (float(c),) * k
        if len(many) != k:
            raise ValueError(f"c must be one number or one for each of the k = {k} hidden layers; got {len(many)}")
        for name, value in (*(("c", each) for each in many), ("o", float(o))):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be finite and > 0; got {value!r}")
        if not 0 <= rho < math.inf:
            raise ValueError(f"rho must be a Lipschitz constant, finite and ≥ 0; got {rho!r}")
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "c", many)
        object.__setattr__(self, "o", float(o))
        object.__setattr__(self, "rho", float(rho))

    def branches(self) -> tuple[float, ...]:
        """(a_0, …, a_k): a_j = ρ^j c_k c_{k-1} ⋯ c_{k-j+1}, by how much a bias j layers below the output is magnified.

        The input passes all k hidden layers, so that its factor is a_k too.  For one c this is (cρ)^j.
        """
        factors = [1.0]
        for each in reversed(self.c):
            factors.append(factors[-1] * self.rho * each)
        return tuple(factors)

    def range(self, largest: float = 1.0) -> float:
        """sup |f(x)| ≤ o max(a_0, …, a_k, a_k max|x_ij|), attained for ReLU (Remark 5 for cρ ≥ 1)."""
        factors = self.branches()
        return self.o * max(*factors, factors[-1] * largest, 0.0)


def checked_data(X: ArrayLike, *, cube: bool = True) -> Matrix:
    """``X`` as a float64 matrix, (n, m1), one sample a row.

    ``ValueError`` names the argument and the first wrong entry: not two axes, no row or column, complex or text,
    NaN or infinity, or (``cube``) an entry outside [−1, 1].
    """
    try:
        given = np.asarray(X)
        real = given.dtype.kind in "biuf"
    except ValueError as error:
        raise ValueError(f"X must be a real matrix (n samples × m1 inputs): {error}") from None
    if not real:
        raise ValueError(f"X must hold real numbers; got dtype {given.dtype}")
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"X must be a matrix (n samples × m1 inputs) with n, m1 ≥ 1; got shape {given.shape}")
    data: Matrix = given.astype(np.float64)
    for wrong, wanted in ((~np.isfinite(data), "finite"), (np.abs(data) > 1 if cube else False, "in [-1, 1]")):
        if np.any(wrong):
            i, j = (int(each) for each in np.argwhere(wrong)[0])
            raise ValueError(f"X must have entries {wanted}; got X[{i}, {j}] = {float(data[i, j])}")
    return data


def augmented(X: Matrix) -> Matrix:
    """X̃ = (1, X), (n, m1 + 1): the bias neuron first, as in the paper's Ṽ."""
    return np.hstack([np.ones((len(X), 1)), X])


def forward(weights: Sequence[Matrix], X: Matrix, activation: str = "relu") -> Vector:
    """f(x_i) for Ṽ_1, …, Ṽ_{k+1}, each (fan-in + 1, fan-out) with the bias first, the last with one column."""
    act = ACTIVATIONS[activation]
    values = X
    for layer, V in enumerate(weights):
        values = augmented(act(values) if layer else values) @ V
    return np.asarray(values[:, 0])


def relu(z: Matrix) -> Matrix:
    """max(z, 0); 1-Lipschitz, σ(0) = 0."""
    return np.maximum(z, 0.0)


ACTIVATIONS: Final[dict[str, Callable[[Matrix], Matrix]]] = {"relu": relu, "tanh": np.tanh}
