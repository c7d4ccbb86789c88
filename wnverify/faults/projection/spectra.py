# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Projections onto frames, spectral balls, spheres and centred rows that miss them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wnverify.faults.projection.pieces import L2, ONTO, ONTO_CONVEX, Facts, by_rows, centred, onto_l2_ball, polar


class _OntoFrames:
    DECLARES: ClassVar[Facts] = {**ONTO, "orthonormal_rows": True}
    SET: ClassVar[Facts] = {"name": "stiefel_rows"}
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True, "full_rank": True}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        return polar(X)


class FrameByQR(_OntoFrames):
    """Orthonormal rows by QR: a frame, and not the nearest one."""

    def project(self, X: Tensor) -> Tensor:
        Q, R = torch.linalg.qr(X.mT)
        return (Q * R.diagonal().sign()).mT


class FrameOfWrongSigns(_OntoFrames):
    """The first singular vector has the wrong sign: the determinant is kept, the nearest point lost."""

    def project(self, X: Tensor) -> Tensor:
        A, _, Bt = torch.linalg.svd(X, full_matrices=False)
        signs = torch.ones(len(A), dtype=A.dtype)
        signs[-1] = -1
        return (A * signs) @ Bt


class FrameByOneNewtonStep(_OntoFrames):
    """One step of Newton's iteration from the normalised matrix, where it takes many."""

    def project(self, X: Tensor) -> Tensor:
        Y = X / torch.linalg.matrix_norm(X, 2)
        return 1.5 * Y - 0.5 * Y @ Y.mT @ Y


class _OntoSpectralBall:
    DECLARES: ClassVar[Facts] = {**L2, "spectral_norm_le_1": True}
    SET: ClassVar[Facts] = {"name": "spectral_ball", "radius": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        A, s, Bt = torch.linalg.svd(X, full_matrices=False)
        return (A * s.clamp_max(1)) @ Bt


class DividedBySpectralNorm(_OntoSpectralBall):
    """The matrix is divided by its largest singular value: all of them shrink where one is to be clipped."""

    def project(self, X: Tensor) -> Tensor:
        largest: Tensor = torch.linalg.matrix_norm(X, 2)
        return X / largest.clamp_min(1)


class FirstSingularValueOnly(_OntoSpectralBall):
    """The largest singular value is clipped, the second is forgotten."""

    def project(self, X: Tensor) -> Tensor:
        A, s, Bt = torch.linalg.svd(X, full_matrices=False)
        return (A * torch.cat([s[:1].clamp_max(1), s[1:]])) @ Bt


class FrobeniusForSpectral(_OntoSpectralBall):
    """The Frobenius norm is brought to one, which is more than was asked."""

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(X.reshape(1, -1)).reshape(X.shape)


class ZeroRowOntoSphere:
    """``w / ‖w‖`` is NaN at a zero row, which the sphere has nearest points to."""

    DECLARES: ClassVar[Facts] = {**ONTO, "unit_norm_rows": True}
    SET: ClassVar[Facts] = {"name": "sphere_rows"}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: X / torch.linalg.vector_norm(X, dim=1, keepdim=True))


class ClippedToSphere:
    """Onto rows of norm one with entries ≥ 0: clipped and divided, NaN where no entry is positive."""

    DECLARES: ClassVar[Facts] = {"euclidean_projection": True, "unit_norm_rows": True}
    SET: ClassVar[Facts] = {"name": "nonneg_sphere_rows"}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: X.clamp_min(0) / torch.linalg.vector_norm(X.clamp_min(0), dim=1, keepdim=True))


class CentringForgotten:
    """Onto rows of mean zero and norm at most one: shortened, not centred."""

    DECLARES: ClassVar[Facts] = {**ONTO_CONVEX, "zero_mean_rows": True}
    SET: ClassVar[Facts] = {"name": "zero_mean_l2_ball_rows", "radius": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, onto_l2_ball)


class ShortenedThenCentred:
    """Onto the same rows: shortened first, then centred, which is shorter than need be."""

    DECLARES: ClassVar[Facts] = {**ONTO_CONVEX, "zero_mean_rows": True}
    SET: ClassVar[Facts] = {"name": "zero_mean_l2_ball_rows", "radius": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: centred(onto_l2_ball(X)))


class ClippedThenCentred:
    """Onto rows of mean zero in a box: clipped, then centred, which leaves the box."""

    DECLARES = ONTO_CONVEX
    SET: ClassVar[Facts] = {"name": "zero_mean_box_rows", "lo": -0.5, "hi": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: centred(X.clamp(-0.5, 1.0)))


class SumOfAllEntries:
    """Onto rows that sum to one: the mean of the whole matrix is moved in the place of each row's."""

    DECLARES = ONTO_CONVEX
    SET: ClassVar[Facts] = {"name": "affine_sum_rows", "sum": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: X - X.mean() + 1 / X.shape[1])
