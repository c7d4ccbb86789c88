"""The work items of an audit: one that describes a subject, one for each check, one that repeats what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wnverify.auditing.registry import DESCRIBES, DESCRIPTION, KNOWN_CHECKS, LISTS, REPEATED, REPEATS
from wnverify.auditing.target import TargetSpec
from wnverify.finding import Finding, Verdict
from wnverify.workitem import WorkItem


def description_item(spec: TargetSpec, common: Mapping[str, Any], limits: Mapping[str, float]) -> WorkItem:
    return WorkItem(
        id=f"check/{spec.subject}/{DESCRIPTION}",
        function="wnverify.auditing.work:describe",
        arguments={"spec": spec.to_json(), **common},
        kind="check",
        subject=spec.subject,
        check=DESCRIPTION,
        statement=DESCRIBES,
        **limits,  # type: ignore[arg-type]
    )


def known_checks_item() -> WorkItem:
    return WorkItem(
        id=KNOWN_CHECKS,
        function="wnverify.auditing.work:known_checks",
        kind="check",
        subject="audit",
        check="known",
        statement=LISTS,
    )


def check_items(
    spec: TargetSpec, description: Finding, common: Mapping[str, Any], limits: Mapping[str, float]
) -> list[WorkItem]:
    once = _once(spec, description, common)
    items = []
    listed: Any = description.routes[0].figures["checks"]
    chosen = {entry["id"] for entry in listed}
    for entry in listed:
        items.append(
            WorkItem(
                id=f"check/{spec.subject}/{entry['id']}",
                function="wnverify.auditing.work:perform",
                arguments={**once, "check": entry["id"]},
                kind="check",
                subject=spec.subject,
                check=entry["id"],
                statement=entry["asks"],
                requires=tuple(f"check/{spec.subject}/{name}" for name in entry["requires"] if name in chosen),
                **limits,  # type: ignore[arg-type]
            )
        )
    return items


def repeat_item(
    spec: TargetSpec,
    description: Finding,
    findings: Sequence[Finding],
    common: Mapping[str, Any],
    limits: Mapping[str, float],
) -> WorkItem | None:
    failed = [f.check for f in findings if f.subject == spec.subject and f.verdict is Verdict.FAIL]
    if not failed:
        return None
    once = _once(spec, description, common)
    limits = {**limits, "timeout_s": limits["timeout_s"] * len(failed)}
    return WorkItem(
        id=f"check/{spec.subject}/{REPEATED}",
        function="wnverify.auditing.work:repeat",
        arguments={**once, "names": failed},
        kind="check",
        subject=spec.subject,
        check=REPEATED,
        statement=REPEATS,
        fresh=True,
        **limits,  # type: ignore[arg-type]
    )


def _once(spec: TargetSpec, description: Finding, common: Mapping[str, Any]) -> dict[str, Any]:
    """What every check of a subject is told: the kind that its description has found spares finding it again."""
    kind = description.routes[0].figures["kind"]
    told = {name: common[name] for name in ("seed", "quick", "full", "shards") if name in common}
    return {"spec": spec.to_json(), **told, "kind": kind}
