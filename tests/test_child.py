"""What the child says: the same text in every run."""

from __future__ import annotations

import pytest

from wnverify.child import scrub


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<object at 0x7F3a>", "<object at 0x…>"),
        ("No such file: '/tmp/a b/c.pt'", "No such file: 'c.pt'"),
        ("at /usr/lib/python3/x.py:3", "at x.py:3"),
        ("pid 712, process 33 ended", "pid …, process … ended"),
        ("V/‖V‖ and a/b, shape (3, 4)/2", "V/‖V‖ and a/b, shape (3, 4)/2"),
        ("\ud800", "\\ud800"),
        ("x" * 3000, "x" * 2000 + " …"),
    ],
)
def test_messages_are_scrubbed(text: str, clean: str) -> None:
    """What differs from run to run (directories, addresses, process ids) leaves a message; mathematics stays."""
    assert scrub(text) == clean
