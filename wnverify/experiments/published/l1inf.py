"""The experiments of *L1,∞ weight normalization* as data: its Tables 1 and 2."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant
from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_1, TABLE_2, TRIALS
from wnverify.experiments.training.settings import PLAIN

PAPER: Final = "l1inf"
PROJECTED: Final = "l1_inf_projection"
FIRST_LAYER: Final = ("1",)
"""The first linear layer of a perceptron, behind the flattening."""
ZEROS: Final = {"sparsity %": "sparsity.zero", "sparsity %, at most 0.001": "sparsity.small"}
COUNTED: Final = "zeros are counted exactly, and beside them entries of at most 0.001: without a constraint no entry is"
SPARSITY: Final = (
    f"{COUNTED} exactly zero, while 3.2 % and 2.2 % of the initial weights are that small, near the 3.02 % and 2.39 % "
    "that are printed for c = ∞; output layer and all, biases aside"
)


def at(c: str) -> Mapping[str, Any]:
    """The settings of the row of that c: no method at all for c = ∞."""
    return {"method": PLAIN, "layers": None} if c == NO_LIMIT else {"options": {"c": float(c)}}


def row(c: str) -> str:
    """The row's name.

    >>> row("0.30")
    'c = 0.30'
    """
    return f"c = {c}"


def ordered(figure: str, said: str, place: str, *rising: str) -> tuple[Expectation, ...]:
    """The figure rises from one row to the next of these c."""
    return tuple(
        Expectation(
            id=f"{said.replace(' ', '_')}.{less}-{more}".replace(NO_LIMIT, "no_limit"),
            statement=f"The {said} is smaller at {row(less)} than at {row(more)}.",
            place=place,
            figure=figure,
            less=row(less),
            more=row(more),
        )
        for less, more in itertools.pairwise(rising)
    )


def _percent(*columns: str) -> dict[str, str]:
    return dict.fromkeys(columns, "%")


REGRESSION: Final = Experiment(
    id="l1inf.table1",
    paper=PAPER,
    place="Table 1, Fig. 1, sec. 5.1",
    title="Regression: errors and sparsity over c",
    settings={
        "network": "mlp_300",
        "method": PROJECTED,
        "loss": "squared",
        "optimizer": "sgd",
        "momentum": 0.9,
        "rate": 1e-3,
        "batch": 500,
        "epochs": 250,
    },
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
        "small": Scale(data="regression", seeds=5, settings={"epochs": 60}, reading="a quarter of the steps"),
        "paper": Scale(data="regression", seeds=TRIALS),
    },
    columns={"train err": "train.loss", "test err": "test.loss", "gen err": "generalization", **ZEROS},
    units=_percent(*ZEROS),
    expectations=(
        *ordered("generalization", "generalization error", "sec. 5.1", "0.30", "1.00", "2.00", "10.00", NO_LIMIT),
        *ordered("sparsity.zero", "share of zeros", "sec. 5.1", NO_LIMIT, "10.00", "2.00", "1.00", "0.30"),
        Expectation(
            id="test_error.95_percent",
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
CLASSIFICATION_SETTINGS: Final = {
    "network": "mlp_100_50_20",
    "method": PROJECTED,
    "optimizer": "adam",
    "rate": 1e-3,
    "batch": 100,
    "epochs": 80,
}
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
            "small": Scale(data="classification", seeds=5, settings={"epochs": 30}, reading="fewer steps"),
            "paper": Scale(data="classification", seeds=TRIALS),
        },
        columns={**CLASSIFICATION_COLUMNS, **zeros},
        units=_percent(*_CLASSIFIED),
        expectations=(
            *ordered("generalization", "generalization error", "sec. 5.2", "0.01", "0.07", "0.30", "1.00", NO_LIMIT),
            *ordered(zeros["sparsity %"], "share of zeros", "sec. 5.2", NO_LIMIT, "1.00", "0.30", "0.07"),
            Expectation(
                id="accuracy.20_percent",
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

EXPERIMENTS: tuple[Experiment, ...] = (REGRESSION, CLASSIFICATION, FIRST_ONLY)
