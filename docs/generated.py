"""What the documentation takes from the package itself: the vocabulary, the schema, the catalogue.

Directives: ``vocabulary``, the names that a subject may declare; ``schema``, the objects of results.json;
``catalogue``, every method with its row and its PyTorch form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from wnverify.auditing.vocabulary import DOMAIN, PROPERTIES, WITH_VALUE
from wnverify.methods.catalogue import KINDS, methods
from wnverify.oracles.optimality import set_names
from wnverify.report.results import schema


def vocabulary() -> Iterator[str]:
    """The known names of DECLARES, DOMAIN and SET."""
    yield from ("| `DECLARES` | means, for V ↦ W = f(V), in every row |", "|---|---|")
    for name, meaning in PROPERTIES.items():
        yield f"| `{name}`{' (value)' if name in WITH_VALUE else ''} | {_cell(meaning)} |"
    yield from ("", "| `DOMAIN` | means |", "|---|---|")
    for name, meaning in DOMAIN.items():
        yield f"| `{name}` | {_cell(meaning)} |"
    yield from ("", "`SET` names one of " + ", ".join(f"`{name}`" for name in set_names()) + ".")


def objects() -> Iterator[str]:
    """A table for every object of the schema, the outermost first."""
    whole = schema()
    waiting = [("results.json", whole)]
    waiting += [(name, found) for name, found in whole["$defs"].items()]
    for name, found in waiting:
        yield from (f"## {name}", "", found.get("description", ""), "")
        if "enum" in found:
            yield from ("One of " + ", ".join(f"`{value}`" for value in found["enum"]) + ".", "")
        yield from _table(found)
        for key, inner in found.get("properties", {}).items():
            for deeper in (inner, inner.get("items", {}), inner.get("additionalProperties", {})):
                if isinstance(deeper, Mapping) and deeper.get("properties"):
                    yield from (f"### {key}", "", *_table(deeper))


def _table(found: Mapping[str, Any]) -> Iterator[str]:
    if not found.get("properties"):
        return
    yield from ("| name | is | says |", "|---|---|---|")
    for name, inner in found["properties"].items():
        mark = "" if name in found.get("required", ()) else " (optional)"
        yield f"| `{name}`{mark} | {_cell(_kind(inner))} | {_cell(inner.get('description', ''))} |"
    yield ""


def _kind(found: Mapping[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in found:
        name = found["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name})"
    if "const" in found:
        return f"`{found['const']}`"
    if "enum" in found:
        return ", ".join("`null`" if value is None else f"`{value}`" for value in found["enum"])
    if "anyOf" in found:
        return " or ".join(_kind(each) for each in found["anyOf"])
    if found.get("type") == "array":
        return f"list of {_kind(found['items'])}"
    several = found.get("type", "anything")
    return " or ".join([several] if isinstance(several, str) else several)


def catalogue() -> Iterator[str]:
    """Every method that is implemented here, by kind, with its row and its PyTorch form."""
    shown: set[str] = set()
    for kind in KINDS:
        of_kind = [method for method in methods(kind) if method.module]
        if of_kind:
            yield from ("## Penalties" if kind == "penalty" else f"## {kind.capitalize()}s", "")
        for method in of_kind:
            names = ", ".join(f"`{name}`" for name in (method.id, *method.names))
            yield from (f"### {method.title}", "", f"{names}. {method.source}.", "")
            for label in ("formula", "constraint", "holds", "undefined", "cost"):
                if said := getattr(method, label):
                    yield from (label.capitalize(), f": {_plain(said)}", "")
            if method.module not in shown:
                shown.add(method.module)
                yield from ("```{eval-rst}", f".. automodule:: {method.module}.pytorch", "```", "")


def _cell(text: str) -> str:
    return _plain(text).replace("|", r"\|")


def _plain(text: str) -> str:
    """Formulas are no Markdown: a star and an underline mean themselves."""
    return text.replace("*", r"\*").replace("_", r"\_") if "`" not in text and "](" not in text else text


class Generated(SphinxDirective):
    """Markdown lines that a function gives, parsed in the place of the directive."""

    lines: Any = None

    def run(self) -> list[nodes.Node]:
        text = "\n".join(type(self).lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    for name, lines in (("vocabulary", vocabulary), ("schema", objects), ("catalogue", catalogue)):
        app.add_directive(name, type(name.capitalize(), (Generated,), {"lines": staticmethod(lines)}))
    return {"parallel_read_safe": True}
