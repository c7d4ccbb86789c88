"""Norm loss, sections IV, V-A and V-B: strength, batch size, speed of training, projections of a period."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published.norm_loss_settings import (
    BATCH,
    BY_TEN,
    FACTORS,
    LONG,
    OF_DECAY,
    claims_of,
    experiment_of,
    rivals,
)
from wnverify.experiments.published.on_digits import Rows, sooner, with_short_forms
from wnverify.experiments.training.schedules import Schedule

LAMBDAS: Final = ("1e-4", "5e-4", "1e-3", "1e-2")
BATCHES: Final = (8, 16, 32, 64, 128)
WRN: Final = {"network": "wrn_28_10", "rate": 0.1, "augmentation": "standard", **LONG}
"""Sections V-A and V-B say only which data and which network: the rest as for Table II."""
AS_TABLE_2: Final = "what sections V-A and V-B leave open is that of Table II"


def _pairs(id: str, place: str, title: str, rows: dict[str, dict[str, Any]], **given: Any) -> Experiment:
    """Weight decay beside norm loss over something; nothing is printed in numbers."""
    claims: tuple[Expectation, ...] = given.pop("expectations")
    paper, short = given.pop("paper"), given.pop("short", {})
    of_rows: Rows = given.pop("rows", {})
    columns = {"error": "test.error", "training loss": "train.loss"}
    return experiment_of(
        id,
        place,
        title,
        variants=tuple(Variant(name=name, settings=own) for name, own in rows.items()),
        scales=with_short_forms(Scale(data=given.pop("data"), seeds=1, settings=paper), claims, short, of_rows),
        columns=columns,
        units={"error": "%"},
        expectations=claims,
        **given,
    )


def _figure_2() -> Experiment:
    rows = {
        f"{name}, λ = {factor}": given
        for factor in LAMBDAS
        for name, given in rivals(("wd", "nl"), float(factor), float(factor)).items()
    }
    return _pairs(
        "figure2",
        "Fig. 2, section V-A",
        "Strength of the regularization: wrn_28_10 on cifar100",
        rows,
        data="cifar100",
        paper=WRN,
        expectations=claims_of("section V-A", ("nl, λ = 1e-2", "wd, λ = 1e-2")),
        decided=(
            OF_DECAY,
            AS_TABLE_2,
            "of the four strengths the text names 5e-4 only",
            "that the strength of the norm loss matters less is read as: at the largest one its error is the smaller",
        ),
    )


def _figure_4() -> Experiment:
    rows = {
        f"{name}, B = {batch}": {**given, "batch": batch}
        for batch in BATCHES
        for name, given in rivals(("wd", "nl"), 5e-4, 1e-3).items()
    }
    smaller = [(f"nl, B = {batch}", f"wd, B = {batch}") for batch in BATCHES[:-1]]
    return _pairs(
        "figure4",
        "Fig. 4, section V-B",
        "Size of the batch: wrn_28_10 on cifar100",
        rows,
        data="cifar100",
        paper=WRN,
        expectations=claims_of("section V-B", *smaller, ("wd, B = 128", "nl, B = 128")),
        decided=(OF_DECAY, AS_TABLE_2, "one rate for every batch: no scaling is mentioned"),
    )


def _curves(
    figure: str,
    data: str,
    factors: tuple[float, float],
    until: int,
    settings: Mapping[str, Any],
    *also: Expectation,
) -> Experiment:
    """Figures 3 and 5, with what ``also`` says: the norm loss trains faster."""
    return _pairs(
        f"figure{figure}",
        f"Fig. {figure}",
        f"Speed of training: wrn_28_10 on {data}",
        rivals(("wd", "nl"), *factors),
        data=data,
        paper={**settings, "epochs": until, "schedule": Schedule()},
        short={"schedule": Schedule()},
        expectations=(
            *claims_of(f"Fig. {figure}", ("nl", "wd"), figure="train.loss"),
            *sooner(f"Fig. {figure}", ("nl", "wd", ""), path="train.loss"),
            *also,
        ),
        decided=(
            OF_DECAY,
            "faster is read as: a smaller training loss at the end of the first stage of the schedule, where the runs "
            "stop, and fewer epochs to the larger of both runs' ends; at small scale after six epochs",
        ),
    )


PERIODS, RATES = (1, 10, 100), (0.1, 0.4)


def _periods() -> Experiment:
    """Section IV: the disturbance by a hard projection over its period and the rate."""
    rows: dict[str, dict[str, Any]] = {}
    for rate, period in itertools.product(RATES, PERIODS):
        given = {"method": "pbwn", "options": {"every": period}, "rate": rate}
        rows[f"PBWN, T = {period}, rate {rate}"] = given
    for rate in RATES:
        rows[f"nl, rate {rate}"] = {"method": "norm_loss", "options": {"factor": 1e-2}, "rate": rate}
    claims = claims_of(
        "section IV",
        ("nl, rate 0.4", "PBWN, T = 100, rate 0.4"),
        ("PBWN, T = 1, rate 0.4", "PBWN, T = 100, rate 0.4"),
        ("PBWN, T = 100, rate 0.1", "PBWN, T = 100, rate 0.4"),
        figure="train.loss",
    )
    return _pairs(
        "periods",
        "section IV",
        "Disturbance by projections of period T: resnet_110 on cifar10",
        rows,
        data="cifar10",
        paper={"network": "resnet_110", "batch": BATCH, "augmentation": "standard", **BY_TEN},
        short={"epochs": 18},
        expectations=claims,
        decided=(
            "periods and rates are not printed: 1, 10 and 100 steps; the usual rate and four times it",
            "at small scale 360 steps, so that the longest period comes three times and not at the end",
        ),
    )


FIGURES: Final[tuple[Experiment, ...]] = (
    _figure_2(),
    _figure_4(),
    _curves("3", "cifar100", (5e-4, 5e-4), 77, WRN),
    _curves(
        "5",
        "cifar10",
        FACTORS["1", "wrn_28_10"],
        53,
        {**WRN, "batch": BATCH},
        *sooner("Fig. 6", ("nl", "wd", "")),
    ),
    _periods(),
)
