"""What each command does: plan, run, show, and say by the exit code whether something is wrong."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wnverify import publishing
from wnverify.finding import Verdict
from wnverify.report import results
from wnverify.report.wording import plural, printable
from wnverify.runner import RunResult
from wnverify.running import (
    EXIT_WRONG,
    Watch,
    conclude,
    console,
    document_of,
    hand_out,
    interrupted,
    journal_of,
    limits_of,
    printing,
    run_items,
    work_done,
)
from wnverify.waivers import applied


def audit(arguments: argparse.Namespace) -> int:
    """``wnverify audit TARGET…``: 0 nothing wrong, 1 something failed, 2 the call is wrong."""
    if arguments.list:
        from wnverify.listing import show_vocabulary

        with printing():
            show_vocabulary(console())
        return 0
    from wnverify.auditcall import resolve
    from wnverify.auditing.suite import run_audit

    call = resolve(arguments)
    key = {
        "specs": [spec.to_json() for spec in call.specs],
        "checks": list(call.checks),
        "seed": call.seed,
        "quick": call.quick,
        "full": call.full,
        "shards": call.shards,
    }
    with journal_of("audit", key, arguments) as journal, Watch(arguments) as watch:
        result = run_audit(
            call.specs,
            checks=call.checks,
            seed=call.seed,
            quick=call.quick,
            full=call.full,
            shards=call.shards,
            workers=arguments.workers,
            executor=arguments.executor,
            timeout_s=call.timeout_s,
            memory_mib=arguments.memory,
            journal=journal,
            waivers=call.waivers,
            on_planned=watch,
        )
    today = datetime.datetime.now(datetime.UTC).date()
    narrowed = None if arguments.all_methods else [spec.subject for spec in call.specs]
    asked = {"quick": call.quick, "seed": call.seed, "targets": narrowed, "checks": list(call.checks)}

    def made() -> dict[str, Any]:
        waivers = applied(call.waivers, result.findings, today)
        return document_of(result, "audit", asked, waivers=waivers, where=arguments.where)

    return conclude(result, journal, arguments, made, strict=call.strict)


def selftest(arguments: argparse.Namespace) -> int:
    """``wnverify selftest``: 1 unless every planted fault is caught and every right variant passes."""
    from wnverify.auditing.selftest import selftest_items
    from wnverify.auditing.suite import WARM

    limits = limits_of(arguments)
    items = selftest_items(arguments.fault, quick=arguments.quick, seed=arguments.seed, seeds=arguments.seeds, **limits)
    return run_items("selftest", items, arguments, warm=WARM, faults=arguments.fault, seeds=arguments.seeds)


def claims(arguments: argparse.Namespace) -> int:
    """``wnverify claims [ID…]``: the verdicts of the papers' statements; 1 only when deciding one broke.

    A table; with a single statement, or --verbose, all of its evidence.
    """
    from wnverify.papers.ledger import MODULE_OF
    from wnverify.planning import claim_items
    from wnverify.reporting import CLAIMS_IMPORT

    papers = {name: prefix for prefix, name in MODULE_OF.items()}
    for name in arguments.paper:
        if name not in papers:
            raise ValueError(f"--paper must be one of {', '.join(papers)}; got {name!r}")
    known = [str(verdict) for verdict in Verdict]
    for name in arguments.verdict:
        if name not in known:
            raise ValueError(f"--verdict must be one of {', '.join(known)}; got {name!r}")
    items = claim_items(arguments.ids, quick=arguments.quick, **limits_of(arguments))
    if arguments.paper:
        items = [item for item in items if item.subject in arguments.paper]
        if not items:
            listed = ", ".join(item.check for item in claim_items((), quick=True) if item.subject in arguments.paper)
            raise ValueError(f"ID must match a claim of --paper: {listed}; got {', '.join(arguments.ids)}")
    warm = ("numpy", *CLAIMS_IMPORT, "wnverify.papers.claims")
    asked = {"ids": arguments.ids, "paper": arguments.paper}
    return run_items("claims", items, arguments, warm=warm, show=_statements, **asked)


def _statements(doc: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """A table of statements; a single one, or with --verbose each, in full."""
    from wnverify.report.views import statements

    findings = results.findings_of(doc)
    if len(findings) == 1 or arguments.verbose:
        for finding in findings:
            if not arguments.verdict or str(finding.verdict) in arguments.verdict:
                statements.full(console(), finding)
    else:
        statements.table(console(), findings, arguments.verdict)


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
    doc = document_of(RunResult(findings=[finding], timing={}), "theory", {"seed": arguments.seed})
    hand_out(doc, arguments, lambda _, __: complexities.table(console(), finding))
    return EXIT_WRONG if finding.verdict is Verdict.REFUTED else 0


def numerics(arguments: argparse.Namespace) -> int:
    """``wnverify numerics [METHOD…]``: the findings of the numerics lab on this machine; 1 where something is wrong."""
    from wnverify.numbers import numerics as run

    return run(arguments)


def train(arguments: argparse.Namespace) -> int:
    """``wnverify train NAME…``: the papers' experiments, run here; 1 where a run broke."""
    from wnverify.experimenting import train as run

    return run(arguments)


def replay(arguments: argparse.Namespace) -> int:
    """``wnverify replay RESULTS [ID…]``: 0 where every finding that can be replayed here came out again as it is
    stored, 1 otherwise, 2 where none can."""
    from wnverify.replaying import chosen, command_of
    from wnverify.replaying import replay as run

    found = chosen(arguments.results, arguments.ids)
    here = [stored for stored in found if command_of(stored)]
    elsewhere = [stored for stored in found if not command_of(stored)]
    if not here:
        raise ValueError(f"nothing to replay: of {arguments.results} no chosen finding names a command of the lab")
    wrong = 0
    for stored in here:
        done = run(stored)
        wrong += not done.same
        said = done.problem or (
            f"{done.found.verdict}, the same witness"
            if done.same and done.found
            else f"stored {stored.verdict}, found {done.found.verdict if done.found else 'nothing'}"
            + (", another witness" if done.found and done.found.witness != stored.witness else "")
        )
        with printing():
            print(printable(f"{'again' if done.same else 'DIFFERS'}  {stored.id}: {said}"))
    if elsewhere:
        left = f"{plural(len(elsewhere), 'finding')} whose replay is no command of the lab: {elsewhere[0].id}"
        with printing():
            print(printable(f"not replayable here  {left}{', …' if elsewhere[1:] else ''}"))
    return EXIT_WRONG if wrong else 0


def diff(arguments: argparse.Namespace) -> int:
    """``wnverify diff OLD NEW``: 0 nothing became worse, 1 something did."""
    from wnverify.comparing import diff as run

    return run(arguments)


def methods(arguments: argparse.Namespace) -> int:
    """``wnverify methods [NAME…]``: the catalogue, or all that is known of the named methods."""
    from wnverify.listing import show

    with printing():
        show(console(120), arguments.names)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """``wnverify report``: results.json, report.md and report.html in one folder, and where they are."""
    from wnverify import guard
    from wnverify.kept import keep, known
    from wnverify.planning import PROMPT, SECONDS, plan
    from wnverify.report import compare
    from wnverify.reporting import WARM, assembled, read_parts, run_plan, write

    folder = Path(arguments.out)
    publishing.check_folder("out", arguments.out)
    if arguments.keep:
        if not arguments.full:
            raise ValueError("--keep stores what a full report computes as parts: give --full beside it")
        publishing.check_folder("parts", arguments.parts)
    mode = "quick" if arguments.quick else "full" if arguments.full else "default"
    old = compare.read(arguments.compare) if arguments.compare else None
    if arguments.executor is None:
        guard.prestart(arguments.workers, WARM)  # they import what they need while the parts are read
    parts = read_parts(arguments.parts, mode, arguments.seed)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = plan(mode, arguments.seed, known(parts, arguments.seed), **limits_of(arguments))
    key = {"seed": arguments.seed, "mode": mode, "source": results.source_hash()}
    # An audited subject is some fifty items.
    usual = SECONDS["audit"] / 50 / (1 if chosen.quick_audit else PROMPT)
    watch = Watch(arguments, chosen.seconds, usual)
    with journal_of("report", key, arguments, folder / "journal.jsonl") as journal, watch:
        result = run_plan(
            chosen,
            seed=arguments.seed,
            workers=arguments.workers,
            executor=arguments.executor,
            journal=journal,
            on_planned=watch,
            **limits_of(arguments),
        )
    if result.interrupted:
        return interrupted()
    with work_done():
        doc = assembled(chosen, result, parts, where=arguments.where)
        if old is not None:
            doc["comparison"] = compare.compare(old, doc, against=compare.name_of(arguments.compare))
        written = write(folder, doc)
        if arguments.keep:
            written += keep(Path(arguments.parts), chosen, result, parts, seed=arguments.seed, where=arguments.where)
        hand_out(doc, arguments)
    journal.path.unlink(missing_ok=True)
    with printing():
        for path in written:
            print(path, file=sys.stderr if arguments.json == "-" else sys.stdout)
    worse = old is not None and compare.is_worse(doc["comparison"])
    return EXIT_WRONG if worse or any(f.verdict is Verdict.ERROR for f in result.findings) else 0
