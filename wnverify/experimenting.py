"""``wnverify train``: the papers' experiments, trained here and set beside what is printed."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.experiments.data import policies, sources
from wnverify.experiments.experiment import SCALES, Experiment, Variant
from wnverify.experiments.listing import all_experiments, chosen
from wnverify.experiments.tables import table
from wnverify.experiments.trials import STATEMENT, id_of, run_of
from wnverify.finding import Finding, Json
from wnverify.report.views import trained
from wnverify.running import conclude, console, document_of, journal_of, printing, watched
from wnverify.workitem import WorkItem

WARM: Final = (
    "wnverify.experiments.warm",
    "scipy.stats",
    "wnverify.experiments.trials",
    "wnverify.methods.application.apply",
)
ON_DEVICE: Final = "experiments.device"
"""The part that a run on another device is: beside those of the processor, whose findings have other names."""
PATIENCE: Final[Mapping[str, float]] = {"smoke": 300.0, "small": 3600.0, "paper": 30 * 86400.0}
"""Seconds that one run may take."""


def train(arguments: argparse.Namespace) -> int:
    """Train the chosen experiments, hand out the document, and give the exit code.

    ``ValueError`` for a name without an experiment, a scale that one does not have, data that are not there or cannot
    be read, or a device that this machine has not.
    """
    if arguments.list:
        listed = list(all_experiments().values()) if not arguments.names else chosen(arguments.names)
        with printing():
            trained.listed(console(), listed)
        return 0
    if not arguments.names:
        raise ValueError("NAME must be given: experiments by id or pattern, see train --list")
    asked = chosen(arguments.names)
    read = _check(asked, arguments)
    told: dict[str, Json] = {"names": list(arguments.names), "scale": arguments.scale, "seeds": arguments.seeds}
    if arguments.seed:
        told["seed"] = arguments.seed
    if arguments.device != "cpu":
        told["device"] = arguments.device
    command = f"experiments.{arguments.scale}" if arguments.device == "cpu" else ON_DEVICE
    with journal_of(command, {**told, "data": read}, arguments) as journal:
        folder = journal.path.with_suffix("")
        if not arguments.resume and folder.exists():
            shutil.rmtree(folder)
        items = work(asked, arguments, folder)
        result = watched(items, arguments, journal, WARM)

    def made() -> dict[str, Any]:
        found = told_together(asked, arguments.scale, items, result.findings)
        found = found if arguments.device == "cpu" else elsewhere(found, arguments.device)
        return document_of(dataclasses.replace(result, findings=found), command, told, where=arguments.where)

    code = conclude(result, journal, arguments, made, lambda doc, _: trained.sheet(console(), doc))
    if not result.interrupted:
        _clear(folder, items, {finding.id for finding in result.findings if _diverged(finding)})
    return code


def _diverged(finding: Finding) -> bool:
    return any("diverged" in route.figures for route in finding.routes)


def _clear(folder: Path, items: Sequence[WorkItem], diverged: Collection[str]) -> None:
    """Drop the checkpoints of every run but those that diverged, whose last good state is worth a look."""
    for item in items:
        place = Path(str(item.arguments["folder"]))
        if item.id not in diverged and place.exists():
            shutil.rmtree(place)
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if folder.exists():
        print(f"the last good state of what diverged is in {os.path.relpath(folder)}", file=sys.stderr)


def work(asked: Sequence[Experiment], arguments: argparse.Namespace, folder: Path) -> list[WorkItem]:
    """One item for each run, which serves every row and seed of these experiments that it is the run of.

    Checkpoints lie in a folder of its own below ``folder``.
    """
    served: dict[str, list[tuple[Experiment, Variant, int]]] = {}
    for experiment in asked:
        for seed in range(
            arguments.seed, arguments.seed + (arguments.seeds or experiment.scales[arguments.scale].seeds)
        ):
            for variant in experiment.variants:
                run = run_of(experiment, variant, arguments.scale, seed)
                served.setdefault(run, []).append((experiment, variant, seed))
    return [_item(rows, arguments, folder) for rows in served.values()]


def _item(rows: Sequence[tuple[Experiment, Variant, int]], arguments: argparse.Namespace, folder: Path) -> WorkItem:
    (experiment, variant, seed), *others = rows
    name = id_of(experiment, variant.name, arguments.scale, seed)
    return WorkItem(
        id=name,
        function="wnverify.experiments.trials:trial",
        arguments={
            "experiment_id": experiment.id,
            "row": variant.name,
            "seed": seed,
            "scale": arguments.scale,
            "directory": str(Path(arguments.data).resolve()) if experiment.reads(arguments.scale) else None,
            "device": arguments.device,
            "folder": str((folder / name.removeprefix("experiment/")).resolve()),
            "also": [(other.id, row.name) for other, row, _ in others],
        },
        kind="experiment",
        subject=experiment.id,
        check=f"{arguments.scale}.trial",
        statement=STATEMENT.format(title=experiment.title, row=variant.name),
        timeout_s=arguments.timeout or PATIENCE[arguments.scale],
        memory_mib=arguments.memory,
    )


def told_together(
    asked: Sequence[Experiment], scale: str, items: Sequence[WorkItem], found: Sequence[Finding]
) -> list[Finding]:
    """The tables' findings in place of the single runs', beside what ended otherwise, told of every row it served."""
    trials = [finding for finding in found if finding.routes]
    ended = [finding for finding in found if not finding.routes]
    of_items, of_names = {item.id: item for item in items}, {experiment.id: experiment for experiment in asked}
    for finding in list(ended):
        given = of_items[finding.id].arguments
        for name, row in given["also"]:
            where = of_names[name]
            ended.append(
                dataclasses.replace(
                    finding,
                    id=id_of(where, row, scale, given["seed"]),
                    subject=name,
                    statement=STATEMENT.format(title=where.title, row=row),
                )
            )
    tables = [finding for experiment in asked for finding in table(experiment, scale, trials)]
    return sorted([*ended, *tables], key=lambda finding: finding.id)


def elsewhere(found: Sequence[Finding], device: str) -> list[Finding]:
    """The findings of a run on a device, whose subject and id end on its name (``l1inf.depth@cuda``)."""
    return [
        dataclasses.replace(
            finding,
            id=finding.id.replace(f"/{finding.subject}/", f"/{finding.subject}@{device}/", 1),
            subject=f"{finding.subject}@{device}",
        )
        for finding in found
    ]


def _check(asked: Sequence[Experiment], arguments: argparse.Namespace) -> dict[str, Json]:
    """Everything that can be known to be wrong before the first run; the digests of what is read, by name."""
    read: dict[str, Json] = {}
    for experiment in asked:
        if arguments.scale not in experiment.scales:
            scales = ", ".join(name for name in SCALES if name in experiment.scales)
            raise ValueError(f"--scale must be one that {experiment.id} has, {scales}; got {arguments.scale!r}")
    wanted = {e.scales[arguments.scale].data: e for e in asked if e.reads(arguments.scale)}
    if arguments.data is None and wanted:
        name, experiment = next(iter(wanted.items()))
        raise ValueError(f"--data must be a directory for {experiment.id}: {name}, {experiment.reads(arguments.scale)}")
    if arguments.data is not None:
        if not wanted:
            raise ValueError(f"--data is read by none of {', '.join(e.id for e in asked)} at this scale; leave it out")
        if not Path(arguments.data).is_dir():
            raise ValueError(f"--data must be a directory; got {arguments.data!r}")
        for name, experiment in wanted.items():
            if sources.SOURCES[name].reads:
                options = experiment.scales[arguments.scale].options
                read[name] = sources.load(name, arguments.data, **options).digest()
        if any(experiment.by_policy(arguments.scale) for experiment in asked):
            read[policies.FILE] = [*policies.pairs(arguments.data)]
    if arguments.device != "cpu":
        _check_device(arguments.device)
    return read


def _check_device(device: str) -> None:
    from wnverify.numerics.places import absent

    if missing := absent(device):
        raise ValueError(f"--device must be one that this machine has; got {device!r}: {missing}")
