# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Orthogonal weight normalization ``W = (V Vᵀ)^(−1/2) V`` with a right forward and a wrong derivative.

With ``Sigma = V Vᵀ = U diag(λ) Uᵀ``, ``P = G Vᵀ`` and ``F_ij = (λ_i^(−1/2) − λ_j^(−1/2))/(λ_i − λ_j)`` the right
backward is ``Sigma^(−1/2) G + 2 sym(D) V`` with ``D = U (F ∘ Uᵀ P U) Uᵀ``; ``F_ij = −1/(s_i s_j (s_i + s_j))``,
``s = √λ``, needs no difference of eigenvalues.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    POLAR,
    WIDE,
    Facts,
    hand_written,
    polar,
    polar_backward,
    whitened,
    widened,
)


def symmetric(D: Tensor) -> Tensor:
    return (D + D.mT) / 2


class _Whitening(nn.Module):
    """The right map; a subclass writes one of the three parts of the right backward otherwise."""

    DECLARES = POLAR
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, whitened, self.backward)

    def backward(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        X, H = widened(V), G.to(widened(V).dtype)
        eigenvalues, U = torch.linalg.eigh(X @ X.mT)
        D = U @ (self.differences(eigenvalues) * (U.mT @ H @ X.mT @ U)) @ U.mT
        return ((U / eigenvalues.sqrt()) @ U.mT @ H + self.through_gram(D, X)).to(V.dtype)

    def differences(self, eigenvalues: Tensor) -> Tensor:
        s = eigenvalues.sqrt()
        return -1 / (s[:, None] * s * (s[:, None] + s))

    def through_gram(self, D: Tensor, V: Tensor) -> Tensor:
        return 2 * symmetric(D) @ V


class GramFactorMissing(_Whitening):
    """The Gram term lacks its factor 2."""

    def through_gram(self, D: Tensor, V: Tensor) -> Tensor:
        return symmetric(D) @ V


class GramNotSymmetrized(_Whitening):
    """The Gram term takes 2 D V in the place of (D + Dᵀ) V; right only where D is symmetric."""

    def through_gram(self, D: Tensor, V: Tensor) -> Tensor:
        return 2 * D @ V


class MaskedTies(_Whitening):
    """Equal eigenvalues are masked with F_ij = 0, so that no NaN shows; the gradient there is wrong."""

    def differences(self, eigenvalues: Tensor) -> Tensor:
        gaps = eigenvalues[:, None] - eigenvalues
        tied = gaps.abs() < 1e-10 * eigenvalues.max()
        tied.fill_diagonal_(False)
        return torch.where(tied, 0.0, super().differences(eigenvalues))


class GapCancellation(_Whitening):
    """F is the quotient of two differences wherever the eigenvalues are not exactly equal: it cancels at near ties."""

    def differences(self, eigenvalues: Tensor) -> Tensor:
        gaps = eigenvalues[:, None] - eigenvalues
        quotient = (eigenvalues.rsqrt()[:, None] - eigenvalues.rsqrt()) / gaps
        return torch.where(gaps == 0, super().differences(eigenvalues), quotient)


class SmallEigenvaluesDropped(_Whitening):
    """F drops eigenvalues below 1e-4 of the largest; right for well-conditioned weights only."""

    def differences(self, eigenvalues: Tensor) -> Tensor:
        kept = eigenvalues > 1e-4 * eigenvalues.max()
        return super().differences(eigenvalues) * kept[:, None] * kept


class _ThroughEigenvectors(_Whitening):
    """The backward of the eigendecomposition written out: ``dSigma = U (K ∘ (Uᵀ dU) + diag(dλ)) Uᵀ``."""

    def backward(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        X, H = widened(V), G.to(widened(V).dtype)
        eigenvalues, U = torch.linalg.eigh(X @ X.mT)
        P = H @ X.mT
        towards_U = (P + P.mT) @ U * eigenvalues.rsqrt()
        towards_values = -0.5 * eigenvalues ** (-1.5) * (U * (P @ U)).sum(dim=0)
        D = U @ (self.K(eigenvalues) * (U.mT @ towards_U) + torch.diag(towards_values)) @ U.mT
        return ((U / eigenvalues.sqrt()) @ U.mT @ H + self.through_gram(D, X)).to(V.dtype)

    def K(self, eigenvalues: Tensor) -> Tensor:
        """``1/(λ_j − λ_i)``, zero on the diagonal."""
        gaps = eigenvalues - eigenvalues[:, None]
        return torch.where(torch.eye(len(gaps), dtype=torch.bool), 0.0, 1 / gaps)


class EigenvectorKTransposed(_ThroughEigenvectors):
    """K is taken for its transpose: the part through the eigenvectors has the wrong sign."""

    def K(self, eigenvalues: Tensor) -> Tensor:
        return super().K(eigenvalues).mT


class EigenvectorKClamped(_ThroughEigenvectors):
    """The gaps in K are held above 1e-6, which makes near ties finite and wrong."""

    def K(self, eigenvalues: Tensor) -> Tensor:
        gaps = eigenvalues - eigenvalues[:, None]
        return gaps / (gaps**2).clamp_min(1e-12)


class DetachedEigenvectors(nn.Module):
    """The eigenvectors are detached from the graph; the gradient sees the eigenvalues alone."""

    DECLARES = POLAR
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        X = widened(V.flatten(1))
        U = torch.linalg.eigh(X @ X.mT).eigenvectors.detach()
        variances = (U.mT @ X @ X.mT * U.mT).sum(dim=1)
        return ((U / variances.sqrt()) @ U.mT @ X).to(V.dtype).reshape(V.shape)


class PlainEigh(nn.Module):
    """Autograd goes through the eigenvectors: NaN where two singular values are equal, though the gradient exists."""

    DECLARES = POLAR
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return whitened(V.flatten(1)).reshape(V.shape)


class PlainSvd(nn.Module):
    """Autograd goes through the singular vectors: NaN at orthonormal rows, where most people start to train."""

    DECLARES = POLAR
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return polar(V.flatten(1)).reshape(V.shape)


class _Polar(nn.Module):
    """The right map by the singular value decomposition ``A S Bᵀ`` with the backward that a subclass writes."""

    DECLARES = POLAR
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, polar, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return polar_backward(V, W, G)


class NullSpaceForgotten(_Polar):
    """The part of the gradient outside the row space of V is left out; right only for square V."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return polar_backward(V, W, G @ W.mT @ W)


class TangentOfStiefel(_Polar):
    """The backward projects onto the tangent space, G − sym(G Wᵀ) W; right only where the rows are orthonormal."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return G - symmetric(G @ W.mT) @ W


class TraceForPairs(_Polar):
    """s_i + s_j is replaced by the sum of all singular values; right for one and two rows only."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        A, s, Bt = torch.linalg.svd(widened(V), full_matrices=False)
        AtG = A.mT @ G.to(A.dtype)
        M = AtG @ Bt.mT
        return (A @ ((M - M.mT) / s.sum() @ Bt + (AtG - M @ Bt) / s[:, None])).to(V.dtype)


class SumForDifference(_Polar):
    """The turning part takes M + Mᵀ in the place of M − Mᵀ."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        A, s, Bt = torch.linalg.svd(widened(V), full_matrices=False)
        AtG = A.mT @ G.to(A.dtype)
        M = AtG @ Bt.mT
        return (A @ ((M + M.mT) / (s[:, None] + s) @ Bt + (AtG - M @ Bt) / s[:, None])).to(V.dtype)


class CholeskyNotTransposed(nn.Module):
    """``W = L⁻¹ V`` with ``L Lᵀ = V Vᵀ``: the backward has L⁻¹ where L⁻ᵀ is due; right for orthogonal rows."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True, "odd": True, "rotation_equivariant": True}
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, self.value, self.rule)

    @staticmethod
    def value(V: Tensor) -> Tensor:
        X = widened(V)
        return torch.linalg.solve_triangular(torch.linalg.cholesky(X @ X.mT), X, upper=False).to(V.dtype)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        X, Y, H = (widened(T) for T in (V, W, G))
        L = torch.linalg.cholesky(X @ X.mT)
        lower = torch.tril(H @ Y.mT)
        folded = lower + torch.tril(lower, -1).mT
        return torch.linalg.solve_triangular(L, H - folded @ Y, upper=False).to(V.dtype)
