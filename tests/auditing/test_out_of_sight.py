"""What the checks say at ties, of memory that is shared, of hidden numbers, and of low precision on the way."""

from __future__ import annotations

import pytest
import torch
from audited import says, sheet_of
from torch import nn

from wnverify.auditing.checks import execution
from wnverify.auditing.rounding import found_rounding
from wnverify.faults.parametrization.known_frames import TraceByDifference
from wnverify.faults.parametrization.out_of_sight import (
    ExpandedRowOnce,
    SoftThresholdByWhere,
    TiedMaximaShared,
    TiedMaximaTwice,
)
from wnverify.faults.parametrization.right_norms import WeightNormClamped
from wnverify.faults.parametrization.right_rows import L1Ball
from wnverify.finding import Verdict

FAIL, HAZARD = Verdict.FAIL, Verdict.HAZARD


class SinglePrecision(nn.Module):
    def forward(self, V):
        X = V.flatten(1).float()
        return (X / torch.linalg.vector_norm(X, dim=1, keepdim=True)).to(V.dtype).reshape(V.shape)


class HalfPrecision(nn.Module):
    def forward(self, V):
        X = (V / torch.linalg.vector_norm(V)).flatten(1).bfloat16()
        return (1.5 * X - 0.5 * (X @ X.mT) @ X).to(V.dtype).reshape(V.shape)


class WritesInPlace(nn.Module):
    def forward(self, V):
        return V.mul_(0.5)


class HidesNaN(nn.Module):
    def forward(self, V):
        return torch.where(V != V, torch.zeros_like(V), V)


def test_the_four_behaviours_are_told_apart():
    """Of |x| at zero, of a quotient by a norm, of a smooth map, of 0/0."""
    kinds = {}
    for target in (nn.ReLU, WeightNormClamped, nn.Tanh, TiedMaximaShared):
        cases = sheet_of("gradient.singular", target).cases
        kinds[target] = {case.name: case.figures["map"] for case in cases}
    assert kinds[nn.ReLU]["a zero entry"] == "one-sided"
    assert kinds[nn.ReLU]["two equal largest entries"] == "defined and finite"
    assert kinds[WeightNormClamped]["a zero row"] == "infinite"
    assert set(kinds[nn.Tanh].values()) == {"defined and finite"}
    assert kinds[TiedMaximaShared]["a zero row"] == "NaN"
    assert kinds[TiedMaximaShared]["two equal largest entries"] == "one-sided"


def test_a_gradient_beyond_all_gradients_nearby_bites():
    """All to each of two that tie is too much, a share is right; a zero where the map is the identity is too little."""
    assert says(sheet_of("gradient.singular", TiedMaximaTwice)) == {
        "a constant row": HAZARD,
        "two equal largest entries": HAZARD,
    }
    assert says(sheet_of("gradient.singular", TiedMaximaShared)) == {}
    assert says(sheet_of("gradient.singular", L1Ball)) == {"a zero row": HAZARD}


def test_overlapping_memory_is_looked_at():
    """A shortcut for an expanded row loses gradients; a write into shared memory raises or is seen."""
    assert says(sheet_of("contract.layout", ExpandedRowOnce)) == {"one row expanded, gradient": FAIL}
    seen = says(sheet_of("contract.layout", WritesInPlace))
    assert seen["one row expanded"] is HAZARD
    assert seen["overlapping windows"] is FAIL


def test_a_hidden_nan_is_wrong_where_it_is_asked_for_and_bites_where_it_is_compared():
    """``x != x`` tells NaN from numbers; a threshold that is false for it does not."""
    assert says(sheet_of("edge.nan_row", HidesNaN))["NaN"] is FAIL
    assert says(sheet_of("edge.nan_row", SoftThresholdByWhere))["NaN"] is HAZARD


def test_a_difference_that_cancels_is_seen_whatever_sign_is_left_of_it():
    """Twelve seeds, of which some leave a positive difference at every mean above zero, and none at all means."""
    said = [sheet_of("edge.large_mean", TraceByDifference, seed=seed).verdict for seed in range(1, 13)]
    assert said == [HAZARD] * 12


@pytest.mark.parametrize(("kind", "u"), [(SinglePrecision, 2.0**-24), (HalfPrecision, 2.0**-9)], ids=["single", "half"])
def test_the_precision_inside_is_found(kind, u):
    """The largest stair is of the size of a rounding; a map in full precision has none."""
    V = torch.randn(5, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert u / 32 < found_rounding(kind(), V, seed=0) < 32 * u
    assert found_rounding(lambda X: X / X.norm(), V, seed=0) == 0.0


def test_low_precision_inside_is_the_finding_of_one_check():
    """What differs by its roundings from way to way is no fault of the layout, the history or the mapping."""
    for kind in (SinglePrecision, HalfPrecision):
        assert FAIL in says(sheet_of("precision.float64", kind)).values()
        for check in ("contract.layout", "contract.history", "execution.vmap"):
            assert FAIL not in says(sheet_of(check, kind)).values(), check


def test_inference_mode_is_one_case():
    """It is listed once, whether it raises or not."""
    names = [case.name for case in sheet_of("contract.history", nn.Tanh).cases]
    assert names.count("in inference mode") == 1


def test_a_full_look_compiles_with_every_backend(monkeypatch):
    """A backend that doubles what it compiles is found where it is asked, and only there."""

    def doubles(graph, inputs):
        return lambda *given: [2 * out for out in graph(*given)]

    monkeypatch.setattr(execution, "BACKENDS", ("aot_eager", doubles))
    assert says(sheet_of("execution.compile", nn.Tanh)) == {}
    found = says(sheet_of("execution.compile", nn.Tanh, full=True))
    assert found
    assert all("doubles" in name and verdict is FAIL for name, verdict in found.items())
