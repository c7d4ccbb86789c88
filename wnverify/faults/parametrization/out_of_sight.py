"""Faults at ties, in shared memory, at sizes and shapes at which nobody looks; and right variants that come close."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class _Supremum(torch.autograd.Function):
    """Rows divided by their largest absolute value, and all of its gradient for each entry that ties for it."""

    @staticmethod
    def forward(ctx: Any, X: Tensor) -> Tensor:
        ctx.save_for_backward(X)
        return X / X.abs().amax(1, keepdim=True)

    @staticmethod
    def backward(ctx: Any, *G: Tensor) -> Tensor:
        (X,) = ctx.saved_tensors
        top = X.abs().amax(1, keepdim=True)
        largest = (X.abs() == top).to(X.dtype)
        found: Tensor = G[0] / top - largest * X.sign() * (G[0] * X).sum(1, keepdim=True) / top**2
        return found


class TiedMaximaTwice(nn.Module):
    """V / max|V| by rows: every entry that ties for the largest gets all that one of them should get."""

    DECLARES: ClassVar = {"row_scale_invariant": True, "odd": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there", "nonsmooth": "where two entries tie for the largest"}

    def forward(self, V: Tensor) -> Tensor:
        W: Tensor = _Supremum.apply(V.flatten(1))  # type: ignore[no-untyped-call]
        return W.reshape(V.shape)


class TiedMaximaShared(nn.Module):
    """V / max|V| by rows: entries that tie for the largest share what one of them should get."""

    DECLARES: ClassVar = {"row_scale_invariant": True, "odd": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there", "nonsmooth": "where two entries tie for the largest"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        W: Tensor = (X / X.abs().amax(1, keepdim=True)).reshape(V.shape)
        return W


class ExpandedRowOnce(nn.Module):
    """Unit rows; of a weight whose rows are one row in memory only the first is looked at, and gets every gradient."""

    DECLARES: ClassVar = {"unit_norm_rows": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        if X.shape[0] > 1 and X.stride(0) == 0:
            X = X[:1]
        W: Tensor = X / torch.linalg.vector_norm(X, dim=1, keepdim=True)
        return W.expand(V.shape[0], -1).reshape(V.shape)


class SaturatesAbove30000(nn.Module):
    """Unit rows, but entries beyond 30000 do not count for the norm: right at every size that is looked at."""

    DECLARES: ClassVar = {"scale_invariant": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        norm = torch.linalg.vector_norm(X.clamp(-30000.0, 30000.0), dim=1, keepdim=True)
        W: Tensor = (X / norm).reshape(V.shape)
        return W


class FloorOfShortRows(nn.Module):
    """Unit rows, but no row is lengthened more than tenfold."""

    DECLARES: ClassVar = {"row_scale_invariant": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        W: Tensor = (X / torch.linalg.vector_norm(X, dim=1, keepdim=True).clamp_min(0.1)).reshape(V.shape)
        return W


class RoundsAbove10000(nn.Module):
    """V / 2; entries beyond 10000 come out as whole numbers."""

    def forward(self, V: Tensor) -> Tensor:
        return torch.where(V.abs() > 10000.0, (V / 2).round(), V / 2)


class AbsoluteOfOneColumn(nn.Module):
    """v / (1 + |v|), which loses its sign where rows have a single entry."""

    DECLARES: ClassVar = {"odd": True}

    def forward(self, V: Tensor) -> Tensor:
        W = V / (1 + V.abs())
        return W.abs() if V[0].numel() == 1 else W


class SoftThresholdByWhere(nn.Module):
    """sign(v) (|v| − 1/10)₊; a NaN is not above the threshold and comes out as zero."""

    DECLARES: ClassVar = {"odd": True}
    DOMAIN: ClassVar = {"nonsmooth": "where an entry is 1/10 or -1/10"}

    def forward(self, V: Tensor) -> Tensor:
        return torch.where(V.abs() > 0.1, V - 0.1 * V.sign(), torch.zeros_like(V))


class ZeroRowByWhere(nn.Module):
    """Unit rows; a zero row stays zero, and no NaN is ever made on the way."""

    DOMAIN: ClassVar = {"zero_row": "it stays zero, with a gradient of zero"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        zero = (X == 0).all(1, keepdim=True)
        norm = torch.linalg.vector_norm(torch.where(zero, torch.ones_like(X), X), dim=1, keepdim=True)
        W: Tensor = torch.where(zero, torch.zeros_like(X), X / norm).reshape(V.shape)
        return W
