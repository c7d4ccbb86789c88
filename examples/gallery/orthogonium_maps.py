"""orthogonium's reparametrizers, which take a batch of matrices: here one."""

from __future__ import annotations

import torch
from orthogonium.layers.conv.AOL.aol import AOLReparametrizer
from orthogonium.reparametrizers import (
    BatchedBjorckOrthogonalization,
    BatchedCholeskyOrthogonalization,
    BatchedExponentialOrthogonalization,
    BatchedPowerIteration,
    BatchedQROrthogonalization,
)
from torch import Tensor, nn


class _Batched(nn.Module):
    """The reparametrizer for ``(1, out, in)``."""

    DECLARES = {"orthonormal_rows": True}
    DOMAIN = {"rows_le_cols": True, "full_rank": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.inner = self.make((1, *weight.flatten(1).shape))

    def make(self, shape: tuple[int, ...]) -> nn.Module:
        raise NotImplementedError

    def forward(self, V: Tensor) -> Tensor:
        return self.inner(V.flatten(1)[None])[0].reshape(V.shape)


class Cholesky(_Batched):
    """``L⁻¹ V`` with ``L Lᵀ = V Vᵀ + 1e-5 I``."""

    DOMAIN = {**_Batched.DOMAIN, "approximate": {"orthonormal_rows": 1e-3}}

    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedCholeskyOrthogonalization(shape)


class CholeskyStable(Cholesky):
    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedCholeskyOrthogonalization(shape, stable=True)


class QR(_Batched):
    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedQROrthogonalization(shape)


class Exponential(_Batched):
    """The exponential series of the skew part, cut after its sixth power."""

    DOMAIN = {"rows_le_cols": True}

    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedExponentialOrthogonalization(shape)


class Bjorck(_Batched):
    """Twelve steps of Björck's iteration after division by the spectral norm, as the library's layers do."""

    DECLARES = {"odd": True, "rotation_equivariant": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return self.inner((X / torch.linalg.matrix_norm(X, 2))[None])[0].reshape(V.shape)

    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedBjorckOrthogonalization(shape)


class BjorckPassThrough(Bjorck):
    """Only the last step is differentiated, which its documentation calls a pass-through."""

    DOMAIN = {**_Batched.DOMAIN, "surrogate_gradient": "the gradient of the last step alone"}

    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedBjorckOrthogonalization(shape, pass_through=True)


class PowerIteration(_Batched):
    """``V / σ`` with σ from a power iteration whose vectors are kept."""

    DECLARES = {"scale_invariant": True}
    DOMAIN = {"stateful_in_training": True}

    def make(self, shape: tuple[int, ...]) -> nn.Module:
        return BatchedPowerIteration(shape)


class AlmostOrthogonalKernel(nn.Module):
    """AOL on a 1 × 1 kernel: columns divided by the root of the row sums of ``|VᵀV|``, so that ‖W‖ ≤ 1."""

    DECLARES = {"spectral_norm_le_1": True, "odd": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.inner = AOLReparametrizer(weight.shape[0], 1)

    def forward(self, V: Tensor) -> Tensor:
        return self.inner(V.flatten(1)[:, :, None, None])[:, :, 0, 0].reshape(V.shape)
