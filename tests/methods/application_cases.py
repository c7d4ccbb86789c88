"""A model of three kinds of layers, and what the tests of ``wnverify.apply`` look at in it."""

import torch
from torch import nn

from wnverify.oracles.ratio import Ratio, map_model

X = torch.linspace(-1, 1, 4 * 3 * 4 * 4, dtype=torch.float64).reshape(4, 3, 4, 4).sin()
LAYERS = ("first", "up", "head")


def network():
    """Convolution, transposed convolution in groups and a linear layer, each normalized or not."""
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("first", nn.Conv2d(3, 8, 3))
    model.add_module("norm", nn.BatchNorm2d(8))
    model.add_module("relu", nn.ReLU())
    model.add_module("up", nn.ConvTranspose2d(8, 6, 3, groups=2))
    model.add_module("norm2", nn.BatchNorm2d(6))
    model.add_module("flat", nn.Flatten())
    model.add_module("head", nn.Linear(6 * 4 * 4, 5))
    return model.double()


def same(one, other, scale=None):
    """Whether two tensors agree as well as two roundings of a sum allow."""
    one, other = one.detach(), other.detach()
    size = float(other.abs().max()) if scale is None else scale
    return Ratio(float((one - other).abs().max()), size, map_model("float64", 400, condition=4.0)).value <= 1


def rows(model, name):
    layer = model.get_submodule(name)
    weight = layer.weight
    if isinstance(layer, nn.ConvTranspose2d):
        groups = layer.groups
        return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1).flatten(1)
    return weight.flatten(1)
