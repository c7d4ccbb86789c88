"""What a report is made of, for every view: a row for each part, and the hand notes of the gallery."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from wnverify.finding import Finding
from wnverify.report.digest import Digest
from wnverify.report.wording import short


@dataclasses.dataclass(frozen=True)
class Row:
    """One part in words."""

    command: str
    state: str
    stale: bool
    date: str
    findings: str
    asked: str
    versions: str
    source: str


def made_of(data: Digest) -> list[Row]:
    """Every part by name; one without ids of its own is the run that made the document."""
    rows = []
    here = data.doc["environment"]
    for command, entry in sorted(data.doc.get("parts", {}).items()):
        stale = bool(entry.get("stale"))
        stored = "ids" in entry
        rows.append(
            Row(
                command=command,
                state="stale: its source has changed" if stale else "stored, current" if stored else "this run",
                stale=stale,
                date=str(entry.get("date") or here.get("date") or "–"),
                findings=f"{len(entry['ids']):,}" if stored else "–",
                asked=short(entry["asked"]) if entry.get("asked") else "–",
                versions=_versions(entry.get("versions"), here.get("versions")) if stored else "as below",
                source=str(entry["source"])[:16],
            )
        )
    return rows


def _versions(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any] | None) -> str:
    """Where they differ from those of this run."""
    if not theirs:
        return "not recorded"
    other = [f"{name} {has}" for name, has in sorted(theirs.items()) if has and has != (ours or {}).get(name)]
    return ", ".join(other) or "the same"


def note_of(finding: Finding) -> str:
    """What somebody who looked at it by hand wrote beside it: a figure, or a condition where no route has figures."""
    conditions = [text.removeprefix("note: ") for text in finding.conditions if text.startswith("note: ")]
    figures = [str(route.figures["note"]) for route in finding.routes if route.figures.get("note")]
    return next(iter((*figures, *conditions)), "")
