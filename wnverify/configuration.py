"""``[tool.wnverify]`` of a project's pyproject.toml: what it audits, how, and what it accepts.

[tool.wnverify]
targets = ["src/my_norm.py:MyNorm", "my_package.norms:Centred"]
quick = true
strict = true

[tool.wnverify.declare]
unit_norm_rows = true

[[tool.wnverify.waivers]]
check = "edge.zero_row"
subject = "my_norm.py:MyNorm"
reason = "layers are never initialised with zero rows; see our issue 12"
expires = 2027-01-31
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from wnverify.waivers import Waiver

FILE: Final = "pyproject.toml"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """``targets``, with their ``arguments`` and ``declare``; ``checks`` (patterns), ``quick``, ``strict``, ``seed`` and
    ``timeout`` (seconds for an item; None where nothing is said) as on the command line; ``waivers``."""

    targets: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    declare: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    checks: tuple[str, ...] = ()
    quick: bool = False
    strict: bool = False
    seed: int | None = None
    timeout: float | None = None
    waivers: tuple[Waiver, ...] = ()


def read(folder: Path) -> Configuration:
    """The configuration in the pyproject.toml of ``folder`` or of the nearest folder above that has one.

    Targets that name a file are given relative to that pyproject.toml, and are returned so that they can be found from
    the current folder.  Without a file or a table everything is as if nothing were said.  Raises ``ValueError`` that
    begins with the file's name for what cannot be read, an unknown key, or a value of the wrong kind.
    """
    folder = folder.resolve()
    file = next((path for place in (folder, *folder.parents) if (path := place / FILE).is_file()), None)
    if file is None:
        return Configuration()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{FILE}: not TOML: {error}") from None
    table = document.get("tool", {}).get("wnverify", {})
    made = from_table(table, f"{FILE}: [tool.wnverify]")
    return dataclasses.replace(made, targets=tuple(_from_here(target, file.parent) for target in made.targets))


def from_table(table: Any, where: str) -> Configuration:
    """The configuration of a parsed table; ``where`` begins every message."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} must be a table; got {table!r}")
    known = [field.name for field in dataclasses.fields(Configuration)]
    given: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"{where}: unknown key {name!r}; {meant}the keys are {', '.join(known)}")
        if name == "waivers":
            if not isinstance(value, list):
                raise ValueError(f"{where}: waivers must be tables, [[tool.wnverify.waivers]]; got {value!r}")
            given[name] = tuple(Waiver.from_table(w, f"{where} waivers[{i}]") for i, w in enumerate(value))
            continue
        right, words = _VALUES[name]
        if not right(value):
            raise ValueError(f"{where}: {name} must be {words}; got {value!r}")
        given[name] = tuple(value) if isinstance(value, list) else value
    return Configuration(**given)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _named(value: Any) -> bool:
    return isinstance(value, Mapping) and all(name.isidentifier() and _plain(item) for name, item in value.items())


def _plain(value: Any) -> bool:
    """Whether it is a value that travels as JSON: TOML knows dates and times besides."""
    if isinstance(value, Mapping):
        return all(_plain(item) for item in value.values())
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    return isinstance(value, bool | int | float | str)


def _switch(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


_VALUES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "targets": (_texts, "a list of TARGET strings"),
    "arguments": (_named, "a table of names and plain values"),
    "declare": (_named, "a table of names and plain values"),
    "checks": (_texts, "a list of patterns of check ids"),
    "quick": (_switch, "true or false"),
    "strict": (_switch, "true or false"),
    "seed": (_whole, "a whole number"),
    "timeout": (_seconds, "a positive number of seconds"),
}


def _from_here(target: str, folder: Path) -> str:
    """``path/file.py:name`` as the current folder sees it; any other target as it is."""
    match = re.fullmatch(r"(?P<file>.+?\.py)(?P<rest>:.*)", target)
    return f"{os.path.relpath(folder / match['file'])}{match['rest']}" if match else target
