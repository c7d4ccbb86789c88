# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Modules that public libraries once shipped, re-enacted: what they keep between calls, and what evaluation does to it.

The row of each names the thread where it was reported.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import UNIT_ROWS, Facts, unit_rows

DRIFTS: Facts = {"stateful_in_training": True, "zero_matrix": "NaN"}


class KeepsItsOutput(nn.Module):
    """The last output is kept as an attribute, with its graph: no deep copy after the first forward."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def forward(self, V: Tensor) -> Tensor:
        self.last = unit_rows(V.flatten(1)).reshape(V.shape)
        return self.last


class StaleInEvaluation(nn.Module):
    """Evaluation gives the weight that the last training forward computed, whatever V has become."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def forward(self, V: Tensor) -> Tensor:
        W = unit_rows(V.flatten(1)).reshape(V.shape)
        if not self.training and self.last is not None and self.last.shape == V.shape:
            return self.last.to(V.dtype)
        self.last = W.detach()
        return W


class NoGradientInEvaluation(nn.Module):
    """In evaluation the weight is a plain tensor: whoever fine-tunes frozen statistics trains nothing."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        W = unit_rows(V.flatten(1)).reshape(V.shape)
        return W if self.training else W.detach()


class FirstUseInEvaluation(nn.Module):
    """A model that is evaluated before it was trained gets its weight as it is."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.started = False

    def forward(self, V: Tensor) -> Tensor:
        self.started = self.started or self.training
        return unit_rows(V.flatten(1)).reshape(V.shape) if self.started else V.clone()


class PowerIterationInPlace(nn.Module):
    """The vectors of the power iteration are overwritten where autograd has saved them: two forwards, no backward."""

    DECLARES: ClassVar[Facts] = {}
    DOMAIN = DRIFTS
    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        X = weight.detach().flatten(1)
        self.register_buffer("u", unit_rows(X.sum(dim=1)[None] + 0.5)[0])
        self.register_buffer("v", unit_rows(X.sum(dim=0)[None] + 0.5)[0])

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        if self.training:
            with torch.no_grad():
                self.v.copy_(unit_rows((X.mT @ self.u)[None])[0])
                self.u.copy_(unit_rows((X @ self.v)[None])[0])
        return (X / torch.dot(self.u, X @ self.v)).reshape(V.shape)


class BaseNoBuffer(nn.Module):
    """The base point is a plain attribute: ``to`` moves neither its dtype nor its device."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows = weight.shape[0]
        self.base = torch.linalg.qr(torch.arange(rows * rows).reshape(rows, rows).cos().to(weight.dtype)).Q

    def forward(self, V: Tensor) -> Tensor:
        return (self.base @ V.flatten(1)).reshape(V.shape)


class CachedGraph(nn.Module):
    """The weight is cached with its graph: the second of two forwards goes backward through a freed one."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.seen: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, V: Tensor) -> Tensor:
        if self.seen is None or self.seen[0] is not V or not torch.equal(self.seen[1], V):
            self.seen = (V, V.detach().clone(), unit_rows(V.flatten(1)).reshape(V.shape))
        return self.seen[2]
