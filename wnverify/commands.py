"""What each command does: plan, run, show, and say by the exit code whether something is wrong."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from wnverify import publishing, runner
from wnverify.finding import Finding, Json, Verdict, dumps
from wnverify.journal import Journal
from wnverify.progress import Progress
from wnverify.report import results
from wnverify.report.standing import breaks
from wnverify.runner import RunResult
from wnverify.waivers import applied
from wnverify.workitem import Outcome, WorkItem

EXIT_WRONG: Final = 1
EXIT_INTERRUPTED: Final = 130
JOURNALS: Final = Path(".wnverify")


def audit(arguments: argparse.Namespace) -> int:
    """``wnverify audit TARGET…``: 0 nothing wrong, 1 something failed, 2 the call is wrong."""
    from wnverify.auditcall import resolve
    from wnverify.auditing.suite import run_audit

    call = resolve(arguments)
    key = {
        "specs": [spec.to_json() for spec in call.specs],
        "checks": list(call.checks),
        "seed": call.seed,
        "quick": call.quick,
    }
    with _journal("audit", key, arguments) as journal, _Watch(arguments) as watch:
        result = run_audit(
            call.specs,
            checks=call.checks,
            seed=call.seed,
            quick=call.quick,
            workers=arguments.workers,
            timeout_s=call.timeout_s,
            memory_mib=arguments.memory,
            journal=journal,
            waivers=call.waivers,
            on_planned=watch,
        )
    if result.interrupted:
        return _interrupted()
    today = datetime.datetime.now(datetime.UTC).date()
    doc = _document(result, waivers=applied(call.waivers, result.findings, today))
    with publishing.no_commands(arguments):
        _show(doc, arguments)
    publishing.publish(doc, arguments, strict=call.strict)
    journal.path.unlink()
    return EXIT_WRONG if breaks(doc, strict=call.strict) else 0


def selftest(arguments: argparse.Namespace) -> int:
    """``wnverify selftest``: 1 unless every planted fault is caught and every right variant passes."""
    from wnverify.auditing.selftest import selftest_items
    from wnverify.auditing.suite import WARM

    items = selftest_items(arguments.fault, quick=arguments.quick, seed=arguments.seed, **_limits(arguments))
    return _run_items("selftest", items, arguments, warm=WARM)


def claims(arguments: argparse.Namespace) -> int:
    """``wnverify claims [ID…]``: the verdicts of the papers' statements; 1 only when deciding one broke.

    A table; with a single statement, or --verbose, all of its evidence.
    """
    from wnverify.papers.ledger import MODULE_OF
    from wnverify.reporting import CLAIMS_IMPORT, claim_items

    papers = {name: prefix for prefix, name in MODULE_OF.items()}
    for name in arguments.paper:
        if name not in papers:
            raise ValueError(f"--paper must be one of {', '.join(papers)}; got {name!r}")
    known = [str(verdict) for verdict in Verdict]
    for name in arguments.verdict:
        if name not in known:
            raise ValueError(f"--verdict must be one of {', '.join(known)}; got {name!r}")
    items = claim_items(arguments.ids, quick=arguments.quick, **_limits(arguments))
    if arguments.paper:
        items = [item for item in items if item.subject in arguments.paper]
    warm = ("numpy", *CLAIMS_IMPORT, "wnverify.papers.claims")
    return _run_items("claims", items, arguments, warm=warm, show=_show_statements)


def theory(arguments: argparse.Namespace) -> int:
    """``wnverify theory``: every bound beside the exact complexity of one sample; 1 where a bound fails."""
    from wnverify.bounding.comparison import compare, drawn_data, read_data
    from wnverify.report.views import complexities
    from wnverify.theory.network import NetworkClass

    publishing.check_destinations(arguments)
    network = NetworkClass(arguments.k, arguments.c, arguments.o)
    if arguments.signs < 0:
        raise ValueError(f"--signs must be a number of sign vectors, at least 2; got {arguments.signs}")
    if arguments.data:
        data = read_data(arguments.data)
        for name, wanted, came in (("--n", arguments.n, data.shape[0]), ("--m1", arguments.m1, data.shape[1])):
            if wanted is not None and wanted != came:
                raise ValueError(f"{name} must be that of --data, {came}, or left out; got {wanted}")
        source = f"from {Path(arguments.data).name}"
    else:
        n, m1 = (12 if arguments.n is None else arguments.n), (3 if arguments.m1 is None else arguments.m1)
        data = drawn_data(n, m1, arguments.seed)
        source = f"drawn uniformly, seed {arguments.seed}"
    given = {"activation": arguments.activation, "signs": arguments.signs, "seed": arguments.seed}
    finding = compare(network, data, source=source, device=arguments.device, **given)
    doc = _document(RunResult(findings=[finding], timing={}))
    if arguments.json == "-":
        sys.stdout.write(dumps(dict(doc), indent=1) + "\n")
    else:
        complexities.table(_console(), finding)
        if arguments.json:
            results.write(arguments.json, doc)
    return EXIT_WRONG if finding.verdict is Verdict.REFUTED else 0


def replay(arguments: argparse.Namespace) -> int:
    """``wnverify replay RESULTS [ID…]``: 0 where every finding came out again as it is stored, 1 otherwise."""
    from wnverify.replaying import chosen
    from wnverify.replaying import replay as run

    wrong = 0
    for stored in chosen(arguments.results, arguments.ids):
        done = run(stored)
        wrong += not done.same
        said = done.problem or (
            f"{done.found.verdict}, the same witness"
            if done.same and done.found
            else f"stored {stored.verdict}, found {done.found.verdict if done.found else 'nothing'}"
            + (", another witness" if done.found and done.found.witness != stored.witness else "")
        )
        print(f"{'again' if done.same else 'DIFFERS'}  {stored.id}: {said}", flush=True)
    return EXIT_WRONG if wrong else 0


def methods(arguments: argparse.Namespace) -> int:
    """``wnverify methods [NAME…]``: the catalogue, or all that is known of the named methods."""
    from wnverify.listing import show

    show(Console(width=None if sys.stdout.isatty() else 120), arguments.names)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """``wnverify report``: results.json, report.md and report.html in one folder, and where they are."""
    from wnverify.reporting import build_report

    folder = Path(arguments.out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out must be a folder; {arguments.out!r} is a file")
    folder.mkdir(parents=True, exist_ok=True)
    key = {"seed": arguments.seed, "quick": arguments.quick, "source": results.source_hash()}
    with _journal("report", key, arguments, folder / "journal.jsonl") as journal, _Watch(arguments) as watch:
        result, coverage = build_report(
            seed=arguments.seed,
            quick=arguments.quick,
            workers=arguments.workers,
            journal=journal,
            on_planned=watch,
            **_limits(arguments),
        )
    if result.interrupted:
        return _interrupted()
    doc = _document(result, coverage)
    from wnverify.report.views import html, markdown

    results.write(folder / "results.json", doc)
    (folder / "report.md").write_text(markdown.render(doc), encoding="utf-8")
    (folder / "report.html").write_text(html.render(doc), encoding="utf-8")
    journal.path.unlink()
    _show(doc, arguments)
    for name in ("results.json", "report.md", "report.html"):
        print(folder / name, file=sys.stderr if arguments.json == "-" else sys.stdout)
    return EXIT_WRONG if any(f.verdict is Verdict.ERROR for f in result.findings) else 0


class _Watch:
    """Progress once the number of items is known."""

    def __init__(self, arguments: argparse.Namespace):
        self._quiet = arguments.quiet
        self._progress: Progress | None = None

    def __enter__(self) -> _Watch:
        return self

    def __call__(self, total: int) -> Callable[[Outcome], object]:
        self._progress = Progress(total, quiet=self._quiet)
        return self._progress.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._progress is not None:
            self._progress.__exit__(*error)


def _run_items(
    command: str,
    items: Sequence[WorkItem],
    arguments: argparse.Namespace,
    warm: tuple[str, ...],
    show: Callable[[Mapping[str, Any], argparse.Namespace], None] | None = None,
) -> int:
    key = {"items": [item.id for item in items], "seed": arguments.seed, "quick": arguments.quick}
    with _journal(command, key, arguments) as journal, _Watch(arguments) as watch:
        result = runner.run(items, workers=arguments.workers, warm=warm, journal=journal, on_outcome=watch(len(items)))
    return _finish(result, arguments, journal, show)


def _finish(
    result: RunResult,
    arguments: argparse.Namespace,
    journal: Journal,
    show: Callable[[Mapping[str, Any], argparse.Namespace], None] | None = None,
) -> int:
    if result.interrupted:
        return _interrupted()
    doc = _document(result)
    (show or _show)(doc, arguments)
    journal.path.unlink()
    return EXIT_WRONG if breaks(doc) else 0


def _show(doc: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """The sheet on the terminal and the document in --json FILE; with ``-`` the document alone on standard output."""
    from wnverify.report.views import terminal

    if arguments.json == "-":
        sys.stdout.write(dumps(dict(doc), indent=1) + "\n")
        return
    terminal.sheet(doc, _console(), verbose=arguments.verbose)
    if arguments.json:
        results.write(arguments.json, doc)


def _show_statements(doc: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """A table of statements, or one in full; the document in --json FILE as ``_show`` has it."""
    from wnverify.report.views import statements

    if arguments.json == "-":
        _show(doc, arguments)
        return
    findings = [Finding.from_json(record) for record in doc["findings"]]
    if len(findings) == 1 or arguments.verbose:
        for finding in findings:
            if not arguments.verdict or str(finding.verdict) in arguments.verdict:
                statements.full(_console(), finding)
    else:
        statements.table(_console(), findings, arguments.verdict)
    if arguments.json:
        results.write(arguments.json, doc)


def _document(result: RunResult, coverage: Mapping[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    about: dict[str, Any] = {"environment": results.environment(), "timing": result.timing, "coverage": coverage}
    return results.document(result.findings, **about, **rest)


def _interrupted() -> int:
    print("interrupted; the same command with --resume finishes the run", file=sys.stderr)
    return EXIT_INTERRUPTED


@contextmanager
def _journal(command: str, key: Json, arguments: argparse.Namespace, path: Path | None = None) -> Iterator[Journal]:
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


def _limits(arguments: argparse.Namespace) -> dict[str, float]:
    return {"timeout_s": arguments.timeout, "memory_mib": arguments.memory}


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 110, soft_wrap=False)


__all__ = ["Finding", "audit", "claims", "methods", "replay", "report", "selftest"]
