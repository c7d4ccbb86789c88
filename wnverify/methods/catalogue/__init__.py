"""The methods as a static table: strings only, loaded without torch or NumPy."""

from __future__ import annotations

from wnverify.methods.catalogue.constraints import CONSTRAINTS
from wnverify.methods.catalogue.layers import LAYERS
from wnverify.methods.catalogue.out_of_scope import OUT_OF_SCOPE
from wnverify.methods.catalogue.parametrizations import PARAMETRIZATIONS
from wnverify.methods.catalogue.penalties import PENALTIES
from wnverify.methods.catalogue.row import KINDS as KINDS
from wnverify.methods.catalogue.row import Method as Method
from wnverify.methods.catalogue.row import settings_of as settings_of
from wnverify.nearest import meant


def methods(kind: str | None = None) -> tuple[Method, ...]:
    """All methods in the order of the tables, or those of one of ``KINDS``.

    >>> [method.id for method in methods("parametrization")][:2]
    ['weight_normalization', 'centred_weight_normalization']
    """
    every = (*PARAMETRIZATIONS, *CONSTRAINTS, *PENALTIES, *LAYERS, *OUT_OF_SCOPE)
    return tuple(method for method in every if kind in (None, method.kind))


def implemented() -> tuple[Method, ...]:
    """The methods that this project implements itself: those with a reference beside their PyTorch form."""
    return tuple(method for method in methods() if method.module)


def find(name: str) -> Method:
    """The method of that id or other name; a ``ValueError`` offers the nearest names.

    >>> find("cwn").id
    'centred_weight_normalization'
    """
    wanted = name.lower().replace("-", "_")
    known = {}
    for method in methods():
        for said in (method.id, *method.names):
            known[said.lower().replace("-", "_")] = method
    if wanted not in known:
        near = meant(wanted, known)
        hint = f"; {near}" if near else ""
        raise ValueError(f"method must be a name that `wnverify methods` lists; got {name!r}{hint}")
    return known[wanted]
