"""Convolutional networks without branches: the 9-layer CNN of CWO, VGG-16 and its variant with 21 × 21 kernels.

On 32 × 32 images VGG's five poolings leave one position, and one linear layer follows (dropout and the two layers of
4,096 units are ImageNet's).  That is how the papers' CIFAR experiments are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import nn

from wnverify.experiments.networks.blocks import GlobalMean, Unit

POOL: Final = 0
"""In a list of channels: maximum pooling over 2 × 2."""
VGG_16: Final = (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512, POOL)
LARGE_KERNEL: Final = 21


def cnn9(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """CWO, section 4.1.1: three 3 × 3 layers each of 64, 128 and 256 channels, mean pooling between."""
    channels = shape[0]
    layers: list[nn.Module] = []
    for stage, width in enumerate((64, 128, 256)):
        layers += [nn.AvgPool2d(2)] if stage else []
        for _ in range(3):
            layers.append(Unit(channels, width, 3))
            channels = width
    return nn.Sequential(*layers, GlobalMean(), nn.Linear(channels, outputs))


def cnn_digits(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Three 3 × 3 layers of 8, 16 and 24 channels for small images: no weight has as many rows as columns."""
    positions = (shape[1] // 2) * (shape[2] // 2)
    body = [Unit(shape[0], 8, 3), Unit(8, 16, 3), nn.AvgPool2d(2), Unit(16, 24, 3)]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(24 * positions, outputs))


def vgg(shape: Sequence[int], outputs: int, first_kernels: int) -> nn.Sequential:
    """Layers and poolings as ``VGG_16`` lists, 3 × 3 but for the first two, which have kernels of ``first_kernels``."""
    channels, seen = shape[0], 0
    layers: list[nn.Module] = []
    for width in VGG_16:
        if width == POOL:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            continue
        layers.append(Unit(channels, width, first_kernels if seen < 2 else 3))
        channels, seen = width, seen + 1
    return nn.Sequential(*layers, GlobalMean(), nn.Linear(channels, outputs))


def vgg_16(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Thirteen convolutions (configuration D) and one linear layer."""
    return vgg(shape, outputs, first_kernels=3)


def vgg_16_large(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """L1,∞, section 5.3: VGG-16 with 21 × 21 kernels in its first two convolutions."""
    return vgg(shape, outputs, first_kernels=LARGE_KERNEL)
