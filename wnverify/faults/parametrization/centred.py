# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Centred weight normalization ``w = (v − m) / ‖v − m‖`` and standardization, with centring or its gradient wrong.

The right backward is ``(g − w⟨w, g⟩ − mean(g)) / ‖v − m‖``.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    CENTRED_UNIT_ROWS,
    Facts,
    centred,
    centred_unit_rows,
    dots,
    hand_written,
    norms,
    unit_rows,
)

AT_LEAST_TWO: Facts = {"min_cols": 2}


class _Centred(nn.Module):
    """The right map with the backward that a subclass writes."""

    DECLARES = CENTRED_UNIT_ROWS
    DOMAIN = AT_LEAST_TWO

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, centred_unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return centred(G - W * dots(W, G)) / norms(centred(V))


class ForgottenMean(_Centred):
    """The backward forgets ``−mean(g)``: it projects off w but not off the vector of ones."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W, G)) / norms(centred(V))


class MeanOfColumns(_Centred):
    """The backward subtracts the means of the columns of the gradient in the place of those of the rows."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        gradient = G - W * dots(W, G)
        return (gradient - gradient.mean(dim=0, keepdim=True)) / norms(centred(V))


class UncentredLength(_Centred):
    """The backward divides by ‖v‖ in the place of ‖v − m‖; right only for rows of mean zero."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return centred(G - W * dots(W, G)) / norms(V)


class CentringSkippedWhenCentred(_Centred):
    """The backward saves the centring where a row has mean zero already."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        gradient = G - W * dots(W, G)
        done = V.mean(dim=1, keepdim=True).abs() < 1e-8 * norms(V)
        return torch.where(done, gradient, centred(gradient)) / norms(centred(V))


class TransposedCentring(_Centred):
    """The backward centres the flattened gradient in blocks of n entries: right only for square weights."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        gradient = G - W * dots(W, G)
        blocks = gradient.reshape(gradient.shape[1], -1)
        return (blocks - blocks.mean(dim=1, keepdim=True)).reshape(V.shape) / norms(centred(V))


class DetachedMean(nn.Module):
    """The mean is detached from the graph: the output ignores a shift of v, the gradient does not."""

    DECLARES: ClassVar[Facts] = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "odd": True,
        "idempotent": True,
        "gradient_zero_mean": True,
        "permutation_equivariant_rows": True,
    }

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X - X.mean(dim=1, keepdim=True).detach()).reshape(V.shape)


class DetachedDeviation(nn.Module):
    """Weight standardization whose standard deviation is detached from the graph."""

    DECLARES: ClassVar[Facts] = {"zero_mean_rows": True, "shift_invariant_rows": True, "odd": True}
    DOMAIN = AT_LEAST_TWO

    def forward(self, V: Tensor) -> Tensor:
        X = centred(V.flatten(1))
        return (X / X.pow(2).mean(dim=1, keepdim=True).add(1e-5).sqrt().detach()).reshape(V.shape)


class _CentredForward(nn.Module):
    """Any map of the flattened rows, differentiated by autograd."""

    DOMAIN = AT_LEAST_TWO

    def forward(self, V: Tensor) -> Tensor:
        return self.value(V.flatten(1)).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return centred_unit_rows(X)


class MeanOverOneLess(_CentredForward):
    """The mean divides by d − 1 in the place of d."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "zero_mean_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X - X.sum(dim=1, keepdim=True) / max(X.shape[1] - 1, 1))


class MeanOverRows(_CentredForward):
    """The mean is taken over the output units; no shape tells, square or not."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "zero_mean_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X - X.mean(dim=0, keepdim=True))


class MeanOfWholeMatrix(_CentredForward):
    """One mean is taken for the whole matrix, which a shift of all rows alike does not reveal."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "shift_invariant_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X - X.mean())


class SampleDeviation(_CentredForward):
    """The rows are divided by √d times the sample deviation (d − 1) in the place of the population's (d)."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "zero_mean_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return centred(X) / (X.std(dim=1, keepdim=True) * X.shape[1] ** 0.5)


class CentredAfterNormalizing(_CentredForward):
    """The rows are normalized first and centred second, which shortens them again."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "zero_mean_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return centred(unit_rows(X))


class MeanAlmostRemoved(_CentredForward):
    """Only 99.9 per cent of the mean are subtracted: the gradient's rows keep a thousandth of theirs."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "gradient_zero_mean": True}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X - 0.999 * X.mean(dim=1, keepdim=True))
