"""L1,∞, section 5: Tables 1 to 3 as printed, decimals as text, with the text's marks as ``**bold**``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Regression(NamedTuple):
    """A row of Table 1: mean squared errors, zeros in percent."""

    train: str
    test: str
    gen: str
    sparsity: str


class Classification(NamedTuple):
    """A row of Table 2: errors, test accuracy and zeros in percent."""

    train: str
    gen: str
    accuracy: str
    sparsity: str


Table1 = Mapping[str, Regression]
Table2 = Mapping[str, Classification]
Table3 = Mapping[str, tuple[str, str, str]]

NO_LIMIT: Final = "∞"
TABLE_1: Final[Table1] = MappingProxyType(
    {
        NO_LIMIT: Regression("0.000", "69.520", "69.520", "3.02"),
        "10.00": Regression("0.000", "35.571", "35.571", "41.58"),
        "2.00": Regression("0.052", "8.129", "8.077", "61.42"),
        "1.00": Regression("0.131", "2.424", "2.426", "84.69"),
        "0.90": Regression("0.173", "2.424", "2.251", "87.62"),
        "0.80": Regression("0.197", "2.384", "2.186", "89.80"),
        "0.70": Regression("0.235", "2.334", "2.099", "91.09"),
        "0.60": Regression("0.252", "2.247", "1.994", "91.78"),
        "0.50": Regression("0.286", "2.140", "1.854", "93.33"),
        "0.40": Regression("0.387", "2.209", "1.822", "93.88"),
        "0.30": Regression("0.850", "2.526", "1.675", "94.18"),
    }
)
"""Table 1 by c, from the largest: the regression experiment, means of 10 trials."""

TABLE_2: Final[Table2] = MappingProxyType(
    {
        NO_LIMIT: Classification("0.005", "0.543", "71.60", "2.39"),
        "1.00": Classification("0.016", "0.624", "83.50", "66.71"),
        "0.50": Classification("0.087", "0.337", "87.30", "68.43"),
        "0.30": Classification("0.053", "0.297", "88.40", "90.78"),
        "0.22": Classification("0.034", "0.280", "88.93", "93.29"),
        "0.19": Classification("0.046", "0.273", "89.10", "94.53"),
        "0.16": Classification("0.030", "0.250", "89.23", "95.40"),
        "0.13": Classification("0.077", "0.177", "89.93", "96.60"),
        "0.10": Classification("0.121", "0.155", "90.01", "97.53"),
        "0.07": Classification("0.207", "0.102", "90.12", "98.98"),
        "0.04": Classification("0.239", "0.112", "89.57", "99.04"),
        "0.01": Classification("0.265", "0.068", "88.48", "99.49"),
    }
)
"""Table 2 by c, from the largest: the classification experiment, means of 10 trials."""
TRIALS: Final = 10
TRAIN_SAMPLES, TEST_SAMPLES = 500, 1000
"""Samples of the classification experiment (Sec. 5.2)."""

EXPERIMENTS: Final = ("Cla. Exp", "MNIST", "CIFAR10")
OURS: Final = "Our Approach"
TABLE_3: Final[Table3] = MappingProxyType(
    {
        "No": ("71.6", "97.85", "93.34"),
        "L1, λ = 0.1": ("50.0", "13.87", "48.32"),
        "L1, λ = 0.01": ("50.0", "11.35", "92.53"),
        "L1, λ = 0.001": ("**81.6**", "97.33", "93.43"),
        "L1, λ = 0.0001": ("73.2", "97.99", "93.64"),
        "L2, λ = 0.1": ("70.8", "80.30", "80.41"),
        "L2, λ = 0.01": ("73.4", "92.30", "90.38"),
        "L2, λ = 0.001": ("73.2", "94.43", "91.41"),
        "L2, λ = 0.0001": ("71.8", "97.90", "**93.72**"),
        "Dropout, r_d = 0.5": ("73.5", "**98.11**", "93.42"),
        OURS: ("**91.0**", "**98.03**", "**93.75**"),
    }
)
"""Table 3: accuracies in percent by regularizer and experiment."""
