"""Paired tests over seeds: p-values counted by hand, false verdicts no more often than the level says."""

import doctest
import itertools

import numpy as np
import pytest
from scipy import stats

from wnverify.experiments import statistics
from wnverify.experiments.statistics import holm, interval, least_pairs, paired, verdicts
from wnverify.finding import Verdict


def test_signs_are_counted():
    """Against all assignments of signs, written out."""
    difference = [0.5, -0.25, 1.0, 2.0]
    sums = [
        sum(s * abs(d) for s, d in zip(signs, difference, strict=True))
        for signs in itertools.product((1, -1), repeat=4)
    ]
    seen = paired(difference, [0.0] * 4)
    assert seen.p_greater == sum(value >= sum(difference) for value in sums) / 16
    assert seen.p_less == sum(value <= sum(difference) for value in sums) / 16


def test_the_library_s_exact_test_agrees():
    """SciPy's permutation test over samples, for both directions."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(8), rng.standard_normal(8)
    seen = paired(a, b)
    for side, p in (("less", seen.p_less), ("greater", seen.p_greater)):
        right = stats.permutation_test(
            (a - b,), np.mean, permutation_type="samples", alternative=side, n_resamples=np.inf
        )
        assert p == right.pvalue


def test_fifteen_pairs_are_still_gone_through():
    """Against SciPy's permutation test over all 2^15 assignments, with zeros among the differences."""
    a = np.random.default_rng(1).standard_normal(15) + 0.4
    a[:4] = 0
    seen = paired(a, np.zeros(15))
    for side, p in (("less", seen.p_less), ("greater", seen.p_greater)):
        right = stats.permutation_test((a,), np.mean, permutation_type="samples", alternative=side, n_resamples=np.inf)
        assert p == right.pvalue


@pytest.mark.parametrize("pairs", [2, 15, 25])
def test_differences_that_are_all_zero_decide_nothing(pairs):
    """Both p-values are 1, and Holm's procedure goes on with the others."""
    none = paired(np.ones(pairs), np.ones(pairs))
    assert (none.p_less, none.p_greater) == (1.0, 1.0)
    clear = paired(np.arange(10) * 0.01, np.arange(10) * 0.01 + 1)
    assert verdicts([none, clear]) == [Verdict.UNDECIDED, Verdict.HOLDS]


def test_many_pairs_are_drawn():
    """With 25 pairs p is (b + 1) / (m + 1): the same again, near the exact value, and for the clearest difference
    1 / (m + 1) and 1, never 0."""
    drawn = statistics.DRAWN + 1
    a = np.random.default_rng(1).standard_normal(25) * 2.0**-1 + 0.2
    seen = paired(a, np.zeros(25))
    assert seen == paired(a, np.zeros(25))
    size = np.abs(a)
    exact, wide = np.zeros(1), np.zeros(1)
    for k in range(25):
        exact, wide = (
            np.concatenate((x - size[k], x + size[k])) if k % 2 == at else x for at, x in ((0, exact), (1, wide))
        )
    wide.sort()
    # Every one of the 2^25 sums is one of each half: counted without making them.
    right = sum(len(wide) - np.searchsorted(wide, a.sum() - x - 2.0**-40) for x in exact) / 2**25
    assert abs(seen.p_greater - right) <= 6 * np.sqrt(right * (1 - right) / drawn)
    clear = paired(np.full(25, 1.0), np.zeros(25))
    assert clear.p_greater == 1 / drawn
    assert clear.p_less == 1.0


def test_false_verdicts_of_many_pairs_are_rare():
    """Of 40 comparisons of 21 coarse differences without a mean at most the level is decided wrongly."""
    rng = np.random.default_rng(3)
    wrong = sum(
        verdicts([paired(rng.integers(-1, 2, size=21), np.zeros(21))]) != [Verdict.UNDECIDED] for _ in range(40)
    )
    assert stats.binomtest(wrong, 40, statistics.LEVEL, alternative="greater").pvalue > 1e-6


def test_the_interval_is_student_s():
    """Mean, interval, deviation, median and best, against SciPy."""
    values = [1.0, 4.0, 2.0, 8.0]
    seen = interval(values, best="largest")
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (seen.mean, seen.median, seen.best, seen.runs) == (3.75, 3.0, 8.0, 4)
    assert abs(seen.low - low) + abs(seen.high - high) <= 2.0**-48


def test_one_run_says_nothing():
    """A single run has an infinite interval and makes no pair."""
    assert interval([3.0]).high == np.inf
    with pytest.raises(ValueError, match="two at least"):
        paired([1.0], [2.0])
    with pytest.raises(ValueError, match="finite"):
        paired([1.0, np.nan], [2.0, 1.0])


def test_clear_differences_are_decided():
    """Ten runs all smaller hold, all larger refute, mixed ones stay open."""
    low, high = np.arange(10) * 0.01, np.arange(10) * 0.01 + 1
    mixed = low + 0.5 * (-1.0) ** np.arange(10)
    assert verdicts([paired(low, high), paired(high, low), paired(low, mixed)]) == [
        Verdict.HOLDS,
        Verdict.REFUTED,
        Verdict.UNDECIDED,
    ]


def test_few_runs_cannot_decide():
    """With five pairs the smallest p is 1/32: corrected for both directions nothing is decided."""
    assert verdicts([paired(np.zeros(5), np.ones(5))]) == [Verdict.UNDECIDED]


@pytest.mark.parametrize("claims", [1, 3, 5])
def test_the_least_number_of_runs(claims):
    """With the least number of pairs, all of one sign, a claim holds; with one less nothing is decided."""
    for pairs, verdict in ((least_pairs(claims), Verdict.HOLDS), (least_pairs(claims) - 1, Verdict.UNDECIDED)):
        seen = paired([0.0] * pairs, [1.0] * pairs)
        even = paired([0.0] * pairs, [(-1.0) ** k for k in range(pairs)])
        assert verdicts([seen, *[even] * (claims - 1)])[0] is verdict


def test_false_verdicts_are_rare():
    """Of 400 families of four claims without any difference at most the level is decided wrongly."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(400):
        family = [paired(rng.standard_normal(8), rng.standard_normal(8)) for _ in range(4)]
        wrong += any(verdict is not Verdict.UNDECIDED for verdict in verdicts(family))
    assert stats.binomtest(wrong, 400, statistics.LEVEL, alternative="greater").pvalue > 1e-6


def test_holm_steps_down():
    """The published example of the procedure, and ties."""
    assert holm([0.005, 0.011, 0.02, 0.04, 0.13]) == [0.025, 0.044, 0.06, 0.08, 0.13]
    assert holm([0.5, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_examples_run():
    """The docstrings' examples."""
    assert doctest.testmod(statistics).failed == 0
