"""What the checks of one subject share: where it is looked at, in which mode, and what it refused."""

from __future__ import annotations

import torch
from audited import spec_of, subject_of
from torch import nn

from wnverify.auditing.context import Context, first_line
from wnverify.auditing.points import generic, randn
from wnverify.auditing.subject import Subject


def context(live, **settings):
    return Context(Subject(spec_of(live)) if not isinstance(live, str) else subject_of(live), seed=0, **settings)


class Wide(nn.Module):
    DOMAIN = {"rows_le_cols": True}  # noqa: RUF012

    def forward(self, V):
        return 1.0 * V


class Choosy(nn.Module):
    """Refuses odd sizes, gives NaN for squares, another shape for tall weights, another dtype for one row."""

    def forward(self, V):
        n, d = V.shape
        if (n, d) == (3, 5):
            raise ValueError("three rows are too few\nand five columns too many")
        if n == d:
            return V / 0 * 0
        if n > d:
            return V[:-1]
        return V.float() if n == 1 else V.clone()


class Iterates(nn.Module):
    """Moves its state at every call in training."""

    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.float64))

    def forward(self, V):
        if self.training:
            self.steps += 1
        return V / (1 + self.steps)


def test_points_outside_the_domain_are_left_out_with_the_reason():
    """Every shape is looked at, or stands in ``refused``."""
    look = context(Wide())
    assert [point.name for point in look.generic_points()] == ["3x5", "5x12", "4x4", "1x6", "70x134"]
    assert look.refused == {"7x3": "outside the stated domain (rows_le_cols: 7 rows, 3 columns)"}


def test_what_the_forward_does_not_take_is_left_out_with_the_reason():
    """Errors, non-finite numbers, other shapes and dtypes are each said in words, the first line only."""
    look = context(Choosy())
    assert [point.name for point in look.generic_points()] == ["5x12", "70x134"]
    assert look.refused == {
        "3x5": "ValueError: three rows are too few",
        "4x4": "the output is not finite",
        "7x3": "the output is torch.float64 of shape (6, 3)",
        "1x6": "the output is torch.float32 of shape (1, 6)",
    }


def test_a_quick_audit_looks_at_three_small_shapes():
    """Wide, square and tall."""
    assert [point.name for point in context("kinds.py:Plain", quick=True).generic_points()] == ["3x5", "4x4", "7x3"]


def test_the_small_point_is_the_first_that_can_be_used():
    """5x12 where it is taken, another one otherwise, None where none is."""
    assert context("kinds.py:Plain").small_point().name == "5x12"
    assert context(Wide()).small_point().name == "5x12"
    assert context(lambda V: V.clone() if V.shape[0] == 7 else V[:1]).small_point().name == "7x3"
    assert context(lambda V: V[0]).small_point() is None


def test_a_changing_forward_is_looked_at_in_eval_mode():
    """A moving state is met in eval mode, and the note says so."""
    look = context(Iterates())
    assert not look.repeatable_in_training
    assert look.mode_note is not None
    assert "eval mode" in look.mode_note
    assert not look.build(randn(3, 5, seed=1)).module.training


def test_a_forward_that_changes_from_the_second_call_on_is_seen():
    """Three calls are compared, since a first call may set what the second moves."""

    class Lazy(Iterates):
        def forward(self, V):
            if self.training:
                self.steps += 1
            return V / self.steps.clamp_min(2)

    assert not context(Lazy()).repeatable_in_training


def test_an_ordinary_forward_is_looked_at_in_training_mode():
    """Training is where gradients are taken."""
    look = context("kinds.py:Plain")
    assert look.mode_note is None
    assert look.build(randn(3, 5, seed=1)).module.training


def test_a_subject_that_takes_nothing_counts_as_repeatable():
    """There is nothing to compare; the forward's own check says what is wrong."""
    assert context(lambda V: V.no_such_method()).repeatable_in_training


def test_a_point_keeps_the_weight_that_it_was_built_for():
    """Where registration maps to other coordinates V and weight differ, elsewhere not."""
    (point,) = context("kinds.py:Pair").usable([generic((3, 5), 0)])
    assert torch.equal(point.V, point.weight)
    look = context("kinds.py:logarithm_on_a_layer")
    (moved,) = look.usable([generic((3, 5), 0)])
    assert torch.equal(moved.V, torch.asinh(moved.weight))
    assert torch.equal(moved.weight, generic((3, 5), 0).V)


def test_seeds_depend_on_run_subject_and_case():
    """The same question has the same seed; another run, subject or case another."""
    first = context("kinds.py:Plain")
    seeds = [
        first.seed_for("a", 1),
        first.seed_for("a", 2),
        Context(subject_of("kinds.py:Plain"), seed=1).seed_for("a", 1),
        context("kinds.py:Pair").seed_for("a", 1),
    ]
    assert len(set(seeds)) == 4
    assert context("kinds.py:Plain").seed_for("a", 1) == seeds[0]


def test_the_first_line_of_an_error_is_short():
    """Long texts are cut, empty ones said to be empty."""
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "(no message)"
    assert len(first_line(ValueError("x" * 999))) == 200
