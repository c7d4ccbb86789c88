"""What commands share: run work items under a journal, show how far they are, and hand out the document."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from wnverify import publishing, runner
from wnverify.auditing.target import TargetError
from wnverify.finding import Json, dumps
from wnverify.journal import Journal
from wnverify.progress import Progress
from wnverify.report import results
from wnverify.report.standing import breaks
from wnverify.report.views import terminal
from wnverify.report.wording import plural
from wnverify.runner import RunResult
from wnverify.workitem import Outcome, WorkItem

EXIT_WRONG: Final = 1
EXIT_INTERRUPTED: Final = 130
WORKERS: Final = 2
JOURNALS: Final = Path(".wnverify")

Show = Callable[[Mapping[str, Any], argparse.Namespace], None]
"""What prints a document on the terminal."""


@contextmanager
def placed(arguments: argparse.Namespace, executor: Executor | None = None) -> Iterator[None]:
    """Settle where a command's items run: ``arguments.executor`` (None: in child processes of this one),
    ``arguments.workers``, and in ``arguments.where`` what the document says of it beside this machine."""
    with ExitStack() as stack:
        arguments.where = {}
        if address := getattr(arguments, "dask", None):
            from wnverify.cluster.executor import about, connected

            if executor is not None:
                raise ValueError("--dask is for a run without an executor of its caller's: leave one of them out")
            executor = cluster = stack.enter_context(connected(address))
            arguments.workers = arguments.workers or cluster.width
            arguments.where = {"cluster": about(cluster)}
        arguments.executor = executor
        arguments.workers = getattr(arguments, "workers", None) or WORKERS
        yield


class Watch:
    """Progress once the number of items is known; ``seconds`` and ``usual`` are its estimates."""

    def __init__(self, arguments: argparse.Namespace, seconds: Mapping[str, float] | None = None, usual: float = 1.0):
        self._given: dict[str, Any] = {"quiet": arguments.quiet, "workers": arguments.workers}
        self._given |= {"seconds": seconds, "usual": usual}
        self._progress: Progress | None = None

    def __enter__(self) -> Watch:
        return self

    def __call__(self, total: int) -> Callable[[Outcome], object]:
        self._progress = Progress(total, **self._given)
        return self._progress.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._progress is not None:
            self._progress.__exit__(*error)


def watched(
    items: Sequence[WorkItem], arguments: argparse.Namespace, journal: Journal, warm: tuple[str, ...]
) -> RunResult:
    """Run the items where ``placed`` says, under the journal, and show how far they are."""
    with Watch(arguments) as watch:
        return runner.run(
            items,
            workers=arguments.workers,
            executor=arguments.executor,
            warm=warm,
            journal=journal,
            on_outcome=watch(len(items)),
        )


def run_items(
    command: str,
    items: Sequence[WorkItem],
    arguments: argparse.Namespace,
    *,
    warm: tuple[str, ...],
    show: Show | None = None,
    **narrowed: Json,
) -> int:
    """Run the items of a command, hand out its document, and give the exit code.

    ``narrowed``: what the command was narrowed to, kept in its part beside ``quick`` and ``seed``.
    """
    key = {"items": [item.id for item in items], "seed": arguments.seed, "quick": arguments.quick, **narrowed}
    asked = {"quick": arguments.quick, "seed": arguments.seed, **narrowed}
    with journal_of(command, key, arguments) as journal:
        result = watched(items, arguments, journal, warm)
    return conclude(
        result, journal, arguments, lambda: document_of(result, command, asked, where=arguments.where), show
    )


def conclude(
    result: RunResult,
    journal: Journal,
    arguments: argparse.Namespace,
    made: Callable[[], Mapping[str, Any]],
    show: Show | None = None,
    *,
    strict: bool = False,
) -> int:
    """The end of a run: hand out the document that is ``made`` of it, drop the journal, and give the exit code."""
    if result.interrupted:
        return interrupted()
    with work_done():
        doc = made()
        hand_out(doc, arguments, show, strict=strict)
    journal.path.unlink(missing_ok=True)
    return EXIT_WRONG if breaks(doc, strict=strict) else 0


@contextmanager
def work_done() -> Iterator[None]:
    """What is refused from here on is no wrong call: a ``RuntimeError``, and the journal stays."""
    try:
        yield
    except ValueError as error:
        raise RuntimeError("the work is done and kept, but its document is not: --resume repeats no work") from error


def document_of(
    result: RunResult,
    command: str,
    asked: Mapping[str, Json],
    *,
    waivers: Sequence[Mapping[str, Any]] = (),
    where: Mapping[str, Json] | None = None,
) -> dict[str, Any]:
    """The document of a command, which names itself as a part: what it ran on (``where``, beside this machine), and
    what it was ``asked``."""
    return results.document(
        result.findings,
        environment={**results.environment(), **(where or {})},
        timing=result.timing,
        parts={
            command: results.part(command, **{name: value for name, value in asked.items() if value not in ([], None)})
        },
        waivers=waivers,
    )


def hand_out(
    doc: Mapping[str, Any], arguments: argparse.Namespace, show: Show | None = None, *, strict: bool = False
) -> None:
    """The document in every FILE that was asked for, and then on the terminal; with ``--json -`` it is what goes to
    standard output, and ``BrokenPipeError`` says that it was not taken."""
    publishing.publish(doc, arguments, strict=strict)
    if arguments.json == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as every JSON text is, whatever a terminal is told
        sys.stdout.writelines(results.lines(doc))
        sys.stdout.flush()
        return
    with printing():
        with publishing.no_commands(arguments):
            (show or sheet)(doc, arguments)
        publishing.annotate(doc, arguments, strict=strict)


@contextmanager
def printing() -> Iterator[None]:
    """What is printed inside may lose its reader (``| head``): that changes no exit status."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        flushed()


def flushed() -> None:
    """Give up what standard output does not take, which would change the exit status when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def sheet(doc: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """The findings by subject and family."""
    terminal.sheet(doc, console(), verbose=arguments.verbose)


def interrupted(*, resumable: bool = True) -> int:
    """Say how to go on; the exit code."""
    print(f"interrupted{'; the same command with --resume finishes the run' if resumable else ''}", file=sys.stderr)
    return EXIT_INTERRUPTED


@contextmanager
def journal_of(command: str, key: Json, arguments: argparse.Namespace, path: Path | None = None) -> Iterator[Journal]:
    """The run's journal: new, or with ``--resume`` the one that an interrupted run left.

    It is there afterwards, until ``conclude`` drops it, unless the call proved wrong before any work was done.
    """
    publishing.check_destinations(arguments)
    digest = hashlib.sha256(dumps({"key": key, "source": results.source_hash()}).encode()).hexdigest()
    others: list[str] = []
    if path is None:
        path = _journals() / f"{command}-{digest[:12]}.jsonl"
        others = sorted(other.name for other in JOURNALS.glob(f"{command}-*.jsonl"))
    known = path.exists()
    if arguments.resume and not known:
        there = f"; there is {', '.join(others)}, of other arguments, data or code" if others else ""
        print(f"nothing to resume: there is no {path}{there}", file=sys.stderr)
    with Journal(path, {"command": command, "digest": digest}, resume=arguments.resume and known) as journal:
        if journal.discarded:
            lost = plural(journal.discarded, "outcome")
            print(f"{path}: begun anew without --resume, and {lost} of an interrupted run dropped", file=sys.stderr)
        try:
            yield journal
        except ValueError as error:
            # Of a TARGET that cannot be described only that is known: no work to keep.
            if not journal.outcomes or isinstance(error, TargetError):
                path.unlink()
            raise


def _journals() -> Path:
    """The folder of journals; ``ValueError`` where there can be none."""
    try:
        JOURNALS.mkdir(exist_ok=True)
        (JOURNALS / ".gitignore").write_text("*\n")
    except OSError as error:
        why = f"a journal cannot be kept in the folder {JOURNALS} here ({error.strerror})"
        raise ValueError(f"{why}: start the command in a folder that can be written") from None
    return JOURNALS


def limits_of(arguments: argparse.Namespace) -> dict[str, float]:
    """What one item may take."""
    return {"timeout_s": arguments.timeout, "memory_mib": arguments.memory}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich itself would end the process, with exit status 1


def console(width: int = 110) -> Console:
    """Standard output, of a fixed width where it is no terminal."""
    return _Console(width=None if sys.stdout.isatty() else width, soft_wrap=False)
