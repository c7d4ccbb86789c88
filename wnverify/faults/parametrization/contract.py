# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Right mathematics that breaks what PyTorch asks of a parametrization: shape, dtype, memory, repeatability, state."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    UNIT_ROWS,
    WIDE,
    Facts,
    centred,
    hand_written,
    norms,
    unit_rows,
    widened,
)
from wnverify.faults.parametrization.pieces import unit_rows_backward as right_backward


class ComplexRoot(nn.Module):
    """``Sigma^(−1/2)`` of a general eigendecomposition is complex, and its real part is not taken."""

    DECLARES: ClassVar[Facts] = {"odd": True}
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        X = widened(V.flatten(1))
        eigenvalues, U = torch.linalg.eig(X @ X.mT)
        return ((U / eigenvalues.sqrt()) @ torch.linalg.inv(U) @ X.to(U.dtype)).reshape(V.shape)


class FlattensKernels(nn.Module):
    """A convolution kernel comes back as a matrix."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return unit_rows(V.flatten(1))


class SqueezesSingleRow(nn.Module):
    """A single row comes back without its first axis."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return unit_rows(V.flatten(1)).reshape(V.shape).squeeze(0)


class AlwaysFloat32(nn.Module):
    """The output is float32 whatever came."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return unit_rows(V.flatten(1).float()).reshape(V.shape)


class HalfPromoted(nn.Module):
    """A float32 buffer promotes bfloat16 and float16 to float32; wider types are kept."""

    DECLARES = UNIT_ROWS
    radius: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("radius", torch.ones(1))

    def forward(self, V: Tensor) -> Tensor:
        return (unit_rows(V.flatten(1)) * self.radius).reshape(V.shape)


class NormalizesInPlace(nn.Module):
    """The output is right, and the input is overwritten with it."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        W = hand_written(V, unit_rows, right_backward)
        V.data.copy_(W.detach())
        return W


class CentresInPlaceAndBack(nn.Module):
    """The input is centred in place and its mean added again: it comes back changed by a rounding."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        W = centred(V.flatten(1)).reshape(V.shape)
        mean = V.detach().flatten(1).mean(dim=1).reshape(-1, *[1] * (V.ndim - 1))
        V.data.sub_(mean)
        V.data.add_(mean)
        return W


class ReturnsView(nn.Module):
    """The output is a view of the input: who changes the one changes the other."""

    DECLARES: ClassVar[Facts] = {"odd": True, "idempotent": True, "rotation_equivariant": True}

    def forward(self, V: Tensor) -> Tensor:
        return V.view_as(V)


class RandomNoise(nn.Module):
    """A ten-thousandth of noise from the global generator is added."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, V: Tensor) -> Tensor:
        return unit_rows(V.flatten(1)).reshape(V.shape) + 1e-4 * torch.randn_like(V)


class RandomStart(nn.Module):
    """The power iteration for the spectral norm starts at a random vector each time and stops after three steps."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        with torch.no_grad():
            u = torch.randn_like(X[:, 0])
            for _ in range(3):
                v = nn.functional.normalize(X.mT @ u, dim=0)
                u = nn.functional.normalize(X @ v, dim=0)
        return (X / (u @ X @ v)).reshape(V.shape)


class _CachedNorms(nn.Module):
    """Norms kept from an earlier call under the key that a subclass takes; right as long as they are fresh."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[object, Tensor] = {}

    def forward(self, V: Tensor) -> Tensor:
        lengths = self.cache.setdefault(self.key(V), norms(V.detach().flatten(1)))
        return hand_written(V, lambda X: X / lengths, right_backward)

    def key(self, V: Tensor) -> object:
        return V.data_ptr(), V.shape, V.dtype


class CachedByPointer(_CachedNorms):
    """The norms are cached under the address of the storage, whatever values it holds now."""


class CachedByVersion(_CachedNorms):
    """The norms are cached under address and version, which an assignment to ``.data`` does not count."""

    def key(self, V: Tensor) -> object:
        return V.data_ptr(), V._version, V.shape, V.dtype


class CachedByShape(_CachedNorms):
    """The norms are cached under shape and dtype."""

    def key(self, V: Tensor) -> object:
        return V.shape, V.dtype


class ConstantOfFirstDtype(nn.Module):
    """The root of the number of columns is kept in the dtype of the first call, and used in all later ones."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def __init__(self) -> None:
        super().__init__()
        self.roots: dict[int, Tensor] = {}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        root = self.roots.setdefault(X.shape[1], X.new_tensor(X.shape[1]).sqrt())
        return (unit_rows(X) * root).to(V.dtype).reshape(V.shape)


class MatrixOfFirstDtype(nn.Module):
    """The matrix that centres rows is kept in the dtype of the first call: the next dtype is refused."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True}

    def __init__(self) -> None:
        super().__init__()
        self.centring: dict[int, Tensor] = {}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        d = X.shape[1]
        centring = self.centring.setdefault(d, torch.eye(d, dtype=X.dtype) - X.new_full((d, d), 1 / d))
        return (X @ centring).reshape(V.shape)


class NoncontiguousIsTransposed(nn.Module):
    """The backward takes any input that is not contiguous for a transposed one and reads its storage in that order."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        read = W if V.is_contiguous() else W.mT.reshape(W.shape)
        return right_backward(V, read, G)


class StorageOrder(nn.Module):
    """The forward reads a transposed input in the order of its storage."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        dense = V if V.is_contiguous() or V.ndim != 2 else V.mT.reshape(V.shape)
        return unit_rows(dense.flatten(1)).reshape(V.shape)


class RightInverseFlattens(nn.Module):
    """``right_inverse`` gives a convolution kernel back as a matrix: the layer cannot be registered."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, right_backward)

    def right_inverse(self, W: Tensor) -> Tensor:
        return W.flatten(1).clone()


class FiveAxesUnknown(nn.Module):
    """The axes to reduce are looked up by the number of axes, and the table ends before the kernel of Conv3d."""

    DECLARES = UNIT_ROWS
    axes: ClassVar[dict[int, tuple[int, ...]]] = {2: (1,), 3: (1, 2), 4: (1, 2, 3)}

    def forward(self, V: Tensor) -> Tensor:
        return V / torch.linalg.vector_norm(V, dim=self.axes.get(V.ndim, (1,)), keepdim=True)
