"""Norm loss (Georgiou, Schmitt, Bäck, Chen and Lew), section V: Tables I to III.

A cell "6.32 (6.568)" is the best run and the mean of five; cells of methods marked with * are other papers', in columns
of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Experiment, Scale, Variant
from wnverify.experiments.published.norm_loss_figures import FIGURES
from wnverify.experiments.published.norm_loss_settings import (
    BATCH,
    BY_FIVE,
    BY_TEN,
    FACTORS,
    LONG,
    OF_DECAY,
    claims_of,
    experiment_of,
    rivals,
)
from wnverify.experiments.published.norm_loss_tables import OTHER_SCHEDULE, TABLE_1, TABLE_2, TABLE_3, Row
from wnverify.experiments.published.on_digits import OF_RESNET_50, Rows, expected, with_short_forms
from wnverify.experiments.training.schedules import Schedule

RUNS: Final = 5
COLUMNS: Final = dict.fromkeys(("best", "mean", "best, cited", "mean, cited"), "test.error")
BEST: Final = {"best": "best", "best, cited": "best"}
NETWORKS: Final = {"resnet_110": "ResNet110", "wrn_28_10": "WRN-28-10"}
TABLES: Final = {"1": TABLE_1, "2": TABLE_2}
ON: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("1", "resnet_110"): BY_TEN,
    ("1", "wrn_28_10"): BY_FIVE,
    ("2", "resnet_110"): {"epochs": 300, "schedule": Schedule("step", milestones=(53, 107, 230))},
    ("2", "wrn_28_10"): LONG,
}
DATA: Final = {"1": "cifar10", "2": "cifar100"}
BETTER: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    ("1", "resnet_110"): (("nl", "wd"), ("nl", "WN"), ("nl", "PBWN"), ("nl", "ONI")),
    ("1", "wrn_28_10"): (("wd", "nl"),),
    ("2", "resnet_110"): (("nl", "wd"), ("nl", "WN"), ("nl", "PBWN")),
    ("2", "wrn_28_10"): (("nl", "wd"), ("nl", "OLM")),
}
"""Which has the smaller error, as sections V-C and V-D say and the means show."""

OF_RIVALS: Final = (
    "rows cited from other papers are run with this paper's settings; WN, PBWN and OLM keep the weight decay of wd, "
    "nl and ONI have none beside them"
)
OF_OLM: Final = (
    "OLM orthogonalizes groups of 64 rows, and of 8 in the shortcuts, for whole weights have more rows than columns "
    "there; OLM-L1 is OLM on the first layer only"
)
OF_AUGMENTATION: Final = "section V-C names padded crops; mirroring is taken from the papers that it refers to"
OF_TEN: Final = "the factor by which ResNet-110's rate falls is not printed: 10, as in its own paper"


OF_LAYERS: Final[Rows] = {
    "OLM": {"options": {"group_rows": {"*shortcut": 8, "*": 64}}},
    "OLM-L1": {"layers": ("0",)},
}
"""What rows of WRN-28-10 have of their own."""
OF_DIGITS: Final[Rows] = {"OLM-L1": {"layers": ("0.0",)}}


def _printed(rows: Iterable[Row]) -> dict[str, dict[str, str]]:
    """Method → cells: its own row and the one cited from another paper are one row here."""
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        best, mean = ("best", "mean") if row.own else ("best, cited", "mean, cited")
        cells.setdefault(row.method, {}).update({best: row.best or "-", mean: row.mean or "-"})
    return cells


def _of_table(key: tuple[str, str]) -> Experiment:
    """Tables I and II, one network."""
    table, network = key
    cells = _printed(row for row in TABLES[table] if row.network == NETWORKS[network])
    names = tuple(cells)
    claims = claims_of("section V-C" if table == "1" else "section V-D", *BETTER[key])
    settings = {"batch": BATCH, "rate": 0.1, "augmentation": "standard", **ON[key], "network": network}
    own = {name: given for name, given in OF_LAYERS.items() if name in names}
    short = {name: given for name, given in OF_DIGITS.items() if name in names}
    decided = (OF_DECAY, OF_RIVALS, OF_AUGMENTATION)
    return experiment_of(
        f"table{table}.{network}",
        f"Table {'I' * int(table)}",
        f"Regularizations compared: {network} on {DATA[table]}",
        variants=tuple(
            Variant(name=name, settings=given, printed=cells[name])
            for name, given in rivals(names, *FACTORS[key]).items()
        ),
        scales=with_short_forms(Scale(data=DATA[table], seeds=RUNS, settings=settings, rows=own), claims, rows=short),
        columns=COLUMNS,
        units=dict.fromkeys(COLUMNS, "%"),
        over_runs=BEST,
        printed_runs=RUNS,
        expectations=claims,
        decided=(*decided, OF_OLM) if own else (*decided, OF_TEN),
    )


def _with_the_schedule_of_cifar_10() -> Experiment:
    claims, cells = claims_of("section V-D", ("nl", "wd")), _printed(OTHER_SCHEDULE)
    settings = {"network": "resnet_110", "batch": BATCH, "rate": 0.1, "augmentation": "standard", **BY_TEN}
    return experiment_of(
        "short_schedule",
        "section V-D",
        "Weight decay and norm loss in 164 epochs: resnet_110 on cifar100",
        variants=tuple(
            Variant(name=name, settings=given, printed=cells[name])
            for name, given in rivals(("wd", "nl"), 1e-4, 1e-2).items()
        ),
        scales=with_short_forms(Scale(data="cifar100", seeds=RUNS, settings=settings), claims),
        columns=COLUMNS,
        units=dict.fromkeys(COLUMNS, "%"),
        over_runs=BEST,
        printed_runs=RUNS,
        expectations=claims,
        decided=(OF_DECAY, OF_AUGMENTATION, OF_TEN),
    )


def _table_3() -> Experiment:
    own = {"Top-1 error": "test.error", "Top-5 error": "test.top5_error"}
    columns = own | {f"{column}, cited": path for column, path in own.items()}
    cells: dict[str, dict[str, str]] = {}
    for row in TABLE_3:
        names = [f"{column}, cited" if row.source.endswith("*") else column for column in own]
        cells.setdefault(row.method, {}).update(zip(names, (row.top1, row.top5 or "-"), strict=True))
    claims = (
        *claims_of("section V-E", ("nl", "wd")),
        *expected(
            "section V-E",
            "test.top5_error",
            ("nl_below_wd_of_five", "The top-5 error of nl is below that of wd.", "nl", "wd"),
        ),
    )
    settings = {
        "network": "resnet_50",
        "optimizer": "nesterov",
        "batch": 128,
        "rate": 0.1,
        "epochs": 90,
        "schedule": Schedule("step", milestones=(30, 60)),
        "augmentation": "scale and aspect",
    }
    return experiment_of(
        "table3",
        "Table III",
        "ImageNet: ResNet-50",
        variants=tuple(
            Variant(
                name=name,
                settings=given,
                printed=cells[name],
            )
            for name, given in rivals(tuple(cells), 1e-4, 1e-4).items()
        ),
        scales=with_short_forms(Scale(data="image_folders", seeds=1, settings=settings), claims),
        columns=columns,
        units=dict.fromkeys(columns, "%"),
        expectations=claims,
        decided=(
            OF_DECAY,
            "the number of epochs is not printed: 90, three stages of 30; one run",
            "batch normalization takes its means over 64 samples in the paper, over all 128 here",
            "augmentation and the other settings are those of a program that the text refers to without naming them: "
            "crops of random area and aspect, mirroring, no dropout",
            OF_RESNET_50,
        ),
    )


EXPERIMENTS: Final[tuple[Experiment, ...]] = (
    *map(_of_table, ON),
    _with_the_schedule_of_cifar_10(),
    _table_3(),
    *FIGURES,
)
