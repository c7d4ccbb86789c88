"""Two results documents, finding by finding: what became worse, what was mended, what came and went.

    not decided             inconclusive, unsupported, blocked, undecided
    rank of a verdict       0  pass, holds
                            1  holds-under, ambiguous
                            2  not decided
                            3  hazard
                            4  fail, error, refuted, inconsistent

A finding whose rank rises is *worse*, and a *new failure* where it rises to 4, or where a ratio crosses 1 that the
verdict did not tell.  One whose rank falls is *better*, and *fixed* where it falls from 4 to 0 or 1; but what is no
longer decided is never better.  A ratio *grew* where it is at least ``GROWTH`` times the old one and at least
``NOTICED``.  What stands in a stale part is the finding of other code, and is left out.

A quick look that says less than a whole one did was *asked less*: what it did not find it may not have looked at.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from wnverify.finding import SCHEMA as RESULTS
from wnverify.finding import Finding, Json, Verdict, dumps
from wnverify.report import results
from wnverify.report.digest import worst_ratio
from wnverify.report.shape import COMPARISON

GROWTH: Final = 2.0
"""A ratio that is so many times the old one is told: below, it may be another order of the same sums."""
NOTICED: Final = 0.1
"""Below a tenth of what rounding allows, a ratio says nothing but which way the last bits fell."""
FAILURE: Final = 4
UNDECIDED: Final = 2
QUICK: Final = "quick: "
"""How the condition of a finding begins that says what a quick look left out."""
RANK: Final[Mapping[Verdict, int]] = {
    **dict.fromkeys((Verdict.PASS, Verdict.HOLDS), 0),
    **dict.fromkeys((Verdict.HOLDS_UNDER, Verdict.AMBIGUOUS), 1),
    **dict.fromkeys((Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.BLOCKED, Verdict.UNDECIDED), UNDECIDED),
    Verdict.HAZARD: 3,
    **dict.fromkeys((Verdict.FAIL, Verdict.ERROR, Verdict.REFUTED, Verdict.INCONSISTENT), FAILURE),
}


class Change(StrEnum):
    """What became of a finding, the gravest first."""

    NEW_FAILURE = "new failure"
    WORSE = "worse"
    GREW = "ratio grew"
    GONE = "gone"
    OTHER = "other verdict"
    BETTER = "better"
    FIXED = "fixed"
    ADDED = "added"
    ASKED_LESS = "asked less"


WORSE: Final = (Change.NEW_FAILURE, Change.WORSE)
STRICTLY_WORSE: Final = (*WORSE, Change.GREW, Change.GONE)


def read(path: str | os.PathLike[str]) -> results.Document:
    """The results document in a file; a ``ValueError`` names the file, what came and what would be right."""
    name, right = os.fspath(path), "it must be a results.json, as every command writes it with --json"
    try:
        return results.read(path)
    except OSError as error:
        raise ValueError(f"{name}: cannot be read ({error.strerror}): {right}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: is not text: {right}") from None
    except ValueError as error:
        if "schema must be" in str(error) and "'wnverify/results/" in str(error).rpartition("got ")[2]:
            raise ValueError(f"{error}: this version reads {RESULTS} alone; write the file anew with it") from None
        raise ValueError(f"{error}; {right}") from None


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], *, against: str = "", only_verdicts: bool = False
) -> dict[str, Any]:
    """What changed from ``old`` to ``new``, as plain JSON; ``against`` is what the old document is called.

    ``only_verdicts``: of findings that both have the verdicts alone, every change of which is ``worse``, save where
    less was asked: for a stored document that is to say what the code finds, however much of it is asked again.
    """
    before, after = _current(old), _current(new)
    ids = sorted(before.keys() & after.keys() if only_verdicts else before.keys() | after.keys())
    entries = (_entry(name, before.get(name), after.get(name), only_verdicts) for name in ids)
    changes = [entry for entry in entries if entry is not None]
    order = list(Change)
    changes.sort(key=lambda entry: (order.index(entry["change"]), entry["id"]))
    made: dict[str, Any] = {
        "schema": COMPARISON,
        "against": against,
        "only_verdicts": only_verdicts,
        "compared": len(before.keys() & after.keys()),
        "stale": {"old": len(old["findings"]) - len(before), "new": len(new["findings"]) - len(after)},
        "environment": _environment(old, new),
        "changes": changes,
    }
    plain: dict[str, Any] = json.loads(dumps(made))
    return plain


def is_worse(comparison: Mapping[str, Any], *, strict: bool = False) -> bool:
    """Whether anything became worse; with ``strict`` a ratio that grew and a finding that is gone count too."""
    counted = Change if comparison["only_verdicts"] else STRICTLY_WORSE if strict else WORSE
    return any(entry["change"] in set(counted) for entry in comparison["changes"])


def counts(comparison: Mapping[str, Any]) -> dict[Change, int]:
    """How many of each change there are, the gravest first."""
    found = Counter(entry["change"] for entry in comparison["changes"])
    return {change: found[change] for change in Change if found[change]}


@dataclasses.dataclass(frozen=True, slots=True)
class _Said:
    """What one document says under an id."""

    finding: Finding
    verdict: Verdict
    ratio: float | None

    def to_json(self) -> dict[str, Json]:
        return {"verdict": str(self.verdict), "ratio": self.ratio}


def _current(doc: Mapping[str, Any]) -> dict[str, _Said]:
    stale = {name for entry in doc.get("parts", {}).values() if entry.get("stale") for name in entry.get("ids", ())}
    return {
        finding.id: _Said(finding, finding.verdict, worst_ratio(finding))
        for finding in results.findings_of(doc)
        if finding.id not in stale
    }


def _entry(name: str, old: _Said | None, new: _Said | None, only_verdicts: bool) -> dict[str, Any] | None:
    said, change = new or old, _change(old, new)
    if said is None or change is None or (only_verdicts and old and new and old.verdict == new.verdict):
        return None
    if only_verdicts and change is Change.ASKED_LESS:
        return None
    return {
        "id": name,
        "change": str(change),
        "statement": said.finding.statement,
        "message": said.finding.message,
        "old": old and old.to_json(),
        "new": new and new.to_json(),
    }


def _change(old: _Said | None, new: _Said | None) -> Change | None:
    if new is None:
        return Change.GONE
    if old is None:
        return Change.NEW_FAILURE if RANK[new.verdict] == FAILURE else Change.ADDED
    was, now = RANK[old.verdict], RANK[new.verdict]
    if now > was:
        return Change.NEW_FAILURE if now == FAILURE else Change.WORSE
    if now < FAILURE and _crossed(old.ratio, new.ratio):
        return Change.NEW_FAILURE
    if now < was and _is_quick(new) and not _is_quick(old):
        return Change.ASKED_LESS
    if now < was and now != UNDECIDED:
        return Change.FIXED if was == FAILURE and now < UNDECIDED else Change.BETTER
    if new.verdict != old.verdict:
        return Change.OTHER
    return Change.GREW if _grew(old.ratio, new.ratio) else None


def _is_quick(said: _Said) -> bool:
    return any(condition.startswith(QUICK) for condition in said.finding.conditions)


def _crossed(old: float | None, new: float | None) -> bool:
    return old is not None and new is not None and old <= 1 and not new <= 1


def _grew(old: float | None, new: float | None) -> bool:
    if old is None or new is None or math.isnan(old):
        return False
    return math.isnan(new) or (new >= NOTICED and new >= GROWTH * old and new > old)


def _environment(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Json]]:
    """What the two ran on, where it differs; dates always do."""
    before, after = (dict(_flat(doc["environment"])) for doc in (old, new))
    names = sorted((before.keys() | after.keys()) - {"date"})
    return [
        {"name": name, "old": before.get(name), "new": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    ]


def _flat(block: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in block.items():
        rows += _flat(value, f"{prefix}{name} ") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return rows


def name_of(path: str | os.PathLike[str]) -> str:
    """What a file is called in a comparison: free of its folder."""
    return Path(path).name
