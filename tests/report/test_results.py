"""results.json: made, written, read, checked against the published schema, merged."""

import json
import os
import threading

import jsonschema
import pytest
from report_documents import ENVIRONMENT, audit, check, claim, realistic

from wnverify.finding import SCHEMA, Evidence, Finding, Verdict
from wnverify.report import results


@pytest.fixture(scope="module")
def validator():
    """A validator of the published schema, itself checked first."""
    jsonschema.Draft202012Validator.check_schema(results.schema())
    return jsonschema.Draft202012Validator(results.schema())


def small(**parts):
    """A document with one failing and several passing checks."""
    return results.document(audit("mine", 1, flaws=1), environment=ENVIRONMENT, timing={"total": 1.5}, **parts)


def test_a_realistic_document_satisfies_the_published_schema(doc, validator):
    """What ``document`` makes is what the schema publishes, for every kind and verdict."""
    validator.validate(doc)
    assert {data["verdict"] for data in doc["findings"]} == set(map(str, Verdict))


def test_every_field_of_a_finding_and_of_its_evidence_is_described_in_the_schema():
    """A field added to the record without a word in the schema is noticed."""
    published = results.schema()
    assert published["$id"] == SCHEMA == published["properties"]["schema"]["const"]
    for record, name in ((Finding, "finding"), (Evidence, "evidence")):
        properties = published["$defs"][name]["properties"]
        assert set(properties) == set(record.__dataclass_fields__)
        assert all("description" in field or "$ref" in field for field in properties.values())


def spoil(doc, path, value):
    """The document with the entry at ``path`` replaced, or removed where the value is ``...``."""
    *before, last = path
    place = doc
    for step in before:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return doc


WRONG = [
    (("schema",), "wnverify/results/0", "schema must be 'wnverify/results/1'"),
    (("environment",), ..., "environment is missing"),
    (("timing",), [], "timing must be an object"),
    (("findings",), {}, "findings must be a list"),
    (("scope",), {"mode": "some", "left_out": [], "missing": []}, "mode is one of quick, default, full"),
    (("scope",), {"mode": "full", "left_out": [], "missing": None}, "scope['missing'] must be a list of strings"),
    (("coverage",), {"wn": {"rows": "many", "decided": 1}}, "coverage['wn'] must be an object with rows (int)"),
    (("coverage",), {"wn": {"rows": 1, "decided": 1, "subjects": "cwn"}}, "coverage['wn']['subjects'] must be a list"),
    (("parts",), {"audit": {}}, "parts['audit'] must be an object with source (str)"),
    (("findings", 0, "kind"), "guess", "kind must be one of"),
    (("findings", 0, "id"), "check/a path/x", "id must be kind/subject/check"),
    (("findings", 0, "verdict"), "holds", "verdict of a check must be one of"),
    (("findings", 0, "verdict"), "fine", "'fine' is not a valid Verdict"),
    (("findings", 0, "statement"), ..., "statement must be a string; got None"),
    (("findings", 0, "witness"), ..., "witness is missing"),
    (("findings", 0, "conditions"), "none", "conditions must be a list"),
    (("findings", 0, "strength"), "strong", "strength must be one of"),
    (("findings", 0, "routes", 0, "route"), "guess", "routes[0]: route must be one of"),
    (("findings", 0, "routes", 0, "ratio"), "high", "ratio and power must be"),
    (("findings", 0, "routes", 0, "verdict"), ..., "routes[0] must be an object with route, verdict"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_a_wrong_document_is_refused_by_the_schema_and_by_read_with_the_place(
    path, value, message, validator, tmp_path
):
    """Both guards refuse; ``read`` names the file, the finding and what would be right."""
    wrong = spoil(small(), path, value)
    assert not validator.is_valid(wrong)
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(wrong))
    with pytest.raises(ValueError, match=r"wrong\.json: ") as caught:
        results.read(file)
    assert message in str(caught.value)
    if path[0] == "findings" and len(path) > 1:
        assert "findings[0]" in str(caught.value)


@pytest.mark.parametrize("verdict", sorted(set(map(str, Verdict))))
def test_the_schema_knows_the_vocabulary_of_each_kind(verdict, validator):
    """A check may not hold and a claim may not pass; blocked and error may end either."""
    document = small()
    document["findings"][0]["verdict"] = verdict
    claims = ("holds", "holds-under", "refuted", "inconsistent", "ambiguous", "undecided")
    assert validator.is_valid(document) is (verdict not in claims)
    document["findings"][0] |= {"kind": "theory", "id": "theory/a/b"}
    assert validator.is_valid(document) is (verdict in (*claims, "blocked", "error"))


@pytest.mark.parametrize(("text", "message"), [("{", "not strict JSON"), ("[]", "is a JSON object; got list")])
def test_what_is_no_document_is_refused(text, message, tmp_path):
    """Broken JSON and other JSON are told apart, with the file's name."""
    file = tmp_path / "odd.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        results.read(file)


def test_a_bare_nan_is_refused_and_its_name_is_read(tmp_path):
    """JSON is strict both ways: NaN is written as a string, and only that is read."""
    nan = Evidence(route="arithmetic", verdict=Verdict.FAIL, ratio=float("nan"), power=float("inf"))
    doc = results.document([check("s", "a.b", Verdict.FAIL).replace(routes=(nan,))], environment={}, timing={})
    file = tmp_path / "r.json"
    results.write(file, doc)
    assert '"ratio": "NaN"' in file.read_text()
    assert results.findings_of(results.read(file))[0].routes[0].power == float("inf")
    file.write_text(file.read_text().replace('"NaN"', "NaN"))
    with pytest.raises(ValueError, match="NaN stands bare"):
        results.read(file)


def test_what_is_written_is_read_back_and_has_no_order_of_its_own(tmp_path):
    """The bytes depend on the findings alone, not on the order in which they came."""
    found = audit("mine", 2, flaws=3)
    for name, order in (("a", found), ("b", found[::-1])):
        results.write(tmp_path / name, results.document(order, environment=ENVIRONMENT, timing={}))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert results.findings_of(results.read(tmp_path / "a")) == results.findings_of(
        results.document(found, environment=ENVIRONMENT, timing={})
    )
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_every_finding_is_one_line_of_the_file(tmp_path):
    """A change of a finding shows as the change of its line."""
    results.write(tmp_path / "r.json", small())
    lines = [line.strip().rstrip(",") for line in (tmp_path / "r.json").read_text().splitlines()]
    assert [json.loads(line) for line in lines if line.startswith('{"')] == small()["findings"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    """A reader sees the old document or the new one, never a half."""
    file = tmp_path / "r.json"
    results.write(file, small())
    before = file.read_bytes()

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="disk full"):
        results.write(file, realistic(1, 1))
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == ["r.json"]


def test_a_link_keeps_naming_its_file_and_a_pipe_stays_one(tmp_path):
    """Only a regular file is replaced: neither /dev/null nor a named pipe becomes one."""
    (tmp_path / "folder").mkdir()
    file, link, pipe = tmp_path / "folder/r.json", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to("folder/r.json")
    for _ in range(2):  # a link to nothing, and to a file
        results.write(link, small())
        assert link.is_symlink()
        assert results.read(file) == small()
        assert os.listdir(file.parent) == ["r.json"]
    os.mkfifo(pipe)
    taken = []
    reader = threading.Thread(target=lambda: taken.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    results.write(pipe, small())
    assert pipe.is_fifo()
    reader.join()
    assert json.loads(taken[0]) == small()


def test_findings_out_of_order_or_named_twice_are_refused(tmp_path):
    """Sorted by id, each id once, both in ``document`` and in ``read``."""
    finding = check("s", "a.b", Verdict.PASS)
    with pytest.raises(ValueError, match="two findings have the id"):
        results.document([finding, finding], environment={}, timing={})
    doc = small()
    for broken, message in ((doc["findings"][::-1], "comes after"), (doc["findings"][:1] * 2, "used twice")):
        with pytest.raises(ValueError, match=message):
            results.validate({**doc, "findings": broken}, "here")


def test_merge_unites_findings_coverage_parts_and_times():
    """Nothing of either document is lost; where both timed the same thing both values stay."""
    first = results.document(
        [claim("wn", 1, Verdict.HOLDS)],
        environment={**ENVIRONMENT, "date": "today"},
        timing={"total": 2.0, "by": {"wn": 1.0}},
        coverage={"wn": {"rows": 1, "decided": 1}},
        parts={"report": {"source": "a"}},
    )
    merged = results.merge(first, small(parts={"audit": {"source": "b"}}))
    assert len(merged["findings"]) == 1 + len(small()["findings"])
    assert merged["environment"]["date"] == "today"
    assert merged["timing"] == {"total": [2.0, 1.5], "by": {"wn": 1.0}}
    assert merged["coverage"] == {"wn": {"rows": 1, "decided": 1}}
    assert merged["parts"]["audit"]["date"] == ENVIRONMENT["date"]
    assert merged["parts"]["audit"]["ids"] == [data["id"] for data in small()["findings"]]


def test_merge_refuses_a_second_use_of_an_id_and_parts_of_different_sources():
    """Two answers to one question are an error, as are two states of one command."""
    with pytest.raises(ValueError, match="two findings have the id"):
        results.merge(small(), small())
    other = results.document([], environment={}, timing={}, parts={"audit": {"source": "b"}})
    with pytest.raises(ValueError, match="part 'audit' from different sources"):
        results.merge(small(parts={"audit": {"source": "a"}}), other)


def test_a_part_without_its_source_is_refused():
    """Nothing says whether such a document is current."""
    with pytest.raises(ValueError, match="parts is empty"):
        results.take_part(results.document([], environment=ENVIRONMENT, timing={}), small())


def test_the_source_hash_sees_a_change_a_new_file_and_a_new_name(tmp_path):
    """Bytes and relative names count; other files and the place of the folder do not."""
    (tmp_path / "one" / "sub").mkdir(parents=True)
    (tmp_path / "two" / "sub").mkdir(parents=True)
    for root in ("one", "two"):
        (tmp_path / root / "sub" / "a.py").write_text("x = 1\n")
    first = results.source_hash(tmp_path / "one")
    assert results.source_hash(tmp_path / "two") == first
    (tmp_path / "two" / "note.txt").write_text("no source")
    assert results.source_hash(tmp_path / "two") == first
    (tmp_path / "two" / "sub" / "a.py").rename(tmp_path / "two" / "a.py")
    renamed = results.source_hash(tmp_path / "two")
    (tmp_path / "two" / "a.py").write_text("x = 2\n")
    assert len({first, renamed, results.source_hash(tmp_path / "two")}) == 3


def test_the_environment_names_versions_without_importing_and_no_path():
    """Versions come from metadata; a distribution that is absent is null; no directory of the machine is told."""
    environment = results.environment()
    assert environment["versions"]["torch"]
    assert environment["date"].endswith("+00:00")
    assert os.getcwd() not in json.dumps(environment)
