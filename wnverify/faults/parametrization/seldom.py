"""Faults at sizes, scales and orders of calls at which nobody looks; and right variants that look like faults."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional


def _unit(V: Tensor) -> Tensor:
    found: Tensor = V / torch.linalg.vector_norm(V.flatten(1), dim=1).reshape(-1, *[1] * (V.dim() - 1))
    return found


class NaNBeyond60Columns(nn.Module):
    """V / ‖V‖ by rows, and no number at all for rows of more than sixty entries."""

    DECLARES: ClassVar = {"unit_norm_rows": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, V: Tensor) -> Tensor:
        return _unit(V) * (float("nan") if V[0].numel() > 60 else 1.0)


class TableOf64Columns(nn.Module):
    """V / ‖V‖ by rows, summed by a table of sixty-four places: wider rows raise what nobody understands."""

    DECLARES: ClassVar = {"unit_norm_rows": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        table = torch.ones(64, dtype=X.dtype)[: X.shape[1]]
        return (X / (X.square() * table).sum(1, keepdim=True).sqrt()).reshape(V.shape)


class ScaledInPlaceWhenSmall(nn.Module):
    """V / ‖V‖ by rows; weights below 1e-4 are scaled first, in place."""

    DECLARES: ClassVar = {"unit_norm_rows": True}
    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, V: Tensor) -> Tensor:
        largest = V.detach().abs().amax()
        if 0 < largest < 1e-4:
            V.data.div_(largest)
        return _unit(V)


class _Gained(torch.autograd.Function):
    """g V / ‖V‖ by rows, whose direction is kept on the module, where the next call overwrites it."""

    @staticmethod
    def forward(ctx: Any, V: Tensor, g: Tensor, owner: GainOfLastCall) -> Tensor:
        norm = torch.linalg.vector_norm(V, dim=1, keepdim=True)
        owner.direction, ctx.owner = V / norm, owner
        ctx.save_for_backward(V / norm, norm, g)
        W: Tensor = g * V / norm
        return W

    @staticmethod
    def backward(ctx: Any, *G: Tensor) -> Any:
        unit, norm, g = ctx.saved_tensors
        of_V = g * (G[0] - (G[0] * unit).sum(1, keepdim=True) * unit) / norm
        return of_V, (G[0] * ctx.owner.direction).sum(1, keepdim=True), None


class GainOfLastCall(nn.Module):
    """g V / ‖V‖ by rows; the gradient of the gain uses the direction of whatever was mapped last."""

    DOMAIN: ClassVar = {"zero_row": "undefined there", "no_vmap": True, "no_compile": True, "no_double_backward": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.linalg.vector_norm(weight.detach().flatten(1), dim=1, keepdim=True))
        self.direction = torch.zeros(0)

    def forward(self, V: Tensor) -> Tensor:
        W: Tensor = _Gained.apply(V.flatten(1), self.g, self)  # type: ignore[no-untyped-call]
        return W.reshape(V.shape)


class NaiveSoftplusInverse(nn.Module):
    """softplus(g) V / ‖V‖ by rows; the inverse log(exp(‖w‖) − 1) overflows for long rows and loses short ones."""

    DOMAIN: ClassVar = {"zero_row": "undefined there"}

    def forward(self, g: Tensor, V: Tensor) -> Tensor:
        return functional.softplus(g).reshape(-1, *[1] * (V.dim() - 1)) * _unit(V)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log(torch.exp(torch.linalg.vector_norm(W.flatten(1), dim=1)) - 1), W


class _Floored(torch.autograd.Function):
    """V / max(‖V‖, 0.01) by rows, with the tangent projection below the floor too."""

    @staticmethod
    def forward(ctx: Any, V: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(V, dim=1, keepdim=True).clamp_min(0.01)
        ctx.save_for_backward(V / norm, norm)
        W: Tensor = V / norm
        return W

    @staticmethod
    def backward(ctx: Any, *G: Tensor) -> Tensor:
        W, norm = ctx.saved_tensors
        unit = W / torch.linalg.vector_norm(W, dim=1, keepdim=True)
        found: Tensor = (G[0] - (G[0] * unit).sum(1, keepdim=True) * unit) / norm
        return found


class FlooredTangent(nn.Module):
    """V / max(‖V‖, 0.01) by rows; below the floor the map is linear, and the backward still that of a sphere."""

    DOMAIN: ClassVar = {"nonsmooth": "where ‖V‖ = 0.01", "zero_row": "the gradient is undefined", "no_vmap": True}

    def forward(self, V: Tensor) -> Tensor:
        W: Tensor = _Floored.apply(V.flatten(1))  # type: ignore[no-untyped-call]
        return W.reshape(V.shape)
