"""The ledger: every checkable statement of the five papers by id, decided or not.

A static table kept as data beside this file, so that the report can count what is still undecided without loading
a claim.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

MODULE_OF: Final[Mapping[str, str]] = MappingProxyType(
    {"CWN": "cwn", "DSWN": "dswn", "CWO": "cwo", "NL": "norm_loss", "L1": "l1inf"}
)
"""Prefix of a paper's ids → the module of ``wnverify.papers`` that holds its claims, which is also their subject."""


def papers() -> tuple[str, ...]:
    """The prefixes of the papers' ids.

    >>> papers()
    ('CWN', 'DSWN', 'CWO', 'NL', 'L1')
    """
    return tuple(MODULE_OF)


def rows(paper: str) -> Mapping[str, str]:
    """Every id of ``paper`` → where in the paper it stands, in the ledger's order.  ``ValueError`` for no such paper.

    >>> rows("CWN")["CWN-EQ3"]
    'eq. 3'
    """
    table = _table()
    if paper not in table:
        raise ValueError(f"paper must be one of {', '.join(table)}; got {paper!r}")
    return table[paper]


def paper_of(claim_id: str) -> str:
    """The paper that an id of the ledger belongs to.  ``ValueError`` for an id that the ledger does not have.

    >>> paper_of("L1-TH1a")
    'L1'
    """
    paper = claim_id.split("-", 1)[0]
    if paper not in MODULE_OF or claim_id not in rows(paper):
        raise ValueError(f"id must be an id of the ledger (as in rows('CWN')); got {claim_id!r}")
    return paper


@functools.cache
def _table() -> Mapping[str, Mapping[str, str]]:
    text = resources.files("wnverify.papers").joinpath("ledger_ids.json").read_text(encoding="utf-8")
    return MappingProxyType({paper: MappingProxyType(ids) for paper, ids in json.loads(text).items()})
