"""A row that is like no other, in one process alone: all processes of a distributed weight go the same way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from rank_rows import MAPS, weight

from wnverify.numerics.shards.group import Group
from wnverify.oracles.ratio import Ratio, map_model

ROWS = {"ordinary": (1.0, 0.0), "tiny": (2.0**-500, 0.0), "far from 0": (1.0, 1e6)}


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    with Group(2, limit_s=30.0) as started:
        yield started


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", MAPS)
def test_a_distributed_weight_is_mapped_as_the_whole_one(name: str, row: str, group: Group) -> None:
    """Cut by rows and by columns, with a first row of its own scale or mean: no process waits for the other."""
    scale, shift = ROWS[row]
    if name == "polar" and row == "tiny":
        scale = 2.0**-20  # rows are not of one matrix any more below the rounding of the others
    right = MAPS[name](weight(scale, shift, None))
    for dim in (0, 1):
        given = {"name": name, "dim": dim, "scale": scale, "shift": shift, "value": None}
        for answer in group.ask("rank_rows:mapped", given):
            error = float((torch.tensor(answer["result"], dtype=torch.float64) - right).abs().max())
            model = map_model("float64", 7, condition=max(1 / scale, shift, 1.0) if name == "polar" else 8.0)
            assert Ratio(error, float(right.abs().max()), model).value <= 1


@pytest.mark.parametrize("name", MAPS)
def test_what_is_wrong_in_one_process_is_refused_by_all(name: str, group: Group) -> None:
    """A NaN in a row that one process holds is named in both, in the numbering of the whole weight."""
    for answer in group.ask(
        "rank_rows:mapped", {"name": name, "dim": 0, "scale": 1.0, "shift": 0.0, "value": float("nan")}
    ):
        assert "ValueError: V must be finite; got V[0, 0] = nan" in answer["raised"]
