"""What the report is made of: claims, numerics, quick audits and the planted faults, run as one."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wnverify import runner
from wnverify.bounding.topics import items as theory_items
from wnverify.finding import Finding
from wnverify.journal import Journal
from wnverify.runner import RunResult
from wnverify.workitem import Outcome, WorkItem

if TYPE_CHECKING:
    from wnverify.papers.claims import Claim

CLAIMS_IMPORT: Final = ("scipy.optimize", "scipy.stats", "sympy", "flint")
"""Loaded before the first claim: inside one it would look as if that claim had altered the process."""
WARM: Final = ("torch", *CLAIMS_IMPORT, "wnverify.auditing.warm")
BESIDES: Final = ("torch.nn.utils.parametrizations:weight_norm",)
"""What the report audits beside the methods of the catalogue."""


def build_report(
    *,
    seed: int,
    quick: bool,
    workers: int,
    journal: Journal | None,
    on_planned: Callable[[int], Callable[[Outcome], object] | None],
    **limits: Any,
) -> tuple[RunResult, dict[str, Any]]:
    """Every finding of the report, and how many rows of each paper's ledger are decided."""
    from wnverify.auditing.catalogued import every_method
    from wnverify.auditing.selftest import selftest_items
    from wnverify.auditing.suite import run_audit, shared_children, specs_of

    items = [
        *claim_items((), quick=quick, **limits),
        *theory_items(seed, quick, limits),
        *_numerics_items(seed, quick, limits),
        *selftest_items(quick=quick, seed=seed, **limits),
    ]
    ours, _ = every_method()
    specs = [*ours, *specs_of(BESIDES)]
    watch: list[Callable[[Outcome], object] | None] = []

    def planned(audit_items: int) -> Callable[[Outcome], object] | None:
        watch.append(on_planned(audit_items + len(items)))
        return watch[0]

    with shared_children(workers) as executor:
        shared: dict[str, Any] = {"workers": workers, "executor": executor, "journal": journal}
        audits = run_audit(specs, seed=seed, quick=True, on_planned=planned, **shared, **limits)
        rest = RunResult(findings=[], timing={})
        if not audits.interrupted:
            rest = runner.run(items, warm=WARM, on_outcome=watch[0], **shared)
    findings = sorted([*audits.findings, *rest.findings], key=lambda finding: finding.id)
    timing = {**audits.timing, **rest.timing}
    interrupted = audits.interrupted or rest.interrupted
    return RunResult(findings=findings, timing=timing, interrupted=interrupted), coverage(findings)


def claim_items(patterns: Sequence[str], *, quick: bool, **limits: Any) -> list[WorkItem]:
    """One work item for each implemented claim that a pattern matches; a ``ValueError`` for a pattern without one."""
    from wnverify.papers import claims as registry

    table = registry.table()
    for pattern in patterns:
        if not fnmatch.filter(table, pattern):
            raise ValueError(f"ID {pattern!r} matches no decided claim; decided are {', '.join(table)}")
    chosen = [name for name in table if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)]
    return [_claim_item(registry.get(name), quick, limits) for name in chosen]


def _claim_item(claim: Claim, quick: bool, limits: Mapping[str, Any]) -> WorkItem:
    from wnverify.papers.ledger import MODULE_OF, paper_of

    subject = MODULE_OF[paper_of(claim.id)]
    return WorkItem(
        id=f"claim/{subject}/{claim.id}",
        function="wnverify.papers.claims:decide",
        arguments={"claim_id": claim.id, "quick": quick},
        kind="claim",
        subject=subject,
        check=claim.id,
        statement=claim.statement,
        **limits,
    )


def coverage(findings: list[Finding]) -> dict[str, Any]:
    """For each paper, the rows of its ledger and how many of them have a finding here."""
    from wnverify.papers.ledger import MODULE_OF, papers, rows

    decided = {finding.check for finding in findings if finding.kind == "claim"}
    return {
        MODULE_OF[paper]: {"title": paper, "rows": len(rows(paper)), "decided": len(decided & set(rows(paper)))}
        for paper in papers()
    }


def _numerics_items(seed: int, quick: bool, limits: Mapping[str, Any]) -> list[WorkItem]:
    from wnverify.numerics.forms import judged

    return [
        WorkItem(
            id=f"method/{method.id}/agreement",
            function="wnverify.numerics.agreement:numerics",
            arguments={"method_id": method.id, "seed": seed, "quick": quick},
            kind="method",
            subject=method.id,
            check="agreement",
            statement="Do the implementations agree, as accurately as the map's conditioning allows?",
            **limits,
        )
        for method in judged()
    ]
