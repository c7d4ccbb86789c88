"""L1,∞ beside its Tables 1 and 2: Table 3, Figure 3, convolutions, choice of c, sample size, depth, initial step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.experiment import Expectation, Experiment, Picture, Scale, Variant
from wnverify.experiments.published.l1inf_settings import (
    CLASSIFICATION_SETTINGS,
    FIRST_LAYER,
    PAPER,
    PROJECTED,
    REGRESSION_SETTINGS,
    SHORTER,
    ZEROS,
    at,
    ordered,
    percent,
    row,
)
from wnverify.experiments.published.l1inf_tables import NO_LIMIT, OURS, TABLE_3, TRIALS
from wnverify.experiments.published.on_digits import with_short_forms
from wnverify.experiments.training.schedules import Schedule
from wnverify.experiments.training.settings import PLAIN

FOLDS: Final = 10
UNTOLD: Final = "optimiser, step size and duration are not told; as for Tables 1 and 2"
ONLY_FIRST: Final = "the first layer alone is projected, see l1inf.table2_first_layer"
ACCURACY: Final = {"accuracy %": "test.overall"}


def _regularizers(column: int, ours: Mapping[str, Any], dropped: tuple[str, ...]) -> tuple[Variant, ...]:
    """The rows of Table 3 with one of its columns; ``dropped``: layers behind which entries are dropped."""
    rows = []
    for name, cells in TABLE_3.items():
        settings: Mapping[str, Any] = {"method": PLAIN}
        strength = float(name.rpartition("= ")[2]) if "=" in name else 0.0
        if name.startswith("L1,"):
            settings = {"method": "l1_penalty", "options": {"factor": strength}}
        elif name.startswith("L2,"):
            settings = {"method": "weight_decay", "options": {"factor": strength, "convention": "half"}}
        elif name.startswith("Dropout"):
            settings = {"method": "dropout", "options": {"p": strength}, "layers": dropped}
        elif name == OURS:
            settings = {"method": PROJECTED, **ours}
        rows.append(Variant(name=name, settings=settings, printed={"accuracy %": cells[column]}))
    return tuple(rows)


def _better(what: str) -> tuple[Expectation, ...]:
    """The approach beside no regularisation and beside each of the others at its printed best."""
    return tuple(
        Expectation(
            id=f"beside.{number}",
            statement=f"{what}: the test error of L1,∞ weight normalization is smaller than with: {other}.",
            place="Table 3",
            figure="test.overall",
            less=other,
            more=OURS,
        )
        for number, other in enumerate(("No", "L1, λ = 0.001", "L2, λ = 0.01", "Dropout, r_d = 0.5"))
    )


TABLE_3_CLASSIFICATION: Final = Experiment(
    id="l1inf.table3.classification",
    paper=PAPER,
    place="Table 3, sec. 5.5",
    title="Regularizers on the classification problem",
    settings={**CLASSIFICATION_SETTINGS, "method": PLAIN},
    variants=_regularizers(0, {"options": {"c": 0.07}, "layers": FIRST_LAYER}, ("1", "3", "5")),
    scales={
        "smoke": Scale(data="classification", seeds=2, settings={"epochs": 2}),
        "small": Scale(data="classification", seeds=8, **SHORTER["classification"]),
        "paper": Scale(data="classification", seeds=TRIALS),
    },
    columns=ACCURACY,
    units=percent(*ACCURACY),
    expectations=_better("Classification"),
    decided=(UNTOLD, ONLY_FIRST, "c = 0.07, the best of Table 2", "dropout behind every hidden layer"),
    printed_runs=TRIALS,
)
MNIST_CLAIMS: Final = _better("MNIST")
TABLE_3_MNIST: Final = Experiment(
    id="l1inf.table3.mnist",
    paper=PAPER,
    place="Table 3, sec. 5.5",
    title="Regularizers on MNIST",
    settings={"network": "mlp_900", "optimizer": "adam", "rate": 1e-3, "batch": 100, "epochs": 20},
    variants=_regularizers(1, {"options": {"c": 10.0}}, ("1",)),
    scales=with_short_forms(
        Scale(data="mnist", seeds=5),
        MNIST_CLAIMS,
        small={"network": "mlp_900", "augmentation": "none", "rate": 1e-3, "schedule": Schedule()},
        rows={OURS: {"options": {"c": 10.0 * 8 / 28}}},
        reading="c is smaller in the ratio of the images' sides, as are the sums of the initial rows",
    ),
    columns=ACCURACY,
    units=percent(*ACCURACY),
    expectations=MNIST_CLAIMS,
    decided=("Adam with rate 0.001, batches of 100 and 20 epochs: none is told", "c = 10: it is not told"),
)
CIFAR_CLAIMS: Final = _better("CIFAR-10")
TABLE_3_CIFAR: Final = Experiment(
    id="l1inf.table3.cifar10",
    paper=PAPER,
    place="Table 3, sec. 5.5",
    title="Regularizers on CIFAR-10",
    settings={
        "network": "vgg_16",
        "rate": 0.05,
        "schedule": Schedule("cosine"),
        "epochs": 200,
        "augmentation": "standard",
    },
    variants=_regularizers(2, {"options": {"c": 30.0}}, ("*.0",)),
    scales=with_short_forms(
        Scale(data="cifar10", seeds=1),
        CIFAR_CLAIMS,
        rows={OURS: {"options": {"c": 1.0}}},
        reading="c = 1, for at 30 no row of the small network's kernels comes near it",
    ),
    columns=ACCURACY,
    units=percent(*ACCURACY),
    expectations=CIFAR_CLAIMS,
    decided=(
        "VGG-16, the network of sec. 5.3 with small kernels: 'simple architectures' is all that is told",
        "SGD with momentum 0.9, rate 0.05 falling as a cosine, 200 epochs of batches of 128, crops and mirroring",
        "c = 30, all convolutions projected: neither is told",
        "dropout behind every convolution",
    ),
)

KERNELS: Final = ("15", "25", "35", "45")
CONVOLUTION_CLAIMS: Final = (
    *ordered("generalization", "generalization error", "sec. 5.3, Fig. 4", "15", "45"),
    *ordered("layers.1.0.zero", "share of zeros", "sec. 5.3, Fig. 4", "45", "15"),
)
CONVOLUTIONS: Final = Experiment(
    id="l1inf.figure4",
    paper=PAPER,
    place="Fig. 4, sec. 5.3",
    title="Convolutions with 21 × 21 kernels projected, small kernels free",
    settings={
        "network": "vgg_16_large",
        "method": PROJECTED,
        "layers": ("0.0", "1.0"),
        "rate": 0.05,
        "schedule": Schedule("cosine"),
        "epochs": 100,
    },
    variants=tuple(Variant(name=row(c), settings=at(c)) for c in (*KERNELS, NO_LIMIT)),
    scales=with_short_forms(
        Scale(data="cifar10", seeds=5),
        CONVOLUTION_CLAIMS,
        rows={row(c): {"options": {"c": float(c) / 30}} for c in KERNELS},
    ),
    columns={"gen err": "generalization", "zeros of the second layer %": "layers.1.0.zero"},
    units=percent("zeros of the second layer %"),
    expectations=CONVOLUTION_CLAIMS,
    decided=(
        "training and test set in place of the 20 folds",
        "SGD with momentum 0.9, rate 0.05 falling as a cosine, 100 epochs of batches of 128: none is told",
        "on the digits the first two layers are projected, and c is a thirtieth: their kernels are 3 × 3",
    ),
)

PICTURED: Final = (NO_LIMIT, "1.00", "0.30", "0.07")
ZEROS_OF_COLUMNS: Final = {"zeros, first four inputs %": "columns.first", "zeros, all other inputs %": "columns.others"}
MATRICES: Final = Experiment(
    id="l1inf.figure3",
    paper=PAPER,
    place="Fig. 3, sec. 5.2",
    title="The first layer's weight matrix with and without L1,∞ weight normalization",
    settings={**CLASSIFICATION_SETTINGS, "layers": FIRST_LAYER},
    variants=tuple(Variant(name=row(c), settings=at(c)) for c in PICTURED),
    scales={
        "smoke": Scale(data="classification", seeds=2, settings={"epochs": 2}),
        "small": Scale(data="classification", seeds=7, settings={"epochs": 30}, reading="fewer steps"),
        "paper": Scale(data="classification", seeds=TRIALS),
    },
    columns={**ZEROS_OF_COLUMNS, "test acc %": "test.overall"},
    units=percent(*ZEROS_OF_COLUMNS, "test acc %"),
    expectations=(
        Expectation(
            id="first_four_dense",
            statement="At c = 0.07 the first four columns of the weight matrix have fewer zeros than the others.",
            place="sec. 5.2",
            figure="columns.first",
            of_more="columns.others",
            less=row("0.07"),
            more=row("0.07"),
        ),
        Expectation(
            id="sparser_than_free",
            statement="Beside the first four columns the matrix at c = 0.07 is sparser than without a constraint.",
            place="sec. 5.2",
            figure="columns.others",
            less=row(NO_LIMIT),
            more=row("0.07"),
        ),
    ),
    decided=(
        UNTOLD,
        ONLY_FIRST,
        "Fig. 3 is in pixels: its numbers and its c are not printed; c = 0.07 as in the text, and two larger ones",
        "the first four columns are those of the inputs that matter, a row of the matrix is a unit: the weights "
        "without the bias, transposed to the text's Ṽ",
        "dense and sparse are read as: fewer and more exact zeros; the picture is of the first run, 50 of "
        "its 100 units",
    ),
    picture=Picture(layer=FIRST_LAYER[0], rows=tuple(map(row, PICTURED))),
    finals=("columns",),
)


def _folds(name: str, settings: Mapping[str, Any], data: str, limits: tuple[str, ...], figure: str) -> Experiment:
    """The choice of c by cross-validation: a row for each c, each run a fold."""
    best = {"regression": "0.50", "classification": "0.07"}[name]
    return Experiment(
        id=f"l1inf.choice.{name}",
        paper=PAPER,
        place="Fig. 5, sec. 5.4",
        title=f"Choice of c by {FOLDS}-fold cross-validation, {name}",
        settings=settings,
        variants=tuple(Variant(name=row(c), settings=at(c)) for c in limits),
        scales={
            "smoke": Scale(data=data, seeds=2, settings={"epochs": 2}),
            "small": Scale(data=data, seeds=FOLDS, **SHORTER[name]),
            "paper": Scale(data=data, seeds=FOLDS),
        },
        columns={"score": figure},
        expectations=(
            Expectation(
                id="score",
                statement=f"The average validation error at c = {best} is below that without a constraint.",
                place="sec. 5.4",
                figure=figure,
                less=row(best),
                more=row(NO_LIMIT),
            ),
        ),
        decided=(
            UNTOLD,
            f"k is not told: {FOLDS}",
            "each run is one fold of a training set of its own: folds of one set are trained on the same samples, and "
            "their scores are not independent",
        ),
    )


CHOICES: Final = (
    _folds(
        "regression",
        REGRESSION_SETTINGS,
        "regression_folds",
        (NO_LIMIT, "2.00", "1.00", "0.70", "0.50", "0.30"),
        "test.loss",
    ),
    _folds(
        "classification",
        {**CLASSIFICATION_SETTINGS, "layers": FIRST_LAYER},
        "classification_folds",
        (NO_LIMIT, "1.00", "0.30", "0.13", "0.07", "0.01"),
        "test.error",
    ),
)


def _supplement(
    name: str, title: str, settings: Mapping[str, Any], data: str, rows: tuple[Variant, ...], *claims: Expectation
) -> Experiment:
    """An experiment that the text announces for the supplement, without its figures."""
    return Experiment(
        id=f"l1inf.{name}",
        paper=PAPER,
        place="supplement, announced in sec. 6",
        title=title,
        settings=settings,
        variants=rows,
        scales={
            "smoke": Scale(data=data, seeds=2, settings={"epochs": 2}),
            "small": Scale(data=data, seeds=8, **SHORTER[data]),
            "paper": Scale(data=data, seeds=TRIALS),
        },
        columns={"train err": "train.loss", "test err": "test.loss", "gen err": "generalization", **ZEROS},
        units=percent(*ZEROS),
        expectations=claims,
        decided=(UNTOLD, "the values gone through are ours: the supplement's are not in the text"),
    )


_AT_BEST: Final = {**CLASSIFICATION_SETTINGS, "layers": FIRST_LAYER, "options": {"c": 0.07}}
SUPPLEMENT: Final = (
    _supplement(
        "sample_size",
        "Sample size and generalization at c = 0.07",
        _AT_BEST,
        "classification",
        tuple(Variant(name=f"n = {n}", samples=n) for n in (100, 200, 300, 400, 500)),
        Expectation(
            id="more_samples",
            statement="The generalization error is smaller with 500 samples than with 100.",
            place="Theorem 3",
            figure="generalization",
            less="n = 500",
            more="n = 100",
        ),
    ),
    _supplement(
        "depth",
        "Depth and generalization at c = 0.07",
        _AT_BEST,
        "classification",
        tuple(
            Variant(name=f"k = {k}", settings={"network": network})
            for k, network in enumerate(("mlp_100", "mlp_100_50", "mlp_100_50_20"), start=1)
        ),
        Expectation(
            id="shallower",
            statement="The generalization error is smaller with one hidden layer than with three.",
            place="Theorem 3",
            figure="generalization",
            less="k = 1",
            more="k = 3",
        ),
    ),
    _supplement(
        "initial_step",
        "Initial step size at c = 0.50",
        {**REGRESSION_SETTINGS, "options": {"c": 0.5}},
        "regression",
        tuple(Variant(name=f"η = {rate:g}", settings={"rate": rate}) for rate in (1e-4, 3e-4, 1e-3, 2e-3)),
    ),
)
EXPERIMENTS: Final = (
    TABLE_3_CLASSIFICATION,
    TABLE_3_MNIST,
    TABLE_3_CIFAR,
    MATRICES,
    CONVOLUTIONS,
    *CHOICES,
    *SUPPLEMENT,
)
