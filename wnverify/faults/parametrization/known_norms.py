# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Row normalizations that public libraries once shipped, re-enacted: zero rows, half precision, wrong axes, gradients.

The row of each names the thread where it was reported.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    CENTRED_UNIT_ROWS,
    UNIT_ROWS,
    Facts,
    centred,
    centred_unit_rows,
    dots,
    hand_written,
    norms,
    unit_rows,
    unit_rows_backward,
)

UNIT: Facts = {"unit_norm_rows": True}
HALVES = (torch.bfloat16, torch.float16)


class _Rows(nn.Module):
    """Any map of the flattened rows, differentiated by autograd."""

    DECLARES: ClassVar[Facts] = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return self.value(V.flatten(1)).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X)


class WhereHidesNaN(_Rows):
    """The quotient at a zero row is replaced by zero after it was formed: the value is well, its gradient NaN."""

    def value(self, X: Tensor) -> Tensor:
        lengths = norms(X)
        return torch.where(lengths > 0, X / lengths, 0.0)


class NormalizeExplodes(_Rows):
    """The norm is clamped at 1e-12, and the gradient at a zero row is a million million times the cotangent."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True}

    def value(self, X: Tensor) -> Tensor:
        return nn.functional.normalize(X, dim=1)


class MagnitudeOverZero(nn.Module):
    """``(m, V) -> (m / ‖v‖) v`` with a magnitude that starts as the norm: a pruned row is 0/0 from the first step."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, m: Tensor, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return ((m.reshape(-1, 1) / norms(X)) * X).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return norms(W.flatten(1)).squeeze(1), W.clone()


class EpsUnderflowsInHalf(_Rows):
    """An ``eps`` of 1e-12 under the root is zero in float16: a zero row, harmless in float32, is NaN there."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True}

    def value(self, X: Tensor) -> Tensor:
        return X * (dots(X, X) + 1e-12).rsqrt()


class HalfSquaresOverflow(_Rows):
    """In half precision the squares are summed as they are: rows of norm 256 and more have an infinite norm."""

    def value(self, X: Tensor) -> Tensor:
        top = X.detach().abs().amax(dim=1, keepdim=True)
        return X / dots(X, X).sqrt() if X.dtype in HALVES else unit_rows(X / top)


class GainAlongColumns(nn.Module):
    """A gain of shape ``(out,)`` is left to broadcasting, which lays it along the columns: silent for square V."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, g: Tensor, V: Tensor) -> Tensor:
        return (g * unit_rows(V.flatten(1))).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return norms(W.flatten(1)).squeeze(1), W.clone()


class LastAxisTakenForWhole(_Rows):
    """``dim=None`` is stored as −1, so that whoever asks for the last axis gets one norm of the whole matrix."""

    DECLARES: ClassVar[Facts] = UNIT
    dim: ClassVar[int] = -1

    def value(self, X: Tensor) -> Tensor:
        columns = X.mT
        length = torch.linalg.matrix_norm(columns) if self.dim == -1 else torch.linalg.vector_norm(columns, dim=0)
        return (columns / length).mT


class SquareTakenForTransposed(_Rows):
    """The axis of the norm is found by comparing sizes, which a square weight makes the wrong one."""

    DECLARES: ClassVar[Facts] = UNIT

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X.mT).mT if X.shape[0] == X.shape[1] else unit_rows(X)


class KernelAxesFixed(nn.Module):
    """A kernel's norm is taken over axes 1, 2 and 3: the kernels of one-dimensional convolutions have no third."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def forward(self, V: Tensor) -> Tensor:
        return V / (norms(V) if V.dim() == 2 else V.square().sum(dim=(1, 2, 3), keepdim=True).sqrt())


class FanInOfOutputs(_Rows):
    """Scaled standardization divides by the root of the number of outputs in the place of the fan-in."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "zero_mean_rows": True}
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def value(self, X: Tensor) -> Tensor:
        return centred(X) / (X.std(dim=1, keepdim=True, correction=0) * X.shape[0] ** 0.5)


class EpsBesideDeviation(_Rows):
    """``eps`` is added to the deviation and not to the variance: the gradient at a constant row is NaN."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True, "shift_invariant_rows": True}
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def value(self, X: Tensor) -> Tensor:
        Y = centred(X)
        return Y / (Y.square().mean(dim=1, keepdim=True).sqrt() + 1e-5)


class AssignedBehindAutograd(nn.Module):
    """The normalized weight is assigned to the data of a copy: autograd sees the identity."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        W = V.clone()
        W.data.copy_(unit_rows(V.detach().flatten(1)).reshape(V.shape))
        return W


class ArccosAtClamp(_Rows):
    """The first coordinate is written as the cosine of its arccosine, whose slope is infinite at the first axis."""

    def value(self, X: Tensor) -> Tensor:
        W = unit_rows(X)
        return torch.cat([W[:, :1].clamp(-1, 1).arccos().cos(), W[:, 1:]], dim=1)


class SymmetricCotangentOnly(nn.Module):
    """The backward of a square weight takes the cotangent's symmetric part, as for the Gram matrix it was written."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, (G + G.mT) / 2 if G.shape[0] == G.shape[1] else G)


class LengthInOnePass(nn.Module):
    """The backward takes ‖v − m‖ for √(Σ v² − d m²): right in float64, cancelled in float32 beside a large mean."""

    DECLARES = CENTRED_UNIT_ROWS
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, centred_unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        squares = dots(V, V) - V.shape[1] * V.mean(dim=1, keepdim=True).square()
        return centred(G - W * dots(W, G)) / squares.sqrt()
