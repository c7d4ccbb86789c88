"""The Dask cluster: the same findings as anywhere, whatever dies there."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import LocalCluster
from engine_items import answers_at_once, children_of, environment, eventually, item, mixture, named

from wnverify import guard, runner
from wnverify.auditing.suite import run_audit, specs_of
from wnverify.cli import main
from wnverify.cluster import executor as clusters
from wnverify.cluster import worker
from wnverify.finding import Verdict
from wnverify.journal import Journal
from wnverify.planning import claim_items
from wnverify.report import results

ENVIRONMENT = environment() | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
WORKERS = 4
WRONG = """
from torch import nn

DECLARES = {"unit_norm_rows": True}

class MyNorm(nn.Module):
    def forward(self, V):
        return 1.01 * V / V.norm(dim=1, keepdim=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Four worker processes of one thread each, each with a nanny that starts it anew.

    The logs of the scheduler, which is in this process, have a fixed length: so short that they are soon full.
    """
    with (
        dask.config.set({"distributed.admin.low-level-log-length": 100}),
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
        ) as started,
    ):
        yield started


@pytest.fixture
def pool(cluster: LocalCluster) -> Iterator[clusters.DaskExecutor]:
    """The executor of one run, with every worker there: those that an earlier test killed are back."""
    cluster.wait_for_workers(WORKERS, timeout=120)
    with clusters.connected(cluster.scheduler_address) as made:
        yield made


def written(folder: Path, subject: Path, executor: Executor | None, workers: int) -> bytes:
    """results.json of an audit, of claims and of items that misbehave, without its environment and timing."""
    shared: dict[str, Any] = {"executor": executor, "workers": workers}
    patience = {"timeout_s": 300.0}
    checks = ("contract.dtype", "contract.shape", "property.unit_norm_rows")
    audited = run_audit(specs_of([f"{subject}:MyNorm"]), checks=checks, quick=True, **patience, **shared)
    claimed = runner.run([*claim_items(["CWN-EQ3"], quick=True, **patience), *mixture()], **shared)
    path = folder / "results.json"
    found = [*audited.findings, *claimed.findings]
    assert len(found) > 20
    results.write(path, results.document(found, environment={}, timing={}))
    return path.read_bytes()


def test_serial_process_pool_and_cluster_give_the_same_bytes(tmp_path: Path, pool: clusters.DaskExecutor) -> None:
    """One child, an executor of processes and four workers of a cluster write one results.json, byte for byte."""
    subject = tmp_path / "my_norm.py"
    subject.write_text(WRONG)
    serial = written(tmp_path, subject, None, 1)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert written(tmp_path, subject, processes, 2) == serial
    assert written(tmp_path, subject, pool, pool.width) == serial
    verdicts = {finding["id"]: finding["verdict"] for finding in json.loads(serial)["findings"]}
    assert verdicts["check/my_norm.py:MyNorm/property.unit_norm_rows"] == "fail"
    assert {*verdicts.values()} >= {"pass", "fail", "error", "blocked"}


def test_a_killed_worker_loses_nothing(tmp_path: Path, pool: clusters.DaskExecutor) -> None:
    """Workers are killed in the middle of the run, one of them by its own item: every item has its own result."""
    items = [named("counts", f"c{n}", arguments={"directory": str(tmp_path), "seconds": 0.1}) for n in range(40)]
    items.append(item("kills_its_parent_once", arguments={"marker": str(tmp_path / "marker")}))
    done: list[str] = []

    def watch(outcome: guard.Outcome) -> None:
        done.append(outcome.item_id)
        if len(done) in (5, 15):
            victim = pool.client.run(os.getpid).popitem()[1]
            os.kill(victim, signal.SIGKILL)

    result = runner.run(items, executor=pool, workers=pool.width, on_outcome=watch)
    assert not result.interrupted
    assert sorted(done) == sorted(item.id for item in items)
    assert {finding.verdict for finding in result.findings} == {Verdict.PASS}
    runs = [path.read_text().count("once") for path in tmp_path.glob("*.ran")]
    assert len(runs) == 40
    assert sum(runs) <= 40 + 3 * 2 * pool.width  # at most what was in flight at each of the three deaths ran again


def test_an_item_that_kills_every_worker_is_its_own_error(
    monkeypatch: pytest.MonkeyPatch, cluster: LocalCluster, pool: clusters.DaskExecutor
) -> None:
    """The scheduler gives it up after so many deaths as it allows; the error names no address and no worker."""
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 1)
    result = runner.run([item("kills_its_parent")], executor=pool, workers=pool.width)
    assert [finding.verdict for finding in result.findings] == [Verdict.ERROR]
    assert result.findings[0].message == "the executor could not run it: KilledWorker"
    assert not pool.lost


def test_what_is_interrupted_ends_on_the_workers(cluster: LocalCluster) -> None:
    """An error of the caller ends the run, and the children at work with it: none hangs on.

    The child that had ended its item is idle, and ends with the connection.
    """
    here = psutil.Process()
    items = [item("passes"), *(item("hangs", f"hangs{number}", timeout_s=300.0) for number in range(3))]

    def refuse(outcome: guard.Outcome) -> None:
        raise LookupError(outcome.item_id)

    cluster.wait_for_workers(WORKERS, timeout=120)
    with clusters.connected(cluster.scheduler_address) as pool:
        with pytest.raises(LookupError, match="check/engine/passes"):
            runner.run(items, executor=pool, workers=pool.width, on_outcome=refuse)
        assert eventually(lambda: len(children_of(here)) <= 1, 60)
    assert eventually(lambda: not children_of(here), 60)


def test_an_item_that_is_taken_back_before_its_child_starts_has_none(pool: clusters.DaskExecutor) -> None:
    """A worker that is slow to begin must not begin with what nobody waits for any more."""
    here = psutil.Process()
    pool.client.run(slow_to_begin, 4.0)
    try:
        waiting = pool.submit(guard.perform, item("hangs", timeout_s=300.0))
        assert eventually(lambda: any(pool.client.processing().values()), 120)
        time.sleep(0.5)
        waiting.cancel()
        began = time.monotonic()
        while time.monotonic() < began + 6.0:
            assert not children_of(here)
            time.sleep(0.02)
    finally:
        pool.client.run(slow_to_begin, 0.0)


def slow_to_begin(seconds: float) -> None:
    """On a worker: the look at its own code takes so long from now on."""
    known = getattr(worker.digest, "__wrapped__", worker.digest)

    def slow() -> str:
        time.sleep(seconds)
        return str(known())

    functools.update_wrapper(slow, known)
    worker.digest = slow if seconds else functools.cache(known)  # type: ignore[assignment]


def test_the_end_of_a_run_leaves_no_child_on_the_workers(cluster: LocalCluster) -> None:
    """Idle children, which hold a loaded torch each, end with the run and not with the cluster."""
    cluster.wait_for_workers(WORKERS, timeout=120)
    with clusters.connected(cluster.scheduler_address) as pool:
        runner.run([named("passes", f"p{n}") for n in range(8)], executor=pool, workers=pool.width)
        assert children_of(psutil.Process())
    assert eventually(lambda: not children_of(psutil.Process()), 30)


def test_ten_thousand_items_queue_without_growth_of_the_client(
    monkeypatch: pytest.MonkeyPatch, pool: clusters.DaskExecutor
) -> None:
    """Of ten thousand waiting items a few are known to the cluster at a time, and each leaves its outcome alone behind.

    The workers answer at once, so that what is measured is the way there and back; it is watched for 1,500 items, the
    first 500 of which fill what has a fixed size.
    """
    monkeypatch.setattr(guard, "perform", answers_at_once)
    items = [named("passes", f"p{n}") for n in range(10_000)]
    process = psutil.Process()
    resident: list[int] = []
    known: list[int] = []

    def watch(outcome: guard.Outcome) -> None:
        resident.append(process.memory_info().rss)
        known.append(len(pool.client.futures))
        if len(resident) == 1500:
            raise KeyboardInterrupt

    result = runner.run(items, executor=pool, workers=pool.width, on_outcome=watch)
    assert result.interrupted
    assert len(result.findings) == 1500
    assert max(known) <= 4 * pool.width  # twice the width, and what is being released
    growth = (resident[-1] - resident[499]) / 1000
    assert growth < 8 * 1024, f"{growth:.0f} bytes an item"


def test_a_worker_of_other_code_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, cluster: LocalCluster
) -> None:
    """What is different is named, with what there is on both sides."""
    here = {**worker.code(), "torch": "9.9"}
    monkeypatch.setattr(worker, "code", lambda: here)
    refusal = pytest.raises(ValueError, match=r"the worker at tcp://\S+ has torch \S+ \(here 9\.9\): install the same")
    with refusal, clusters.connected(cluster.scheduler_address):
        raise AssertionError("it began")


def test_a_later_worker_of_other_code_ends_the_run(tmp_path: Path, pool: clusters.DaskExecutor) -> None:
    """Its items are neither performed nor errors in the journal: the run is interrupted, and can be resumed."""
    other = clusters.DaskExecutor(pool.client, dataclasses.replace(pool.served, code="other"), pool.width)
    items = [named("counts", "c", arguments={"directory": str(tmp_path)})]
    with Journal(tmp_path / "journal", {"digest": "d"}) as journal:
        result = runner.run(items, executor=other, journal=journal)
        assert (result.interrupted, result.findings, journal.outcomes) == (True, [], {})
    assert not list(tmp_path.glob("*.ran"))
    assert "another wnverify, Python or package" in other.lost


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:1", "none answers at 'tcp://127.0.0.1:1'"),
        ("nowhere.json", "there is no scheduler file 'nowhere.json': is the scheduler started"),
        ("gibberish://x", "--dask must be the address of a Dask scheduler"),
    ],
)
def test_an_address_without_a_scheduler_is_a_wrong_call(
    monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    """What would be right is said, within the patience."""
    monkeypatch.setattr(clusters, "PATIENCE_S", 1.0)
    with pytest.raises(ValueError, match=said), clusters.connected(address):
        raise AssertionError("it began")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core does without Dask, and says how to get it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"pip install 'wnverify\[dask\]'"), clusters.connected("tcp://127.0.0.1:1"):
        raise AssertionError("it began")


class Counting(ThreadPoolExecutor):
    """Threads that count what they were given."""

    given = 0

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.given += 1
        return super().submit(function, *arguments, **keywords)


def test_a_command_runs_on_the_executor_of_its_caller(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As documented for MPI; a cluster beside it is a wrong call."""
    monkeypatch.chdir(tmp_path)
    called = ["claims", "CWN-EQ3", "--quick", "--quiet", "--json", "-"]
    with Counting(1) as pool:
        assert main(called, executor=pool) == 0
        assert pool.given == 1
        assert json.loads(capsys.readouterr().out)["findings"][0]["check"] == "CWN-EQ3"
        assert main([*called, "--dask", "tcp://127.0.0.1:1"], executor=pool) == 2
        assert "--dask is for a run without an executor of its caller's" in capsys.readouterr().err
    guard.close()


class Started:
    """A scheduler and one worker of two threads as processes of their own, as on a cluster."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.file.unlink(missing_ok=True)
        start = functools.partial(subprocess.Popen, env=ENVIRONMENT, stdout=-3, stderr=-3, cwd=folder)
        dask = [sys.executable, "-m", "dask"]
        where = ["--scheduler-file", str(self.file)]
        self.scheduler = start([*dask, "scheduler", "--port", "0", "--no-dashboard", *where])
        self.worker = start([*dask, "worker", "--nthreads", "2", "--no-dashboard", "--death-timeout", "60", *where])

    def end(self) -> None:
        for process in (self.scheduler, self.worker):
            process.kill()
            process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Started]]:
    """Schedulers that end with the test."""
    started: list[Started] = []

    def one() -> Started:
        started.append(Started(tmp_path))
        assert eventually(started[-1].file.exists, 120)
        return started[-1]

    yield one
    for each in started:
        each.end()


def command(folder: Path, *words: str) -> subprocess.Popen[str]:
    called = [sys.executable, "-m", "wnverify", "claims", "CWN-*", "--quick", "--json", "-", "--quiet", *words]
    return subprocess.Popen(called, cwd=folder, env=ENVIRONMENT, text=True, stdout=-1, stderr=-1)


def outside_environment(output: str) -> dict[str, Any]:
    doc = json.loads(output)
    assert doc["environment"].pop("cluster", None) in (None, {"threads": 2, "cpus": [doc["environment"]["cpu"]]})
    return {name: block for name, block in doc.items() if name not in ("environment", "timing")}


def test_a_restarted_scheduler_is_a_resumed_run(tmp_path: Path, start: Callable[[], Started]) -> None:
    """The scheduler is killed in the middle: the command says how to go on, and goes on from its journal."""
    first = start()
    process = command(tmp_path, "--dask", str(first.file))
    folder = tmp_path / ".wnverify"

    def lines() -> list[str]:
        return [line for path in folder.glob("claims-*.jsonl") for line in path.read_text().splitlines()]

    assert eventually(lambda: len(lines()) > 4, 120)
    first.scheduler.kill()
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "interrupted; the same command with --resume finishes the run" in errors
    assert f"the Dask cluster at {first.file} was lost" in errors
    known = lines()
    assert len(known) > 4
    assert not any('"error"' in line for line in known)
    first.end()
    second = start()
    resumed = command(tmp_path, "--dask", str(second.file), "--resume")
    output, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    plain, _ = command(tmp_path).communicate(timeout=300)
    assert outside_environment(output) == outside_environment(plain)
    # What the journal held has the seconds of its first run: it did not run again.
    timed = json.loads(output)["timing"]
    held = {record["item"]: record["seconds"] for record in map(json.loads, known[1:])}
    assert {name: timed[name]["seconds"] for name in held} == held


def test_the_children_of_a_client_that_was_killed_end(tmp_path: Path, start: Callable[[], Started]) -> None:
    """Nothing goes on beside the run that resumes it."""
    started = start()
    script = tmp_path / "program.py"
    script.write_text(
        "import sys\n"
        "from engine_items import item\n"
        "from wnverify.cluster.executor import connected\n"
        "from wnverify.runner import run\n"
        "with connected(sys.argv[1]) as pool:\n"
        "    run([item('hangs', f'h{n}', timeout_s=300.0) for n in range(2)], executor=pool, workers=2)\n"
    )
    client = subprocess.Popen([sys.executable, script, str(started.file)], env=ENVIRONMENT)
    below = psutil.Process(started.worker.pid)
    assert eventually(lambda: len(children_of(below)) == 2, 120)
    client.kill()
    client.wait()
    assert eventually(lambda: not children_of(below), 30)
    assert started.worker.poll() is None
