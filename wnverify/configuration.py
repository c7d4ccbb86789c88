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

A target of which more is to be said is a table; what it says goes before what is said for all of them:

[[tool.wnverify.targets]]
target = "src/my_norm.py:MyBall"
kind = "projection"
arguments = {radius = 2.0}
declare = {nonexpansive = true}
waive = {"edge.scale" = "weights stay below 100"}
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wnverify.finding import slug
from wnverify.methods.catalogue import find
from wnverify.nearest import meant
from wnverify.waivers import Waiver

FILE: Final = "pyproject.toml"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One of a project's targets: ``arguments`` and ``declare`` go before those of the whole configuration; ``kind``
    where it is not recognised; ``waive`` (check → reason) accepts what checks find of this target alone."""

    target: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    declare: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: str | None = None
    waive: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        name = subject_name(self.target)
        return tuple(Waiver(check=check, reason=reason, subject=name) for check, reason in self.waive.items())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """``targets``; ``arguments`` and ``declare`` of all of them; ``checks`` (patterns), ``quick``, ``strict``, ``seed``
    and ``timeout`` (seconds for an item; None where nothing is said) as on the command line; ``waivers``, with those
    that single targets name."""

    targets: tuple[Target, ...] = ()
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    declare: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    checks: tuple[str, ...] = ()
    quick: bool = False
    strict: bool = False
    seed: int | None = None
    timeout: float | None = None
    waivers: tuple[Waiver, ...] = ()

    def said_of(self, one: Target) -> tuple[dict[str, Any], dict[str, Any]]:
        """``arguments`` and ``declare`` of one target: its own go before those of all."""
        return {**self.arguments, **one.arguments}, {**self.declare, **one.declare}


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
    found = (dataclasses.replace(given, target=_from_here(given.target, file.parent)) for given in made.targets)
    return dataclasses.replace(made, targets=tuple(found))


def from_table(table: Any, where: str) -> Configuration:
    """The configuration of a parsed table; ``where`` begins every message."""
    given = _checked(table, where, [field.name for field in dataclasses.fields(Configuration)], _VALUES)
    waivers = given.get("waivers", [])
    if not isinstance(waivers, list):
        raise ValueError(f"{where}: waivers must be tables, [[tool.wnverify.waivers]]; got {waivers!r}")
    said = [Waiver.from_table(w, f"{where} waivers[{i}]") for i, w in enumerate(waivers)]
    targets = tuple(_target(one, f"{where} targets[{i}]") for i, one in enumerate(given.get("targets", [])))
    for i, one in enumerate(targets):
        try:
            said += one.waivers
        except ValueError as error:
            raise ValueError(f"{where} targets[{i}]: {error}") from None
    given |= {"targets": targets, "waivers": tuple(said)}
    return Configuration(**given | {"checks": tuple(given.get("checks", ()))})


def subject_name(target: str) -> str:
    """The name in finding ids of what a TARGET string names.

    >>> subject_name("src/my_norm.py:MyNorm"), subject_name("cwn")
    ('my_norm.py:MyNorm', 'centred_weight_normalization')
    """
    name, bracket, settings = target.partition("[")
    if ":" not in target:
        with contextlib.suppress(ValueError):  # no method of the catalogue: refused when it is looked for
            name = find(name).id
    return slug((Path(name).name + bracket + settings).replace(" ", ","))


def _target(value: Any, where: str) -> Target:
    if isinstance(value, str):
        return Target(target=value)
    given = _checked(value, where, [field.name for field in dataclasses.fields(Target)], _OF_TARGET)
    if "target" not in given:
        raise ValueError(f"{where}: target is missing; it is package.module:name, path/file.py:name or a method's id")
    return Target(**given)


def _checked(
    table: Any, where: str, known: Sequence[str], rules: Mapping[str, tuple[Callable[[Any], bool], str]]
) -> dict[str, Any]:
    """The table, each of whose keys is known and each of whose values is of its kind."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} must be a table; got {table!r}")
    for name, value in table.items():
        if name not in known:
            listed = f"{meant(name, known, most=1)} the keys are {', '.join(known)}".lstrip()
            raise ValueError(f"{where}: unknown key {name!r}; {listed}")
        right, words = rules.get(name, (lambda _: True, ""))
        if not right(value):
            raise ValueError(f"{where}: {name} must be {words}; got {value!r}")
    return dict(table)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _targets(value: Any) -> bool:
    return isinstance(value, list) and all((isinstance(one, str) and one) or isinstance(one, Mapping) for one in value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _reasons(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_text(reason) for reason in value.values())


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
    "targets": (_targets, "a list of TARGET strings, or of tables, [[tool.wnverify.targets]]"),
    "arguments": (_named, "a table of names and plain values"),
    "declare": (_named, "a table of names and plain values"),
    "checks": (_texts, "a list of patterns of check ids"),
    "quick": (_switch, "true or false"),
    "strict": (_switch, "true or false"),
    "seed": (_whole, "a whole number"),
    "timeout": (_seconds, "a positive number of seconds"),
}
_OF_TARGET: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "target": (_text, "a TARGET string"),
    "arguments": _VALUES["arguments"],
    "declare": _VALUES["declare"],
    "kind": (_text, "parametrization, projection or penalty"),
    "waive": (_reasons, "a table from checks to the reason why what they find is accepted"),
}


def _from_here(target: str, folder: Path) -> str:
    """``path/file.py:name`` as the current folder sees it; any other target as it is."""
    match = re.fullmatch(r"(?P<file>.+?\.py)(?P<rest>:.*)", target)
    return f"{os.path.relpath(folder / match['file'])}{match['rest']}" if match else target
