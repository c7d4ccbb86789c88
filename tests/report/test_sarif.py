"""SARIF 2.1.0: the constraints of the standard that concern what is written, and what services make of it."""

import json

import jsonschema
import pytest
from hostile import hostile_document, waiver
from report_documents import check

from wnverify.finding import Evidence, Verdict
from wnverify.report.results import document
from wnverify.report.views import sarif

MESSAGE = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
RULE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "shortDescription": MESSAGE}}
PHYSICAL = {
    "type": "object",
    "required": ["artifactLocation", "region"],
    "properties": {
        "artifactLocation": {
            "type": "object",
            "required": ["uri"],
            "properties": {
                "uri": {"type": "string", "pattern": r"^[A-Za-z0-9\-._~%!$&'()*+,;=:@/]+$"},
                "uriBaseId": {"type": "string"},
            },
            "additionalProperties": False,
        },
        "region": {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}},
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "ruleIndex", "level", "kind", "locations", "partialFingerprints"],
    "properties": {
        "message": MESSAGE,
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "kind": {"const": "fail"},
        "level": {"enum": ["warning", "error"]},
        "locations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"physicalLocation": PHYSICAL, "logicalLocations": {"type": "array", "minItems": 1}},
                "additionalProperties": False,
            },
        },
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "suppressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["inSource", "external"]},
                    "status": {"enum": ["accepted", "underReview", "rejected"]},
                    "justification": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
        "properties": {"type": "object"},
    },
    "additionalProperties": False,
}
NOTIFICATION = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": MESSAGE,
        "level": {"enum": ["none", "note", "warning", "error"]},
        "associatedRule": {"type": "object", "properties": {"id": {"type": "string"}, "index": {"type": "integer"}}},
    },
    "additionalProperties": False,
}
RUN = {
    "type": "object",
    "required": ["tool", "results"],
    "properties": {
        "tool": {
            "type": "object",
            "required": ["driver"],
            "properties": {
                "driver": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "version": {"type": "string"},
                        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
                    },
                    "additionalProperties": False,
                }
            },
        },
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "invocations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["executionSuccessful"],
                "properties": {
                    "executionSuccessful": {"type": "boolean"},
                    "toolExecutionNotifications": {"type": "array", "items": NOTIFICATION},
                },
                "additionalProperties": False,
            },
        },
        "results": {"type": "array", "items": RESULT},
    },
    "additionalProperties": False,
}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": RUN},
    },
    "additionalProperties": False,
}
"""The standard's constraints on what is written here, by hand: its own schema cannot be fetched by a test."""


def run_of(doc, **options):
    """The one run of the log, read back from bytes as strict JSON, after the structure has been checked."""
    text = sarif.render(doc, **options).encode("utf-8").decode("utf-8")
    log = json.loads(text, parse_constant=lambda name: pytest.fail(f"bare {name}"))
    jsonschema.Draft202012Validator(LOG).validate(log)
    return log["runs"][0]


def levels(run):
    return {result["ruleId"]: result["level"] for result in run["results"]}


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_structure_is_that_of_the_standard_and_rules_are_found_by_index(doc, strict):
    """Whatever findings there are: the log is valid, every result and notification points to its rule."""
    for given in (doc, hostile_document(waiver("applied", "check/norm.py:N/a.fail"), waiver("idle"))):
        run = run_of(given, strict=strict)
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == sorted({rule["id"] for rule in rules})
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        for note in run["invocations"][0]["toolExecutionNotifications"]:
            if "associatedRule" in note:
                assert rules[note["associatedRule"]["index"]]["id"] == note["associatedRule"]["id"]
        fingerprints = [result["partialFingerprints"]["wnverifyFinding/v1"] for result in run["results"]]
        assert len(set(fingerprints)) == len(fingerprints)


def test_results_are_what_is_wrong_or_dangerous_and_nothing_else():
    """A pass is no result; what could not be decided is a notification, never an alert; every check is a rule."""
    run = run_of(hostile_document())
    assert levels(run) == {"a.fail": "error", "a.error": "error", "a.hazard": "warning"}
    noted = {note["associatedRule"]["id"] for note in run["invocations"][0]["toolExecutionNotifications"]}
    assert noted == {"a.inconclusive", "a.unsupported", "a.blocked"}
    assert "a.pass" in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["invocations"][0]["executionSuccessful"] is False
    assert levels(run_of(hostile_document(), strict=True))["a.hazard"] == "error"


def test_a_result_points_to_the_line_where_the_subject_begins():
    """The path hangs on the root of the sources, with its blanks encoded."""
    for result in run_of(hostile_document())["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "src/a%20b.py", "uriBaseId": "%SRCROOT%"}
        assert place["region"] == {"startLine": 7}


def test_a_waived_failure_is_suppressed_with_its_reason_and_keeps_its_level():
    """A service shows it as dismissed."""
    run = run_of(hostile_document(waiver("applied", "check/norm.py:N/a.fail", reason="issue 12")))
    (waived,) = (result for result in run["results"] if "suppressions" in result)
    assert (waived["ruleId"], waived["level"]) == ("a.fail", "error")
    assert waived["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "issue 12"}]


def test_a_subject_cannot_write_a_link_or_a_control_character():
    """``[text](target)`` would be one in a message."""
    text = sarif.render(hostile_document())
    assert "](" not in text
    assert "http://evil" in text
    assert not {mark for mark in text if not mark.isprintable()} - {"\n"}


def test_a_ratio_that_is_no_number_keeps_the_json_strict():
    """NaN and infinity are strings, as in results.json."""
    route = Evidence(route="arithmetic", verdict=Verdict.FAIL, ratio=float("inf"))
    found = check("s", "a.b", Verdict.FAIL, case="c").replace(routes=(route,))
    run = run_of(document([found], environment={}, timing={}))
    assert run["results"][0]["properties"]["ratio"] == "Infinity"
