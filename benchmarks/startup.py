"""What a user waits for: the help, the import, and a quick numerics run of two methods with one and two workers.

Start-up is what the processes spend on a processor; with workers it is the time on the clock that counts, so that
these two figures say something only on a machine with nothing else to do.
"""

from __future__ import annotations

import functools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.rows import Aim, Judged, Row
from benchmarks.side_by_side import Times
from wnverify.finding import Verdict
from wnverify.report import results

HELP = (sys.executable, "-m", "wnverify", "--help")
IMPORT = (sys.executable, "-c", "import wnverify")
METHODS = ("weight_normalization", "centred_weight_normalization")
LOADS = "import sys, {what}; sys.exit('torch' in sys.modules)"


def spent(command: tuple[str, ...]) -> float:
    """Seconds on a processor of a process and those that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def started(command: tuple[str, ...], what: str, turns: int) -> dict[str, Times]:
    spent(command)  # compiles what is compiled once
    loads = subprocess.run([sys.executable, "-c", LOADS.format(what=what)]).returncode
    return {"ours": Times([spent(command) for _ in range(turns)], told=bool(loads))}


def without_torch(times: Mapping[str, Times]) -> Judged:
    if times["ours"].told:
        return Verdict.FAIL, "torch is imported", {"imports torch": True}
    return Verdict.PASS, "torch is not imported", {"imports torch": False}


def workers(turns: int) -> dict[str, Times]:
    """Seconds on the clock of the same run with two workers and with one; what they found is compared."""
    seconds: dict[str, list[float]] = {"two workers": [], "one worker": []}
    found: dict[str, Any] = {}
    for _ in range(turns):
        for count, name in ((2, "two workers"), (1, "one worker")):
            with tempfile.TemporaryDirectory() as folder:
                place = f"{folder}/found.json"
                began = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-m", "wnverify", "numerics", *METHODS, "--quick", "--only", "agreement",
                     "--quiet", "--timeout", "600", "--workers", str(count), "--json", place],
                    capture_output=True,
                    text=True,
                )  # fmt: skip
                seconds[name].append(time.perf_counter() - began)
                if done.returncode > 1:
                    raise RuntimeError(f"wnverify numerics ended with {done.returncode}:\n{done.stderr}")
                found[name] = results.read(place)["findings"]
    ended = all(finding["verdict"] != "error" for finding in found["two workers"])
    return {
        "ours": Times(seconds["two workers"], told=ended and found["two workers"] == found["one worker"]),
        "one worker": Times(seconds["one worker"]),
    }


def same_findings(times: Mapping[str, Times]) -> Judged:
    if not times["ours"].told:
        return Verdict.FAIL, "one and two workers find different things, or an item did not come to its end", {}
    return Verdict.PASS, "one and two workers find the same", {}


def starting(case: str, work: str, command: tuple[str, ...], what: str, limit: float) -> Row:
    measured: Callable[[int], dict[str, Times]] = functools.partial(started, command, what)
    statement = "Does it start without importing torch?"
    aims = (Aim("seconds", limit=limit),)
    return Row(f"start-up/{case}", work, aims, statement=statement, judge=without_torch, turns=5, measured=measured)


def rows() -> list[Row]:
    return [
        starting("help", "wnverify --help", HELP, "wnverify.cli", 0.3),
        starting("import", "import wnverify", IMPORT, "wnverify", 0.2),
        Row(
            "workers/numerics",
            f"a quick numerics run of {len(METHODS)} methods with two workers",
            (Aim("faster", "one worker"),),
            statement="Do one and two workers find the same?",
            judge=same_findings,
            turns=1,
            measured=workers,
        ),
    ]
