"""The work item: checked when it is made, and able to travel."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from engine_items import item

from wnverify.guard import WorkItem


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"function": "no_colon"}, ValueError, "function must be 'package.module:name'; got 'no_colon'"),
        ({"function": "a:b:c"}, ValueError, "function must be"),
        ({"id": "method/engine/x"}, ValueError, "id must be"),
        ({"kind": "song"}, ValueError, "kind must be one of"),
        ({"timeout_s": 0.0}, ValueError, "timeout_s must be a positive number; got 0.0"),
        ({"timeout_s": float("inf")}, ValueError, "timeout_s must be a positive number"),
        ({"memory_mib": -1}, ValueError, "memory_mib must be a positive number"),
        ({"requires": "check/engine/y"}, ValueError, "requires must be a tuple of ids of other items"),
        ({"requires": ("check/engine/x",)}, ValueError, "requires must be a tuple of ids of other items"),
        ({"arguments": {"f": lambda: 0}}, TypeError, r"arguments must be plain data .* got {'f': 'function'}"),
        ({"arguments": {1: 2}}, TypeError, "arguments must have names as keys"),
    ],
)
def test_a_work_item_names_what_is_wrong_with_it(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """Bad input to a WorkItem is refused at once, by an error that names the argument and what came."""
    good: dict[str, Any] = {
        "id": "check/engine/x",
        "function": "engine_items:passes",
        "kind": "check",
        "subject": "engine",
        "check": "x",
        "statement": "s",
    }
    WorkItem(**good)
    with pytest.raises(error, match=words):
        WorkItem(**(good | changes))


def test_a_work_item_travels_and_does_not_follow_its_callers_mapping() -> None:
    """A WorkItem survives pickling, and a later change of the mapping it was made from is not seen."""
    arguments = {"name": "a"}
    made = item("passes", arguments=arguments)
    arguments["name"] = "b"
    assert pickle.loads(pickle.dumps(made)) == made
    assert made.arguments == {"name": "a"}
