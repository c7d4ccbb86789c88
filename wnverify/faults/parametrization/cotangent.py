# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Backwards that treat the cotangent wrongly, and derivatives of second order and of forward mode that are wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    POLAR,
    UNIT_ROWS,
    WIDE,
    call,
    dots,
    hand_written,
    norms,
    polar,
    polar_backward,
    unit_rows,
    unit_rows_backward,
)


class _UnitRows(nn.Module):
    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, G)


class OnesForCotangent(_UnitRows):
    """The backward ignores the cotangent and takes ones; right for the loss ``W.sum()`` alone."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, torch.ones_like(G))


class CotangentClipped(_UnitRows):
    """The backward clips the cotangent to norm one: it is not linear."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, G / torch.linalg.vector_norm(G).clamp_min(1.0))


class DenseCotangentOnly(_UnitRows):
    """The backward averages over the non-zero entries of the cotangent; right only where none of them is zero."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        share = (G != 0).to(G.dtype).mean().clamp_min(1 / G.numel())
        return unit_rows_backward(V, W, G) / share


class ZeroCotangentNaN(_UnitRows):
    """The backward divides by the norm of the cotangent and multiplies it back: a zero cotangent gives NaN."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(G)
        return unit_rows_backward(V, W, G / size) * size


class CotangentInStorageOrder(_UnitRows):
    """The backward reads a cotangent that is not contiguous in the order of its storage."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        read = G if G.is_contiguous() or G.stride(0) > G.stride(1) else G.mT.reshape(G.shape)
        return unit_rows_backward(V, W, read)


class CotangentScaledInPlace(_UnitRows):
    """The backward scales the caller's cotangent in place, so that a second use of it finds other values."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        scaled = G.contiguous()
        scaled.div_(norms(V))
        return scaled - W * dots(W, scaled)


class CotangentOverwritten(_UnitRows):
    """The backward doubles the caller's cotangent in place and halves its result: only the next user sees it."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W, G.mul_(2.0)) / 2


class _NormUsedUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any, **_: Any) -> Tensor:
        (V,) = inputs
        ctx.inverse = 1 / norms(V)
        W: Tensor = V * ctx.inverse
        ctx.save_for_backward(W)
        return W

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Tensor:
        (W,), (G,) = ctx.saved_tensors, cotangents
        gradient: Tensor = (G - W * dots(W, G)) * ctx.inverse
        ctx.inverse *= 0.5
        return gradient


class SecondBackwardHalved(nn.Module):
    """The backward changes what it has saved: a second pass through the same graph gives half the gradient."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_NormUsedUp, V.flatten(1)).reshape(V.shape)


class _NormUntracked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any, **_: Any) -> Tensor:
        (V,) = inputs
        ctx.lengths = norms(V)
        ctx.save_for_backward(V)
        return V / ctx.lengths

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Tensor:
        (V,), (G,) = ctx.saved_tensors, cotangents
        return (G - V * dots(V, G) / ctx.lengths**2) / ctx.lengths


class SavedNormUntracked(nn.Module):
    """The norm is saved as an intermediate that autograd does not track: right once, silently wrong twice."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_NormUntracked, V.flatten(1)).reshape(V.shape)


class SecondOrderDetachedOutput(_UnitRows):
    """The backward detaches w in the projection: right once, wrong when it is differentiated again."""

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return unit_rows_backward(V, W.detach(), G)


class PolarSecondOrderDetached(nn.Module):
    """A part of the polar factor's backward works on a detached V: the second derivative lacks what goes through it."""

    DECLARES = POLAR
    DOMAIN = WIDE

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, polar, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        turning = G @ W.mT @ W
        return polar_backward(V, W, turning) + polar_backward(V.detach(), W.detach(), G - turning)


class _TangentUnprojected(torch.autograd.Function):
    @staticmethod
    def forward(*inputs: Any, **_: Any) -> Tensor:
        return unit_rows(inputs[0])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Tensor:
        V, W = ctx.saved_tensors
        return unit_rows_backward(V, W, cotangents[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        V, _ = ctx.saved_tensors
        return tangents[0] / norms(V)


class ForwardModeUnprojected(nn.Module):
    """The forward-mode rule forgets the projection that the backward has."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_TangentUnprojected, V.flatten(1)).reshape(V.shape)


class _TangentLengthStale(_TangentUnprojected):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        V, W = ctx.saved_tensors
        return unit_rows_backward(V, W, tangents[0]) / (1 + 1e-4 * norms(V))


class ForwardModeScaled(nn.Module):
    """The forward-mode rule divides by a norm that is a ten-thousandth too long."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_TangentLengthStale, V.flatten(1)).reshape(V.shape)
