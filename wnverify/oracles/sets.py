"""The sets of matrices whose projections can be judged: how to move a matrix into each, and where a linear function is
largest on it.  NumPy only.

A convex set has a support point X of every direction Y, ⟨Y, X⟩ = max over the set, and, where it is unbounded, a part
of Y for which that maximum is finite.  Spheres and frames have in its place the closed form of max ⟨V, ·⟩ − ⟨V, W⟩.
Parameters are numbers by name, checked before they come here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wnverify.oracles.ratio import UNIT_ROUNDOFF, gamma

Matrix = NDArray[np.float64]
Parameters = Mapping[str, float]
Value = tuple[Matrix, Matrix, Matrix, Matrix]
"""For each block: gap, c, an upper c, and how far the nearest point that they speak of may be from that to V."""


@dataclasses.dataclass(frozen=True, slots=True)
class Set:
    """``names``: its parameters; ``repair``: W ↦ a point of C.  Convex: ``support`` (Y, W) ↦ X in C with
    ⟨Y, X⟩ = s(Y), ``dual`` Y ↦ what of it s bears.  Otherwise ``value``: (V, W) ↦ what ``Value`` says."""

    names: tuple[str, ...]
    repair: Callable[[Matrix, Parameters], Matrix]
    support: Callable[[Matrix, Matrix, Parameters], Matrix] | None = None
    value: Callable[[Matrix, Matrix, Parameters], Value] | None = None
    dual: Callable[[Matrix, Parameters], Matrix] = lambda Y, _: Y
    rows: bool = True
    sums: bool = False


def _row_norms(X: Matrix) -> Matrix:
    norms: Matrix = np.sqrt((X * X).sum(axis=1, keepdims=True))
    return norms


def _centred(X: Matrix) -> Matrix:
    """Less the mean, twice: the second takes off the rounding of the first."""
    once = X - X.mean(axis=1, keepdims=True)
    centred: Matrix = once - once.mean(axis=1, keepdims=True)
    return centred


def _along(X: Matrix, length: Matrix | float, otherwise: Matrix | float, size: Matrix) -> Matrix:
    """X scaled to ``length``; ``otherwise`` where its ``size`` is 0."""
    return np.where(size > 0, X * (length / np.where(size > 0, size, 1.0)), otherwise)


def _vertex(Y: Matrix) -> Matrix:
    """1 at the largest entry of each row."""
    X = np.zeros(Y.shape)
    X[np.arange(len(Y)), Y.argmax(axis=1)] = 1.0
    return X


def _box_support(Y: Matrix, W: Matrix, p: Parameters) -> Matrix:
    return np.where(Y > 0, p["hi"], np.where(Y < 0, p["lo"], W))


def _box_dual(Y: Matrix, p: Parameters) -> Matrix:
    escapes = (Y > 0) & (p["hi"] == math.inf) | (Y < 0) & (p["lo"] == -math.inf)
    return np.where(escapes, 0.0, Y)


def _into_l2(W: Matrix, p: Parameters) -> Matrix:
    return W * (p["radius"] / np.maximum(_row_norms(W), p["radius"]))


def _l2_support(Y: Matrix, W: Matrix, p: Parameters) -> Matrix:
    return _along(Y, p["radius"], W, _row_norms(Y))


def _into_l1(W: Matrix, p: Parameters) -> Matrix:
    size: Matrix = np.abs(W).sum(axis=1, keepdims=True)
    return W * (p["radius"] / np.maximum(size, p["radius"]))


def _l1_support(Y: Matrix, W: Matrix, p: Parameters) -> Matrix:
    return p["radius"] * _vertex(np.abs(Y)) * np.where(Y < 0, -1.0, 1.0)


def _as_row(map_row: Callable[..., Matrix]) -> Callable[..., Matrix]:
    """The same with the whole matrix for one row."""

    def of_matrix(*arguments: Any) -> Matrix:
        *matrices, p = arguments
        return map_row(*(X.reshape(1, -1) for X in matrices), p).reshape(matrices[0].shape)

    return of_matrix


def _into_spectral(W: Matrix, p: Parameters) -> Matrix:
    """What sticks out is taken off: a product of all three factors would be off by more than W ever was."""
    A, s, Bt = np.linalg.svd(W, full_matrices=False)
    return np.asarray(W - (A * np.maximum(s - p["radius"], 0.0)) @ Bt)


def _spectral_support(Y: Matrix, W: Matrix, p: Parameters) -> Matrix:
    if not Y.any():
        return W
    A, _, Bt = np.linalg.svd(Y, full_matrices=False)
    return np.asarray(p["radius"] * (A @ Bt))


def _into_simplex(W: Matrix, p: Parameters) -> Matrix:
    positive = np.maximum(W, 0.0)
    return _along(positive, p["sum"], p["sum"] / W.shape[1], positive.sum(axis=1, keepdims=True))


def _into_zero_mean_box(W: Matrix, p: Parameters) -> Matrix:
    """Clipped, then moved up or down in proportion to the room that each entry has."""
    W = np.clip(W, p["lo"], p["hi"])
    total: Matrix = W.sum(axis=1, keepdims=True)
    room = np.where(total < 0, p["hi"] - W, W - p["lo"])
    taken: Matrix = room.sum(axis=1, keepdims=True)
    return W - np.sign(total) * _along(room, np.abs(total), 0.0, taken)


def _zero_mean_box_support(Y: Matrix, W: Matrix, p: Parameters) -> Matrix:
    """The largest entries of a row of Y take hi, the smallest lo, one between makes the sum zero."""
    d, lo, hi = Y.shape[1], p["lo"], p["hi"]
    if lo == hi:
        return np.zeros(Y.shape)
    at_hi = min(int(-lo * d / (hi - lo)), d)
    pattern = np.full(d, lo)
    pattern[:at_hi] = hi
    if at_hi < d:
        pattern[at_hi] = min(hi, max(lo, -at_hi * hi - (d - 1 - at_hi) * lo))
    X = np.empty(Y.shape)
    np.put_along_axis(X, np.argsort(-Y, axis=1, kind="stable"), np.broadcast_to(pattern, Y.shape), axis=1)
    return X


def _to_sphere(W: Matrix, p: Parameters) -> Matrix:
    return _along(W, p["radius"], p["radius"] / math.sqrt(W.shape[1]), _row_norms(W))


def _to_zero_mean_sphere(W: Matrix, p: Parameters) -> Matrix:
    corner = np.zeros(W.shape[1])
    corner[:2] = p["radius"] / math.sqrt(2), -p["radius"] / math.sqrt(2)
    centred = _centred(W)
    return _along(centred, p["radius"], corner, _row_norms(centred))


def _sphere_value(V: Matrix, W: Matrix, p: Parameters) -> Value:
    """r ‖v‖ − ⟨v, w⟩ = (‖v‖ / 2r) ‖w − r v / ‖v‖‖² for ‖w‖ = r."""
    norms = _row_norms(V)
    c = norms[:, 0] / p["radius"]
    return c / 2 * ((W - _along(V, p["radius"], W, norms)) ** 2).sum(axis=1), c, c, np.zeros(len(V))


def _nonneg_sphere_value(V: Matrix, W: Matrix, p: Parameters) -> Value:
    """The sphere's gap for v₊ = max(v, 0), plus ⟨max(−v, 0), w⟩.

    Without a positive entry the nearest points are r e_k with v_k = −m the largest, and the gap is at least m (Σw − r).
    From Σw ≥ r²/w_k with w_k the largest of w, this is at least m (r − w_k) = (m / 2r) ‖w − r e_k‖².
    """
    gap, c, steepest, off = _sphere_value(np.maximum(V, 0.0), W, p)
    gap = gap + (np.maximum(-V, 0.0) * W).sum(axis=1)
    largest = V.max(axis=1)
    none = largest <= 0
    plain = p["radius"] * largest - (V * W).sum(axis=1)
    at_best = V[np.arange(len(V)), W.argmax(axis=1)] == largest
    c = np.where(none, np.where(at_best, -largest / p["radius"], 0.0), c)
    return np.where(none, np.maximum(plain, 0.0), gap), c, np.where(none, math.inf, steepest), off


def _stiefel_value(V: Matrix, W: Matrix, p: Parameters) -> Value:
    """‖V‖_* − ⟨V, W⟩ = Σ (s_i / 2) ‖Wᵀ a_i − b_i‖² for V = Σ s_i a_i b_iᵀ and W Wᵀ = I.

    What is computed, A S Bᵀ, is not V.  Let A', B' be the frames nearest to A and B, α = ‖AᵀA − I‖_F ≥ ‖A − A'‖_F, β
    likewise, V' = A' S B'ᵀ and ε = ‖V − A S Bᵀ‖_F + s_1 (α + β + α β) ≥ ‖V − V'‖_F.  From A to A' and from B to B' the
    nearest point A'B'ᵀ moves by α + β at most, and for P, P' nearest to V and V' the gaps of both add up to

        ((s_n + s'_n) / 2) ‖P − P'‖_F² ≤ ⟨V, P − P'⟩ + ⟨V', P' − P⟩ = ⟨V − V', P − P'⟩ ≤ ε ‖P − P'‖_F,

    so that ‖P − P'‖_F ≤ 2 ε / (s_n + s'_n), the first of them at least s'_n − ε: of the order u s_1 / s_n.
    """
    A, s, Bt = np.linalg.svd(V, full_matrices=False)
    gap = float((s / 2 * ((A.T @ W - Bt) ** 2).sum(axis=1)).sum())
    rank = s[-1] > max(V.shape) * UNIT_ROUNDOFF["float64"] * s[0]
    unit = np.eye(len(s))
    frames = alpha, beta = _apart(unit, A.T, A), _apart(unit, Bt, Bt.T)
    epsilon = _apart(V, A * s, Bt) + s[0] * (sum(frames) + alpha * beta)
    known = s[-1] + max(s[-1] - epsilon, 0.0)
    off = sum(frames) + (2 * epsilon / known if known > 0 else math.inf if epsilon > 0 else 0.0)
    return np.array([gap]), np.array([s[-1] if rank else 0.0]), s[:1], np.array([off])


def _apart(X: Matrix, L: Matrix, R: Matrix) -> float:
    """At least ‖X − L R‖_F for a rounded L: γ_{k+2} for k products, their factor and the difference is added."""
    rounding = gamma(L.shape[1] + 2, UNIT_ROUNDOFF["float64"]) * (np.abs(X) + np.abs(L) @ np.abs(R))
    return float(np.linalg.norm(np.abs(X - L @ R) + rounding))


def _to_stiefel(W: Matrix, p: Parameters) -> Matrix:
    A, _, Bt = np.linalg.svd(W, full_matrices=False)
    return np.asarray(A @ Bt)


SETS: Final[Mapping[str, Set]] = {
    "box": Set(("lo", "hi"), lambda W, p: np.clip(W, p["lo"], p["hi"]), _box_support, dual=_box_dual),
    "l2_ball_rows": Set(("radius",), _into_l2, _l2_support),
    "l1_ball_rows": Set(("radius",), _into_l1, _l1_support, sums=True),
    "frobenius_ball": Set(("radius",), _as_row(_into_l2), _as_row(_l2_support), rows=False),
    "spectral_ball": Set(("radius",), _into_spectral, _spectral_support, rows=False),
    "simplex_rows": Set(("sum",), _into_simplex, lambda Y, W, p: p["sum"] * _vertex(Y), sums=True),
    "affine_sum_rows": Set(
        ("sum",),
        lambda W, p: _centred(W) + p["sum"] / W.shape[1],
        lambda Y, W, p: W,
        dual=lambda Y, p: np.broadcast_to(Y.mean(axis=1, keepdims=True), Y.shape),
        sums=True,
    ),
    "zero_mean_rows": Set(
        (),
        lambda W, p: _centred(W),
        lambda Y, W, p: W,
        dual=lambda Y, p: np.broadcast_to(Y.mean(axis=1, keepdims=True), Y.shape),
        sums=True,
    ),
    "zero_mean_l2_ball_rows": Set(
        ("radius",),
        lambda W, p: _into_l2(_centred(W), p),
        lambda Y, W, p: _l2_support(_centred(Y), W, p),
        sums=True,
    ),
    "zero_mean_box_rows": Set(("lo", "hi"), _into_zero_mean_box, _zero_mean_box_support, sums=True),
    "sphere_rows": Set(("radius",), _to_sphere, value=_sphere_value),
    "nonneg_sphere_rows": Set(("radius",), lambda W, p: _to_sphere(np.maximum(W, 0.0), p), value=_nonneg_sphere_value),
    "sphere_zero_mean_rows": Set(
        ("radius",), _to_zero_mean_sphere, value=lambda V, W, p: _sphere_value(_centred(V), W, p), sums=True
    ),
    "stiefel_rows": Set((), _to_stiefel, value=_stiefel_value, rows=False),
}
