"""The guard: an item costs exactly itself, and leaves nothing to the next."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import engine_items
import psutil
import pytest
from engine_items import environment, eventually, is_gone, item

from wnverify import guard, supervisor
from wnverify.finding import Verdict
from wnverify.guard import Outcome, Pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One light child at a time."""
    with Pool(1) as made:
        yield made


def message(outcome: Outcome) -> str:
    assert [finding.verdict for finding in outcome.findings] == [Verdict.ERROR]
    assert outcome.findings[0].id == outcome.item_id
    return outcome.findings[0].message


def assert_next_passes(pool: Pool) -> None:
    assert [finding.message for finding in pool.perform(item("passes")).findings] == ["fine"]


def test_findings_come_back_as_they_were(pool: Pool) -> None:
    """Findings arrive sorted by id with non-finite numbers and non-ASCII text intact."""
    outcome = pool.perform(item("many", arguments={"name": "many", "count": 12}))
    assert [finding.case for finding in outcome.findings] == sorted(str(case) for case in range(12))
    first = outcome.findings[0].to_json()
    assert (first["message"], first["witness"], first["routes"][0]["ratio"]) == ("é…", {"x": "Infinity"}, "NaN")
    assert outcome.seconds > 0
    assert outcome.peak_mib > 1


def test_a_reply_larger_than_a_pipe_comes_through(pool: Pool) -> None:
    """Thousands of findings of one item arrive whole."""
    assert len(pool.perform(item("many", arguments={"name": "many", "count": 5000})).findings) == 5000


def test_a_raise_is_an_error_with_its_place_and_nothing_else(pool: Pool) -> None:
    """An exception becomes type, message and file:line, without directory, address or process id."""
    line = engine_items.raises.__code__.co_firstlineno + 1
    expected = "ValueError: bad <object object at 0x…> in 'weights.pt' and engine_items.py, pid …"
    assert message(pool.perform(item("raises"))) == f"{expected} (engine_items.py:{line})"
    assert_next_passes(pool)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("raises_in_the_lab", "ValueError: id must be kind/subject/check[/case] in plain characters; got"),
        ("raises_what_cannot_be_shown", "SilentError: (its text raised RuntimeError) (engine_items.py:"),
        ("exits_by_exception", "SystemExit: 3 (engine_items.py:"),
        ("no_such_function", "AttributeError: module 'engine_items' has no attribute 'no_such_function'"),
        ("returns_none", "TypeError: engine_items:returns_none must return an iterable of Finding; got NoneType"),
        ("returns_text", "TypeError: engine_items:returns_text must return an iterable of Finding; got str"),
        ("returns_functions", "must return an iterable of Finding; got function in it"),
        ("returns_what_json_cannot_hold", "TypeError: a finding holds plain JSON values; got object"),
        ("returns_one_id_twice", "ValueError: two findings have the id 'check/engine/returns_one_id_twice'"),
    ],
)
def test_whatever_is_raised_or_returned_is_one_error_finding(pool: Pool, function: str, words: str) -> None:
    """Anything but an iterable of findings is one error finding, the child lives on, our own frames are not shown."""
    outcome = pool.perform(item(function))
    assert words in message(outcome)
    assert outcome.altered == ()
    assert not any(name in message(outcome) for name in ("child.py", "finding.py", "__init__.py"))


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        ("exits", {"code": 7}, "the process ended with exit code 7"),
        ("exits", {"code": 0}, "the process ended with exit code 0"),
        ("segfaults", {}, "the process was killed by SIGSEGV"),
        ("kills_itself", {}, "the process was killed by SIGKILL"),
        ("writes_on_the_channel", {}, "sent no readable reply"),
        ("answers_for_another", {}, "sent no readable reply"),
        ("closes_every_descriptor", {}, "closed its channel to the guard"),
    ],
)
def test_a_death_costs_one_item(pool: Pool, function: str, arguments: dict[str, Any], words: str) -> None:
    """A process that ends, dies or babbles on the channel is one error finding, and the next item passes."""
    assert message(pool.perform(item(function, arguments=arguments))) == words
    assert_next_passes(pool)


@pytest.mark.parametrize("function", ["hangs", "hangs_with_the_interpreter_lock", "hangs_while_it_replies"])
def test_a_hang_is_killed_on_time(pool: Pool, function: str) -> None:
    """An item that does not finish ends at its limit, even when it never gives the interpreter's lock back."""
    pool.perform(item("passes"))
    start = time.monotonic()
    assert message(pool.perform(item(function, timeout_s=0.5))) == "did not finish within 0.5 s"
    assert 0.5 <= time.monotonic() - start < 20
    assert_next_passes(pool)


@pytest.mark.parametrize("function", ["eats_memory", "eats_memory_in_a_grandchild"])
def test_a_memory_hog_is_killed(pool: Pool, function: str) -> None:
    """Resident memory is bounded, that of the processes which an item starts included."""
    outcome = pool.perform(item(function, memory_mib=400))
    assert message(outcome) == "passed 400 MiB of resident memory"
    assert 400 < outcome.peak_mib < 1000
    assert_next_passes(pool)


def test_printing_does_no_harm(pool: Pool) -> None:
    """What an item prints, on descriptor 1 as well, does not reach the channel."""
    outcome = pool.perform(item("prints_rubbish"))
    assert [finding.verdict for finding in outcome.findings] == [Verdict.PASS]
    assert_next_passes(pool)


def test_an_item_that_forks_and_returns_speaks_once(pool: Pool) -> None:
    """Where both sides of a fork return there is one reply, and the next item gets its own."""
    outcome = pool.perform(item("forks_and_returns"))
    assert [finding.id for finding in outcome.findings] == ["check/engine/forks_and_returns"]
    assert "processes" in outcome.altered
    assert_next_passes(pool)


def test_a_fork_bomb_is_bounded(pool: Pool, tmp_path: Path) -> None:
    """An item with too many processes is killed with every one of them."""
    bomb = item("bombs_with_processes", arguments={"directory": str(tmp_path)}, memory_mib=6144)
    outcome = pool.perform(bomb)
    assert message(outcome) == "started more than 64 processes"
    pids = [int(path.stem) for path in tmp_path.iterdir()]
    assert len(pids) > 16  # not every one had the time to leave its mark
    assert eventually(lambda: all(is_gone(pid) for pid in pids))
    assert_next_passes(pool)


def test_a_thread_bomb_is_bounded(pool: Pool) -> None:
    """An item with too many threads is killed."""
    assert message(pool.perform(item("bombs_with_threads"))) == "started more than 512 threads"
    assert_next_passes(pool)


@pytest.mark.parametrize("hang", [True, False])
def test_a_process_in_a_session_of_its_own_dies_with_its_item(pool: Pool, tmp_path: Path, hang: bool) -> None:
    """A grand-child that left the process group is killed too, when the item hangs and when it returns."""
    arguments = {"directory": str(tmp_path), "hang": hang}
    outcome = pool.perform(item("leaves_a_process", arguments=arguments, timeout_s=2.0 if hang else 60.0))
    assert outcome.findings[0].verdict == (Verdict.ERROR if hang else Verdict.PASS)
    (pid,) = [int(path.stem) for path in tmp_path.iterdir()]
    assert eventually(lambda: is_gone(pid))


def test_a_healthy_child_is_used_again_and_a_fresh_item_gets_its_own(pool: Pool) -> None:
    """Clean items share a process; a fresh item has one that ran nothing before and runs nothing after."""
    pids = [pool.perform(item("tells_pid", fresh=fresh)).findings[0].message for fresh in (0, 0, 1, 0, 1)]
    assert pids[0] == pids[1] == pids[3]
    assert len({pids[0], pids[2], pids[4]}) == 3
    with Pool(2) as roomy:
        pids = [roomy.perform(item("tells_pid", fresh=fresh)).findings[0].message for fresh in (1, 0)]
    assert pids[0] != pids[1]


def test_a_result_is_delivered_without_waiting_for_a_sample(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply itself wakes the parent: a trivial item takes less than the sampling interval, here ten seconds."""
    monkeypatch.setattr(supervisor, "SAMPLE_S", 10.0)
    assert min(pool.perform(item("passes")).seconds for _ in range(3)) < 10


def test_a_warm_up_that_fails_is_an_error_of_the_item() -> None:
    """A module that cannot be imported is named in the finding; nothing is raised."""
    with Pool(1, warm=("no_such_module",)) as broken:
        outcome = broken.perform(item("passes"))
    expected = "no child process could be started: ModuleNotFoundError: No module named 'no_such_module'"
    assert message(outcome) == expected


def test_a_child_that_died_while_idle_costs_nothing(pool: Pool) -> None:
    """An idle child killed from outside is replaced before the next item begins."""
    pid = int(pool.perform(item("tells_pid")).findings[0].message)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: is_gone(pid))
    assert_next_passes(pool)


def test_a_pool_starts_its_children_at_once_and_ends_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``prestart`` starts ``size`` children without waiting for one, whose warm-up would take a minute; leaving the
    context ends every one."""
    (tmp_path / "slow_to_warm.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    me = psutil.Process()
    before = {child.pid for child in me.children()}
    with Pool(3, warm=("slow_to_warm",)) as made:
        start = time.monotonic()
        made.prestart()
        made.prestart()
        assert time.monotonic() - start < 20
        started = {child.pid for child in me.children()} - before
        assert len(started) == 3
    assert all(is_gone(pid) for pid in started)
    with pytest.raises(guard.PoolClosedError, match="the pool is closed"):
        made.perform(item("passes"))


def test_the_children_of_perform_can_be_started_ahead() -> None:
    """``guard.prestart`` starts as many children as are asked for, ``perform`` takes those, ``close`` ends them."""
    guard.prestart(3)
    started = {child.pid for child in psutil.Process().children()}
    pids = {int(guard.perform(item("tells_pid", fresh=True)).findings[0].message) for _ in range(3)}
    assert len(pids) == 3
    assert pids <= started
    guard.close()
    assert eventually(lambda: all(is_gone(pid) for pid in pids))


def test_a_closed_pool_gives_up_what_is_in_flight() -> None:
    """Closing from another thread ends an item in flight at once; it is not reported as a finding."""
    with Pool(1) as made, ThreadPoolExecutor(1) as executor:
        made.perform(item("passes"))
        future = executor.submit(made.perform, item("hangs", timeout_s=300.0))
        time.sleep(0.2)
        start = time.monotonic()
        made.close()
        with pytest.raises(guard.PoolClosedError, match="while the item ran"):
            future.result()
        assert time.monotonic() - start < 20


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_perform_works_in_worker_processes(method: str) -> None:
    """The function for executors runs in worker processes, also in forks of a process that has children itself."""
    assert guard.perform(item("passes")).findings[0].message == "fine"
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as executor:
        outcomes = list(executor.map(guard.perform, [item("exits", arguments={"code": 3}), item("passes")]))
    assert message(outcomes[0]) == "the process ended with exit code 3"
    assert outcomes[1].findings[0].message == "fine"
    assert guard.perform(item("passes")).findings[0].message == "fine"
    guard.close()


def _perform_into(queue: Any) -> None:
    queue.put(guard.perform(item("passes")))


def test_perform_works_in_a_daemonic_process() -> None:
    """A daemonic process, which may have no children of ``multiprocessing``, can drive a guarded one."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_perform_into, args=(queue,), daemon=True)
    process.start()
    assert queue.get().findings[0].message == "fine"
    process.join(10)
    assert process.exitcode == 0


PARENT = """
import os, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from engine_items import eventually, is_gone, item
from wnverify import guard
if __name__ == "__main__":
    hang = item("hangs_with_the_interpreter_lock", arguments={"directory": sys.argv[1]})
    if sys.argv[2] == "here":
        guard.perform(hang)
    elif sys.argv[2] == "beside a fork":
        threading.Thread(target=guard.perform, args=(hang,)).start()
        while not os.path.exists(sys.argv[1] + "/pid"):
            time.sleep(0.01)
        os.fork()
        open(sys.argv[1] + "/forked", "w").close()
        time.sleep(600)
    else:
        ProcessPoolExecutor(2, mp_context=get_context(sys.argv[2])).submit(guard.perform, hang).result()
"""


@pytest.mark.parametrize("where", ["here", "spawn", "fork", "beside a fork"])
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path, where: str) -> None:
    """After ``kill -9`` of the program the child dies, though it never gives its interpreter's lock back."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, tmp_path, where], env=environment(), start_new_session=True)
    told = tmp_path / "pid"
    assert eventually(lambda: told.exists() and told.read_text() != "", 20)
    if where == "beside a fork":
        assert eventually((tmp_path / "forked").exists, 20)
    child = int(told.read_text())
    assert not is_gone(child)
    parent.kill()
    parent.wait()
    try:
        assert eventually(lambda: is_gone(child))
    finally:
        # Forks and worker processes of a killed program wait for ever.
        for end, number in ((os.killpg, parent.pid), (os.kill, child)):
            with contextlib.suppress(ProcessLookupError):
                end(number, signal.SIGKILL)
