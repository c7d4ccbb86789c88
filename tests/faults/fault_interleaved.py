"""A second opinion on threads: before every line of a variant's code another thread runs a whole call."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import wnverify.faults

PLACE = os.path.dirname(wnverify.faults.__file__) + os.sep
First = TypeVar("First")
Second = TypeVar("Second")


def interleaved(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, list[Second], bool]:
    """What ``first`` gives, what every ``second`` between its lines gives, and whether one of those raised."""
    found: list[Second] = []
    started: list[threading.Thread] = []

    def between(frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PLACE):
            return None
        if event == "line":
            started.append(threading.Thread(target=lambda: found.append(second())))
            started[-1].start()
            started[-1].join()
        return between

    before = sys.gettrace()
    sys.settrace(between)
    try:
        out = first()
    finally:
        sys.settrace(before)
    return out, found, len(found) < len(started)
