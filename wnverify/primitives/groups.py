"""Groups of weights: the rows or the columns of the matrix of output units."""

from __future__ import annotations

from typing import Final

from torch import Tensor

GROUPS: Final = ("rows", "columns")


def check_group(group: str, name: str = "group") -> str:
    """``group`` itself; ``ValueError`` unless it is ``"rows"`` (output units) or ``"columns"`` (inputs)."""
    if group not in GROUPS:
        raise ValueError(f"{name} must be one of {', '.join(GROUPS)}; got {group!r}")
    return group


def by_group(W: Tensor, group: str) -> Tensor:
    """W (…, n, d) with one group in each row, a view; its own inverse."""
    return W.mT if group == "columns" else W
