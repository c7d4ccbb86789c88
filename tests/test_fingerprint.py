"""Global state: seeded for every item, watched, and never handed on changed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from engine_items import is_gone, item

from wnverify.finding import Verdict
from wnverify.guard import Pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One light child at a time."""
    with Pool(1) as made:
        yield made


@pytest.fixture(scope="module")
def torch_pool() -> Iterator[Pool]:
    """One child at a time, with torch (and what its optimisers import on first use) warm."""
    with Pool(1, warm=("torch", "torch._dynamo")) as made:
        yield made


@pytest.fixture(scope="module")
def light_torch_pool() -> Iterator[Pool]:
    """Two children with torch: while one is given up, the next is already warm."""
    with Pool(2, warm=("torch",)) as made:
        yield made


def test_random_states_follow_from_the_item_alone(torch_pool: Pool) -> None:
    """Global generators are seeded by the item's id: what ran before does not matter, another id draws otherwise."""
    before = torch_pool.perform(item("draws", "a", arguments={"name": "a"})).findings
    other = torch_pool.perform(item("draws", "b", arguments={"name": "b"})).findings
    after = torch_pool.perform(item("draws", "a", arguments={"name": "a"})).findings
    assert before == after
    numbers = [json.loads(findings[0].message) for findings in (before, other)]
    assert len({*numbers[0], *numbers[1]}) == 6


@pytest.mark.parametrize(
    "what",
    [
        "environment",
        "working directory",
        "warnings.filters",
        "threads",
        "timers",
        "signal handlers",
        "numpy error state",
        "builtins.sum",
        "numpy.linalg.norm",
        "decimal context",
    ],
)
def test_a_child_whose_state_was_altered_is_given_up(pool: Pool, what: str) -> None:
    """The outcome says which global state an item left changed, and the next item runs in another process."""
    before = pool.perform(item("tells_pid")).findings[0].message
    outcome = pool.perform(item("alters", arguments={"what": what}))
    assert outcome.findings[0].verdict == Verdict.PASS
    assert outcome.altered == (what,)
    after = pool.perform(item("tells_pid")).findings[0].message
    assert before != after
    assert is_gone(int(before))


@pytest.mark.parametrize(
    "what",
    [
        ("torch default dtype",),
        ("torch.nn.functional.linear",),
        ("torch.Tensor.add",),
        (
            "torch grad mode",
            "torch deterministic algorithms",
            "torch autocast",
            "torch anomaly mode",
            "subnormal numbers",
            "global hooks of torch.nn.modules.module",
        ),
    ],
)
def test_the_next_item_sees_a_clean_torch(light_torch_pool: Pool, what: tuple[str, ...]) -> None:
    """A changed torch setting, a patched function and a patched inherited method do not reach the next item."""
    outcome = light_torch_pool.perform(item("alters_torch", arguments={"changes": what}))
    assert set(what) <= set(outcome.altered)
    assert light_torch_pool.perform(item("sees_torch")).findings[0].message == "torch.float32 3.0 True 1"


def test_ordinary_use_of_torch_alters_nothing(torch_pool: Pool) -> None:
    """A training step, derivatives and scoped settings leave the child as it was: no false alarm."""
    outcome = torch_pool.perform(item("uses_torch"))
    assert (outcome.findings[0].verdict, outcome.altered) == (Verdict.PASS, ())


def test_a_child_that_an_item_made_import_torch_is_given_up(pool: Pool) -> None:
    """The first import of torch by an item leaves no state to compare with, and a generator that was not seeded."""
    assert "torch imported" in pool.perform(item("imports_torch")).altered


def test_memory_kept_by_an_item_is_not_charged_to_the_next(pool: Pool) -> None:
    """A child that an item left large is given up, so that the limit of the next item is its own."""
    assert pool.perform(item("keeps_memory")).altered == ("resident memory",)
    assert pool.perform(item("eats_memory", memory_mib=400)).findings[0].verdict == Verdict.ERROR
    assert pool.perform(item("passes")).findings[0].message == "fine"
