"""Wrong where a check at small matrices, initial gains and ordinary cotangents does not look: kernels, one row, the
second derivative of tall weights, gains that have moved, losses that were scaled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    UNIT_ROWS,
    call,
    dots,
    hand_written,
    norms,
    unit_rows,
    unit_rows_backward,
)


class _Unit(nn.Module):
    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        raise NotImplementedError


class SingleRowUnprojected(_Unit):
    """A weight of one row, taken for a vector that is normalised already."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return G / norms(V) if len(V) == 1 else unit_rows_backward(V, W, G)


class ShortcutOfWholeBlocks(_Unit):
    """The way for rows of whole blocks of 16 entries halves the projection."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        part = 0.5 if V.shape[1] % 16 == 0 else 1.0
        return (G - part * W * dots(W, G)) / norms(V)


class TallSecondDetached(_Unit):
    """The first derivative is right; for more rows than columns the output is taken for a constant in the second."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        W = W.detach() if len(V) > V.shape[1] else unit_rows(V)
        return unit_rows_backward(V, W, G)


class SmallCotangentsDropped(_Unit):
    """Entries of the cotangent below 1e-9, as a mean over a large batch has, are taken for zero."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, torch.where(G.abs() < 1e-9, torch.zeros_like(G), G))


class LargeCotangentClipped(_Unit):
    """The cotangent is clipped at norm 1000, below what a scaled loss has."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(G).clamp_min(torch.finfo(G.dtype).tiny)
        return unit_rows_backward(V, W, G * (1000 / size).clamp(max=1.0))


class HalfUnprojected(_Unit):
    """In bfloat16 the projection is left out."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return G / norms(V) if V.dtype == torch.bfloat16 else unit_rows_backward(V, W, G)


class EqualRowsShared(_Unit):
    """Rows that are equal share their gradient, each getting a half."""

    def rule(self, V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        again = (V[:, None] == V[None]).all(2).sum(1, keepdim=True) > 1
        return unit_rows_backward(V, W, G) * torch.where(again, 0.5, 1.0).to(V.dtype)


class KernelUnprojectedAcrossSpace(nn.Module):
    """Right for matrices; for kernels the inner product runs over the channels only."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_OverChannels, V)


class _OverChannels(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any, **_: Any) -> Tensor:
        (V,) = inputs
        W: Tensor = unit_rows(V.flatten(1)).reshape(V.shape)
        ctx.save_for_backward(V, W)
        return W

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (V, W), (G,) = ctx.saved_tensors, cotangents
        length = norms(V.flatten(1)).reshape(-1, *[1] * (V.dim() - 1))
        return (G - W * (W * G).sum(1, keepdim=True)) / length


class EvaluationDetached(nn.Module):
    """In eval mode the norm is detached, so that what is fine-tuned there learns otherwise."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        length = norms(X)
        return (X / (length if self.training else length.detach())).reshape(V.shape)
