# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Orthogonalizations and spectral bounds whose forward breaks a property that they declare."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import WIDE, Facts, centred, inverse_sqrt, polar, widened

ORTHONORMAL: Facts = {"orthonormal_rows": True}
WIDE_CENTRED: Facts = {"rows_lt_cols": True, "full_rank": True}


class _Frame(nn.Module):
    """Any map of the matrix of flattened rows, in float32 at least."""

    DECLARES: ClassVar[Facts] = ORTHONORMAL
    DOMAIN: ClassVar[Facts] = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return self.value(widened(V.flatten(1))).to(V.dtype).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return polar(X)


def orthonormal_rows(X: Tensor) -> Tensor:
    """Gram–Schmidt of the rows by a QR decomposition with positive diagonal."""
    Q, R = torch.linalg.qr(X.mT)
    return (Q * R.diagonal().sign()).mT


class FiveNewtonSteps(_Frame):
    """Five Newton–Schulz steps are taken for convergence; the rows are orthonormal to a few per cent."""

    def value(self, X: Tensor) -> Tensor:
        Y = X / torch.linalg.matrix_norm(X)
        for _ in range(5):
            Y = 1.5 * Y - 0.5 * (Y @ Y.mT) @ Y
        return Y


class MuonPolynomial(_Frame):
    """A quintic tuned for speed is used for the polar factor: its singular values only lie between 0.7 and 1.2."""

    def value(self, X: Tensor) -> Tensor:
        Y = X / torch.linalg.matrix_norm(X)
        for _ in range(8):
            S = Y @ Y.mT
            Y = 3.4445 * Y + (-4.7750 * S + 2.0315 * S @ S) @ Y
        return Y


class ReshapeForTranspose(_Frame):
    """Orthonormal columns are reshaped where they should be transposed; right only for square weights."""

    def value(self, X: Tensor) -> Tensor:
        return torch.linalg.qr(X.reshape(X.shape[1], X.shape[0])).Q.reshape(X.shape)


class WhitenedUncentred(_Frame):
    """Zero mean rows are declared, but nothing is centred."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True, "zero_mean_rows": True}
    DOMAIN: ClassVar[Facts] = WIDE_CENTRED

    def value(self, X: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(torch.linalg.cholesky(X @ X.mT), X, upper=False)


class CentredAfterWhitening(_Frame):
    """The rows are centred after they were made orthonormal, and no longer are."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True, "zero_mean_rows": True}
    DOMAIN: ClassVar[Facts] = WIDE_CENTRED

    def value(self, X: Tensor) -> Tensor:
        return centred(polar(X))


class EpsOnAllEntries(_Frame):
    """``eps`` is added to every entry of the Gram matrix and not to its diagonal."""

    def value(self, X: Tensor) -> Tensor:
        return inverse_sqrt(X @ X.mT + 1e-3) @ X


class EpsTooLarge(_Frame):
    """A thousandth of the mean eigenvalue is added to the diagonal of the Gram matrix."""

    def value(self, X: Tensor) -> Tensor:
        Gram = X @ X.mT
        return inverse_sqrt(Gram + 1e-3 * Gram.diagonal().mean() * torch.eye(len(Gram), dtype=X.dtype)) @ X


class ScaleWithoutRoot(_Frame):
    """The polar factor is scaled by λ where W Wᵀ = λ I asks for √λ."""

    DECLARES: ClassVar[Facts] = {"scaled_orthonormal_rows": 2.0}

    def value(self, X: Tensor) -> Tensor:
        return 2 * polar(X)


class StructureUnsquared(_Frame):
    """``W G Wᵀ = I`` is reached where ``W G² Wᵀ = I`` is declared, with G = 2 I."""

    DECLARES: ClassVar[Facts] = {"structured_orthonormal": 2.0}

    def value(self, X: Tensor) -> Tensor:
        return polar(X) / 2**0.5


class BlocksOf16(_Frame):
    """The rows are made orthonormal in groups of 16 and nothing binds the groups."""

    def value(self, X: Tensor) -> Tensor:
        return torch.cat([polar(X[i : i + 16]) for i in range(0, len(X), 16)])


class ClassicalGramSchmidt(_Frame):
    """Gram–Schmidt, which keeps the first row's direction, is said not to depend on the order of the rows."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True, "permutation_equivariant_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return orthonormal_rows(X)


class SignsOfLapack(_Frame):
    """The signs of the QR decomposition are left to the library: f(−V) = f(V), declared odd."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return torch.linalg.qr(X.mT).Q.mT


class OnePowerStep(nn.Module):
    """The spectral norm is estimated by one power iteration from below, so that the bound one is passed."""

    DECLARES: ClassVar[Facts] = {"spectral_norm_le_1": True, "scale_invariant": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        v = X.mT @ X.new_ones(len(X))
        u = X @ (v / torch.linalg.vector_norm(v))
        return (X / torch.linalg.vector_norm(X.mT @ (u / torch.linalg.vector_norm(u)))).reshape(V.shape)


class NormProductBound(nn.Module):
    """√(‖V‖₁‖V‖∞) is taken with a mean in the place of a maximum: no bound of the spectral norm any more."""

    DECLARES: ClassVar[Facts] = {"spectral_norm_le_1": True, "scale_invariant": True, "odd": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1).abs()
        return V / (X.sum(dim=0).mean() * X.sum(dim=1).mean()).sqrt()
