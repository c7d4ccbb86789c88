"""What stored parts spare a report: work whose findings a part holds, and that could not come out otherwise here.

Such a part is of the present source, was asked for whole with the same seed, and was made with this Python, these
versions and a processor of this name.  Its items are not run a second time; a full report, which runs all of them,
leaves its audits and numerics behind as such parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.finding import Finding, Json, Verdict
from wnverify.planning import Plan
from wnverify.report import results
from wnverify.report.parts import give_way, is_current, part
from wnverify.report.results import Document
from wnverify.runner import RunResult

SPARED: Final[Mapping[str, Mapping[str, str]]] = {"audit": {}, "numerics": {"device": "cpu"}}
"""The parts whose items a report runs itself where no part spares it, and what they are asked beside seed and effort.
Claims are not among them: they take less than a minute, and are what a report is first read for."""
_MACHINE: Final = ("python", "implementation", "machine", "cpu", "versions")


def lasting(doc: Mapping[str, Any], seed: int) -> bool:
    """Whether a stored document is a part of ``SPARED`` whose findings could not come out otherwise here."""
    if "cluster" in doc["environment"] or not all(
        command in SPARED and entry.get("asked") == _asked(command, seed) and is_current(command, entry)
        for command, entry in doc["parts"].items()
    ):
        return False
    here = results.environment()
    return all(doc["environment"].get(name) == here[name] for name in _MACHINE)


def known(docs: Sequence[Mapping[str, Any]], seed: int) -> frozenset[str]:
    """The ids of the items that lasting parts spare.  What ended in an error is run again, the whole of a subject's
    audit, since a time limit knows more than the source."""
    items: set[str] = set()
    for doc in docs:
        if lasting(doc, seed):
            broken = {_owner(data["id"]) for data in doc["findings"] if data["verdict"] == Verdict.ERROR}
            items |= {item for item in doc["timing"] if _owner(item) not in broken}
    return frozenset(items)


def keep(
    folder: Path,
    plan: Plan,
    result: RunResult,
    docs: Sequence[Document],
    *,
    seed: int,
    where: Mapping[str, Json] | None = None,
) -> list[Path]:
    """Write what a full report found of ``SPARED`` as parts, united with what lasting ones among ``docs`` hold.

    Items that a full report asks with fewer points are not said to have run: a report that asks them whole will.
    ``where``: what the document says beside this machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subjects = {spec.subject for spec in plan.specs}
    fewer = {item.id for item in plan.items if item.arguments.get("quick")}
    written = []
    for command, kind in (("audit", "check"), ("numerics", "method")):
        mine = [f for f in result.findings if f.kind == kind and (kind != "check" or f.subject in subjects)]
        timing: dict[str, Any] = {
            item: took
            for item, took in result.timing.items()
            if item.startswith(f"{kind}/") and item not in fewer and (kind != "check" or item.split("/")[1] in subjects)
        }
        fresh: list[Any] = [finding.to_json() for finding in mine]
        for doc in docs:
            if command in doc["parts"] and lasting(doc, seed):
                fresh, stored = give_way(fresh, doc["findings"], stale=False)
                fresh += stored
                timing = {**doc["timing"], **timing}
        made = results.document(
            [Finding.from_json(data) for data in fresh],
            environment={**results.environment(), **(where or {})},
            timing=timing,
            parts={command: part(command, **_asked(command, seed))},
        )
        written.append(folder / f"{command}.json")
        results.write(written[-1], made)
    return written


def _asked(command: str, seed: int) -> dict[str, Any]:
    return {"quick": False, "seed": seed, **SPARED[command]}


def _owner(name: str) -> str:
    """Of a check its subject, of all else the item or finding itself."""
    kind, subject, *_ = name.split("/")
    return f"{kind}/{subject}" if kind == "check" else name
