"""L1,∞, Secs. 5.1 and 5.2: what of the experiments can be run again at the paper's size within seconds.

Only the networks without regularisation; the rows with finite c need many projected steps and rest on choices that the
paper does not tell.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

from wnverify.experiments.data import synthetic
from wnverify.experiments.published.l1inf_tables import (
    NO_LIMIT,
    TABLE_2,
    TEST_SAMPLES,
    TRAIN_SAMPLES,
    TRIALS,
    Classification,
)
from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, by_ratio, claim, said
from wnverify.papers.l1inf import class_balance, training
from wnverify.papers.l1inf.classification import NORMAL_QUANTILE
from wnverify.papers.l1inf.regression_scale import (
    BELOW_THE_LEAST,
    FITTING,
    PRINTED,
    Scale,
    interval,
    not_below_the_floor,
)
from wnverify.papers.l1inf.tables import half_digit, number

NETWORKS: Final = {"regression": (1000, 300, 1), "classification": (500, 100, 50, 20, 2)}
FACTOR: Final = 1.5
"""What step size and initialisation may change in a test error: 67 to 79 were seen at 69.5."""
FITS_BELOW: Final = 5e-4
"""The mean squared error, in the units that the network is trained in, that Table 1 prints as 0.000."""


class Rerun(NamedTuple):
    """A trained network's errors in the units of y², its steps, and shares of its weights: zero, at most 0.001."""

    train: float
    test: float
    steps: int
    zero: float
    small: float


@lru_cache
def regression(scale: Scale) -> Rerun:
    """1000-300-1 trained on y in units in which β is at most 1.5, until the error is below ``FITS_BELOW`` there."""
    import numpy as np

    low, high = interval(scale)
    unit = high / 1.5
    rng = np.random.default_rng(seed_of("l1inf", "rerun", "regression"))
    data = synthetic.regression_samples(rng, low, high)
    fresh = synthetic.sampled(rng, data.beta, synthetic.REGRESSION_TEST)
    layers = training.initial(rng, NETWORKS["regression"])
    X, y = data.X.astype(np.float32), (data.y / unit).astype(np.float32)
    run = training.train(layers, X, y, training.squared, step=1e-3, below=FITS_BELOW, limit=400)
    there = (fresh.X.astype(np.float32), (fresh.y / unit).astype(np.float32))
    test, _ = training.tested(run, *there, training.squared)
    small, zero = (training.share_below(run.layers, threshold) for threshold in (1e-3, 0.0))
    return Rerun(run.error * unit**2, test * unit**2, run.steps, zero, small)


def _trained(scale: Scale) -> Evidence:
    run = regression(scale)
    return by_ratio(
        "simulation",
        abs(math.log(run.test / float(scale.test))) / math.log(FACTOR),
        f"a network trained to {run.train:.1e} in {run.steps} steps has {run.test:.3g}, printed {scale.test}",
        power=FACTOR**2 - 1,
        model=f"a factor of {FACTOR} for what the text leaves open",
        figures={"test error": float(f"{run.test:.3g}"), "steps": run.steps},
    )


@claim(
    "L1-T1-REPRO",
    place="Sec. 5.1",
    statement="The experiment run again with the generator as printed gives Table 1; here its first row: without "
    "regularisation the network fits the training data and has the test error 69.520.",
    hypotheses=("gradient descent without Adam's scaling by coordinate",),
    reading="1000-300-1 with ReLU, full batches, momentum 0.9, step 0.001 on y in units of 100 (any step size gives at "
    "least the least error of L1-51-SCALE).  The rows with finite c are not run here: what they need of optimiser, "
    "step size, duration and initialisation is nowhere told.",
    formula=PRINTED,
    corrected="With β_i ~ Unif(0.15, 1.50) the same network has a test error of about 70; as printed, about 6·10⁵.",
    corrected_formula=FITTING,
    faults={
        "ten times smaller": PRINTED._replace(high="15.0"),
        "a hundred times larger": PRINTED._replace(high="15000"),
        "a hundredth of the error": BELOW_THE_LEAST,
    },
)
def regression_again(formula: Scale, quick: bool) -> Measured:
    floor, witness = not_below_the_floor(formula, 1)
    parts = [Part("at least what is possible", [floor], witness)]
    if not quick:
        run = regression(formula)
        seen: Json = {"trained": float(f"{run.test:.3g}"), "printed": formula.test, "steps": run.steps}
        fits = said(
            "simulation", run.train < FITS_BELOW * (float(formula.high) / 1.5) ** 2, f"training error {run.train:.1e}"
        )
        parts += [Part("fits the training data", [fits], seen), Part("test error", [_trained(formula)], seen)]
    return Measured(parts=parts, left_out=("the training of a network",) if quick else ())


class Run(NamedTuple):
    """Training error, test error and accuracy of one network, and the standard error of the accuracy."""

    train: float
    test: float
    accuracy: float
    error: float


@lru_cache
def classification(spread: float, alpha: float | None) -> Run:
    """500-100-50-20-2 trained by Adam with step 0.001 until the cross entropy is below 0.005."""
    import numpy as np

    rng = np.random.default_rng(seed_of("l1inf", "rerun", "classification", spread, alpha))
    data = synthetic.labelled_samples(rng, TRAIN_SAMPLES, spread, alpha)
    fresh = synthetic.labelled_samples(rng, TEST_SAMPLES, spread, alpha)
    layers = training.initial(rng, NETWORKS["classification"])
    run = training.train(
        layers, data.X, data.labels, training.cross_entropy, step=1e-3, below=5e-3, limit=400, adam=True
    )
    test, out = training.tested(run, fresh.X, fresh.labels, training.cross_entropy)
    hit = float((out.argmax(axis=1) == fresh.labels).mean())
    return Run(run.error, test, hit, math.sqrt(hit * (1 - hit) / TEST_SAMPLES))


@claim(
    "L1-T2-REPRO",
    place="Sec. 5.2",
    statement="The experiment run again gives Table 2; here its first row: without regularisation the 500-100-50-20-2 "
    "network reaches the training error 0.005 and has the accuracy 71.60.",
    reading="one trial for each reading of the generator (L1-52-GEN), Adam with step 0.001, stopped at the printed "
    "training error; a common α is taken where the classes are even (L1-52-BASE).  An accuracy outside what all "
    "readings give, by 6 standard errors, would be refuted; one between them decides nothing, since optimiser, "
    "duration and reading are open.  Rows with finite c are not run here.",
    formula=TABLE_2[NO_LIMIT],
    faults={
        "worse than any": TABLE_2[NO_LIMIT]._replace(accuracy="31.60"),
        "better than any": TABLE_2[NO_LIMIT]._replace(accuracy="99.60"),
    },
)
def classification_again(formula: Classification, quick: bool) -> Measured:
    runs: dict[str, Run] = {}
    for text, spread in list(synthetic.SPREADS.items())[: 1 if quick else None]:
        runs[f"an α for each sample, {text}"] = classification(spread, None)
        if not quick:
            runs[f"one α, {text}"] = classification(spread, class_balance.balanced(spread))
    figures: dict[str, Json] = {name: f"{run.accuracy:.3f}, test error {run.test:.2f}" for name, run in runs.items()}
    accuracy = float(number(formula.accuracy)) / 100
    low, high = (
        min(run.accuracy - NORMAL_QUANTILE * run.error for run in runs.values()),
        max(run.accuracy + NORMAL_QUANTILE * run.error for run in runs.values()),
    )
    fits = all(run.train <= float(formula.train) + float(half_digit(formula.train)) for run in runs.values())
    between = None if low <= accuracy <= high else False
    note = (
        f"accuracies from {low:.2f} to {high:.2f} over the readings, printed {accuracy:.4f}, a mean of {TRIALS} trials"
    )
    witness: Json = {"printed": formula.accuracy, **figures}
    return Measured(
        parts=[
            Part(
                "fits the training data", [said("simulation", fits, f"to a cross entropy of {formula.train}")], witness
            ),
            Part("accuracy", [said("simulation", between, note, figures=figures)], witness),
        ],
        left_out=("three of the four readings",) if quick else (),
    )
