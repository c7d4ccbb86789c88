"""Every experiment of the papers, by id."""

from __future__ import annotations

import fnmatch
import importlib
import re
from collections.abc import Sequence
from typing import Final

from wnverify.experiments.experiment import Experiment
from wnverify.methods.catalogue import Method, methods

MODULES: Final = ("cwn", "cwo", "dswn", "l1inf", "norm_loss")
"""Modules of ``published``; the id of an experiment begins with its module's name and a dot."""
NOT_TRAINED: Final = {"penalty_schedule": "a schedule of a penalty's factor, no method by itself"}
"""Methods without a short run of their own, and why."""
_ID: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


def of_module(name: str) -> tuple[Experiment, ...]:
    """The experiments of one paper, in its order; ``ValueError`` for an id of another form."""
    found: tuple[Experiment, ...] = importlib.import_module(f"wnverify.experiments.published.{name}").EXPERIMENTS
    for experiment in found:
        if not _ID.fullmatch(experiment.id) or not experiment.id.startswith(f"{name}."):
            raise ValueError(f"id must be {name}.WORD in small letters; got {experiment.id!r}")
    return found


def all_experiments(modules: Sequence[str] = MODULES) -> dict[str, Experiment]:
    """id → experiment, of these papers; ``ValueError`` for a second use of an id."""
    made: dict[str, Experiment] = {}
    for name in modules:
        for experiment in of_module(name):
            if experiment.id in made:
                raise ValueError(f"two experiments have the id {experiment.id!r}")
            made[experiment.id] = experiment
    return made


def find(experiment_id: str) -> Experiment:
    """The experiment of that id; only its paper's module is loaded.  ``ValueError`` for an unknown one."""
    name = experiment_id.partition(".")[0]
    found = of_module(name) if name in MODULES else ()
    for experiment in found:
        if experiment.id == experiment_id:
            return experiment
    raise ValueError(f"experiment must be one of {', '.join(all_experiments())}; got {experiment_id!r}")


def chosen(patterns: Sequence[str]) -> list[Experiment]:
    """Those that a pattern matches, each once; ``ValueError`` for a pattern that matches none."""
    named = [pattern.partition(".")[0] for pattern in patterns]
    table = all_experiments(MODULES if set(named) - set(MODULES) else [name for name in MODULES if name in named])
    for pattern in patterns:
        if not fnmatch.filter(table, pattern):
            raise ValueError(f"NAME {pattern!r} matches no experiment; there are {', '.join(table)}")
    return [e for name, e in table.items() if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def trained_methods() -> tuple[Method, ...]:
    """The methods that a short run is made with (see ``shortruns``)."""
    return tuple(m for m in methods() if m.kind != "out of scope" and m.id not in NOT_TRAINED)
