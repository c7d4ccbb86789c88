"""Weight normalization with a gain of its own, ``w = g v / ‖v‖``, whose gain is badly differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts, call, dots, norms, unit_rows, unit_rows_backward

GAINED: Facts = {"scale_invariant": True, "row_scale_invariant": True, "odd": True, "rotation_equivariant": True}
GainRule = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(V, g, G) -> ∂L/∂g``."""


class _Gain(torch.autograd.Function):
    """``g v / ‖v‖`` with the right gradient of V and the given one of g."""

    @staticmethod
    def forward(*inputs: Any, **_: Any) -> Tensor:
        V, g, _rule = inputs
        return g * unit_rows(V)  # type: ignore[no-any-return]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        V, g, ctx.rule = inputs
        ctx.save_for_backward(V, g)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (V, g), (G,) = ctx.saved_tensors, cotangents
        return unit_rows_backward(V, unit_rows(V), G * g), ctx.rule(V, g, G), None


class DeadGain(nn.Module):
    """The gain is used through ``.data``: the forward depends on it, no gradient ever reaches it."""

    DECLARES = GAINED

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.tensor(1.5))

    def forward(self, V: Tensor) -> Tensor:
        return (self.g.data.to(V.dtype) * unit_rows(V.flatten(1))).reshape(V.shape)


class GainFactorMissing(nn.Module):
    """The gradient of the gain is ⟨v, G⟩ in the place of ⟨v, G⟩/‖v‖; right only for unit rows."""

    DECLARES = GAINED

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.tensor(1.5))

    def forward(self, V: Tensor) -> Tensor:
        return call(_Gain, V.flatten(1), self.g.to(V.dtype), self.rule).reshape(V.shape)

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> Tensor:
        return (V * G).sum()


class LogGainChainRule(nn.Module):
    """The gain is exp(t), the gradient of t lacks the factor exp(t); right only at t = 0."""

    DECLARES = GAINED

    def __init__(self) -> None:
        super().__init__()
        self.t = nn.Parameter(torch.tensor(0.3))

    def forward(self, V: Tensor) -> Tensor:
        g = self.t + (self.t.exp() - self.t).detach()
        return (g.to(V.dtype) * unit_rows(V.flatten(1))).reshape(V.shape)


class _Pair(nn.Module):
    """``(g, V) -> W`` with one gain a row; ``right_inverse`` gives the pair, as for PyTorch's own weight norm."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, g: Tensor, V: Tensor) -> Tensor:
        return call(_Gain, V.flatten(1), g.reshape(-1, 1), self.rule).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> tuple[Tensor, Tensor]:
        return norms(W.flatten(1)).squeeze(1), W.clone()

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> Tensor:
        return dots(unit_rows(V), G)


class GainsSummedOverRows(_Pair):
    """The gradient of the gains is summed over the rows; where the matrix is square not even the shape tells."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> Tensor:
        n = len(V)
        per_column = (unit_rows(V) * G).sum(dim=0)
        return torch.cat([per_column, per_column.new_zeros(n)])[:n].reshape(n, 1)


class GainsShared(_Pair):
    """Every gain is given the mean of all their gradients."""

    @staticmethod
    def rule(V: Tensor, g: Tensor, G: Tensor) -> Tensor:
        own = dots(unit_rows(V), G)
        return own.mean(dim=0, keepdim=True).expand_as(own)
