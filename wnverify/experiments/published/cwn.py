"""Centred weight normalization, supplement (Huang, Liu, Liu, Lang and Tao 2017): GoogLeNet on CIFAR-10."""

from __future__ import annotations

from typing import Final

from wnverify.experiments.experiment import Experiment, Scale, Variant
from wnverify.experiments.published.on_digits import CONVOLUTIONS, expected, with_short_forms
from wnverify.experiments.training.schedules import Schedule

COLUMN: Final = "test error"
PRINTED: Final = {"plain": "6.00", "WN": "6.01", "CWN": "5.64"}
ROWS: Final = {"plain": {}, "WN": {"method": "wn"}, "CWN": {"method": "cwn"}}
CLAIMS: Final = expected(
    "section 2",
    "test.error",
    ("cwn_below_plain", "CWN has a smaller test error than the network without weight normalization.", "CWN", "plain"),
    ("cwn_below_wn", "CWN has a smaller test error than WN.", "CWN", "WN"),
)

EXPERIMENTS: Final[tuple[Experiment, ...]] = (
    Experiment(
        id="cwn.googlenet",
        paper="cwn",
        place="section 2, Fig. 1",
        title="GoogLeNet on cifar10",
        settings={},
        variants=tuple(
            Variant(name=name, settings=given, printed={COLUMN: PRINTED[name]}) for name, given in ROWS.items()
        ),
        scales=with_short_forms(
            Scale(
                data="cifar10",
                seeds=1,
                settings={
                    "network": "googlenet",
                    "layers": CONVOLUTIONS["googlenet"],
                    "epochs": 100,
                    "batch": 64,
                    "rate": 0.1,
                    "weight_decay": 5e-4,
                    "schedule": Schedule("exponential", end=0.01),
                    "augmentation": "standard",
                },
            ),
            CLAIMS,
            {"layers": CONVOLUTIONS["cnn_digits"]},
        ),
        columns={COLUMN: "test.error"},
        units={COLUMN: "%"},
        expectations=CLAIMS,
        decided=(
            "the supplement refers to the paper for the setup and does not repeat it: rate 0.1 falling to a hundredth "
            "over 100 epochs, batches of 64, weight decay 5e-4, mirroring and padded crops are decided here",
            "weights of convolutions are normalized, each followed by batch normalization; the linear layer is left "
            "free, for unit rows there would bound the scores",
            "how many runs are behind a number is not printed: one",
            "VGG-A and the residual network of 56 layers (Figs. 2 and 4) are drawn without results in this text",
        ),
    ),
)
