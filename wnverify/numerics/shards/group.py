"""A group of processes that hold a weight together: started once, asked many times, ended together.

Each is a fresh interpreter (never forked after torch was loaded); they find each other by a file in a temporary folder.
When one of them dies or does not answer, all are killed and the folder is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

START_LIMIT_S: Final = 180.0
LIMIT_S: Final = 60.0
GRACE_S: Final = 10.0
"""How long the others may take after one has raised: what raises in one process alone leaves the others waiting."""
LARGEST_WORLD: Final = 16


class LostError(RuntimeError):
    """The group is gone; the message names the process that died, hung or raised alone."""


class AloneError(LostError):
    """A process raised alone, and the others waited for it or went on."""


class Group:
    """``world`` processes with one gloo group, as a context manager; ``ask`` calls a function in all of them.

    ``limit_s`` is the time for one answer, ``grace_s`` that for the others after one has raised.  ``ValueError`` for a
    ``world`` that is no whole number from 2 to 16.
    """

    def __init__(self, world: int, *, limit_s: float = LIMIT_S, grace_s: float = GRACE_S) -> None:
        self.world, self.limit_s, self.grace_s = check_world(world), limit_s, grace_s
        self._folder = tempfile.mkdtemp(prefix="wnverify-")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._pending = [b""] * world
        try:
            for rank in range(world):
                self._processes.append(self._started(rank))
            self._answers(START_LIMIT_S, START_LIMIT_S)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, function: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """``function(mesh, **arguments)`` in every process: by rank ``{"result": …}``, or ``{"raised": …}`` in all.

        ``LostError`` where a process dies, does not answer in time, or raises alone; the group is closed then.
        """
        line = json.dumps({"function": function, "arguments": arguments}).encode() + b"\n"
        try:
            for process in self._processes:
                self._send(process, line)
            answers = self._answers(self.limit_s, self.grace_s)
        except BaseException:
            self.close()
            raise
        return answers

    def close(self) -> None:
        """Kill every process and remove the folder."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    stream.close()  # type: ignore[union-attr]
        self._processes = []
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def closed(self) -> bool:
        return not self._processes

    def _started(self, rank: int) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parents[3])
        path = os.pathsep.join(dict.fromkeys([root, *(os.path.abspath(entry) for entry in sys.path)]))
        threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        with open(os.path.join(self._folder, f"{rank}.err"), "wb") as errors:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "wnverify.numerics.shards.worker",
                    str(rank),
                    str(self.world),
                    self._folder,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **threads},
            )

    def _send(self, process: subprocess.Popen[bytes], line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # who died is found out by reading
            process.stdin.write(line)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

    def _answers(self, limit_s: float, grace_s: float) -> list[dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        deadline = time.monotonic() + limit_s
        while len(found) < self.world:
            for rank, message in self._arrived(deadline - time.monotonic(), found):
                if message is None:
                    raise LostError(f"rank {rank} died: {self._ending(rank)}")
                found[rank] = message
                if "raised" in message:
                    deadline = min(deadline, time.monotonic() + grace_s)
            if time.monotonic() >= deadline and len(found) < self.world:
                self._refuse_raised(found)
                raise LostError(self._hung(found))
        self._refuse_raised(found)
        return [found[rank] for rank in range(self.world)]

    def _refuse_raised(self, found: Mapping[int, Mapping[str, Any]]) -> None:
        raised = {rank: answer["raised"] for rank, answer in found.items() if "raised" in answer}
        if raised and len(raised) < self.world:
            rank = min(raised)
            others = sorted(set(range(self.world)) - set(raised))
            did = "did not" if set(others) <= set(found) else "waited for it"
            raise AloneError(f"rank {rank} raised {raised[rank]}; {_ranks(others)} {did}")

    def _arrived(self, limit_s: float, done: Mapping[int, Any]) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """What the ranks that are not done say next within the time; None from one that is dead."""
        with selectors.DefaultSelector() as ready:
            for rank, process in enumerate(self._processes):
                if rank not in done:
                    ready.register(process.stdout, selectors.EVENT_READ, rank)  # type: ignore[arg-type]
            for key, _ in ready.select(max(0.0, limit_s)):
                rank = key.data
                chunk = os.read(key.fd, 2**16)
                self._pending[rank] += chunk
                line, newline, rest = self._pending[rank].partition(b"\n")
                if newline:
                    self._pending[rank] = rest
                    yield rank, json.loads(line)
                elif not chunk:
                    yield rank, None

    def _ending(self, rank: int) -> str:
        code = self._processes[rank].wait()
        words = Path(self._folder, f"{rank}.err").read_text(errors="replace").strip().splitlines()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"{how}; it said {words[-1]!r}" if words and code > 0 else how

    def _hung(self, found: Mapping[int, Mapping[str, Any]]) -> str:
        """Who hangs and where: those that do not wait for others, or all where every one of them waits."""
        missing = [rank for rank in range(self.world) if rank not in found]
        for rank in missing:
            self._send(self._processes[rank], b'{"where": true}\n')
        places: dict[int, dict[str, Any]] = {}
        end = time.monotonic() + 2.0
        while len(places) < len(missing) and time.monotonic() < end:
            done = {**found, **places}
            places.update({rank: said for rank, said in self._arrived(end - time.monotonic(), done) if said})
        alone = [rank for rank in missing if not places.get(rank, {}).get("waits")]
        if not alone:
            return f"{_ranks(missing)} wait for each other, {places[missing[0]]['at']}, for {self.limit_s:g} s"
        at = places.get(alone[0], {}).get("at", "outside the interpreter")
        return f"{_ranks(alone)} did not answer within {self.limit_s:g} s, being at {at}"


def check_world(world: int) -> int:
    """``world`` itself; ``ValueError`` unless it is a whole number of processes, 2 to 16."""
    if isinstance(world, bool) or not isinstance(world, int) or not 2 <= world <= LARGEST_WORLD:
        raise ValueError(f"world must be a whole number of processes, 2 to {LARGEST_WORLD}; got {world!r}")
    return world


def _ranks(ranks: Sequence[int]) -> str:
    named = ", ".join(map(str, sorted(ranks)))
    return f"rank {named}" if len(ranks) == 1 else f"ranks {named}"
