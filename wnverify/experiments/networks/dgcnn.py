"""DGCNN for point clouds: edge convolutions on the graph of the k nearest points, drawn anew in every layer.

Source: Wang et al. 2019, *Dynamic graph CNN for learning on point clouds*, equations 7 and 8 and Figure 3: layers of
64, 64, 128 and 256 channels, their outputs joined into 1,024 channels, maximum and mean over points, then linear
layers of 512 and 256 units with dropout 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

NEIGHBOURS: Final = 20
SLOPE: Final = 0.2
"""Of leaky ReLU below zero."""
WIDTHS: Final = (64, 64, 128, 256)
JOINED: Final = 1024


def nearest(x: Tensor, k: int) -> Tensor:
    """Indices (count, points, k) of the k nearest points of each, itself among them, in x (count, channels, points)."""
    inner = x.mT @ x
    squares = (x * x).sum(1)
    return (2 * inner - squares[:, None] - squares[:, :, None]).topk(k, dim=2).indices


class EdgeConvolution(nn.Module):
    """x_i ↦ max over neighbours j of h(x_j − x_i, x_i), h one layer with normalization."""

    def __init__(self, inputs: int, outputs: int, neighbours: int):
        super().__init__()
        self.neighbours = neighbours
        activation = nn.LeakyReLU(SLOPE)
        self.body = nn.Sequential(nn.Conv2d(2 * inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), activation)

    def forward(self, x: Tensor) -> Tensor:
        at = nearest(x.detach(), min(self.neighbours, x.shape[2]))
        count = torch.arange(len(x), device=x.device)[:, None, None]
        others = x.mT[count, at].permute(0, 3, 1, 2)
        own = x[..., None].expand_as(others)
        out: Tensor = self.body(torch.cat([others - own, own], dim=1)).amax(dim=3)
        return out


class DGCNN(nn.Module):
    """(count, 3, points) ↦ scores (count, outputs)."""

    def __init__(self, inputs: int, outputs: int, neighbours: int = NEIGHBOURS):
        super().__init__()
        widths = (inputs, *WIDTHS)
        self.edges = nn.ModuleList(EdgeConvolution(a, b, neighbours) for a, b in zip(widths, WIDTHS, strict=False))
        self.joined = nn.Sequential(
            nn.Conv1d(sum(WIDTHS), JOINED, 1, bias=False), nn.BatchNorm1d(JOINED), nn.LeakyReLU(SLOPE)
        )
        self.head = nn.Sequential(
            nn.Linear(2 * JOINED, 512, bias=False),
            nn.BatchNorm1d(512),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(0.5),
            nn.Linear(512, 256),
            nn.BatchNorm1d(256),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(0.5),
            nn.Linear(256, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for edge in self.edges:
            x = edge(x)
            kept.append(x)
        x = self.joined(torch.cat(kept, dim=1))
        out: Tensor = self.head(torch.cat([x.amax(2), functional.adaptive_avg_pool1d(x, 1).flatten(1)], dim=1))
        return out


def dgcnn(shape: Sequence[int], outputs: int) -> DGCNN:
    """DGCNN for clouds of ``shape`` (3, points)."""
    return DGCNN(shape[0], outputs)
