"""Right projections as objects: classes with a call, which are no modules."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wnverify.faults.projection.pieces import (
    KINKS,
    L1,
    L2,
    ONTO,
    ONTO_CONVEX,
    Facts,
    by_rows,
    centred,
    norms,
    onto_l1_ball,
    onto_l2_ball,
    onto_simplex,
    polar,
)


class _Projection:
    """Rows through ``project``; without a graph, as it is used after a step."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        raise NotImplementedError


class OntoL1Ball(_Projection):
    """Rows with ``Σ|w_j| ≤ 1``, by sorting."""

    DECLARES = L1
    SET: ClassVar[Facts] = {"name": "l1_ball_rows", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        return onto_l1_ball(X)


class OntoBallOfRadius(_Projection):
    """Rows with ``‖w‖ ≤ r``; what it declares depends on r."""

    def __init__(self, radius: float = 2.0):
        self.radius = radius
        self.DECLARES = L2
        self.SET = {"name": "l2_ball_rows", "radius": radius}

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(X, self.radius)


class OntoSimplex(_Projection):
    """Rows with entries ≥ 0 that sum to one."""

    DECLARES: ClassVar[Facts] = {**ONTO_CONVEX, "shift_invariant_rows": True, "l1_rows_le": 1.0}
    SET: ClassVar[Facts] = {"name": "simplex_rows"}

    def project(self, X: Tensor) -> Tensor:
        return onto_simplex(X)


class OntoFrames(_Projection):
    """Orthonormal rows: the polar factor."""

    DECLARES: ClassVar[Facts] = {
        **ONTO,
        "orthonormal_rows": True,
        "scale_invariant": True,
        "odd": True,
        "rotation_equivariant": True,
    }
    SET: ClassVar[Facts] = {"name": "stiefel_rows"}
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True}

    def project(self, X: Tensor) -> Tensor:
        return polar(X)


class OntoUnitSphere(_Projection):
    """Rows of norm one; a zero row becomes the first unit vector."""

    DECLARES: ClassVar[Facts] = {
        **ONTO,
        "unit_norm_rows": True,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "odd": True,
        "rotation_equivariant": True,
    }
    SET: ClassVar[Facts] = {"name": "sphere_rows"}

    def project(self, X: Tensor) -> Tensor:
        sizes = norms(X)
        first = torch.zeros_like(X)
        first[:, 0] = 1
        return torch.where(sizes == 0, first, X / torch.where(sizes == 0, 1.0, sizes))


class OntoCentredBall(_Projection):
    """Rows of mean zero and norm at most one: centred, then shortened."""

    DECLARES: ClassVar[Facts] = {**ONTO_CONVEX, "zero_mean_rows": True, "shift_invariant_rows": True, "odd": True}
    SET: ClassVar[Facts] = {"name": "zero_mean_l2_ball_rows", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(centred(X))


class OntoSpectralBall(_Projection):
    """Matrices with singular values at most one: each is clipped."""

    DECLARES: ClassVar[Facts] = {**L2, "spectral_norm_le_1": True}
    SET: ClassVar[Facts] = {"name": "spectral_ball", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        A, s, Bt = torch.linalg.svd(X, full_matrices=False)
        inside = bool((s <= 1).all())
        return X.clone() if inside else (A * s.clamp_max(1)) @ Bt


class OntoBoxWithGraph:
    """Entries between −½ and 1, differentiable where no entry is on the border."""

    DECLARES = ONTO_CONVEX
    DOMAIN = KINKS
    SET: ClassVar[Facts] = {"name": "box", "lo": -0.5, "hi": 1.0}

    def __call__(self, W: Tensor) -> Tensor:
        return W.clamp(-0.5, 1.0)
