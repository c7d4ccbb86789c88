"""What one row of the catalogue says: strings only."""

from __future__ import annotations

import ast
from typing import Any, Final, NamedTuple

KINDS: Final = ("parametrization", "constraint", "penalty", "layer", "out of scope")


class Method(NamedTuple):
    """One normalization, constraint, penalty or layer from the literature.

    ``names``: what it may also be called (``"cwn"``); ``papers``: which of the five papers propose (first) or compare
    with it; ``source``: where it comes from, with equation; ``formula`` for a weight with one row an output unit;
    ``constraint``: what W satisfies; ``holds``: what else holds by construction; ``undefined``: where, and what happens
    there; ``cost``: of one call, n rows, d columns.  ``implementation`` (``module:Name``) is what people use: a class
    of this project, beside whose module lies ``reference``, or one of torch.  ``settings``: what makes that class this
    method (``"orthogonal_map='cayley'"``).  ``options``: settings worth an audit of their own (``"eps=0.0"``) beside
    the default.  ``reason``: why it is out of scope.
    """

    id: str
    kind: str
    title: str
    source: str
    papers: str = ""
    names: tuple[str, ...] = ()
    formula: str = ""
    constraint: str = ""
    holds: str = ""
    undefined: str = ""
    cost: str = ""
    implementation: str = ""
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    reason: str = ""

    @property
    def fixed(self) -> dict[str, Any]:
        """``settings`` as arguments of ``implementation``."""
        return settings_of(" ".join(self.settings))

    @property
    def module(self) -> str:
        """The package that holds ``reference``, ``pytorch`` and ``enclosure``; empty where torch itself is used."""
        place = self.implementation.partition(":")[0]
        return place.removesuffix(".pytorch") if place.endswith(".pytorch") else ""


def settings_of(text: str) -> dict[str, Any]:
    """``"a=1 b='x'"`` as arguments; pairs stand apart by spaces or commas, and what is no Python literal is a string.

    ``ValueError`` for a pair without a name or an equals sign.

    >>> settings_of("squared=False side='columns' order=sm-nm")
    {'squared': False, 'side': 'columns', 'order': 'sm-nm'}
    """
    made: dict[str, Any] = {}
    for pair in text.replace(",", " ").split():
        name, separator, value = pair.partition("=")
        if not name.isidentifier() or not separator:
            raise ValueError(f"settings must be NAME=VALUE, one after the other; got {pair!r}")
        try:
            made[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            made[name] = value
    return made
