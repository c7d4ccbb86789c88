"""Work items in supervised child processes, so that a hang, a crash or a memory leak costs exactly one item.

Any ``concurrent.futures.Executor`` only schedules: what it runs is :func:`perform`, which takes a pre-warmed child
(started afresh, never forked after torch was imported) from a pool of its own process, sends it the item, and kills
the whole process group on time, on resident memory, on too many processes or threads.  A child is used again
while its global state is what it was after warm-up (``wnverify.fingerprint``); torch takes seconds to import.

Warm every module that items import: one that an item is the first to import (torch above all; ``torch._dynamo``, which
``torch.optim`` and ``torch.func`` import on first use and which changes torch; any that adds to ``warnings.filters``)
counts as a change of global state, and costs the child.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
import time
from types import TracebackType

from wnverify.finding import Verdict
from wnverify.supervisor import Child, ChildGoneError
from wnverify.workitem import Outcome, WorkItem

__all__ = ["Outcome", "Pool", "PoolClosedError", "WorkItem", "close", "perform"]


class PoolClosedError(RuntimeError):
    """The pool was closed before the item began or while it ran."""


class Pool:
    """Children with the same warm modules; as many are kept idle as were at work at once, and at least ``size``.

    It puts no bound on the number of items performed at once: that is for the executor.
    """

    def __init__(self, size: int, *, warm: tuple[str, ...] = ()) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1; got {size!r}")
        self._size = size
        self._warm = tuple(warm)
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def prestart(self, size: int = 1) -> None:
        """Start children until the pool is full, all at once, without waiting for any; it grows to ``size``."""
        with self._lock:
            self._size = max(self._size, size)
            while not self._closed and len(self._idle) + len(self._busy) < self._size:
                self._idle.append(Child(self._warm))

    def perform(self, item: WorkItem) -> Outcome:
        """The outcome of ``item``; ``PoolClosedError`` when the pool is closed before it is known."""
        reason = ""
        for _ in range(2):  # a child lost before it began has cost nothing: once more in a new one
            child = self._take(item.fresh)
            outcome, keep = None, False
            try:
                outcome, keep = child.run(item)
            except ChildGoneError as gone:
                reason = str(gone)
            finally:
                self._give_back(child, keep)
            if self._closed:
                raise PoolClosedError("the pool was closed while the item ran")
            if outcome is not None:
                return outcome
        message = f"no child process could be started: {reason}"
        return Outcome(item_id=item.id, findings=(item.ending(Verdict.ERROR, message),))

    def close(self) -> None:
        """Kill every child, also those in flight; ``perform`` raises from now on."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for child in busy:
            child.kill()
        for child in idle:
            child.close()

    def _take(self, fresh: bool) -> Child:
        with self._lock:
            if self._closed:
                raise PoolClosedError("the pool is closed")
            # A child that has run nothing is worth more to an item that must be the first.
            ordered = sorted(self._idle, key=lambda child: child.used, reverse=not fresh)
            if ordered and not (fresh and ordered[0].used):
                child = ordered[0]
                self._idle.remove(child)
            else:
                child = Child(self._warm)
            self._busy.add(child)
            self._size = max(self._size, len(self._busy))
            return child

    def _give_back(self, child: Child, keep: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            if keep and not self._closed and len(self._idle) < self._size:
                self._idle.append(child)
                return
        child.close()


def perform(item: WorkItem, warm: tuple[str, ...] = ()) -> Outcome:
    """The outcome of ``item`` in a child of this process: the function that goes to an executor.

    Picklable, and safe in threads, in worker processes (daemonic ones too) and in cluster workers.  Each process
    keeps its own pool for each ``warm``; it ends with the process, or with :func:`close`.
    """
    return _pool_of_this_process(warm).perform(item)


def prestart(size: int, warm: tuple[str, ...] = ()) -> None:
    """Start ``size`` of this process's own children now, so that the first items find them warm."""
    _pool_of_this_process(warm).prestart(size)


def _pool_of_this_process(warm: tuple[str, ...]) -> Pool:
    with _lock:
        if _orphaned.is_set():
            raise PoolClosedError("the process that gave the work is gone")
        if warm not in _pools:
            _pools[warm] = Pool(1, warm=warm)
            if multiprocessing.parent_process() is not None:
                _watch_parent()
        return _pools[warm]


def close() -> None:
    """Kill every child that :func:`perform` keeps in this process, also those in flight."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close()


def _watch_parent() -> None:
    """In an executor's worker process: end the children when the process that gave the work has died.

    A worker process itself waits for ever in that case, and would keep its children's lifelines open.
    """
    global _watcher
    if _watcher is not None:
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        _orphaned.set()
        close()

    _watcher = threading.Thread(target=watch, daemon=True, name="wnverify-orphan-watch")
    _watcher.start()


_pools: dict[tuple[str, ...], Pool] = {}
_lock = threading.Lock()
_orphaned = threading.Event()
_watcher: threading.Thread | None = None


def _after_fork() -> None:
    """A fork of this process must not use its children, nor wait for a lock that another thread held."""
    global _lock, _watcher
    _pools.clear()
    _lock = threading.Lock()
    _watcher = None


os.register_at_fork(after_in_child=_after_fork)
atexit.register(close)
