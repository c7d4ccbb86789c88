"""Nearest points of the sets that the planted projections go to, by other ways than theirs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def nearest(name: str, V: np.ndarray, **p: float) -> np.ndarray:
    """The nearest point of the set, by bisection on its multiplier where there is no shorter way."""
    norms = np.linalg.norm(V, axis=1, keepdims=True)
    centred = V - V.mean(axis=1, keepdims=True)
    if name in ("simplex_rows", "l1_ball_rows"):
        radius = p.get("radius", p.get("sum", 1.0))
        size = np.abs(V) if name == "l1_ball_rows" else V
        low, high = size.min(axis=1, keepdims=True) - radius, size.max(axis=1, keepdims=True)
        for _ in range(100):
            middle = (low + high) / 2
            above = np.maximum(size - middle, 0).sum(axis=1, keepdims=True) > radius
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        if name == "simplex_rows":
            return np.maximum(V - high, 0)
        inside = size.sum(axis=1, keepdims=True) <= radius
        return np.where(inside, V, np.sign(V) * np.maximum(size - high, 0))
    if name == "zero_mean_box_rows":
        low, high = V.min(axis=1, keepdims=True) - p["hi"], V.max(axis=1, keepdims=True) - p["lo"]
        for _ in range(100):
            middle = (low + high) / 2
            above = np.clip(V - middle, p["lo"], p["hi"]).sum(axis=1, keepdims=True) > 0
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.clip(V - high, p["lo"], p["hi"])
    if name in ("stiefel_rows", "spectral_ball"):
        A, s, Bt = np.linalg.svd(V, full_matrices=False)
        return (A * (np.ones_like(s) if name == "stiefel_rows" else np.minimum(s, p["radius"]))) @ Bt
    made: dict[str, Callable[[], np.ndarray]] = {
        "box": lambda: np.clip(V, p["lo"], p["hi"]),
        "l2_ball_rows": lambda: V / np.maximum(norms / p["radius"], 1),
        "frobenius_ball": lambda: V / max(np.linalg.norm(V) / p["radius"], 1),
        "sphere_rows": lambda: V / norms,
        "nonneg_sphere_rows": lambda: np.maximum(V, 0) / np.linalg.norm(np.maximum(V, 0), axis=1, keepdims=True),
        "affine_sum_rows": lambda: centred + p["sum"] / V.shape[1],
        "zero_mean_l2_ball_rows": lambda: (
            centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True) / p["radius"], 1)
        ),
    }
    return made[name]()
