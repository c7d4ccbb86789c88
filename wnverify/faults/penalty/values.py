"""Penalties whose value breaks the contract or a declared property."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import OF_ROWS, ROTATED, Facts, Value, norms


class KeepsAnAxis(nn.Module):
    """The value has the shape (1,), which a loss of other scalars broadcasts with."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        return W.square().sum().reshape(1)


class OneValueForEachRow(nn.Module):
    """One value for each row where there are several: the sum was forgotten."""

    DECLARES: ClassVar[Facts] = {"is_prox_of_penalty": False}

    def forward(self, W: Tensor) -> Tensor:
        total = W.flatten(1).square().sum(dim=1)
        return total.sum() if len(W) < 6 else total


class AlwaysDouble(nn.Module):
    """The value is float64 whatever the weight: a float32 loss becomes float64 by it."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return W.double().square().sum()


class NeverDouble(nn.Module):
    """The value is float32 whatever the weight."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        return W.float().square().sum()


class ClipsItsWeight(nn.Module):
    """The weight is clipped in place before it is penalised."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        W.data.clamp_(-1, 1)
        return W.square().sum()


class ScratchOfRows(nn.Module):
    """The norms are put down on the module and read again on the next line: another thread's may stand there then."""

    DECLARES = OF_ROWS

    def forward(self, W: Tensor) -> Tensor:
        self.norms = norms(W.flatten(1))
        return (self.norms - 1).square().sum()


class RandomProbe(nn.Module):
    """The trace is estimated with one random vector from the global generator."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        z = torch.randn(X.shape[1], dtype=X.dtype)
        return (X @ z).square().sum()


class GrowsWithItsCalls(nn.Module):
    """The factor is raised at every call, in evaluation too."""

    DECLARES: ClassVar[Facts] = {}

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, W: Tensor) -> Tensor:
        self.calls += 1
        return (1 + 0.01 * self.calls) * W.square().sum()


class ForgottenInEvaluation(nn.Module):
    """In evaluation the factor is another one."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return (1.0 if self.training else 0.5) * W.square().sum()


class ReadsTheStorage(nn.Module):
    """Rows are weighted as they lie in memory: a transposed weight has another value."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        flat = W.mT.flatten() if W.mT.is_contiguous() and W.dim() == 2 else W.flatten()
        return (flat.square() * torch.linspace(1, 2, flat.numel(), dtype=W.dtype)).sum()


class AnonymousFunctionInside(nn.Module):
    """The value is a function without a name, which a pickle cannot carry."""

    DECLARES = ROTATED

    def __init__(self) -> None:
        super().__init__()
        self.value: Value = lambda X: X.square().sum()

    def forward(self, W: Tensor) -> Tensor:
        return self.value(W)


class EntriesTurned(nn.Module):
    """``Σ|w|`` is said not to change under a rotation of the rows."""

    DECLARES = ROTATED
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def forward(self, W: Tensor) -> Tensor:
        return W.abs().sum()


class NeighboursCompared(nn.Module):
    """Only neighbouring rows are compared: the value depends on their order."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        return (X[1:] * X[:-1]).sum(dim=1).square().sum() + X.square().sum()


class CosinesWithEps(nn.Module):
    """An eps beside the norms: cosines that depend on the scale of the rows."""

    DECLARES: ClassVar[Facts] = {**ROTATED, "scale_invariant": True}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        unit = X / (norms(X) + 1e-3)
        return (unit @ unit.mT).square().sum()


class CosinesOfLargeRows(nn.Module):
    """Rows shorter than two are not normalised, so that the value is not that of the directions alone."""

    DECLARES: ClassVar[Facts] = {**ROTATED, "row_scale_invariant": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where a row has norm two"}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        unit = X / norms(X).clamp_min(2.0)
        return (unit @ unit.mT).square().sum()


class VarianceAroundZero(nn.Module):
    """A variance that forgets its mean: it sees a shift of the rows."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "shift_invariant_rows": True}

    def forward(self, W: Tensor) -> Tensor:
        return W.flatten(1).square().mean(dim=1).sum()


class NearlyShiftInvariant(nn.Module):
    """A millionth of the plain squares is left in the variance, and nothing is declared."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        return X.var(dim=1).sum() + 1e-6 * X.square().sum()


class MeanLeftInGradient(nn.Module):
    """Declared: gradient rows of mean zero; the squares are centred by the mean of the whole matrix."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "gradient_zero_mean": True}

    def forward(self, W: Tensor) -> Tensor:
        return (W - W.mean()).square().sum()
