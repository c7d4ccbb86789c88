"""JUnit XML: well formed whatever a subject calls itself, and counted right."""

import xml.etree.ElementTree as ET

import pytest
from hostile import NAME, VERDICTS, hostile_document, waiver

from wnverify.report.results import document
from wnverify.report.views import junit

ALLOWED = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testcase", "system-out"}),
    "testcase": ({"classname", "name", "time"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""The elements that services read, with their attributes and children."""


def parsed(doc, **options):
    """The root of what is written, read back from bytes as a service does."""
    return ET.fromstring(junit.render(doc, **options).encode("utf-8"))


def cases(root):
    return {case.get("name"): case for case in root.iter("testcase")}


def outcome(case):
    """The names of a case's children."""
    return [child.tag for child in case]


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_structure_is_that_of_junit_for_every_kind_of_finding(doc, strict):
    """Elements, attributes and nesting are the known ones, and every count is that of the elements below."""
    for given in (doc, hostile_document(waiver("applied", "check/norm.py:N/a.fail"), waiver("idle"))):
        root = parsed(given, strict=strict)
        for element in root.iter():
            attributes, children = ALLOWED[element.tag]
            assert set(element.attrib) == attributes
            assert {child.tag for child in element} <= children
        for element in (root, *root.iter("testsuite")):
            tags = [child.tag for case in element.iter("testcase") for child in case]
            assert int(element.get("tests")) == len(list(element.iter("testcase")))
            for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                if element is not root or name != "skipped":
                    assert int(element.get(name)) == tags.count(tag)


def test_each_verdict_of_a_check_has_its_outcome():
    """Fail fails, error errs, what is undecided is skipped with the reason, a hazard passes with what was seen."""
    known = cases(parsed(hostile_document()))
    assert {name.removeprefix("a."): outcome(case) for name, case in known.items()} == {
        "pass": [],
        "fail": ["failure"],
        "hazard": ["system-out"],
        "inconclusive": ["skipped"],
        "unsupported": ["skipped"],
        "blocked": ["skipped"],
        "error": ["error"],
    }
    assert len(known) == len(VERDICTS)
    assert known["a.unsupported"][0].get("message").startswith("unsupported: ")
    assert known["a.fail"].get("time") == "1.250"
    assert "replay: python -m wnverify audit" in known["a.fail"][0].text


def test_a_hazard_fails_where_the_run_was_strict():
    """``strict`` is what the exit code is made of too."""
    assert outcome(cases(parsed(hostile_document(), strict=True))["a.hazard"]) == ["failure"]


def test_what_is_waived_is_skipped_with_the_reason():
    """A waived failure is no failure, its finding stays to be read, and every waiver is accounted for."""
    entry = waiver("applied", "check/norm.py:N/a.fail", reason=NAME)
    root = parsed(hostile_document(entry, waiver("not needed", check="a.pass")))
    case = cases(root)["a.fail"]
    assert outcome(case) == ["skipped", "system-out"]
    assert case[0].get("message").startswith("waived: ]]><x")
    (notes,) = (suite for suite in root.iter("testsuite") if suite.get("name") == "waivers")
    assert "waiver no longer needed: a.pass passes" in notes[0].text
    assert root.get("failures") == "0"


def test_a_name_full_of_marks_and_control_characters_stays_text():
    """Markup is escaped, and what XML cannot hold is written out, so that nothing is lost in silence."""
    case = cases(parsed(hostile_document()))["a.fail"]
    assert "]]><x" in case[0].text
    assert "\x1b" not in junit.render(hostile_document())
    assert junit.legal("\x00\x1b\ud800\uffff\t\U0001f600") == "\\x00\\x1b\\ud800\\uffff\t\U0001f600"


def test_the_same_document_gives_the_same_text_and_an_empty_one_is_valid():
    """A pure function of the document."""
    assert junit.render(hostile_document()) == junit.render(hostile_document())
    assert parsed(document([], environment={}, timing={})).get("tests") == "0"
