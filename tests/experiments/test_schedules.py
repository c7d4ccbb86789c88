"""Learning rates over a run."""

import math

import pytest

from wnverify.experiments.training.schedules import Schedule


def test_steps_are_taken_at_the_milestones():
    """Norm loss' ResNet-110: a tenth from epoch 82, a hundredth from 123."""
    schedule = Schedule("step", milestones=(82, 123))
    assert [schedule.at(epoch, 164) for epoch in (0, 81.9, 82, 122, 123, 163)] == [1, 1, 0.1, 0.1, 0.1**2, 0.1**2]


def test_cosine_goes_from_one_to_zero():
    """One at the start, one half in the middle, zero at the end, symmetric about the middle."""
    schedule = Schedule("cosine")
    assert (schedule.at(0, 200), schedule.at(200, 200)) == (1.0, 0.0)
    assert abs(schedule.at(100, 200) - 0.5) < 2.0**-50
    assert abs(schedule.at(30, 200) + schedule.at(170, 200) - 1) < 2.0**-50


def test_exponential_ends_at_its_end():
    """Equal factors over equal spans."""
    schedule = Schedule("exponential", end=0.01)
    assert schedule.at(10, 10) == 0.01
    assert math.isclose(schedule.at(5, 10), 0.1, rel_tol=2.0**-50)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "linear"}, "kind must be one of"),
        ({"kind": "step", "milestones": (5, 3)}, "rising order"),
        ({"kind": "step", "milestones": (0,)}, "positive"),
        ({"factor": 0.0}, "factor must be above 0"),
        ({"end": 2.0}, "end must be above 0 and at most 1"),
    ],
    ids=["kind", "order", "zero", "factor", "end"],
)
def test_a_wrong_schedule_is_told(arguments, said):
    """The message names the argument."""
    with pytest.raises(ValueError, match=said):
        Schedule(**arguments)
