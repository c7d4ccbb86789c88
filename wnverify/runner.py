"""Work items to findings, through any ``concurrent.futures.Executor``, in any order, always with the same result.

An item starts when all it requires is done, and is ``blocked`` where one of those did not end well.  Only a few
items are with the executor at any time, so that memory does not grow with their number.  With a journal every
outcome is on the disk before the next is waited for, and a run that was killed goes on where it was.
"""

from __future__ import annotations

import dataclasses
import functools
import graphlib
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from typing import Final

from wnverify import guard
from wnverify.finding import Finding, Verdict, unique
from wnverify.guard import Outcome, WorkItem
from wnverify.journal import Journal, Memory

STOPS_DEPENDENTS: Final = frozenset({Verdict.ERROR, Verdict.BLOCKED, Verdict.FAIL})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """``findings`` sorted by id; ``timing``: item id → ``seconds``, ``peak_mib``, for items that ran (now or in the
    journal); ``interrupted``: Ctrl-C ended the run, and the findings are those known by then."""

    findings: list[Finding]
    timing: dict[str, dict[str, float]]
    interrupted: bool = False


def run(
    items: Iterable[WorkItem],
    *,
    workers: int = 2,
    executor: Executor | None = None,
    warm: tuple[str, ...] = (),
    journal: Journal | Memory | None = None,
    on_outcome: Callable[[Outcome], object] | None = None,
) -> RunResult:
    """The findings of all items.

    ``executor`` is shut down by the caller; without one, ``workers`` threads drive as many children.  With one,
    ``workers`` is its width: twice as many items are handed to it at a time.  Where it breaks (a worker process
    was killed from outside) a ``RuntimeWarning`` says so, and all that is not done yet, items in flight included,
    runs in threads of this process.  ``on_outcome`` is called once for each item, with those of the journal first.

    On Ctrl-C the children of this process are killed and what is known is returned; items in flight on workers of
    the caller's executor end with those workers.

    Raises ``ValueError`` before anything runs where two items have one id, a prerequisite is no item, or the
    prerequisites go in a circle; after the run where two items gave findings with one id.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1; got {workers!r}")
    state = _Run(items, journal, on_outcome)
    interrupted = False
    try:
        state.advance()
        while state.unfinished:
            backend = _Backend(executor, min(workers, state.unfinished), tuple(warm))
            try:
                with backend:
                    _drive(state, backend, 2 * workers)
            except BrokenExecutor as error:
                left = f"{state.unfinished} items left run in threads of this process"
                warnings.warn(f"the executor broke ({error}): the {left}", RuntimeWarning, stacklevel=2)
                executor = None
                state.put_back()
    except KeyboardInterrupt:
        interrupted = True
    return state.result(interrupted)


class _Backend:
    """Where items run: the caller's executor, or threads with a pool of children of their own."""

    def __init__(self, executor: Executor | None, workers: int, warm: tuple[str, ...]) -> None:
        self._pool = guard.Pool(workers, warm=warm) if executor is None else None
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="wnverify") if executor is None else executor
        if self._pool is not None:
            self._pool.prestart()
            self._perform: Callable[[WorkItem], Outcome] = self._pool.perform
        else:
            self._perform = functools.partial(guard.perform, warm=warm)

    def __enter__(self) -> _Backend:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: object) -> None:
        """Close what is ours; on Ctrl-C and on a caller's exception kill what is in flight."""
        if self._pool is not None:
            self._pool.close()
            self._executor.shutdown(wait=True, cancel_futures=True)
        elif kind is not None:
            guard.close()

    def submit(self, item: WorkItem) -> Future[Outcome]:
        return self._executor.submit(self._perform, item)


class _Run:
    """The state of one run: what waits, what is in flight, what is known."""

    def __init__(
        self,
        items: Iterable[WorkItem],
        journal: Journal | Memory | None,
        on_outcome: Callable[[Outcome], object] | None,
    ) -> None:
        self.items = _by_id(items)
        self.order = graphlib.TopologicalSorter({item.id: item.requires for item in self.items.values()})
        _refuse_circles(self.order)
        self.journal = journal
        self.on_outcome = on_outcome
        self.ready: deque[WorkItem] = deque()
        self.in_flight: dict[Future[Outcome], WorkItem] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.causes: dict[str, dict[str, str]] = {}
        self.ran: set[str] = set()

    @property
    def unfinished(self) -> int:
        return len(self.items) - len(self.outcomes)

    def advance(self) -> None:
        """Settle what the journal or a prerequisite decides; what else may start goes to ``ready``."""
        while names := self.order.get_ready():
            for item in (self.items[name] for name in names):
                if self.journal is not None and item.id in self.journal.outcomes:
                    self.ran.add(item.id)
                    self.settle(self.journal.outcomes[item.id])
                elif (blocked := self.blocked(item)) is not None:
                    self.settle(blocked)
                else:
                    self.ready.append(item)

    def blocked(self, item: WorkItem) -> Outcome | None:
        """The outcome of an item that cannot run, naming every check at the root of it: not a chain of blocked ones."""
        causes: dict[str, str] = {}
        for name in sorted(item.requires):
            bad = sorted({f.verdict for f in self.outcomes[name].findings} & STOPS_DEPENDENTS)
            # What a blocked prerequisite itself waited for is the cause, not the prerequisite.
            causes |= self.causes.get(name) or ({name: ", ".join(bad)} if bad else {})
        if not causes:
            return None
        self.causes[item.id] = causes
        said = "; ".join(f"{name} ({verdicts})" for name, verdicts in sorted(causes.items()))
        return Outcome(item_id=item.id, findings=(item.ending(Verdict.BLOCKED, f"blocked by {said}"),))

    def finish(self, outcome: Outcome) -> None:
        """Keep the outcome of an item that ran: on the disk first."""
        if self.journal is not None:
            self.journal.append(outcome)
        self.ran.add(outcome.item_id)
        self.settle(outcome)

    def settle(self, outcome: Outcome) -> None:
        self.outcomes[outcome.item_id] = outcome
        self.order.done(outcome.item_id)
        if self.on_outcome is not None:
            self.on_outcome(outcome)

    def put_back(self) -> None:
        """What was in flight on an executor that broke is to run again."""
        self.ready.extendleft(reversed(self.in_flight.values()))
        self.in_flight.clear()

    def result(self, interrupted: bool) -> RunResult:
        findings = unique(finding for outcome in self.outcomes.values() for finding in outcome.findings)
        timing = {
            name: {"seconds": self.outcomes[name].seconds, "peak_mib": self.outcomes[name].peak_mib}
            for name in sorted(self.ran & self.outcomes.keys())
        }
        return RunResult(findings=findings, timing=timing, interrupted=interrupted)


def _drive(run: _Run, backend: _Backend, most: int) -> None:
    """Submit and collect until nothing is left; ``BrokenExecutor`` leaves the rest in ``run``."""
    try:
        while True:
            run.advance()
            while run.ready and len(run.in_flight) < most:
                future = backend.submit(run.ready[0])
                run.in_flight[future] = run.ready.popleft()
            if not run.in_flight:
                return
            for future in wait(run.in_flight, return_when=FIRST_COMPLETED).done:
                run.finish(_collect(future, run.in_flight[future]))
                del run.in_flight[future]
    except BaseException:
        # Before any child is killed: a thread that loses its child must not find the next item waiting.
        for future in run.in_flight:
            future.cancel()
        raise


def _collect(future: Future[Outcome], item: WorkItem) -> Outcome:
    """The outcome of a finished future: an item that the executor could not run is an error of that item."""
    try:
        return future.result()
    except BrokenExecutor:
        raise
    except Exception as error:
        message = f"the executor could not run it: {type(error).__name__}"
        return Outcome(item_id=item.id, findings=(item.ending(Verdict.ERROR, message),))


def _by_id(items: Iterable[WorkItem]) -> Mapping[str, WorkItem]:
    known: dict[str, WorkItem] = {}
    for item in items:
        if item.id in known:
            raise ValueError(f"two items have the id {item.id!r}")
        known[item.id] = item
    for item in known.values():
        for name in item.requires:
            if name not in known:
                raise ValueError(f"{item.id!r} requires {name!r}, which is no item of this run")
    return known


def _refuse_circles(order: graphlib.TopologicalSorter[str]) -> None:
    try:
        order.prepare()
    except graphlib.CycleError as error:
        raise ValueError(f"items require each other in a circle: {' → '.join(error.args[1])}") from error
