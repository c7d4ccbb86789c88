"""A document whose subject calls itself everything that a reader of logs, XML or JSON could trip over."""

from __future__ import annotations

import dataclasses
from typing import Any

from report_documents import check, description

from wnverify.finding import Finding, Verdict
from wnverify.report.results import Document, document

NAME = (
    "]]><x a='\"'>&amp;\x00\x08\x1b[31m\ud800\uffff::error::pwned\n::add-mask::x\r\n"
    "%0A,:[a](http://evil) \u2028##[debug]"
)
VERDICTS = ("pass", "fail", "hazard", "inconclusive", "unsupported", "blocked", "error")


def findings() -> list[Finding]:
    """A finding of each verdict of a check, each with the hostile name wherever a subject's own words may stand."""
    found = [check("norm.py:N", f"a.{verdict}", Verdict(verdict), case="c") for verdict in VERDICTS]
    replay = "python -m wnverify audit 'src/a b.py:N' --check a.fail --seed 0"
    return [
        finding.replace(
            id=finding.id.removesuffix("/c"),
            message=NAME,
            statement=f"Is {NAME} right?",
            conditions=(NAME,),
            witness={"snippet": f"import torch\n{NAME}", NAME: NAME},
            replay=replay if str(finding.verdict) == "fail" else None,
        )
        for finding in found
    ]


def waiver(state: str, *ids: str, **said: Any) -> dict[str, Any]:
    """A waiver's entry in a document."""
    entry = {"check": "a.fail", "subject": None, "reason": "known", "expires": None, "state": state, "ids": list(ids)}
    return entry | said


def hostile_document(*waivers: dict[str, Any]) -> Document:
    """All of ``findings``, the subject's description with the line where it begins, measured times."""
    described = description("norm.py:N")
    figures = {**described.routes[0].figures, "line": 7}
    route = dataclasses.replace(described.routes[0], figures=figures)
    timing = {"check/norm.py:N/a.fail": {"seconds": 1.25, "peak_mib": 3.0}, "check/norm.py:N/a.pass": {"seconds": 0.5}}
    return document(
        [described.replace(routes=(route,)), *findings()],
        environment={"versions": {"wnverify": "0.1.0"}},
        timing=timing,
        waivers=waivers,
    )
