"""The report as one run: what its plan computes afresh, and the stored parts of the other commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from wnverify import runner
from wnverify.auditing.suite import run_audit, shared_children
from wnverify.finding import Finding, Json
from wnverify.journal import Journal
from wnverify.kept import lasting
from wnverify.planning import RECOMPUTED, Plan
from wnverify.report import results
from wnverify.report.parts import AWAITED, files, part
from wnverify.report.results import Document
from wnverify.runner import RunResult
from wnverify.workitem import Outcome

CLAIMS_IMPORT: Final = ("scipy.optimize", "scipy.stats", "sympy", "flint")
"""Loaded before the first claim: inside one it would look as if that claim had altered the process."""
WARM: Final = ("torch", *CLAIMS_IMPORT, "wnverify.auditing.warm", "wnverify.experiments.warm")

THEORY_OF: Final[Mapping[str, tuple[str, ...]]] = {"l1inf": ("generalization", "rademacher")}
"""The topics of the theory that are about one paper."""


def run_plan(
    plan: Plan,
    *,
    seed: int,
    workers: int,
    journal: Journal | None,
    executor: Executor | None = None,
    on_planned: Callable[[int], Callable[[Outcome], object] | None],
    **limits: Any,
) -> RunResult:
    """Every finding that the plan computes afresh; ``on_planned`` gets the number of items."""
    watch: list[Callable[[Outcome], object] | None] = []

    def planned(audit_items: int) -> Callable[[Outcome], object] | None:
        watch.append(on_planned(audit_items + len(plan.items)))
        return watch[0]

    with nullcontext(executor) if executor is not None else shared_children(workers, WARM) as pool:
        shared: dict[str, Any] = {"workers": workers, "executor": pool, "journal": journal, "warm": WARM}
        audits = run_audit(plan.specs, seed=seed, quick=plan.quick_audit, on_planned=planned, **shared, **limits)
        rest = RunResult(findings=[], timing={})
        if not audits.interrupted:
            rest = runner.run(plan.items, on_outcome=watch[0], **shared)
    findings = sorted([*audits.findings, *rest.findings], key=lambda finding: finding.id)
    timing = {**audits.timing, **rest.timing}
    return RunResult(findings=findings, timing=timing, interrupted=audits.interrupted or rest.interrupted)


def read_parts(folder: str, mode: str, seed: int) -> list[Document]:
    """The stored parts that a report of this mode takes in; ``ValueError`` naming the file that is no document, or
    holds what another holds."""
    found: list[Document] = []
    for path in files(folder):
        doc = results.read(path)
        if not doc.get("parts"):
            raise ValueError(f"{path}: a stored part names in parts the command that it came from; there is none")
        twice = [name for name in doc["parts"] if any(name in other["parts"] for other in found)]
        if twice:
            raise ValueError(f"{path}: another file of this folder holds the part {twice[0]!r} too: keep one of them")
        if not set(doc["parts"]) <= set(RECOMPUTED[mode]) or lasting(doc, seed):
            found.append(doc)
    owners: dict[str, str] = {}
    for doc in found:
        command = ", ".join(doc["parts"])
        for data in doc["findings"]:
            if owners.setdefault(data["id"], command) != command:
                raise ValueError(f"the parts {owners[data['id']]} and {command} both hold {data['id']!r}")
    return found


def assembled(
    plan: Plan, result: RunResult, parts: Sequence[Mapping[str, Any]], where: Mapping[str, Json] | None = None
) -> Document:
    """The report's document: what was computed afresh (``where``, beside this machine), the stored parts, and what is
    left out or missing."""
    here = {*RECOMPUTED[plan.mode], *(command for doc in parts for command in doc["parts"])}
    doc = results.document(
        result.findings,
        environment={**results.environment(), **(where or {})},
        timing=result.timing,
        coverage=coverage(result.findings),
        parts={"report": part("", mode=plan.mode)},
        scope={
            "mode": plan.mode,
            "left_out": list(plan.left_out),
            "missing": [command for command in AWAITED if command not in here],
        },
    )
    return results.take_part(doc, *parts)


def coverage(findings: Sequence[Finding]) -> dict[str, Any]:
    """For each paper, the rows of its ledger, how many of them have a finding here, and what else is about it."""
    from wnverify.methods.catalogue import methods
    from wnverify.papers.ledger import MODULE_OF, papers, rows

    decided = {finding.check for finding in findings if finding.kind == "claim"}
    about: dict[str, list[str]] = {name: list(THEORY_OF.get(name, ())) for name in MODULE_OF.values()}
    for method in methods():
        for name in filter(None, method.papers.split(", ")):
            about[name].append(method.id)
    return {
        MODULE_OF[paper]: {
            "title": paper,
            "rows": len(rows(paper)),
            "decided": len(decided & set(rows(paper))),
            "subjects": sorted(about[MODULE_OF[paper]]),
        }
        for paper in papers()
    }


def write(folder: Path, doc: Document) -> list[Path]:
    """results.json, report.md and report.html in the folder."""
    from wnverify.report.views import html, markdown

    results.write(folder / "results.json", doc)
    (folder / "report.md").write_text(markdown.render(doc), encoding="utf-8")
    (folder / "report.html").write_text(html.render(doc), encoding="utf-8")
    return [folder / name for name in ("results.json", "report.md", "report.html")]
