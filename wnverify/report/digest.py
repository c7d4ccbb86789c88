"""What every view of a document tells: findings grouped, counted and put in order, and how far to trust them.

Nothing is decided here that the findings do not say.  Findings of a stale part are kept apart from every count.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, Verdict
from wnverify.report.results import findings_of
from wnverify.report.standing import waived
from wnverify.report.trust import Trust
from wnverify.report.wording import plain, short

QUIET: Final = frozenset({Verdict.PASS, Verdict.HOLDS})
"""Verdicts that a view condenses; every other finding is shown in full."""

GRAVITY: Final = (
    Verdict.REFUTED,
    Verdict.INCONSISTENT,
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.HAZARD,
    Verdict.AMBIGUOUS,
    Verdict.HOLDS_UNDER,
    Verdict.UNDECIDED,
    Verdict.INCONCLUSIVE,
    Verdict.BLOCKED,
    Verdict.UNSUPPORTED,
    Verdict.HOLDS,
    Verdict.PASS,
)
"""The order in which verdicts are listed: what is wrong, what needs care, what is open, what is right."""

TONE: Final[Mapping[Verdict, str]] = {
    verdict: tone
    for tone, verdicts in {
        "wrong": GRAVITY[:4],
        "care": GRAVITY[4:7],
        "open": GRAVITY[7:11],
        "right": GRAVITY[11:],
    }.items()
    for verdict in verdicts
}
FOUND_WRONG: Final = frozenset(GRAVITY[:3])
"""Verdicts that accuse what was judged; an ``error`` only says that there is no verdict."""
SYMBOL: Final[Mapping[str, str]] = {"wrong": "✕", "care": "▲", "open": "○", "right": "✓"}

SELFTEST: Final = "selftest"
GALLERY: Final = "gallery"
"""The stored part with audits of other people's maps: its findings are no findings on this house."""
DESCRIPTION: Final = "subject.description"
_SCOPE: Final = (
    ("declared", "declared", "nothing: the forward defines the map"),
    ("discovered", "only discovered", "nothing"),
    ("domain", "domain", "no limit stated"),
    ("arguments", "arguments", "none"),
)
DTYPES: Final = ("float64", "float32", "float16", "bfloat16")


ERRATA: Final = frozenset({Verdict.REFUTED, Verdict.INCONSISTENT, Verdict.AMBIGUOUS, Verdict.HOLDS_UNDER})
"""Verdicts of statements that a reader of the paper should not take as printed."""


@dataclasses.dataclass(frozen=True)
class Family:
    """The findings of one subject whose check ids share what stands before the first dot."""

    name: str
    findings: Sequence[Finding]

    @property
    def counts(self) -> list[tuple[Verdict, int]]:
        return counts(self.findings)

    @property
    def quiet(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict in QUIET]


@dataclasses.dataclass(frozen=True)
class Subject:
    """All findings of one kind about one subject; ``description`` is what it declared and what was discovered."""

    kind: str
    name: str
    findings: Sequence[Finding]
    description: Finding | None = None
    title: str = ""
    rows: int | None = None
    decided: int | None = None

    @property
    def counts(self) -> list[tuple[Verdict, int]]:
        return counts(self.findings)

    @property
    def families(self) -> list[Family]:
        names = sorted({finding.family for finding in self.findings})
        return [Family(name, [f for f in self.findings if f.family == name]) for name in names]

    @property
    def loud(self) -> list[Finding]:
        """Every finding that is neither ``pass`` nor ``holds``, gravest verdict first."""
        return by_gravity(finding for finding in self.findings if finding.verdict not in QUIET)

    @property
    def quiet(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict in QUIET]

    @property
    def errata(self) -> list[Finding]:
        """The statements of a paper that do not stand as they are printed, gravest first."""
        return by_gravity(finding for finding in self.findings if finding.kind == "claim" and finding.verdict in ERRATA)

    @property
    def scope(self) -> list[tuple[str, list[str], str]]:
        """What the description says: a label, the items under it, and what an empty list means."""
        return [(label, _items(self._described[name]), none) for name, label, none in _SCOPE if name in self._described]

    @property
    def described_kind(self) -> str:
        return str(self._described.get("kind", ""))

    @property
    def _described(self) -> Mapping[str, Any]:
        return self.description.routes[0].figures if self.description and self.description.routes else {}


@dataclasses.dataclass(frozen=True)
class Digest:
    """A document, ready to be shown; ``waived``: id → the reason why the project accepts that finding.

    ``gallery``: other people's maps, which are in no group and in no count.
    """

    doc: Mapping[str, Any]
    findings: Sequence[Finding]
    stale: frozenset[str]
    waived: Mapping[str, str]
    gallery: Sequence[Subject]
    groups: Mapping[str, Sequence[Subject]]
    selftest: Subject
    trust: Trust

    @property
    def current(self) -> list[Finding]:
        """What the counts are made of: no stale part, no gallery, no mere description."""
        apart = self.stale | frozenset(self.doc.get("parts", {}).get(GALLERY, {}).get("ids", ()))
        return [f for f in self.findings if f.id not in apart and not _is_mere_description(f)]

    @property
    def counts(self) -> list[tuple[Verdict, int]]:
        return counts(self.current)

    def count(self, kind: str) -> int:
        return sum(f.kind == kind and f.subject != SELFTEST for f in self.current)

    @property
    def waiting(self) -> int:
        """Statements of the papers that have no finding yet."""
        return sum((s.rows or 0) - (s.decided or 0) for s in self.groups["claim"])

    def wrong(self, *kinds: str) -> list[Finding]:
        """Current findings of these kinds that accuse, gravest first; neither errors nor the selftest."""
        return by_gravity(
            f for f in self.current if f.kind in kinds and f.verdict in FOUND_WRONG and f.subject != SELFTEST
        )

    @property
    def stale_parts(self) -> list[str]:
        return sorted(command for command, entry in self.doc.get("parts", {}).items() if entry.get("stale"))


def digest(doc: Mapping[str, Any]) -> Digest:
    """Group the findings of a document by kind and subject."""
    findings = findings_of(doc)
    parts = doc.get("parts", {})
    stale = frozenset(name for entry in parts.values() if entry.get("stale") for name in entry.get("ids", ()))
    theirs = frozenset(parts.get(GALLERY, {}).get("ids", ()))
    ours = [finding for finding in findings if finding.id not in theirs]
    selftest = [finding for finding in ours if finding.subject == SELFTEST]
    kinds = ("claim", "theory", "experiment", "method", "check", "benchmark")
    trust = Trust(
        faults=[finding for finding in selftest if finding.check == "selftest.kill"],
        right=[finding for finding in selftest if finding.check == "selftest.silent"],
        reseeded=[finding for finding in selftest if finding.check == "selftest.reseeded"],
        calibrated=[finding for finding in selftest if finding.check == "selftest.calibration"],
    )
    return Digest(
        doc,
        findings,
        stale,
        waived(doc),
        gallery=_subjects("check", [finding for finding in findings if finding.id in theirs], {}),
        groups={kind: _subjects(kind, ours, doc.get("coverage", {}) if kind == "claim" else {}) for kind in kinds},
        selftest=Subject("check", SELFTEST, selftest),
        trust=trust,
    )


def counts(findings: Iterable[Finding]) -> list[tuple[Verdict, int]]:
    """How often each verdict occurs, in the order of gravity, absent ones left out."""
    found = Counter(finding.verdict for finding in findings)
    return [(verdict, found[verdict]) for verdict in GRAVITY if found[verdict]]


def by_gravity(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (GRAVITY.index(finding.verdict), finding.id))


def worst_ratio(finding: Finding) -> float | None:
    """The largest ratio of its routes, NaN above all; ``None`` where no route has one."""
    ratios = [route.ratio for route in finding.routes if route.ratio is not None]
    return max(ratios, key=lambda ratio: (math.isnan(ratio), ratio), default=None)


def least_power(finding: Finding) -> float | None:
    """The smallest relative error that any of its routes would have noticed."""
    return min((route.power for route in finding.routes if route.power is not None), default=None)


def case_parts(finding: Finding) -> tuple[str, str]:
    """The type (with ``@`` and a device, where it is another than the processor), and the options of the method.

    >>> case = Finding(kind="method", id="method/m/a/float32,eps=1@cuda", subject="m", check="a", verdict=Verdict.PASS,
    ...                statement="?")
    >>> case_parts(case)
    ('float32@cuda', 'eps=1')
    """
    named, at, device = finding.case.partition("@")
    kind, _, said = named.partition(",")
    return kind + at + device, said


def dtype_order(case: str) -> tuple[int, str]:
    """Sort key: the floating-point types from the finest to the coarsest, then anything else by name."""
    return (DTYPES.index(case) if case in DTYPES else len(DTYPES), case)


def _subjects(kind: str, findings: Sequence[Finding], coverage: Mapping[str, Mapping[str, Any]]) -> list[Subject]:
    mine = [finding for finding in findings if finding.kind == kind and finding.subject != SELFTEST]
    made = []
    for name in sorted({finding.subject for finding in mine} | set(coverage)):
        own = sorted((finding for finding in mine if finding.subject == name), key=_natural)
        entry = coverage.get(name, {})
        made.append(
            Subject(
                kind,
                name,
                findings=[finding for finding in own if not _is_mere_description(finding)],
                description=next((finding for finding in own if finding.check == DESCRIPTION), None),
                title=str(entry.get("title", "")),
                rows=entry.get("rows"),
                decided=entry.get("decided"),
            )
        )
    return made


def _natural(finding: Finding) -> list[tuple[str, int]]:
    """Sort key by id in which ``eq-9`` comes before ``eq-10``."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", finding.id)]


def _items(told: Any) -> list[str]:
    """``name`` for what is true, ``name = value`` for anything else, the entries of a list as they are."""
    if isinstance(told, Mapping):
        return [name if value is True else f"{name} = {short(value)}" for name, value in told.items()]
    return [plain(item) for item in told or ()]


def _is_mere_description(finding: Finding) -> bool:
    return finding.check == DESCRIPTION and finding.verdict is Verdict.PASS
