"""One process of a group: ``python -m wnverify.numerics.shards.worker RANK WORLD FOLDER``.

It joins the group (gloo, found by a file in FOLDER), says that it is ready, and answers one line of JSON with another:

    in    {"function", "arguments"}          or {"where": true}, answered at any time
    out   {"result"} or {"raised"}           or {"waits", "at"}

``function`` (``module:name``) is called with the device mesh and the arguments.  What it prints goes to standard error.
The end of standard input means that the parent is gone, and ends the process, whatever it is doing, and the folder.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import queue
import shutil
import sys
import threading
import traceback
from types import FrameType
from typing import Any, Final, TextIO

from wnverify.child import describe, scrub

WARM: Final = ("torch.distributed.tensor", "torch.distributed.fsdp", "wnverify.numerics.shards.trial")
"""Imported before the first question, whose time they would take."""
PATIENCE: Final = datetime.timedelta(hours=1)
"""Of the collectives: the parent decides long before."""


def main() -> None:
    """Entry point."""
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    main_thread = threading.get_ident()
    threading.Thread(target=_read, args=(tasks, channel, main_thread, folder), daemon=True, name="reader").start()
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world, timeout=PATIENCE)
    mesh = init_device_mesh("cpu", (world,))
    for name in WARM:
        importlib.import_module(name)
    _say(channel, {"result": "ready"})
    while True:
        task = tasks.get()
        torch.manual_seed(0)
        _say(channel, _answer(mesh, task))


def _answer(mesh: Any, task: dict[str, Any]) -> dict[str, Any]:
    try:
        module, _, name = task["function"].partition(":")
        return {"result": getattr(importlib.import_module(module), name)(mesh, **task["arguments"])}
    except Exception as error:  # code under test may raise anything; what it raised is the answer
        return {"raised": describe(error).splitlines()[0]}


def _read(tasks: queue.Queue[dict[str, Any]], channel: TextIO, main_thread: int, folder: str) -> None:
    for line in sys.stdin:
        task = json.loads(line)
        if "where" in task:
            _say(channel, where(sys._current_frames()[main_thread]))
        else:
            tasks.put(task)
    shutil.rmtree(folder, ignore_errors=True)  # a parent that was killed could not
    os._exit(0)


def where(frame: FrameType | None) -> dict[str, Any]:
    """Whether the process waits for the others: below the innermost frame outside torch lies one of torch.distributed.

    ``at``: that frame, as ``file.py:line function``.
    """
    waits = False
    for inner, line in traceback.walk_stack(frame):
        name = str(inner.f_globals.get("__name__"))
        if name.partition(".")[0] not in ("torch", "threading"):
            file = os.path.basename(inner.f_code.co_filename)
            return {"waits": waits, "at": scrub(f"{file}:{line} {inner.f_code.co_name}")}
        waits |= name.startswith("torch.distributed")
    return {"waits": waits, "at": ""}


_LOCK: Final = threading.Lock()


def _say(channel: TextIO, message: dict[str, Any]) -> None:
    with _LOCK:
        channel.write(json.dumps(message) + "\n")
        channel.flush()


if __name__ == "__main__":
    main()
