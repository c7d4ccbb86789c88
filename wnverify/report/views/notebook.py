"""Findings as a table in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from wnverify.finding import Finding
from wnverify.report.digest import QUIET, SYMBOL, TONE, by_gravity, counts, worst_ratio
from wnverify.report.wording import one_line, short, tally

_HEAD: Final = ("verdict", "subject", "check", "seen", "ratio")


class Findings(list[Finding]):
    """A list of findings that a notebook shows: what is no pass first and in words, then the passes under one head."""

    def _repr_html_(self) -> str:
        return render(self)


def render(findings: Sequence[Finding]) -> str:
    """A fragment of HTML without style, script or address; everything a subject wrote is escaped."""
    ordered = by_gravity(findings)
    loud = [finding for finding in ordered if finding.verdict not in QUIET]
    quiet = [finding for finding in ordered if finding.verdict in QUIET]
    parts = [f"<p>{html.escape(tally(counts(findings)))}</p>"]
    if loud:
        parts.append(_table(loud))
    if quiet:
        parts.append(f"<details><summary>{html.escape(tally(counts(quiet)))}</summary>{_table(quiet)}</details>")
    return "".join(parts)


def _table(findings: Sequence[Finding]) -> str:
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, findings))}</tbody></table>"


def _row(finding: Finding) -> str:
    verdict = f"{SYMBOL[TONE[finding.verdict]]} {finding.verdict}"
    cells = (verdict, finding.subject, finding.check, one_line(finding.message), short(worst_ratio(finding)))
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
