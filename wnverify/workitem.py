"""The two records of a run: a ``WorkItem`` goes to the guard, an ``Outcome`` comes back."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
from collections.abc import Mapping
from typing import Any

from wnverify.finding import Finding, Verdict

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One call that makes findings.

    ``function`` is ``"package.module:name"``, imported in the child and called as ``function(**arguments)``; it
    returns an iterable of ``Finding``.  ``id``, ``kind``, ``subject``, ``check`` and ``statement`` are those of the
    finding that stands in its place where it raises, hangs, dies or is blocked by one of the items named in
    ``requires``.  A ``fresh`` item runs in a child that has run nothing before and runs nothing after.

    Raises ``ValueError`` (``TypeError`` for ``arguments``) naming the argument.
    """

    id: str
    function: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: str
    subject: str
    check: str
    statement: str
    timeout_s: float = 60.0
    memory_mib: float = 6144
    requires: tuple[str, ...] = ()
    fresh: bool = False

    def __post_init__(self) -> None:
        self.ending(Verdict.ERROR, "")  # checks id and kind
        if not _FUNCTION.fullmatch(self.function):
            raise ValueError(f"function must be 'package.module:name'; got {self.function!r}")
        for name in ("timeout_s", "memory_mib"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number; got {value!r}")
        if not isinstance(self.requires, tuple) or self.id in self.requires:
            raise ValueError(f"requires must be a tuple of ids of other items; got {self.requires!r} for {self.id!r}")
        if not all(isinstance(name, str) for name in self.arguments):
            raise TypeError(f"arguments must have names as keys; got {list(self.arguments)!r}")
        object.__setattr__(self, "arguments", dict(self.arguments))
        try:
            self.payload()
        except Exception as error:
            kinds = {name: type(value).__name__ for name, value in self.arguments.items()}
            raise TypeError(f"arguments must be plain data that pickle takes; got {kinds} ({error})") from error

    def ending(self, verdict: Verdict, message: str) -> Finding:
        """The finding that stands for this item: ``error`` or ``blocked``, with its reason."""
        return Finding(
            kind=self.kind,
            id=self.id,
            subject=self.subject,
            check=self.check,
            verdict=verdict,
            statement=self.statement,
            message=message,
        )

    def payload(self) -> bytes:
        """What the child is sent."""
        return pickle.dumps({"id": self.id, "function": self.function, "arguments": self.arguments})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one item: its findings, wall-clock seconds, largest resident memory seen (MiB), and the names of
    the global state that it altered (its child was then given up)."""

    item_id: str
    findings: tuple[Finding, ...]
    seconds: float = 0.0
    peak_mib: float = 0.0
    altered: tuple[str, ...] = ()
