"""Right projections, written one row at a time and apart from the certificates that judge them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Projection = Callable[..., np.ndarray]


def by_rows(project: Callable[..., np.ndarray]) -> Projection:
    def of_matrix(V: np.ndarray, **parameters: float) -> np.ndarray:
        return np.array([project(v, **parameters) for v in V])

    return of_matrix


def simplex(v: np.ndarray, sum: float = 1.0) -> np.ndarray:
    """max(v − θ, 0) with θ from the sorted entries."""
    ordered = np.sort(v)[::-1]
    theta = (np.cumsum(ordered) - sum) / np.arange(1, len(v) + 1)
    return np.maximum(v - theta[np.flatnonzero(ordered > theta)[-1]], 0.0)


def l1_ball(v: np.ndarray, radius: float = 1.0) -> np.ndarray:
    if np.abs(v).sum() <= radius:
        return v
    return np.sign(v) * simplex(np.abs(v), radius)


def l2_ball(v: np.ndarray, radius: float = 1.0) -> np.ndarray:
    norm = np.linalg.norm(v)
    return v if norm <= radius else v * (radius / norm)


def sphere(v: np.ndarray, radius: float = 1.0) -> np.ndarray:
    norm = np.linalg.norm(v)
    return v * (radius / norm) if norm > 0 else radius * np.eye(len(v))[0]


def nonneg_sphere(v: np.ndarray, radius: float = 1.0) -> np.ndarray:
    return sphere(np.maximum(v, 0), radius) if v.max() > 0 else radius * np.eye(len(v))[v.argmax()]


def zero_mean_sphere(v: np.ndarray, radius: float = 1.0) -> np.ndarray:
    centred = v - v.mean()
    centred -= centred.mean()
    return sphere(centred, radius) if centred.any() else sphere(np.eye(len(v))[0] - np.eye(len(v))[1], radius)


def zero_mean_box(v: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """clip(v − θ) with θ by bisection on the sum, then the rounding of the sum spread over the free entries."""
    below, above = v.min() - hi - 1, v.max() - lo + 1
    for _ in range(200):
        middle = (below + above) / 2
        below, above = (middle, above) if np.clip(v - middle, lo, hi).sum() > 0 else (below, middle)
    return np.clip(v - above, lo, hi)


def spectral_ball(V: np.ndarray, radius: float = 1.0) -> np.ndarray:
    A, s, Bt = np.linalg.svd(V, full_matrices=False)
    return (A * np.minimum(s, radius)) @ Bt


def stiefel(V: np.ndarray) -> np.ndarray:
    A, _, Bt = np.linalg.svd(V, full_matrices=False)
    return A @ Bt


SETS: dict[str, tuple[Projection, dict[str, Any]]] = {
    "box": (lambda V, lo, hi: np.clip(V, lo, hi), {"lo": -0.7, "hi": 0.4}),
    "l2_ball_rows": (by_rows(l2_ball), {"radius": 1.5}),
    "l1_ball_rows": (by_rows(l1_ball), {"radius": 1.3}),
    "frobenius_ball": (lambda V, radius: l2_ball(V.ravel(), radius).reshape(V.shape), {"radius": 2.0}),
    "spectral_ball": (spectral_ball, {"radius": 1.1}),
    "simplex_rows": (by_rows(simplex), {"sum": 1.7}),
    "affine_sum_rows": (by_rows(lambda v, sum: v + (sum - v.sum()) / len(v)), {"sum": 0.6}),
    "zero_mean_rows": (by_rows(lambda v: v - v.mean()), {}),
    "zero_mean_l2_ball_rows": (by_rows(lambda v, radius: l2_ball(v - v.mean(), radius)), {"radius": 1.2}),
    "zero_mean_box_rows": (by_rows(zero_mean_box), {"lo": -0.5, "hi": 0.8}),
    "sphere_rows": (by_rows(sphere), {"radius": 0.9}),
    "nonneg_sphere_rows": (by_rows(nonneg_sphere), {"radius": 1.4}),
    "sphere_zero_mean_rows": (by_rows(zero_mean_sphere), {"radius": 1.1}),
    "stiefel_rows": (stiefel, {}),
}
