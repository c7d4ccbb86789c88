"""The gallery of public maps: its table, its adapters, its pinned versions, its results and what is said of them."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from wnverify.report.views.markdown import render

GALLERY = Path(__file__).parents[2] / "examples" / "gallery"
ADAPTERS = [*sorted(GALLERY.glob("*_maps.py")), GALLERY / "small_norms.py"]
TARGETS = (GALLERY / "targets.txt").read_text(encoding="utf-8").split()
ACCUSES = ("fail", "error", "hazard")


def public(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [node.name for node in named if not node.name.startswith("_")]


def results() -> dict[str, object]:
    return json.loads((GALLERY / "results.json").read_text(encoding="utf-8"))


def test_the_table_names_every_adapter_once():
    """What is in the files is in the table, and nothing else; there are twenty at least."""
    assert sorted(TARGETS) == sorted(f"{path.name}:{name}" for path in ADAPTERS for name in public(path))
    assert len(TARGETS) >= 20


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.name)
def test_an_adapter_is_foreign_code(path):
    """It compiles, declares something, and imports nothing of the lab."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(compile(text, path.name, "exec", ast.PyCF_ONLY_AST)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any((name or "").startswith("wnverify") for name in names)
    assert "DECLARES" in text


def test_every_version_is_pinned():
    """A line of the requirements is a comment or one package at one version."""
    for line in (GALLERY / "requirements.txt").read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line), line


def test_the_results_are_of_the_table_and_the_page_is_made_of_them():
    """Only targets of the table were judged, and findings.md is what the view makes of results.json."""
    found = results()
    subjects = {finding["subject"] for finding in found["findings"]}
    assert subjects
    assert subjects <= set(TARGETS)
    assert (GALLERY / "findings.md").read_text(encoding="utf-8") == render(found)


def test_the_notes_speak_of_every_accusation():
    """Each failure, error and hazard has its check named in the section of its target."""
    notes = (GALLERY / "notes.md").read_text(encoding="utf-8")
    sections = {head.strip(" `"): body for head, body in re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", notes, re.M)}
    for finding in results()["findings"]:
        if finding["verdict"] in ACCUSES:
            assert f"`{finding['check']}`" in sections[finding["subject"]], finding["id"]
