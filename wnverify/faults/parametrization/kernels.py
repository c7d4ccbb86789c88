"""Row norms that go wrong for kernels of other sizes, gains at zero, rows below a floor or long; and right ones."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import (
    Facts,
    call,
    dots,
    hand_written,
    norms,
    unit_rows,
    unit_rows_backward,
)

UNIT: Facts = {"unit_norm_rows": True, "odd": True}


class PointwiseOverOutputs(nn.Module):
    """Unit rows; a pointwise kernel is divided by its norms over the outputs."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        over_outputs = V.dim() == 4 and V.shape[2:].numel() == 1
        return V / torch.linalg.vector_norm(V, dim=0, keepdim=True) if over_outputs else _unit_kernel(V)


class DepthwiseAsOne(nn.Module):
    """Unit rows; the channels of a depthwise kernel are divided by the norm of all of them."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        depthwise = V.dim() == 4 and V.shape[1] == 1
        return V / torch.linalg.vector_norm(V) if depthwise else _unit_kernel(V)


class FiveTapsAtMost(nn.Module):
    """The backward sums ``⟨w, g⟩`` over at most five taps in each direction."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        shape = V.shape

        def rule(X: Tensor, W: Tensor, G: Tensor) -> Tensor:
            seen = W.reshape(shape) * G.reshape(shape)
            seen = seen[..., :5, :5] if len(shape) == 4 else seen
            return (G - W * seen.flatten(1).sum(1, keepdim=True)) / norms(X)

        return hand_written(V, unit_rows, rule)


class RepeatedForGroups(nn.Module):
    """Of four groups of kernels the backward gives each the norms of another: repeated, not interleaved."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        in_groups = V.dim() == 4 and V.shape[0] % 4 == 0

        def rule(X: Tensor, W: Tensor, G: Tensor) -> Tensor:
            size = norms(X).reshape(4, -1).mT.reshape(-1, 1) if in_groups else norms(X)
            return (G - W * dots(W, G)) / size

        return hand_written(V, unit_rows, rule)


class BackwardOfFirst512Rows(nn.Module):
    """The backward takes off the radial part of the first 512 rows."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        return torch.cat([unit_rows_backward(V, W, G)[:512], (G / norms(V))[512:]])


class BackwardOf4096Columns(nn.Module):
    """One block of the backward sums ``⟨w, g⟩`` over 4096 columns, and there is no second one."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, lambda X, W, G: (G - W * dots(W[:, :4096], G[:, :4096])) / norms(X))


class FloorForgotten(nn.Module):
    """``v / max(‖v‖, 10⁻⁵)``, whose backward takes off the radial part below the floor too."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, lambda X: X / norms(X).clamp_min(1e-5), self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        size = norms(V)
        return (G - V * dots(V, G) / size.square()) / size.clamp_min(1e-5)


class CubeOfTheNorm(nn.Module):
    """The textbook backward ``g / ‖v‖ − v ⟨v, g⟩ / ‖v‖³``: in float16 the cube overflows from ‖v‖ = 41 on."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, self.rule)

    @staticmethod
    def rule(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
        size = norms(V)
        return G / size - V * dots(V, G) / size**3


class _FromTheOutput(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(V: Tensor, g: Tensor) -> Tensor:
        return g * unit_rows(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        V, g = inputs
        ctx.save_for_backward(V, g, output)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (G,) = cotangents
        V, g, W = ctx.saved_tensors
        unit = W / g
        return g * (G - unit * dots(unit, G)) / norms(V), dots(unit, G)


class DirectionFromOutput(nn.Module):
    """``g v / ‖v‖``, whose backward finds the direction again as ``w / g``: no number where a gain is zero."""

    DECLARES: ClassVar[Facts] = {"row_scale_invariant": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.g = nn.Parameter(norms(weight.detach().flatten(1)))

    def forward(self, V: Tensor) -> Tensor:
        return call(_FromTheOutput, V.flatten(1), self.g).reshape(V.shape)


class CappedNorms(nn.Module):
    """Right: ``v min(1, 3/2 / ‖v‖)``; all long rows have one norm, short ones their own."""

    DECLARES: ClassVar[Facts] = {"odd": True, "rotation_equivariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where a row has norm 3/2"}

    def forward(self, V: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(V.flatten(1), dim=1)
        capped: Tensor = V * (1.5 / size.clamp_min(1.5)).reshape(-1, *[1] * (V.dim() - 1))
        return capped


class GainOfInputs(nn.Module):
    """Right: unit rows, then a gain for each input channel, of which the matrix of the rows has more."""

    DECLARES: ClassVar[Facts] = {"row_scale_invariant": True, "permutation_equivariant_rows": True}

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        channels = weight.shape[1]
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, channels, dtype=weight.dtype, device=weight.device))

    def forward(self, V: Tensor) -> Tensor:
        return _unit_kernel(V) * self.gain.reshape(-1, *[1] * (V.dim() - 2))


def _unit_kernel(V: Tensor) -> Tensor:
    return unit_rows(V.flatten(1)).reshape(V.shape)
