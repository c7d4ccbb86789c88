"""The methods' plain formulas on arrays that count their operations: what the closed counts are compared with.

A schedule takes (V, A), the weight and the cotangent of its output, and returns the output and what the backward
gives; forward and backward are counted apart.  Both values are compared with the PyTorch implementation's, so that
what is counted is the method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from wnverify.bounding.metered import Schedule
from wnverify.bounding.newton_schulz_schedule import newton_schulz, newton_schulz_as_published
from wnverify.theory.cost import Operations, eigendecomposition, sorting

C, ETA, EPSILON = 1.5, 1e-3, 1e-8


def _centred(X: Any) -> Any:
    return X - X.sum(1, keepdims=True) / X.shape[1]


def _norms(X: Any) -> Any:
    return np.sqrt((X * X).sum(1, keepdims=True))


def _eigen(S: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors, by the model."""
    lam, D = np.linalg.eigh(np.asarray(S))
    S.meter.seen += Operations(modelled=eigendecomposition(len(lam)))
    return S.meter.on(lam), S.meter.on(D)


def weight_normalization(V: Any, A: Any) -> Any:
    r = _norms(V)
    W = V / r
    return W, lambda: (A - W * (A * W).sum(1, keepdims=True)) / r


def centred_weight_normalization(V: Any, A: Any) -> Any:
    X = _centred(V)
    r = _norms(X)
    W = X / r

    def backward() -> Any:
        B = _centred(A)
        return (B - W * (B * W).sum(1, keepdims=True)) / r

    return W, backward


def _polar(V: Any) -> tuple[Any, Any, Any, Any, Any]:
    X = _centred(V)
    lam, D = _eigen(X @ X.T)
    s = np.sqrt(lam)
    W = ((D / s) @ D.T) @ X
    return X, W, (D * s) @ D.T, D, s


def _polar_pulled(A: Any, W: Any, D: Any, s: Any) -> Any:
    B = A @ W.T
    Z = D @ ((D.T @ (B - B.T) @ D) / (s[:, None] + s)) @ D.T
    inverse = (D / s) @ D.T
    return _centred((Z - inverse @ B) @ W + inverse @ A)


def orthogonal_weight_normalization(V: Any, A: Any) -> Any:
    _, W, _, D, s = _polar(V)
    return W, lambda: _polar_pulled(A, W, D, s)


def dswn_neuron_measurement(V: Any, A: Any) -> Any:
    return _scaled(V, lambda: A)


def _scaled(V: Any, cotangent: Callable[[], Any]) -> Any:
    """φ(V) G⁻¹; ``cotangent`` is asked when the backward begins."""
    X, phi, S, D, s = _polar(V)
    norms = np.sqrt((X * X).sum(0))
    scales = (2 * norms + EPSILON) / 1.0

    def backward() -> Any:
        A = cotangent()
        by_norms = (A * phi).sum(0) * 2.0
        through = _centred((S @ phi) / norms * by_norms)
        return _polar_pulled(A * scales, phi, D, s) + through

    return phi * scales, backward


def _shrunk(phi: Any, A: Any) -> tuple[Any, Callable[[], Any]]:
    """sign(φ) (|φ| − η ‖φ_i‖₁)₊ and the cotangent of φ."""
    signs, size = np.sign(np.asarray(phi)), np.abs(phi)
    X = np.maximum(size - ETA * size.sum(1, keepdims=True), 0)
    kept = np.sign(np.asarray(X))

    def backward() -> Any:
        B = A * kept
        return B - signs * (ETA * (B * signs).sum(1, keepdims=True))

    return X * signs, backward


def dswn_sparsity_measurement(V: Any, A: Any) -> Any:
    _, phi, _, D, s = _polar(V)
    W, through = _shrunk(phi, A)
    return W, lambda: _polar_pulled(through(), phi, D, s)


def dswn_combined(V: Any, A: Any) -> Any:
    """Scaled by the neurons' norms, then shrunk."""
    later: list[Any] = []
    scaled, backward = _scaled(V, lambda: later[0]())
    W, through = _shrunk(scaled, A)
    later.append(through)
    return W, backward


def spectral_normalization(V: Any, A: Any) -> Any:
    wide = V.shape[0] <= V.shape[1]
    Y = V if wide else V.T
    u = _eigen(Y @ Y.T)[1][:, -1:]
    v = Y.T @ u
    sigma = np.sqrt((v * v).sum())
    v = v / sigma
    W = V / sigma
    left, right = (u, v) if wide else (v, u)

    def backward() -> Any:
        return (A - (A * W).sum() * (left @ right.T)) / sigma

    return W, backward


def spectral_normalization_by_power_iteration(V: Any, A: Any) -> Any:
    """One round from v = 1/√d; the singular pair counts as constant in the backward."""
    v = V.meter.on(np.full(V.shape[1], V.shape[1] ** -0.5))
    u = _unit(V @ v)
    v = _unit(V.T @ u)
    sigma = u @ (V @ v)
    W = V / sigma
    return W, lambda: (A - (A * W).sum() * (u[:, None] * v)) / sigma


def _unit(x: Any) -> Any:
    return x / np.sqrt((x * x).sum())


def constrained_weight_optimization(V: Any, A: Any) -> Any:
    X = _centred(V)
    return X * (math.sqrt(2.0) / _norms(X)), lambda: _centred(A)


def l1_inf_projection(V: Any, A: Any) -> Any:
    """Every row outside the ball of radius C."""
    n, d = V.shape
    size = np.abs(V)
    mu = V.meter.on(-np.sort(-np.asarray(size), axis=1))
    V.meter.seen += Operations(modelled=sorting(n, d))
    partial = mu.copy()
    for p in range(1, d):
        partial[:, p] = partial[:, p - 1] + mu[:, p]
    outside = np.asarray(partial[:, -1:] > C)
    quotients = (partial - C) / np.arange(1, d + 1)
    last = np.asarray(mu - quotients > 0).sum(1) - 1
    theta = quotients[np.arange(n), last][:, None]
    X = np.sign(np.asarray(V)) * np.maximum(size - theta, 0)
    return np.where(outside, np.asarray(X), np.asarray(V)), lambda: A


def norm_loss(V: Any, A: Any) -> Any:
    """The value, and with the norms at hand A + 2λ (1 − 1/‖w‖) w; λ = 1."""
    r = _norms(V)
    off = 1 - r
    return (off * off).sum(), lambda: _towards_one(V, A, r)


def norm_loss_of_a_step(V: Any, A: Any) -> Any:
    """A + 2λ (1 − 1/‖w‖) w with the norms, all that training needs."""
    return _towards_one(V, A, _norms(V))


def _towards_one(V: Any, A: Any, r: Any) -> Any:
    return A + 2.0 * (1 - 1 / r) * V


def weight_decay(V: Any, A: Any) -> Any:
    """λ Σ w² and A + 2λ w; λ = 1."""
    return 1.0 * (V * V).sum(), lambda: A + 2.0 * V


SCHEDULES: Final[dict[str, Schedule]] = {
    each.__name__: each
    for each in (
        weight_normalization,
        centred_weight_normalization,
        orthogonal_weight_normalization,
        dswn_neuron_measurement,
        dswn_sparsity_measurement,
        dswn_combined,
        spectral_normalization,
        spectral_normalization_by_power_iteration,
        newton_schulz,
        constrained_weight_optimization,
        l1_inf_projection,
        norm_loss,
        weight_decay,
    )
}
"""By the catalogue's id."""


def polar_as_published(V: Any) -> Any:
    """D Λ^{-1/2} Dᵀ V_C."""
    X = _centred(V)
    lam, D = _eigen(X @ X.T)
    return ((D * (1 / np.sqrt(lam))) @ D.T) @ X


AS_PUBLISHED: Final[dict[str, Callable[[Any], Any]]] = {
    "orthogonal_weight_normalization": polar_as_published,
    "newton_schulz": newton_schulz_as_published,
}
"""Forward only."""
