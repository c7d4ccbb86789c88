"""What a stored part spares a report, and what a full report leaves behind."""

import pytest

from wnverify import cli, kept
from wnverify.auditing.registry import DESCRIPTION
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.planning import plan
from wnverify.report import results
from wnverify.runner import RunResult

LIMITS = {"timeout_s": 60.0, "memory_mib": 4096.0}
SUBJECT = "weight_decay"
AUDIT = f"check/{SUBJECT}/{DESCRIPTION}"
ITEM = f"method/{SUBJECT}/agreement"


def finding(kind, subject, check, verdict=Verdict.PASS):
    """A finding of one case."""
    return Finding(
        kind=kind,
        id=f"{kind}/{subject}/{check}",
        subject=subject,
        check=check,
        verdict=verdict,
        statement="?",
        routes=(Evidence(route="exact", verdict=verdict),),
    )


def part(command="audit", item=AUDIT, findings=(), environment=None, source=None, **asked):
    """A stored part whose one item is timed; by default whole, current and of this machine."""
    asked = {**kept.SPARED.get(command, {}), "quick": False, "seed": 0, **asked}
    entry = results.part(command, **{name: value for name, value in asked.items() if value is not None})
    return results.document(
        findings,
        environment={**results.environment(), **(environment or {})},
        timing={item: {"seconds": 1.0, "peak_mib": 1.0}},
        parts={command: {**entry, **({"source": source} if source else {})}},
    )


def test_a_part_of_this_source_and_machine_spares_its_items():
    """Audits and numerics alike."""
    assert kept.known([part(), part("numerics", ITEM)], 0) == {AUDIT, ITEM}


@pytest.mark.parametrize(
    "otherwise",
    [
        {"source": "0" * 64},
        {"seed": 1},
        {"quick": True},
        {"checks": ["gradient.*"]},
        {"environment": {"cpu": "another"}},
        {"environment": {"versions": {**results.environment()["versions"], "torch": "2.9.0"}}},
        {"environment": {"cluster": {"workers": 4}}},
        {"command": "selftest"},
        {"command": "numerics", "item": ITEM, "device": "cuda"},
    ],
    ids=lambda otherwise: "-".join(otherwise),
)
def test_any_other_part_spares_nothing(otherwise):
    """Another source, seed, effort, processor or version could give another finding."""
    assert kept.known([part(**otherwise)], 0) == frozenset()


def test_what_ended_in_an_error_is_run_again():
    """A time limit that was passed may be kept today; of an audit all is run again, of the numerics that item."""
    late = finding("check", SUBJECT, "gradient.vjp", Verdict.ERROR)
    assert kept.known([part(findings=[late])], 0) == frozenset()
    assert kept.known([part(findings=[finding("check", "another", "gradient.vjp", Verdict.ERROR)])], 0) == {AUDIT}
    late = finding("method", SUBJECT, "agreement", Verdict.ERROR)
    assert kept.known([part("numerics", ITEM, [late])], 0) == frozenset()


@pytest.mark.parametrize("mode", ["quick", "default"])
def test_what_is_known_is_not_planned_and_the_report_says_so(mode):
    """The audit and the item go, all else stays, and the sentence counts them."""
    everything, less = plan(mode, 0, **LIMITS), plan(mode, 0, {AUDIT, ITEM}, **LIMITS)
    assert {spec.subject for spec in everything.specs} - {spec.subject for spec in less.specs} == {SUBJECT}
    assert {item.id for item in everything.items} - {item.id for item in less.items} == {ITEM}
    assert less.total_seconds < everything.total_seconds
    assert "hold 1 audit and 1 item of the numerics, which are not computed again" in less.left_out[0]


def test_a_full_report_computes_what_is_known_too():
    """It is what the parts are made by."""
    assert plan("full", 0, {AUDIT, ITEM}, **LIMITS) == plan("full", 0, **LIMITS)


def test_a_full_report_keeps_its_audits_and_numerics(tmp_path):
    """As parts that spare their items: with what a current part holds besides, without planted faults and without
    items that were asked with fewer points."""
    chosen = plan("full", 0, **LIMITS)
    fewer = next(item.id for item in chosen.items if item.arguments.get("quick"))
    fresh = [finding("check", SUBJECT, DESCRIPTION), finding("check", "selftest", "calibration")]
    fresh += [finding("method", SUBJECT, "agreement.forward"), finding("claim", "cwn", "CWN-EQ3", Verdict.HOLDS)]
    timing = {name: {"seconds": 2.0, "peak_mib": 1.0} for name in (AUDIT, ITEM, fewer, "check/selftest/calibration")}
    known = part("numerics", fewer, [finding("method", SUBJECT, "sharding.ddp")])
    gone = part("audit", "check/old/x", [finding("check", "old", "x")], source="0" * 64)
    result = RunResult(findings=fresh, timing=timing)
    for others, sparing, ids in (
        ([], {AUDIT, ITEM}, ["method/weight_decay/agreement.forward"]),
        (
            [known, gone],
            {AUDIT, ITEM, fewer},
            ["method/weight_decay/agreement.forward", "method/weight_decay/sharding.ddp"],
        ),
    ):
        audit, numerics = kept.keep(tmp_path, chosen, result, others, seed=0)
        stored = [results.read(audit), results.read(numerics)]
        assert kept.known(stored, 0) == sparing
        assert [data["id"] for data in stored[0]["findings"]] == [AUDIT]
        assert [data["id"] for data in stored[1]["findings"]] == ids


def test_parts_of_a_cluster_spare_nothing(tmp_path):
    """What its workers run on is not what this machine is."""
    result = RunResult(findings=[], timing={AUDIT: {"seconds": 2.0, "peak_mib": 1.0}})
    where = {"cluster": {"workers": 4}}
    files = kept.keep(tmp_path, plan("full", 0, **LIMITS), result, [], seed=0, where=where)
    assert kept.known([results.read(path) for path in files], 0) == frozenset()


def test_keeping_is_for_a_full_report(capsys):
    """A shorter one computes too little to be kept: refused before any work."""
    assert cli.main(["report", "--keep"]) == 2
    assert "--keep stores what a full report computes as parts: give --full beside it" in capsys.readouterr().err
