"""Residual networks: ResNet-110 for small images, the wide WRN-28-10, ResNet-50 for large ones.

Sources: He et al. 2016, *Deep residual learning for image recognition* (section 4.2 for small images, shortcuts A
without parameters; Table 1 for ResNet-50); Zagoruyko and Komodakis 2016, *Wide residual networks* (Table 1,
pre-activation, no dropout).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from wnverify.experiments.networks.blocks import GlobalMean, Unit

EXPANSION: Final = 4


class Padded(nn.Module):
    """Shortcut A: every second position, and zeros for the channels that are new."""

    def __init__(self, new: int, stride: int):
        super().__init__()
        self.new, self.stride = new, stride

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))


class Basic(nn.Module):
    """Two 3 × 3 layers beside the identity, ReLU after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        second = [nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
        self.body = nn.Sequential(Unit(inputs, outputs, 3, stride=stride), *second)
        same = stride == 1 and inputs == outputs
        self.shortcut: nn.Module = nn.Identity() if same else Padded(outputs - inputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


class Wide(nn.Module):
    """Normalization and ReLU before each of two 3 × 3 convolutions; the shortcut begins after the first of them."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.before = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        out: Tensor = (x if self.shortcut is None else self.shortcut(y)) + self.body(y)
        return out


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 layers beside a shortcut; the stride is that of the 3 × 3 layer."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        outputs = EXPANSION * width
        last = [nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.body = nn.Sequential(Unit(inputs, width, 1), Unit(width, width, 3, stride=stride), *last)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            turned = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(turned, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet(shape: Sequence[int], outputs: int, depth: int) -> nn.Sequential:
    """6 n + 2 layers, 16, 32 and 64 channels, n blocks of two layers each; ``ValueError`` for another depth."""
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 2 with n at least 1; got {depth}")
    layers: list[nn.Module] = [Unit(shape[0], 16, 3)]
    channels = 16
    for width in (16, 32, 64):
        for _ in range(blocks):
            layers.append(Basic(channels, width, 2 if width > channels else 1))
            channels = width
    return nn.Sequential(*layers, GlobalMean(), nn.Linear(channels, outputs))


def resnet_110(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Eighteen blocks a stage."""
    return resnet(shape, outputs, 110)


def resnet_8(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """One block a stage: the smallest of the kind, for short runs."""
    return resnet(shape, outputs, 8)


def resnet_20(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Three blocks a stage: deep enough for what happens to a signal, small enough for short runs."""
    return resnet(shape, outputs, 20)


def wide_resnet(shape: Sequence[int], outputs: int, depth: int, factor: int) -> nn.Sequential:
    """6 n + 4 layers, 16 and then ``factor`` times 16, 32 and 64 channels; ``ValueError`` for another depth."""
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 4 with n at least 1; got {depth}")
    channels = 16
    layers: list[nn.Module] = [nn.Conv2d(shape[0], channels, 3, padding=1, bias=False)]
    for stage, width in enumerate((16, 32, 64)):
        for k in range(blocks):
            layers.append(Wide(channels, factor * width, 2 if stage and not k else 1))
            channels = factor * width
    last = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), GlobalMean()]
    return nn.Sequential(*layers, *last, nn.Linear(channels, outputs))


def wrn_28_10(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """Four blocks a stage, ten times as wide."""
    return wide_resnet(shape, outputs, 28, 10)


def wrn_10_1(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """One block a stage, no wider than 16, 32 and 64 channels: the smallest of the kind, for short runs."""
    return wide_resnet(shape, outputs, 10, 1)


def resnet_50(shape: Sequence[int], outputs: int) -> nn.Sequential:
    """3, 4, 6 and 3 bottlenecks of 64, 128, 256 and 512 channels after a 7 × 7 layer and a pooling."""
    layers: list[nn.Module] = [Unit(shape[0], 64, 7, stride=2), nn.MaxPool2d(3, stride=2, padding=1)]
    channels = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for k in range(blocks):
            layers.append(Bottleneck(channels, width, 2 if stage and not k else 1))
            channels = EXPANSION * width
    return nn.Sequential(*layers, GlobalMean(), nn.Linear(channels, outputs))
