"""Epochs to a rival's end and durations of runs, from the findings of planted runs and a block of times."""

import dataclasses

import pytest

from wnverify.experiments import tables, trials
from wnverify.experiments.experiment import Experiment, Scale, Variant
from wnverify.experiments.published.on_digits import sooner
from wnverify.finding import Finding, Verdict
from wnverify.report import speed, trained
from wnverify.report.digest import Subject, digest
from wnverify.report.results import document
from wnverify.report.views import html, markdown

SEEDS = 7
EXPERIMENT = Experiment(
    id="dswn.planted",
    paper="dswn",
    place="p",
    title="t",
    settings={"network": "mlp_digits"},
    variants=(Variant(name="A"), Variant(name="B")),
    scales={"small": Scale(data="digits", seeds=SEEDS)},
    columns={"error": "test.error"},
    expectations=sooner("section 9", ("A", "B", "2")),
)
FAST = [[0.4, 0.2, 0.1, 0.3]] * SEEDS
SLOW = [[0.5, 0.4, 0.3, 0.2 + 0.001 * seed] for seed in range(SEEDS)]
NEVER = [[0.5, 0.4, 0.3, 0.25]] * SEEDS


def found(a, b):
    """The findings of both rows with these curves of the test error, recorded every fifth epoch."""
    runs = []
    for row, curves in (("A", a), ("B", b)):
        for seed, curve in enumerate(curves):
            told = {"diverged": "at step 3"} if curve is None else None
            kept = {"epoch": [5, 10, 15, 20], **dict.fromkeys(trials.CURVES, curve)}
            told = told or {"cells": {"test.error": curve[-1]}, "curve": kept}
            finding = trials.finding_of(EXPERIMENT, trials.row_of(EXPERIMENT, row), "small", seed, told)
            runs.append(Finding.from_json(finding.to_json()))
    return tables.table(EXPERIMENT, "small", runs)


def claim(a, b):
    return next(finding for finding in found(a, b) if finding.check == "small.expected")


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (FAST, SLOW, Verdict.HOLDS),
        (SLOW, FAST, Verdict.REFUTED),
        (SLOW, SLOW, Verdict.UNDECIDED),
        (NEVER, SLOW, Verdict.UNDECIDED),
    ],
    ids=["sooner", "later", "the-same", "never"],
)
def test_epochs_are_compared_over_seeds(a, b, verdict):
    """The row that is first at the larger of both last errors, the other one, one beside itself, and one that never is
    at the other's last error but takes as long to its own."""
    assert claim(a, b).verdict is verdict


def test_epochs_are_counted_to_where_the_rival_ends():
    """At 0.2 of its last epoch: the second record of the fast row, the fourth of the rival; seed 0 is exactly there."""
    told = claim(FAST, SLOW).routes[0].figures["epochs"]
    assert told["values"] == [10] * SEEDS
    assert told["of_row"]["mean"] == 10
    assert told["of_rival"]["mean"] == 20
    assert (told["reached"], told["printed"]) == (SEEDS, "2")


def test_a_run_that_never_gets_there_is_said():
    """Its seed has no number and counts as one epoch more than it has in the median, which is left where most get
    there; the claim is decided at the larger of both ends, here 0.25 and six times 0.3."""
    finding = claim([NEVER[0], *FAST[1:]], SLOW)
    told = finding.routes[0].figures["epochs"]
    assert told["values"] == [None, *[10] * (SEEDS - 1)]
    assert told["of_row"] == {"median": 10}
    assert speed.races(Subject("experiment", "dswn.planted", [finding]), "small").rows[0][3:5] == (
        "6 of 7",
        "median 10",
    )
    assert claim([*NEVER[:4], *FAST[4:]], SLOW).routes[0].figures["epochs"]["of_row"] is None
    assert finding.routes[0].figures["mean"] == ((20 - 20) + 6 * (10 - 15)) / 7


def test_a_single_run_has_a_number_and_no_interval():
    """Nothing is decided by it."""
    finding = claim(FAST[:1], SLOW[:1])
    assert finding.verdict is Verdict.UNDECIDED
    row = speed.races(Subject("experiment", "dswn.planted", [finding]), "small").rows[0]
    assert row[3:6] == ("1 of 1", "10", "20")


def test_a_diverged_run_leaves_the_epochs_open():
    """No number of the runs that are left."""
    finding = claim([None, *FAST[1:]], SLOW)
    assert finding.verdict is Verdict.UNDECIDED
    assert "epochs" not in finding.routes[0].figures


def test_epochs_take_no_factor():
    """An expectation that counts epochs compares them as they are, of a curve that is kept."""
    (given,) = EXPERIMENT.expectations
    with pytest.raises(ValueError, match="of_more and factor must be left out"):
        dataclasses.replace(EXPERIMENT, expectations=(dataclasses.replace(given, factor=0.5),))
    with pytest.raises(ValueError, match=r"figures must be among .*epochs_to\.test\.error"):
        dataclasses.replace(EXPERIMENT, expectations=(dataclasses.replace(given, figure="epochs_to.test.top5"),))


TIMING = {
    **{f"experiment/dswn.planted/small.trial/A,seed={k}": {"seconds": s} for k, s in enumerate((10.0, 7200.0, 5400.0))},
    "experiment/dswn.planted/small.trial/B,seed=0": {"seconds": [2.0, 4.0]},
    "experiment/dswn.planted/paper.trial/B,seed=0": {"seconds": 1e6},
    "experiment/dswn.planted/small.trial/B2,seed=0": {"seconds": 1e6},
}


def doc(timing):
    return document(found(FAST, SLOW), environment={}, timing=timing)


def test_the_table_has_the_median_duration_of_a_row():
    """Of three runs the middle one in hours, of a time that two documents have both; no other scale, no other row."""
    (subject,) = digest(doc(TIMING)).groups["experiment"]
    table, raced = trained.tables_of(subject, TIMING)
    at = table.header.index(speed.DURATION)
    assert [row[at] for row in table.rows] == ["1.5 h", "3 s"]
    assert table.header[-1] == "verdict"
    assert raced.rows == [("A", "B", "test error", "7 of 7", "10 ± 0", "20 ± 0", "2", "holds")]


def test_without_times_there_is_no_column():
    """A document whose times are those of other items."""
    (subject,) = digest(doc({})).groups["experiment"]
    table, _ = trained.tables_of(subject, {"claim/x": {"seconds": 1.0}})
    assert table.header == ("row", "error", "verdict")


def test_no_finding_has_a_duration():
    """Times stand in the block of times alone: with others every finding is the same."""
    assert doc(TIMING)["findings"] == doc({})["findings"]


@pytest.mark.parametrize("view", [html, markdown], ids=["html", "markdown"])
def test_both_reports_show_epochs_and_durations(view):
    """In the tables of the experiment, from the document alone."""
    page = view.render(doc(TIMING))
    assert speed.DURATION in page
    assert "1.5 h" in page
    assert "epochs to a rival" in page
