"""What the opening of a report says in plain words: what was examined, what was found wrong, and on how many routes.

Every word is counted from the findings; nothing of it is typed.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from wnverify.finding import Finding, Verdict
from wnverify.report import wording
from wnverify.report.digest import FOUND_WRONG, GRAVITY, Digest, Subject

_COUNTED: Final = {
    "claim": "statement",
    "method": "numerical comparison",
    "check": "check",
    "theory": "theoretical statement",
    "experiment": "experimental finding",
    "benchmark": "benchmark",
}
_OF_STATEMENTS: Final[Mapping[Verdict, str]] = {
    Verdict.HOLDS: "right as printed",
    Verdict.HOLDS_UNDER: "right only under a further condition",
    Verdict.REFUTED: "refuted",
    Verdict.INCONSISTENT: "contradicted by their own paper",
    Verdict.AMBIGUOUS: "open to readings that differ in truth",
    Verdict.UNDECIDED: "undecided",
}
_OF_CHECKS: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    Verdict.HAZARD: "right with a hazard that people meet",
    Verdict.INCONCLUSIVE: "too noisy to decide",
    Verdict.UNSUPPORTED: "not supported",
}
_ENDINGS: Final[Mapping[Verdict, str]] = {
    Verdict.BLOCKED: "blocked by another failure",
    Verdict.ERROR: "ended by an error",
}


@dataclasses.dataclass(frozen=True)
class Hazard:
    """A check that is a hazard for several subjects; ``first`` is that of the first of them by name."""

    check: str
    subjects: Sequence[str]
    first: Finding


def examined(data: Digest) -> str:
    """What was looked at, in words: ``87 statements of 5 papers and 2 audited subjects in 75 checks``."""
    size = {kind: sum(bool(subject.findings) for subject in subjects) for kind, subjects in data.groups.items()}
    said = {kind: wording.plural(data.count(kind), noun) for kind, noun in _COUNTED.items()}
    waiting = f" ({data.waiting} more are not yet decided)" if data.waiting else ""
    phrases = {
        "claim": f"{said['claim']} of {wording.plural(size['claim'], 'paper')}{waiting}",
        "method": f"{wording.plural(size['method'], 'method')} in {said['method']}",
        "check": f"{wording.plural(size['check'], 'audited subject')} in {said['check']}",
    }
    return wording.listed(phrases.get(kind, said[kind]) for kind in _COUNTED if size[kind]) or "nothing"


def outcomes(data: Digest) -> list[str]:
    """A sentence for the statements, one for the comparisons and one for the checks, as far as there are any."""
    told = []
    for kind in ("claim", "method", "check"):
        words = {**(_OF_STATEMENTS if kind == "claim" else _OF_CHECKS), **_ENDINGS}
        found = Counter(f.verdict for f in data.current if f.kind == kind and f.subject != data.selftest.name)
        if not found:
            continue
        parts = [f"{found[verdict]:,} {said}" for verdict, said in words.items() if found[verdict]]
        told.append(f"{wording.plural(found.total(), _COUNTED[kind])}: {wording.listed(parts)}.")
    return told


def striking(data: Digest, most: int) -> list[Finding]:
    """The accused statements to begin with, of each subject in turn: the gravest verdict first, and within it the one
    that the most kinds of route accuse."""
    queues: dict[str, list[Finding]] = {}
    for finding in sorted(data.wrong("claim", "theory", "experiment"), key=_strikes):
        queues.setdefault(finding.subject, []).append(finding)
    rounds = max(map(len, queues.values()), default=0)
    turns = [queue[at] for at in range(rounds) for queue in queues.values() if at < len(queue)]
    return turns[:most]


def _strikes(finding: Finding) -> tuple[int, int, str]:
    return GRAVITY.index(finding.verdict), -accusing_routes(finding), finding.id


def accusing_routes(finding: Finding) -> int:
    """How many kinds of route say by themselves that it is wrong."""
    return len({route.route for route in finding.routes if route.verdict in FOUND_WRONG})


def broken_subjects(data: Digest) -> list[tuple[Subject, list[Finding]]]:
    """Methods and audited subjects with a failing check, most failures first."""
    wrong = {finding.id for finding in data.wrong("method", "check", "benchmark")}
    return _failing([*data.groups["method"], *data.groups["check"], *data.groups["benchmark"]], wrong)


def broken_variants(data: Digest) -> list[tuple[Subject, list[Finding]]]:
    """Other people's maps with a failing check, most failures first."""
    theirs = [finding for subject in data.gallery for finding in subject.findings]
    return _failing(data.gallery, {f.id for f in theirs if f.verdict in FOUND_WRONG and f.id not in data.stale})


def _failing(subjects: Sequence[Subject], wrong: set[str]) -> list[tuple[Subject, list[Finding]]]:
    found = [(subject, [f for f in subject.findings if f.id in wrong]) for subject in subjects]
    return sorted(((s, fails) for s, fails in found if fails), key=lambda pair: (-len(pair[1]), pair[0].name))


def hazards(data: Digest, most: int) -> list[Hazard]:
    """The checks that are a hazard for the most methods and audited subjects, at least two."""
    found: dict[str, dict[str, Finding]] = {}
    for finding in data.current:
        if finding.verdict is Verdict.HAZARD and finding.subject != data.selftest.name:
            found.setdefault(finding.check, {}).setdefault(finding.subject, finding)
    made = [Hazard(check, sorted(of), of[min(of)]) for check, of in found.items() if len(of) > 1]
    return sorted(made, key=lambda hazard: (-len(hazard.subjects), hazard.check))[:most]


def on_routes(data: Digest) -> str:
    """How many statements stand on two kinds of route or more, and how many refutations carry a counterexample."""
    decided = [f for f in data.current if f.kind == "claim" and f.verdict is not Verdict.UNDECIDED]
    if not decided:
        return ""
    several = sum(len({route.route for route in finding.routes}) > 1 for finding in decided)
    refuted = [finding for finding in decided if finding.verdict is Verdict.REFUTED]
    shown = sum(finding.witness is not None for finding in refuted)
    said = f"Decided by two or more kinds of route: {several:,} of {wording.plural(len(decided), 'statement')}."
    return said + (
        f" With a counterexample: {shown:,} of {wording.plural(len(refuted), 'refutation')}." if refuted else ""
    )
