"""The runs of an experiment as its table: our cell beside the printed one; claims on training see ``expected``.

A cell is the mean over n runs with Student's 95 % interval; a printed number that is a mean is compared with it.  Of r
runs itself, as noisy as ours, it lies where a mean of r further runs would be expected when

    |mean − printed| ≤ a,    a = t_{n−1} s √(1/n + 1/r) + half of its last digit,

with the level shared by all cells compared (Bonferroni).  Not to be told apart is not to be the same, and the fewer the
runs the easier: a cell is found again only where |mean − printed| + a ≤ δ, so that the two means lie within the margin
δ of each other (equivalence by two one-sided tests), δ a quarter of the range of the numbers printed in the column.

A row holds where every printed number that is a mean is found again, and is refuted where one lies beyond a, both at
the paper's scale alone.  Where something was decided here it ``holds-under`` that, and a number beyond a decides
nothing: the reading may be what is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scipy import stats

from wnverify.experiments import statistics
from wnverify.experiments.expected import Runs, expected
from wnverify.experiments.experiment import Experiment, Variant
from wnverify.experiments.readings import Reading, reading
from wnverify.experiments.trials import plain_name
from wnverify.finding import Evidence, Finding, Json, Verdict, number

PAPER_SCALE: Final = "paper"
MARGIN: Final = 0.25
"""δ as a share of the range of a printed column."""
LARGER_IS_BETTER: Final = ("overall", "mean_class", "top5")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.(\d+))?")


def table(experiment: Experiment, scale: str, trials: Sequence[Finding]) -> list[Finding]:
    """The findings of a table: one for each row that was run, one for each expectation between such rows."""
    runs = runs_of(experiment, scale, trials)
    compared = sum(
        experiment.over_runs.get(column, "mean") == "mean" and _NUMBER.search(printed) is not None
        for variant in experiment.variants
        if sum("diverged" not in told for told in runs.get(variant.name, {}).values()) > 1
        for column, printed in variant.printed.items()
    )
    rows = [
        _row(
            experiment,
            scale,
            position,
            runs[variant.name],
            max(compared, 1),
            reading(experiment, scale, [variant], trials),
        )
        for position, variant in enumerate(experiment.variants)
        if variant.name in runs
    ]
    return [*rows, *expected(experiment, scale, runs, trials)]


def runs_of(experiment: Experiment, scale: str, trials: Sequence[Finding]) -> Runs:
    """The figures of the trials of this experiment at this scale."""
    runs: dict[str, dict[int, Mapping[str, Any]]] = {}
    for finding in trials:
        if finding.subject != experiment.id or finding.check != f"{scale}.trial" or not finding.routes:
            continue
        told: Any = finding.routes[0].figures
        runs.setdefault(told["row"], {})[told["seed"]] = told
    return runs


def _row(
    experiment: Experiment,
    scale: str,
    position: int,
    runs: Mapping[int, Mapping[str, Any]],
    compared: int,
    read: Reading,
) -> Finding:
    variant = experiment.variants[position]
    diverged = {str(seed): told["diverged"] for seed, told in runs.items() if "diverged" in told}
    whole = {seed: told for seed, told in sorted(runs.items()) if "diverged" not in told}
    cells: dict[str, Any] = {}
    if whole:
        for column, path in experiment.columns.items():
            cells[column] = _cell(
                experiment, variant, column, [number(t["cells"][path]) for t in whole.values()], compared
            )
    settings = experiment.of(variant, experiment.scales[scale], 0).to_json()
    del settings["seed"]
    figures: dict[str, Json] = {
        "table": {"row": variant.name, "position": position, "scale": scale}
        | {"columns": list(experiment.columns), "cells": cells},
        "runs": len(runs),
        "diverged": diverged or None,
        "curves": _bands(whole, "curve", "epoch"),
        **({"profiles": _bands(whole, "profile", "depth")} if experiment.over_depth else {}),
        "settings": {name: value for name, value in settings.items() if value not in (None, "", 0.0, {}, False)},
    }
    if pictured := [{"seed": seed, **told["picture"]} for seed, told in whole.items() if "picture" in told]:
        figures["picture"] = pictured[0]
    verdict, message, why = _judged(scale, cells, len(diverged), told_all=not read.decided)
    route = Evidence(route="simulation", verdict=verdict, figures=figures, note=experiment.scales[scale].reading)
    return Finding(
        kind="experiment",
        id=f"experiment/{experiment.id}/{scale}.row/{plain_name(variant.name)}",
        subject=experiment.id,
        check=f"{scale}.row",
        verdict=verdict,
        statement=f"{experiment.title}, {variant.name}: what is printed is found again.",
        message=message,
        conditions=(*read.conditions, *why),
        routes=(route,),
        place=experiment.place,
        strength="tested" if verdict in (Verdict.HOLDS, Verdict.HOLDS_UNDER) else None,
    )


def _cell(
    experiment: Experiment, variant: Variant, column: str, values: Sequence[float], compared: int
) -> dict[str, Json]:
    unit = 100.0 if experiment.units.get(column) == "%" else 1.0
    scaled = [unit * value for value in values]
    larger = experiment.columns[column].rsplit(".", 1)[-1] in LARGER_IS_BETTER
    seen = statistics.interval(scaled, best="largest" if larger else "least")
    over = experiment.over_runs.get(column, "mean")
    cell: dict[str, Json] = {
        "values": [*scaled],
        "mean": seen.mean,
        "low": seen.low,
        "high": seen.high,
        "deviation": seen.deviation,
        "shown": getattr(seen, over),
        "over_runs": over,
    }
    printed = variant.printed.get(column)
    if printed is None or (found := _NUMBER.search(printed)) is None:
        return {**cell, "printed": printed}
    value, half = float(found[0]), 0.5 * 10.0 ** -len(found[1] or "")
    cell["printed"] = printed
    cell["mean_printed"] = over == "mean"
    if over == "mean" and seen.runs > 1:
        cell["in_interval"] = seen.low - half <= value <= seen.high + half
        t = float(stats.t.ppf(1 - statistics.LEVEL / (2 * compared), seen.runs - 1))
        allowed = t * seen.deviation * math.sqrt(1 / seen.runs + 1 / experiment.printed_runs) + half
        margin, away = _margin(experiment, column), abs(seen.mean - value)
        cell |= {"expected_within": allowed, "expected": away <= allowed}
        cell |= {"margin": margin, "found_again": away + allowed <= margin}
    return cell


def _margin(experiment: Experiment, column: str) -> float:
    """δ of a column; 0, which nothing is within, where it has one printed number alone."""
    printed = [_NUMBER.search(variant.printed[column]) for variant in experiment.variants if column in variant.printed]
    values = [float(found[0]) for found in printed if found]
    return MARGIN * (max(values) - min(values))


def _judged(
    scale: str, cells: Mapping[str, Mapping[str, Any]], diverged: int, *, told_all: bool
) -> tuple[Verdict, str, tuple[str, ...]]:
    """The verdict on a row, what was seen, and the conditions that come of it (see the module)."""
    printed = {column: cell for column, cell in cells.items() if cell.get("printed")}
    means = {column: cell for column, cell in printed.items() if cell.get("mean_printed")}
    beyond = [column for column, cell in means.items() if cell.get("expected") is False]
    said = "; ".join(f"{column} {_short(cell['shown'])}, printed {cell['printed']}" for column, cell in printed.items())
    if diverged:
        return Verdict.UNDECIDED, f"{diverged} runs diverged" + (f"; of the others {said}" if said else ""), ()
    if scale != PAPER_SCALE or not means:
        return Verdict.UNDECIDED, said, ()
    if beyond:
        far = f"further off than chance allows: {', '.join(beyond)}.  {said}"
        return (Verdict.REFUTED, far, ()) if told_all else (Verdict.UNDECIDED, far, (_OURS,))
    if not all(cell.get("found_again") for cell in means.values()):
        return Verdict.UNDECIDED, said, ()
    margins = ", ".join(f"{_short(cell['margin'])} for {column}" for column, cell in means.items())
    within: tuple[str, ...] = (f"found again is within a quarter of the printed column's range: {margins}",)
    if left := [column for column in printed if column not in means]:
        within += (f"{', '.join(left)}: no mean, beside ours but not compared",)
    return (Verdict.HOLDS if told_all else Verdict.HOLDS_UNDER), said, within


_OURS: Final = "a number that is further off than chance allows refutes nothing where the reading is ours, as here"


def _bands(runs: Mapping[int, Mapping[str, Any]], kind: str, axis: str) -> Json:
    """Mean, least and largest over the runs at each point of the axis, where it is the same in all runs."""
    curves = [told[kind] for told in runs.values()]
    if not curves or any(curve[axis] != curves[0][axis] for curve in curves):
        return None
    bands: dict[str, Json] = {axis: curves[0][axis]}
    for path in [name for name in curves[0] if name != axis]:
        points = [[number(x) for x in at] for at in zip(*(curve[path] for curve in curves), strict=True)]
        bands[path] = {
            "mean": [math.fsum(at) / len(at) for at in points],
            "least": [min(at) for at in points],
            "largest": [max(at) for at in points],
        }
    return bands


def _short(value: float) -> str:
    return f"{value:.4g}"
