"""The worker's side of a run on a cluster: whose items it performs, with what code, and when its children end.

A worker process has the children of one run at a time, with that run's import path; the items of another wait until
its own are done.  Children end with the worker process, when their run is over, and when the scheduler no longer
wants what they are at (the client was interrupted, or is gone).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from distributed import WorkerPlugin, get_worker

from wnverify import guard
from wnverify.report.results import environment, source_hash

AGAIN_S: Final = 0.05
"""How often a child of an item that nobody wants is looked for."""


class ForeignCodeError(RuntimeError):
    """The worker would give the findings of other code than the client's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What a worker is told of a run: a name of its own, the folders of the user's modules, the digest of the code."""

    ticket: str
    folders: tuple[str, ...]
    code: str


def code() -> dict[str, str]:
    """What decides a finding beside the machine: the source of this package, Python, and the packages' versions."""
    here = environment()
    versions = {name: str(version) for name, version in here["versions"].items()}
    return {"source of wnverify": source_hash()[:12], "Python": here["python"], **versions}


def machine() -> dict[str, Any]:
    """``code`` and the processor of this worker."""
    return {"code": code(), "cpu": environment()["cpu"]}


@functools.cache
def digest() -> str:
    """SHA-256 of ``code``."""
    return hashlib.sha256(json.dumps(code(), sort_keys=True).encode()).hexdigest()


def folders() -> tuple[str, ...]:
    """The entries of ``sys.path`` that are not those of the interpreter: where the user's modules are."""
    interpreter = {Path(place).resolve() for place in sysconfig.get_paths().values()}
    own = (Path(entry).resolve() for entry in sys.path)
    return tuple(str(path) for path in own if path.is_dir() and interpreter.isdisjoint((path, *path.parents)))


class Seat:
    """The one run that this process serves, and the items that it is at, by the keys of their tasks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._run = ""
        self._at_work: set[str] = set()
        self._unwanted: set[str] = set()
        self._path = list(sys.path)

    @contextlib.contextmanager
    def taken(self, run: Run, key: str) -> Iterator[None]:
        """Hold the seat for an item of ``run``, from when no item of another is at work; ``PoolClosedError`` for one
        that was taken back before it began."""
        with self._changed:
            self._changed.wait_for(lambda: key in self._unwanted or self._run == run.ticket or not self._at_work)
            if key in self._unwanted:
                self._unwanted.discard(key)
                raise guard.PoolClosedError("the item was taken back before it began")
            if self._run != run.ticket:
                guard.close()
                sys.path[:] = [*run.folders, *(entry for entry in self._path if entry not in run.folders)]
                self._run = run.ticket
            self._at_work.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._at_work.discard(key)
                self._unwanted.discard(key)
                self._changed.notify_all()

    def take_back(self, key: str) -> None:
        """End an item: a thread cannot be stopped, and it may be about to start a child, so that the children are
        killed until it has ended; one that has not begun does not begin."""
        with self._changed:
            self._unwanted.add(key)
            self._changed.notify_all()
        while key in self._at_work:
            guard.close()
            time.sleep(AGAIN_S)

    def left(self, ticket: str) -> None:
        """End the children of the run, if they are still there."""
        with self._changed:
            if self._run != ticket:
                return
            self._run = ""
        guard.close()


SEAT: Final = Seat()


def at_worker(run: Run, function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)`` in the service of ``run``; ``ForeignCodeError`` where this worker's code differs."""
    if digest() != run.code:
        raise ForeignCodeError("a worker that came later has another wnverify, Python or package than this process")
    with SEAT.taken(run, str(get_worker().get_current_task())):
        return function(*arguments)


def leave(ticket: str) -> None:
    """The run is over."""
    SEAT.left(ticket)


class EndUnwanted(WorkerPlugin):  # type: ignore[misc]
    """Kills the children of this process when the scheduler takes back an item that is being performed: a thread
    cannot be stopped, and a training run would go on for hours beside the one that resumes it."""

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        if str(key).startswith(at_worker.__name__) and start == "executing" and finish in ("cancelled", "released"):
            threading.Thread(target=SEAT.take_back, args=(str(key),), daemon=True, name="wnverify-unwanted").start()

    def teardown(self, worker: Any) -> None:
        guard.close()
