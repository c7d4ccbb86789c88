"""What a finding means for a run that can fail: one rule for the exit code, pytest, JUnit, SARIF and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from wnverify.finding import Finding, Verdict
from wnverify.report.results import findings_of


class Standing(StrEnum):
    """``failure`` and ``error`` break a run; the others do not."""

    RIGHT = "right"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"
    WAIVED = "waived"


BREAKS: Final = frozenset({Standing.FAILURE, Standing.ERROR})
_OF_VERDICT: Final[Mapping[Verdict, Standing]] = {
    Verdict.FAIL: Standing.FAILURE,
    Verdict.ERROR: Standing.ERROR,
    Verdict.HAZARD: Standing.WARNING,
    Verdict.INCONCLUSIVE: Standing.SKIPPED,
    Verdict.UNSUPPORTED: Standing.SKIPPED,
    Verdict.BLOCKED: Standing.SKIPPED,
    Verdict.UNDECIDED: Standing.SKIPPED,
}
"""Every other verdict is ``right``: a refuted statement is a result of the run, not a failure of it."""


def standing(finding: Finding, *, strict: bool = False, waived: bool = False) -> Standing:
    """``strict`` makes a hazard a failure; ``waived`` takes from a failure, an error or a hazard its effect."""
    plain = _OF_VERDICT.get(finding.verdict, Standing.RIGHT)
    if waived and plain in (Standing.FAILURE, Standing.ERROR, Standing.WARNING):
        return Standing.WAIVED
    return Standing.FAILURE if strict and finding.verdict is Verdict.HAZARD else plain


def waived(doc: Mapping[str, Any]) -> dict[str, str]:
    """Finding id → the reason of the first waiver that applies to it."""
    reasons: dict[str, str] = {}
    for entry in doc.get("waivers", ()):
        if entry["state"] == "applied":
            reasons = {**dict.fromkeys(entry["ids"], entry["reason"]), **reasons}
    return reasons


def breaks(doc: Mapping[str, Any], *, strict: bool = False) -> bool:
    """Whether the run of this document failed."""
    known = waived(doc)
    found = findings_of(doc)
    return any(standing(finding, strict=strict, waived=finding.id in known) in BREAKS for finding in found)


def remark(entry: Mapping[str, Any]) -> str:
    """What is to be said of a waiver, in a sentence."""
    about = entry["check"] + (f" of {entry['subject']}" if entry["subject"] else "")
    said = {
        "applied": f"{about} is waived: {entry['reason']}",
        "not needed": f"waiver no longer needed: {about} passes ({entry['reason']})",
        "expired": f"waiver expired on {entry['expires']} and no longer applies: {about} ({entry['reason']})",
        "idle": f"waiver touched nothing in this run: {about} ({entry['reason']})",
    }
    return said[entry["state"]]
