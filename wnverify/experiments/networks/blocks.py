"""Pieces that several networks are made of: a convolution with its normalization and ReLU, and the initial weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Unit(nn.Sequential):
    """Convolution without bias, batch normalization, ReLU: what the papers call a convolution layer."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int | None = None):
        padding = kernel // 2 if padding is None else padding
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class GlobalMean(nn.Module):
    """(count, channels, …) ↦ (count, channels): the mean over positions."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)


def started(model: nn.Module, seed: int) -> nn.Module:
    """The model with He-normal convolutions and PyTorch's own linear layers, drawn from ``seed``, in place.

    Variance 2 / fan-out for convolutions (He et al. 2015, as He et al. 2016 use it); linear weights and biases uniform
    in ±1/√fan-in.  Every draw is from one generator, in the model's order, so that methods start at one function.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d):
                fan_out = module.weight[:, 0].numel()
                module.weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=generator)
    return model
