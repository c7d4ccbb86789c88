"""The audit, audited: every planted fault must be caught by the check meant for it, every right variant pass.

A kill is the verdict that the fault's row names, from the check it names; a false alarm is any ``fail`` on a right
variant, or a ``hazard`` that its row does not list.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.auditing.registry import SEVERITY
from wnverify.auditing.target import parse_target
from wnverify.faults.catalogue import Fault, Right, faults, right_variants
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.workitem import WorkItem

SUBJECT: Final = "selftest"
KILL: Final = "selftest.kill"
SILENT: Final = "selftest.silent"
SAMPLE: Final = 3
"""Every third variant is run in a quick selftest."""


def selftest_items(
    patterns: Sequence[str] = (), *, quick: bool = False, seed: int = 0, **limits: float
) -> list[WorkItem]:
    """One work item a variant; ``ValueError`` for a pattern that matches no variant."""
    rows: list[Fault | Right] = [*faults(), *right_variants()]
    names = [row.name for row in rows]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"--fault {pattern!r} matches no variant; they are {', '.join(names)}")
    chosen = [row for row in rows if not patterns or any(fnmatch.fnmatch(row.name, p) for p in patterns)]
    if quick and not patterns:
        chosen = chosen[::SAMPLE]
    return [_item(row, seed, limits) for row in chosen]


def _item(row: Fault | Right, seed: int, limits: Mapping[str, float]) -> WorkItem:
    check = KILL if isinstance(row, Fault) else SILENT
    return WorkItem(
        id=f"check/{SUBJECT}/{check}/{row.name}",
        function="wnverify.auditing.selftest:judge",
        arguments={"name": row.name, "seed": seed},
        kind="check",
        subject=SUBJECT,
        check=check,
        statement=_statement(row),
        **limits,  # type: ignore[arg-type]
    )


def judge(name: str, seed: int = 0) -> list[Finding]:
    """The whole sheet of one variant, and whether it is the one that its row promises."""
    from wnverify.auditing.gradchecked import gradchecked
    from wnverify.auditing.subject import Subject
    from wnverify.auditing.work import whole_sheet

    rows: list[Fault | Right] = [*faults(), *right_variants()]
    row = next(row for row in rows if row.name == name)
    target = parse_target(row.target, {}, {})
    findings = whole_sheet(target, seed=seed, quick=False)
    return [judgement(row, findings, gradchecked(Subject(target)))]


def judgement(row: Fault | Right, findings: Sequence[Finding], gradcheck: str = "not run") -> Finding:
    """``pass`` when a fault is caught as its row says, or a right variant is left in peace.

    ``gradcheck``: what ``torch.autograd.gradcheck`` says of the variant, which decides nothing here.
    """
    sheet = {finding.check: finding.verdict for finding in findings}
    figures: dict[str, Any] = {
        "sheet": {name: str(verdict) for name, verdict in sheet.items()},
        "note": row.note,
        "gradcheck": gradcheck,
    }
    if isinstance(row, Fault):
        figures |= {"meant": row.caught_by, "expected": row.verdict}
        seen = sheet.get(row.caught_by)
        caught = seen is not None and str(seen) in row.verdict.split(" or ")
        said = f"{row.caught_by} says {seen or 'nothing'} where {row.verdict} is due"
    else:
        alarms = [f for f in findings if _is_alarm(f, row)]
        caught = not alarms
        said = "; ".join(f"{f.check} says {f.verdict}: {f.message}" for f in alarms)
    verdict = Verdict.PASS if caught else Verdict.FAIL
    check = KILL if isinstance(row, Fault) else SILENT
    return Finding(
        kind="check",
        id=f"check/{SUBJECT}/{check}/{row.name}",
        subject=SUBJECT,
        check=check,
        verdict=verdict,
        statement=_statement(row),
        message="" if caught else said,
        routes=(Evidence(route="exact", verdict=verdict, figures=figures),),
        replay=f"python -m wnverify selftest --fault {row.name}",
    )


def _is_alarm(finding: Finding, row: Right) -> bool:
    """A hazard is allowed where it is listed; an error is as bad as a failure."""
    if finding.verdict is Verdict.HAZARD:
        return finding.check not in row.hazards
    return SEVERITY.index(finding.verdict) > SEVERITY.index(Verdict.HAZARD)


def _statement(row: Fault | Right) -> str:
    if isinstance(row, Fault):
        return f"{row.caught_by} must say {row.verdict} of the planted fault {row.name}"
    return f"no check may accuse the right variant {row.name}"
