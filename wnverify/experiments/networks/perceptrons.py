"""Multilayer perceptrons: linear layers with ReLU between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import nn


def perceptron(widths: Sequence[int], *, bias: bool = True) -> nn.Sequential:
    """Linear layers ``widths[0]`` → … → ``widths[-1]``, ReLU after all but the last; inputs are flattened."""
    if len(widths) < 2 or any(width < 1 for width in widths):
        raise ValueError(f"widths must be at least two positive numbers; got {list(widths)}")
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def of_hidden(hidden: Sequence[int], shape: Sequence[int], outputs: int, *, bias: bool = True) -> nn.Sequential:
    """A perceptron with these hidden layers for inputs of ``shape``."""
    return perceptron([math.prod(shape), *hidden, outputs], bias=bias)
