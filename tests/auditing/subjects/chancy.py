"""Subjects whose error depends on the numbers that the seed draws."""

from typing import ClassVar

import torch
from torch import Tensor, nn


class WrongForOneInMany(nn.Module):
    """Unit rows, but for weights whose first entry is rare: there they are longer by ``miss``, relative to one."""

    DECLARES: ClassVar[dict[str, bool]] = {"unit_norm_rows": True}

    def __init__(self, miss: float = 1e-3):
        super().__init__()
        self.miss = miss

    def forward(self, V: Tensor) -> Tensor:
        rows = V.flatten(1)
        W = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        rare = bool((rows[0, 0].abs() > 2.6).item())
        return (W * (1 + self.miss if rare else 1)).reshape(V.shape)


class Unit(nn.Module):
    """Unit rows."""

    DECLARES: ClassVar[dict[str, bool]] = {"unit_norm_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        rows = V.flatten(1)
        return (rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True)).reshape(V.shape)
