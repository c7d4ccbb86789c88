"""Norm loss: how the claims read its printed tables."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from wnverify.experiments.published.norm_loss_tables import Row

TEST_IMAGES: Final = 10_000
RUNS: Final = 5


def find(table: Iterable[Row], network: str, method: str, source: str) -> Row:
    """The one row of that network, method and source."""
    (row,) = (r for r in table if (r.network, r.method, r.source) == (network, method, source))
    return row


def number(text: str | None) -> Decimal:
    """A printed number; ``ValueError`` for a dash."""
    if text is None:
        raise ValueError("text must be a printed number; got a dash")
    return Decimal(text)


def changed(
    table: tuple[Row, ...], network: str, method: str, source: str, *, mean: str | None = None, best: str | None = None
) -> tuple[Row, ...]:
    """The table with another mean or best run in one row: for planted faults."""
    old = find(table, network, method, source)
    new = old._replace(mean=mean or old.mean, best=best or old.best)
    return tuple(new if row == old else row for row in table)
