"""A layer's weight as the matrix (n, d) of its output units, and the base of parametrizations that act on its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from wnverify.primitives.distributed import flattening
from wnverify.primitives.rules import check_weight


def to_rows(weight: Tensor, dim: int, groups: int) -> Tensor:
    """A layer's weight as the matrix (n, d) of its output units, a view where the layout allows.

    ``dim`` 0: weight (n, …), as in linear and convolutional layers.  ``dim`` 1: weight (groups · i, n / groups, …), as
    in transposed convolutions; row g · n / groups + j holds what reaches output j of group g.  ``ValueError`` for a
    weight with one axis, an empty axis or a first axis that ``groups`` does not divide, ``TypeError`` for what is no
    tensor of real floating numbers.

    >>> import torch
    >>> to_rows(torch.zeros(6, 2, 3), dim=1, groups=3).shape
    torch.Size([6, 6])
    """
    check_weight(weight)
    if weight.dim() < 2:
        raise ValueError(f"V must have at least two axes (output units and inputs); got shape {tuple(weight.shape)}")
    if 0 in weight.shape:
        raise ValueError(f"V must have no empty axis; got shape {tuple(weight.shape)}")
    if dim == 0:
        return flattening(weight).flatten(1)
    if weight.shape[0] % groups:
        raise ValueError(f"groups must divide the first axis of V; got groups={groups}, shape {tuple(weight.shape)}")
    grouped = weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2)
    return grouped.flatten(0, 1).flatten(1)


def from_rows(rows: Tensor, shape: tuple[int, ...], dim: int, groups: int) -> Tensor:
    """The inverse of ``to_rows``: the matrix (n, d) as a weight of the given ``shape``."""
    if dim == 0:
        return rows.reshape(shape)
    grouped = rows.reshape(groups, shape[1], shape[0] // groups, *shape[2:])
    return grouped.transpose(1, 2).reshape(shape)


def check_layout(dim: int, groups: int) -> None:
    """``ValueError`` unless ``dim`` is 0 or 1 and ``groups`` at least 1, and 1 where ``dim`` is 0."""
    if dim not in (0, 1):
        raise ValueError(f"dim must be 0 (linear, convolution) or 1 (transposed convolution); got {dim!r}")
    if groups < 1 or (dim == 0 and groups != 1):
        raise ValueError(f"groups must be at least 1, and 1 where dim is 0; got groups={groups!r}, dim={dim}")


class RowParametrization(nn.Module):
    """W = map_rows(V) on the matrix of output units, for ``torch.nn.utils.parametrize``.

    A leaf sets ``map_rows``, a function of (n, d).  ``dim``: the axis of the output units, 0 for linear and
    convolutional layers, 1 for transposed convolutions (weight (in, out/groups, …)); ``groups``: the layer's, where
    ``dim`` is 1.  ``ValueError`` for another ``dim``, or ``groups`` other than 1 where ``dim`` is 0.
    """

    map_rows: Callable[[Tensor], Tensor]
    DECLARES: ClassVar[dict[str, Any]]
    DOMAIN: ClassVar[dict[str, Any]]

    def __init__(self, dim: int = 0, groups: int = 1) -> None:
        super().__init__()
        check_layout(dim, groups)
        self.dim, self.groups = dim, groups

    def forward(self, V: Tensor) -> Tensor:
        """W of the shape of V."""
        rows = self.map_rows(to_rows(V, self.dim, self.groups))
        return from_rows(rows, V.shape, self.dim, self.groups)

    def right_inverse(self, W: Tensor) -> Tensor:
        """W itself: a right inverse on the range, and at registration the initial weight, not yet in it, becomes V."""
        return W

    def extra_repr(self) -> str:
        return f"dim={self.dim}, groups={self.groups}"
