"""Constrained weight optimization, section 4.1.1: what its tables were run with, and what was decided.

Rows are methods; "Ours" are scale-and-bias layers with noise in the place of every batch normalization, and the
sphere-and-centring update with c = 2 on every weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.published.on_digits import CONVOLUTIONS
from wnverify.experiments.training.schedules import Schedule

PAPER: Final = "cwo"
ERROR: Final = {"Top-1 error": "test.error"}
DATA: Final = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100"}
SMALL_NETWORKS: Final = {"cnn9": "cnn_digits", "resnet_110": "resnet_8", "wrn_28_10": "wrn_10_1"}
SMALL_EPOCHS: Final = 15
"""More than other short runs have: noise as strong as the paper's slows the training of small networks."""
SMALL_GROUPS: Final = {"cnn_digits": 4, "resnet_8": 16, "wrn_10_1": 16}
"""Of group normalization: they divide every number of channels."""
AUGMENTATIONS: Final = {"standard": "standard", "fastaa": "fast autoaugment and cutout"}
OURS: Final = {
    "cnn9": {"rate": 0.1, "weight_decay": 1e-3},
    "resnet_110": {"rate": 0.2, "weight_decay": 1e-3},
    "wrn_28_10": {"rate": 0.2, "weight_decay": 5e-3},
}
"""Section 4.1.1: initial rate and weight decay of the paper's method."""
BASELINES: Final = {
    "cnn9": {"rate": 0.1, "weight_decay": 5e-4},
    "resnet_110": {"rate": 0.1, "weight_decay": 1e-4},
    "wrn_28_10": {"rate": 0.1, "weight_decay": 5e-4},
}
"""Not printed: those of the networks' own papers."""
NOISE: Final[Mapping[str, Mapping[str, Any]]] = {
    "cnn9": {"sigma": 0.4},
    "resnet_110": {"sigma": 1.0, "growth": "linear"},
    "wrn_28_10": {"sigma": 1.0, "growth": "linear"},
}
SMALL_NOISE: Final[Mapping[str, float]] = {"cnn9": 1.0, "resnet_110": 1.0, "wrn_28_10": 10**-0.5}
"""σ at small scale over the paper's: noise averages out over channels, of which WRN-10-1 has a tenth.

At the paper's own σ it is all but untrained after 15 epochs (a training loss of 1.2 with the rate of the others, of 2.3
with four times that)."""
OF_SMALL_NOISE: Final = (
    "σ is divided by √10 here, for the small network has a tenth of the channels of WideResNet-28-10"
)
CIFAR: Final = {"epochs": 200, "batch": 128, "schedule": Schedule("cosine")}
"""Section 4.1.1, with SGD and momentum 0.9."""
OF_THE_BASELINES: Final = "the baselines' rate and weight decay are not printed: those of the networks' own papers"
OF_THE_NOISE: Final = (
    "σ and its growth are printed for WideResNet-28-10 (1.0, linear: Tables 1, 3 and 4 agree); ResNet-110 takes the "
    "same, the network without shortcuts a constant one (section 3.3) of 0.4, the largest of Table 4"
)
OF_FASTAA: Final = (
    "which policies are meant is not said: the 493 pairs that the authors of Fast AutoAugment published for CIFAR-10 "
    "and use for CIFAR-100 too, as the user's fast_autoaugment.json has them, then crops, mirroring and Cutout of 16 "
    "pixels, in the order of their program"
)
OF_STANDARDIZATION: Final = "weights of convolutions are standardized (section 3.5), the linear layer is not"
OF_RUNS: Final = "how many runs are behind a cell is not printed: one"


def methods_of(names: tuple[str, ...], groups: int = 16) -> dict[str, dict[str, Any]]:
    """The rows of the tables that compare methods, networks and noise aside."""
    known: dict[str, dict[str, Any]] = {
        "Ours": {"method": "cwo"},
        "Plain": {"method": "plain"},
        "BN": {},
        "GN": {"method": "gn", "options": {"num_groups": groups}},
        "WS+BN": {"method": "ws"},
        "WS+GN": {"method": "ws+gn", "options": {"num_groups": groups}},
    }
    return {name: known[name] for name in names}


def paper_rows(names: tuple[str, ...], network: str, ours: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What rows have at one scale: the layers of weight standardization, and the settings of the paper's method."""
    standardized = {"layers": CONVOLUTIONS[network]}
    return {name: standardized for name in names if name.startswith("WS")} | {"Ours": dict(ours)}


def small_noise(noise: Mapping[str, Any], network: str) -> dict[str, Any]:
    """The noise of the small network that stands for ``network``."""
    return {**noise, "sigma": SMALL_NOISE[network] * noise["sigma"]}


def small_rows(names: tuple[str, ...], network: str, noise: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    rows = paper_rows(names, network, {"options": noise})
    for name in names:
        if name.endswith("GN"):
            rows[name] = {**rows.get(name, {}), "options": {"num_groups": SMALL_GROUPS[network]}}
    return rows
