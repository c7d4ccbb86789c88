"""One run of one row of an experiment, as a finding that decides nothing by itself (see ``tables``)."""

from __future__ import annotations

import dataclasses
import importlib
import math
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from wnverify.experiments.data import policies
from wnverify.experiments.data.augmentation import BY_POLICY
from wnverify.experiments.data.samples import Dataset, subset
from wnverify.experiments.data.sources import SOURCES, load
from wnverify.experiments.experiment import CURVES, Experiment, Scale, Variant
from wnverify.experiments.listing import find
from wnverify.experiments.training.finals import FINALS
from wnverify.experiments.training.loop import DivergedError, Run, train
from wnverify.experiments.training.pictures import picture
from wnverify.experiments.training.settings import Settings
from wnverify.finding import Evidence, Finding, Json, Verdict, dumps, seed_of, slug

RECORDS: Final = 10
MANY_STEPS: Final = 20
"""An epoch of at least so many steps is worth a record and a checkpoint of its own; others are recorded ten times."""


def trial(
    experiment_id: str,
    row: str,
    seed: int,
    scale: str,
    directory: str | None = None,
    device: str = "cpu",
    folder: str | None = None,
    also: Sequence[tuple[str, str]] = (),
) -> list[Finding]:
    """Train one row once; the finding has every column's figure and the learning curves, or how the run diverged.

    ``directory``: where the data and the policy of an augmentation are read; ``folder``: where checkpoints are written,
    taken up where there is one, and removed at the end; that of a run that diverged is kept, and its figure
    ``diverged`` names it as ``folder_of`` does.  ``also``: rows (experiment, row) that this very run serves too (see
    ``run_of``), each with a finding of its own.  ``ValueError`` for an unknown experiment, row or scale, and for a row
    of another run.
    """
    experiment = find(experiment_id)
    variant, used = row_of(experiment, row), scale_of(experiment, scale)
    served = [(experiment, variant), *((other := find(name), row_of(other, of)) for name, of in also)]
    same = run_of(experiment, variant, scale, seed)
    if wrong := [(e.id, v.name) for e, v in served if run_of(e, v, scale, seed) != same]:
        raise ValueError(f"also must be rows of the same run as {experiment.id}, {row}; got {wrong}")
    settings = experiment.of(variant, used, seed)
    data = samples_of(variant, used, seed, directory if SOURCES[used.data].reads else None)
    if directory is not None and settings.augmentation in BY_POLICY:
        data = dataclasses.replace(data, policy=policies.pairs(directory))
    place = Path(folder) if folder else None
    run, diverged = None, ""
    try:
        run = train(
            settings,
            data,
            folder=place,
            resume=place is not None,
            device=device,
            every=every(settings, len(data.train)),
            signal=experiment.signal,
        )
    except DivergedError as error:
        kept = place is not None and place.exists()
        diverged = f"{error} of {folder_of(experiment, row, scale, seed)}" if kept else str(error)
    if run is not None and place is not None and place.exists():
        shutil.rmtree(place)
    told = [{"diverged": diverged} if run is None else _figures(e, v, run, data) for e, v in served]
    return [finding_of(*row, scale, seed, of, decided=data.decided) for row, of in zip(served, told, strict=True)]


def run_of(experiment: Experiment, variant: Variant, scale: str, seed: int) -> str:
    """All that decides a run, as text: rows of one text, of whatever experiments, are one run."""
    used = scale_of(experiment, scale)
    samples = min((n for n in (used.samples, variant.samples) if n), default=None)
    settings = experiment.of(variant, used, seed).to_json()
    return dumps([used.data, dict(used.options), samples, settings, experiment.signal])


def look(name: str, run: Run, data: Dataset) -> dict[str, Any]:
    """What ``FINALS`` has of that name, measured of a run; ``ValueError`` for an unknown one."""
    if name not in FINALS:
        raise ValueError(f"name must be one of {', '.join(FINALS)}; got {name!r}")
    module, function = FINALS[name].split(":")
    found: dict[str, Any] = getattr(importlib.import_module(module), function)(run, data)
    return found


def finding_of(
    experiment: Experiment,
    variant: Variant,
    scale: str,
    seed: int,
    figures: Mapping[str, Json],
    decided: tuple[str, ...] = (),
) -> Finding:
    """What a run found, under the id of its work item."""
    told = {"experiment": experiment.id, "row": variant.name, "seed": seed, "scale": scale, **figures}
    return Finding(
        kind="experiment",
        id=id_of(experiment, variant.name, scale, seed),
        subject=experiment.id,
        check=f"{scale}.trial",
        verdict=Verdict.UNDECIDED,
        statement=STATEMENT.format(title=experiment.title, row=variant.name),
        message=str(figures.get("diverged", "")),
        conditions=decided,
        routes=(Evidence(route="simulation", verdict=Verdict.UNDECIDED, figures=told),),
        place=experiment.place,
    )


STATEMENT: Final = "{title}, {row}: one run, which decides nothing by itself."


def id_of(experiment: Experiment, row: str, scale: str, seed: int) -> str:
    """The id of the work item and of its finding."""
    return f"experiment/{experiment.id}/{scale}.trial/{plain_name(row)},seed={seed}"


def folder_of(experiment: Experiment, row: str, scale: str, seed: int) -> str:
    """The folder of a run's checkpoints, relative to that of all runs: the id of its work item without its kind."""
    return id_of(experiment, row, scale, seed).removeprefix("experiment/")


def plain_name(row: str) -> str:
    """A row's name as a part of an id: signs beyond ASCII by the last word of their name.

    >>> plain_name("c = ∞"), plain_name("L1, λ = 0.1")
    ('c-=-infinity', 'L1,-lamda-=-0.1')
    """
    return slug("".join(c if c.isascii() else unicodedata.name(c, "sign").split()[-1].lower() for c in row))


def row_of(experiment: Experiment, row: str) -> Variant:
    """The row of that name."""
    for variant in experiment.variants:
        if variant.name == row:
            return variant
    raise ValueError(f"row must be one of {', '.join(v.name for v in experiment.variants)}; got {row!r}")


def scale_of(experiment: Experiment, scale: str) -> Scale:
    """The scale of that name."""
    if scale not in experiment.scales:
        raise ValueError(f"{experiment.id} has the scales {', '.join(experiment.scales)}; got {scale!r}")
    return experiment.scales[scale]


def samples_of(variant: Variant, scale: Scale, seed: int, directory: str | None) -> Dataset:
    """The data of one run; where fewer samples are wanted than there are, the first of an order drawn from the seed."""
    data = load(scale.data, directory, seed=seed, **scale.options)
    most = min(scale.samples or len(data.train), variant.samples or len(data.train))
    if most >= len(data.train):
        return data
    order = np.random.default_rng(seed_of("experiment", "samples", seed)).permutation(len(data.train))
    return dataclasses.replace(data, train=subset(data.train, order[:most]))


def every(settings: Settings, samples: int) -> int:
    """After how many epochs there is a record and a checkpoint."""
    return 1 if math.ceil(samples / settings.batch) >= MANY_STEPS else max(1, settings.epochs // RECORDS)


def figure(record: Mapping[str, Any], path: str) -> float:
    """The number at a dotted path of a record, whose keys may have dots; ``ValueError`` where it is missing."""
    return float(_at(record, path))


def _at(record: Mapping[str, Any], path: str) -> Any:
    found: Any = record
    rest = path
    while rest:
        names = [name for name in found if rest == name or rest.startswith(f"{name}.")] if _nests(found) else []
        if not names:
            known = ", ".join(found) if _nests(found) else "nothing"
            raise ValueError(f"a record has no figure {path!r}: at {rest!r} there is {known}")
        name = max(names, key=len)
        found, rest = found[name], rest[len(name) + 1 :]
    return found


def _nests(found: object) -> bool:
    return isinstance(found, Mapping)


def _figures(experiment: Experiment, variant: Variant, run: Run, data: Dataset) -> dict[str, Json]:
    """What the finding of a row says of a run: cells, curves and, where they are asked for, profiles and a picture."""
    record = run.last | {name: look(name, run, data) for name in experiment.finals}
    curve = _curves(experiment, run)
    figures: dict[str, Json] = {"cells": _cells(experiment, record), "curve": curve, "steps": run.last["steps"]}
    if experiment.over_depth:
        figures["profile"] = _profile(experiment, run)
    if experiment.picture is not None and variant.name in experiment.picture.rows:
        figures["picture"] = picture(run.model, experiment.picture)
    return figures


def _cells(experiment: Experiment, record: Mapping[str, Any]) -> dict[str, Json]:
    return {path: figure(record, path) for path in sorted(set(experiment.columns.values()))}


def _curves(experiment: Experiment, run: Run) -> dict[str, Json]:
    epochs: list[Json] = [record["epoch"] for record in run.history]
    paths = (*CURVES, *experiment.over_time)
    return {"epoch": epochs, **{path: [figure(record, path) for record in run.history] for path in paths}}


def _profile(experiment: Experiment, run: Run) -> dict[str, Json]:
    """Lists over the depths 1, 2, … in the last record."""
    lists = {path: [float(value) for value in _at(run.last, path)] for path in experiment.over_depth}
    depths: list[Json] = [*range(1, 1 + max(map(len, lists.values())))]
    return {"depth": depths, **{path: [*values] for path, values in lists.items()}}
