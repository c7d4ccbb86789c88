"""The gallery of public maps: its table, its adapters, its pinned versions, its stored part and what is said of it."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report import results

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "examples" / "gallery"
ADAPTERS = [*sorted(GALLERY.glob("*_maps.py")), GALLERY / "small_norms.py"]
RUN = runpy.run_path(str(GALLERY / "run.py"))
NAMES: dict[str, str] = RUN["public_names"]()
NOTES: dict[tuple[str, str], str] = RUN["notes"]()
REQUIREMENTS = (GALLERY / "requirements.txt").read_text(encoding="utf-8").splitlines()
ACCUSES = ("fail", "error", "hazard")
LARGEST = 3_000_000
"""Bytes of a stored part, which is kept in the repository."""


def public(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [node.name for node in named if not node.name.startswith("_")]


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return results.read(RUN["PART"])


def test_the_table_names_every_adapter_once():
    """It has what is in the files and nothing else, each under a name of its own, and twenty targets at least."""
    assert sorted(NAMES) == sorted(f"{path.name}:{name}" for path in ADAPTERS for name in public(path))
    assert len(set(NAMES.values())) == len(NAMES) >= 20


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.name)
def test_an_adapter_is_foreign_code(path):
    """It compiles, declares something, and imports nothing of the lab."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(compile(text, path.name, "exec", ast.PyCF_ONLY_AST)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any((name or "").startswith("wnverify") for name in names)
    assert "DECLARES" in text


@pytest.mark.parametrize("line", [line for line in REQUIREMENTS if not line.startswith("#")])
def test_every_version_is_pinned(line):
    """A line of the requirements is a comment or one package at one version."""
    assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line)


def test_the_stored_part_is_a_results_document_of_the_whole_table(stored):
    """It keeps to the published schema and to its size, and every map of the table was judged under its public name."""
    jsonschema.validate(stored, results.schema())
    assert {finding["subject"] for finding in stored["findings"]} == set(NAMES.values())
    assert RUN["PART"].stat().st_size <= LARGEST


def test_the_stored_part_says_what_it_was_made_of(stored):
    """Its entry has the hash of the source, the date, and the version of every package that the requirements pin."""
    part = stored["parts"]["gallery"]
    assert re.fullmatch(r"[0-9a-f]{64}", part["source"])
    assert part["date"] == stored["environment"]["date"]
    pinned = dict(line.split("==") for line in REQUIREMENTS if not line.startswith("#"))
    versions = {name: version.partition("+")[0] for name, version in part["versions"].items()}
    assert versions.items() >= pinned.items()
    assert versions["torch"] == stored["environment"]["versions"]["torch"].partition("+")[0]


def test_every_accusation_bears_its_note(stored):
    """A failure, error or hazard says with it whether it is true, in the words of notes.md."""
    for finding in stored["findings"]:
        if finding["verdict"] in ACCUSES:
            note = NOTES[finding["subject"], finding["check"]]
            beside = [route["figures"].get("note") for route in finding["routes"]] + finding["conditions"]
            assert note in beside or f"note: {note}" in beside, finding["id"]


def test_no_note_is_of_a_map_that_is_not_in_the_table():
    """Each section of notes.md is headed by the public name of a target."""
    assert {name for name, _ in NOTES} <= set(NAMES.values())


def test_a_failure_came_back_in_a_fresh_process(stored):
    """Whatever failed says so; what it did not repeat is no failure."""
    failed = [finding for finding in stored["findings"] if finding["verdict"] == "fail"]
    assert failed
    for finding in failed:
        assert "reproduced in a fresh process" in finding["conditions"], finding["id"]


def test_every_family_was_asked(stored):
    """Nothing of the audit is left out: costs and ways to run are there beside the rest."""
    checks = {finding["check"].partition(".")[0] for finding in stored["findings"]}
    assert checks >= {"contract", "property", "gradient", "edge", "precision", "execution", "cost", "lifecycle"}


def test_a_note_is_the_item_that_names_the_check():
    """An item of a section covers every check that it names, and no check of another section."""
    assert NOTES["torch.nn.utils.parametrizations.weight_norm", "gradient.second_order"].startswith(
        "`gradient.second_order`"
    )
    assert ("geotorch.sphere", "edge.zero_row") not in NOTES


def test_what_passed_has_no_figures(stored):
    """The figures of an accusation are whole, those of a pass are left out."""
    for finding in stored["findings"]:
        kept = [bool(route["figures"]) for route in finding["routes"]]
        if finding["verdict"] == "pass" and finding["check"] != "subject.description":
            assert not any(kept), finding["id"]
        if finding["verdict"] == "fail":
            assert all(kept), finding["id"]


def test_publishing_changes_the_name_and_leaves_the_verdict():
    """The note goes to the first route; a finding without a note or an accusation is only renamed."""

    def finding(verdict: Verdict) -> Finding:
        said = {"subject": "a.py:b", "check": "edge.scale", "statement": "?", "replay": ""}
        route = Evidence(route="exact", verdict=verdict, figures={"cases": {}})
        return Finding(kind="check", id="check/a.py:b/edge.scale", verdict=verdict, routes=(route, route), **said)

    for verdict in (Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE):
        made = RUN["published"](finding(verdict), "pkg.map", {("pkg.map", "edge.scale"): "true."})
        assert (made.id, made.subject, made.verdict) == ("check/pkg.map/edge.scale", "pkg.map", verdict)
        notes = [route.figures.get("note") for route in made.routes]
        assert notes == ["true." if verdict is Verdict.FAIL else None, None]
