"""The experiments of *L1,∞ weight normalization* as data: its Tables 1 and 2, and what ``l1inf_others`` has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published import l1inf_others
from wnverify.experiments.published.l1inf_settings import (
    CLASSIFICATION_SETTINGS,
    FIRST_LAYER,
    PAPER,
    REGRESSION_SETTINGS,
    SHORTER,
    SPARSITY,
    ZEROS,
    at,
    ordered,
    percent,
    row,
)
from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_1, TABLE_2, TRIALS
from wnverify.experiments.statistics import least_pairs

REGRESSION: Final = Experiment(
    id="l1inf.table1",
    paper=PAPER,
    place="Table 1, Fig. 1, sec. 5.1",
    title="Regression: errors and sparsity over c",
    settings=REGRESSION_SETTINGS,
    variants=tuple(
        Variant(
            name=row(c),
            settings=at(c),
            printed={
                "train err": cells.train,
                "test err": cells.test,
                "gen err": cells.gen,
                **dict.fromkeys(ZEROS, cells.sparsity),
            },
        )
        for c, cells in TABLE_1.items()
    ),
    scales={
        "smoke": Scale(data="regression", seeds=2, settings={"epochs": 2}),
        "small": Scale(data="regression", seeds=least_pairs(10), **SHORTER["regression"]),
        "paper": Scale(data="regression", seeds=TRIALS),
    },
    columns={"train err": "train.loss", "test err": "test.loss", "gen err": "generalization", **ZEROS},
    units=percent(*ZEROS),
    expectations=(
        *ordered("generalization", "generalization error", "sec. 5.1", "0.30", "1.00", "2.00", "10.00", NO_LIMIT),
        *ordered("sparsity.zero", "share of zeros", "sec. 5.1", NO_LIMIT, "10.00", "2.00", "1.00", "0.30"),
        Expectation(
            id="test_error.95percent",
            statement="The test error at c = 1 is more than 95 % below that without a constraint.",
            place="sec. 5.1",
            figure="test.loss",
            less=row("1.00"),
            more=row(NO_LIMIT),
            factor=0.05,
        ),
        Expectation(
            id="train_error.no_limit",
            statement="Without a constraint the training data are fitted better than at c = 0.30.",
            place="sec. 5.1",
            figure="train.loss",
            less=row(NO_LIMIT),
            more=row("0.30"),
        ),
    ),
    decided=(
        "gradient descent on all 500 samples, momentum 0.9, rate 0.001, 250 steps with a projection after each: "
        "optimiser, step size and duration are not told; at these the network without a constraint ends at a training "
        "error of 0.000, as printed",
        "the hidden layer is projected together with its bias, the output layer is free (the definition of S_c)",
        "initial weights are PyTorch's, projected before the first step",
        "β_i ~ Unif(0.15, 1.5): the printed Unif(0.15, 150) cannot give the printed errors (claim L1-51-SCALE)",
        SPARSITY,
    ),
    printed_runs=TRIALS,
)

_CLASSIFIED: Final = ("test acc %", *ZEROS)
CLASSIFICATION_COLUMNS: Final = {"train err": "train.loss", "gen err": "generalization", "test acc %": "test.overall"}
CLASSIFICATION_DECIDED: Final = (
    "Adam with rate 0.001, batches of 100, 80 epochs with a projection after each of the 400 steps: optimiser, step "
    "size, batch and duration are not told; at these the network without a constraint ends at a training error below "
    "0.005",
    "errors are cross entropies: at c = 0.07 training and generalization error add up to 0.309, beside 90.12 % right",
    "α is drawn for every sample and 1/4 is the variance of x_ij given α: the text draws α before 'for all i'",
    "initial weights are PyTorch's, projected before the first step",
    SPARSITY,
)


def classification(
    name: str, title: str, decided: str, settings: Mapping[str, Any], zeros: Mapping[str, str] = ZEROS
) -> Experiment:
    """Table 2, read in one way; ``zeros``: which zeros are counted."""
    return Experiment(
        id=name,
        paper=PAPER,
        place="Table 2, Fig. 2, sec. 5.2",
        title=title,
        settings={**CLASSIFICATION_SETTINGS, **settings},
        variants=tuple(
            Variant(
                name=row(c),
                settings=at(c),
                printed={
                    "train err": cells.train,
                    "gen err": cells.gen,
                    "test acc %": cells.accuracy,
                    **dict.fromkeys(ZEROS, cells.sparsity),
                },
            )
            for c, cells in TABLE_2.items()
        ),
        scales={
            "smoke": Scale(data="classification", seeds=2, settings={"epochs": 2}),
            "small": Scale(data="classification", seeds=least_pairs(9), **SHORTER["classification"]),
            "paper": Scale(data="classification", seeds=TRIALS),
        },
        columns={**CLASSIFICATION_COLUMNS, **zeros},
        units=percent(*_CLASSIFIED),
        expectations=(
            *ordered("generalization", "generalization error", "sec. 5.2", "0.01", "0.07", "0.30", "1.00", NO_LIMIT),
            *ordered(zeros["sparsity %"], "share of zeros", "sec. 5.2", NO_LIMIT, "1.00", "0.30", "0.07"),
            Expectation(
                id="accuracy.20percent",
                statement="The test accuracy at c = 0.07 is more than 1.2 times that without a constraint.",
                place="sec. 5.2",
                figure="test.overall",
                less=row(NO_LIMIT),
                more=row("0.07"),
                factor=1 / 1.2,
            ),
            *ordered("train.loss", "training error", "sec. 5.2", "0.10", "0.07"),
        ),
        decided=(decided, *CLASSIFICATION_DECIDED),
        printed_runs=TRIALS,
    )


CLASSIFICATION: Final = classification(
    "l1inf.table2",
    "Classification: errors, accuracy and sparsity over c",
    "all three hidden layers are projected, each with its bias, the output layer is free (the definition of S_c)",
    {},
)
FIRST_ONLY: Final = classification(
    "l1inf.table2_first_layer",
    "Classification over c, the first layer alone projected",
    "the first layer alone is projected: the definition of S_c has all hidden layers, but then outputs are of the "
    "order of c³ times the output weights, which must grow to 10⁶ at c = 0.01; Fig. 3 shows the first layer.  Zeros "
    "are those of that layer: of all weights it has but 89 %",
    {"layers": FIRST_LAYER},
    {"sparsity %": "layers.1.zero", "sparsity %, at most 0.001": "layers.1.small"},
)

EXPERIMENTS: tuple[Experiment, ...] = (REGRESSION, CLASSIFICATION, FIRST_ONLY, *l1inf_others.EXPERIMENTS)
