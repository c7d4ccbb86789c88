"""The claims on training of an experiment, each a verdict over paired runs (see ``statistics``).

Where a claim counts epochs, the level of a seed is the larger of the two values at which its runs end: both reach it,
and of two rows that are alike neither is the sooner one more often.  The count that papers print, to where the run of
the row ``more`` ends, is shown beside it and decides nothing: ``more`` always gets there, ``less`` need not.

A verdict is of the claim as it was read here: where anything had to be decided the statement says so, ``holds`` becomes
``holds-under``, and ``refuted``, with the pairs of figures as its witness, is of that reading alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wnverify.experiments import statistics
from wnverify.experiments.experiment import EPOCHS_TO, Expectation, Experiment
from wnverify.experiments.readings import reading
from wnverify.experiments.training.metrics import epochs_to
from wnverify.experiments.trials import plain_name, row_of
from wnverify.finding import Evidence, Finding, Json, Verdict, number

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Row → seed → the figures of its trial."""


def expected(experiment: Experiment, scale: str, runs: Runs, trials: Sequence[Finding] = ()) -> list[Finding]:
    """Every expectation of the experiment; Holm's correction is over those that could be compared.

    ``trials``: the findings of the runs, which have what was decided of the data.
    """
    asked = [e for e in experiment.expectations if e.less in runs and e.more in runs]
    compared: dict[str, statistics.Paired] = {}
    pairs: dict[str, Json] = {}
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
            pairs[expectation.id] = {"seeds": sorted(runs[expectation.less]), "less": [*a], "more": [*b]}
        except ValueError as error:
            why[expectation.id] = str(error)
    decided = dict(zip(compared, statistics.verdicts(list(compared.values())), strict=True))
    needed = statistics.least_pairs(len(compared)) if compared else 0
    made = []
    for expectation in asked:
        seen = compared.get(expectation.id)
        verdict = decided.get(expectation.id, Verdict.UNDECIDED)
        read = reading(
            experiment, scale, [row_of(experiment, row) for row in (expectation.less, expectation.more)], trials
        )
        if verdict is Verdict.HOLDS and read.decided:
            verdict = Verdict.HOLDS_UNDER
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
                statement=_as_read(expectation.statement) if read.decided else expectation.statement,
                message=message,
                conditions=(*read.conditions, _paired_by_seed(expectation)),
                routes=(Evidence(route="simulation", verdict=verdict, figures=figures),),
                witness=pairs[expectation.id] if verdict is Verdict.REFUTED else None,
                place=expectation.place,
                strength="tested" if verdict in (Verdict.HOLDS, Verdict.HOLDS_UNDER) else None,
            )
        )
    return made


def _as_read(statement: str) -> str:
    return f"{statement.removesuffix('.')}, in this reading."


def _paired_by_seed(expectation: Expectation) -> str:
    if expectation.figure.startswith(EPOCHS_TO):
        path = expectation.figure.removeprefix(EPOCHS_TO)
        return (
            f"paired by seed: epochs of {expectation.less} minus those of {expectation.more}, each to the larger of "
            f"the two runs' last {path}"
        )
    return (
        f"paired by seed: {expectation.figure} of {expectation.less} minus {expectation.factor:g} times "
        f"{expectation.of_more or 'that'} of {expectation.more}"
    )


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
    """Epochs of both rows to the larger of both ends, seed by seed, and what a table shows: those to the end of
    ``more``, where a run of ``less`` that never gets there counts one epoch more than it has."""
    path = expectation.figure.removeprefix(EPOCHS_TO)
    both = list(zip(less, more, strict=True))
    ends = [tuple(number(told["curve"][path][-1]) for told in pair) for pair in both]
    if not all(math.isfinite(end) for pair in ends for end in pair):
        raise ValueError(f"a run ends with {path} that is no number: there is no level to count to")
    a, b = ([_first(pair[at], path, max(end)) for pair, end in zip(both, ends, strict=True)] for at in (0, 1))
    found, rival = ([_first(pair[at], path, end[1]) for pair, end in zip(both, ends, strict=True)] for at in (0, 1))
    reached = sum(each is not None for each in found)
    late = [told["curve"]["epoch"][-1] + 1 if first is None else first for told, first in zip(less, found, strict=True)]
    ours: dict[str, Json] | None = _shown(late)
    if reached < len(found):
        # A mean of the rest would be chosen; the median does not ask how late the others are.
        ours = {"median": statistics.interval(late).median} if 2 * reached > len(found) else None
    told_of: dict[str, Json] = {
        "row": expectation.less,
        "rival": expectation.more,
        "figure": path,
        "values": [*found],
        "reached": reached,
        "printed": expectation.printed or None,
        "of_row": ours,
        "of_rival": _shown([float(each) for each in rival if each is not None]),
    }
    # Each run is at most at the larger end when it ends, if not before.
    return [float(each) for each in a if each is not None], [float(each) for each in b if each is not None], told_of


def _first(told: Mapping[str, Any], path: str, level: float) -> int | None:
    """The first recorded epoch of a run at which a curve is at most at the level."""
    return epochs_to(level, told["curve"]["epoch"], [number(value) for value in told["curve"][path]])


def _shown(counts: Sequence[float]) -> dict[str, Json]:
    seen = statistics.interval(counts)
    return {"mean": seen.mean, "low": seen.low, "high": seen.high, "median": seen.median}
