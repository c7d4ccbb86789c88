"""Penalties whose written backward is not the derivative of the value."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import (
    OF_ROWS,
    ROTATED,
    Facts,
    Gradient,
    Value,
    gram_gradient,
    gram_loss,
    gram_residual,
    hand_written,
    norms,
)


class _GramLoss(nn.Module):
    """``‖W Wᵀ − I‖²`` with the gradient that a leaf writes."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, gram_loss, self.gradient)

    @staticmethod
    def gradient(W: Tensor) -> Tensor:
        return gram_gradient(W)


class GramLossFactorTwo(_GramLoss):
    """The gradient of ``‖W Wᵀ − I‖²`` is written with a factor 2 where 4 is right."""

    @staticmethod
    def gradient(W: Tensor) -> Tensor:
        return gram_gradient(W) / 2


class GramLossIdentityForgotten(_GramLoss):
    """The gradient of ``‖W Wᵀ − I‖²`` is written without the identity."""

    @staticmethod
    def gradient(W: Tensor) -> Tensor:
        return 4 * W @ W.mT @ W


class GramLossTransposed(_GramLoss):
    """The gradient multiplies the wrong side, ``4 Wᵀ (W Wᵀ − I)``, and is reshaped into place."""

    @staticmethod
    def gradient(W: Tensor) -> Tensor:
        return 4 * (W.mT @ gram_residual(W)).reshape(W.shape)


class GramLossTallShortcut(_GramLoss):
    """For more rows than columns the gradient is taken from ``‖Wᵀ W − I‖²`` with the identity of the wrong size."""

    @staticmethod
    def gradient(W: Tensor) -> Tensor:
        n, d = W.shape
        return gram_gradient(W) if n <= d else 4 * (W @ W.mT @ W - W * (d / n))


class UpperTriangleOnly(nn.Module):
    """The gradient of ``Σ_{i<j} (w_i · w_j)²`` forgets the partner below the diagonal."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: (X @ X.mT).triu(1).square().sum(), lambda X: 2 * (X @ X.mT).triu(1) @ X)


class NormGradientAtOne(nn.Module):
    """The gradient of ``Σ (‖w‖ − 1)²`` lacks 1/‖w‖: right at norm one, where it vanishes."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: (norms(X) - 1).square().sum(), lambda X: 2 * (norms(X) - 1) * X)


class MeanForSum(nn.Module):
    """The value is a sum, the gradient that of the mean."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: X.square().sum(), lambda X: 2 * X / X.numel())


class DetachedValue(nn.Module):
    """The value is detached: it is shown, and never trained."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return gram_loss(W.flatten(1)).detach()


class DetachedSizes(nn.Module):
    """``Σ ‖w‖²`` as a norm times a detached norm: half the gradient."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        sizes = norms(W.flatten(1))
        return (sizes * sizes.detach()).sum()


class LastRowForgotten(nn.Module):
    """The gradient of the last row is zero."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: X.square().sum(), self.gradient)

    @staticmethod
    def gradient(X: Tensor) -> Tensor:
        found = 2 * X
        found[-1] = 0
        return found


class LastEntryDoubled(nn.Module):
    """The gradient of the last entry of the first row is twice too large."""

    DECLARES = OF_ROWS

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: X.square().square().sum(), self.gradient)

    @staticmethod
    def gradient(X: Tensor) -> Tensor:
        found = 4 * X**3
        found[0, -1] *= 2
        return found


class SubgradientOfAbsolute(nn.Module):
    """The gradient of ``Σ|w|`` takes entries below a hundredth for zero."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "convex": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: X.abs().sum(), lambda X: torch.where(X.abs() < 0.01, 0.0, X.sign()))


class _Unscaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any, **_: Any) -> Tensor:
        W, value, ctx.gradient = inputs
        ctx.save_for_backward(W)
        return cast(Tensor, value(W))

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (W,) = ctx.saved_tensors
        return ctx.gradient(W), None, None


def _unscaled(W: Tensor, value: Value, gradient: Gradient) -> Tensor:
    return cast(Tensor, _Unscaled.apply(W.flatten(1), value, gradient))  # type: ignore[no-untyped-call]


class FactorOfTheLossIgnored(nn.Module):
    """The backward ignores what comes in: a penalty times 0.1 has the gradient of the penalty."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return _unscaled(W, gram_loss, gram_gradient)


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any, **_: Any) -> Tensor:
        (W,) = inputs
        ctx.residual = gram_residual(W)
        ctx.save_for_backward(W)
        total: Tensor = ctx.residual.square().sum()
        return total

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (W,) = ctx.saved_tensors
        return cotangents[0] * 4 * ctx.residual @ W


class GramResidualUntracked(nn.Module):
    """The backward uses a residual kept from the forward as a constant: its own derivative lacks a term."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return cast(Tensor, _Residual.apply(W.flatten(1)))  # type: ignore[no-untyped-call]


class HalfPrecisionGradient(nn.Module):
    """The backward is computed in float16 and widened again where the weight is float32."""

    DECLARES = ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return hand_written(W, lambda X: X.square().sum() / 2, self.gradient)

    @staticmethod
    def gradient(X: Tensor) -> Tensor:
        return X.clone() if X.dtype == torch.float64 else X.half().to(X.dtype)


class DeadFactor(nn.Module):
    """The factor is a parameter that is detached: a schedule moves it, training never."""

    DECLARES = ROTATED

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, W: Tensor) -> Tensor:
        return self.factor.detach() * W.square().sum()
