"""Two threads that take turns line by line, so that what they share is seen half written, the same way each time.

Left to the interpreter a race shows once in a thousand runs.  Here every line of foreign Python gives the turn to the
other thread, so that each line of the one runs between two lines of the other; a head start moves the one ahead.  What
happens inside one line is not split.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Generic, TypeVar

import torch

PATIENCE: Final = 0.5
"""Seconds after which a thread that does not come back is taken to wait for a lock: then both run freely."""
OURS: Final = tuple(
    os.path.realpath(place) + os.sep
    for place in (os.path.dirname(torch.__file__), os.path.dirname(__file__), sysconfig.get_paths()["stdlib"])
)
FOREIGN: Final = tuple(os.path.realpath(sysconfig.get_paths()[name]) + os.sep for name in ("purelib", "platlib"))
Result = TypeVar("Result")


def in_lockstep(first: Callable[[], Result], second: Callable[[], Result], *, head_start: int) -> list[Result]:
    """The results of both, run in two threads that alternate by lines; the first error that either raised is raised.

    ``head_start``: lines that the first runs before the second begins.
    """
    turnstile = _Turnstile(head_start)
    both = [_Runner(index, work, turnstile) for index, work in enumerate((first, second))]
    for runner in both:
        runner.start()
    for runner in both:
        runner.join()
    for runner in both:
        if runner.error is not None:
            raise runner.error
    return [result for runner in both for result in runner.result]


class _Turnstile:
    """Whose line comes next."""

    def __init__(self, head_start: int) -> None:
        self._condition = threading.Condition()
        self._head_start = head_start
        self._turn = 0
        self._done = [False, False]
        self._free = False

    def enter(self, me: int) -> None:
        with self._condition:
            self._wait(me)

    def line(self, me: int) -> None:
        with self._condition:
            if me == 0 and self._head_start > 0:
                self._head_start -= 1
                return
            self._turn = 1 - me
            self._condition.notify_all()
            self._wait(me)

    def leave(self, me: int) -> None:
        with self._condition:
            self._done[me] = True
            self._condition.notify_all()

    def _wait(self, me: int) -> None:
        def may_go() -> bool:
            return self._free or self._turn == me or self._done[1 - me]

        if not self._condition.wait_for(may_go, timeout=PATIENCE):
            self._free = True
            self._condition.notify_all()


class _Runner(threading.Thread, Generic[Result]):
    def __init__(self, index: int, work: Callable[[], Result], turnstile: _Turnstile) -> None:
        super().__init__(name=f"lockstep-{index}", daemon=True)
        self.index = index
        self.work = work
        self.turnstile = turnstile
        self.result: list[Result] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        torch.set_num_threads(1)  # a setting of each thread
        self.turnstile.enter(self.index)
        sys.settrace(self._call)
        try:
            self.result.append(self.work())
        except BaseException as error:  # handed over to the thread that waits
            self.error = error
        finally:
            sys.settrace(None)
            self.turnstile.leave(self.index)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        file = os.path.realpath(frame.f_code.co_filename)
        known = file.startswith(OURS) and not (file.startswith(FOREIGN) and not file.startswith(OURS[:2]))
        return None if known else self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.turnstile.line(self.index)
        return self._line
