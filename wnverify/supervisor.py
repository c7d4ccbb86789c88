"""One supervised child process: started, watched, killed with everything it has started, and read.

The child is ``python -m wnverify.child`` in a session of its own, on a channel of its own (its standard streams are the
null device: what an item prints goes nowhere), with one intra-op thread.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Final

import psutil

from wnverify.child import READY
from wnverify.finding import Finding, Verdict
from wnverify.workitem import Outcome, WorkItem

START_LIMIT_S: Final = 300.0
SAMPLE_S: Final = 0.05
LARGEST_REPLY: Final = 256 * 2**20
MOST_PROCESSES: Final = 64
MOST_THREADS: Final = 512
ENVIRONMENT: Final = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONHASHSEED": "0",
}


class ChildGoneError(RuntimeError):
    """The child was lost before it had begun an item."""


class Child:
    """The parent's handle on one child process; every method but ``kill`` belongs to the thread that holds it."""

    def __init__(self, warm: tuple[str, ...]) -> None:
        self.used = False
        self._started = False
        self._lock = threading.Lock()
        self._channel, theirs = multiprocessing.Pipe()
        reader, self._lifeline = os.pipe()
        root = str(Path(__file__).resolve().parents[1])
        known = os.environ.get("PYTHONPATH")
        environment = os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([root] + ([known] if known else []))}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wnverify.child", str(theirs.fileno()), str(reader)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), reader),
            start_new_session=True,
            env=environment,
        )
        self._watched = psutil.Process(self._process.pid)
        theirs.close()
        os.close(reader)
        _children.add(self)
        path = [os.path.abspath(entry) for entry in sys.path]
        with contextlib.suppress(ConnectionError):  # a child that died at once is found out by ``wait_until_ready``
            self._channel.send_bytes(pickle.dumps((path, warm)))

    def wait_until_ready(self) -> None:
        """Return when the warm-up is over; ``ChildGoneError`` says why it never will be."""
        if self._started:
            return
        try:
            if not self._channel.poll(START_LIMIT_S):
                raise ChildGoneError(f"not ready within {START_LIMIT_S:g} s")
            word = self._channel.recv_bytes()
        except (EOFError, OSError) as error:
            raise ChildGoneError(_exit_message(self.kill())) from error
        if word != READY:
            raise ChildGoneError(word.decode())
        self._started = True

    def run(self, item: WorkItem) -> tuple[Outcome, bool]:
        """The outcome of ``item``, and whether the child may be used again; close it where it may not."""
        self.wait_until_ready()
        self.used = True
        try:
            self._channel.send_bytes(item.payload())
        except OSError as error:
            raise ChildGoneError("lost while idle") from error
        start = time.monotonic()
        peak, reason, reply = self._supervise(item, start + item.timeout_s)
        seconds = time.monotonic() - start
        if reply is None:
            code = self.kill()
            findings: tuple[Finding, ...] = (item.ending(Verdict.ERROR, reason or _exit_message(code)),)
            return Outcome(item_id=item.id, findings=findings, seconds=seconds, peak_mib=peak), False
        findings, altered, resident = _read(item, reply)
        outcome = Outcome(
            item_id=item.id, findings=findings, seconds=seconds, peak_mib=max(peak, resident), altered=altered
        )
        return outcome, not (altered or item.fresh)

    def _supervise(self, item: WorkItem, deadline: float) -> tuple[float, str, bytes | None]:
        """Peak memory, the reason for killing (empty: the child ended of itself), and the reply."""
        peak, pause = 0.0, SAMPLE_S
        late = f"did not finish within {item.timeout_s:g} s"
        while True:
            left = deadline - time.monotonic()
            if self._channel.poll(max(0.0, min(pause, left))):
                return peak, *self._receive(max(0.0, left), late)
            if left <= 0:
                return peak, late, None
            begun = time.monotonic()
            if self._is_over():
                return peak, "", None
            resident, processes, threads = self._weigh()
            peak = max(peak, resident)
            if resident > item.memory_mib:
                return peak, f"passed {item.memory_mib:g} MiB of resident memory", None
            if processes > MOST_PROCESSES:
                return peak, f"started more than {MOST_PROCESSES} processes", None
            if threads > MOST_THREADS:
                return peak, f"started more than {MOST_THREADS} threads", None
            # Watching takes at most a tenth of the time, on machines with many processes too.
            pause = max(SAMPLE_S, 10 * (time.monotonic() - begun))

    def _receive(self, seconds: float, late: str) -> tuple[str, bytes | None]:
        """The reply, read under the item's deadline: a child that stops in the middle of it is killed."""
        gate = threading.Lock()
        overdue = received = False

        def stop() -> None:
            nonlocal overdue
            with gate:
                if not received:
                    overdue = True
                    self.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            reply = self._channel.recv_bytes(LARGEST_REPLY)
            with gate:
                received = True
            return (late, None) if overdue else ("", reply)
        except ConnectionResetError as error:
            # The other end was closed with our message unread: the item has not begun.
            raise ChildGoneError("lost while idle") from error
        except EOFError:
            # The channel closes a moment before the process is gone; its exit code is the better message.
            ends = time.monotonic() + 1.0
            while not self._is_over() and time.monotonic() < ends:
                time.sleep(0.002)
            silent = "" if self._is_over() else "closed its channel to the guard"
            return (late if overdue else silent), None
        except OSError:
            return (late if overdue else "sent no readable reply"), None
        finally:
            timer.cancel()

    def _is_over(self) -> bool:
        try:
            return bool(self._watched.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def _weigh(self) -> tuple[float, int, int]:
        """Resident MiB, processes and threads of the child and all its descendants."""
        resident, processes, threads = 0, 0, 0
        for process in self._family():
            with contextlib.suppress(psutil.Error):  # it ended since it was listed
                resident += process.memory_info().rss
                threads += process.num_threads()
                processes += 1
        return resident / 2**20, processes, threads

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._watched, *self._watched.children(recursive=True)]
        except psutil.Error:
            return []

    def kill(self) -> int:
        """End the process group and all descendants outside it; the exit code (negative: a signal).

        The one method that any thread may call.
        """
        with self._lock:
            if self._process.returncode is None:
                family = self._family()
                # Before the leader is reaped, so that the group's number cannot have passed to others.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                for process in family[1:]:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
            return self._process.wait()

    def close(self) -> None:
        """Kill the child and give its descriptors back."""
        self.kill()
        self.forget()

    def forget(self) -> None:
        """Close this process's ends of the pipes."""
        if not self._channel.closed:
            self._channel.close()
            os.close(self._lifeline)


def _read(item: WorkItem, reply: bytes) -> tuple[tuple[Finding, ...], tuple[str, ...], float]:
    """Findings, altered state and resident MiB out of a child's reply; what cannot be read is the item's error."""
    try:
        head_text, _, body = reply.partition(b"\n")
        head = json.loads(head_text)
        findings = tuple(Finding.from_json(entry) for entry in json.loads(body))
        altered, resident, error = tuple(head["altered"]), float(head["resident"]), head.get("error")
        named = head.get("id", item.id) == item.id
    except (ValueError, KeyError, TypeError, AttributeError):
        named = False
    if not named:
        return (item.ending(Verdict.ERROR, "sent no readable reply"),), ("channel to the guard",), 0.0
    if error is not None:
        findings = (item.ending(Verdict.ERROR, str(error)),)
    return findings, altered, resident


def _exit_message(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        return f"the process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was killed by signal {-code}"


_children: weakref.WeakSet[Child] = weakref.WeakSet()


def _after_fork() -> None:
    """A fork of this process must not hold the lifelines of its children open."""
    for child in list(_children):
        child.forget()
    _children.clear()


os.register_at_fork(after_in_child=_after_fork)
