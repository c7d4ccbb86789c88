"""The runner: the same findings on any executor, in any order, after any interruption."""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_items import children_of, environment, item, mixture, named, text

from wnverify import guard
from wnverify.finding import Verdict
from wnverify.guard import Outcome
from wnverify.journal import Journal
from wnverify.runner import RunResult, run

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """No test leaves a child behind."""
    yield
    guard.close()
    assert children_of(psutil.Process()) == []


def verdicts(result: RunResult) -> dict[str, str]:
    return {finding.id.removeprefix("check/engine/"): str(finding.verdict) for finding in result.findings}


def test_serial_threads_and_processes_give_the_same_bytes() -> None:
    """One worker, three threads, an executor of threads and one of processes give byte-identical findings."""
    items = mixture()
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=SPAWN) as processes:
        results = [
            run(items, workers=1),
            run(reversed(items), workers=3),
            run(items, workers=3, executor=threads),
            run(items, workers=2, executor=processes),
        ]
    texts = [text(result.findings) for result in results]
    assert texts[1:] == texts[:1] * 3
    expected = {item.id.removeprefix("check/engine/"): "pass" for item in items}
    expected |= dict.fromkeys(("raises", "segfaults", "exits", "hangs", "returns_none", "eats_memory"), "error")
    expected |= {"fails": "fail", "never": "blocked"} | {f"many/{case}": "pass" for case in range(3)}
    del expected["many"]
    assert verdicts(results[0]) == expected
    for result in results:
        assert set(result.timing) == {item.id for item in items} - {"check/engine/never"}
        assert not result.interrupted


def test_a_prerequisite_that_did_not_end_well_blocks_and_is_named(tmp_path: Path) -> None:
    """Dependents of a fail, an error or a blocked item do not run and name the root; those of a pass run after it."""
    counted = {"directory": str(tmp_path)}
    items = [
        named("counts", "last", arguments=counted, requires=("check/engine/second", "check/engine/passes")),
        named("counts", "second", arguments=counted, requires=("check/engine/fails", "check/engine/raises")),
        named("counts", "free", arguments=counted, requires=("check/engine/passes",)),
        *(item(function) for function in ("fails", "raises", "passes")),
    ]
    result = run(items)
    messages = {finding.check: finding.message for finding in result.findings if finding.verdict == Verdict.BLOCKED}
    assert messages == {
        "last": "blocked by check/engine/fails (fail); check/engine/raises (error)",
        "second": "blocked by check/engine/fails (fail); check/engine/raises (error)",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["free.ran"]


def test_a_prerequisite_is_done_before_its_dependent_begins() -> None:
    """However many workers are idle, outcomes arrive in the order of the prerequisites."""
    names = ["a", "b", "c"]
    items = [
        named("sleeps", name, arguments={"seconds": 0.1}, requires=(f"check/engine/{before}",) if before else ())
        for name, before in zip(names, ["", *names], strict=False)
    ]
    seen: list[str] = []
    run(reversed(items), workers=3, on_outcome=lambda outcome: seen.append(outcome.item_id))
    assert seen == [f"check/engine/{name}" for name in names]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([("a", ()), ("a", ())], "two items have the id 'check/engine/a'"),
        ([("a", ("b",))], "'check/engine/a' requires 'check/engine/b', which is no item of this run"),
        ([("a", ("b",)), ("b", ("a",))], "items require each other in a circle: check/engine/"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_before_anything_runs(
    tmp_path: Path, items: list[tuple[str, tuple[str, ...]]], words: str
) -> None:
    """Double ids, unknown prerequisites and circles are errors before the first item starts."""
    counted = {"directory": str(tmp_path)}
    made = [named("counts", "first", arguments=counted)]
    for name, needs in items:
        made.append(named("counts", name, arguments=counted, requires=tuple(f"check/engine/{need}" for need in needs)))
    with pytest.raises(ValueError, match=words):
        run(made)
    assert list(tmp_path.iterdir()) == []


def test_workers_must_be_positive() -> None:
    """``workers`` is a number of children."""
    with pytest.raises(ValueError, match="workers must be at least 1; got 0"):
        run([], workers=0)


class Counting(Executor):
    """Performs nothing: notes how many futures are open at once, and closes them one at a time."""

    def __init__(self) -> None:
        self.inner = ThreadPoolExecutor(1)
        self.open = self.most = self.total = 0

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.open, self.total = self.open + 1, self.total + 1
        self.most = max(self.most, self.open)
        future = self.inner.submit(lambda: Outcome(item_id=arguments[0].id, findings=()))
        future.add_done_callback(lambda _: setattr(self, "open", self.open - 1))
        return future


def test_only_a_few_items_are_with_the_executor() -> None:
    """A thousand items are handed over a few at a time, all of them."""
    executor = Counting()
    with executor.inner:
        run([named("passes", f"p{number}") for number in range(1000)], workers=3, executor=executor)
    assert executor.total == 1000
    assert executor.most <= 6


def test_two_findings_with_one_id_are_an_error() -> None:
    """A second use of an id by another item is not hidden."""
    with pytest.raises(ValueError, match="two findings have the id 'check/engine/same'"):
        run([item("passes", name, arguments={"name": "same"}) for name in ("a", "b")])


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_broken_executor_loses_nothing(tmp_path: Path) -> None:
    """A killed worker breaks a process pool; a warning says so, and every item still has its own result."""
    killer = item("kills_its_parent_once", arguments={"marker": str(tmp_path / "marker")})
    items = [killer, *(named("draws", f"draws{number}") for number in range(8))]
    with (
        ProcessPoolExecutor(2, mp_context=SPAWN) as executor,
        pytest.warns(RuntimeWarning, match="the executor broke .* items left run in threads of this process"),
    ):
        result = run(items, executor=executor)
    assert text(result.findings) == text(run(items).findings)
    assert set(verdicts(result).values()) == {"pass"}


class Refusing(Executor):
    """An executor that loses one item, as a cluster may."""

    def submit(self, function: Any, /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if arguments[0].id.endswith("lost"):
            future.set_exception(LookupError("worker at 10.0.0.1 went away"))
        else:
            future.set_result(function(*arguments, **keywords))
        return future


def test_an_item_that_the_executor_lost_is_its_own_error() -> None:
    """A failure of the executor with one item is an error of that item, the others go on."""
    result = run([named("passes", "lost"), named("passes", "kept")], executor=Refusing())
    assert verdicts(result) == {"lost": "error", "kept": "pass"}
    assert result.findings[1].message == "the executor could not run it: LookupError"


@pytest.mark.parametrize("threads", [None, 2])
def test_an_error_of_the_caller_ends_the_run_and_the_children(threads: int | None) -> None:
    """What ``on_outcome`` raises comes through at once; what is in flight is killed, what waits never starts."""

    def refuse(outcome: Outcome) -> None:
        raise LookupError(outcome.item_id)

    items = [item("passes"), *(item("hangs", f"hangs{number}", timeout_s=300.0) for number in range(3))]
    executor = None if threads is None else ThreadPoolExecutor(threads)
    start = time.monotonic()
    with pytest.raises(LookupError, match="check/engine/passes"):
        run(items, executor=executor, on_outcome=refuse)
    if executor is not None:
        executor.shutdown(wait=True)
    assert time.monotonic() - start < 100


def test_a_finished_journal_starts_no_child(tmp_path: Path) -> None:
    """Resuming a run that is complete repeats nothing, blocked items are worked out again, all are reported."""
    items = [
        *(named("counts", f"c{number}", arguments={"directory": str(tmp_path)}) for number in range(3)),
        item("raises"),
        item("passes", "never", requires=("check/engine/raises",)),
    ]
    with Journal(tmp_path / "journal", {"digest": "d"}) as journal:
        first = run(items, journal=journal)
    assert b"never" not in (tmp_path / "journal").read_bytes()
    seen: list[str] = []
    closed = ThreadPoolExecutor(1)
    closed.shutdown()  # would raise if anything were submitted
    with Journal(tmp_path / "journal", {"digest": "d"}, resume=True) as journal:
        second = run(items, journal=journal, executor=closed, on_outcome=lambda outcome: seen.append(outcome.item_id))
    assert text(second.findings) == text(first.findings)
    assert second.timing == first.timing
    assert sorted(seen) == sorted(item.id for item in items)
    assert {path.read_text() for path in tmp_path.glob("*.ran")} == {"once\n"}


PROGRAM = """
import json, sys
from engine_items import children_of, environment, item, mixture, named, text
from wnverify.finding import dumps
from wnverify.journal import Journal
from wnverify.runner import run

def main(directory, count):
    items = [
        item("counts", f"c{n}", arguments={"name": f"c{n}", "directory": directory, "seconds": 0.03})
        for n in range(count)
    ]
    with Journal(directory + "/journal", {"digest": "d"}, resume=True) as journal:
        result = run(items, workers=2, journal=journal)
    print(json.dumps({
        "findings": dumps([finding.to_json() for finding in result.findings]),
        "interrupted": result.interrupted,
        "timed": len(result.timing),
    }))

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
"""


def program(directory: Path, count: int) -> subprocess.Popen[str]:
    script = directory / "program.py"
    script.write_text(PROGRAM)
    # What runs in the background of a shell ignores SIGINT, and so would the program.
    return subprocess.Popen(
        [sys.executable, script, directory, str(count)],
        env=environment(),
        text=True,
        stdout=-1,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for_lines(path: Path, count: int) -> None:
    end = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") > count):
        assert time.monotonic() < end
        time.sleep(0.002)


def runs_of(directory: Path) -> list[int]:
    return [path.read_text().count("once") for path in directory.glob("*.ran")]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """After ``kill -9`` at three moments a resumed run gives the same findings, and repeats only what was in flight."""
    count = 40
    for lines in (3, 12, 25):
        process = program(tmp_path, count)
        wait_for_lines(tmp_path / "journal", lines)
        process.kill()
        process.wait()
    process = program(tmp_path, count)
    output = json.loads(process.communicate()[0])
    (tmp_path / "apart").mkdir()
    expected = run([named("counts", f"c{n}", arguments={"directory": str(tmp_path / "apart")}) for n in range(count)])
    assert output["findings"] == text(expected.findings)
    assert (output["interrupted"], output["timed"]) == (False, count)
    runs = runs_of(tmp_path)
    assert len(runs) == count
    # Two are in flight at a kill; two more may have ended between their reply and their line.
    assert sum(runs) <= count + 3 * 4
    assert max(runs) <= 4


def test_ctrl_c_leaves_a_readable_journal_and_no_children(tmp_path: Path) -> None:
    """SIGINT ends the run at once with what is known, and resuming completes it."""
    count = 400  # so many that none of the machines this runs on is through before the signal comes
    process = program(tmp_path, count)
    wait_for_lines(tmp_path / "journal", 6)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    output = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 0
    assert output["interrupted"] is True
    known = len(json.loads(output["findings"]))
    assert 0 < known < count
    assert psutil.wait_procs(children, timeout=60)[1] == []
    with Journal(tmp_path / "journal", {"digest": "d"}, resume=True) as journal:
        assert known <= len(journal.outcomes) <= known + 1
    output = json.loads(program(tmp_path, count).communicate()[0])
    assert (output["interrupted"], len(json.loads(output["findings"]))) == (False, count)
    assert sum(runs_of(tmp_path)) <= count + 4
