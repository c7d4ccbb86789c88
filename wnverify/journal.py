"""What a run has finished, on disk: a file of JSON lines that any kill leaves readable.

The first line is a header, ``{"schema": "wnverify/journal/1", …}`` with what the caller says the run depends on (a
digest of items, options and sources); each further line is the outcome of one item.  A line is one ``write``,
so that a kill can at most truncate the last one, which a reader drops.  It is forced to the disk every second, and at
the end: when the machine itself stops, the items of its last second run again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from wnverify.finding import Finding, Json, dumps
from wnverify.workitem import Outcome

SCHEMA: Final = "wnverify/journal/1"
FORCED_S: Final = 1.0
"""How often what was written is forced to the disk."""


class Memory:
    """The outcomes of a run that nothing need survive: known as long as this object is."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def append(self, outcome: Outcome) -> None:
        self.outcomes[outcome.item_id] = outcome


class Journal:
    """The journal at ``path`` of the run that ``header`` stands for; a context manager.

    A new file is begun, unless ``resume`` is set and the file holds a header: then that header must be equal and
    ``outcomes`` holds, by item id, what need not run again.  Raises ``ValueError`` where the header differs, where
    the file is something else than a journal (which is never overwritten), where a line other than the last cannot
    be read, and where another run is writing it.  ``discarded``: how many outcomes a file held that was begun anew.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Json], *, resume: bool = False) -> None:
        self.path = Path(path)
        self.outcomes: dict[str, Outcome] = {}
        self.discarded = 0
        self._forced = -math.inf
        # What is read back is what JSON makes of it (tuples become lists).
        self._header = json.loads(dumps({**header, "schema": SCHEMA}))
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                raise ValueError(f"path must be a regular file; got {str(self.path)!r}")
            self._lock()
            self._open(resume)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def append(self, outcome: Outcome) -> None:
        """Write one outcome and return when no kill can lose it; ``OSError`` where the disk does not take it."""
        self._write(
            {
                "item": outcome.item_id,
                "findings": [finding.to_json() for finding in outcome.findings],
                "seconds": outcome.seconds,
                "peak_mib": outcome.peak_mib,
                "altered": list(outcome.altered),
            }
        )
        self.outcomes[outcome.item_id] = outcome

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                if math.isfinite(self._forced):  # something was written
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _lock(self) -> None:
        # A record lock belongs to the process: unlike flock, forks that survive a killed run do not hold it.
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise ValueError(
                f"{self.path.name} is being written by another run: wait for it or name another"
            ) from error

    def _open(self, resume: bool) -> None:
        # Not through a second descriptor: closing that one would give the record lock up.
        with os.fdopen(self._descriptor, "rb", closefd=False) as file:
            data = file.read()
        head, end = _head(data), 0
        if head is False:
            raise ValueError(f"{self.path.name} is not a journal of this version: name another file or remove this one")
        if resume and isinstance(head, dict):
            self._compare(head)
            end = self._take_over(data)
        elif head:
            self.discarded = data.count(b"\n") - 1
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)
        if end == 0:
            self._write(self._header)

    def _compare(self, head: Mapping[str, Any]) -> None:
        names = sorted(name for name in {*head, *self._header} if head.get(name) != self._header.get(name))
        if names:
            raise ValueError(
                f"{self.path.name} belongs to another run ({', '.join(names)} changed since it was written): "
                "start afresh without resuming, or name another journal"
            )

    def _take_over(self, data: bytes) -> int:
        """Read the outcomes; the length of the part of the file that is whole."""
        lines = data.splitlines(keepends=True)
        end = len(lines[0])
        for number, line in enumerate(lines[1:], start=2):
            try:
                outcome = _outcome(line)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if number == len(lines):
                    return end
                raise ValueError(f"{self.path.name}, line {number}, is damaged: start afresh without it") from error
            self.outcomes[outcome.item_id] = outcome
            end += len(line)
        return end

    def _write(self, record: Mapping[str, Any]) -> None:
        line = dumps(dict(record)).encode() + b"\n"
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(f"{self.path.name} took {written} of {len(line)} bytes: is the disk full?")
        if time.monotonic() >= self._forced + FORCED_S:
            os.fsync(self._descriptor)
            self._forced = time.monotonic()


def _head(data: bytes) -> dict[str, Any] | Literal[False] | None:
    """The header; None where there is none yet (the file is empty, or a kill truncated it); False: no journal."""
    line, newline, _ = data.partition(b"\n")
    head = None
    with contextlib.suppress(ValueError):
        head = json.loads(line)
    ours = isinstance(head, dict) and head.get("schema") == SCHEMA
    if newline:
        return head if ours else False
    return None if ours or (head is None and b'{"'.startswith(line[:2])) else False


def _outcome(line: bytes) -> Outcome:
    if not line.endswith(b"\n"):
        raise ValueError("line must end with a newline")
    record = json.loads(line)
    return Outcome(
        item_id=record["item"],
        findings=tuple(Finding.from_json(finding) for finding in record["findings"]),
        seconds=float(record["seconds"]),
        peak_mib=float(record["peak_mib"]),
        altered=tuple(record["altered"]),
    )
