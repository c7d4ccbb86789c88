"""Right on the machine, at the sizes and at the moment where it was tried."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    CENTRED_UNIT_ROWS,
    UNIT_ROWS,
    Facts,
    dots,
    hand_written,
    norms,
    unit_rows,
    unit_rows_backward,
)


class MaskOnTheCpu(nn.Module):
    """The centring matrix is made without a device: on a GPU the product meets the CPU."""

    DECLARES = CENTRED_UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        d = X.shape[1]
        centring = torch.eye(d, dtype=X.dtype) - torch.ones(d, d, dtype=X.dtype) / d
        return unit_rows(X @ centring).reshape(V.shape)


class RadiusNoBuffer(nn.Module):
    """The radii are an attribute and no buffer: ``module.to("cuda")`` leaves them behind."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.radii = torch.ones(4096, 1, dtype=torch.float64)

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (unit_rows(X) * self.radii[: X.shape[0]].type(X.dtype)).reshape(V.shape)


class ColumnsBeyond1024(nn.Module):
    """The norm is summed over blocks of 512 columns, and what is left after the second block is forgotten."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / norms(X[:, :1024])).reshape(V.shape)


class RowsBeyond1024(nn.Module):
    """The grid of the kernel ends after 1024 rows: the others come back as they were."""

    DECLARES: ClassVar[Facts] = {"row_scale_invariant": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return torch.cat([unit_rows(X[:1024]), X[1024:]]).reshape(V.shape)


class InnerProductTo256(nn.Module):
    """The backward sums ``⟨w, g⟩`` over the first 256 columns; the value is right at every size."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W[:, :256], G[:, :256])) / norms(V)


class BackwardOfFirst256Rows(nn.Module):
    """The backward takes the norms of the first 256 rows, and norm one for the others."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        pulled = unit_rows_backward(V, W, G)
        return torch.cat([pulled[:256], G[256:] - W[256:] * dots(W[256:], G[256:])])


class RowForEmpty(nn.Module):
    """A result with one row at least is set aside before the rows are written into it."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        W = unit_rows(X).reshape(V.shape)
        return W if V.shape[0] else V.new_zeros(1, *V.shape[1:]) + V.sum()


class NormsOfRegistration(nn.Module):
    """The norms are taken when the weight is registered and kept for ever: after the first step they are old."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True}
    lengths: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("lengths", norms(weight.detach().flatten(1)))

    def forward(self, V: Tensor) -> Tensor:
        return (V.flatten(1) / self.lengths.to(V.dtype)).reshape(V.shape)
