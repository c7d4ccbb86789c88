"""The base of penalties: a function of the rows of a weight, its factor, and where it has one its proximal operator."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from wnverify.primitives.distributed import aligned
from wnverify.primitives.layout import check_layout, from_rows, to_rows
from wnverify.primitives.scalars import nonnegative


class RowPenalty(nn.Module):
    """factor × value(W), a scalar, for the matrix (n, d) of output units.

    A leaf defines ``value``, a function of rows; for the half precisions it is float32, so that a value beyond their
    range does no harm where factor × value is not.  ``dim`` and ``groups`` as in ``to_rows``.  ``ValueError`` unless
    ``factor`` is a finite number, at least 0; it may be set anew between steps, by a schedule.
    """

    DECLARES: ClassVar[dict[str, Any]]
    DOMAIN: ClassVar[dict[str, Any]]

    def __init__(self, factor: float = 1.0, *, dim: int = 0, groups: int = 1) -> None:
        super().__init__()
        check_layout(dim, groups)
        self.factor = nonnegative(factor, "factor")
        self.dim, self.groups = dim, groups

    def value(self, W: Tensor) -> Tensor:
        """The scalar of the rows (n, d), without the factor."""
        raise NotImplementedError(f"{type(self).__name__} has no value")

    def forward(self, W: Tensor) -> Tensor:
        """factor × value, a scalar of the dtype of W."""
        return (self.factor * self.value(to_rows(aligned(W), self.dim, self.groups))).to(W.dtype)

    def at(self, index: int, count: int) -> RowPenalty:
        """The penalty of layer ``index`` of ``count``, from 0: itself, unless it differs from layer to layer."""
        return self

    def extra_repr(self) -> str:
        return f"factor={self.factor}, dim={self.dim}, groups={self.groups}"


class ProximalPenalty(RowPenalty):
    """A penalty with a closed proximal operator; a leaf defines ``proximal_point``, a function of rows."""

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        """argmin_X ½ ‖X − W‖² + step × value(X) of the rows (n, d)."""
        raise NotImplementedError(f"{type(self).__name__} has no proximal point")

    def prox(self, W: Tensor, step: float) -> Tensor:
        """argmin_X ½ ‖X − W‖² + step × factor × value(X), of the shape of W; ``ValueError`` for a step below 0."""
        step = nonnegative(step, "step")
        rows = self.proximal_point(to_rows(W, self.dim, self.groups), step * self.factor)
        return from_rows(rows, W.shape, self.dim, self.groups)
