# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Right formulas in unsound arithmetic: hidden narrow types, cancelling sums, zero over zero, overflow, lost NaN."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    CENTRED_UNIT_ROWS,
    POLAR,
    UNIT_ROWS,
    Facts,
    centred,
    dots,
    hand_written,
    inverse_sqrt,
    norms,
    unit_rows,
    unit_rows_backward,
    widened,
)

UNIT: Facts = {"unit_norm_rows": True}


class _Rows(nn.Module):
    """Any map of the flattened rows, differentiated by autograd."""

    DECLARES: ClassVar[Facts] = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return self.value(V.flatten(1)).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X)


class HiddenFloat16(_Rows):
    """float32 is normalized in float16 and brought back."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X.half() if X.dtype == torch.float32 else X).to(X.dtype)


class HiddenFloat32(_Rows):
    """float64 is normalized in float32 and brought back."""

    DECLARES: ClassVar[Facts] = UNIT

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X.float()).to(X.dtype)


class EpsOfTheType(_Rows):
    """``eps`` is the root of the machine epsilon: float32 computes another function than float64."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True}

    def value(self, X: Tensor) -> Tensor:
        return X / (dots(X, X) + torch.finfo(X.dtype).eps ** 0.5).sqrt()


class SequentialHalfSum(_Rows):
    """The squares are summed one after the other in the input's own type; half precision loses most of a long row."""

    def value(self, X: Tensor) -> Tensor:
        if X.dtype not in (torch.bfloat16, torch.float16):
            return unit_rows(X)
        total = torch.zeros_like(X[:, 0])
        for column in X.unbind(dim=1):
            total = total + column * column
        return X / total.sqrt()[:, None]


class HalfCotangent(_Rows):
    """The backward of float32 rounds the cotangent to float16."""

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, G.half().to(G.dtype) if G.dtype == torch.float32 else G)


class DifferencesAsBackward(_Rows):
    """The backward is a difference of the forward with step 1e-6: good in float64, noise in float32."""

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        h = 1e-6 * torch.linalg.vector_norm(V) / torch.linalg.vector_norm(G).clamp_min(1e-30)
        return (unit_rows(V + h * G) - unit_rows(V - h * G)) / (2 * h)


class OnePassVariance(_Rows):
    """The variance is E[v²] − E[v]², which cancels where the mean is large beside the spread."""

    DECLARES: ClassVar[Facts] = CENTRED_UNIT_ROWS
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def value(self, X: Tensor) -> Tensor:
        variance = (X * X).mean(dim=1, keepdim=True) - X.mean(dim=1, keepdim=True) ** 2
        return centred(X) / (variance * X.shape[1]).sqrt()


class ZeroOverZero(_Rows):
    """A zero row is divided by its norm: NaN."""


class GradientNaNAtZero(_Rows):
    """``eps`` is added outside the square root: the value at a zero row is finite, its gradient NaN."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def value(self, X: Tensor) -> Tensor:
        return X / ((X * X).sum(dim=1, keepdim=True).sqrt() + 1e-12)


class ConstantRowNaN(_Rows):
    """A constant row is centred to zero and divided by its norm: NaN."""

    DECLARES: ClassVar[Facts] = CENTRED_UNIT_ROWS
    DOMAIN: ClassVar[Facts] = {"min_cols": 2}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(centred(X))


class ZeroMatrixNaN(_Rows):
    """A zero matrix is divided by its Frobenius norm: NaN in every entry."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "odd": True, "spectral_norm_le_1": True}

    def value(self, X: Tensor) -> Tensor:
        return X / torch.linalg.matrix_norm(X)


class NaNSpreads(_Rows):
    """The whole matrix is divided by its largest entry first: a NaN in one row reaches them all."""

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X / X.detach().abs().amax())


class NaNHidden(_Rows):
    """``nan_to_num`` turns a NaN into a zero, and nobody learns that training has diverged."""

    def value(self, X: Tensor) -> Tensor:
        Y = torch.nan_to_num(X)
        return Y / norms(Y).clamp_min(torch.finfo(Y.dtype).tiny)


class SquaresOverflow(_Rows):
    """The squares of large weights overflow: the norm is infinite and the row comes out zero."""

    def value(self, X: Tensor) -> Tensor:
        return X / (X * X).sum(dim=1, keepdim=True).sqrt().clamp_min(torch.finfo(X.dtype).tiny)


class EpsSwallowsTiny(_Rows):
    """The norm is clamped at 1e-12: tiny rows stay tiny, though unit rows are declared."""

    DECLARES: ClassVar[Facts] = UNIT

    def value(self, X: Tensor) -> Tensor:
        largest = X.detach().abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(X.dtype).tiny)
        return X / (norms(X / largest) * largest).clamp_min(1e-12)


class SingleColumnNaN(_Rows):
    """The rows are divided by their sample deviation, which does not exist for a single column: NaN."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True, "shift_invariant_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return centred(X) / (X.std(dim=1, keepdim=True) + 1e-5)


class GramInverted(_Rows):
    """``Sigma^(−1/2)`` is the root of an explicit inverse of the Gram matrix: it breaks before V is singular."""

    DECLARES: ClassVar[Facts] = POLAR
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True}

    def value(self, X: Tensor) -> Tensor:
        Y = widened(X)
        eigenvalues, U = torch.linalg.eigh(torch.linalg.inv_ex(Y @ Y.mT).inverse)
        return ((U * eigenvalues.sqrt()) @ U.mT @ Y).to(X.dtype)


class TallGramNaN(_Rows):
    """More rows than columns make the Gram matrix singular: roots of negative eigenvalues, NaN."""

    DECLARES: ClassVar[Facts] = {"spectral_norm_le_1": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        Y = widened(X)
        return (inverse_sqrt(Y @ Y.mT) @ Y).to(X.dtype)
