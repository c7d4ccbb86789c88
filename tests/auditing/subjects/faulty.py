"""Unit rows with a backward that is three per cent too large, in several forms, and the right one beside them."""

import torch
from torch import nn
from torch.nn.utils import parametrize

DECLARES = {"unit_norm_rows": True}
RADIUS = {"radius": 2.0}


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V, factor):
        norms = torch.linalg.vector_norm(V, dim=1, keepdim=True)
        ctx.save_for_backward(V / norms, norms)
        ctx.factor = factor
        return V / norms

    @staticmethod
    def backward(ctx, A):
        W, norms = ctx.saved_tensors
        return ctx.factor * (A - (A * W).sum(1, keepdim=True) * W) / norms, None


def unit(V, factor):
    return _Unit.apply(V.flatten(1), factor).reshape(V.shape)


class Right(nn.Module):
    def forward(self, V):
        return unit(V, 1.0)


class Wrong(nn.Module):
    def forward(self, V):
        return unit(V, 1.03)


class WrongForWeight(nn.Module):
    def __init__(self, weight, radius):
        super().__init__()
        self.radius = radius
        self.scale = nn.Parameter(torch.ones(()))

    ARGS = RADIUS
    DECLARES = {}  # noqa: RUF012

    def forward(self, V):
        return self.scale * self.radius * unit(V, 1.03)


class WrongPair(nn.Module):
    def forward(self, g, V):
        return g * unit(V, 1.03)

    def right_inverse(self, W):
        return torch.linalg.vector_norm(W, dim=1, keepdim=True), W


def wrong_factory(module, name):
    parametrize.register_parametrization(module, name, WrongPair())


def wrong_function(V, factor=1.03):
    return unit(V, factor)


wrong_instance = Wrong()
