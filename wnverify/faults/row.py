"""One row of the tables of variants: what it is, which check is meant for it, what that check must say."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

ROUNDING_DECIDES: Final = "fail or hazard"
"""At tied singular values rounding decides whether the gradient is a NaN (hazard) or a wrong number (fail); so it does
how many rows overflow in float16."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A wrong variant: ``target`` (``module:Class``), the check meant to catch it and the verdict due there
    (``"fail"``, ``"hazard"`` or ``"fail or hazard"``)."""

    name: str
    target: str
    caught_by: str
    verdict: str = "fail"
    note: str = ""
    gradcheck: bool | None = None
    shards: int = 0
    """Over how many processes its weight is distributed too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Right:
    """A right variant: no check may say ``fail``, and ``hazard`` only those that ``hazards`` lists."""

    name: str
    target: str
    hazards: tuple[str, ...] = ()
    note: str = ""
    shards: int = 0


def wrong(
    place: str,
    name: str,
    caught_by: str,
    verdict: str = "fail",
    note: str = "",
    gradcheck: bool | None = None,
    *,
    shards: int = 0,
) -> Fault:
    """The row of ``wnverify.faults.<place>:<name>``."""
    return Fault(kebab(name), f"wnverify.faults.{place}:{name}", caught_by, verdict, note, gradcheck, shards)


def right(place: str, name: str, *hazards: str, note: str = "", shards: int = 0) -> Right:
    """The row of ``wnverify.faults.<place>:<name>``."""
    return Right(kebab(name), f"wnverify.faults.{place}:{name}", hazards, note, shards)


def kebab(name: str) -> str:
    """The name of a class or a function in kebab case.

    >>> kebab("PlainSvd"), kebab("CachedByNaN"), kebab("onto_ball")
    ('plain-svd', 'cached-by-na-n', 'onto-ball')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower().replace("_", "-")
