"""The shape of a results document, as ``schema.json`` publishes it, checked without a schema library, and its text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from wnverify.finding import SCHEMA, Evidence, Finding, dumps

_BLOCKS: Final = ("environment", "timing", "coverage", "parts")
WAIVER_STATES: Final = ("applied", "not needed", "expired", "idle")
COMPARISON: Final = "wnverify/comparison/1"
MODES: Final = ("quick", "default", "full")
_NEEDED: Final = ("kind", "id", "subject", "check", "verdict", "statement")


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
    for entry, value in doc.get("coverage", {}).items():
        subjects = value.get("subjects", [])
        if not isinstance(subjects, list) or any(not isinstance(subject, str) for subject in subjects):
            raise ValueError(f"{name}: coverage[{entry!r}]['subjects'] must be a list of strings; got {subjects!r}")
    if "scope" in doc:
        _check_scope(doc["scope"], name)
    if "comparison" in doc:
        _check_comparison(doc["comparison"], name)
    for index, entry in enumerate(_waivers(doc, name)):
        _check_waiver(entry, f"{name}: waivers[{index}]")
    if not isinstance(doc.get("findings"), list):
        raise ValueError(f"{name}: findings must be a list; got {type(doc.get('findings')).__name__}")
    ids = [_checked_id(data, f"{name}: findings[{index}]") for index, data in enumerate(doc["findings"])]
    for before, after in itertools.pairwise(ids):
        if before >= after:
            fault = f"the id {after!r} is used twice" if before == after else f"{after!r} comes after {before!r}"
            raise ValueError(f"{name}: findings must be sorted by id, each used once; {fault}")


def _check_scope(scope: Any, name: str) -> None:
    if not isinstance(scope, Mapping) or scope.get("mode") not in MODES:
        raise ValueError(f"{name}: scope must be an object whose mode is one of {', '.join(MODES)}; got {scope!r}")
    for key in ("left_out", "missing"):
        if not isinstance(scope.get(key), list) or any(not isinstance(text, str) for text in scope[key]):
            raise ValueError(f"{name}: scope[{key!r}] must be a list of strings; got {scope.get(key)!r}")


def _check_comparison(comparison: Any, name: str) -> None:
    if not isinstance(comparison, Mapping) or comparison.get("schema") != COMPARISON:
        raise ValueError(f"{name}: comparison must be an object with the schema {COMPARISON!r}")
    for key, kind in (("changes", list), ("environment", list), ("stale", Mapping), ("compared", int)):
        if not isinstance(comparison.get(key), kind):
            said = comparison.get(key)
            raise ValueError(f"{name}: comparison[{key!r}] must be of the type {kind.__name__}; got {said!r}")


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


def lines(doc: Mapping[str, Any]) -> Iterator[str]:
    """The text of a document in pieces: strict JSON, sorted keys, a line for each finding and each entry of a block.

    So a change shows as the line of what changed, and the encoder need not go through the indentation of every number.
    """
    opening = "{"
    for name in sorted(doc):
        block = doc[name]
        yield f"{opening}\n{dumps(name)}: "
        if isinstance(block, Mapping) and block:
            yield from _one_a_line("{}", (f"{dumps(str(key))}: {dumps(block[key])}" for key in sorted(block)))
        elif isinstance(block, list) and block:
            yield from _one_a_line("[]", map(dumps, block))
        else:
            yield dumps(block)
        opening = ","
    yield "\n}\n"


def _one_a_line(brackets: str, entries: Iterable[str]) -> Iterator[str]:
    separator = brackets[0]
    for entry in entries:
        yield f"{separator}\n {entry}"
        separator = ","
    yield f"\n{brackets[1]}"
