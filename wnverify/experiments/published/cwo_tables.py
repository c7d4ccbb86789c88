"""Constrained weight optimization, Tables 1 to 6 as printed, decimals as text.

The text's marks of the best and second best are kept as ``**bold**`` and ``*italic*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Setting(NamedTuple):
    """A row of Table 1."""

    data: str
    augmentation: str
    network: str


Row = Mapping[str, str]
Table1 = Mapping[Setting, Row]
BatchErrors = Mapping[tuple[str, str, int], str]
Ablation = Mapping[tuple[str, bool, bool, str], str]
Noise = Mapping[str, Mapping[tuple[str, str], str]]
Accuracies = Mapping[str, tuple[str, str]]

METHODS: Final = ("Ours", "BN", "GN", "WS+BN", "WS+GN")


def _table1() -> Table1:
    text = {
        ("CIFAR-10", "Standard", "CNN"): "5.50 **5.36** 6.45 *5.43* 5.71",
        ("CIFAR-10", "Standard", "ResNet-110"): "5.65 5.68 6.34 **5.52** 6.69",
        ("CIFAR-10", "Standard", "WideResNet-28-10"): "*4.19* **3.70** 5.01 4.78 4.67",
        ("CIFAR-10", "FastAA", "CNN"): "**4.18** 4.40 4.93 4.65 *4.37*",
        ("CIFAR-10", "FastAA", "ResNet-110"): "4.26 *4.11* 6.76 **3.92** 5.85",
        ("CIFAR-10", "FastAA", "WideResNet-28-10"): "**2.59** *2.64* 3.68 3.42 3.29",
        ("CIFAR-100", "Standard", "CNN"): "**24.26** *25.11* 29.28 25.51 26.27",
        ("CIFAR-100", "Standard", "ResNet-110"): "**25.16** 26.28 29.75 25.55 28.51",
        ("CIFAR-100", "Standard", "WideResNet-28-10"): "**18.31** *18.48* 22.63 19.82 22.62",
        ("CIFAR-100", "FastAA", "CNN"): "**21.03** 22.23 25.34 *21.87* 22.31",
        ("CIFAR-100", "FastAA", "ResNet-110"): "*21.87* **21.84** 28.90 22.10 27.83",
        ("CIFAR-100", "FastAA", "WideResNet-28-10"): "**16.40** *16.57* 19.96 19.18 19.41",
    }
    return MappingProxyType(
        {Setting(*key): MappingProxyType(dict(zip(METHODS, row.split(), strict=True))) for key, row in text.items()}
    )


TABLE1: Final = _table1()
"""Table 1: top-1 test error in percent."""

TABLE2: Final[BatchErrors] = MappingProxyType(
    {
        ("CIFAR-10", "Ours", 4): "2.65",
        ("CIFAR-10", "Ours", 16): "2.64",
        ("CIFAR-10", "Ours", 128): "2.59",
        ("CIFAR-10", "BN", 4): "3.08",
        ("CIFAR-10", "BN", 16): "2.80",
        ("CIFAR-10", "BN", 128): "2.64",
        ("CIFAR-100", "Ours", 4): "15.12",
        ("CIFAR-100", "Ours", 16): "14.80",
        ("CIFAR-100", "Ours", 128): "16.40",
        ("CIFAR-100", "BN", 4): "17.98",
        ("CIFAR-100", "BN", 16): "16.37",
        ("CIFAR-100", "BN", 128): "16.57",
    }
)
"""Table 2: test error in percent by data set, method and batch size; WideResNet-28-10, FastAA."""

TABLE3: Final[Ablation] = MappingProxyType(
    {
        ("CIFAR-10", False, False, "0.0"): "5.36",
        ("CIFAR-10", False, False, "1.0"): "4.97",
        ("CIFAR-10", True, False, "0.0"): "5.58",
        ("CIFAR-10", True, False, "1.0"): "4.66",
        ("CIFAR-10", False, True, "0.0"): "5.68",
        ("CIFAR-10", False, True, "1.0"): "5.29",
        ("CIFAR-10", True, True, "0.0"): "4.45",
        ("CIFAR-10", True, True, "1.0"): "4.19",
        ("CIFAR-100", False, False, "0.0"): "24.15",
        ("CIFAR-100", False, False, "1.0"): "21.85",
        ("CIFAR-100", True, False, "0.0"): "23.43",
        ("CIFAR-100", True, False, "1.0"): "20.43",
        ("CIFAR-100", False, True, "0.0"): "22.76",
        ("CIFAR-100", False, True, "1.0"): "20.88",
        ("CIFAR-100", True, True, "0.0"): "20.61",
        ("CIFAR-100", True, True, "1.0"): "18.31",
    }
)
"""Table 3: test error in percent by data set, centring, sphere and σ; WideResNet-28-10, standard augmentation."""

NO_NOISE: Final = ("none", "0")
_COLUMNS: Final = (
    NO_NOISE,
    *(("constant", sigma) for sigma in ("0.1", "0.2", "0.3", "0.4")),
    *(("linear", sigma) for sigma in ("0.2", "0.4", "0.6", "0.8", "1.0")),
)


def _table4() -> Noise:
    text = {
        "CIFAR-10": "4.45 4.78 4.55 4.59 4.25 4.49 4.49 4.45 4.45 **4.19**",
        "CIFAR-100": "20.61 21.00 20.13 19.81 - 20.78 19.86 18.74 **18.25** *18.31*",
    }
    return MappingProxyType(
        {data: MappingProxyType(dict(zip(_COLUMNS, row.split(), strict=True))) for data, row in text.items()}
    )


TABLE4: Final = _table4()
"""Table 4: test error in percent by data set, kind of noise and σ; WideResNet-28-10, standard augmentation."""

TABLE5: Final[Accuracies] = MappingProxyType(
    {
        "Ours": ("89.0", "91.4"),
        "GN": ("87.0", "89.7"),
        "WS+GN": ("88.8", "91.2"),
        "BN": ("89.3", "91.7"),
        "WS+BN": ("89.6", "92.0"),
    }
)
"""Table 5: mean class accuracy and overall accuracy in percent, ModelNet40."""

TABLE6: Final[Accuracies] = MappingProxyType(
    {
        "Ours": ("75.15", "92.37"),
        "Plain": ("73.76", "91.15"),
        "GN": ("75.19", "92.54"),
        "WS+GN": ("76.28", "93.01"),
        "BN": ("75.70", "92.81"),
        "WS+BN": ("76.24", "92.87"),
    }
)
"""Table 6: top-1 and top-5 columns in percent, ImageNet, ResNet-50."""
