"""Many seeds: a false alarm at one of them is found, a threshold that is too low is found, sound checks stay silent."""

from __future__ import annotations

import math

import pytest
from audited import subject_of

from wnverify.auditing.calibration import FIRST, Tally, calibrated, caught_again, judged, seeds_for, tally
from wnverify.auditing.context import Context
from wnverify.auditing.points import randn
from wnverify.auditing.registry import Check, checks
from wnverify.auditing.selftest import CALIBRATION, QUICK_SEEDS, RESEEDED, rejudgement, selftest_items
from wnverify.auditing.selftest import SEEDS as MANY_SEEDS
from wnverify.auditing.subject import Subject
from wnverify.auditing.target import parse_target
from wnverify.faults.catalogue import Fault, faults, right_variants
from wnverify.finding import Verdict
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, ErrorModel, Ratio, unit_roundoff

SEEDS = range(1, 201)
NAME = {"id": "check/selftest/selftest.calibration/x", "statement": "?", "check": CALIBRATION}


def look_at(target: str, **said: object) -> Context:
    return Context(subject_of(target, **said), seed=0, quick=True, shrink=False, sampled=True, weights=len(SEEDS))


def seen(check: str, target: str, **said: object) -> Tally:
    return tally(checks()[check], look_at(target, **said), SEEDS, hazard_listed=False)


def gaussian(deviations: float) -> Check:
    """A check of one comparison, whose error is Gaussian and whose threshold lies that many deviations away."""

    def run(look: Context, sheet) -> None:
        error = abs(float(randn(1, seed=look.seed_for("error")))) * unit_roundoff("float64")
        model = ErrorModel(deviations * unit_roundoff("float64"), "Gaussian")
        sheet.compare("one", Ratio(error, 1.0, model), "too much")

    return Check(id="property.gaussian", asks="?", run=run, requires=(), needs=(), quick=True)


def test_an_error_at_a_few_of_many_seeds_is_found():
    """A variant that is wrong for rare weights only is accused at those seeds, and each alarm names its seed."""
    found = seen("property.unit_norm_rows", "chancy.py:WrongForOneInMany")
    assert 0 < len({alarm.seed for alarm in found.alarms}) < len(SEEDS) // 4
    assert found.seeds == len(SEEDS)
    again = checks()["property.unit_norm_rows"]
    seed = found.alarms[0].seed
    (alarm,) = tally(again, look_at("chancy.py:WrongForOneInMany"), [seed], hazard_listed=False).alarms[:1]
    assert (alarm.seed, alarm.verdict) == (seed, Verdict.FAIL)


def test_the_same_check_is_silent_on_the_right_one():
    """Under the same seeds a right variant is not accused, and its comparisons stay within their model."""
    found = seen("property.unit_norm_rows", "chancy.py:Unit")
    assert (found.alarms, found.beyond) == ([], [])
    assert found.comparisons >= len(SEEDS)
    assert 0 < found.largest <= 1


def test_a_threshold_of_too_small_a_budget_is_found_and_the_declared_one_is_kept():
    """Two deviations are passed by one comparison in twenty; those of the declared budget by none."""
    low = tally(gaussian(2.0), look_at("chancy.py:Unit"), SEEDS, hazard_listed=False)
    assert 1 <= len(low.beyond) <= 30
    enough = math.sqrt(2 * math.log(2 / FALSE_ALARM_BUDGET))
    assert tally(gaussian(enough), look_at("chancy.py:Unit"), SEEDS, hazard_listed=False).beyond == []


def test_what_rests_on_no_chance_is_not_asked_many_times():
    """Exact agreement at the first seeds ends it; what draws nothing is asked once."""
    exact = seen("contract.state", "chancy.py:Unit")
    assert (exact.seeds, exact.chance) == (FIRST, False)
    assert seen("edge.empty", "chancy.py:Unit").seeds == 1


def test_one_trace_takes_all_the_weights():
    """A check that maps a stack of weights is run once, with one weight for each seed."""
    found = seen("execution.vmap", "chancy.py:Unit")
    assert found.seeds == len(SEEDS)
    assert found.comparisons >= 2 * len(SEEDS)


@pytest.mark.parametrize(
    ("name", "check", "count"),
    [
        ("onto-spectral-ball", "property.euclidean_projection", 60),
        ("onto-spectral-ball", "precision.forward", 60),
        ("capped-absolute", "gradient.sizes", 20),
        ("power-iteration-cloned", "execution.vmap", 200),
        ("onto-l1-ball", "edge.large_mean", 60),
        ("onto-simplex", "precision.float64", 60),
    ],
)
def test_models_that_were_once_too_tight_are_kept(name, check, count):
    """A border met to the last digit, rows of very different length, many kinks, a map that one instance has and
    another has not: every comparison stays within its model."""
    row = next(row for row in right_variants() if row.name == name)
    look = Context(Subject(parse_target(row.target, {}, {})), seed=0, quick=True, sampled=True, weights=count)
    found = tally(checks()[check], look, range(1, 1 + count), hazard_listed=check in row.hazards)
    assert (found.alarms, found.beyond) == ([], [])
    assert found.comparisons > 0


def test_a_sampled_look_takes_one_weight_and_other_seeds_another():
    """One generic point instead of all; over many seeds every shape has its turn."""
    whole = Context(subject_of("chancy.py:Unit"), seed=0, quick=True)
    look = look_at("chancy.py:Unit")
    shapes = {point.name for seed in range(40) for point in look.reseeded(seed).generic_points()}
    assert shapes == {point.name for point in whole.generic_points()}
    assert len(look.generic_points()) == 1
    assert len(look.generic_points(every=True)) == len(whole.generic_points()) == 3


def test_a_check_that_raises_is_an_alarm():
    """What a check does not expect must not look like silence."""

    def run(look: Context, sheet) -> None:
        raise RuntimeError(f"at {look.seed}")

    broken = Check(id="property.broken", asks="?", run=run, requires=(), needs=(), quick=True)
    found = tally(broken, look_at("chancy.py:Unit"), range(3, 6), hazard_listed=False)
    assert [(alarm.seed, alarm.verdict) for alarm in found.alarms] == [(k, Verdict.ERROR) for k in (3, 4, 5)]


def test_fewer_seeds_for_what_calls_very_many_operators():
    """A cheap subject gets them all, an iteration with hundreds of operators a part."""
    assert len(seeds_for(subject_of("chancy.py:Unit"), 0, 200)) == 200
    dear = next(row for row in right_variants() if row.name == "polar-newton-schulz")
    assert FIRST <= len(seeds_for(Subject(parse_target(dear.target, {}, {})), 0, 200)) < 100


@pytest.mark.parametrize(
    ("tallies", "verdict"),
    [
        ({"property.odd": Tally(seeds=9, comparisons=9, chance=True)}, Verdict.PASS),
        ({"property.odd": Tally(seeds=9, comparisons=0)}, Verdict.INCONCLUSIVE),
        ({"property.odd": Tally(comparisons=9, chance=True, beyond=[(4, "3x5", 1.5)])}, Verdict.INCONCLUSIVE),
    ],
    ids=["within", "nothing compared", "beyond the model"],
)
def test_the_finding_is_no_pass_unless_every_comparison_was_within_its_model(tallies, verdict):
    """Nothing compared, or a threshold passed without an accusation, decides nothing."""
    subject = subject_of("chancy.py:Unit")
    found = judged(subject, range(1, 10), tallies, **NAME)
    assert found.verdict is verdict
    assert ("seed 4, 3x5: ratio 1.5" in found.message) == bool(tallies["property.odd"].beyond)


def test_the_finding_of_a_false_alarm_fails_and_can_be_replayed():
    """The message names check and seed, the replay is the audit of that check under that seed."""
    subject = subject_of("chancy.py:WrongForOneInMany")
    checked = [checks()["property.unit_norm_rows"]]
    seeds, tallies = calibrated(subject, checked, (), seed=0, most=200)
    found = judged(subject, seeds, tallies, **NAME)
    (alarm, *_) = tallies["property.unit_norm_rows"].alarms
    assert found.verdict is Verdict.FAIL
    assert f"property.unit_norm_rows says fail at seed {alarm.seed}" in found.message
    assert f"--check property.unit_norm_rows --seed {alarm.seed}" in found.replay


def test_none_of_n_is_given_with_its_bound_and_the_declared_number():
    """1 − 0.05^(1/N) beside the budget times N."""
    found = judged(subject_of("chancy.py:Unit"), [1, 2], {"a.b": Tally(comparisons=400, chance=True)}, **NAME)
    figures = found.routes[0].figures
    assert figures["expected_false_alarms"] == 400 * FALSE_ALARM_BUDGET
    bound = 1 - 0.05 ** (1 / 400)
    rounded = ErrorModel(1000 * unit_roundoff("float64"), "of one, beside which the bound is a hundredth")
    assert Ratio(abs(figures["alarm_rate_at_most"] - bound), bound, rounded).value <= 1


FAULT = Fault("a-fault", "m:F", "gradient.vjp")


@pytest.mark.parametrize(
    ("verdicts", "verdict", "caught"),
    [
        ({1: "fail", 2: "fail"}, Verdict.PASS, 2),
        ({1: "fail", 2: "pass"}, Verdict.HAZARD, 1),
        ({1: "inconclusive", 2: "pass"}, Verdict.FAIL, 0),
        ({}, Verdict.PASS, 0),
    ],
    ids=["every seed", "some seeds", "no seed", "draws nothing"],
)
def test_a_fault_is_to_be_caught_under_every_seed(verdicts, verdict, caught):
    """Caught by luck is a hazard, never again a failure."""
    found = rejudgement(FAULT, verdicts)
    assert (found.verdict, found.routes[0].figures["caught"]) == (verdict, caught)
    assert ("pass at seed 2" in found.message) == (verdicts.get(2) == "pass")


def test_a_fault_is_looked_at_again_whole():
    """A constant miss is caught at each of the seeds, a check that draws nothing has nothing to say."""
    subject = subject_of("chancy.py:WrongForOneInMany", declare={"l1_rows_le": 0.5})
    assert caught_again(checks()["property.l1_rows_le"], subject, [1, 2]) == {1: "fail", 2: "fail"}
    assert caught_again(checks()["edge.empty"], subject, [1, 2]) == {}


def test_the_selftest_plans_a_calibration_of_every_right_variant_and_a_sample_of_the_faults():
    """Each right variant once, every fourth fault; fewer seeds in a quick run, and more time than for one seed."""
    items = selftest_items(timeout_s=10.0)
    planned = {check: [item for item in items if item.check == check] for check in (CALIBRATION, RESEEDED)}
    assert {item.arguments["name"] for item in planned[CALIBRATION]} == {row.name for row in right_variants()}
    assert len(planned[RESEEDED]) == -(-sum(not fault.shards for fault in faults()) // 4)
    assert {item.timeout_s for item in planned[CALIBRATION]} == {50.0}
    quick = [item for item in selftest_items(quick=True) if item.check == CALIBRATION]
    assert {item.arguments["seeds"] for item in quick} == {QUICK_SEEDS}
    assert {item.arguments["seeds"] for item in planned[CALIBRATION]} == {MANY_SEEDS}
    assert MANY_SEEDS > QUICK_SEEDS
