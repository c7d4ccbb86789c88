"""Waivers: what they cover, what becomes of each, and the exit code, results.json and views of a run with them."""

from __future__ import annotations

import datetime
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest

from wnverify.auditing.suite import run_audit, specs_of
from wnverify.cli import main
from wnverify.finding import Finding, Verdict
from wnverify.report import results
from wnverify.report.standing import remark, waived
from wnverify.waivers import Waiver, applied, refuse_unknown

TODAY = datetime.date(2027, 1, 31)
YESTERDAY = datetime.date(2027, 1, 30)
KNOWN = ("contract.forward", "gradient.vjp", "gradient.rows", "edge.zero_row")


def found(check, verdict, subject="my_norm.py:A"):
    return Finding(
        kind="check",
        id=f"check/{subject}/{check}",
        subject=subject,
        check=check,
        verdict=Verdict(verdict),
        statement="?",
    )


FINDINGS = [
    found("gradient.vjp", "fail"),
    found("gradient.rows", "pass"),
    found("edge.zero_row", "hazard"),
    found("edge.scale", "inconclusive"),
    found("gradient.vjp", "pass", "own[k=2]"),
]


@pytest.mark.parametrize(
    ("said", "state", "about"),
    [
        ({"check": "gradient.vjp"}, "applied", "my_norm.py:A/gradient.vjp"),
        ({"check": "gradient.*"}, "applied", "my_norm.py:A/gradient.vjp"),
        ({"check": "edge.zero_row"}, "applied", "my_norm.py:A/edge.zero_row"),
        ({"check": "gradient.vjp", "subject": "my_norm.py:*"}, "applied", "my_norm.py:A/gradient.vjp"),
        ({"check": "gradient.vjp", "subject": "own[k=2]"}, "not needed", "own[k=2]/gradient.vjp"),
        ({"check": "gradient.rows"}, "not needed", "my_norm.py:A/gradient.rows"),
        ({"check": "edge.scale"}, "idle", ""),
        ({"check": "gradient.vjp", "subject": "other"}, "idle", ""),
        ({"check": "precision.*"}, "idle", ""),
        ({"check": "gradient.vjp", "expires": TODAY}, "applied", "my_norm.py:A/gradient.vjp"),
        ({"check": "gradient.vjp", "expires": YESTERDAY}, "expired", "my_norm.py:A/gradient.vjp"),
    ],
    ids=[
        "id",
        "pattern",
        "hazard",
        "subjects",
        "brackets",
        "passes",
        "open",
        "elsewhere",
        "none",
        "last-day",
        "expired",
    ],
)
def test_what_becomes_of_a_waiver(said, state, about):
    """Failures and hazards of its check and subject are waived through its last day; nothing else is, and it is said
    whether it is still needed."""
    (entry,) = applied([Waiver(reason="known", **said)], FINDINGS, TODAY)
    assert (entry["state"], entry["ids"]) == (state, [f"check/{about}"] if about else [])
    doc = results.document(FINDINGS, environment={}, timing={}, waivers=[entry])
    assert waived(doc) == (dict.fromkeys(entry["ids"], "known") if state == "applied" else {})
    assert said["check"] in remark(entry)
    assert "known" in remark(entry)


def test_the_first_waiver_that_applies_gives_the_reason():
    """Two may cover one finding."""
    waivers = [Waiver(check="gradient.*", reason="first"), Waiver(check="gradient.vjp", reason="second")]
    doc = {"waivers": applied(waivers, FINDINGS, TODAY)}
    assert set(waived(doc).values()) == {"first"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"check": "a.b"}, "reason is missing"),
        ({"reason": "x"}, "check is missing"),
        ({"check": "a.b", "reason": " "}, "reason of a waiver must be text that is not empty; got ' '"),
        (
            {"check": "a.b", "reason": "x", "until": 1},
            "unknown key 'until'; the keys are check, reason, subject",
        ),
        (
            {"check": "a.b", "reason": "x", "expires": "2027-01-31"},
            "a date without quotes, 2027-01-31; got '2027",
        ),
        ({"check": "a.b", "reason": "x", "expires": datetime.datetime(2027, 1, 31)}, "a date without quotes"),
        ({"check": 3, "reason": "x"}, "check of a waiver must be text"),
        ("a.b", "must be a table with check, reason, subject, expires; got 'a.b'"),
    ],
    ids=["no-reason", "no-check", "blank-reason", "unknown-key", "quoted-date", "date-and-time", "number", "text"],
)
def test_a_waiver_without_sense_is_refused_with_its_place(table, said):
    """A reason is required, a date is a date, and nothing is ignored."""
    with pytest.raises(ValueError, match=r"^here\[0\]") as caught:
        Waiver.from_table(table, "here[0]")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["gradient.vjp", "gradient.vjp=", "=why", " = "])
def test_words_without_check_or_reason_are_refused(text):
    """``--waive`` takes CHECK=REASON, in which the reason may hold further signs of equality."""
    with pytest.raises(ValueError, match="must be CHECK=REASON"):
        Waiver.from_words(text)
    assert Waiver.from_words("a.b= x = y") == Waiver(check="a.b", reason="x = y")


def test_a_waiver_for_a_check_that_nobody_has_is_refused():
    """By its id, with the near ones; a pattern must match something too."""
    refuse_unknown([Waiver(check="gradient.*", reason="x")], KNOWN)
    with pytest.raises(ValueError, match=r"waiver of 'gradient\.vpj' \(x\): .* did you mean 'gradient.vjp'"):
        refuse_unknown([Waiver(check="gradient.vpj", reason="x")], KNOWN)
    with pytest.raises(ValueError, match=r"there are contract\.forward, edge\.zero_row, gradient"):
        refuse_unknown([Waiver(check="zzzzz.*", reason="x")], KNOWN)


def test_an_audit_refuses_it_before_any_check_runs():
    """The ids are asked of a child, which knows all of them, not only those of this subject."""
    specs = specs_of([f"{Path(__file__).parent / 'subjects' / 'kinds.py'}:unit"])
    planned = []
    with ThreadPoolExecutor(1) as pool:

        def audited(check):
            settings = {"checks": ["contract.forward"], "quick": True, "workers": 1, "executor": pool}
            return run_audit(specs, waivers=[Waiver(check=check, reason="x")], on_planned=planned.append, **settings)

        assert audited("contract.layers").findings
        assert planned == [1]
        with pytest.raises(ValueError, match=r"no check has this id; did you mean 'contract\.forward'"):
            audited("contract.forwards")
    assert planned == [1]


BROKEN = [
    ({"check": 1}, "waivers[0] must be an object with check and reason as strings"),
    ({"state": "gone"}, "waivers[0]: state must be one of applied, not needed, expired, idle; got 'gone'"),
    ({"ids": "all"}, "waivers[0]: ids must be a list of strings"),
    ({"expires": 3}, "waivers[0]: expires must be a string or null"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN, ids=["check", "state", "ids", "expires"])
def test_a_document_with_waivers_satisfies_the_schema_and_a_wrong_one_does_not(change, said):
    """The optional block is published, and read with the same eyes."""
    validator = jsonschema.Draft202012Validator(results.schema())
    entries = applied([Waiver(check="gradient.vjp", reason="x", expires=TODAY)], FINDINGS, TODAY)
    doc = results.document(FINDINGS, environment={}, timing={}, waivers=entries)
    validator.validate(doc)
    assert "waivers" not in results.document(FINDINGS, environment={}, timing={})
    assert results.merge(doc, results.document([], environment={}, timing={}))["waivers"] == entries
    doc["waivers"][0] |= change
    assert not validator.is_valid(doc)
    with pytest.raises(ValueError, match=r"^doc: ") as caught:
        results.validate(doc, "doc")
    assert said in str(caught.value)


def test_a_strict_run_passes_with_its_hazard_waived_and_writes_every_form(tmp_path, monkeypatch, capsys):
    """Exit code 0, the waiver in results.json, XML, SARIF, page and annotations; nothing else on standard output can
    be a workflow command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "norm.py").write_text("def unit(V):\n    return V / V.norm(dim=1, keepdim=True)\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.wnverify]\ntargets = ['norm.py:unit']\nquick = true\nstrict = true\nchecks = ['edge.zero_row']\n"
        "[[tool.wnverify.waivers]]\ncheck = 'contract.forward'\nreason = 'no longer'\n"
    )
    forms = {"json": "r.json", "junit": "j.xml", "sarif": "s.json", "html": "h.html"}
    words = [word for option, name in forms.items() for word in (f"--{option}", name)]
    waiver = ["--waive", "edge.zero_row=rows are never zero"]
    assert main(["audit", *words, *waiver, "--github", "--quiet", "--workers", "1"]) == 0
    doc = results.read("r.json")
    states = {entry["check"]: entry["state"] for entry in doc["waivers"]}
    assert states == {"contract.forward": "not needed", "edge.zero_row": "applied"}
    assert {data["verdict"] for data in doc["findings"]} == {"pass", "hazard"}
    assert "waived: rows are never zero" in (tmp_path / "j.xml").read_text("utf-8")
    assert "waived: rows are never zero" in (tmp_path / "h.html").read_text("utf-8")
    (alert,) = json.loads((tmp_path / "s.json").read_text("utf-8"))["runs"][0]["results"]
    assert alert["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "norm.py"
    assert alert["suppressions"][0]["justification"] == "rows are never zero"
    out = capsys.readouterr().out
    first, rest = out.split("\n", 1)
    word = first.removeprefix("::stop-commands::")
    sheet, commands = rest.split(f"::{word}::\n")
    assert "edge.zero_row is waived: rows are never zero" in sheet
    assert "waiver no longer needed: contract.forward passes (no longer)" in sheet
    assert commands.startswith("::notice file=norm.py,line=1,title=edge.zero_row::waived: rows are never zero.")
    from wnverify.report.standing import breaks

    del doc["waivers"]
    assert breaks(doc, strict=True)
    assert not breaks(doc)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--junit", "no/such/j.xml"], "--junit must be a file in an existing folder; there is no folder no/such"),
        (["--sarif", "-"], "--sarif must be a file: only --json goes to standard output"),
        (["--html", "."], "--html must be a file; '.' is a folder"),
        (["--github", "--json", "-"], "--github and --json - both write to standard output"),
        (["--waive", "gradient.vjp"], "a waiver must be CHECK=REASON"),
    ],
    ids=["no-folder", "standard-output", "folder", "both-on-output", "no-reason"],
)
def test_a_form_that_cannot_be_written_is_refused_before_any_work(words, said, tmp_path, monkeypatch, capsys):
    """Exit code 2, and the message says what would be right."""
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "torch.nn:ReLU", "--quiet", *words]) == 2
    assert said in capsys.readouterr().err
