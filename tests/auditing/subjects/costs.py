"""Penalties in every form, and some with one thing wrong."""

import torch
from torch import nn

RIDGE = {
    "convex": True,
    "is_prox_of_penalty": True,
    "rotation_equivariant": True,
    "permutation_equivariant_rows": True,
}


class Plain(nn.Module):
    """Half the sum of the squares."""

    def forward(self, W):
        return W.square().sum() / 2


class Ridge(Plain):
    """The same with all that it has."""

    DECLARES = RIDGE

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, W):
        return self.factor * super().forward(W)

    def prox(self, W, step):
        return W / (1 + step * self.factor)


class Callable:
    """An object with a call."""

    def __call__(self, W):
        return W.abs().sum()

    def prox(self, W, step):
        return W.sign() * (W.abs() - step).clamp_min(0)


class ForWeight(nn.Module):
    """Made for one weight: the distance from where it started."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("start", weight.detach().clone())

    def forward(self, W):
        return (W - self.start).square().sum() + 1


def makes(factor=2.0):
    return Ridge(factor)


class SaysProxHasNone(Plain):
    DECLARES = RIDGE


class Gram(nn.Module):
    """‖W Wᵀ − I‖², whose gradient vanishes at orthonormal rows."""

    def __init__(self, factor=4.0):
        super().__init__()
        self.factor = factor

    def forward(self, W):
        return _Gram.apply(W.flatten(1), self.factor)


class _Gram(torch.autograd.Function):
    @staticmethod
    def forward(ctx, W, factor):
        ctx.save_for_backward(W)
        ctx.factor = factor
        return (W @ W.mT - torch.eye(len(W), dtype=W.dtype)).square().sum()

    @staticmethod
    def backward(ctx, a):
        (W,) = ctx.saved_tensors
        return a * ctx.factor * (W @ W.mT - torch.eye(len(W), dtype=W.dtype)) @ W, None


class Kinked(nn.Module):
    """Kinks a ten-thousandth from every large weight, and its gradient off by what is said."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, W):
        return self.factor * W.abs().sum() + ((1 - self.factor) * W.abs().sum()).detach()


class Hinge(nn.Module):
    """Zero at every weight that is generated."""

    def forward(self, W):
        return (W.norm() - 1e6).clamp_min(0)


instance = Ridge()
living = Callable()
