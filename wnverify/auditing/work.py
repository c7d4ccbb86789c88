"""What runs in the child: a subject is described, a check performed, failures repeated."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from wnverify.auditing.context import QUICK_SHAPES, Context, first_line
from wnverify.auditing.demonstration import witnessed
from wnverify.auditing.instance import raised_by_subject
from wnverify.auditing.registry import (
    DESCRIBES,
    DESCRIPTION,
    KNOWN_CHECKS,
    LISTS,
    REPEATED,
    REPEATS,
    Check,
    Sheet,
    finding_of,
    matching,
)
from wnverify.auditing.registry import checks as registered
from wnverify.auditing.subject import Subject
from wnverify.auditing.target import TargetSpec
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.numerics.shards.kept import groups


def describe(
    spec: Mapping[str, Any],
    checks: Sequence[str] = (),
    seed: int = 0,
    quick: bool = False,
    kind: str | None = None,
    full: bool = False,
    shards: int = 0,
) -> list[Finding]:
    """The subject's description, or an ``error`` finding that says why it cannot be loaded.

    ``kind`` is what it is taken for where neither the user says so nor recognising it came to an end.
    """
    target = TargetSpec(**spec)

    def finding(verdict: Verdict, message: str, figures: Mapping[str, Any]) -> list[Finding]:
        return [
            Finding(
                kind="check",
                id=f"check/{target.subject}/{DESCRIPTION}",
                subject=target.subject,
                check=DESCRIPTION,
                verdict=verdict,
                statement=DESCRIBES,
                message=message,
                routes=(Evidence(route="exact", verdict=verdict, figures=dict(figures)),),
                replay=replay_command(target, None, seed, quick, full, shards),
            )
        ]

    try:
        subject = Subject(target, kind)
        chosen = _chosen(subject, checks, quick, shards)
    except Exception as error:  # loading runs foreign code, which may raise anything
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        return finding(Verdict.ERROR, f"{kind}{first_line(error)}", {})
    figures = {
        "kind": subject.kind,
        "declared": {name: _plain(value) for name, value in subject.declares.items()},
        "domain": {name: _plain(value) for name, value in subject.domain.items()},
        "arguments": {name: _plain(value) for name, value in subject.arguments.items()},
        "source_sha256": target.sha256,
        "line": target.line,
        "checks": [{"id": c.id, "asks": c.question(subject.kind), "requires": list(c.requires)} for c in chosen],
    }
    said = f"{len(subject.declares)} declared properties, {len(chosen)} checks apply"
    if quick and (left_out := [c.id for c in registered().values() if c.applies(subject, shards) and not c.quick]):
        said += f"; quick leaves out {', '.join(left_out)}"
    return finding(Verdict.PASS, said, figures)


def perform(
    spec: Mapping[str, Any],
    check: str,
    seed: int = 0,
    quick: bool = False,
    kind: str | None = None,
    full: bool = False,
    shards: int = 0,
) -> list[Finding]:
    """One check on one subject, whose kind the description has found."""
    target = TargetSpec(**spec)
    subject = Subject(target, kind)
    return [_performed(registered()[check], subject, target, seed=seed, quick=quick, full=full, shards=shards)]


def repeat(
    spec: Mapping[str, Any],
    names: Sequence[str],
    seed: int = 0,
    quick: bool = False,
    kind: str | None = None,
    full: bool = False,
    shards: int = 0,
) -> list[Finding]:
    """The verdicts of the named checks, once more, as one finding's figures."""
    target = TargetSpec(**spec)
    subject, known, verdicts = Subject(target, kind), registered(), {}
    for name in names:
        said: dict[str, Any] = {"seed": seed, "quick": quick, "full": full, "shards": shards}
        finding = _performed(known[name], subject, target, shrink=False, **said)
        verdicts[name] = str(finding.verdict)
    route = Evidence(route="exact", verdict=Verdict.PASS, figures=verdicts)
    return [
        Finding(
            kind="check",
            id=f"check/{target.subject}/{REPEATED}",
            subject=target.subject,
            check=REPEATED,
            verdict=Verdict.PASS,
            statement=REPEATS,
            routes=(route,),
        )
    ]


def known_checks() -> list[Finding]:
    """The ids of all checks as one finding's figures: for a process that does not import the checks itself."""
    route = Evidence(route="exact", verdict=Verdict.PASS, figures={"checks": list(registered())})
    return [
        Finding(
            kind="check",
            id=KNOWN_CHECKS,
            subject="audit",
            check="known",
            verdict=Verdict.PASS,
            statement=LISTS,
            routes=(route,),
        )
    ]


def whole_sheet(
    target: TargetSpec, *, seed: int, quick: bool, closely: Sequence[str] = (), alone: bool = False, shards: int = 0
) -> list[Finding]:
    """Every check of one subject in this process, none blocked by another and no witness shrunk.

    ``closely``: those that are not quick though the others are; ``alone``: the others do not look.  For subjects that
    are known to behave: planted faults and right variants.
    """
    subject = Subject(target)
    asked = set(closely) if alone else {check.id for check in _chosen(subject, (), quick, shards)} | set(closely)
    said: dict[str, Any] = {"seed": seed, "shards": shards, "shrink": False}
    with groups(shards) if shards else contextlib.nullcontext():
        return [
            _performed(check, subject, target, quick=quick and name not in closely, **said)
            for name, check in registered().items()
            if name in asked and check.applies(subject, shards)
        ]


def _performed(
    check: Check,
    subject: Subject,
    target: TargetSpec,
    *,
    seed: int,
    quick: bool,
    full: bool = False,
    shards: int = 0,
    shrink: bool = True,
) -> Finding:
    sheet = Sheet()
    look = Context(subject, seed=seed, quick=quick, shrink=shrink, full=full, shards=shards)
    try:
        check.run(look, sheet)
    except Exception as error:
        if not raised_by_subject(error):
            raise
        said = f"the subject raised {type(error).__name__}: {first_line(error)}, which ended this look"
        sheet.add("what is left", Verdict.HAZARD, said, route="exact")
    if shrink:
        witnessed(look, check.id, sheet)
    if quick:
        shapes = ", ".join("x".join(map(str, shape)) for shape in QUICK_SHAPES)
        sheet.note(
            f"quick: of generic matrices those of shape {shapes}, half of the random probes, "
            "a property at one of its sizes and steps"
        )
    replay = replay_command(target, check.id, seed, quick, full, shards)
    return finding_of(check, sheet, subject=target.subject, replay=replay, kind=subject.kind)


def replay_command(
    target: TargetSpec, check: str | None, seed: int, quick: bool, full: bool = False, shards: int = 0
) -> str:
    """The command line that performs this one check, or all of them, again; for a live object the call that does."""
    if target.pickled is not None:
        said: dict[str, Any] = {"arguments": target.arguments, "declare": target.declare, "kind": target.kind}
        said |= {"checks": [check] if check else [], "seed": seed}
        said |= {"quick": quick, "full": full, "shards": shards}
        written = [f"{name}={value!r}" for name, value in said.items() if value or name == "seed"]
        return f"wnverify.audit({', '.join([target.name, *written])})"
    chosen = ["--check", check] if check else []
    words = ["python", "-m", "wnverify", "audit", target.target, *chosen, "--seed", str(seed)]
    if target.kind is not None and not target.catalogued:
        words += ["--kind", target.kind]
    for name, value in target.arguments.items():
        words += ["--arg", f"{name}={value!r}"]
    for name, value in target.declare.items():
        words += ["--declare", f"{name}={value!r}"]
    words += ["--shards", str(shards)] if shards else []
    return shlex.join([*words, *(["--quick"] if quick else []), *(["--full"] if full else [])])


def _chosen(subject: Subject, patterns: Sequence[str], quick: bool, shards: int = 0) -> list[Check]:
    """The checks that apply, those asked for with what they require."""
    applicable = {
        name: check
        for name, check in registered().items()
        if check.applies(subject, shards) and (check.quick or not quick)
    }
    chosen = set(matching(patterns, list(applicable)))
    while missing := {name for kept in chosen for name in applicable[kept].requires} - chosen:
        chosen |= missing
    return [check for name, check in applicable.items() if name in chosen]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return type(value).__name__
