"""Work items that behave and misbehave, and what else the tests of the engine share."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from wnverify.finding import Evidence, Finding, Verdict, dumps
from wnverify.workitem import Outcome, WorkItem


def item(function: str, name: str = "", **changes: Any) -> WorkItem:
    """The work item ``check/engine/<name>`` that calls ``function`` of this module."""
    name = name or function
    fields: dict[str, Any] = {"timeout_s": 60.0, "memory_mib": 1500.0} | changes
    return WorkItem(
        id=f"check/engine/{name}",
        function=f"engine_items:{function}",
        kind="check",
        subject="engine",
        check=name,
        statement="the engine survives this item",
        **fields,
    )


def named(function: str, name: str, **changes: Any) -> WorkItem:
    """An item of which the function is told the name."""
    return item(function, name, arguments={"name": name} | changes.pop("arguments", {}), **changes)


def mixture() -> list[WorkItem]:
    """Good, bad and dependent items, in an order of which the result is to be independent."""
    items = [named("draws", f"draws{number}") for number in range(6)]
    items += [named("many", "many", arguments={"count": 3}), item("raises"), item("segfaults")]
    items += [item("exits", arguments={"code": 2}), item("hangs", timeout_s=0.4), item("returns_none")]
    items += [item("eats_memory", memory_mib=400.0), item("alters", arguments={"what": "builtins.sum"}), item("fails")]
    items += [named("draws", "after", requires=("check/engine/draws0", "check/engine/many"))]
    items += [named("draws", "never", requires=("check/engine/fails", "check/engine/segfaults"))]
    return items


def text(findings: list[Finding]) -> str:
    return dumps([finding.to_json() for finding in findings])


def environment() -> dict[str, str]:
    """Of a process that imports the package and this module."""
    here = Path(__file__).parent
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])}


def finding(name: str, message: str = "", verdict: Verdict = Verdict.PASS, **fields: Any) -> Finding:
    return Finding(
        kind="check",
        id=f"check/engine/{name}",
        subject="engine",
        check=name,
        verdict=verdict,
        statement="asked",
        message=message,
        **fields,
    )


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def children_of(process: psutil.Process) -> list[psutil.Process]:
    """The guard's children below a process."""
    found = []
    for below in process.children(recursive=True):
        try:
            if "wnverify.child" in below.cmdline() and below.status() != psutil.STATUS_ZOMBIE:
                found.append(below)
        except psutil.NoSuchProcess:
            continue
    return found


def passes(name: str = "passes", message: str = "fine") -> list[Finding]:
    return [finding(name, message)]


def fails(name: str = "fails") -> list[Finding]:
    return [finding(name, verdict=Verdict.FAIL)]


def sleeps(name: str, seconds: float) -> list[Finding]:
    time.sleep(seconds)
    return [finding(name)]


def many(name: str, count: int) -> Iterator[Finding]:
    for case in reversed(range(count)):
        figures = {"draw": random.random()}
        route = Evidence(route="arithmetic", verdict=Verdict.PASS, ratio=float("nan"), figures=figures)
        made = finding(name, "é…", routes=(route,), witness={"x": float("inf")})
        yield made.replace(id=f"check/engine/{name}/{case}")


def tells_pid(name: str = "pid") -> list[Finding]:
    return [finding(name, str(os.getpid()))]


def counts(name: str, directory: str, seconds: float = 0.0) -> list[Finding]:
    """Leaves one line for each time it runs."""
    time.sleep(seconds)
    with open(Path(directory) / f"{name}.ran", "a") as file:
        file.write("once\n")
    return [finding(name)]


def draws(name: str) -> list[Finding]:
    import numpy as np

    numbers = [random.random(), float(np.random.standard_normal())]
    if "torch" in sys.modules:
        numbers.append(float(sys.modules["torch"].rand(())))
    return [finding(name, repr(numbers))]


def raises() -> list[Finding]:
    raise ValueError(f"bad {object()!r} in '/tmp/some where/weights.pt' and {__file__}, pid {os.getpid()}")


def raises_in_the_lab() -> list[Finding]:
    return [finding("has spaces in its id")]


def raises_what_cannot_be_shown() -> list[Finding]:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    raise SilentError


def exits_by_exception() -> list[Finding]:
    sys.exit(3)


def hangs() -> list[Finding]:
    time.sleep(600)
    return []


def hangs_with_the_interpreter_lock(directory: str = "") -> list[Finding]:
    if directory:
        (Path(directory) / "pid").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(600)
    return []


def hangs_while_it_replies() -> list[Finding]:
    os.write(int(sys.argv[1]), (1000).to_bytes(4, "big") + b"the beginning")
    time.sleep(600)
    return []


def eats_memory() -> list[Finding]:
    held = []
    for _ in range(100):
        held.append(b"\x01" * 2**24)
        time.sleep(0.005)
    return []


def eats_memory_in_a_grandchild() -> list[Finding]:
    code = "x = b'\\x01' * (600 * 2**20); import time; time.sleep(60)"
    subprocess.run([sys.executable, "-c", code], check=True)
    return []


def keeps_memory() -> list[Finding]:
    sys.modules["engine_items"].__dict__["_kept"] = b"\x01" * (400 * 2**20)
    return [finding("keeps_memory")]


def exits(code: int) -> list[Finding]:
    os._exit(code)


def segfaults() -> list[Finding]:
    ctypes.string_at(0)
    return []


def kills_itself() -> list[Finding]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def kills_its_parent_once(marker: str) -> list[Finding]:
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return [finding("kills_its_parent_once")]


def kills_its_parent() -> list[Finding]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    return []


def prints_rubbish() -> list[Finding]:
    print("{" * 10000)
    print("\x00\xff" * 10000, file=sys.stderr)
    os.write(1, b"\x00\x00\x00\x04null" * 1000)
    return [finding("prints_rubbish")]


def writes_on_the_channel() -> list[Finding]:
    os.write(int(sys.argv[1]), b"garbage garbage")
    time.sleep(600)
    return []


def answers_for_another() -> list[Finding]:
    text = b'{"id": "check/engine/other", "altered": [], "resident": 1}\n[]'
    os.write(int(sys.argv[1]), len(text).to_bytes(4, "big") + text)
    return [finding("answers_for_another")]


def closes_every_descriptor() -> list[Finding]:
    os.closerange(3, 256)
    time.sleep(600)
    return []


def forks_and_returns() -> list[Finding]:
    if os.fork() > 0:
        time.sleep(0.3)  # the copy is the first to return
    return [finding("forks_and_returns")]


def bombs_with_processes(directory: str) -> list[Finding]:
    """At most 256 processes that end after a minute, should nobody stop them."""
    for _ in range(8):
        os.fork()
        (Path(directory) / f"{os.getpid()}.pid").touch()
        time.sleep(0.1)
    time.sleep(60)
    os._exit(0)


def bombs_with_threads() -> list[Finding]:
    for _ in range(1500):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    time.sleep(20)
    return []


def leaves_a_process(directory: str, hang: bool) -> list[Finding]:
    process = subprocess.Popen(["sleep", "300"], start_new_session=True)
    (Path(directory) / f"{process.pid}.pid").touch()
    time.sleep(600 if hang else 0)
    return [finding("leaves_a_process")]


def returns_none() -> Any:
    return None


def returns_text() -> Any:
    return "pass"


def returns_functions() -> Any:
    return [lambda: None]


def returns_what_json_cannot_hold() -> Any:
    return [finding("returns_what_json_cannot_hold", witness=object())]


def returns_one_id_twice() -> Any:
    return [finding("returns_one_id_twice"), finding("returns_one_id_twice")]


def alters(what: str) -> list[Finding]:
    """Changes one part of the global state and leaves it so."""
    if what == "environment":
        os.environ["WNVERIFY_TEST"] = "1"
    elif what == "working directory":
        os.chdir("/")
    elif what == "warnings.filters":
        warnings.simplefilter("error")
    elif what == "threads":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    elif what == "timers":
        signal.setitimer(signal.ITIMER_REAL, 60)
    elif what == "signal handlers":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    elif what == "numpy error state":
        sys.modules["numpy"].seterr(all="raise")
    elif what == "builtins.sum":
        __builtins__["sum"] = max
    elif what == "numpy.linalg.norm":
        sys.modules["numpy"].linalg.norm = len
    elif what == "decimal context":
        import decimal

        decimal.getcontext().prec = 5
    else:
        raise KeyError(what)
    return [finding("alters")]


def alters_torch(changes: tuple[str, ...]) -> list[Finding]:
    """Changes parts of torch's global state and leaves them so."""
    torch = sys.modules["torch"]
    effects = {
        "torch default dtype": lambda: torch.set_default_dtype(torch.float64),
        "torch grad mode": lambda: torch.set_grad_enabled(False),
        "torch.nn.functional.linear": lambda: setattr(torch.nn.functional, "linear", lambda x, W: x),
        "torch.Tensor.add": lambda: setattr(torch.Tensor, "add", torch.Tensor.sub),
        "torch deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
        "torch autocast": lambda: torch.autocast("cpu").__enter__(),
        "torch anomaly mode": lambda: torch.autograd.set_detect_anomaly(True),
        "subnormal numbers": lambda: torch.set_flush_denormal(True),
        "global hooks of torch.nn.modules.module": lambda: torch.nn.modules.module.register_module_forward_hook(print),
    }
    for change in changes:
        effects[change]()
    return [finding("alters_torch")]


def sees_torch() -> list[Finding]:
    """What the items before could have left behind."""
    torch = sys.modules["torch"]
    x = torch.ones(1, 2, requires_grad=True)
    y = torch.nn.functional.linear(x, torch.ones(1, 2)).add(1)
    return [finding("sees_torch", f"{y.dtype} {float(y)} {y.requires_grad} {torch.get_num_threads()}")]


def uses_torch() -> list[Finding]:
    """A training step, derivatives of several kinds: nothing that changes the global state."""
    import torch

    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    torch.func.vmap(torch.func.jacrev(torch.sin))(torch.randn(3))
    with torch.autocast("cpu"), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(torch.randn(1, 3))
    return [finding("uses_torch")]


def imports_torch() -> list[Finding]:
    import torch

    return [finding("imports_torch", torch.__name__)]


def answers_at_once(work: WorkItem, warm: tuple[str, ...] = ()) -> Outcome:
    """In place of ``guard.perform``: no child."""
    return Outcome(item_id=work.id, findings=(finding(work.check),))
