"""The runs of an experiment as its table: our cell beside the printed one; claims on training see ``expected``.

A cell is the mean over runs with Student's 95 % interval.  The printed number, of r runs itself, lies where a mean of r
further runs would be expected when |mean − printed| ≤ t_{n−1} s √(1/n + 1/r) + half of its last digit, with the level
shared by all cells of the table (Bonferroni).  That says something of the paper only at its own scale, and a cell
beyond it refutes the paper only where nothing of the experiment had to be decided here.
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
from wnverify.experiments.trials import plain_name
from wnverify.finding import Evidence, Finding, Json, Verdict, number

PAPER_SCALE: Final = "paper"
LARGER_IS_BETTER: Final = ("overall", "mean_class", "top5")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.(\d+))?")


def table(experiment: Experiment, scale: str, trials: Sequence[Finding]) -> list[Finding]:
    """The findings of a table: one for each row that was run, one for each expectation between such rows."""
    runs = runs_of(experiment, scale, trials)
    compared = sum(len(variant.printed) for variant in experiment.variants)
    rows = [
        _row(experiment, scale, position, variant, runs[variant.name], max(compared, 1))
        for position, variant in enumerate(experiment.variants)
        if variant.name in runs
    ]
    return [*rows, *expected(experiment, scale, runs)]


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
    variant: Variant,
    runs: Mapping[int, Mapping[str, Any]],
    compared: int,
) -> Finding:
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
    verdict, message = _judged(scale, cells, len(diverged), told_all=not experiment.decided)
    route = Evidence(route="simulation", verdict=verdict, figures=figures, note=experiment.scales[scale].reading)
    return Finding(
        kind="experiment",
        id=f"experiment/{experiment.id}/{scale}.row/{plain_name(variant.name)}",
        subject=experiment.id,
        check=f"{scale}.row",
        verdict=verdict,
        statement=f"{experiment.title}, {variant.name}: what is printed is found again.",
        message=message,
        conditions=_conditions(experiment, scale, variant),
        routes=(route,),
        place=experiment.place,
        strength="tested" if verdict is Verdict.HOLDS else None,
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
    if over == "mean" and seen.runs > 1:
        cell["in_interval"] = seen.low - half <= value <= seen.high + half
        t = float(stats.t.ppf(1 - statistics.LEVEL / (2 * compared), seen.runs - 1))
        allowed = t * seen.deviation * math.sqrt(1 / seen.runs + 1 / experiment.printed_runs) + half
        cell |= {"expected_within": allowed, "expected": abs(seen.mean - value) <= allowed}
    return cell


def _judged(
    scale: str, cells: Mapping[str, Mapping[str, Any]], diverged: int, *, told_all: bool
) -> tuple[Verdict, str]:
    """A row is found again when every printed cell lies in our interval, and not when one lies beyond chance."""
    printed = {column: cell for column, cell in cells.items() if cell.get("printed")}
    beyond = [column for column, cell in printed.items() if cell.get("expected") is False]
    said = "; ".join(f"{column} {_short(cell['shown'])}, printed {cell['printed']}" for column, cell in printed.items())
    if diverged:
        return Verdict.UNDECIDED, f"{diverged} runs diverged" + (f"; of the others {said}" if said else "")
    if scale != PAPER_SCALE or not printed:
        return Verdict.UNDECIDED, said
    if beyond:
        verdict = Verdict.REFUTED if told_all else Verdict.UNDECIDED
        return verdict, f"further off than chance allows: {', '.join(beyond)}.  {said}"
    inside = all(cell.get("in_interval") and "expected" in cell for cell in printed.values())
    return (Verdict.HOLDS if inside else Verdict.UNDECIDED), said


def _conditions(experiment: Experiment, scale: str, variant: Variant) -> tuple[str, ...]:
    used = experiment.scales[scale]
    samples = min((n for n in (used.samples, variant.samples) if n), default=None)
    data = f"data {used.data}" + (f", {samples} samples to train" if samples else "")
    said = (f"scale {scale}: {data}", used.reading, variant.reading, *experiment.decided)
    return tuple(sentence for sentence in said if sentence)


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
