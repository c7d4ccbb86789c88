"""Stored parts: what other commands found, each with the source that it came from, taken into a report.

A part is a document that a command wrote with ``--json``, one file a command in one folder.  It is stale when any file
that its findings depend on has changed since: ``DEPENDS`` lists these for each command by the top-level names below the
package, so that a change of how things are shown does not make work of hours stale.  A command that is not listed
depends on the whole package.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.finding import Verdict

_RUN: Final = ("child", "finding", "fingerprint", "guard", "quietly", "runner", "supervisor", "workitem")
_METHODS: Final = ("methods", "nearest", "oracles", "primitives")
_NUMERICS: Final = (*_RUN, *_METHODS, "numerics")
_EXPERIMENTS: Final = (*_RUN, *_METHODS, "experiments")
_AUDIT: Final = (*_NUMERICS, "auditing", "strategies")
_BENCHMARKS: Final = {
    **dict.fromkeys(("gradients", "maps", "memory", "properties"), _NUMERICS),
    "growth": _AUDIT,
    "theory": ("finding", "oracles", "theory"),
    "training": (*_METHODS, "experiments", "finding"),
}
DEPENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": _AUDIT,
    "benchmarks.norm_loss_overhead": _EXPERIMENTS,
    **{f"benchmarks.{family}": depends for family, depends in _BENCHMARKS.items()},
    "claims": (*_RUN, *_METHODS, "experiments", "papers", "theory"),
    "device": _NUMERICS,
    **dict.fromkeys((f"experiments.{name}" for name in ("device", "paper", "small", "smoke")), _EXPERIMENTS),
    "gallery": _AUDIT,
    "numerics": _NUMERICS,
    "selftest": (*_AUDIT, "faults"),
}
"""Modules and subpackages of the package that the findings of a command depend on."""
ONLY_SHOWN: Final = ("configuration", "journal", "report", "waivers")
"""What a dependence may import without being altered by it: it keeps, shows or asks for findings."""
AWAITED: Final = (
    *("audit", *(f"benchmarks.{family}" for family in sorted((*_BENCHMARKS, "startup"))), "device"),
    *("experiments.paper", "gallery", "numerics", "selftest"),
)
"""Parts that a report says it has not where their file is missing."""
_GRAVE: Final = (Verdict.FAIL, Verdict.REFUTED, Verdict.ERROR, Verdict.INCONSISTENT, Verdict.HAZARD, Verdict.BLOCKED)


def source_hash(root: Path | None = None, of: Collection[str] = ()) -> str:
    """SHA-256 over the ``.py`` files below ``root`` (default: this package): sorted relative names, and bytes.

    ``of`` narrows it to these modules and subpackages directly below ``root``.  This package is read once, when a
    command first asks (its journal does, before any work): an edit while it runs does not become its source.
    """
    digest = hashlib.sha256()
    for name, content in _of_package() if root is None else _contents(root):
        if of and name.partition("/")[0].removesuffix(".py") not in of:
            continue
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _contents(root: Path) -> list[tuple[str, bytes]]:
    return sorted((path.relative_to(root).as_posix(), path.read_bytes()) for path in root.rglob("*.py"))


@functools.cache
def _of_package() -> list[tuple[str, bytes]]:
    return _contents(Path(__file__).parents[1])


def part(command: str = "", **asked: Any) -> dict[str, Any]:
    """The entry of ``parts`` for a command that runs now: the hash of what its findings depend on, and what it was
    ``asked`` (``quick``, ``seed``, …)."""
    return {"source": source_hash(of=DEPENDS.get(command, ())), **({"asked": asked} if asked else {})}


def is_current(command: str, entry: Mapping[str, Any], whole: str | None = None) -> bool:
    """Whether nothing that the part depends on has changed since; ``whole``: the hash of the package, if known."""
    return entry["source"] in (source_hash(of=DEPENDS.get(command, ())), whole or source_hash())


def files(folder: str | os.PathLike[str]) -> list[Path]:
    """The stored parts in a folder, by name; none where there is no such folder.  ``ValueError`` for a file."""
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise ValueError(f"--parts must be a folder; {os.fspath(folder)!r} is a file")
    return sorted(place.glob("*.json"))


def give_way(
    fresh: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]], *, stale: bool
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """(fresh, stored) findings without a second one of any id.

    Beside a stale part the fresh finding stays.  A current part was made with more points than what is made afresh
    beside it: its finding stays, unless the fresh one is the graver.
    """
    known = {data["id"]: data for data in stored}
    gone: set[str] = set()
    kept = []
    for data in fresh:
        other = known.get(data["id"])
        if other is None or stale or _gravity(data) < _gravity(other):
            kept.append(data)
            gone.add(data["id"])
    return kept, [data for data in stored if data["id"] not in gone]


def _gravity(data: Mapping[str, Any]) -> int:
    verdict = Verdict(data["verdict"])
    return _GRAVE.index(verdict) if verdict in _GRAVE else len(_GRAVE)
