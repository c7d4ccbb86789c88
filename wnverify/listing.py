"""What is known by name, on the terminal: the catalogue of methods, read without torch or NumPy; what a subject may
declare, and the checks of an audit."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from wnverify.methods.catalogue import KINDS, Method, find, methods

FIELDS: Final = ("formula", "constraint", "holds", "undefined", "cost", "reason")
EXAMPLES: Final = {
    "parametrization": 'wnverify.apply(model, "{}")',
    "constraint": 'wnverify.apply(model, "{}", optimizer=optimizer)',
    "penalty": 'wnverify.apply(model, "{}", factor=1e-4); loss = loss + wnverify.penalty(model)',
    "layer": 'wnverify.apply(model, "{}")',
}


def show(console: Console, names: Sequence[str]) -> None:
    """Every method by kind, or each of the named ones with all that is known of it; ``ValueError`` for another name."""
    chosen = [find(name) for name in names]
    for method in chosen:
        _print(console, _head(method), *_lines(method), *_more(method))
    if chosen:
        return
    for kind in KINDS:
        rows = methods(kind)
        console.print(Text(f"{kind.upper()} ({len(rows)})", style="bold underline"))
        for method in rows:
            _print(console, _head(method), *_lines(method))


def show_vocabulary(console: Console) -> None:
    """Every property, domain and set that a subject may name, and every check with what it asks."""
    from wnverify.auditing.registry import checks
    from wnverify.auditing.vocabulary import DOMAIN, PROPERTIES, WITH_VALUE
    from wnverify.oracles.optimality import set_names

    known = {
        "DECLARES, or --declare NAME[=VALUE]: for V ↦ W = f(V), in every row": {
            f"{name}{'=VALUE' if name in WITH_VALUE else ''}": said for name, said in PROPERTIES.items()
        },
        "DOMAIN": DOMAIN,
        "SET, of a Euclidean projection": dict.fromkeys(set_names(), ""),
        "checks, for --check and --waive": {check.id: check.asks for check in checks().values()},
    }
    for title, names in known.items():
        console.print(Text(f"{title} ({len(names)})", style="bold underline"))
        for name, said in names.items():
            console.print(Text.assemble((name, "bold"), f"  {said}".rstrip()), soft_wrap=True)


def _head(method: Method) -> Text:
    names = f" ({', '.join(method.names)})" if method.names else ""
    return Text.assemble((method.id, "bold"), names, "  ", method.title)


def _lines(method: Method) -> Iterator[str]:
    papers = f" [papers: {method.papers}]" if method.papers else ""
    yield f"source: {method.source}{papers}"
    for field in FIELDS:
        if value := getattr(method, field):
            yield f"{field}: {value}"


def _more(method: Method) -> Iterator[str]:
    """What only a look at one method shows: how to use it, and what its implementation says of itself."""
    if method.kind in EXAMPLES:
        yield f"use: {EXAMPLES[method.kind].format((method.names or (method.id,))[0])}"
    if method.implementation:
        settings = f" with {', '.join(method.settings)}" if method.settings else ""
        yield f"implementation: {method.implementation}{settings}"
    if method.module:
        yield f"reference: {method.module}.reference"
        yield ""
        yield from _docstring(method.implementation).splitlines()


def _docstring(implementation: str) -> str:
    """The class's docstring, from the source: importing it would import torch."""
    module, _, name = implementation.partition(":")
    folder, _, file = module.rpartition(".")
    spec = importlib.util.find_spec(folder)
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise ValueError(f"implementation must be in an installed package; there is no {folder}")
    tree = ast.parse((Path(places[0]) / f"{file}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return inspect.cleandoc(ast.get_docstring(node) or "")
    raise ValueError(f"implementation must be a class of its module; {module} defines no {name}")


def _print(console: Console, head: Text, *lines: str) -> None:
    console.print(head)
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 4)))
