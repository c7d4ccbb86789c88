"""DSWN with sparsity measurement in NumPy: φ(V) = Σ^{-1/2} V_C, then every entry shrunk, equations 6 to 8.

*Deep structural weight normalization*, section 3.1.  Groups g are the rows of φ, "weights from the same neuron" read
as what comes in to one output unit; ``group="columns"`` reads them as what goes out from one input.  Equation 8,

    w = sign(φ) (|φ| − θ)_+,    θ = η ‖φ_g‖_1,

is said to be the proximal point of η ES, ES(w) = ½ Σ_g ‖w_g‖_1² (equation 7).  It is not: the minimiser of
½ ‖w − φ‖² + η ES(w) has w = φ − θ s with s in the subdifferential of ‖·‖_1 at w and θ = η ‖w_g‖_1, the 1-norm of the
*result*.  With k entries kept, of sum S_k, ‖w_g‖_1 = S_k − k θ, hence

    θ = c S_k,    c = η / (1 + η k),

k the largest with (1 + η k) |φ|_(k) > η S_k (|φ|_(1) ≥ |φ|_(2) ≥ …).  Equation 8 has S_d for S_k and c = η: it shrinks
too much, keeps fewer than 1/η entries of a group and zeroes it where max |φ| ≤ η ‖φ_g‖_1, so always for η ≥ 1; the
proximal point zeroes no group, whatever η.

Both are homogeneous and piecewise linear: w = L φ with L locally constant,
L x = m ∘ (x − c s ⟨t, x⟩) in a group, m = [|φ| > θ], s = sign(φ), t = s (equation 8) or s ∘ m (proximal point).  So the
Jacobian of the shrinkage is L almost everywhere; where |φ| = θ it is taken as if the entry were dropped.  An entry
alone in its group is multiplied by (1 − η)_+ (equation 8) or 1 / (1 + η), and so is its derivative, at 0 too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
from wnverify.primitives.reference import Matrix, as_matrix
from wnverify.primitives.shrinkage_reference import proximal_level

UPDATES = ("printed", "prox")
GROUPS = ("rows", "columns")


def forward(V: Any, *, eta: float = 1e-3, update: str = "printed", group: str = "rows") -> Matrix:
    """W, the shrunk φ(V).

    V, W (n, d); ``update``: ``"printed"`` (equation 8) or ``"prox"`` (the proximal point); ``group``: ``"rows"`` or
    ``"columns"``.  ``ValueError`` names a non-finite entry of V, the shape and the numerical rank of V_C below n, a
    negative ``eta``, or another ``update`` or ``group``.

    >>> forward([[3.0, 1.0]], eta=0.5, update="prox") * 2**0.5
    array([[ 0.5, -0.5]])
    """
    return shrink(orthogonal.factors(as_matrix(V, "V"))[0], eta=eta, update=update, group=group)


def vjp(V: Any, A: Any, *, eta: float = 1e-3, update: str = "printed", group: str = "rows") -> Matrix:
    """The gradient by V for the cotangent A of W; V, A (n, d); errors as in ``forward``."""
    V = as_matrix(V, "V")
    A = as_matrix(A, "A", V.shape)
    phi, D, s = orthogonal.factors(V)
    return orthogonal.pulled_back(phi, D, s, shrink_vjp(phi, A, eta=eta, update=update, group=group))


def jvp(V: Any, E: Any, *, eta: float = 1e-3, update: str = "printed", group: str = "rows") -> Matrix:
    """The change of W along the direction E of V; errors as in ``forward``."""
    V = as_matrix(V, "V")
    E = as_matrix(E, "E", V.shape)
    phi, D, s = orthogonal.factors(V)
    return shrink_jvp(phi, orthogonal.pulled_back(phi, D, s, E), eta=eta, update=update, group=group)


def printed_backward(V: Any, A: Any, *, eta: float = 1e-3, group: str = "rows") -> Matrix:
    """Equations 11 and 12 to the letter with the factor of equation 8, (1 − η ‖φ_g‖_1 / |φ|)_+, in the place of G^{-1}.

    The text calls this factor (n, d) a penalty matrix; it is applied entry by entry and taken as a constant, and the W
    of equation 11 is that of equation 8.  Not the gradient.  V, A (n, d); errors as in ``forward``, and a
    ``ValueError`` at equal eigenvalues of Σ.
    """
    return orthogonal.printed_backward(V, A, inverse_g=_printed_factor(V, eta, group))


def repaired_backward(V: Any, A: Any, *, eta: float = 1e-3, group: str = "rows") -> Matrix:
    """``printed_backward`` with A Wᵀ and line 3 mended as ``repaired_backward`` of the orthogonal method says.

    It is the gradient if the factor were a constant.
    """
    return orthogonal.repaired_backward(V, A, inverse_g=_printed_factor(V, eta, group))


def shrink(Y: Matrix, *, eta: float, update: str, group: str) -> Matrix:
    """sign(y) (|y| − θ)_+ group by group."""
    if _alone(Y, group):
        return Y * _share(eta, update)
    threshold, _ = thresholds(Y, eta=eta, update=update, group=group)
    return np.asarray(np.sign(Y) * np.maximum(np.abs(Y) - threshold, 0.0))


def shrink_jvp(Y: Matrix, E: Matrix, *, eta: float, update: str, group: str) -> Matrix:
    """L E of the module's docstring, at Y."""
    if _alone(Y, group):
        return E * _share(eta, update)
    threshold, c = thresholds(Y, eta=eta, update=update, group=group)
    sign, kept = np.sign(Y), np.abs(Y) > threshold
    counted = sign * kept if update == "prox" else sign
    inner = (counted * E).sum(axis=_axis(group), keepdims=True)
    return np.asarray(kept * (E - c * sign * inner))


def shrink_vjp(Y: Matrix, A: Matrix, *, eta: float, update: str, group: str) -> Matrix:
    """Lᵀ A, at Y."""
    if _alone(Y, group):
        return A * _share(eta, update)
    threshold, c = thresholds(Y, eta=eta, update=update, group=group)
    sign, kept = np.sign(Y), np.abs(Y) > threshold
    counted = sign * kept if update == "prox" else sign
    inner = (sign * kept * A).sum(axis=_axis(group), keepdims=True)
    return np.asarray(kept * A - c * counted * inner)


def thresholds(Y: Matrix, *, eta: float, update: str, group: str) -> tuple[Matrix, Any]:
    """(θ, c), one number a group each (c one for all in equation 8)."""
    _check(eta, update)
    axis, size = _axis(group), np.abs(Y)
    if update == "printed":
        return eta * size.sum(axis=axis, keepdims=True), eta
    theta, k = proximal_level(np.moveaxis(size, axis, 1), 1 / eta if eta else np.inf)
    return np.moveaxis(theta, 1, axis), eta / (1 + eta * np.moveaxis(k, 1, axis))


def _check(eta: float, update: str) -> None:
    if update not in UPDATES:
        raise ValueError(f"update must be one of {', '.join(UPDATES)}; got {update!r}")
    if not 0 <= eta < np.inf:
        raise ValueError(f"eta must be finite and at least 0; got {eta!r}")


def _alone(Y: Matrix, group: str) -> bool:
    """Whether every entry is alone in its group."""
    return bool(Y.shape[_axis(group)] == 1)


def _share(eta: float, update: str) -> float:
    _check(eta, update)
    return max(1 - eta, 0.0) if update == "printed" else 1 / (1 + eta)


def _axis(group: str) -> int:
    if group not in GROUPS:
        raise ValueError(f"group must be one of {', '.join(GROUPS)}; got {group!r}")
    return 1 - GROUPS.index(group)


def _printed_factor(V: Any, eta: float, group: str) -> Matrix:
    phi = orthogonal.factors(as_matrix(V, "V"))[0]
    threshold, _ = thresholds(phi, eta=eta, update="printed", group=group)
    ratio = np.divide(threshold, np.abs(phi), out=np.full(phi.shape, np.inf), where=phi != 0)
    return np.asarray(np.maximum(1 - ratio, 0.0))
