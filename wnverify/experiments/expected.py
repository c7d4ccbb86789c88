"""The claims on training of an experiment, each a verdict over paired runs (see ``statistics``).

Where a claim counts epochs, the level of a seed is where the run of the row ``more`` ends, and both rows are asked for
the first recorded epoch at which they are at most there.  A run that never is counts one epoch more than it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wnverify.experiments import statistics
from wnverify.experiments.experiment import EPOCHS_TO, Expectation, Experiment
from wnverify.experiments.training.metrics import epochs_to
from wnverify.experiments.trials import plain_name
from wnverify.finding import Evidence, Finding, Json, Verdict, number

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Row → seed → the figures of its trial."""


def expected(experiment: Experiment, scale: str, runs: Runs) -> list[Finding]:
    """Every expectation of the experiment; Holm's correction is over those that could be compared."""
    asked = [e for e in experiment.expectations if e.less in runs and e.more in runs]
    compared: dict[str, statistics.Paired] = {}
    counted: dict[str, dict[str, Json]] = {}
    why: dict[str, str] = {}
    for expectation in asked:
        try:
            less, more = _by_seed(expectation, runs)
            if expectation.figure.startswith(EPOCHS_TO):
                a, b, counted[expectation.id] = _epochs(expectation, less, more)
            else:
                a, b = _cells(expectation, less, more)
            compared[expectation.id] = statistics.paired(a, b)
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
        if expectation.id in counted:
            figures["epochs"] = counted[expectation.id]
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


def _epochs(expectation: Expectation, less: Told, more: Told) -> tuple[list[float], list[float], dict[str, Json]]:
    """Epochs of both rows to the end of ``more``, seed by seed, and what a table shows of them."""
    path = expectation.figure.removeprefix(EPOCHS_TO)
    found: list[int | None] = []
    counts: tuple[list[float], list[float]] = ([], [])
    for a, b in zip(less, more, strict=True):
        level = number(b["curve"][path][-1])
        for at, told in enumerate((a, b)):
            epochs = told["curve"]["epoch"]
            first = epochs_to(level, epochs, [number(value) for value in told["curve"][path]])
            counts[at].append(float(epochs[-1] + 1 if first is None else first))
            if at == 0:
                found.append(first)
    reached = sum(each is not None for each in found)
    ours: dict[str, Json] | None = _shown(counts[0])
    if reached < len(found):
        # A mean of the rest would be chosen; the median does not ask how late the others are.
        ours = {"median": statistics.interval(counts[0]).median} if 2 * reached > len(found) else None
    told_of: dict[str, Json] = {
        "row": expectation.less,
        "rival": expectation.more,
        "figure": path,
        "values": [*found],
        "reached": reached,
        "printed": expectation.printed or None,
        "of_row": ours,
        "of_rival": _shown(counts[1]),
    }
    return *counts, told_of


def _shown(counts: Sequence[float]) -> dict[str, Json]:
    seen = statistics.interval(counts)
    return {"mean": seen.mean, "low": seen.low, "high": seen.high, "median": seen.median}
