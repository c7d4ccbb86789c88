"""The claims on training of an experiment, each a verdict over paired runs (see ``statistics``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wnverify.experiments import statistics
from wnverify.experiments.experiment import Expectation, Experiment
from wnverify.experiments.trials import plain_name
from wnverify.finding import Evidence, Finding, Json, Verdict, number

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Row → seed → the figures of its trial."""


def expected(experiment: Experiment, scale: str, runs: Runs) -> list[Finding]:
    """Every expectation of the experiment; Holm's correction is over those that could be compared."""
    asked = [e for e in experiment.expectations if e.less in runs and e.more in runs]
    compared: dict[str, statistics.Paired] = {}
    why: dict[str, str] = {}
    for expectation in asked:
        try:
            less, more = _by_seed(expectation, runs)
            compared[expectation.id] = statistics.paired(*_cells(expectation, less, more))
        except ValueError as error:
            why[expectation.id] = str(error)
    decided = dict(zip(compared, statistics.verdicts(list(compared.values())), strict=True))
    needed = statistics.least_pairs(len(compared)) if compared else 0
    made = []
    for expectation in asked:
        seen = compared.get(expectation.id)
        verdict = decided.get(expectation.id, Verdict.UNDECIDED)
        message = why.get(expectation.id, "")
        figures: dict[str, Json] = {"factor": expectation.factor, "scale": scale}
        if seen is not None:
            message = f"difference {seen.mean:.4g}, 95 % interval {seen.low:.4g} to {seen.high:.4g}"
            if seen.pairs < needed:
                message += f"; {seen.pairs} pairs cannot decide {len(compared)} claims, {needed} can"
            figures |= {"mean": seen.mean, "low": seen.low, "high": seen.high, "pairs": seen.pairs}
            figures |= {"p_less": seen.p_less, "p_greater": seen.p_greater, "claims": len(compared)}
        made.append(
            Finding(
                kind="experiment",
                id=f"experiment/{experiment.id}/{scale}.expected/{plain_name(expectation.id)}",
                subject=experiment.id,
                check=f"{scale}.expected",
                verdict=verdict,
                statement=expectation.statement,
                message=message,
                conditions=(
                    f"scale {scale}: data {experiment.scales[scale].data}",
                    f"paired by seed: {expectation.figure} of {expectation.less} minus {expectation.factor:g} times "
                    f"{expectation.of_more or 'that'} of {expectation.more}",
                ),
                routes=(Evidence(route="simulation", verdict=verdict, figures=figures),),
                place=expectation.place,
                strength="tested" if verdict is Verdict.HOLDS else None,
            )
        )
    return made


Told = list[Mapping[str, Any]]


def _by_seed(expectation: Expectation, runs: Runs) -> tuple[Told, Told]:
    """The runs of both rows by seed; ``ValueError`` for those without a partner, and where one diverged."""
    less, more = runs[expectation.less], runs[expectation.more]
    gone = [str(seed) for side in (less, more) for seed, told in side.items() if "diverged" in told]
    if gone:
        raise ValueError(f"runs diverged (seeds {', '.join(sorted(set(gone)))}): a figure of the rest would be chosen")
    if set(less) != set(more):
        raise ValueError("the two rows were not run with the same seeds")
    return [less[seed] for seed in sorted(less)], [more[seed] for seed in sorted(more)]


def _cells(expectation: Expectation, less: Told, more: Told) -> tuple[list[float], list[float]]:
    figure = expectation.figure
    a = [number(told["cells"][figure]) for told in less]
    b = [expectation.factor * number(told["cells"][expectation.of_more or figure]) for told in more]
    return a, b
