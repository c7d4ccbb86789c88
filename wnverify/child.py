"""The child's side of the guard: ``python -m wnverify.child CHANNEL LIFELINE`` (two inherited file descriptors).

The child imports the modules it is told to, says that it is ready, and then answers one message at a time: a
pickled work item comes in, a JSON object goes out, so that nothing an item returns is ever unpickled by the parent.

    in    {"id", "function", "arguments"}                     pickled
    out   {"id", "altered", "resident"[, "error"]} newline [finding, …]      JSON, UTF-8

The lifeline is the reading end of a pipe that nobody writes to: its end of file means that the parent is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import os
import pickle
import random
import re
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any, Final

import psutil

from wnverify.finding import Finding, dumps, seed_of, unique
from wnverify.fingerprint import Fingerprint

READY: Final = b"ready"
LONGEST_MESSAGE: Final = 2000
GROWTH_MIB: Final = 256
"""Resident memory that an item may leave behind before the child counts as altered."""

_PR_SET_CHILD_SUBREAPER = 36
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_QUOTED_PATH = re.compile(r"""(?P<quote>['"])/(?:[^'"\n]*/)?(?P<name>[^'"/\n]*)(?P=quote)""")
_BARE_PATH = re.compile(r"""(?<![\w./])/(?:[^\s/'":,;()<>]+/)+(?P<name>[^\s/'":,;()<>]*)""")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")
_PROCESS = re.compile(r"\b(pid|process(?: id)?)(\W{1,2})\d+\b", re.IGNORECASE)


def scrub(text: str) -> str:
    """``text`` without what differs from run to run: directories, addresses, process ids.

    >>> scrub("no file '/tmp/x y/weights.pt' in <object at 0x7f3a>, see /usr/lib/a.py, pid 712")
    "no file 'weights.pt' in <object at 0x…>, see a.py, pid …"
    """
    text = _QUOTED_PATH.sub(r"\g<quote>\g<name>\g<quote>", text)
    text = _PROCESS.sub(r"\1\2…", _ADDRESS.sub("0x…", _BARE_PATH.sub(r"\g<name>", text)))
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " …"


def describe(error: BaseException) -> str:
    """``Type: message``, and the innermost frame as ``file.py:line`` where that frame is not ours."""
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text raised {type(second).__name__})"
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not str(frame.f_globals.get("__name__")).startswith("importlib")
    ]
    where = ""
    if frames and not os.path.abspath(frames[-1][0]).startswith(_HERE):
        where = f" ({os.path.basename(frames[-1][0])}:{frames[-1][1]})"
    return scrub(words) + where


def call(function: str, arguments: dict[str, Any]) -> list[Finding]:
    """The findings of ``package.module:name`` called with ``arguments``, sorted by id; ``TypeError`` for others."""
    module, _, name = function.partition(":")
    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    found = target(**arguments)
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        raise TypeError(f"{function} must return an iterable of Finding; got {type(found).__name__}")
    findings = list(found)
    for finding in findings:
        if not isinstance(finding, Finding):
            raise TypeError(f"{function} must return an iterable of Finding; got {type(finding).__name__} in it")
    return unique(findings)


def reseed(item_id: str) -> None:
    """Every global random state from the item's id, so that what ran before does not matter."""
    seed = seed_of("item", item_id)
    random.seed(seed)
    sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


class Child:
    """The loop: what the child was after warm-up, and one answer after another."""

    def __init__(self, channel: Connection, path: list[str], warm: tuple[str, ...]) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._path = path
        sys.path[:] = path
        # NumPy always: an item that were the first to import it would meet an unseeded generator.
        for name in ("numpy", *warm):
            importlib.import_module(name)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        gc.collect()
        gc.freeze()
        self._resident = resident_mib()
        self._before = Fingerprint()

    def serve(self) -> None:
        """Answer until the parent closes the channel."""
        self._channel.send_bytes(READY)
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self._channel.send_bytes(self._answer(self._channel.recv_bytes()))

    def _answer(self, payload: bytes) -> bytes:
        head: dict[str, Any] = {}
        body = b"[]"
        try:
            item = pickle.loads(payload)
            head["id"] = item["id"]
            reseed(item["id"])
            body = dumps([finding.to_json() for finding in call(item["function"], item["arguments"])]).encode()
        except BaseException as error:
            head["error"] = describe(error)
        if os.getpid() != self._pid:
            os._exit(0)  # the item forked and both returned: only the first may speak
        head["altered"] = self._altered()
        head["resident"] = resident_mib()
        return dumps(head).encode() + b"\n" + body

    def _altered(self) -> list[str]:
        sys.path[:] = self._path
        try:
            gc.collect()
            # What an item leaves in caches stays: to go through it after each later item takes longer than the item.
            gc.freeze()
            names = list(self._before.altered(Fingerprint()))
        except Exception as error:
            return [f"state could not be examined: {describe(error)}"]
        return names + (["resident memory"] if resident_mib() > self._resident + GROWTH_MIB else [])


def resident_mib() -> float:
    """Resident memory of this process in MiB."""
    return float(psutil.Process().memory_info().rss / 2**20)


def die_with_parent(lifeline: int) -> None:
    """Kill this process group when the pipe's last writer is gone.

    On Linux the kernel does it (asynchronous I/O with ``SIGKILL`` as its signal), even where an item never gives
    the interpreter's lock back; elsewhere a thread that waits for the end of file.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()


def main() -> None:
    """Entry point: set the process up, say ready or why not, serve."""
    channel, lifeline = Connection(int(sys.argv[1])), int(sys.argv[2])
    for descriptor in (channel.fileno(), lifeline):
        os.set_inheritable(descriptor, False)
    die_with_parent(lifeline)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Orphaned grand-children stay below this process, where the parent counts and kills them.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    path, warm = pickle.loads(channel.recv_bytes())
    try:
        child = Child(channel, path, warm)
    except Exception as error:
        channel.send_bytes(describe(error).encode())
        return
    child.serve()


if __name__ == "__main__":
    main()
