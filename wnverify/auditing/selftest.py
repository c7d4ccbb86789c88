"""The audit, audited: every planted fault must be caught by the check meant for it, every right variant pass.

A kill is the verdict that the fault's row names, from the check it names; a false alarm is any ``fail`` on a right
variant, or a ``hazard`` that its row does not list.  Both are asked again under other seeds: of every right variant how
often many of them accuse it, of a sample of the faults whether each of a few catches it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.auditing.registry import SEVERITY
from wnverify.auditing.target import parse_target
from wnverify.faults.catalogue import Fault, Right, faults, right_variants
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.nearest import meant
from wnverify.workitem import WorkItem

SUBJECT: Final = "selftest"
KILL: Final = "selftest.kill"
SILENT: Final = "selftest.silent"
CALIBRATION: Final = "selftest.calibration"
RESEEDED: Final = "selftest.reseeded"
SEEDS: Final = 200
QUICK_SEEDS: Final = 20
"""Of every right variant, unless a number is asked for."""
SAMPLE: Final = 4
"""Every fourth variant is run in a quick selftest."""
FAULTS_RESEEDED: Final = 4
"""Every fourth fault is looked at under further seeds."""
OTHER_SEEDS: Final = 10
LONGER: Final = 5.0
"""How much more time many seeds are given than one."""


def selftest_items(
    patterns: Sequence[str] = (), *, quick: bool = False, seed: int = 0, seeds: int | None = None, **limits: float
) -> list[WorkItem]:
    """One work item a variant, and one more for what other seeds say of it: of every right one, of every fourth fault.

    ``seeds``: under how many each right variant is looked at.  ``ValueError`` for a pattern that matches no variant.
    """
    rows: list[Fault | Right] = [*faults(), *right_variants()]
    names = [row.name for row in rows]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            said = meant(pattern.strip("*"), names) or f"they have names like {', '.join(names[:3])}"
            raise ValueError(f"--fault {pattern!r} matches no variant of {len(names)}; {said}")
    chosen = [row for row in rows if not patterns or any(fnmatch.fnmatch(row.name, p) for p in patterns)]
    if quick and not patterns:
        chosen = chosen[::SAMPLE]
    items = [_item(row, KILL if isinstance(row, Fault) else SILENT, "judge", seed, limits) for row in chosen]
    if "timeout_s" in limits:
        limits = {**limits, "timeout_s": LONGER * limits["timeout_s"]}
    again = [row for row in chosen if isinstance(row, Fault) and not row.shards]
    again = again if patterns else again[::FAULTS_RESEEDED]
    right = [row for row in chosen if isinstance(row, Right)]
    seeds = seeds or (QUICK_SEEDS if quick else SEEDS)
    items += [_item(fault, RESEEDED, "reseeded", seed, limits) for fault in again]
    # What takes longest begins first, so that the workers end together.
    return [_item(variant, CALIBRATION, "calibration", seed, limits, seeds=seeds) for variant in right] + items


def _item(
    row: Fault | Right, check: str, function: str, seed: int, limits: Mapping[str, float], **arguments: int
) -> WorkItem:
    return WorkItem(
        id=f"check/{SUBJECT}/{check}/{row.name}",
        function=f"wnverify.auditing.selftest:{function}",
        arguments={"name": row.name, "seed": seed, **arguments},
        kind="check",
        subject=SUBJECT,
        check=check,
        statement=_statement(row, check),
        **limits,  # type: ignore[arg-type]
    )


def calibration(name: str, seed: int = 0, seeds: int = SEEDS) -> list[Finding]:
    """What every check says of one right variant under that many seeds (see ``auditing.calibration``)."""
    from wnverify.auditing.calibration import calibrated, judged
    from wnverify.auditing.registry import checks
    from wnverify.auditing.subject import Subject

    row = next(row for row in right_variants() if row.name == name)
    subject = Subject(parse_target(row.target, {}, {}))
    looked, tallies = calibrated(subject, checks().values(), row.hazards, seed=seed, most=seeds)
    id, statement = f"check/{SUBJECT}/{CALIBRATION}/{name}", _statement(row, CALIBRATION)
    found = judged(subject, looked, tallies, id=id, statement=statement, check=CALIBRATION)
    return [found.replace(replay=_replay(row.name, seed, seeds))]


def reseeded(name: str, seed: int = 0, seeds: int = OTHER_SEEDS) -> list[Finding]:
    """Whether the check that is meant for a fault catches it under each of so many other seeds."""
    from wnverify.auditing.calibration import caught_again
    from wnverify.auditing.registry import checks
    from wnverify.auditing.subject import Subject

    row = next(row for row in faults() if row.name == name)
    subject = Subject(parse_target(row.target, {}, {}))
    verdicts = caught_again(checks()[row.caught_by], subject, range(seed + 1, seed + 1 + seeds))
    return [rejudgement(row, verdicts, seed)]


def rejudgement(row: Fault, verdicts: Mapping[int, str], seed: int = 0) -> Finding:
    """``pass`` when every seed catches the fault, ``hazard`` when only some do, ``fail`` when none does.

    ``verdicts``: those of the check meant for it, by seed; none where the check draws nothing.  ``seed``: of the run.
    """
    missed = {seed: said for seed, said in verdicts.items() if said not in row.verdict.split(" or ")}
    verdict = Verdict.PASS
    if missed:
        verdict = Verdict.HAZARD if len(missed) < len(verdicts) else Verdict.FAIL
    said = ", ".join(f"{word} at seed {seed}" for seed, word in missed.items())
    figures: dict[str, Any] = {"meant": row.caught_by, "seeds": len(verdicts), "caught": len(verdicts) - len(missed)}
    return Finding(
        kind="check",
        id=f"check/{SUBJECT}/{RESEEDED}/{row.name}",
        subject=SUBJECT,
        check=RESEEDED,
        verdict=verdict,
        statement=_statement(row, RESEEDED),
        message=f"{row.caught_by} says {said}, where {row.verdict} is due" if missed else "",
        conditions=() if verdicts else (f"{row.caught_by} draws no random numbers",),
        routes=(Evidence(route="simulation", verdict=verdict, figures=figures),),
        replay=_replay(row.name, seed),
    )


def judge(name: str, seed: int = 0, alone: bool = False) -> list[Finding]:
    """The sheet of one variant, and whether it is the one that its row promises.

    Of a right variant every check looks in full; of a fault the one that must catch it, the others quickly, or with
    ``alone`` not at all: what they say decides nothing.
    """
    from wnverify.auditing.gradchecked import gradchecked
    from wnverify.auditing.subject import Subject
    from wnverify.auditing.work import whole_sheet

    rows: list[Fault | Right] = [*faults(), *right_variants()]
    row = next(row for row in rows if row.name == name)
    target = parse_target(row.target, {}, {})
    meant = [row.caught_by] if isinstance(row, Fault) else []
    alone = alone and bool(meant)
    findings = whole_sheet(target, seed=seed, quick=bool(meant), closely=meant, alone=alone, shards=row.shards)
    return [judgement(row, findings, "not run" if alone else gradchecked(Subject(target)), seed)]


def judgement(row: Fault | Right, findings: Sequence[Finding], gradcheck: str = "not run", seed: int = 0) -> Finding:
    """``pass`` when a fault is caught as its row says, or a right variant is left in peace.

    ``gradcheck``: what ``torch.autograd.gradcheck`` says of the variant, which decides nothing here.  ``seed``: of the
    run.
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
        statement=_statement(row, check),
        message="" if caught else said,
        routes=(Evidence(route="exact", verdict=verdict, figures=figures),),
        replay=_replay(row.name, seed),
    )


def _replay(name: str, seed: int, seeds: int = SEEDS) -> str:
    """The command that asks of this variant again."""
    drawn = f" --seed {seed}" if seed else ""
    return f"python -m wnverify selftest --fault {name}{drawn}" + ("" if seeds == SEEDS else f" --seeds {seeds}")


def _is_alarm(finding: Finding, row: Right) -> bool:
    """A hazard is allowed where it is listed; an error is as bad as a failure."""
    if finding.verdict is Verdict.HAZARD:
        return finding.check not in row.hazards
    return SEVERITY.index(finding.verdict) > SEVERITY.index(Verdict.HAZARD)


def _statement(row: Fault | Right, check: str) -> str:
    if check == RESEEDED:
        return f"every seed must catch the planted fault {row.name}"
    if check == CALIBRATION:
        return f"under no seed may a check accuse the right variant {row.name}, or measure more than its model allows"
    if isinstance(row, Fault):
        return f"{row.caught_by} must say {row.verdict} of the planted fault {row.name}"
    return f"no check may accuse the right variant {row.name}"
