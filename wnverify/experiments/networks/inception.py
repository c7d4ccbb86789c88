"""Networks of Inception modules for 32 × 32 images: GoogLeNet as CWN uses it, and BN-Inception as DSWN does.

Modules: Szegedy et al. 2015, *Going deeper with convolutions*, Table 1 (the width of every branch); Ioffe and Szegedy
2015, *Batch normalization*, Figure 5 (5 × 5 layers become two 3 × 3 ones, some modules halve the image).  For small
images the first layers are one 3 × 3 convolution (CWN, Fig. 3: 64 channels) and the auxiliary outputs are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from wnverify.experiments.networks.blocks import GlobalMean, Unit

POOL: Final = None
GOOGLENET: Final = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    POOL,
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    POOL,
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Channels of 1 × 1; before and of 3 × 3; before and of 5 × 5; after the pooling."""
BN_INCEPTION: Final = (
    (64, 64, 64, 64, 96, 32),
    (64, 64, 96, 64, 96, 64),
    (0, 128, 160, 64, 96, 0),
    (224, 64, 96, 96, 128, 128),
    (192, 96, 128, 96, 128, 128),
    (160, 128, 160, 128, 160, 96),
    (96, 128, 192, 160, 192, 96),
    (0, 128, 192, 192, 256, 0),
    (352, 192, 320, 160, 224, 128),
    (352, 192, 320, 192, 224, 128),
)
"""As above with two 3 × 3 layers for the 5 × 5 one; no 1 × 1 layer: stride 2, and the pooling keeps its channels."""


class Inception(nn.Module):
    """Branches side by side, their channels one after the other; ``doubled``: two 3 × 3 layers for a 5 × 5 one."""

    def __init__(self, inputs: int, widths: Sequence[int], *, doubled: bool, mean_pool: bool = False):
        super().__init__()
        one, before3, three, before5, five, pooled = widths
        stride = 1 if one else 2
        branches: list[nn.Module] = [Unit(inputs, one, 1)] if one else []
        branches.append(nn.Sequential(Unit(inputs, before3, 1), Unit(before3, three, 3, stride=stride)))
        wide = [Unit(before5, five, 3), Unit(five, five, 3, stride=stride)] if doubled else [Unit(before5, five, 5)]
        branches.append(nn.Sequential(Unit(inputs, before5, 1), *wide))
        pooling = nn.AvgPool2d if mean_pool else nn.MaxPool2d
        after = [Unit(inputs, pooled, 1)] if pooled else []
        branches.append(nn.Sequential(pooling(3, stride=stride, padding=1), *after))
        self.branches = nn.ModuleList(branches)
        self.outputs = one + three + five + (pooled or inputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def googlenet(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Nine modules, halved twice between them."""
    layers: list[nn.Module] = [Unit(shape[0], 64, 3)]
    channels = 64
    for widths in GOOGLENET:
        if widths is None:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
            continue
        module = Inception(channels, widths, doubled=False)
        layers.append(module)
        channels = module.outputs
    return nn.Sequential(*layers, GlobalMean(), nn.Linear(channels, outputs))


def bn_inception(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Ten modules, two of which halve the image; mean pooling in all but the last, which has maximum pooling."""
    layers: list[nn.Module] = [Unit(shape[0], 64, 3), Unit(64, 192, 3)]
    channels = 192
    for k, widths in enumerate(BN_INCEPTION):
        # The modules that halve have maximum pooling too (Fig. 5 of the source).
        mean = widths[0] > 0 and k < len(BN_INCEPTION) - 1
        module = Inception(channels, widths, doubled=True, mean_pool=mean)
        layers.append(module)
        channels = module.outputs
    return nn.Sequential(*layers, GlobalMean(), nn.Linear(channels, outputs))
