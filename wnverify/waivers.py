"""Waivers: findings that a project knows of and accepts, each with its reason and, if it likes, a last day.

A waiver changes no finding: what was found stays as it was.  It says that a run does not fail because of it, and every
view shows it with its reason.  One that is no longer needed, has expired or touched nothing is reported, never dropped
in silence.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, Verdict
from wnverify.nearest import meant

WAIVABLE: Final = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.HAZARD})
APPLIED: Final = "applied"
NOT_NEEDED: Final = "not needed"
EXPIRED: Final = "expired"
IDLE: Final = "idle"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """``check`` is the id of a check or a pattern of ids (``gradient.*``); ``subject`` the name of a subject in finding
    ids, or a pattern, None for every subject; ``expires`` the last day on which it applies.

    Raises ``ValueError`` naming the field.
    """

    check: str
    reason: str
    subject: str | None = None
    expires: datetime.date | None = None

    def __post_init__(self) -> None:
        for name in ("check", "reason", "subject"):
            value = getattr(self, name)
            if value is None and name == "subject":
                continue
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} of a waiver must be text that is not empty; got {value!r}")
        # A datetime is a date to Python, but no day.
        if self.expires is not None and type(self.expires) is not datetime.date:
            raise ValueError(f"expires of a waiver must be a date without quotes, 2027-01-31; got {self.expires!r}")

    @classmethod
    def from_table(cls, table: Any, where: str) -> Waiver:
        """The waiver of a table of a configuration; ``where`` is the breadcrumb of a message."""
        known = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(table, Mapping):
            raise ValueError(f"{where} must be a table with {', '.join(known)}; got {table!r}")
        for name in table:
            if name not in known:
                raise ValueError(f"{where}: unknown key {name!r}; the keys are {', '.join(known)}")
        for name in ("check", "reason"):
            if name not in table:
                raise ValueError(f"{where}: {name} is missing; a waiver has a check and the reason why it is accepted")
        try:
            return cls(**table)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None

    @classmethod
    def from_words(cls, text: str) -> Waiver:
        """The waiver of ``CHECK=REASON``."""
        check, separator, reason = text.partition("=")
        if not (separator and check.strip() and reason.strip()):
            raise ValueError(f"a waiver must be CHECK=REASON, with a reason; got {text!r}")
        return cls(check=check.strip(), reason=reason.strip())

    def expired(self, today: datetime.date) -> bool:
        return self.expires is not None and today > self.expires

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is of its check and subject, whatever was found."""
        if finding.kind != "check" or not fnmatch.fnmatchcase(finding.check, self.check):
            return False
        # A subject's name may hold brackets, which a pattern would take for a set of characters.
        return self.subject in (None, finding.subject) or fnmatch.fnmatchcase(finding.subject, self.subject or "")

    def waives(self, finding: Finding, today: datetime.date) -> bool:
        """Whether the finding would fail a run, and does not because of this."""
        return finding.verdict in WAIVABLE and self.covers(finding) and not self.expired(today)


def applied(waivers: Iterable[Waiver], findings: Sequence[Finding], today: datetime.date) -> list[dict[str, Any]]:
    """What became of each waiver: its fields, its ``state`` and the ``ids`` of the findings that this is about.

    ``applied``: these are waived; ``not needed``: all of these passed; ``expired``: it would have waived these;
    ``idle``: this run found nothing that it could be about, or nothing that decides whether it is needed.
    """
    return [_applied(waiver, [f for f in findings if waiver.covers(f)], today) for waiver in waivers]


def _applied(waiver: Waiver, covered: Sequence[Finding], today: datetime.date) -> dict[str, Any]:
    state, about = IDLE, [finding for finding in covered if finding.verdict in WAIVABLE]
    if waiver.expired(today):
        state = EXPIRED
    elif about:
        state = APPLIED
    elif covered and all(finding.verdict is Verdict.PASS for finding in covered):
        state, about = NOT_NEEDED, list(covered)
    return {
        "check": waiver.check,
        "subject": waiver.subject,
        "reason": waiver.reason,
        "expires": None if waiver.expires is None else waiver.expires.isoformat(),
        "state": state,
        "ids": sorted(finding.id for finding in about),
    }


def refuse_unknown(waivers: Iterable[Waiver], known: Collection[str]) -> None:
    """``ValueError`` for a waiver whose id or pattern no check of the lab has, naming near ones."""
    for waiver in waivers:
        if not any(fnmatch.fnmatchcase(name, waiver.check) for name in known):
            said = meant(waiver.check, known) or f"there are {', '.join(sorted(known))}"
            raise ValueError(f"waiver of {waiver.check!r} ({waiver.reason}): no check has this id; {said}")
