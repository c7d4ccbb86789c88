"""What one row of the catalogue says: strings only."""

from __future__ import annotations

from typing import Final, NamedTuple

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
    def module(self) -> str:
        """The package that holds ``reference``, ``pytorch`` and ``enclosure``; empty where torch itself is used."""
        place = self.implementation.partition(":")[0]
        return place.removesuffix(".pytorch") if place.endswith(".pytorch") else ""
