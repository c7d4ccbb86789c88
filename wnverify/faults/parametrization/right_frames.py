# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Right orthogonalizations and a right spectral normalization, by seven different algorithms."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.frames import orthonormal_rows
from wnverify.faults.parametrization.pieces import (
    POLAR,
    WIDE,
    Facts,
    centred,
    hand_written,
    polar,
    polar_backward,
)

TRIANGULAR: Facts = {
    "orthonormal_rows": True,
    "scale_invariant": True,
    "row_scale_invariant": True,
    "odd": True,
    "idempotent": True,
    "rotation_equivariant": True,
}


class _Frame(nn.Module):
    """Any map of the matrix of flattened rows, in float64."""

    DECLARES: ClassVar[Facts] = POLAR
    DOMAIN: ClassVar[Facts] = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return self.value(V.flatten(1).double()).to(V.dtype).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return hand_written(X, polar, polar_backward)


class PolarHandWritten(_Frame):
    """Orthogonal weight normalization by a singular value decomposition, its backward without any gap in it."""


class PolarCentred(_Frame):
    """The polar factor of the centred rows."""

    DECLARES: ClassVar[Facts] = {
        "orthonormal_rows": True,
        "zero_mean_rows": True,
        "scale_invariant": True,
        "shift_invariant_rows": True,
        "odd": True,
        "gradient_zero_mean": True,
        "permutation_equivariant_rows": True,
    }
    DOMAIN: ClassVar[Facts] = {"rows_lt_cols": True, "full_rank": True}

    def value(self, X: Tensor) -> Tensor:
        return hand_written(centred(centred(X)), polar, polar_backward)


class PolarNewtonSchulz(_Frame):
    """The polar factor by Newton–Schulz steps until they have converged, up to condition 1e4, by autograd."""

    DOMAIN: ClassVar[Facts] = WIDE | {"max_condition": 1e4}
    steps: ClassVar[int] = 36

    def value(self, X: Tensor) -> Tensor:
        Y = X / X.detach().abs().amax()
        Y = Y / torch.linalg.matrix_norm(Y)
        for _ in range(self.steps):
            Y = 1.5 * Y - 0.5 * (Y @ Y.mT) @ Y
        return Y


class HouseholderQR(_Frame):
    """Gram–Schmidt by a QR decomposition whose triangle has a positive diagonal."""

    DECLARES: ClassVar[Facts] = TRIANGULAR

    def value(self, X: Tensor) -> Tensor:
        return orthonormal_rows(X)


class GramSchmidtTwice(_Frame):
    """Gram–Schmidt row by row, each projection done twice."""

    DECLARES: ClassVar[Facts] = TRIANGULAR

    def value(self, X: Tensor) -> Tensor:
        Q = torch.empty_like(X[:0])
        for row in X.unbind(dim=0):
            q = row / row.detach().abs().amax()
            for _ in range(2):
                q = q - (Q @ q) @ Q
                q = q / torch.linalg.vector_norm(q)
            Q = torch.cat([Q, q[None]])
        return Q


class CholeskyTwice(_Frame):
    """``L⁻¹ V`` with ``L Lᵀ = V Vᵀ``, twice: the second pass mends what the squared condition cost."""

    DECLARES: ClassVar[Facts] = TRIANGULAR
    DOMAIN: ClassVar[Facts] = WIDE | {"max_condition": 1e6}

    def value(self, X: Tensor) -> Tensor:
        Y = X / X.detach().abs().amax(dim=1, keepdim=True)
        for _ in range(2):
            Y = torch.linalg.solve_triangular(torch.linalg.cholesky(Y @ Y.mT), Y, upper=False)
        return Y


class Cayley(_Frame):
    """The first rows of ``(I + A)⁻¹(I − A)``, with A the skew part of V filled up to a square."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True}
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True, "max_abs": 100.0}

    def value(self, X: Tensor) -> Tensor:
        n, d = X.shape
        square = torch.cat([X, X.new_zeros(d - n, d)])
        A = (square - square.mT) / 2
        unit = torch.eye(d, dtype=X.dtype, device=X.device)
        return torch.linalg.solve(unit + A, unit - A)[:n]


class SpectralExact(_Frame):
    """``V / σ_max(V)`` by all singular values."""

    DECLARES: ClassVar[Facts] = {
        "spectral_norm_le_1": True,
        "scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
    }
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where the largest singular value is repeated"}

    def value(self, X: Tensor) -> Tensor:
        return X / torch.linalg.svdvals(X)[0]
