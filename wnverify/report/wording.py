"""How numbers, witnesses and sentences are written, the same in every view.  Plain text: escaping is the view's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, Json, Verdict, dumps

LARGEST_SHOWN: Final = 64
"""Entries of a witness array up to which a view writes them out."""

KIND_NAMES: Final = {
    "claim": "statements",
    "theory": "theory",
    "experiment": "experiments",
    "method": "methods",
    "check": "checks",
    "benchmark": "benchmarks",
}


def short(value: Any) -> str:
    """A number to three significant digits (``1.2e-7``, ``∞``), anything else as compact text.

    >>> short(1.2345e-7), short(float("inf")), short(3), short("yes"), short(None)
    ('1.23e-7', '∞', '3', 'yes', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
        mantissa, mark, exponent = f"{value:.3g}".partition("e")
        return mantissa + (f"e{int(exponent)}" if mark else "")
    if isinstance(value, int | str):
        return str(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {short(item)}" for key, item in value.items())
    return ", ".join(short(item) for item in value)


def entry(value: float | str) -> str:
    """One entry of a witness array: six significant digits, a hex float or the name of a non-finite number as it is."""
    return value if isinstance(value, str) else f"{value:g}"


def percent(share: float) -> str:
    """A share as a percentage, rounded up in its last figure, so that an upper bound stays one.

    >>> percent(0.05301)
    '5.4 %'
    """
    return f"{math.ceil(share * 1000 - 1e-9) / 10:g} %"


def tally(counts: Iterable[tuple[Verdict, int]]) -> str:
    """``3 fail · 12 pass``."""
    return " · ".join(f"{number:,} {verdict}" for verdict, number in counts) or "nothing"


def plural(number: int, noun: str) -> str:
    """``1 paper``, ``5 papers``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(items: Iterable[str]) -> str:
    """The items with commas and a last ``and``.

    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    *most, last = [*items] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def one_line(text: str, width: int = 160) -> str:
    """The text without line breaks, cut at a word where it is longer than ``width``.

    >>> one_line("a long tail of words", 12)
    'a long tail…'
    """
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    head = text[:width]
    return (head.rsplit(" ", 1)[0] if " " in head else head).rstrip(",;:") + "…"


def is_array(value: Any) -> bool:
    """Whether a part of a witness is an array record (dtype and shape, with values or with their hash)."""
    return isinstance(value, Mapping) and {"dtype", "shape"} <= set(value)


def witness_items(witness: Json) -> list[tuple[str, Any]]:
    """The named parts of a witness; a bare array or value has the empty name."""
    if witness is None:
        return []
    if isinstance(witness, Mapping) and not is_array(witness):
        return list(witness.items())
    return [("", witness)]


def array_head(record: Mapping[str, Any]) -> str:
    """``float64 2×3``, with strides where the array is not laid out row by row."""
    shape = [int(size) for size in record["shape"]]
    head = f"{record['dtype']} {'×'.join(map(str, shape)) or 'scalar'}"
    strides = record.get("strides")
    return head if strides in (None, _row_major(shape)) else f"{head}, strides {short(strides)}"


def array_rows(record: Mapping[str, Any], key: str = "decimal") -> list[list[str]]:
    """The entries as a matrix of text (leading axes flattened); empty where the array is too large to be shown."""
    values = [entry(value) for value in record.get(key, ())]
    if not values or len(values) > LARGEST_SHOWN:
        return []
    shape = record["shape"] or [1]
    width = max(int(shape[-1]), 1)
    return [values[start : start + width] for start in range(0, len(values), width)]


def array_text(record: Mapping[str, Any]) -> str:
    """The entries in aligned columns, or what stands for them where there are too many."""
    rows = array_rows(record)
    if not rows:
        if "sha256" in record:
            return f"generator {record.get('generator')}, seed {record.get('seed')}, SHA-256 {record['sha256']}"
        return "values in results.json"
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=False)) for row in rows)


def witness_short(witness: Json, width: int = 120) -> str:
    """A witness on one line: head and first entries of each array, other values as they are."""
    pieces = []
    for name, value in witness_items(witness):
        if isinstance(value, str) and "\n" in value:
            continue  # a listing is no part of a line; the other views show it
        if isinstance(value, bool):
            continue  # how it was found, for machines
        if is_array(value):
            entries = [entry(number) for number in value.get("decimal", ())]
            listed = ", ".join(entries[:6]) + (", …" if len(entries) > 6 else "")
            text = f"{array_head(value)} [{listed}]" if entries else f"{array_head(value)}, {array_text(value)}"
        else:
            text = plain(value)
        pieces.append(f"{name} = {text}" if name else text)
    return one_line("; ".join(pieces), width)


def plain(value: Any) -> str:
    """Text or a number as itself, any other value as JSON."""
    return short(value) if isinstance(value, str | bool | int | float) or value is None else dumps(value)


def flat(value: Any) -> str:
    """A figure on one line: a long list is cut after eight entries, with its length; of records only that is said."""
    if isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
        return f"{plural(len(value), 'record')} in results.json"
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 8:
        return f"{', '.join(short(item) for item in value[:8])}, … ({len(value)} values)"
    return short(value)


def _row_major(shape: Sequence[int]) -> list[int]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def remedy(finding: Finding) -> str:
    """What a reader should take in the place of a statement: the correction, what is needed besides, the readings."""
    needed = [text.partition(": ")[2] for text in finding.conditions if text.startswith("needed besides: ")]
    if finding.corrected:
        return finding.corrected
    if needed:
        return f"only where: {'; '.join(needed)}"
    if finding.readings:
        return "; ".join(f"{item['reading']}: {item['verdict']}" for item in finding.readings)
    return finding.message


def printable(text: str) -> str:
    """The text with a space for every character that would steer a terminal, break a line or fit no encoding."""
    return "".join(mark if mark.isprintable() else " " for mark in text)
