"""Contenders side by side: each in a fresh process that stays alive, one at a time and in turns, with one thread.

A contender is a function that builds, in its own process, what is to be timed.  What it loads on first use is loaded
by a first run, which also tells its memory: the largest resident set (on a GPU the largest allocation) above that
before it.  Then come the turns: every contender once, in the order of the list and the next time backwards, each for
as many calls as fill ``TURN`` seconds.  One that needs longer than ``limit`` for a call is stopped, and is known to
need at least that.

Seconds are those that the process spent on a processor: with one thread the time on the clock of a machine that does
nothing else, and the same ratios on one that does.  With a GPU they are seconds on the clock, between
synchronisations.
"""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psutil

TURN: Final = 0.05
"""Seconds that the calls of one turn fill at least."""
LONG: Final = 6.0
"""A first call of more seconds counts as a turn, and is followed by one more at most."""
STARTS: Final = 120.0
"""Seconds for a process to be started and to build what it times."""
HANGS: Final = 900.0
"""Seconds on the clock after which a process that spends none is given up."""
MIB: Final = 2.0**20


class TooSlowError(TimeoutError):
    """A contender did not come to an end within its limit; its process is gone."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """``make`` (to be pickled) gives the step to be timed; ``tell``, of that step, what it is asked at the end.

    ``scale``: how many steps the whole work has, where only a part is run; ``said``: the words for that.
    """

    name: str
    make: Callable[[], Callable[[], Any]]
    tell: Callable[[Callable[[], Any]], Any] | None = None
    scale: float = 1.0
    said: str = ""
    limit: float = 60.0


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds for each turn, largest memory in bytes above that before the first run, and what was told.

    ``cut``: no turn came to an end, ``seconds`` is then the limit, a lower bound.
    """

    seconds: Sequence[float]
    peak: float = math.nan
    told: Any = None
    cut: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Process:
    """A process of its own, started afresh, that calls what it is told to, one call after the other."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def call(self, function: Callable[..., Any], *arguments: Any, limit: float = STARTS) -> Any:
        """What ``function`` returns there.  ``TooSlowError`` after ``limit`` seconds, ``RuntimeError`` naming this
        process with the trace where it raises."""
        used, began = self._used(), time.monotonic()
        self._here.send((function, arguments))
        while not self._here.poll(0.5):
            if self._used() - used > limit or time.monotonic() - began > HANGS:
                self.close()
                raise TooSlowError(f"{self.name} did not come to an end within {limit:g} s")
        try:
            good, result = self._here.recv()
        except EOFError:
            raise RuntimeError(f"{self.name}: its process died") from None
        if not good:
            raise RuntimeError(f"{self.name} raised:\n{result}")
        return result

    def _used(self) -> float:
        """Seconds that the process has spent on a processor; 0 where it is gone."""
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._here.close()


def measure(contenders: Sequence[Contender], turns: int = 7) -> dict[str, Times]:
    """Times by name.  ``ValueError`` for two contenders of one name or no turn."""
    if turns < 1 or len({each.name for each in contenders}) < len(contenders):
        raise ValueError(f"turns must be at least 1 and names differ; got {turns}, {[c.name for c in contenders]}")
    processes: dict[str, Process] = {}
    found: dict[str, Times] = {}
    calls: dict[str, int] = {}
    seconds: dict[str, list[float]] = {each.name: [] for each in contenders}
    peaks: dict[str, float] = {}
    try:
        for each in contenders:
            processes[each.name] = Process(each.name)
        for each in contenders:
            processes[each.name].call(_prepare, each.make)
            try:
                first, peaks[each.name] = processes[each.name].call(_first, limit=each.limit)
                again = first if first > LONG else processes[each.name].call(_turn, 1, limit=each.limit)
            except TooSlowError:
                found[each.name] = Times([each.limit * each.scale], cut=True)
                continue
            calls[each.name] = max(1, math.ceil(TURN / max(again, 1e-6)))
            seconds[each.name] += [first] if first > LONG else []
        for turn in range(turns):
            for each in contenders if turn % 2 == 0 else reversed(contenders):
                long = bool(seconds[each.name]) and seconds[each.name][0] > LONG
                if each.name not in found and not (long and turn > 0):
                    limit = STARTS + 4 * each.limit
                    seconds[each.name].append(processes[each.name].call(_turn, calls[each.name], limit=limit))
        for each in contenders:
            if each.name not in found:
                told = processes[each.name].call(_tell, each.tell) if each.tell else None
                found[each.name] = Times([one * each.scale for one in seconds[each.name]], peaks[each.name], told)
    finally:
        for process in processes.values():
            process.close()
    return {each.name: found[each.name] for each in contenders}


def device() -> str:
    """``cuda`` where PyTorch has one, else ``cpu``: where the maps run."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


_STEP: list[Callable[[], Any]] = []


def _serve(pipe: Connection) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports torch or NumPy's libraries
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, function(*arguments)))
        except Exception:  # a contender may raise anything; the other side names it
            pipe.send((False, traceback.format_exc()))


def _prepare(make: Callable[[], Callable[[], Any]]) -> None:
    _STEP[:] = [make()]


def _first() -> tuple[float, float]:
    """Seconds of the first run, and the memory above that before."""
    before = _resident()
    return turn_of(_STEP[0], 1), max(0.0, _peak() - before)


def _turn(calls: int) -> float:
    return turn_of(_STEP[0], calls)


def turn_of(step: Callable[[], Any], calls: int) -> float:
    """Seconds a call, of so many calls in this process."""
    now = time.perf_counter if _on_gpu() else time.process_time
    _synchronize()
    began = now()
    for _ in range(calls):
        step()
    _synchronize()
    return (now() - began) / calls


def _tell(tell: Callable[[Callable[[], Any]], Any]) -> Any:
    return tell(_STEP[0])


def _on_gpu() -> bool:
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda is not None and bool(cuda.is_initialized())


def _synchronize() -> None:
    if _on_gpu():
        import torch

        torch.cuda.synchronize()


def _resident() -> float:
    """Memory now, in bytes; from here on ``_peak`` counts."""
    if _on_gpu():
        import torch

        torch.cuda.reset_peak_memory_stats()
        return float(torch.cuda.memory_allocated())
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the largest resident set so far is forgotten
    except OSError:
        return _peak()
    return _peak()


def _peak() -> float:
    if _on_gpu():
        import torch

        return float(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024.0 * float(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)
