"""What commands share: run work items under a journal, show how far they are, and hand out the document."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from wnverify import publishing, runner
from wnverify.finding import Json, dumps
from wnverify.journal import Journal
from wnverify.progress import Progress
from wnverify.report import results
from wnverify.report.standing import breaks
from wnverify.report.views import terminal
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
    with journal_of(command, key, arguments) as journal:
        result = watched(items, arguments, journal, warm)
    if result.interrupted:
        return interrupted()
    asked = {"quick": arguments.quick, "seed": arguments.seed, **narrowed}
    doc = document_of(result, command, asked, where=arguments.where)
    hand_out(doc, arguments, show)
    journal.path.unlink()
    return EXIT_WRONG if breaks(doc) else 0


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


def hand_out(doc: Mapping[str, Any], arguments: argparse.Namespace, show: Show | None = None) -> None:
    """The document on the terminal and in --json FILE; with ``-`` alone, on standard output."""
    if arguments.json == "-":
        sys.stdout.writelines(results.lines(doc))
        return
    (show or sheet)(doc, arguments)
    if arguments.json:
        results.write(arguments.json, doc)


def sheet(doc: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """The findings by subject and family."""
    terminal.sheet(doc, console(), verbose=arguments.verbose)


def interrupted() -> int:
    """Say how to go on; the exit code."""
    print("interrupted; the same command with --resume finishes the run", file=sys.stderr)
    return EXIT_INTERRUPTED


@contextmanager
def journal_of(command: str, key: Json, arguments: argparse.Namespace, path: Path | None = None) -> Iterator[Journal]:
    """The run's journal: new, or with ``--resume`` the one that an interrupted run left."""
    publishing.check_destinations(arguments)
    digest = hashlib.sha256(dumps({"key": key, "source": results.source_hash()}).encode()).hexdigest()
    if path is None:
        JOURNALS.mkdir(exist_ok=True)
        (JOURNALS / ".gitignore").write_text("*\n")
        path = JOURNALS / f"{command}-{digest[:12]}.jsonl"
    with Journal(path, {"command": command, "digest": digest}, resume=arguments.resume and path.exists()) as journal:
        try:
            yield journal
        except ValueError:  # the call is wrong: there is nothing to resume
            path.unlink()
            raise


def limits_of(arguments: argparse.Namespace) -> dict[str, float]:
    """What one item may take."""
    return {"timeout_s": arguments.timeout, "memory_mib": arguments.memory}


def console() -> Console:
    """Standard output, of a fixed width where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 110, soft_wrap=False)
