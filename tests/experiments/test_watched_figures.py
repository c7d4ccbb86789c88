"""Figures over training and over depth: from a run's records through the table to the page."""

import math

import pytest

from wnverify.experiments import tables, trials
from wnverify.experiments.experiment import Experiment, Scale, Variant
from wnverify.report.digest import digest
from wnverify.report.results import document
from wnverify.report.trained import boxes, shown

TIME, DEPTH = "parameters.spread", "signal.start.variance"


def made(**changes):
    given = {
        "id": "cwn.watched",
        "paper": "cwn",
        "place": "Fig. 9",
        "title": "Watched",
        "settings": {"network": "mlp_narrowing", "epochs": 2, "batch": 32, "rate": 0.01},
        "variants": (Variant(name="plain"), Variant(name="CWN", settings={"method": "cwn"})),
        "scales": {"smoke": Scale(data="digits", seeds=3, samples=64)},
        "columns": {"σ": TIME, "drift": "signal.now.variance_drift", "error": "test.error"},
        "over_time": (TIME,),
        "over_depth": (DEPTH,),
    }
    return Experiment(**given | changes)


@pytest.fixture(scope="module")
def told():
    """Two rows of three runs each, and what the table makes of them."""
    experiment = made()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "find", lambda name: experiment)
        runs = [f for v in experiment.variants for k in range(3) for f in trials.trial("", v.name, k, "smoke")]
    found = tables.table(experiment, "smoke", runs)
    return runs, found, digest(document(found, environment={}, timing={})).groups["experiment"][0]


def test_a_row_keeps_what_was_asked(told):
    """Bands of the figure over the recorded epochs and of the list over the depths: of all runs of the row."""
    runs, found, _ = told
    figures = found[0].routes[0].figures
    of_row = [run.routes[0].figures for run in runs[:3]]
    assert figures["curves"]["epoch"] == [1, 2]
    assert figures["profiles"]["depth"] == list(range(1, 18))
    for kind, each, path in (("curves", "curve", TIME), ("profiles", "profile", DEPTH)):
        columns = list(zip(*(run[each][path] for run in of_row), strict=True))
        assert figures[kind][path]["mean"] == [math.fsum(values) / 3 for values in columns]
        assert figures[kind][path]["least"] == [min(values) for values in columns]
        assert figures[kind][path]["largest"] == [max(values) for values in columns]


def test_a_page_shows_it(told):
    """A drawing over training and one over depth, each with every row, beside the loss; box plots without print."""
    _, _, subject = told
    drawn = {drawing.title: drawing for drawing in shown(subject, {}).drawings}
    assert list(drawn) == [
        "cwn.watched: every column over the rows, smoke scale",
        "cwn.watched: train loss over training, smoke scale",
        "cwn.watched: parameters spread over training, smoke scale",
        "cwn.watched: signal start variance over depth, smoke scale",
    ]
    depth = drawn["cwn.watched: signal start variance over depth, smoke scale"]
    assert depth.header == ("row", "depth", "mean", "least", "largest")
    assert [row[:2] for row in depth.rows[:2]] == [("plain", "1"), ("plain", "2")]
    assert {row[0] for row in depth.rows} == {"plain", "CWN"}
    over_rows = boxes(subject, "smoke")
    assert {row[1] for row in over_rows.rows} == {"σ", "drift", "error"}


def test_a_signal_is_looked_at_where_it_is_asked_for(monkeypatch):
    """No column, curve or profile of it: no propagation is computed."""
    assert made().signal
    quiet = made(columns={"error": "test.error"}, over_time=(), over_depth=())
    assert not quiet.signal
    seen = []
    monkeypatch.setattr(trials, "find", lambda name: quiet)
    right = trials.train
    monkeypatch.setattr(trials, "train", lambda *a, **k: seen.append(k["signal"]) or right(*a, **k))
    (found,) = trials.trial("", "plain", 0, "smoke")
    assert seen == [False]
    assert "profile" not in found.routes[0].figures


def test_a_figure_that_no_record_has_is_named(monkeypatch):
    """Over time as in a column."""
    monkeypatch.setattr(trials, "find", lambda name: made(over_time=("parameters.width",)))
    with pytest.raises(ValueError, match=r"no figure 'parameters.width': at 'width' there is norm"):
        trials.trial("", "plain", 0, "smoke")
