"""Runs as a table with verdicts, on an experiment made for the purpose."""

import dataclasses

import numpy as np
import pytest
from planted_experiment import SEEDS, made
from scipy import stats

from wnverify.experiments import tables, trials
from wnverify.experiments.expected import expected
from wnverify.experiments.experiment import Scale, Variant
from wnverify.experiments.published.on_digits import sooner
from wnverify.experiments.statistics import LEVEL
from wnverify.finding import Finding, Verdict, dumps, unique


def runs(experiment, values, scale="paper"):
    """Trials as they come from a journal, with these figures."""
    found = []
    for row, each in values.items():
        for seed, value in enumerate(each):
            told = (
                {"diverged": "at step 3"}
                if value is None
                else {
                    "cells": dict.fromkeys(set(experiment.columns.values()), value),
                    "curve": {"epoch": [1, 2], **{path: [2 * value, value] for path in trials.CURVES}},
                }
            )
            finding = trials.finding_of(experiment, trials.row_of(experiment, row), scale, seed, told)
            found.append(Finding.from_json(finding.to_json()))
    return found


LOW = [0.010, 0.012, 0.011, 0.009, 0.010, 0.013, 0.011]
HIGH = [0.031, 0.029, 0.032, 0.030, 0.028, 0.031, 0.030]
MIXED = [0.030, 0.010, 0.031, 0.009, 0.030, 0.011, 0.010]


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [(HIGH, LOW, Verdict.HOLDS), (LOW, HIGH, Verdict.REFUTED), (LOW, MIXED, Verdict.UNDECIDED)],
    ids=["holds", "refuted", "undecided"],
)
def test_a_claim_is_decided_over_seeds(a, b, verdict):
    """Each of the three verdicts, by the planted difference alone."""
    experiment = made()
    found = tables.table(experiment, "paper", runs(experiment, {"A": a, "B = ∞": b}))
    claim = next(f for f in found if f.check == "paper.expected")
    assert claim.verdict is verdict
    assert "95 % interval" in claim.message


def test_a_factor_moves_the_claim():
    """A third of A's error is not more than B's: the claim with that factor is refuted."""
    claim = dataclasses.replace(made().expectations[0], factor=0.2)
    experiment = made(expectations=(claim,))
    found = tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": LOW}))
    assert found[-1].verdict is Verdict.REFUTED


def test_few_runs_decide_nothing_and_say_how_many_would():
    """Two pairs of runs, whatever their difference."""
    experiment = made()
    found = tables.table(experiment, "smoke", runs(experiment, {"A": HIGH[:2], "B = ∞": LOW[:2]}, "smoke"))
    assert found[-1].verdict is Verdict.UNDECIDED
    assert "2 pairs cannot decide 1 claims, 6 can" in found[-1].message


def test_a_single_run_decides_nothing():
    """One run a row has a figure and no interval."""
    experiment = made()
    row_a, row_b, claim = tables.table(experiment, "paper", runs(experiment, {"A": HIGH[:1], "B = ∞": LOW[:1]}))
    assert {row_a.verdict, row_b.verdict, claim.verdict} == {Verdict.UNDECIDED}
    assert "expected" not in row_b.routes[0].figures["table"]["cells"]["err"]


def test_a_diverged_run_leaves_its_claim_open():
    """The mean of the runs that are left would be a choice."""
    experiment = made()
    found = tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": [None, *LOW[1:]]}))
    row, claim = found[1], found[2]
    assert row.verdict is Verdict.UNDECIDED
    assert "1 runs diverged" in row.message
    assert claim.verdict is Verdict.UNDECIDED
    assert "diverged" in claim.message


def cell(found, row=1):
    return found[row].routes[0].figures["table"]["cells"]["err"]


@pytest.mark.parametrize(
    ("printed", "decided", "verdict"),
    [
        ("1.1", (), Verdict.HOLDS),
        ("1.1", ("a step size",), Verdict.HOLDS_UNDER),
        ("3.0", (), Verdict.REFUTED),
        ("3.0", ("a step size",), Verdict.UNDECIDED),
        ("1.5", (), Verdict.UNDECIDED),
    ],
    ids=["near", "near-but-open", "beyond", "beyond-but-open", "between"],
)
def test_a_printed_cell_is_judged_at_the_papers_scale(printed, decided, verdict):
    """Within the margin, beyond chance, both where the text was open, and between; the reading is in the conditions."""
    rows = (Variant(name="A", printed={"err": "4.6"}), Variant(name="B = ∞", printed={"err": printed}))
    experiment = made(variants=rows, decided=decided)
    found = tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": LOW}))
    assert found[1].verdict is verdict
    assert found[1].strength == ("tested" if verdict in (Verdict.HOLDS, Verdict.HOLDS_UNDER) else None)
    assert set(decided) <= set(found[1].conditions)
    assert any("the reading is ours" in said for said in found[1].conditions) is (
        verdict is Verdict.UNDECIDED and bool(decided)
    )


def of_b(values, printed="1.1", **changes):
    """The finding of row B with these runs, in a table whose other row prints 4.6."""
    printed = printed if isinstance(printed, dict) else {"err": printed}
    rows = (Variant(name="A", printed={"err": "4.6"}), Variant(name="B = ∞", printed=printed))
    experiment = made(variants=rows, **changes)
    return tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": values}))[1]


def test_few_runs_find_nothing_again():
    """Two of the runs have a wide interval, in which the printed number lies: that is no evidence of it."""
    few = of_b([0.002, 0.022])
    assert few.routes[0].figures["table"]["cells"]["err"]["in_interval"]
    assert few.verdict is Verdict.UNDECIDED
    assert of_b(LOW).verdict is Verdict.HOLDS


def test_a_printed_mean_of_many_runs_is_less_noisy():
    """What one printed run may be off by, a mean of many may not: refuted, with the same runs here."""
    one, many = (of_b(LOW, "1.5", printed_runs=r) for r in (1, 100))
    assert (one.verdict, many.verdict) == (Verdict.UNDECIDED, Verdict.REFUTED)


def test_only_printed_means_are_compared():
    """A printed deviation and a dash are no part of the verdict nor of what the level is shared by."""
    columns = {"err": "test.error", "spread": "test.error", "none": "test.loss"}
    given = {"columns": columns, "units": {"err": "%", "spread": "%"}, "over_runs": {"spread": "deviation"}}
    finding = of_b(LOW, {"err": "1.1", "spread": "0.9", "none": "-"}, **given)
    assert finding.verdict is Verdict.HOLDS
    assert "spread, none: no mean, beside ours but not compared" in finding.conditions
    alone = of_b(LOW).routes[0].figures["table"]["cells"]["err"]
    assert finding.routes[0].figures["table"]["cells"]["err"]["expected_within"] == alone["expected_within"]
    assert of_b(LOW, {"none": "-"}, **given).verdict is Verdict.UNDECIDED


def test_a_table_that_prints_one_number_finds_none_again():
    """There is no range to take a margin from."""
    rows = (Variant(name="A"), Variant(name="B = ∞", printed={"err": "1.1"}))
    experiment = made(variants=rows)
    assert (
        tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": LOW}))[1].verdict is Verdict.UNDECIDED
    )


def test_rows_are_falsely_judged_seldom():
    """Printed means of the same law, of as many runs as said: refuted at most as often as the level; printed numbers
    at the margin away: found again at most as often."""
    rng = np.random.default_rng(4)
    refuted = again = 0
    tables_ = 100
    for _ in range(tables_):
        printed = {f"R{k}": f"{100 * rng.normal(0.03, 0.002, size=3).mean():.2f}" for k in range(3)} | {"far": "9.00"}
        margin = 0.25 * (9 - min(map(float, printed.values())))
        rows = tuple(Variant(name=name, printed={"err": cell}) for name, cell in printed.items())
        experiment = made(
            variants=rows, expectations=(), scales={"paper": Scale(data="digits", seeds=5)}, printed_runs=3
        )
        values = {name: rng.normal(0.03, 0.002, size=5) for name in printed if name != "far"}
        found = tables.table(experiment, "paper", runs(experiment, {n: [*map(float, v)] for n, v in values.items()}))
        refuted += any(finding.verdict is Verdict.REFUTED for finding in found)
        away = {name: rng.normal((float(printed[name]) + margin) / 100, 0.002, size=5) for name in values}
        found = tables.table(experiment, "paper", runs(experiment, {n: [*map(float, v)] for n, v in away.items()}))
        again += any(finding.verdict is Verdict.HOLDS for finding in found)
    for wrong in (refuted, again):
        assert stats.binomtest(wrong, tables_, LEVEL, alternative="greater").pvalue > 1e-6


def test_a_claim_has_the_conditions_of_its_rows():
    """Readings of the scale, the rows, the experiment and the data, and the limit of samples; the statement is as read
    here, what holds does so under them, and what is refuted has its pairs."""
    experiment = made(
        decided=("a step size",),
        variants=(Variant(name="A", reading="of A"), Variant(name="B = ∞", samples=32)),
        scales={"paper": Scale(data="digits", seeds=SEEDS, samples=64, reading="of the scale")},
    )

    def claim(a, b):
        found = [f.replace(conditions=("of the data",)) for f in runs(experiment, {"A": a, "B = ∞": b})]
        return next(f for f in tables.table(experiment, "paper", found) if f.check == "paper.expected")

    holds, refuted = claim(HIGH, LOW), claim(LOW, HIGH)
    assert holds.conditions[:-1] == (
        "scale paper: data digits, 32 and 64 samples to train",
        "of the scale",
        "of A",
        "a step size",
        "of the data",
    )
    assert (holds.verdict, holds.strength, holds.witness) == (Verdict.HOLDS_UNDER, "tested", None)
    assert holds.statement == refuted.statement == "B errs less, in this reading."
    assert refuted.verdict is Verdict.REFUTED
    assert refuted.witness == {"seeds": [*range(SEEDS)], "less": HIGH, "more": LOW}


def falling(rng, spread=0.1):
    """A test error that falls with the epochs towards an end of its own."""
    return [*(np.geomspace(0.5, 0.1, 8) + spread * rng.uniform())]


@pytest.mark.parametrize("spread", [0.01, 0.1], ids=["ends-alike", "ends-apart"])
def test_rows_that_are_alike_are_seldom_told_apart_by_their_epochs(spread):
    """Of 60 claims over twelve pairs of exchangeable falling curves at most the level is decided, either way."""
    rng = np.random.default_rng(5)
    wrong = 0
    experiment = made(expectations=sooner("p", ("A", "B = ∞", "")))
    for _ in range(60):
        told = {row: {k: curve_of(falling(rng, spread)) for k in range(12)} for row in ("A", "B = ∞")}
        (finding,) = expected(experiment, "paper", told)
        wrong += finding.verdict is not Verdict.UNDECIDED
    assert stats.binomtest(wrong, 60, LEVEL, alternative="greater").pvalue > 1e-6


def test_a_row_that_is_sooner_at_the_same_level_holds():
    """Half the epochs to the same end; the other way round it is refuted."""
    rng = np.random.default_rng(6)
    slow = {k: falling(rng) for k in range(8)}
    fast = {k: curve_of([*curve[::2], *([curve[-1]] * 4)]) for k, curve in slow.items()}
    told = {"A": fast, "B = ∞": {k: curve_of(curve) for k, curve in slow.items()}}
    for row, rival, verdict in (("A", "B = ∞", Verdict.HOLDS), ("B = ∞", "A", Verdict.REFUTED)):
        (finding,) = expected(made(expectations=sooner("p", (row, rival, ""))), "paper", told)
        assert finding.verdict is verdict
        assert "the larger of the two runs' last test.error" in finding.conditions[-1]


def curve_of(errors):
    return {"cells": {"test.error": errors[-1]}, "curve": {"epoch": [*range(1, 1 + len(errors))], "test.error": errors}}


def test_a_curve_that_ends_in_no_number_leaves_the_epochs_open():
    """There is no level to count to; the message says so."""
    rng = np.random.default_rng(7)
    told = {row: {k: curve_of(falling(rng)) for k in range(8)} for row in ("A", "B = ∞")}
    told["A"][3] = curve_of([*falling(rng)[:-1], float("nan")])
    (finding,) = expected(made(expectations=sooner("p", ("A", "B = ∞", ""))), "paper", told)
    assert finding.verdict is Verdict.UNDECIDED
    assert "no level to count to" in finding.message


def test_a_printed_cell_is_not_judged_at_another_scale():
    """Small runs stand beside the printed number and say nothing of it."""
    experiment = made()
    found = tables.table(experiment, "smoke", runs(experiment, {"A": HIGH, "B = ∞": LOW}, "smoke"))
    assert found[1].verdict is Verdict.UNDECIDED
    assert cell(found)["expected"] is False


def test_a_cell_is_in_the_papers_unit():
    """A share is shown in percent, with the mean, the interval and every run."""
    experiment = made()
    found = cell(tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": LOW})))
    assert found["values"] == [100 * value for value in LOW]
    assert found["low"] < found["mean"] < found["high"]


def test_the_best_run_is_taken_where_the_paper_takes_it():
    """Of an error the least."""
    experiment = made(over_runs={"err": "best"})
    found = cell(tables.table(experiment, "paper", runs(experiment, {"A": HIGH, "B = ∞": LOW})))
    assert found["shown"] == 100 * min(LOW)


def test_findings_are_a_document():
    """Ids are distinct and plain, figures strict JSON, the order of trials is nothing."""
    experiment = made()
    given = runs(experiment, {"A": HIGH, "B = ∞": LOW})
    found = unique(tables.table(experiment, "paper", given))
    assert dumps([f.to_json() for f in found]) == dumps(
        [f.to_json() for f in unique(tables.table(experiment, "paper", given[::-1]))]
    )
