"""Comparing two documents: what is worse, what is not, and what is no document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_documents

import wnverify
from wnverify.cli import main
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report import compare, results
from wnverify.report.compare import Change
from wnverify.report.views import changes, html, markdown

NAME = "check/m/a.b"
CLAIM = "claim/cwn/X"


def finding(verdict: str = "pass", ratio: float | None = None, name: str = NAME) -> Finding:
    kind, subject, check = name.split("/")
    made = Verdict(verdict)
    route = Evidence(route="arithmetic", verdict=made, ratio=ratio)
    return Finding(
        kind=kind, id=name, subject=subject, check=check, verdict=made, statement="It is so.", routes=(route,)
    )


def document(*findings: Finding, parts: Mapping[str, Any] | None = None, **environment: Any) -> dict[str, Any]:
    return results.document(findings, environment=environment, timing={}, parts=parts)


def change(old: Finding | None, new: Finding | None, **options: Any) -> tuple[str | None, bool]:
    """What became of one finding, and whether that is worse."""
    before, after = (document(*([one] if one else [])) for one in (old, new))
    made = compare.compare(before, after, **options)
    return (made["changes"][0]["change"] if made["changes"] else None), compare.is_worse(made)


@pytest.mark.parametrize(
    ("old", "new", "told", "worse"),
    [
        ("pass", "fail", "new failure", True),
        ("hazard", "error", "new failure", True),
        ("unsupported", "fail", "new failure", True),
        ("pass", "hazard", "worse", True),
        ("pass", "unsupported", "worse", True),
        ("inconclusive", "hazard", "worse", True),
        ("fail", "pass", "fixed", False),
        ("fail", "hazard", "better", False),
        ("hazard", "pass", "better", False),
        ("blocked", "pass", "better", False),
        ("fail", "blocked", "other verdict", False),
        ("hazard", "unsupported", "other verdict", False),
        ("fail", "error", "other verdict", False),
        ("pass", "pass", None, False),
    ],
)
def test_a_verdict_that_rises_is_worse(old: str, new: str, told: str | None, worse: bool) -> None:
    """A failure is new or fixed; what is no longer decided is never better."""
    assert change(finding(old), finding(new)) == (told, worse)


@pytest.mark.parametrize(
    ("old", "new", "told", "worse"),
    [
        ("holds", "refuted", "new failure", True),
        ("holds", "holds-under", "worse", True),
        ("ambiguous", "undecided", "worse", True),
        ("inconsistent", "holds-under", "fixed", False),
        ("refuted", "inconsistent", "other verdict", False),
    ],
)
def test_a_claim_has_its_own_words(old: str, new: str, told: str, worse: bool) -> None:
    """A statement that no longer holds is a new failure too."""
    assert change(finding(old, name=CLAIM), finding(new, name=CLAIM)) == (told, worse)


def test_every_verdict_has_a_rank() -> None:
    """A new verdict cannot be compared until somebody says how grave it is."""
    assert set(compare.RANK) == set(Verdict)


@pytest.mark.parametrize(
    ("old", "new", "told", "worse"),
    [
        (0.9, 1.1, "new failure", True),
        (0.9, math.nan, "new failure", True),
        (0.2, 0.4, "ratio grew", False),
        (0.2, 0.39, None, False),
        (0.0, 0.1, "ratio grew", False),
        (0.01, 0.09, None, False),
        (3.0, 6.0, "ratio grew", False),
        (0.8, 0.1, None, False),
        (math.inf, math.inf, None, False),
        (None, 0.9, None, False),
        (0.9, None, None, False),
    ],
)
def test_a_ratio_that_crosses_one_is_a_new_failure(
    old: float | None, new: float | None, told: str | None, worse: bool
) -> None:
    """Below that only a doubling of at least a tenth is told."""
    assert change(finding("hazard", old), finding("hazard", new)) == (told, worse)


def test_the_worst_route_counts() -> None:
    """A second route that grew is not hidden behind a first one that did not."""
    first = finding("pass", 0.3)
    routes = (*first.routes, Evidence(route="differences", verdict=Verdict.PASS, ratio=0.7))
    assert change(first, first.replace(routes=routes)) == ("ratio grew", False)


def test_a_failing_finding_keeps_its_failure_when_its_ratio_crosses_one() -> None:
    """What failed already cannot begin to fail."""
    assert change(finding("fail", 0.5), finding("fail", 40.0)) == ("ratio grew", False)


def test_findings_come_and_go() -> None:
    """A new finding that fails is a new failure; what is gone is told."""
    assert change(None, finding("pass")) == ("added", False)
    assert change(None, finding("fail")) == ("new failure", True)
    assert change(finding("fail"), None) == ("gone", False)


@pytest.mark.parametrize(("old", "new"), [(finding("pass", 0.2), finding("pass", 0.5)), (finding("pass"), None)])
def test_strict_counts_what_grew_and_what_is_gone(old: Finding, new: Finding | None) -> None:
    """Both are told without it and worse with it."""
    made = compare.compare(document(old), document(*([new] if new else [])))
    assert not compare.is_worse(made)
    assert compare.is_worse(made, strict=True)


def test_verdicts_alone_are_compared_both_ways() -> None:
    """Of what both have any other verdict counts, a better one too; ratios, and what one alone has, do not."""
    stored = document(finding("hazard", 0.2), finding("pass", 0.2, "check/m/c"), finding("pass", name="check/m/d"))
    asked = document(finding("pass", 0.2), finding("pass", 7.0, "check/m/c"), finding("fail", name="check/m/e"))
    made = compare.compare(stored, asked, only_verdicts=True)
    assert [(entry["id"], entry["change"]) for entry in made["changes"]] == [(NAME, "better")]
    assert compare.is_worse(made)
    assert not compare.is_worse(compare.compare(stored, stored, only_verdicts=True))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (("hazard", False), ("pass", True), "asked less"),
        (("fail", False), ("inconclusive", True), "asked less"),
        (("hazard", False), ("fail", True), "new failure"),
        (("pass", False), ("unsupported", True), "worse"),
        (("hazard", True), ("pass", True), "better"),
        (("hazard", True), ("pass", False), "better"),
        (("pass", True), ("hazard", False), "worse"),
    ],
)
def test_what_a_quick_look_did_not_find_is_not_mended(old: tuple[str, bool], new: tuple[str, bool], told: str) -> None:
    """It is told as such, and is no change of a stored document; what it finds all the same counts."""
    before, after = (
        finding(verdict).replace(conditions=(f"{compare.QUICK}fewer points",) if quick else ("in float64",))
        for verdict, quick in (old, new)
    )
    assert change(before, after) == (told, told in ("new failure", "worse"))
    asked_less = told == "asked less"
    assert change(before, after, only_verdicts=True) == ((None, False) if asked_less else (told, True))


def test_a_quick_audit_says_what_it_left_out(tmp_path: Path) -> None:
    """In the words that a comparison looks for, as a whole one does not."""
    path = tmp_path / "mine.py"
    path.write_text("def unit(W):\n    return W / W.norm(dim=1, keepdim=True)\n")
    target = {"checks": ["contract.dtype"], "seed": 0}
    for quick in (True, False):
        (found,) = (f for f in wnverify.audit(f"{path}:unit", quick=quick, **target) if f.check == "contract.dtype")
        assert any(condition.startswith(compare.QUICK) for condition in found.conditions) is quick


def test_what_stands_in_a_stale_part_is_left_out() -> None:
    """It is what other code found; how much was left out is said."""
    parts = {"audit": {"source": "a" * 64, "stale": True, "ids": [NAME]}}
    made = compare.compare(document(finding("pass"), parts=parts), document(finding("fail", name=NAME)))
    assert made["stale"] == {"old": 1, "new": 0}
    assert made["changes"][0]["old"] is None
    both = compare.compare(document(finding("pass"), parts=parts), document(finding("fail"), parts=parts))
    assert (both["changes"], both["compared"]) == ([], 0)
    assert "1 finding of the older, 1 of the newer" in changes.left_out(both)


def test_a_changed_environment_is_told() -> None:
    """Versions by name, with both sides; the date always differs and is not told."""
    old = document(date="2026-01-01", cpu="A", versions={"torch": "2.12", "numpy": "2"})
    new = document(date="2026-01-02", cpu="A", versions={"torch": "2.13", "numpy": "2"}, cluster={"threads": 4})
    assert compare.compare(old, new)["environment"] == [
        {"name": "cluster threads", "old": None, "new": 4},
        {"name": "versions torch", "old": "2.12", "new": "2.13"},
    ]


def test_the_gravest_comes_first() -> None:
    """In the order of the changes, and within one by id."""
    old = document(*(finding("pass", name=f"check/m/{name}") for name in "abcd"))
    verdicts = {"a": "pass", "b": "hazard", "c": "fail", "e": "pass"}
    new = document(*(finding(verdict, name=f"check/m/{name}") for name, verdict in verdicts.items()))
    told = [entry["change"] for entry in compare.compare(old, new)["changes"]]
    assert told == ["new failure", "worse", "gone", "added"]


@pytest.fixture
def pair() -> tuple[dict[str, Any], dict[str, Any]]:
    """A realistic report, and one in which several things changed."""
    old = report_documents.realistic()
    new = json.loads(json.dumps(old))
    by_id = {entry["id"]: entry for entry in new["findings"]}
    names = [name for name, entry in by_id.items() if entry["kind"] == "method" and entry["verdict"] == "pass"]
    by_id[names[0]] |= {"verdict": "fail", "message": "wrong | in <b>one</b> place"}
    by_id[names[1]]["verdict"] = "hazard"
    new["findings"] = [entry for entry in new["findings"] if entry["id"] != names[2]]
    new["environment"]["cpu"] = "another <processor>"
    return old, new


def test_every_form_tells_the_same(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """The page and the Markdown of a report with a comparison have a section on it; without one they have none."""
    old, new = pair
    for view in (html, markdown):
        assert "What changed" not in view.render(new)
    new["comparison"] = compare.compare(old, new, against="old.json")
    results.validate(new, "document")
    page, text = html.render(new), markdown.render(new)
    for told in ("What changed", "New failures: 1", "Worse: 1", "Gone: 1"):
        assert told in page
        assert told in text
    assert "<b>one</b>" not in page
    assert "another &lt;processor&gt;" in page
    assert '<a href="#changes">' in page
    first = new["comparison"]["changes"][0]["id"]
    assert f'<a href="#{first}">' in page
    assert f'id="{first}"' in page
    assert html.render(new) == page


def test_a_document_with_a_comparison_is_valid_by_the_schema(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """The published schema knows the block, and refuses another."""
    old, new = pair
    new["comparison"] = compare.compare(old, new, against="old.json")
    jsonschema.validate(new, results.schema())
    new["comparison"]["changes"][0]["change"] = "sideways"
    with pytest.raises(jsonschema.ValidationError, match="sideways"):
        jsonschema.validate(new, results.schema())
    new["comparison"] = {"schema": "something"}
    with pytest.raises(ValueError, match=r"comparison must be an object with the schema 'wnverify/comparison/1'"):
        results.validate(new, "document")


def written(folder: Path, name: str, doc: Mapping[str, Any]) -> str:
    results.write(folder / name, doc)
    return str(folder / name)


def test_the_exit_status_and_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 nothing worse, 1 something worse; the sheet, the JSON and the Markdown say what."""
    old = written(tmp_path, "old.json", document(finding("pass", 0.1), cpu="A"))
    new = written(tmp_path, "new.json", document(finding("fail", 5.0), cpu="B"))
    assert main(["diff", old, old]) == 0
    assert "no change of findings; 1 finding in both documents." in capsys.readouterr().out
    told, page = tmp_path / "told.json", tmp_path / "told.md"
    assert main(["diff", old, new, "--json", str(told), "--markdown", str(page)]) == 1
    shown = capsys.readouterr().out
    assert "check/m/a.b: ✓ pass, ratio 0.1 → ✕ fail, ratio 5" in shown
    assert "environment: cpu: A → B" in shown
    assert json.loads(told.read_text())["changes"][0]["change"] == Change.NEW_FAILURE
    assert "| `check/m/a.b` |" in page.read_text()
    assert str(tmp_path) not in told.read_text() + page.read_text()
    assert main(["diff", new, old]) == 0
    capsys.readouterr()
    assert main(["diff", new, old, "--verdicts", "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["only_verdicts"] is True


def test_verdicts_of_two_documents_with_nothing_in_common_are_a_wrong_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing was compared, nothing is said to be unchanged."""
    old = written(tmp_path, "old.json", document(finding("pass")))
    new = written(tmp_path, "new.json", document(finding("pass", name="check/m/other")))
    assert main(["diff", old, new, "--verdicts"]) == 2
    assert "nothing in common" in capsys.readouterr().err
    assert main(["diff", old, new]) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory): it must be a results.json"),
        ("", "not strict JSON"),
        ('{"schema": "wnverify/results/1", "findings": [{"id"', "not strict JSON"),
        ("\x00\xff", "it must be a results.json, as every command writes it with --json"),
        ("[1, 2]", "a results document is a JSON object; got list; it must be a results.json"),
        ('{"name": "package"}', "schema must be 'wnverify/results/1'; got None; it must be a results.json"),
        ('{"schema": "wnverify/results/0"}', "this version reads wnverify/results/1 alone; write the file anew"),
        ('{"schema": "wnverify/results/1", "environment": {}}', "timing is missing; it must be an object"),
        ('{"schema": "wnverify/results/1", "environment": {}, "timing": {"x": NaN}}', "NaN stands bare"),
    ],
)
@pytest.mark.parametrize("words", [("diff", "{good}", "{bad}"), ("diff", "{bad}", "{good}"), ("report", "--compare")])
def test_what_is_no_results_document_is_a_wrong_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], content: str | None, said: str
) -> None:
    """Foreign, truncated and older files: the message names the file, what came and what would be right."""
    good, bad = written(tmp_path, "good.json", document(finding())), tmp_path / "bad.json"
    if content is not None:
        bad.write_bytes(content.encode("latin-1"))
    called = [word.format(good=good, bad=bad) for word in words]
    called += [str(bad), "--out", str(tmp_path / "out")] if words[0] == "report" else []
    assert main(called) == 2
    told = capsys.readouterr().err
    assert str(bad) in told
    assert said in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "-", "--markdown", "-"], "both write to standard output"),
        (["--json", "nowhere/x.json"], "--json must be a file in an existing folder; there is no folder nowhere"),
        (["--markdown", "."], "--markdown must be a file; '.' is a folder"),
        (["--json", "x", "--markdown", "./x"], "--json and --markdown must be two files; both are './x'"),
    ],
)
def test_a_file_that_cannot_be_written_is_a_wrong_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """It is said before anything is read."""
    assert main(["diff", "no.json", "no.json", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_report_with_compare_says_what_changed_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the report finds is compared with the old document, written into all three files, and decides the exit."""
    from wnverify import planning, reporting
    from wnverify.planning import Plan
    from wnverify.runner import RunResult

    empty = Plan(mode="quick", specs=(), quick_audit=True, items=(), seconds={}, left_out=())
    monkeypatch.setattr(planning, "plan", lambda *_, **__: empty)
    monkeypatch.setattr("wnverify.guard.prestart", lambda *_: None)
    found = [finding("hazard")]
    monkeypatch.setattr(reporting, "run_plan", lambda *_, **__: RunResult(findings=found, timing={}))
    old = written(tmp_path, "old.json", document(finding("pass")))
    called = ["report", "--quick", "--quiet", "--parts", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    assert main(called) == 0
    assert "comparison" not in results.read(tmp_path / "out/results.json")
    assert main([*called, "--compare", old]) == 1
    stored = results.read(tmp_path / "out/results.json")["comparison"]
    assert (stored["against"], stored["changes"][0]["change"]) == ("old.json", "worse")
    assert "What changed" in (tmp_path / "out/report.md").read_text()
    assert "What changed" in (tmp_path / "out/report.html").read_text()
    found[0] = finding("pass")
    assert main([*called, "--compare", old]) == 0


def test_a_planted_change_is_found_in_the_reference_report() -> None:
    """The stored report of this version, with one verdict turned, is not what it was; as it is, it is."""
    path = Path(__file__).parents[2] / "reports/results.json"
    stored = compare.read(path)
    assert not compare.is_worse(compare.compare(stored, stored, only_verdicts=True))
    stale = {name for entry in stored["parts"].values() if entry.get("stale") for name in entry["ids"]}
    turned = next(entry for entry in stored["findings"] if entry["verdict"] == "pass" and entry["id"] not in stale)
    findings = [{**entry, "verdict": "hazard"} if entry is turned else entry for entry in stored["findings"]]
    made = compare.compare(stored, {**stored, "findings": findings}, only_verdicts=True)
    assert [entry["id"] for entry in made["changes"]] == [turned["id"]]
    assert compare.is_worse(made)
