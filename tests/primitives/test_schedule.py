"""Schedules of a penalty's factor."""

import doctest
import pickle
import subprocess
import sys

import pytest

from wnverify.primitives import schedule
from wnverify.primitives.schedule import SRIP, Constant, Dropped, Reduced

ALL = [Constant(0.1), Reduced(0.1, {2: 0.01, 5: 0.0}), Dropped(0.1, 3)]


def test_a_constant_factor():
    """The same at every epoch."""
    assert {Constant(0.25)(epoch) for epoch in range(200)} == {0.25}


def test_a_reduced_factor_changes_at_its_milestones():
    """From each milestone on the factor that stands there, before the first the initial one."""
    found = [Reduced(0.1, {2: 0.01, 5: 0.0})(epoch) for epoch in range(8)]
    assert found == [0.1, 0.1, 0.01, 0.01, 0.01, 0.0, 0.0, 0.0]


def test_a_dropped_factor():
    """The factor before the epoch, 0 from it on; epoch 0: never."""
    assert [Dropped(0.1, 3)(epoch) for epoch in range(5)] == [0.1, 0.1, 0.1, 0.0, 0.0]
    assert Dropped(0.1, 0)(0) == 0.0


def test_the_schedule_of_srip():
    """Bansal, Chen and Wang: 0.1, 1e-3 after 20 epochs, 1e-4 after 50, 1e-6 after 70, 0 after 120."""
    assert [SRIP(epoch) for epoch in (0, 19, 20, 49, 50, 69, 70, 119, 120, 200)] == [
        *(0.1, 0.1, 1e-3, 1e-3, 1e-4, 1e-4, 1e-6, 1e-6, 0.0, 0.0)
    ]


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_a_schedule_is_a_value(rule):
    """Schedules compare and hash by what they say, travel by pickle, give floats, and cannot be changed."""
    again = pickle.loads(pickle.dumps(rule))
    assert again == rule
    assert hash(again) == hash(rule)
    assert isinstance(rule(0), float)
    with pytest.raises(AttributeError):
        rule.value = 3.0


def test_a_schedule_keeps_its_own_milestones():
    """Changing the dictionary afterwards changes nothing."""
    given = {2: 0.01}
    rule = Reduced(0.1, given)
    given[1] = 9.0
    assert rule(1) == 0.1


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Constant(-1.0), ValueError, "value must be finite and at least 0"),
        (lambda: Constant(float("nan")), ValueError, "value must"),
        (lambda: Constant(True), TypeError, "value must be a number"),
        (lambda: Reduced(0.1, {}), ValueError, "at least one epoch"),
        (lambda: Reduced(0.1, {0: 0.0}), ValueError, "milestones must be at least 1"),
        (lambda: Reduced(0.1, {1.5: 0.0}), TypeError, "milestones must be counted"),
        (lambda: Reduced(0.1, {5: 0.0, 2: 0.01}), ValueError, "rising order of epochs; got 5 before 2"),
        (lambda: Reduced(0.1, {2: float("inf")}), ValueError, r"milestones\[2\] must"),
        (lambda: Dropped(0.1, -1), ValueError, "epoch must be at least 0"),
        (lambda: Dropped(0.1, 2.0), TypeError, "epoch must be counted"),
        *((lambda rule=rule: rule(-1), ValueError, "epoch must be at least 0") for rule in ALL),
        *((lambda rule=rule: rule(0.5), TypeError, "epoch must be counted") for rule in ALL),
    ],
)
def test_wrong_arguments_are_refused(make, error, said):
    """What is wrong is named, with what came."""
    # Where annotations are checked at run time a wrong type is refused before, by the name of the argument.
    with pytest.raises(error, match=said if error is ValueError else f"{said}|Type-check error.*parameters"):
        make()


def test_doctests_run():
    """The examples in the docstrings give what they show."""
    assert doctest.testmod(schedule).failed == 0


def test_schedules_know_no_torch():
    """They are plain Python: importing them loads neither torch nor NumPy."""
    program = "import sys, wnverify.primitives.schedule; print({'torch', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
