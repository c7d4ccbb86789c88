"""TARGET strings and live objects → a specification that travels to another process.

``package.module:name`` is imported there; ``path/file.py:name`` travels as text with its SHA-256, so that what is
audited is what was read, wherever the work is done; a live object travels by cloudpickle.  Nothing of the subject is
executed in the process that reads the target.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import hashlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wnverify.finding import slug

PARAMETRIZATION: Final = "parametrization"
PROJECTION: Final = "projection"
PENALTY: Final = "penalty"
KINDS: Final = (PARAMETRIZATION, PROJECTION, PENALTY)
"""What a subject may be: V ↦ W inside a layer, W ↦ W after the optimiser's step, W ↦ a scalar beside the loss."""

_TARGET = re.compile(r"(?P<place>.+?):(?P<name>[A-Za-z_][A-Za-z0-9_.]*)")


class TargetError(ValueError):
    """The call is wrong: the target cannot be what it says."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """Where a subject comes from, as plain data.

    ``target`` is what the user wrote, ``subject`` the name in finding ids.  Exactly one of ``module``, ``text`` and
    ``pickled`` (base64) says where the object is; ``name`` is its qualified name there.  ``kind`` is one of ``KINDS``
    where it is known, None where the subject is to be recognised.  ``settings`` are constructor arguments that the
    target itself stands for, under the user's ``arguments``; a ``catalogued`` target is a method's id, which stands for
    its kind too.  ``line`` is where a file's text defines the name, where it plainly does.
    """

    target: str
    subject: str
    name: str
    module: str | None = None
    text: str | None = None
    file: str | None = None
    folder: str | None = None
    sha256: str | None = None
    line: int | None = None
    pickled: str | None = None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    declare: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    catalogued: bool = False

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise TargetError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}")

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def parse_target(
    target: str, arguments: Mapping[str, Any], declare: Mapping[str, Any], kind: str | None = None
) -> TargetSpec:
    """The specification of a TARGET; ``TargetError`` says what is wrong and what would be right."""
    match = _TARGET.fullmatch(target)
    if match is None:
        raise TargetError(f"TARGET must be package.module:name or path/file.py:name or a method's id; got {target!r}")
    place, name = match["place"], match["name"]
    said: dict[str, Any] = {"arguments": dict(arguments), "declare": dict(declare), "kind": kind}
    common: dict[str, Any] = {"target": target, "name": name, **said}
    if not place.endswith(".py"):
        _check_module(place, target)
        return TargetSpec(subject=slug(target), module=place, **common)
    path = Path(place)
    if not path.is_file():
        raise TargetError(f"TARGET {target!r}: there is no file {place!r}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TargetError(f"TARGET {target!r}: the file must be UTF-8; at byte {error.start} it is not") from None
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise TargetError(f"TARGET {target!r}: line {error.lineno} is not Python: {error.msg}") from None
    names = _top_level(tree)
    if name.split(".")[0] not in names and "*" not in names:
        listed = ", ".join(sorted(names)) or "none"
        raise TargetError(f"TARGET {target!r}: the file defines no {name!r}; it defines {listed}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return TargetSpec(
        subject=slug(f"{path.name}:{name}"),
        text=text,
        file=path.name,
        folder=str(path.resolve().parent),
        sha256=digest,
        line=_line_of(name.split(".")[0], tree),
        **common,
    )


def pickle_target(
    value: object, arguments: Mapping[str, Any], declare: Mapping[str, Any], kind: str | None = None
) -> TargetSpec:
    """The specification of a live object; ``TargetError`` when cloudpickle cannot carry it."""
    import cloudpickle

    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    try:
        blob = cloudpickle.dumps(value)
    except Exception as error:
        raise TargetError(f"the object {name} cannot travel to the audit's process: {error}") from error
    return TargetSpec(
        target=name,
        subject=slug(name),
        name=name,
        pickled=base64.b64encode(blob).decode(),
        folder=_import_root(value),
        arguments=dict(arguments),
        declare=dict(declare),
        kind=kind,
    )


def _import_root(value: object) -> str | None:
    """The folder from which the object's module was imported, where it was: the other process may not know it yet."""
    name = getattr(value, "__module__", None) or type(value).__module__
    file = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
    if name == "__main__" or file is None:
        return None
    path = Path(file).absolute()
    return str(path.parent.parent if path.name == "__init__.py" else path.parent)


def _check_module(place: str, target: str) -> None:
    if not all(part.isidentifier() for part in place.split(".")):
        raise TargetError(f"TARGET {target!r}: {place!r} is neither a module name nor a .py file")
    try:
        found = importlib.util.find_spec(place.split(".")[0])
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise TargetError(f"TARGET {target!r}: no module named {place.split('.')[0]!r} is installed")


def _line_of(name: str, tree: ast.Module) -> int | None:
    """The first line of the last top-level definition or assignment of the name."""
    found = None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        bound = {target.id for target in targets if isinstance(target, ast.Name)} | {getattr(node, "name", None)}
        found = node.lineno if name in bound else found
    return found


def _top_level(tree: ast.Module) -> set[str]:
    """Every name that the module may bind (a star import or an unusual binding is found when it is loaded)."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return names
