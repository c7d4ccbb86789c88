"""A document as SARIF 2.1.0, for code-scanning services.

A check is a rule.  A ``fail`` or ``error`` is a result of level ``error``, a hazard one of level ``warning`` (``error``
where hazards are failures); what is waived is suppressed, with its reason as the justification.  What could not be
decided is no result but a notification of the run, so that no service shows it as an alert.  Passes are left out.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding, Verdict, dumps
from wnverify.report.digest import digest, worst_ratio
from wnverify.report.places import Place, places
from wnverify.report.standing import Standing, remark, standing, waived
from wnverify.report.wording import one_line, printable

VERSION: Final = "2.1.0"
SCHEMA_URI: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL: Final = {Standing.FAILURE: "error", Standing.ERROR: "error", Standing.WARNING: "warning"}
_MESSAGE: Final = 1000


def render(doc: Mapping[str, Any], *, strict: bool = False, folder: str = "") -> str:
    """The log as JSON text; ``strict`` as the run was called, ``folder`` as in ``places``."""
    found = digest(doc).current
    reasons, where = waived(doc), places(doc, folder)
    rules = _rules(found)
    index = {rule["id"]: place for place, rule in enumerate(rules)}
    results, notifications = [], []
    for finding in found:
        # What is waived keeps the level that it has without its waiver.
        stands = standing(finding, strict=strict)
        if stands in _LEVEL:
            result = _result(finding, _LEVEL[stands], index[finding.check], where.get(finding.subject))
            if finding.id in reasons:
                justification = _text(reasons[finding.id])
                result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
            results.append(result)
        elif stands is Standing.SKIPPED:
            notifications.append(_notification(finding, index[finding.check]))
    for entry in doc.get("waivers", ()):
        if entry["state"] != "applied":
            notifications.append({"level": "warning", "message": {"text": _text(remark(entry))}})
    invocation = {
        "executionSuccessful": not any(finding.verdict is Verdict.ERROR for finding in found),
        "toolExecutionNotifications": notifications,
    }
    driver: dict[str, Any] = {"name": "wnverify", "rules": rules}
    if version := (doc["environment"].get("versions") or {}).get("wnverify"):
        driver["version"] = version
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": results,
    }
    return dumps({"$schema": SCHEMA_URI, "version": VERSION, "runs": [run]}, indent=1) + "\n"


def _rules(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Every check that was asked, also where it passed, in the order of ids."""
    asked = {finding.check: finding.statement for finding in reversed(findings)}
    return [{"id": name, "shortDescription": {"text": _text(asked[name]) or name}} for name in sorted(asked)]


def _result(finding: Finding, level: str, rule: int, place: Place | None) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": _text(f"{finding.subject}/{finding.check}"), "kind": "function"}]
    }
    if place is not None:
        location["physicalLocation"] = {
            "artifactLocation": _artifact(place.file),
            "region": {"startLine": place.line},
        }
    ratio = worst_ratio(finding)
    properties: dict[str, Any] = {"verdict": str(finding.verdict), "id": finding.id}
    if ratio is not None:
        properties["ratio"] = ratio
    if finding.replay:
        properties["replay"] = printable(finding.replay)
    said = f"{finding.subject}: {finding.verdict}. {finding.statement} {finding.message}"
    return {
        "ruleId": finding.check,
        "ruleIndex": rule,
        "kind": "fail",
        "level": level,
        "message": {"text": _text(said)},
        "locations": [location],
        "partialFingerprints": {"wnverifyFinding/v1": hashlib.sha256(finding.id.encode()).hexdigest()},
        "properties": properties,
    }


def _notification(finding: Finding, rule: int) -> dict[str, Any]:
    return {
        "level": "note",
        "message": {"text": _text(f"{finding.id}: {finding.verdict}. {finding.message}")},
        "associatedRule": {"id": finding.check, "index": rule},
    }


def _artifact(file: str) -> dict[str, str]:
    """A relative path hangs on the root of the sources; an absolute one is a file address."""
    path = urllib.parse.quote(file.replace("\\", "/").removeprefix("./"))
    return {"uri": f"file://{path}"} if path.startswith("/") else {"uri": path, "uriBaseId": "%SRCROOT%"}


def _text(text: str) -> str:
    """Text on one line in which a viewer finds no link of a subject's making: ``[text](target)`` is one in SARIF."""
    return one_line(printable(text), _MESSAGE).replace("](", "] (")
