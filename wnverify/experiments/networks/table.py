"""The networks by name: where a paper uses them, what was decided where it is open, the published parameter count."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import nn

_HERE: Final = "wnverify.experiments.networks"


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """``build``: module:function of (shape, outputs), or hidden layers of a perceptron, with
    biases or without; ``published`` in millions.

    ``shape`` and ``outputs`` are those of the paper, for which ``published`` is counted.
    """

    id: str
    used: str
    shape: tuple[int, ...]
    outputs: int
    build: str = ""
    hidden: tuple[int, ...] = ()
    bias: bool = True
    reading: str = ""
    published: str = ""
    source: str = ""


NETWORKS: Final = {
    network.id: network
    for network in (
        Network("mlp_300", "L1,∞, sec. 5.1", (1000,), 1, hidden=(300,), reading="1000-300-1: one hidden layer of 300"),
        Network(
            "mlp_100_50_20", "L1,∞, sec. 5.2", (500,), 2, hidden=(100, 50, 20), reading="500-100-50-20-2 as printed"
        ),
        Network(
            "mlp_100", "L1,∞, supplement", (500,), 2, hidden=(100,), reading="the first of sec. 5.2's hidden layers"
        ),
        Network("mlp_100_50", "L1,∞, supplement", (500,), 2, hidden=(100, 50), reading="the first two of them"),
        Network("mlp_900", "L1,∞, sec. 5.5", (1, 28, 28), 10, hidden=(900,), reading="784-900-10 as printed"),
        Network(
            "mlp_6x128",
            "DSWN, sec. 4.2.1",
            (1, 28, 28),
            10,
            hidden=(128,) * 5,
            reading="six layers: five hidden ones of 128 units and the output",
        ),
        Network(
            "cnn9", "CWO, sec. 4.1.1", (3, 32, 32), 10, f"{_HERE}.plain:cnn9", reading="as printed, layer by layer"
        ),
        Network(
            "vgg_16",
            "DSWN, secs. 4.1 and 4.2.2",
            (3, 32, 32),
            10,
            f"{_HERE}.plain:vgg_16",
            reading="configuration D, one linear layer on 32 × 32 images; the paper says VGG",
        ),
        Network(
            "vgg_16_large",
            "L1,∞, sec. 5.3",
            (3, 32, 32),
            10,
            f"{_HERE}.plain:vgg_16_large",
            reading="padding 10, so that the image keeps its size",
        ),
        Network(
            "resnet_110",
            "CWO, Table 1; norm loss, Tables I-II",
            (3, 32, 32),
            10,
            f"{_HERE}.residual:resnet_110",
            published="1.7",
            source="He et al. 2016, Table 6",
        ),
        Network(
            "wrn_28_10",
            "CWO, Table 1; norm loss, Tables I-II",
            (3, 32, 32),
            10,
            f"{_HERE}.residual:wrn_28_10",
            published="36.5",
            source="Zagoruyko and Komodakis 2016, Table 4",
        ),
        Network(
            "googlenet",
            "CWN, Fig. 3",
            (3, 32, 32),
            10,
            f"{_HERE}.inception:googlenet",
            reading="one 3 × 3 layer of 64 channels first; branches as in GoogLeNet's Table 1",
        ),
        Network(
            "bn_inception",
            "DSWN, sec. 4.1",
            (3, 32, 32),
            10,
            f"{_HERE}.inception:bn_inception",
            reading="two 3 × 3 layers first, so that 32 × 32 images reach the modules whole",
        ),
        Network(
            "resnet_50",
            "CWO, Table 6; norm loss, Table III",
            (3, 224, 224),
            1000,
            f"{_HERE}.residual:resnet_50",
            reading="the stride is that of the 3 × 3 layer",
            published="25.5",
            source="Xie et al. 2017, Table 1",
        ),
        Network("cnn_digits", "short runs", (1, 8, 8), 10, f"{_HERE}.plain:cnn_digits"),
        Network("resnet_8", "short runs", (1, 8, 8), 10, f"{_HERE}.residual:resnet_8"),
        Network("resnet_20", "short runs", (1, 8, 8), 10, f"{_HERE}.residual:resnet_20"),
        Network("wrn_10_1", "short runs", (1, 8, 8), 10, f"{_HERE}.residual:wrn_10_1"),
        Network(
            "mlp_digits",
            "short runs",
            (1, 8, 8),
            10,
            hidden=(48, 40, 32, 24, 16),
            reading="six layers, as DSWN's; every weight has fewer rows than columns",
        ),
        Network(
            "mlp_6x128_unbiased",
            "CWO, sec. 3.1",
            (1, 28, 28),
            10,
            hidden=(128,) * 5,
            bias=False,
            reading="six layers as mlp_6x128, without biases as sec. 3 assumes",
        ),
        Network(
            "mlp_narrowing",
            "CWO, sec. 3.1",
            (1, 8, 8),
            10,
            hidden=tuple(range(62, 30, -2)),
            bias=False,
            reading="sixteen hidden layers of 62, 60, … 32 units without biases; all have fewer rows than columns",
        ),
        Network("dgcnn", "CWO, Table 5", (3, 1024), 40, f"{_HERE}.dgcnn:dgcnn", reading="20 neighbours"),
    )
}


def build(name: str, shape: Sequence[int] | None = None, outputs: int | None = None, seed: int = 0) -> nn.Module:
    """The network of that name for inputs of ``shape`` (default: the paper's), its weights drawn from ``seed``.

    ``ValueError`` for an unknown name.
    """
    from wnverify.experiments.networks.blocks import started
    from wnverify.experiments.networks.perceptrons import of_hidden

    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}; got {name!r}")
    row = NETWORKS[name]
    shape, outputs = tuple(shape or row.shape), outputs or row.outputs
    if not row.build:
        return started(of_hidden(row.hidden, shape, outputs, bias=row.bias), seed)
    module, function = row.build.split(":")
    made: Any = getattr(importlib.import_module(module), function)(shape, outputs)
    return started(made, seed)
