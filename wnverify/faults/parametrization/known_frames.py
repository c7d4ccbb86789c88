# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Orthogonalizations that public libraries once shipped, re-enacted; the row of each names the thread."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import POLAR, WIDE, Facts, centred, norms, polar, widened

STEPS = 25


def newton_schulz(Y: Tensor) -> Tensor:
    """The polar factor of a matrix of spectral norm at most one."""
    for _ in range(STEPS):
        Y = 1.5 * Y - 0.5 * (Y @ Y.mT) @ Y
    return Y


class _Frame(nn.Module):
    """Any map of the matrix of flattened rows, differentiated by autograd."""

    DECLARES: ClassVar[Facts] = POLAR
    DOMAIN: ClassVar[Facts] = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return self.value(widened(V.flatten(1))).to(V.dtype).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return polar(X)


class SingleRowSkipped(_Frame):
    """A weight of one row counts as a vector, and vectors are handed through."""

    def value(self, X: Tensor) -> Tensor:
        return X.clone() if len(X) == 1 else newton_schulz(X / torch.linalg.matrix_norm(X))


class NewtonSchulzInSingle(_Frame):
    """The iteration runs in float32 for the half types, and its result stays there."""

    def forward(self, V: Tensor) -> Tensor:
        X = widened(V.flatten(1))
        return newton_schulz(X / torch.linalg.matrix_norm(X)).reshape(V.shape)


class RowsEvenedAfterwards(_Frame):
    """The iteration is guarded against the zero matrix; the rows are divided by their norm afterwards, unguarded."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def value(self, X: Tensor) -> Tensor:
        W = newton_schulz(X / (torch.linalg.matrix_norm(X) + 1e-7))
        return W / norms(W)


class TraceByDifference(_Frame):
    """The trace that scales the whitening is Σ v² − d m², which cancels beside a mean and may be negative."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True, "zero_mean_rows": True, "shift_invariant_rows": True}
    DOMAIN: ClassVar[Facts] = {"rows_lt_cols": True, "full_rank": True}

    def value(self, X: Tensor) -> Tensor:
        trace = X.square().sum() - X.shape[1] * X.mean(dim=1).square().sum()
        return newton_schulz(centred(centred(X)) / trace.sqrt())


class CutHidesNaN(_Frame):
    """Entries that are not below a bound are cut to zero before the Cayley map: a NaN is not below any."""

    DECLARES: ClassVar[Facts] = {"orthonormal_rows": True}
    DOMAIN: ClassVar[Facts] = {"rows_le_cols": True, "max_abs": 100.0}

    def value(self, X: Tensor) -> Tensor:
        n, d = X.shape
        square = torch.cat([torch.where(X.abs() < 1e6, X, 0.0), X.new_zeros(d - n, d)])
        A, unit = (square - square.mT) / 2, torch.eye(d, dtype=X.dtype)
        return torch.linalg.solve(unit + A, unit - A)[:n]
