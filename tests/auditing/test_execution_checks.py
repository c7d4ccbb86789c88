"""What the checks of execution, device and lifecycle say of subjects that are not what they are when called plainly."""

from __future__ import annotations

import pytest
import torch
from audited import case_of, says, sheet_of

from wnverify.auditing.lockstep import in_lockstep
from wnverify.finding import Verdict

FAIL, HAZARD, PASS, UNSUPPORTED = Verdict.FAIL, Verdict.HAZARD, Verdict.PASS, Verdict.UNSUPPORTED


def test_a_compiled_value_is_told_from_a_compiled_gradient():
    """A thousandth in the value fails there, a doubled gradient in the gradient, at every weight."""
    value = sheet_of("execution.compile", "executed.py:CompiledValue")
    assert says(value)["5x12 #2 value"] is FAIL
    assert "relative error 0.001" in case_of(value, "5x12 #1 value").message
    gradient = says(sheet_of("execution.compile", "executed.py:CompiledGradient"))
    assert gradient == {f"5x12 #{k} gradient": FAIL for k in (1, 2, 3)}


def test_what_looks_at_values_is_refused_by_exporter_and_mapping_and_compiled_in_pieces():
    """A refusal is unsupported, with the message; a graph break changes no value."""
    assert says(sheet_of("execution.compile", "executed.py:LooksAtValues")) == {}
    exported = sheet_of("execution.export", "executed.py:LooksAtValues")
    assert says(exported) == {"torch.export": UNSUPPORTED}
    assert "data-dependent" in exported.cases[0].message
    mapped = sheet_of("execution.vmap", "executed.py:LooksAtValues")
    assert set(says(mapped).values()) == {UNSUPPORTED}
    assert len(mapped.cases) == 4


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("execution.vmap", "declared: no_vmap, it looks at values"),
        ("execution.compile", "declared: no_compile"),
        ("execution.export", "declared: no_compile"),
    ],
)
def test_what_is_declared_is_not_tried(check, said):
    """The reason of the domain is quoted, and nothing else is said."""
    sheet = sheet_of(check, "executed.py:SaysNo")
    assert [(case.verdict, case.message) for case in sheet.cases] == [(UNSUPPORTED, said)]


def test_a_scratch_attribute_is_a_race_and_a_lock_ends_it():
    """Line by line one thread reads what the other wrote, each time the same; behind a lock both are right."""
    first, second = (says(sheet_of("execution.threads", "executed.py:OneScratch")) for _ in range(2))
    assert first == second
    assert set(first.values()) == {FAIL}
    assert says(sheet_of("execution.threads", "executed.py:LockedScratch", quick=True)) == {}


def test_what_raises_only_together_fails():
    """Alone it does not raise; the message of the second thread is quoted."""
    sheet = sheet_of("execution.threads", "executed.py:RaisesTogether")
    assert sheet.verdict is FAIL
    said = case_of(sheet, "1 lines ahead").message
    assert said == "with two threads at once it raises RuntimeError: one at a time"


def test_lockstep_alternates_by_lines():
    """Each thread's lines fall between the other's; a head start moves the first ahead by so many."""

    def follow(name, seen):
        seen.append(name)
        seen.append(name)
        seen.append(name)
        return name

    orders = {}
    for head_start in (0, 1, 2):
        seen = []
        both = in_lockstep(lambda: follow("a", seen), lambda: follow("b", seen), head_start=head_start)  # noqa: B023
        assert both == ["a", "b"]
        orders[head_start] = "".join(seen)
    assert orders == {0: "ababab", 1: "aababb", 2: "aaabbb"}


def test_autocast_is_a_hazard_where_the_value_is_rounded():
    """A product in bfloat16 is a hazard that names the dtype; a refusal is unsupported."""
    sheet = sheet_of("execution.autocast", "executed.py:Product")
    assert says(sheet) == {"value": HAZARD, "gradient": HAZARD}
    assert "as a torch.bfloat16 tensor" in case_of(sheet, "value").message
    assert says(sheet_of("execution.autocast", "executed.py:NeedsDouble")) == {"autocast": UNSUPPORTED}


def test_a_projection_and_a_penalty_are_run_otherwise_too():
    """No gradient is asked of a projection without a graph; a penalty's value is compared as a scalar."""
    unit = sheet_of("execution.vmap", lambda W: (W / torch.linalg.vector_norm(W)).detach(), kind="projection")
    assert {case.name.split(",")[0] for case in unit.cases} == {"value"}
    assert unit.verdict is PASS
    square = sheet_of("execution.compile", lambda W: W.square().sum(), kind="penalty")
    assert [case.verdict for case in square.cases] == [PASS] * 6


def test_a_loose_tensor_is_named_with_the_operation_that_meets_it():
    """What is neither parameter nor buffer stays behind; what is placed, moved, a scalar or an index does not."""
    sheet = sheet_of("contract.device", "executed.py:Loose")
    assert set(says(sheet).values()) == {HAZARD}
    assert sheet.cases[0].message == "torch.Tensor.mul would meet a tensor that stays on the CPU"
    assert says(sheet_of("contract.device", "executed.py:Placed")) == {}


def test_a_weight_that_ages_fails_after_the_first_step():
    """Built for a weight it is right; moved by an optimiser it is not, in both dtypes and on both layers."""
    found = says(sheet_of("lifecycle.training", "executed.py:Ageing"))
    assert {name.split(":")[0] for name in found if "step 1" in name} == {
        f"{optimiser} on {layer}, {dtype}, step 1"
        for optimiser in ("SGD with momentum", "AdamW with weight decay")
        for layer in ("Linear", "Conv2d")
        for dtype in ("float64", "float32")
    }
    assert set(found.values()) == {FAIL}
    assert says(sheet_of("property.unit_norm_rows", "executed.py:Ageing")) == {}
