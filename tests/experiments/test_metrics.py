"""The page of metrics: each has a definition, and stands where it says; each figure of a run is on it."""

import dataclasses
import re

import pytest

from wnverify.experiments.data.samples import Arrays
from wnverify.experiments.data.sources import load
from wnverify.experiments.experiment import OVER_RUNS
from wnverify.experiments.listing import all_experiments
from wnverify.experiments.statistics import interval
from wnverify.experiments.training import metrics
from wnverify.experiments.training.loop import train
from wnverify.experiments.training.metrics import METRICS, epochs_to
from wnverify.experiments.training.settings import Settings
from wnverify.experiments.trials import look
from wnverify.workitem import Outcome

OF_A_RUN = ("epoch", "steps", "rate", "layers")
"""What a record has beside figures: where the run is, and monitors of single layers."""
COUNTED = {"sparsity.kept", "train.overall", "train.top5", "train.top5_error", "train.mean_class"}
"""The number behind a share, and training figures of which the papers have only the test's."""


@pytest.fixture(scope="module")
def record():
    data = load("digits")
    few = Arrays(*data.train.take(range(40)))
    settings = Settings(network="mlp_digits", epochs=1)
    run = train(settings, dataclasses.replace(data, train=few, test=few), signal=True)
    looked = look("rankings", run, data)
    shown = {f"{name}.half": each["half"] for name, each in looked.items() if "half" in each}
    return (
        run.last
        | {"columns": look("columns", run, data)}
        | {"rankings": shown | {f"agreement.{name}": rho for name, rho in looked["agreement"].items()}}
    )


def paths(record):
    for name, value in record.items():
        if name in OF_A_RUN:
            continue
        yield from (f"{name}.{inner}" for inner in paths(value)) if isinstance(value, dict) else (name,)


def test_each_metric_stands_where_it_says(record):
    """In the record of a run, among the statistics over runs, as a function here, or in the block of times."""
    known = {*paths(record), *(field.name for field in dataclasses.fields(interval([0.0, 1.0])))}
    known |= {f"timing.{field.name}" for field in dataclasses.fields(Outcome)}
    for metric in METRICS:
        places = metric.where.split(", ")
        assert set(places) <= known or hasattr(metrics, places[0]), metric.name


def test_each_figure_of_a_run_is_on_the_page(record):
    """Nothing is recorded without a definition; names and definitions are there once."""
    said = {place for metric in METRICS for place in metric.where.split(", ")}
    assert set(paths(record)) - COUNTED <= said
    assert set(paths(record)) >= COUNTED
    assert set(OVER_RUNS) <= said
    for column in ("name", "definition"):
        values = [getattr(metric, column) for metric in METRICS]
        assert len(set(values)) == len(values)
        assert all(values)
    assert all(metric.source for metric in METRICS)


def test_each_column_of_an_experiment_is_on_the_page():
    """The papers' columns are figures that are defined here, of the whole network or of one layer."""
    said = {place for metric in METRICS for place in metric.where.split(", ")}
    for experiment in all_experiments().values():
        columns = {re.sub(r"^layers\..+\.", "sparsity.", path) for path in experiment.columns.values()}
        assert columns <= said, experiment.id


@pytest.mark.parametrize(
    ("level", "first"), [(0.2, 2), (0.05, 4), (0.01, None), (1.0, 1)], ids=["equal", "last", "never", "at once"]
)
def test_epochs_to_a_level(level, first):
    """The first epoch at or below the level, also where the error rises again."""
    assert epochs_to(level, [1, 2, 3, 4], [0.5, 0.2, 0.3, 0.05]) == first
