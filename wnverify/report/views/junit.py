"""A document as JUnit XML, the form that continuous-integration services read.

A subject is a test suite, a finding a test case.  ``fail`` is a failure, ``error`` an error; ``inconclusive``,
``unsupported``, ``blocked`` and what is waived are skipped with the reason; a hazard passes, with what was seen as its
output (a failure where hazards are one).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from wnverify.finding import Finding
from wnverify.report.digest import Digest, Subject, digest
from wnverify.report.plaintext import because, in_full
from wnverify.report.standing import Standing, remark, standing, waived
from wnverify.report.wording import one_line

# The characters that XML 1.0 allows; no escape makes others legal.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MESSAGE: Final = 300


def render(doc: Mapping[str, Any], *, strict: bool = False) -> str:
    """The XML text; ``strict`` as the run was called."""
    data = digest(doc)
    root = ET.Element("testsuites", name="wnverify")
    reasons = waived(doc)
    totals: Counter[str] = Counter()
    for subject in (*(s for group in data.groups.values() for s in group), data.selftest):
        totals += _suite(root, data, subject, reasons, strict)
    _count(root, totals)
    del root.attrib["skipped"]  # the schema of Jenkins has no such attribute here
    notes = [remark(entry) for entry in doc.get("waivers", ())]
    if notes:
        suite = ET.SubElement(root, "testsuite", name="waivers")
        _count(suite, Counter())
        ET.SubElement(suite, "system-out").text = legal("\n".join(notes))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, data: Digest, subject: Subject, reasons: Mapping[str, str], strict: bool) -> Counter[str]:
    judged = [finding for finding in subject.findings if finding.id not in data.stale]
    totals: Counter[str] = Counter()
    if not judged:
        return totals
    suite = ET.SubElement(root, "testsuite", name=legal(f"{subject.kind}/{subject.name}"))
    for finding in judged:
        totals += _case(suite, data, finding, reasons.get(finding.id), strict)
    _count(suite, totals)
    return totals


def _case(suite: ET.Element, data: Digest, finding: Finding, reason: str | None, strict: bool) -> Counter[str]:
    seconds = _seconds(data.doc, finding)
    name = f"{finding.check} {finding.case}".strip()
    case = ET.SubElement(suite, "testcase", classname=legal(finding.subject), name=legal(name), time=f"{seconds:.3f}")
    # Thousandths add up exactly as whole numbers.
    totals: Counter[str] = Counter(tests=1, time=round(seconds * 1000))
    stands = standing(finding, strict=strict, waived=reason is not None)
    said = legal(one_line(finding.message or finding.statement, _MESSAGE))
    if stands in (Standing.FAILURE, Standing.ERROR):
        ET.SubElement(case, str(stands), type=str(finding.verdict), message=said).text = legal(in_full(finding))
        totals["failures" if stands is Standing.FAILURE else "errors"] += 1
    elif stands is Standing.WAIVED:
        ET.SubElement(case, "skipped", message=legal(f"waived: {reason}"))
        ET.SubElement(case, "system-out").text = legal(in_full(finding))
        totals["skipped"] += 1
    elif stands is Standing.SKIPPED:
        ET.SubElement(case, "skipped", message=legal(because(finding)))
        totals["skipped"] += 1
    elif stands is Standing.WARNING:
        ET.SubElement(case, "system-out").text = legal(in_full(finding))
    return totals


def _count(element: ET.Element, totals: Mapping[str, int]) -> None:
    for name in ("tests", "failures", "errors", "skipped"):
        element.set(name, str(totals.get(name, 0)))
    element.set("time", f"{totals.get('time', 0) / 1000:.3f}")


def _seconds(doc: Mapping[str, Any], finding: Finding) -> float:
    """What the item of this finding took, zero where it was not measured."""
    entry = doc["timing"].get(finding.id)
    seconds = entry.get("seconds") if isinstance(entry, Mapping) else None
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def legal(text: str) -> str:
    r"""The text with every character that XML 1.0 forbids written out (``\x1b``)."""
    return _NO_XML.sub(lambda match: ascii(match[0])[1:-1], text)
