"""Row normalization ``w = v / ‖v‖`` with a right forward and a wrong backward; right is ``(g − w⟨w, g⟩) / ‖v‖``."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    UNIT_ROWS,
    Facts,
    dots,
    hand_written,
    norms,
    unit_rows,
    unit_rows_backward,
)


class _UnitRows(nn.Module):
    """``v / ‖v‖`` with the backward that a subclass writes."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, G)


class MissingProjection(_UnitRows):
    """The backward only rescales: ``g / ‖v‖``, as if the norm were a constant."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return G / norms(V)


class ProjectionWithV(_UnitRows):
    """The backward projects with v in the place of w; right only where the rows have norm one."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - V * dots(V, G)) / norms(V)


class MissingScale(_UnitRows):
    """The backward lacks the factor 1/‖v‖; it is still orthogonal to v, so that the invariances see nothing."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return G - W * dots(W, G)


class StaleEps(_UnitRows):
    """The backward kept an ``eps`` of 1e-6 that the forward has lost: wrong by a millionth."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W, G)) / (norms(V) + 1e-6)


class EpsInsideOutside(nn.Module):
    """The forward adds ``eps`` inside the square root, the backward outside."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True}
    eps = 1e-5

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, self.value, self.rule)

    @classmethod
    def value(cls, V: Tensor) -> Tensor:
        return V / (dots(V, V) + cls.eps).sqrt()

    @classmethod
    def rule(cls, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W, G)) / (norms(V) + cls.eps)


class FirstRowTwice(_UnitRows):
    """The backward adds the gradient of the first row twice."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        gradient = unit_rows_backward(V, W, G)
        return torch.cat([gradient[:1] * 2, gradient[1:]])


class LastRowUnprojected(_UnitRows):
    """The backward projects every row but the last one."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        radial = dots(W, G)
        return (G - W * torch.cat([radial[:-1], torch.zeros_like(radial[-1:])])) / norms(V)


class RowsBeyond64(_UnitRows):
    """The backward works in blocks of 64 rows and divides every block by the norms of the first."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        lengths = norms(V)
        repeated = torch.cat([lengths[:64]] * (len(V) // 64 + 1))[: len(V)]
        return (G - W * dots(W, G)) / repeated


class ColumnsBeyond128(_UnitRows):
    """The backward's inner product stops at column 128."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W[:, :128], G[:, :128])) / norms(V)


class SquareInnerProduct(_UnitRows):
    """The backward's inner product runs over as many columns as there are rows; right only for n ≥ d."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        n = len(V)
        return (G - W * dots(W[:, :n], G[:, :n])) / norms(V)


class ThreePercentWhenLarge(_UnitRows):
    """The backward is three per cent too large as soon as a side is longer than 32."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, G) * (1.03 if max(V.shape) > 32 else 1.0)


class AbsoluteInnerProduct(_UnitRows):
    """The backward multiplies by |w| instead of w; right only for positive weights."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W.abs(), G)) / norms(V)


class NegativeEntriesFlipped(nn.Module):
    """L1 normalization whose backward takes every weight's sign for +1; right only for positive weights."""

    DECLARES: ClassVar[Facts] = {"l1_rows_le": 1.0, "row_scale_invariant": True, "odd": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, self.value, self.rule)

    @staticmethod
    def value(V: Tensor) -> Tensor:
        return V / V.abs().sum(dim=1, keepdim=True)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - dots(W, G)) / V.abs().sum(dim=1, keepdim=True)


class DetachedNorm(nn.Module):
    """The norm is detached from the graph, so that the gradient keeps its radial part."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return (V.flatten(1) / norms(V.flatten(1)).detach()).reshape(V.shape)


class RadialLeak(_UnitRows):
    """The backward removes 99.9 per cent of the radial part."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - 0.999 * W * dots(W, G)) / norms(V)


class AlreadyUnitShortcut(_UnitRows):
    """The backward hands the cotangent through unprojected where the rows are unit already."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        unit = (norms(V) - 1).abs() < 1e-6
        return torch.where(unit, G, unit_rows_backward(V, W, G))


class NormFloor(_UnitRows):
    """The backward holds every norm above a thousandth of the largest one; wrong for rows of very different scale."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        lengths = norms(V)
        return (G - W * dots(W, G)) / torch.maximum(lengths, 1e-3 * lengths.max())


class AbsThroughSqrt(nn.Module):
    """|v| is written √(v²), whose gradient is NaN at a zero entry."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / X.pow(2).sqrt().pow(2).sum(dim=1, keepdim=True).sqrt()).reshape(V.shape)


class RowsShareOneNorm(_UnitRows):
    """The backward divides by the root mean square of the norms; right only where all rows are equally long."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return (G - W * dots(W, G)) / dots(V, V).mean().sqrt()
