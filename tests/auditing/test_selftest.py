"""Every planted fault is caught by the check meant for it, every right variant is left in peace, and the judge can
say otherwise."""

from __future__ import annotations

import dataclasses

import pytest

from wnverify.auditing.registry import checks
from wnverify.auditing.selftest import KILL, SILENT, judge, judgement, rejudgement, selftest_items
from wnverify.faults.catalogue import Fault, Right, faults, right_variants
from wnverify.finding import VOCABULARY, Finding, Verdict

EVERY = (*faults(), *right_variants())
FAULT = Fault("a-fault", "m:F", "gradient.vjp")
RIGHT = Right("a-right", "m:R", ("edge.scale", "edge.tall"))


@pytest.mark.filterwarnings("ignore:std:UserWarning")
@pytest.mark.parametrize("name", [row.name for row in faults()])
def test_a_fault_is_killed_by_the_check_meant_for_it(name):
    """With the verdict of its row; what other checks say of a fault decides nothing."""
    (finding,) = judge(name, alone=True)
    assert finding.verdict is Verdict.PASS, finding.message


@pytest.mark.filterwarnings("ignore:std:UserWarning")
@pytest.mark.parametrize("name", [*(row.name for row in faults()[::12]), *(row.name for row in right_variants())])
def test_the_whole_sheet_of_a_variant_is_as_its_row_promises(name):
    """A right variant meets no accusation but those of its row; on a fault every other check comes to an end."""
    (finding,) = judge(name)
    assert finding.verdict is Verdict.PASS, finding.message


def test_looking_alone_is_the_same_look():
    """The check meant for a fault says what it says among the others, and no other says anything."""
    row = next(row for row in faults() if row.name == "forgotten-mean")
    (alone,), (among,) = judge(row.name, alone=True), judge(row.name)
    sheets = [finding.routes[0].figures["sheet"] for finding in (alone, among)]
    assert sheets[0] == {row.caught_by: sheets[1][row.caught_by]}
    assert alone.verdict is among.verdict is Verdict.PASS
    assert len(sheets[1]) > 10


def sheet(**verdicts):
    return [
        Finding(
            kind="check",
            id=f"check/s/{check.replace('_', '.', 1)}",
            subject="s",
            check=check.replace("_", ".", 1),
            verdict=verdict,
            statement="?",
            message="so it was",
        )
        for check, verdict in verdicts.items()
    ]


@pytest.mark.parametrize("verdict", sorted(VOCABULARY["check"] - {Verdict.FAIL}))
def test_a_fault_that_meets_another_verdict_has_escaped(verdict):
    """Only the verdict of its row kills a fault; a hazard in the place of a failure does not."""
    judged = judgement(FAULT, sheet(gradient_vjp=verdict, edge_scale=Verdict.FAIL))
    assert judged.verdict is Verdict.FAIL
    assert judged.message == f"gradient.vjp says {verdict} where fail is due"


def test_a_fault_that_its_check_never_saw_has_escaped():
    """Being caught by another check does not count."""
    judged = judgement(FAULT, sheet(gradient_rows=Verdict.FAIL))
    assert (judged.verdict, judged.message) == (Verdict.FAIL, "gradient.vjp says nothing where fail is due")


def test_a_wrong_row_does_not_pass():
    """The selftest of a real fault fails when its row expects another verdict or another check."""
    row = next(fault for fault in faults() if fault.name == "flattens-kernels")
    found = judge(row.name)[0].routes[0].figures["sheet"]
    findings = sheet(**{name.replace(".", "_", 1): Verdict(verdict) for name, verdict in found.items()})
    assert judgement(row, findings).verdict is Verdict.PASS
    assert judgement(dataclasses.replace(row, verdict="hazard"), findings).verdict is Verdict.FAIL
    assert judgement(dataclasses.replace(row, caught_by="contract.deterministic"), findings).verdict is Verdict.FAIL


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.HAZARD])
def test_either_verdict_may_be_due(verdict):
    """Where rounding decides, both words kill; a third does not."""
    row = dataclasses.replace(FAULT, verdict="fail or hazard")
    assert judgement(row, sheet(gradient_vjp=verdict)).verdict is Verdict.PASS
    assert judgement(row, sheet(gradient_vjp=Verdict.INCONCLUSIVE)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("verdict", "check", "alarm"),
    [
        (Verdict.FAIL, "edge_tall", True),
        (Verdict.FAIL, "gradient_vjp", True),
        (Verdict.ERROR, "edge_tall", True),
        (Verdict.BLOCKED, "edge_tall", True),
        (Verdict.HAZARD, "edge_tall", False),
        (Verdict.HAZARD, "edge_zero_row", True),
        (Verdict.INCONCLUSIVE, "gradient_vjp", False),
        (Verdict.UNSUPPORTED, "gradient_vjp", False),
        (Verdict.PASS, "gradient_vjp", False),
    ],
)
def test_what_a_right_variant_may_not_meet(verdict, check, alarm):
    """A failure or an error anywhere, and a hazard that the row does not list, is a false alarm and is quoted."""
    judged = judgement(RIGHT, sheet(edge_scale=Verdict.HAZARD, **{check: verdict}))
    assert judged.verdict is (Verdict.FAIL if alarm else Verdict.PASS)
    assert judged.message == (f"{check.replace('_', '.', 1)} says {verdict}: so it was" if alarm else "")


def test_a_judgement_carries_the_row_of_the_kill_matrix():
    """Every check's verdict is among the figures, beside what was expected."""
    judged = judgement(FAULT, sheet(gradient_vjp=Verdict.FAIL, edge_scale=Verdict.PASS))
    figures = judged.routes[0].figures
    assert figures["sheet"] == {"gradient.vjp": "fail", "edge.scale": "pass"}
    assert (figures["meant"], figures["expected"]) == ("gradient.vjp", "fail")
    assert (judged.check, judged.id) == (KILL, "check/selftest/selftest.kill/a-fault")
    assert judged.replay == "python -m wnverify selftest --fault a-fault"
    assert judgement(FAULT, [], seed=7).replay == "python -m wnverify selftest --fault a-fault --seed 7"
    assert rejudgement(FAULT, {}, 7).replay == "python -m wnverify selftest --fault a-fault --seed 7"
    assert judgement(RIGHT, []).check == SILENT


def test_every_check_has_a_planted_fault():
    """A check that no fault is meant for has never been seen to fail."""
    assert set(checks()) == {fault.caught_by for fault in faults()}


def test_right_variants_list_hazards_of_checks_that_exist():
    """A waiver for an unknown check would hide nothing, or a misspelt name."""
    listed = {check for row in right_variants() for check in row.hazards}
    assert listed
    assert listed <= set(checks())


def test_one_item_a_variant():
    """The selftest plans every row once, as a work item with the row's own id."""
    items = [item for item in selftest_items() if item.check in (KILL, SILENT)]
    assert len({item.id for item in items}) == len(items) == len(EVERY)
    assert {item.arguments["name"] for item in items} == {row.name for row in EVERY}


def test_patterns_choose_variants_and_a_quick_run_samples():
    """A pattern that matches nothing is an error; a quick run takes every fourth row unless rows are named."""
    assert [
        item.id.removeprefix("check/selftest/selftest.") for item in selftest_items(["forgotten-m*", "identity"])
    ] == [
        "calibration/identity",
        "kill/forgotten-mean",
        "silent/identity",
        "reseeded/forgotten-mean",
    ]
    sample = [item for item in selftest_items(quick=True) if item.check in (KILL, SILENT)]
    assert len(sample) == -(-len(EVERY) // 4)
    assert len(selftest_items(["identity"], quick=True)) == 2
    (many, _) = selftest_items(["identity"], seeds=200)
    assert many.arguments["seeds"] == 200
    with pytest.raises(
        ValueError, match=r"--fault 'nope-\*' matches no variant of [0-9]+; they have names like missing-"
    ):
        selftest_items(["identity", "nope-*"])


def test_limits_reach_the_items():
    """Time and memory are those of the call."""
    (many, item) = selftest_items(["identity"], timeout_s=7.0, memory_mib=512.0)
    assert (item.timeout_s, item.memory_mib) == (7.0, 512.0)
    assert (many.timeout_s, many.memory_mib) == (35.0, 512.0)
