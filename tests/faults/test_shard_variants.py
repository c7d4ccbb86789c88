"""Variants for distributed weights are wrong, or right, by a second opinion: two processes, plain PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wnverify.faults.catalogue import Fault, Right, faults, right_variants

FAULTS = [row for row in faults() if row.shards]
RIGHT = [row for row in right_variants() if row.shards]
SITUATIONS = ("shard0", "shard1", "replicate", "ddp")
WRONG, ROUNDING = 1e-2, 1e-14


def situation(row: Fault) -> str:
    return row.caught_by.removeprefix("sharding.")


@pytest.fixture(scope="module")
def misses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Relative differences from the whole weight, by target and situation."""
    folder = tmp_path_factory.mktemp("shards")
    asked = [[row.target, situation(row)] for row in FAULTS]
    asked += [[row.target, each] for row in RIGHT for each in SITUATIONS]
    worker = str(Path(__file__).with_name("shard_worker.py"))
    common = [str(folder / "store"), str(folder / "found.json"), *(word for pair in asked for word in pair)]
    both = [subprocess.Popen([sys.executable, worker, str(rank), *common]) for rank in range(2)]
    try:
        assert [process.wait(timeout=300) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
    found: dict[str, float] = json.loads((folder / "found.json").read_text())
    return found


def test_there_are_faults_and_right_variants() -> None:
    """Every fault that a distributed check is to catch is run distributed, and only those."""
    assert {row.caught_by.split(".")[0] for row in FAULTS} == {"sharding"}
    assert all(row.shards for row in faults() if row.caught_by.startswith("sharding."))
    assert len(FAULTS) >= 7
    assert RIGHT


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_wrong_where_it_is_meant_to_be(fault: Fault, misses: dict[str, float]) -> None:
    """Distributed as its row says it differs from the whole weight by far more than rounding."""
    assert misses[f"{fault.target} {situation(fault)}"] > WRONG


@pytest.mark.parametrize("each", SITUATIONS)
@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_a_right_variant_is_right_however_it_is_distributed(right: Right, each: str, misses: dict[str, float]) -> None:
    """The same value, or gradient, as for the whole weight."""
    assert misses[f"{right.target} {each}"] < ROUNDING
