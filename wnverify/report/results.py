"""results.json, the product: how a document is made, written, read, checked and merged.

    {"schema": "wnverify/results/1", "environment": {…}, "timing": {…}, "coverage": {…}, "parts": {…}, "scope": {…},
     "findings": […]}

Two runs on one machine type and one set of versions differ in ``environment`` and ``timing`` only.  The published
form is ``schema.json`` (JSON Schema, draft 2020-12), which ``schema()`` returns; ``read`` checks the same shape without
needing a schema library.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.resources
import itertools
import json
import operator
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.finding import SCHEMA, Finding, dumps, unique
from wnverify.report.parts import give_way, is_current
from wnverify.report.parts import part as part
from wnverify.report.parts import source_hash as source_hash
from wnverify.report.shape import lines as lines
from wnverify.report.shape import validate as validate
from wnverify.version import VERSION

Document = dict[str, Any]

_DISTRIBUTIONS: Final = (
    "torch",
    "numpy",
    "scipy",
    "sympy",
    "mpmath",
    "python-flint",
    "hypothesis",
    "pytest",
    "jaxtyping",
    "cloudpickle",
    "psutil",
    "matplotlib",
    "jinja2",
    "rich",
)


def document(
    findings: Iterable[Finding],
    *,
    environment: Mapping[str, Any],
    timing: Mapping[str, Any],
    coverage: Mapping[str, Mapping[str, Any]] | None = None,
    parts: Mapping[str, Mapping[str, Any]] | None = None,
    waivers: Sequence[Mapping[str, Any]] = (),
    scope: Mapping[str, Any] | None = None,
) -> Document:
    """The document of one run: plain JSON, findings sorted by id; ``ValueError`` on a second use of an id.

    ``coverage`` is paper → ``{"rows", "decided", "title"?}``; ``parts`` is command → ``{"source", …}`` (see ``part``);
    ``waivers`` are what ``wnverify.waivers.applied`` gives; ``scope`` is what a report asked: ``{"mode", "left_out",
    "missing"}``.  Both are no block of a document without any.
    """
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "environment": dict(environment),
        "timing": dict(timing),
        "coverage": dict(coverage or {}),
        "parts": dict(parts or {}),
        "findings": [finding.to_json() for finding in unique(findings)],
    }
    if waivers:
        made["waivers"] = [dict(entry) for entry in waivers]
    if scope:
        made["scope"] = dict(scope)
    doc: Document = json.loads(dumps(made))
    validate(doc, "document")
    return doc


def environment() -> dict[str, Any]:
    """Where and when the run takes place: Python, platform, processor, versions (without importing), date (UTC)."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count(),
        "versions": {"wnverify": VERSION} | {name: _version(name) for name in _DISTRIBUTIONS},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def schema() -> dict[str, Any]:
    """The published JSON Schema of the format."""
    text = importlib.resources.files("wnverify.report").joinpath("schema.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def write(path: str | os.PathLike[str], doc: Mapping[str, Any]) -> None:
    """Write a document as strict JSON, see ``put``."""
    validate(doc, Path(path).name)
    put(path, lines(doc))


def put(path: str | os.PathLike[str], pieces: Iterable[str]) -> None:
    """Write text so that a reader of the file sees the old one or the whole new one, never a half.

    Where a link names the file it still does; what is no regular file (a device, a pipe) is written to, not replaced.
    """
    if Path(path).exists() and not Path(path).is_file():
        with open(path, "w", encoding="utf-8") as stream:
            stream.writelines(pieces)
        return
    target = Path(path).resolve()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines(pieces)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: str | os.PathLike[str]) -> Document:
    """The document in a file; a ``ValueError`` names the file, what is wrong in it and what would be right."""
    name = os.fspath(path)
    try:
        doc = json.loads(Path(path).read_text("utf-8"), parse_constant=_no_bare_constant)
    except ValueError as wrong:
        raise ValueError(f"{name}: not strict JSON: {wrong}") from None
    validate(doc, name)
    return doc  # type: ignore[no-any-return]


def findings_of(doc: Mapping[str, Any]) -> list[Finding]:
    """The findings of a document as records."""
    return [Finding.from_json(data) for data in doc["findings"]]


def merge(first: Mapping[str, Any], *others: Mapping[str, Any]) -> Document:
    """One document from several: findings united (a second use of an id is an error), environment of the first.

    What the others ran on is kept in their entries of ``parts`` (versions, date).  Where two documents time the
    same thing, both values are kept, as a list.
    """
    findings = sorted((data for doc in (first, *others) for data in doc["findings"]), key=operator.itemgetter("id"))
    for before, after in itertools.pairwise(findings):
        if before["id"] == after["id"]:
            raise ValueError(f"two findings have the id {before['id']!r}")
    merged = {"coverage": {}, "parts": {}, **first, "findings": []}
    for other in others:
        merged["timing"] = _both(merged["timing"], other["timing"])
        merged["coverage"] = {**merged["coverage"], **other.get("coverage", {})}
        merged["parts"] = _joined_parts(merged["parts"], _completed_parts(other))
    if waivers := [entry for doc in (first, *others) for entry in doc.get("waivers", ())]:
        merged["waivers"] = waivers
    # The findings are plain JSON, and many: they are taken over as they are, and only the blocks put in order.
    doc: Document = {**json.loads(dumps(merged)), "findings": findings}
    validate(doc, "document")
    return doc


def take_part(doc: Mapping[str, Any], *part_docs: Mapping[str, Any]) -> Document:
    """``doc`` with stored documents of other commands taken in.

    Each part of theirs is marked ``stale`` when what it depends on has changed since; a document that names no part
    cannot be judged and is refused.  Where two have a finding of one id, one of them gives way (``parts.give_way``).
    """
    whole = source_hash()
    fresh, others = list(doc["findings"]), []
    for part_doc in part_docs:
        if not part_doc.get("parts"):
            raise ValueError("part_doc must name in parts the command and the source it came from; parts is empty")
        marked = {
            command: {**entry, "stale": not is_current(command, entry, whole)}
            for command, entry in part_doc["parts"].items()
        }
        stale = any(entry["stale"] for entry in marked.values())
        fresh, stored = give_way(fresh, part_doc["findings"], stale=stale)
        others.append({**part_doc, "findings": stored, "parts": marked})
    return merge({**doc, "findings": fresh}, *others)


def _completed_parts(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a document with what it alone knows: versions, date, and the ids of its findings."""
    ran_on = {key: doc["environment"][key] for key in ("versions", "date") if key in doc["environment"]}
    ids = [data["id"] for data in doc["findings"]]
    return {command: {**ran_on, "ids": ids, **entry} for command, entry in doc.get("parts", {}).items()}


def _joined_parts(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(mine)
    for command, entry in theirs.items():
        if command in joined and joined[command]["source"] != entry["source"]:
            raise ValueError(f"two documents hold the part {command!r} from different sources: run one of them again")
        ids = [*joined.get(command, {}).get("ids", []), *entry["ids"]]
        joined[command] = {**entry, **joined.get(command, {}), "ids": sorted(ids)}
    return joined


def _both(mine: Any, theirs: Any) -> Any:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        return {
            key: _both(mine[key], theirs[key]) if key in mine and key in theirs else {**mine, **theirs}[key]
            for key in {**mine, **theirs}
        }
    if mine == theirs:
        return mine
    return [*(mine if isinstance(mine, list) else [mine]), *(theirs if isinstance(theirs, list) else [theirs])]


def _no_bare_constant(name: str) -> None:
    raise ValueError(f'{name} stands bare; write it as the string "{name}"')


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text("utf-8", "replace").splitlines() if listing.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
