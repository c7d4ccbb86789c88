"""PyTorch's layers, each small, and the rows that its weight is the matrix of."""

import numpy as np
from torch import nn

LAYERS = {
    "linear": (lambda: nn.Linear(9, 4), {}, (2, 9)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 5), {}, (2, 3, 8)),
    "conv2d in groups": (lambda: nn.Conv2d(6, 4, (2, 3), groups=2), {}, (2, 6, 5, 5)),
    "conv3d": (lambda: nn.Conv3d(2, 4, 2), {}, (2, 2, 4, 4, 4)),
    "transposed1d": (lambda: nn.ConvTranspose1d(3, 4, 5), {"dim": 1}, (2, 3, 8)),
    "transposed2d in groups": (lambda: nn.ConvTranspose2d(6, 4, 3, groups=2), {"dim": 1, "groups": 2}, (2, 6, 5, 5)),
    "transposed3d in groups": (lambda: nn.ConvTranspose3d(6, 6, 2, groups=3), {"dim": 1, "groups": 3}, (2, 6, 3, 3, 3)),
}
"""How a layer is made, the layout of its weight for a parametrization, and the shape of an input."""


def rows(weight, layer):
    """The incoming weights of every output unit, unit by unit."""
    make, layout, _ = LAYERS[layer]
    weight = weight.detach().cpu().double().numpy()
    if not layout:
        return weight.reshape(len(weight), -1)
    groups = make().groups
    into = weight.shape[0] // groups
    return np.stack(
        [weight[g * into : (g + 1) * into, j].ravel() for g in range(groups) for j in range(weight.shape[1])]
    )
