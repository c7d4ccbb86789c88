"""One group for many questions: started when first asked, and anew after one was lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from wnverify.numerics.shards.group import LIMIT_S, AloneError, Group, check_world

RUN: Final = "wnverify.numerics.shards.trial:run"
UNTOUCHED: Final = "wnverify.numerics.shards.trial:untouched"
STEP: Final = "the step"
EVERYTHING: Final = "everything"


class Groups:
    """``run`` of ``shards.trial`` in ``world`` processes, which live until ``close``."""

    def __init__(self, world: int, *, limit_s: float = LIMIT_S) -> None:
        self.world, self._limit_s = check_world(world), limit_s
        self._group: Group | None = None
        self._refused: dict[tuple[object, ...], tuple[str, str]] = {}

    def run(self, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The answers by rank; ``LostError`` where the group is lost, after which the next question starts another."""
        if self._group is None or self._group.closed:
            self._group = Group(self.world, limit_s=self._limit_s)
        return self._group.ask(RUN, arguments)

    def refused(self, arguments: Mapping[str, Any], kind: str) -> tuple[str, str]:
        """What of such a trial torch refuses even of the map W = V (empty, ``STEP`` or ``EVERYTHING``), and its words.

        Asked once for a kind, a way, a shape and a dtype.  ``LostError`` where a process dies or hangs.
        """
        V = arguments["V"]
        shape = (len(V), len(V[0]), len(V[0][0]) if isinstance(V[0][0], list) else 0)
        key = (kind, arguments["way"], *shape, arguments["dtype"])
        if key not in self._refused:
            self._refused[key] = self._controlled({**arguments, "maker": UNTOUCHED, "given": {"kind": kind}})
        return self._refused[key]

    def _controlled(self, arguments: dict[str, Any]) -> tuple[str, str]:
        left_out = why = ""
        for more in (STEP, EVERYTHING):
            try:
                said = self.run({**arguments, "step": not left_out})[0].get("raised", "")
            except AloneError as error:
                said = str(error)
            if not said:
                break
            left_out, why = more, said
        return left_out, why

    def close(self) -> None:
        if self._group is not None:
            self._group.close()
            self._group = None


_SHARED: Final[ContextVar[Groups | None]] = ContextVar("shared groups", default=None)


@contextlib.contextmanager
def groups(world: int, *, limit_s: float = LIMIT_S) -> Iterator[Groups]:
    """Groups of this size; inside another such block of the same size those of that block, which closes them."""
    outer = _SHARED.get()
    if outer is not None and outer.world == world:
        yield outer
        return
    own = Groups(world, limit_s=limit_s)
    token = _SHARED.set(own)
    try:
        yield own
    finally:
        _SHARED.reset(token)
        own.close()
