"""Mean-only batch normalization in PyTorch, the companion of weight normalization.

T. Salimans and D. P. Kingma, *Weight normalization*, 2016, section 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MeanOnlyBatchNormalization(nn.Module):
    """y = x − m + b: m the mean of each unit over batch and positions in training, the running mean in evaluation.

    x (batch, units, …), ``num_features`` units, b a parameter (units,) starting at 0.  ``momentum``: the share of the
    new mean in the running one, as in torch's batch normalization.  The gradient by x is the cotangent less its means:
    nothing of x is kept for the backward.  ``ValueError`` for an x whose axis 1 is not ``num_features`` long.

    >>> import torch
    >>> MeanOnlyBatchNormalization(1)(torch.tensor([[1.0], [3.0]]))
    tensor([[-1.],
            [ 1.]], grad_fn=<AddBackward0>)
    """

    running_mean: Tensor

    def __init__(self, num_features: int, momentum: float = 0.1) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1; got {momentum!r}")
        self.num_features, self.momentum = num_features, momentum
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """y of the shape of x."""
        if x.dim() < 2 or x.shape[1] != self.num_features:
            raise ValueError(f"x must have {self.num_features} units on axis 1; got shape {tuple(x.shape)}")
        column = (-1, *[1] * (x.dim() - 2))
        if not self.training:
            return x - self.running_mean.reshape(column) + self.bias.reshape(column)
        mean = x.mean([axis for axis in range(x.dim()) if axis != 1])
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        return x - mean.reshape(column) + self.bias.reshape(column)

    def extra_repr(self) -> str:
        return f"{self.num_features}, momentum={self.momentum}"
