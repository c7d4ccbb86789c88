"""Rows of one norm, in every form that a subject may take."""

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm  # noqa: F401  (audited by the name that it has here)

DECLARES = {"unit_norm_rows": True, "odd": True}
DOMAIN = {"min_row_norm": 1e-6}
TWO = {"radius": 2.0}
FAR = {"min_row_norm": 1e9}
ON_A_SPHERE = {"constant_norm_rows": 2.0, "unit_norm_rows": False}


def unit(V, radius=1.0):
    norms = torch.linalg.vector_norm(V.flatten(1), dim=1)
    return radius * V / norms.reshape(-1, *[1] * (V.dim() - 1))


def sphere(V, radius):
    return unit(V, radius)


class Plain(nn.Module):
    def forward(self, V):
        return unit(V)


class ForWeight(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("first", weight.detach().clone())

    def forward(self, V):
        return unit(V)


class Sphere(nn.Module):
    DECLARES = ON_A_SPHERE
    ARGS = TWO

    def __init__(self, radius):
        super().__init__()
        self.radius = radius

    def forward(self, V):
        return unit(V, self.radius)


class Declared(nn.Module):
    """What it declares depends on its argument."""

    def __init__(self, radius=3.0):
        super().__init__()
        self.radius = radius
        self.DECLARES = {"constant_norm_rows": radius, "unit_norm_rows": False}

    def forward(self, V):
        return unit(V, self.radius)


class Pair(nn.Module):
    def forward(self, g, V):
        return g * unit(V)

    def right_inverse(self, W):
        return torch.linalg.vector_norm(W, dim=1, keepdim=True), W


class PairWithoutInverse(nn.Module):
    def forward(self, g, V):
        return g * unit(V)


class OptionalPair(nn.Module):
    def forward(self, V, g=None):
        return unit(V) if g is None else g * unit(V)

    def right_inverse(self, W):
        return W, torch.linalg.vector_norm(W, dim=1, keepdim=True)


class Logarithm(nn.Module):
    """Registered in other coordinates: V is what ``right_inverse`` makes of the weight."""

    def forward(self, V):
        return torch.sinh(V)

    def right_inverse(self, W):
        return torch.asinh(W)


class Gain(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.5))

    def forward(self, V):
        return self.gain * unit(V)


class RandomSigns(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("signs", torch.randn_like(weight).sign())

    def forward(self, V):
        return self.signs * unit(V)


class Noisy(nn.Module):
    def forward(self, V):
        return unit(V) + 1e-3 * torch.randn_like(V) * self.training


class TwoArguments(nn.Module):
    def __init__(self, radius, power):
        super().__init__()

    def forward(self, V):
        return unit(V)


class NoTensor(nn.Module):
    def forward(self, V):
        return V, V


class Nowhere(nn.Module):
    """Promises nothing at any weight that is generated."""

    DOMAIN = FAR

    def forward(self, V):
        return V


class NotAModule:
    def __init__(self, weight):
        self.weight = weight


class Nested:
    Inner = Plain


def factory(module, name="weight"):
    parametrize.register_parametrization(module, name, Plain())
    return module


def in_place(module, name):
    parametrize.register_parametrization(module, name, Pair())


def logarithm_on_a_layer(module, name):
    parametrize.register_parametrization(module, name, Logarithm())


def makes(radius=1.0):
    return Sphere(radius)


def penalty(V):
    return V.square().sum()


instance = Plain()
softmax = nn.Softmax(dim=1)
number = 3.0
