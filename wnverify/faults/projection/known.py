# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Projections that public libraries once shipped, re-enacted; the row of each names the thread."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wnverify.faults.projection.pieces import L1, L2, ONTO, Facts, by_rows, norms, onto_l2_ball, polar


class _Rows:
    DECLARES: ClassVar[Facts] = L2
    SET: ClassVar[Facts] = {"name": "l2_ball_rows", "radius": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        return onto_l2_ball(X)


class FirstFalseTaken(_Rows):
    """The count of active entries is the place of the first inactive one, which is 0 where all are active."""

    DECLARES = L1
    SET: ClassVar[Facts] = {"name": "l1_ball_rows", "radius": 1.0}

    def project(self, X: Tensor) -> Tensor:
        size = X.abs()
        ordered = size.sort(dim=1, descending=True).values
        counts = torch.arange(1, X.shape[1] + 1, dtype=X.dtype)
        thresholds = (ordered.cumsum(dim=1) - 1) / counts
        used = (ordered > thresholds).int().argmin(dim=1, keepdim=True)
        threshold = thresholds.gather(1, (used - 1).clamp_min(0))
        outside = size.sum(dim=1, keepdim=True) > 1
        return torch.where(outside, X.sign() * (size - threshold).clamp_min(0), X)


class BorderAtOne(_Rows):
    """Whether a row lies inside is asked of the ball of radius one, and the ball has radius eight."""

    SET: ClassVar[Facts] = {"name": "l2_ball_rows", "radius": 8.0}

    def project(self, X: Tensor) -> Tensor:
        sizes = norms(X)
        return torch.where(sizes > 1, X / sizes.clamp_min(1) * 8, X)


class AxisNoneIsFirst(_Rows):
    """``dim=None``, one norm of the whole matrix, is taken for the first axis: every row gets a ball of its own."""

    SET: ClassVar[Facts] = {"name": "frobenius_ball", "radius": 1.0}


class RotationsOnly(_Rows):
    """A square matrix is projected onto the rotations: the frames of determinant −1 are never reached."""

    DECLARES: ClassVar[Facts] = {**ONTO, "orthonormal_rows": True}
    SET: ClassVar[Facts] = {"name": "stiefel_rows"}
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True, "full_rank": True}

    def project(self, X: Tensor) -> Tensor:
        W = polar(X)
        if X.shape[0] != X.shape[1] or float(torch.linalg.det(W)) > 0:
            return W
        A, _, Bt = torch.linalg.svd(X)
        return A @ torch.cat([Bt[:-1], -Bt[-1:]])


class DriftsOffTheSphere(_Rows):
    """Rows whose norm is within a hundredth of one count as settled: every step moves them a little further."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True, "unit_norm_rows": True}
    SET: ClassVar[Facts] = {}
    DOMAIN: ClassVar[Facts] = {"zero_row": "stays zero"}

    def project(self, X: Tensor) -> Tensor:
        sizes = norms(X)
        settled = ((sizes - 1).abs() < 1e-2) | (sizes == 0)
        return torch.where(settled, X, X / torch.where(sizes == 0, 1.0, sizes))
