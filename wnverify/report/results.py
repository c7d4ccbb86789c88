"""results.json, the product: how a document is made, written, read, checked and merged.

    {"schema": "wnverify/results/1", "environment": {…}, "timing": {…}, "coverage": {…}, "parts": {…}, "findings": […]}

Two runs on one machine type and one set of versions differ in ``environment`` and ``timing`` only.  The published
form is ``schema.json`` (JSON Schema, draft 2020-12), which ``schema()`` returns; ``read`` checks the same shape without
needing a schema library.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import importlib.resources
import itertools
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.finding import SCHEMA, Evidence, Finding, dumps, unique

Document = dict[str, Any]

_BLOCKS: Final = ("environment", "timing", "coverage", "parts")
WAIVER_STATES: Final = ("applied", "not needed", "expired", "idle")
_NEEDED: Final = ("kind", "id", "subject", "check", "verdict", "statement")
_DISTRIBUTIONS: Final = (
    "wnverify",
    "torch",
    "numpy",
    "scipy",
    "sympy",
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
) -> Document:
    """The document of one run: plain JSON, findings sorted by id; ``ValueError`` on a second use of an id.

    ``coverage`` is paper → ``{"rows", "decided", "title"?}``; ``parts`` is command → ``{"source", …}`` (see ``part``);
    ``waivers`` are what ``wnverify.waivers.applied`` gives, and are no block of a document without any.
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
        "versions": {name: _version(name) for name in _DISTRIBUTIONS},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def part() -> dict[str, Any]:
    """The entry of ``parts`` for a command that runs now: the hash of the source that it runs from."""
    return {"source": source_hash()}


def source_hash(root: Path | None = None) -> str:
    """SHA-256 over the ``.py`` files below ``root`` (default: this package): sorted relative names, and bytes."""
    root = Path(__file__).parents[1] if root is None else root
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in root.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def schema() -> dict[str, Any]:
    """The published JSON Schema of the format."""
    text = importlib.resources.files("wnverify.report").joinpath("schema.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def write(path: str | os.PathLike[str], doc: Mapping[str, Any]) -> None:
    """Write strict JSON so that a reader sees the old file or the whole new one, never a half."""
    target = Path(path)
    validate(doc, target.name)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(dumps(dict(doc), indent=1) + "\n")
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


def validate(doc: Any, name: str) -> None:
    """Raise a ``ValueError`` that begins with ``name`` unless ``doc`` has the shape of a results document."""
    if not isinstance(doc, Mapping):
        raise ValueError(f"{name}: a results document is a JSON object; got {type(doc).__name__}")
    if doc.get("schema") != SCHEMA:
        raise ValueError(f"{name}: schema must be {SCHEMA!r}; got {doc.get('schema')!r}")
    for block in _BLOCKS:
        if block in ("environment", "timing") and block not in doc:
            raise ValueError(f"{name}: {block} is missing; it must be an object")
        if not isinstance(doc.get(block, {}), Mapping):
            raise ValueError(f"{name}: {block} must be an object; got {type(doc[block]).__name__}")
    for block, key, kind in (("coverage", "rows", int), ("coverage", "decided", int), ("parts", "source", str)):
        for entry, value in doc.get(block, {}).items():
            if not isinstance(value, Mapping) or not isinstance(value.get(key), kind):
                raise ValueError(f"{name}: {block}[{entry!r}] must be an object with {key} ({kind.__name__})")
    for index, entry in enumerate(_waivers(doc, name)):
        _check_waiver(entry, f"{name}: waivers[{index}]")
    if not isinstance(doc.get("findings"), list):
        raise ValueError(f"{name}: findings must be a list; got {type(doc.get('findings')).__name__}")
    ids = [_checked_id(data, f"{name}: findings[{index}]") for index, data in enumerate(doc["findings"])]
    for before, after in itertools.pairwise(ids):
        if before >= after:
            fault = f"the id {after!r} is used twice" if before == after else f"{after!r} comes after {before!r}"
            raise ValueError(f"{name}: findings must be sorted by id, each used once; {fault}")


def findings_of(doc: Mapping[str, Any]) -> list[Finding]:
    """The findings of a document as records."""
    return [Finding.from_json(data) for data in doc["findings"]]


def merge(first: Mapping[str, Any], *others: Mapping[str, Any]) -> Document:
    """One document from several: findings united (a second use of an id is an error), environment of the first.

    What the others ran on is kept in their entries of ``parts`` (versions, date).  Where two documents time the
    same thing, both values are kept, as a list.
    """
    merged = json.loads(dumps(dict(first)))
    for other in others:
        merged["timing"] = _both(merged["timing"], other["timing"])
        merged["coverage"] = {**merged.get("coverage", {}), **other.get("coverage", {})}
        merged["parts"] = _joined_parts(merged.get("parts", {}), _completed_parts(other))
        merged["findings"] = merged["findings"] + list(other["findings"])
        merged["waivers"] = [*merged.get("waivers", []), *other.get("waivers", [])]
    return document(
        findings_of(merged),
        environment=merged["environment"],
        timing=merged["timing"],
        coverage=merged.get("coverage"),
        parts=merged.get("parts"),
        waivers=merged.get("waivers", ()),
    )


def take_part(doc: Mapping[str, Any], part_doc: Mapping[str, Any], *, source: str | None = None) -> Document:
    """``doc`` with a stored document of other commands taken in.

    Each part of ``part_doc`` is marked ``stale`` when the hash of the source it came from is not ``source`` (default:
    that of the source running now); a document that names no part cannot be judged and is refused.
    """
    if not part_doc.get("parts"):
        raise ValueError("part_doc must name in parts the command and the source it came from; parts is empty")
    source = source_hash() if source is None else source
    marked = {command: {**entry, "stale": entry["source"] != source} for command, entry in part_doc["parts"].items()}
    return merge(doc, {**part_doc, "parts": marked})


def _waivers(doc: Mapping[str, Any], name: str) -> list[Any]:
    given = doc.get("waivers", [])
    if not isinstance(given, list):
        raise ValueError(f"{name}: waivers must be a list; got {type(given).__name__}")
    return given


def _check_waiver(entry: Any, where: str) -> None:
    if not isinstance(entry, Mapping) or any(not isinstance(entry.get(key), str) for key in ("check", "reason")):
        raise ValueError(f"{where} must be an object with check and reason as strings")
    for key in ("subject", "expires"):
        if key not in entry or not isinstance(entry[key], str | None):
            raise ValueError(f"{where}: {key} must be a string or null; got {entry.get(key)!r}")
    if entry.get("state") not in WAIVER_STATES:
        raise ValueError(f"{where}: state must be one of {', '.join(WAIVER_STATES)}; got {entry.get('state')!r}")
    if not isinstance(entry.get("ids"), list) or any(not isinstance(name, str) for name in entry["ids"]):
        raise ValueError(f"{where}: ids must be a list of strings; got {entry.get('ids')!r}")


def _checked_id(data: Any, where: str) -> str:
    """The id of one finding as JSON, after checking its shape; ``where`` is the breadcrumb of a message."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} must be an object; got {type(data).__name__}")
    where = f"{where} ({data.get('id', 'without id')})"
    for key in _NEEDED:
        if not isinstance(data.get(key), str):
            raise ValueError(f"{where}: {key} must be a string; got {data.get(key)!r}")
    for key in ("conditions", "routes", "witness", "corrected", "replay"):
        if key not in data:
            raise ValueError(f"{where}: {key} is missing")
    for key in ("conditions", "routes", "readings"):
        if not isinstance(data.get(key, []), list):
            raise ValueError(f"{where}: {key} must be a list; got {data[key]!r}")
    for index, route in enumerate(data["routes"]):
        _checked(Evidence, route, ("route", "verdict"), f"{where}: routes[{index}]")
    _checked(Finding, data, _NEEDED, where)
    return str(data["id"])


def _checked(record: type[Finding] | type[Evidence], data: Any, needed: tuple[str, ...], where: str) -> None:
    if not isinstance(data, Mapping) or any(not isinstance(data.get(key), str) for key in needed):
        raise ValueError(f"{where} must be an object with {', '.join(needed)} as strings")
    try:
        record.from_json(data)
    except KeyError as wrong:
        allowed = 'a JSON number, "NaN", "Infinity" or "-Infinity"'
        raise ValueError(f"{where}: ratio and power must be {allowed}; got {wrong}") from None
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"{where}: {wrong}") from None


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
