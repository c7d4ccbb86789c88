"""What a report computes afresh in each mode: counted, with the cost that its plan declares."""

import importlib

import pytest

from wnverify import reporting
from wnverify.auditing.catalogued import every_method
from wnverify.auditing.selftest import selftest_items
from wnverify.experiments.listing import trained_methods
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.numerics import topics
from wnverify.planning import RECOMPUTED, SLOW_CLAIMS, claim_items, plan
from wnverify.report import results
from wnverify.report.parts import AWAITED
from wnverify.runner import RunResult

LIMITS = {"timeout_s": 60.0, "memory_mib": 4096.0}


@pytest.fixture(scope="module")
def plans():
    return {mode: plan(mode, 0, **LIMITS) for mode in ("quick", "default", "full")}


def experiments(chosen):
    """The short training runs of a plan."""
    return [item for item in chosen.items if item.kind == "experiment"]


def kinds(chosen):
    """Items by what they are."""
    return {
        kind: [item for item in chosen.items if item.id.startswith(f"{kind}/")]
        for kind in ("claim", "theory", "method", "check")
    }


def test_each_mode_computes_all_that_the_one_before_does(plans):
    """Nothing that a quick report asks is left out of a longer one."""
    ids = {mode: {item.id for item in chosen.items} for mode, chosen in plans.items()}
    assert ids["quick"] < ids["default"] < ids["full"]
    subjects = {mode: {spec.subject for spec in chosen.specs} for mode, chosen in plans.items()}
    assert subjects["quick"] < subjects["default"] < subjects["full"]


def test_the_quick_plan(plans):
    """Claims but the slow ones, a few methods' numerics, three audits, and neither theory nor planted faults."""
    of = kinds(plans["quick"])
    assert len(of["claim"]) == len(claim_items((), quick=True)) - len(SLOW_CLAIMS)
    assert all(item.arguments["quick"] for item in [*of["claim"], *of["method"]])
    assert {item.subject for item in of["method"]} == set(topics.CHEAPEST)
    assert not of["theory"]
    assert not of["check"]
    assert sorted(spec.subject for spec in plans["quick"].specs) == sorted(topics.CHEAPEST)
    assert plans["quick"].total_seconds <= 30


def test_the_default_plan(plans):
    """Every claim in full, every method's numerics, every method audited without its options."""
    of = kinds(plans["default"])
    assert not any(item.arguments["quick"] for item in of["claim"])
    assert {item.subject for item in of["method"]} >= {method.id for method in topics.judged()}
    assert not of["check"]
    ours, _ = every_method()
    assert len(plans["default"].specs) == 1 + len([spec for spec in ours if "[" not in spec.target])
    assert plans["default"].quick_audit
    assert all(item.arguments["quick"] for item in experiments(plans["default"]))
    assert plans["default"].total_seconds <= 220


def test_the_full_plan(plans):
    """Nothing is quick but the weights over four processes: every topic, every option audited, every planted fault."""
    chosen, of = plans["full"], kinds(plans["full"])
    assert not chosen.quick_audit
    assert {item.check for item in chosen.items if item.arguments.get("quick")} == {"sharding_over_four"}
    assert len(of["check"]) == len(selftest_items())
    asked = {(item.check, item.subject) for item in of["method"]}
    each = [topic.name for topic in topics.TOPICS if topic.each]
    assert asked >= {(name, method.id) for name in each for method in topics.judged()}
    assert {name for name, _ in asked} == {topic.name for topic in topics.TOPICS}
    assert chosen.left_out == [
        "Right variants are looked at under 20 seeds; a stored part knows of more.",
        "The papers' experiments are not trained: what is known of them comes from stored parts.",
        "Of the numerics, sharding_over_four is asked with fewer points.",
    ]
    assert {item.subject for item in experiments(chosen)} == {method.id for method in trained_methods()}
    assert chosen.total_seconds <= 2400


def test_the_longest_starts_first(plans):
    """So that all workers end together."""
    for chosen in plans.values():
        seconds = [chosen.seconds[item.id] for item in chosen.items]
        assert seconds == sorted(seconds, reverse=True)


def test_what_a_mode_leaves_out_is_said(plans):
    """Each topic of numerics that is not asked in full has its sentence, as have audits and planted faults."""
    for mode in ("quick", "default"):
        said = " ".join(plans[mode].left_out)
        assert all(topic.name in said for topic in topics.TOPICS if topic.report.get(mode) != topics.WHOLE)
        assert "planted faults" in said
    assert all(name in " ".join(plans["quick"].left_out) for name in SLOW_CLAIMS)


@pytest.mark.parametrize("topic", topics.TOPICS, ids=lambda topic: topic.name)
def test_every_topic_can_be_called_as_it_is_planned(topic):
    """The function is where the table says, and takes what an item gives it."""
    import inspect

    module, _, name = topic.function.partition(":")
    taken = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    assert {"seed", "quick", *(["method_id"] if topic.each else [])} <= set(taken)
    assert set(topic.report) <= {"quick", "default", "full"}
    assert set(topic.report.values()) <= {topics.FEW, topics.QUICK, topics.WHOLE}


def test_slow_claims_are_claims():
    """A claim that is renamed is not silently run in a quick report."""
    assert set(SLOW_CLAIMS) <= {item.check for item in claim_items((), quick=True)}


def finding(subject):
    """A passing check."""
    return Finding(
        kind="check",
        id=f"check/{subject}/a.b",
        subject=subject,
        check="a.b",
        verdict=Verdict.PASS,
        statement="?",
        routes=(Evidence(route="exact", verdict=Verdict.PASS),),
    )


def part_file(folder, command, **entry):
    """A stored part of one finding."""
    doc = results.document(
        [finding(command)], environment={}, timing={}, parts={command: {**results.part(command), **entry}}
    )
    results.write(folder / f"{command}.json", doc)


def test_stored_parts_are_taken_in_and_the_others_are_missing(tmp_path, plans):
    """Every report has them, current or stale; a full one still misses what other machines and longer runs know."""
    part_file(tmp_path, "selftest")
    part_file(tmp_path, "device", source="0" * 64)
    nothing = RunResult(findings=[], timing={})
    doc = reporting.assembled(plans["default"], nothing, reporting.read_parts(str(tmp_path), "default", 0))
    assert {data["subject"] for data in doc["findings"]} == {"selftest", "device"}
    assert [doc["parts"][name]["stale"] for name in ("selftest", "device")] == [False, True]
    assert doc["scope"]["missing"] == [name for name in AWAITED if name not in ("selftest", "device")]
    full = reporting.assembled(plans["full"], nothing, reporting.read_parts(str(tmp_path), "full", 0))
    assert {data["subject"] for data in full["findings"]} == {"selftest", "device"}
    assert not set(full["scope"]["missing"]) & {*RECOMPUTED["full"], "device"}


def test_without_a_folder_of_parts_all_are_missing(tmp_path, plans):
    """A fresh machine has none, and the report says so."""
    found = reporting.read_parts(str(tmp_path / "nowhere"), "quick", 0)
    assert found == []
    doc = reporting.assembled(plans["quick"], RunResult(findings=[], timing={}), found)
    assert doc["scope"]["missing"] == list(AWAITED)


def test_a_file_that_is_no_part_is_refused_before_any_work(tmp_path):
    """The message names the file."""
    results.write(tmp_path / "x.json", results.document([], environment={}, timing={}))
    with pytest.raises(ValueError, match=r"x\.json: a stored part names in parts"):
        reporting.read_parts(str(tmp_path), "default", 0)
    part_file(tmp_path, "audit")
    (tmp_path / "x.json").write_bytes((tmp_path / "audit.json").read_bytes())
    with pytest.raises(ValueError, match=r"x\.json: another file of this folder holds the part 'audit'"):
        reporting.read_parts(str(tmp_path), "default", 0)
    other = results.read(tmp_path / "audit.json")
    results.write(tmp_path / "x.json", {**other, "parts": {"gallery": results.part("gallery")}})
    with pytest.raises(ValueError, match=r"the parts audit and gallery both hold 'check/audit/a\.b'"):
        reporting.read_parts(str(tmp_path), "default", 0)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match=r"x\.json: schema must be"):
        reporting.read_parts(str(tmp_path), "default", 0)
