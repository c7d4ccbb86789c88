"""How far a run has come, on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO

from wnverify.finding import Verdict
from wnverify.workitem import Outcome

if TYPE_CHECKING:
    import rich.progress

LINE_EVERY_S: Final = 5.0
UNCLEAN: Final = frozenset(
    {Verdict.FAIL, Verdict.HAZARD, Verdict.REFUTED, Verdict.INCONSISTENT, Verdict.ERROR, Verdict.BLOCKED}
)


class Progress:
    """A context manager to be called with each outcome: ``runner.run(items, on_outcome=progress)``.

    On a terminal a bar; elsewhere a line at every tenth of ``total`` or after five seconds, whichever is first;
    nothing where ``quiet`` is set.

    What remains is estimated from ``seconds`` (item id → what it takes, roughly; ``usual`` for any other item), scaled
    by what the items so far have taken, journal included, and shared among ``workers``.
    """

    def __init__(
        self,
        total: int,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        seconds: Mapping[str, float] | None = None,
        usual: float = 1.0,
        workers: int = 1,
    ) -> None:
        if total < 0:
            raise ValueError(f"total must be the number of items; got {total!r}")
        self._seconds, self._usual, self._workers = seconds or {}, usual, workers
        self._foretold_left = sum(self._seconds.values()) + usual * max(total - len(self._seconds), 0)
        self._foretold = self._took = 0.0
        self._total = total
        self._quiet = quiet
        self._stream = sys.stderr if stream is None else stream
        self._done = self._unclean = 0
        self._tenths, self._said = 0, -1
        self._start = self._last = time.monotonic()
        self._bar: rich.progress.Progress | None = None
        self._task: rich.progress.TaskID | None = None

    def __enter__(self) -> Progress:
        if not self._quiet and self._stream.isatty():
            self._open_bar()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif not self._quiet and self._said != self._done:
            self._say()

    def __call__(self, outcome: Outcome) -> None:
        self._done += 1
        self._unclean += any(finding.verdict in UNCLEAN for finding in outcome.findings)
        foretold = self._seconds.get(outcome.item_id, self._usual)
        self._foretold += foretold
        self._foretold_left -= foretold
        self._took += outcome.seconds
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, unclean=self._unclean, left=self._left())
        elif not self._quiet:
            tenths = 10 * self._done // max(self._total, 1)
            if tenths > self._tenths or time.monotonic() - self._last > LINE_EVERY_S:
                self._tenths = tenths
                self._say()

    def _say(self) -> None:
        self._last = time.monotonic()
        self._said = self._done
        seconds = self._last - self._start
        left = self._left()
        line = f"{self._done}/{self._total} items, {self._unclean} not clean, {seconds:.0f} s"
        print(f"{line}, {left}" if left else line, file=self._stream, flush=True)

    def _left(self) -> str:
        """What remains, in words; nothing at the end, nor before anything has taken time."""
        if self._done >= self._total or not self._took * self._foretold > 0:
            return ""
        left = max(self._foretold_left, 0.0) * self._took / self._foretold / self._workers
        return f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        unclean = TextColumn("{task.fields[unclean]} not clean")
        left = TextColumn("{task.fields[left]}")
        columns = (BarColumn(), MofNCompleteColumn(), unclean, TimeElapsedColumn(), left)
        self._bar = Progress(*columns, console=Console(file=self._stream), transient=True)
        self._task = self._bar.add_task("", total=self._total, unclean=0, left="")
        self._bar.start()
