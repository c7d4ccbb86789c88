"""Stored parts: current or stale, taken in beside what is fresh, and complete in what they depend on."""

from pathlib import Path

import grimp
import pytest
from report_documents import ENVIRONMENT, audit, check, realistic, selftest

from wnverify.faults.catalogue import faults, right_variants
from wnverify.finding import Verdict
from wnverify.methods.catalogue import methods
from wnverify.numerics.topics import TOPICS
from wnverify.report import parts, results
from wnverify.report.digest import digest
from wnverify.report.views import html, markdown

FRESH = results.document([], environment=ENVIRONMENT, timing={})
IDS = [data["id"] for data in results.document(audit("mine", 1), environment={}, timing={})["findings"]]


def stored(command, findings, **entry):
    """The document of a command as it was stored."""
    return results.document(
        findings, environment=ENVIRONMENT, timing={}, parts={command: {**results.part(command), **entry}}
    )


@pytest.mark.parametrize("command", [*parts.DEPENDS, "something-else"])
def test_a_part_is_stale_exactly_when_its_source_has_changed(command):
    """The hash of what its findings depend on decides, for a listed command as for any other."""
    now = results.take_part(FRESH, stored(command, audit("mine", 1)))
    assert now["parts"][command]["stale"] is False
    then = results.take_part(FRESH, stored(command, audit("mine", 1), source="0" * 64))
    assert then["parts"][command]["stale"] is True
    assert then["parts"][command]["ids"] == IDS


def test_a_part_depends_on_its_own_files_alone(tmp_path):
    """A change of a listed file is seen, one of any other is not, and whether it is a folder or a file is all one."""
    for name in ("auditing/a.py", "report/b.py", "finding.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    before = parts.source_hash(tmp_path, ("auditing", "finding"))
    (tmp_path / "report" / "b.py").write_text("x = 2\n")
    assert parts.source_hash(tmp_path, ("auditing", "finding")) == before
    for name in ("auditing/a.py", "finding.py"):
        (tmp_path / name).write_text("x = 2\n")
        assert parts.source_hash(tmp_path, ("auditing", "finding")) != before
        before = parts.source_hash(tmp_path, ("auditing", "finding"))


@pytest.fixture(scope="module")
def imports():
    """Module → the modules of the package that it imports, anywhere in its text."""
    graph = grimp.build_graph("wnverify")
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def uncovered(imports, depends, apart=()):
    """Imports of the listed modules that lead to a module which is not listed."""
    top = {name: name.split(".")[1] for name in imports if "." in name}
    inside = [name for name in top if top[name] in depends and name not in apart]
    return {
        f"{name} → {other}"
        for name in inside
        for other in imports[name]
        if other in top and top[other] not in (*depends, *parts.ONLY_SHOWN)
    }


@pytest.mark.parametrize("command", parts.DEPENDS)
def test_a_part_lists_all_that_its_findings_depend_on(imports, command):
    """What a listed module imports is listed too; the audit's own selftest is no part of an audit."""
    depends = parts.DEPENDS[command]
    apart = () if command == "selftest" else ("wnverify.auditing.selftest", "wnverify.auditing.gradchecked")
    assert uncovered(imports, depends, apart) == set()
    package = Path(parts.__file__).parents[1]
    assert all((package / name).is_dir() or (package / f"{name}.py").is_file() for name in depends)


def test_a_list_that_leaves_something_out_is_noticed(imports):
    """The planted faults: of the names that others import one is left out."""
    for name in ("finding", "oracles", "primitives", "workitem"):
        assert uncovered(imports, [other for other in parts.DEPENDS["selftest"] if other != name])


def test_what_is_named_by_a_string_is_listed_too():
    """Methods, planted faults and topics are imported by name, which no graph of imports shows."""
    named = {method.implementation.split(":")[0] for method in methods() if method.implementation}
    wanted = {"audit": named, "numerics": {topic.function.split(":")[0] for topic in TOPICS}}
    wanted["selftest"] = {row.target.split(":")[0] for row in (*faults(), *right_variants())}
    for command, modules in wanted.items():
        ours = {name.split(".")[1] for name in modules if name.startswith("wnverify.")}
        assert ours
        assert ours <= set(parts.DEPENDS[command])


def test_of_two_findings_with_one_id_the_one_that_is_known_better_stays():
    """Beside a stale part the fresh one; beside a current one the stored, unless the fresh one is graver."""
    one, other = check("s", "a.b", Verdict.PASS), check("s", "a.c", Verdict.PASS)

    def kept(fresh, old, **entry):
        doc = results.document([fresh, other], environment=ENVIRONMENT, timing={})
        taken = results.take_part(doc, stored("audit", [old], **entry))
        (found,) = [data for data in taken["findings"] if data["id"] == one.id]
        return found["message"], one.id in taken["parts"]["audit"]["ids"]

    fresh, old = one.replace(message="fresh"), one.replace(message="old")
    assert kept(fresh, old) == ("old", True)
    assert kept(fresh, old, source="0" * 64) == ("fresh", False)
    assert kept(fresh.replace(verdict=Verdict.FAIL), old) == ("fresh", False)
    assert kept(fresh, old.replace(verdict=Verdict.FAIL)) == ("old", True)
    assert kept(fresh, old.replace(verdict=Verdict.FAIL), source="0" * 64) == ("fresh", False)


VIEWS = [pytest.param(html.render, id="html"), pytest.param(markdown.render, id="markdown")]


@pytest.mark.parametrize("render", VIEWS)
def test_a_stale_selftest_is_never_shown_as_current(render):
    """The figures on planted faults say that they are stale, beside the table of parts; a current one says nothing."""
    old = render(results.take_part(FRESH, stored("selftest", selftest(), source="0" * 64)))
    assert "the source has changed since the selftest ran" in old
    assert "stale" in old.partition("What it is made of")[2]
    new = render(results.take_part(FRESH, stored("selftest", selftest())))
    assert "the source has changed since" not in new
    assert "stored, current" in new


@pytest.mark.parametrize("render", VIEWS)
def test_a_missing_part_and_what_was_left_out_are_said(render):
    """The reader learns what the report does not say."""
    scope = {"mode": "quick", "left_out": ["The theory is left out."], "missing": ["device", "selftest"]}
    text = render(results.document([], environment={}, timing={}, scope=scope))
    assert "A report in quick mode" in text
    assert "The theory is left out." in text
    assert "no stored part of device, selftest" in text


@pytest.mark.parametrize("render", VIEWS)
def test_the_gallery_is_apart_with_its_notes(render):
    """Other people's maps are in no count; what is wrong with them stands beside what was found by hand."""
    bad = check("theirs", "edge.zero_row", Verdict.FAIL)
    noted = bad.routes[0].__class__(route="exact", verdict=Verdict.FAIL, figures={"note": "true of release 1.2"})
    doc = results.take_part(FRESH, stored("gallery", [bad.replace(routes=(noted,)), *audit("other", 1)]))
    data = digest(doc)
    assert data.current == []
    assert data.wrong("check") == []
    assert [subject.name for subject in data.gallery] == ["other", "theirs"]
    text = render(doc)
    assert "Audits of public variants" in text
    assert "true of release 1.2" in text
    assert "Nothing was found wrong." in text or "Nothing: no statement was refuted and no check failed." in text
    assert "Audits of public variants" not in render(realistic(1, 1))


def test_a_folder_of_parts_is_read_by_name_and_a_file_is_refused(tmp_path):
    """A folder that does not exist holds nothing."""
    for name in ("b.json", "a.json", "notes.txt"):
        (tmp_path / name).write_text("{}")
    assert [path.name for path in parts.files(tmp_path)] == ["a.json", "b.json"]
    assert parts.files(tmp_path / "nowhere") == []
    with pytest.raises(ValueError, match="--parts must be a folder"):
        parts.files(tmp_path / "a.json")


def test_a_part_names_the_source_that_its_command_began_with(monkeypatch, tmp_path):
    """A file that is edited after a command first asked is not the source of what the command found."""
    (tmp_path / "finding.py").write_text("before")
    monkeypatch.setattr(parts, "__file__", str(tmp_path / "report" / "parts.py"))
    parts._of_package.cache_clear()
    try:
        begun = parts.part("numerics")["source"]
        (tmp_path / "finding.py").write_text("after")
        assert parts.part("numerics")["source"] == begun
        assert parts.source_hash(tmp_path, parts.DEPENDS["numerics"]) != begun
    finally:
        parts._of_package.cache_clear()
