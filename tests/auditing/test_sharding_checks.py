"""What the checks of sharding say of foreign subjects on weights that two processes hold."""

from __future__ import annotations

import pytest
from audited import subject_of

from wnverify.auditing.context import Context
from wnverify.auditing.registry import Sheet, checks
from wnverify.auditing.subject import Subject
from wnverify.auditing.suite import run_audit, specs_of
from wnverify.auditing.target import parse_target
from wnverify.auditing.work import replay_command
from wnverify.faults.catalogue import faults, right_variants
from wnverify.finding import Verdict
from wnverify.numerics.shards.kept import groups

WAYS = ("shard0", "shard1", "replicate", "fsdp", "ddp")
SHARDED = [fault for fault in faults() if fault.shards]


@pytest.fixture(scope="module", autouse=True)
def two_processes():
    with groups(2) as asked:
        yield asked


def sheet(target, check):
    made = Sheet()
    subject = Subject(parse_target(target, {}, {}))
    checks()[check].run(Context(subject, seed=0, quick=True, shrink=False, shards=2), made)
    return made


@pytest.mark.parametrize("fault", SHARDED, ids=lambda fault: fault.name)
def test_every_planted_fault_is_caught_by_the_check_meant_for_it(fault):
    """A local norm, a local mean, a sum taken twice: each fails, with a ratio far above 1."""
    found = sheet(fault.target, fault.caught_by)
    assert found.verdict is Verdict.FAIL
    assert max(case.ratio or 0.0 for case in found.cases) > 1e6


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("right", [row for row in right_variants() if row.shards], ids=lambda row: row.name)
def test_right_variants_pass_under_every_way_of_distributing(right, way):
    """One that gathers and distributes again, and one made of operations with sharding rules."""
    found = sheet(right.target, f"sharding.{way}")
    assert found.verdict is Verdict.PASS
    assert {case.name.partition(" ")[2] for case in found.cases} >= {"value", "gradient", "weight after a step"} or (
        {case.name.partition(" ")[2] for case in found.cases}
        == {"gradient", "weight after a step", "weight in the layer"}
    )


def test_a_local_norm_is_right_by_rows():
    """The check of the one placement says nothing against the other."""
    assert sheet("wnverify.faults.parametrization.sharded:LocalNorm", "sharding.shard0").verdict is Verdict.PASS


def test_a_refusal_is_unsupported():
    """torch's own weight norm has no rule for a DTensor's gradient, which is said."""
    found = sheet("torch.nn.utils.parametrizations:weight_norm", "sharding.replicate")
    assert found.verdict is Verdict.UNSUPPORTED
    assert "sharding" in found.cases[0].message


def test_the_checks_apply_only_where_a_number_of_processes_is_given():
    """Without ``--shards`` an audit does not start a process."""
    subject = subject_of("kinds.py:Plain")
    ours = [check for name, check in checks().items() if name.startswith("sharding.")]
    assert [check.id for check in ours] == [f"sharding.{way}" for way in WAYS]
    assert not any(check.applies(subject) for check in ours)
    assert all(check.applies(subject, 2) for check in ours)


def test_the_replay_command_says_how_many():
    """What is printed performs the same check."""
    spec = parse_target("torch.nn.utils.parametrizations:weight_norm", {}, {})
    assert replay_command(spec, "sharding.ddp", 0, False, shards=2).endswith("--check sharding.ddp --seed 0 --shards 2")


def test_one_process_is_refused_before_any_check():
    """The message names the number."""
    with pytest.raises(ValueError, match="world must be a whole number of processes, 2 to 16; got 1"):
        run_audit(specs_of(["torch.nn.utils.parametrizations:weight_norm"]), shards=1)
