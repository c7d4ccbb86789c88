"""An experiment of a paper as data: rows of a table, what they were run with, what was printed, what should be seen.

A table's row is a ``Variant``; what all rows share stands once.  A ``Scale`` says on which data, with which network
and for how long it is run here.  An ``Expectation`` is a qualitative claim, as an inequality between two rows, which
becomes a test over seeds (see ``statistics``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.data.augmentation import BY_POLICY
from wnverify.experiments.data.policies import FILE
from wnverify.experiments.data.sources import SOURCES
from wnverify.experiments.training.finals import FINALS
from wnverify.experiments.training.settings import Settings

SCALES: Final = ("smoke", "small", "paper")
"""A few steps that show that it runs; minutes on two cores, with data that ship; the paper's own."""
OVER_RUNS: Final = ("mean", "best", "median", "deviation")
CURVES: Final = ("train.loss", "test.loss", "test.error")
"""Figures of every record of a run that are kept."""
EPOCHS_TO: Final = "epochs_to."
"""Before the path of a curve: the first recorded epoch at which a run is at most at the larger of both rows' ends."""
NOT_SETTINGS: Final = frozenset({"seed"})
KNOWN: Final = frozenset(field.name for field in dataclasses.fields(Settings)) - NOT_SETTINGS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One row: ``settings`` are fields of ``Settings`` in which it differs, ``printed`` the cells of the paper's table
    as they are printed, by column, none where the paper prints none.  ``samples`` limits the training set of this row
    alone, to fewer than the scale's."""

    name: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    printed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    samples: int | None = None
    reading: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How an experiment is run: ``data`` is a source's name (see ``data.sources``), ``settings`` go over those of the
    experiment and below those of a row, ``samples`` limits the training set, ``seeds`` is how many runs a row has.
    ``rows``: row → settings in which it differs at this scale only, over all others.  ``options`` are the source's."""

    data: str
    seeds: int
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    samples: int | None = None
    rows: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    reading: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """``figure`` of the row ``less`` should be smaller than ``factor`` times that of the row ``more``, by paired
    runs; ``of_more``: the figure of ``more`` where it is another one.

    ``figure`` may be ``epochs_to.`` with the path of a curve: how many epochs a run takes until it is at most at the
    larger of the values where the runs of both rows with the same seed end; ``printed`` is the number for ``less`` as
    the paper has it, to where ``more`` ends.
    """

    id: str
    statement: str
    place: str
    figure: str
    less: str
    more: str
    factor: float = 1.0
    of_more: str = ""
    printed: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Of which rows the trained weight of a layer is kept as a picture (see ``training.pictures``): its first inputs
    and units."""

    layer: str
    rows: tuple[str, ...]
    inputs: int = 20
    units: int = 50


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A table or figure of a paper.

    ``columns`` maps a printed column to the dotted path of our figure in the last record of a run (``test.error``),
    given as the paper gives it by ``units`` (``"%"`` for a share times 100).  ``over_runs``: a column's figure over the
    runs of a row where it is not their mean (``"best"``, ``"median"``, ``"deviation"``).  ``over_time``: paths of
    figures whose curves over the epochs are kept beside those of losses and errors; ``over_depth``: paths of lists, one
    number a depth, of which those of the last record are kept (``signal.now.variance``).  ``decided``: what the text
    leaves open and how it is read.  ``printed_runs``: of how many runs a printed cell is.  ``finals``: names of what is
    measured of the trained network beside the record (see ``training.finals``); ``picture``: which weight is shown.
    ``ValueError`` for unknown settings, scales, rows, columns and finals, and for names used twice.
    """

    id: str
    paper: str
    place: str
    title: str
    settings: Mapping[str, Any]
    variants: tuple[Variant, ...]
    scales: Mapping[str, Scale]
    columns: Mapping[str, str]
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    over_runs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    over_time: tuple[str, ...] = ()
    over_depth: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    decided: tuple[str, ...] = ()
    printed_runs: int = 1
    finals: tuple[str, ...] = ()
    picture: Picture | None = None

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        _known(self, "rows, each once", [n for n in names if names.count(n) > 1], ())
        _known(self, "scales", self.scales, SCALES)
        _known(self, "units", self.units, self.columns)
        _known(self, "columns", self.over_runs, self.columns)
        _known(self, "figures over runs", self.over_runs.values(), OVER_RUNS)
        _known(self, "finals", self.finals, FINALS)
        of_scales = [given for s in self.scales.values() for given in (s.settings, *s.rows.values())]
        for given in (self.settings, *(v.settings for v in self.variants), *of_scales):
            _known(self, "settings", given, KNOWN)
        for scale in self.scales.values():
            _known(self, "rows", scale.rows, names)
        _known(self, "rows", self.picture.rows if self.picture else (), names)
        for variant in self.variants:
            _known(self, "columns", variant.printed, self.columns)
        for expectation in self.expectations:
            _known(self, "rows", (expectation.less, expectation.more), names)
            figures = filter(None, (expectation.figure, expectation.of_more))
            _known(self, "figures", figures, {*self.columns.values(), *(EPOCHS_TO + path for path in CURVES)})
            if expectation.figure.startswith(EPOCHS_TO) and (expectation.of_more or expectation.factor != 1.0):
                raise ValueError(f"{self.id}: {expectation.id} counts epochs: of_more and factor must be left out")

    @property
    def signal(self) -> bool:
        """Whether a figure is one of the propagation of the signal."""
        return any(path.startswith("signal.") for path in (*self.columns.values(), *self.over_time, *self.over_depth))

    def by_policy(self, scale: str) -> bool:
        """Whether a row's augmentation draws from a policy at this scale."""
        return any(self.of(v, self.scales[scale], 0).augmentation in BY_POLICY for v in self.variants)

    def reads(self, scale: str) -> str:
        """What a directory must hold for this scale; empty where nothing is read."""
        of_policy = f"{FILE} (see README)" if self.by_policy(scale) else ""
        return ", and ".join(filter(None, (SOURCES[self.scales[scale].data].reads, of_policy)))

    def of(self, variant: Variant, scale: Scale, seed: int) -> Settings:
        """The settings of one run: the experiment's, over them the scale's, over them the row's, and last
        what the scale has for the row; options are merged."""
        merged: dict[str, Any] = {}
        for given in (self.settings, scale.settings, variant.settings, scale.rows.get(variant.name, {})):
            options = {**merged.get("options", {}), **given.get("options", {})}
            merged |= given
            merged["options"] = options
        return Settings(**merged, seed=seed)


def _known(experiment: Experiment, what: str, given: Any, known: Any) -> None:
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"{experiment.id}: {what} must be among {', '.join(sorted(known))}; got {', '.join(unknown)}")
