"""Weights that are distributed over processes are mapped as whole ones, and what is not is told."""

from __future__ import annotations

import os
import re

import pytest

from wnverify.finding import Verdict
from wnverify.numerics import sharding
from wnverify.numerics.sharding import sharded
from wnverify.numerics.shards import trial
from wnverify.numerics.shards.group import AloneError, Group, LostError
from wnverify.numerics.shards.kept import groups

WAYS = ("shard0", "shard1", "replicate", "fsdp", "ddp")


@pytest.fixture(scope="module", autouse=True)
def two_processes():
    with groups(2) as asked:
        yield asked


def verdicts(findings):
    return {finding.check.removeprefix("sharding."): finding.verdict for finding in findings}


@pytest.mark.parametrize("method", ["weight_normalization", "norm_loss", "oblique_manifold"])
def test_a_method_of_each_kind_is_the_same_under_every_way_of_distributing(method):
    """Value, gradient and step of every process are those of the whole weight; the id names way and world."""
    found = sharded([method], quick=True)
    assert verdicts(found) == dict.fromkeys(WAYS, Verdict.PASS)
    assert [finding.id for finding in found] == [f"method/{method}/sharding.{way}/world=2" for way in WAYS]
    for finding in found:
        assert {"value", "columns"} & {route.figures["of"] for route in finding.routes}
        assert {"gradient", "step"} <= {route.figures["of"] for route in finding.routes}
        assert all(route.ratio <= 1 for route in finding.routes)


UNEVEN = ((4, 3, 3), (2, 5, 2, 3))


@pytest.mark.parametrize("method", ["weight_normalization", "norm_loss", "stiefel_layer"])
def test_kernels_that_are_cut_unevenly_are_the_whole_ones(method, monkeypatch):
    """Three or five input channels over two processes: value, gradient and step are right, nothing is refused."""
    monkeypatch.setattr(sharding, "SHAPES", UNEVEN)
    monkeypatch.setattr(trial, "WAYS", ("shard1",))
    (found,) = sharded([method], quick=True)
    assert found.verdict is Verdict.PASS, found.message
    assert {"value", "gradient", "step"} <= {route.figures["of"] for route in found.routes}
    for route in found.routes:
        assert route.ratio <= 1
        assert {"4x3x3 float64", "2x5x2x3 float64"} <= set(route.figures["cases"])


def test_a_map_that_flattens_what_is_cut_unevenly_is_refused_by_torch(monkeypatch):
    """Without copies first PyTorch refuses the view: unsupported, with its words."""
    monkeypatch.setattr(sharding, "SHAPES", UNEVEN)
    monkeypatch.setattr(sharding, "MAKER", "rank_actions:flattened")
    monkeypatch.setattr(trial, "WAYS", ("shard1",))
    (found,) = sharded(["weight_normalization"], quick=True)
    assert found.verdict is Verdict.UNSUPPORTED
    assert re.search("not evenly divisible|Sharding propagation failed for Op.*view", found.message)


def test_what_is_gathered_is_a_figure():
    """The columns of a weight are not gathered for its rows' norms, which are summed over the processes."""
    by_columns = sharded(["weight_normalization"], quick=True)[1]
    figures = by_columns.routes[0].figures["cases"]["5x12 float64"]
    assert figures["placement"] == "S(1)"
    assert figures["collectives"]["all_reduce"] >= 1
    assert figures["gathered_bytes"] == 0 < figures["weight_bytes"]


def test_a_norm_of_the_local_part_fails_where_rows_are_cut_and_nowhere_else(monkeypatch):
    """By columns the norm is off by about the root of two; by rows and in copies it is right."""
    monkeypatch.setattr(sharding, "MAKER", "rank_actions:local_norm")
    found = sharded(["weight_normalization"], quick=True)
    assert verdicts(found) == {**dict.fromkeys(WAYS, Verdict.PASS), "shard1": Verdict.FAIL}
    assert "worst in the" in found[1].message


def test_processes_that_differ_from_each_other_fail(monkeypatch):
    """The worst process decides, not the first."""
    monkeypatch.setattr(sharding, "MAKER", "rank_actions:seeded_by_rank")
    assert verdicts(sharded(["weight_normalization"], quick=True))["replicate"] is Verdict.FAIL


def test_what_every_process_refuses_is_unsupported_with_its_words(monkeypatch):
    """A refusal is no failure, and FSDP2 and DDP, which give the map an ordinary tensor, pass."""
    monkeypatch.setattr(sharding, "MAKER", "rank_actions:refused")
    found = sharded(["weight_normalization"], quick=True)
    assert verdicts(found) == dict(zip(WAYS, [Verdict.UNSUPPORTED] * 3 + [Verdict.PASS] * 2, strict=True))
    assert "NotImplementedError: no rule for it" in found[0].message


def test_a_death_is_told_by_rank_and_nothing_is_left_behind():
    """The exit code and the last words are said; processes and folder are gone, and the group says so."""
    group = Group(2)
    assert group.ask("rank_actions:rank_of", {}) == [{"result": 0}, {"result": 1}]
    folder, pids = group._folder, [process.pid for process in group._processes]
    with pytest.raises(LostError, match=r"rank 1 died: exit code 7; it said 'the last words'"):
        group.ask("rank_actions:dies", {"rank": 1})
    assert group.closed
    assert not os.path.exists(folder)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_a_hang_is_told_by_rank_and_place_of_the_one_that_does_not_wait():
    """Rank 1 waits for rank 0, which sleeps: the second is named."""
    with Group(2, limit_s=3.0) as group, pytest.raises(LostError, match=r"^rank 0 did not .* rank_actions.py:\d+ _sle"):
        group.ask("rank_actions:hangs", {"rank": 0})


def test_what_one_process_raises_alone_is_told_apart_from_what_all_raise():
    """All alike is an answer; alone leaves the others waiting."""
    with Group(2, grace_s=1.0) as group:
        both = group.ask("rank_actions:raises", {"ranks": [0, 1]})
        assert [answer["raised"].partition(" (")[0] for answer in both] == ["ValueError: not here"] * 2
        with pytest.raises(AloneError, match=r"rank 1 raised ValueError: not here.*; rank 0 waited for it"):
            group.ask("rank_actions:raises", {"ranks": [1]})


def test_a_lost_group_is_an_error_that_names_method_and_rank_and_the_next_method_goes_on(monkeypatch, two_processes):
    """What happened to one method does not touch the others."""

    def lost(arguments):
        raise LostError("rank 1 died: signal 9")

    with monkeypatch.context() as patched:
        patched.setattr(two_processes, "run", lost)
        patched.setattr(two_processes, "refused", lambda *_: ("", ""))
        (first, *_) = sharded(["weight_normalization"], quick=True)
    assert first.verdict is Verdict.ERROR
    assert first.message == "weight_normalization at 5x12 float64: rank 1 died: signal 9"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"world": 1}, "world must be a whole number of processes, 2 to 16; got 1"),
        ({"world": True}, "world must be a whole number of processes, 2 to 16; got True"),
        ({"method_ids": ["no_such_method"]}, "got 'no_such_method'"),
        ({"method_ids": ["scale_and_bias"]}, "'scale_and_bias' must be a map of a weight, .* of kind layer"),
    ],
    ids=["one process", "no number", "unknown", "layer"],
)
def test_a_wrong_call_is_refused_before_any_process_is_started(given, said, monkeypatch):
    """The message names the argument and what came."""
    monkeypatch.setattr("wnverify.numerics.shards.kept.Group", None)
    with pytest.raises(ValueError, match=said):
        sharded(**given)
