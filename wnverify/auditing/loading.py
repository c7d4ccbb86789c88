"""The object that a specification names, in the process where it is audited."""

from __future__ import annotations

import base64
import hashlib
import importlib
import linecache
import sys
import types
from pathlib import Path
from typing import Any, Final

from wnverify.auditing.target import TargetError, TargetSpec

_LOADED: Final[dict[tuple[str, str], types.ModuleType]] = {}
"""(folder, module name) → the subject's module: the same text may have other neighbours in another folder."""
_NEIGHBOURS: Final[dict[str, dict[str, types.ModuleType]]] = {}
"""Folder → the modules imported from it while another folder's subject is looked at."""
_BEFORE: Final[dict[str, frozenset[str]]] = {}
"""Folder → the modules that were there before it could be imported from."""


def load(spec: TargetSpec) -> tuple[Any, types.ModuleType | None]:
    """The object, and the module that it was looked up in (None for one that came pickled)."""
    if spec.pickled is not None:
        import cloudpickle

        if spec.folder and spec.folder not in sys.path:
            _enter(spec.folder)
        return cloudpickle.loads(base64.b64decode(spec.pickled)), None
    module = importlib.import_module(spec.module) if spec.module else _module_from_text(spec)
    value: Any = module
    for part in spec.name.split("."):
        if not hasattr(value, part):
            offered = ", ".join(sorted(n for n in vars(module) if not n.startswith("_"))[:20])
            raise TargetError(f"TARGET {spec.target!r}: {module.__name__} has no {spec.name!r}; it has {offered}")
        value = getattr(value, part)
    return value, module


def _module_from_text(spec: TargetSpec) -> types.ModuleType:
    """The file's text as a module of its own name, once a process; the folder is importable for its neighbours."""
    text, file = spec.text or "", spec.file or "subject.py"
    if spec.folder:
        _enter(spec.folder)
    # The name holds no folder, since messages of the subject may quote it.
    name = f"{file.removesuffix('.py')}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if (known := _LOADED.get((spec.folder or "", name))) is not None:
        sys.modules[name] = known
        return known
    module = types.ModuleType(name)
    module.__file__ = file
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    sys.modules[name] = module
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    _LOADED[spec.folder or "", name] = module
    return module


def _enter(folder: str) -> None:
    """Make ``folder`` importable, and put the neighbours of subjects in other folders away.

    Otherwise the ``helpers.py`` beside one subject would serve the next, which has another ``helpers.py``.
    """
    for other, kept in _NEIGHBOURS.items():
        if other == folder:
            continue
        for name in [name for name in sys.modules if _came_from(other, name)]:
            kept[name] = sys.modules.pop(name)
        if other in sys.path:
            sys.path.remove(other)
    _BEFORE.setdefault(folder, frozenset(sys.modules))
    known = _NEIGHBOURS.setdefault(folder, {})
    sys.modules.update(known)
    known.clear()
    if folder not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()


def _came_from(folder: str, name: str) -> bool:
    """Whether the module's top-level package was first imported, from this very folder, for a subject there."""
    top = name.partition(".")[0]
    if top in _BEFORE[folder]:
        return False
    package = sys.modules.get(top)
    file = getattr(package, "__file__", None)
    places = [Path(file).parent, Path(file).parent.parent] if file else [Path(p).parent for p in _paths(package)]
    return Path(folder) in places


def _paths(package: types.ModuleType | None) -> list[str]:
    return list(getattr(package, "__path__", []))
