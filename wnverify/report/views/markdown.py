"""The report as Markdown (GitHub's flavour), for a pull request or a terminal pager."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from wnverify.finding import Finding
from wnverify.report.digest import SYMBOL, TONE, Digest, Subject, Trust, digest, worst_ratio
from wnverify.report.wording import (
    array_head,
    array_text,
    flat,
    is_array,
    one_line,
    percent,
    plain,
    plural,
    remedy,
    short,
    tally,
    witness_items,
)

_SECTIONS: Final = (
    ("claim", "Papers"),
    ("theory", "Theory"),
    ("experiment", "Experiments"),
    ("method", "Methods and numerics"),
    ("check", "Audits"),
    ("benchmark", "Benchmarks"),
)


def render(doc: Mapping[str, Any]) -> str:
    """The document as Markdown: everything that is not a pass in full, passes as counts of their family."""
    data = digest(doc)
    lines = ["# wnverify report", "", *_summary(data), *_trust(data)]
    for kind, title in _SECTIONS:
        if data.groups[kind]:
            lines += [f"## {title}", ""]
            for subject in data.groups[kind]:
                lines += _subject(data, subject)
    if data.selftest.findings:
        lines += ["## Selftest", "", *_families(data.selftest)]
        for finding in data.selftest.loud:
            lines += _full(data, finding)
    return "\n".join([*lines, *_environment(doc), ""])


def _summary(data: Digest) -> list[str]:
    papers, methods, audited = (
        sum(bool(subject.findings) for subject in data.groups[kind]) for kind in ("claim", "method", "check")
    )
    waiting = f" ({data.waiting} more are not yet decided)" if data.waiting else ""
    lines = [
        f"{plural(data.count('claim'), 'statement')} of {plural(papers, 'paper')}{waiting}, "
        f"{plural(methods, 'method')}, "
        f"{plural(audited, 'audited subject')} in {plural(data.count('check'), 'check')}. "
        f"All findings: {tally(data.counts)}.",
        "",
    ]
    if data.stale:
        lines += [f"**Stale** and in no count: {_text(', '.join(data.stale_parts))}, whose source has changed.", ""]
    wrong = data.wrong("claim", "theory", "experiment", "method", "check", "benchmark")
    lines += ["**Found wrong:**" if wrong else "Nothing was found wrong.", ""]
    for finding in wrong[:12]:
        right = f" Right would be: {one_line(finding.corrected)}" if finding.corrected else ""
        seen = one_line(finding.statement) + (right or f" {one_line(finding.message)}")
        lines.append(f"- {_tag(finding)} {_code(finding.id)}: {_text(seen)}")
    if len(wrong) > 12:
        lines.append(f"- and {len(wrong) - 12} more below")
    return [*lines, ""] if wrong else lines


def _trust(data: Digest) -> list[str]:
    trust = data.trust
    lines = ["## How far to trust it", ""]
    if not trust.faults and not trust.right:
        nothing = "No selftest is part of this report: nothing here says how many faults the checks would miss."
        return [*lines, nothing, ""]
    missed, alarms = percent(trust.missed_at_most), percent(trust.alarms_at_most)
    return [
        *lines,
        f"Planted faults caught: {trust.caught} of {len(trust.faults)} (missed: at most {missed}). "
        f"False alarms on right variants: {len(trust.alarms)} of {len(trust.right)} (at most {alarms}). "
        "Exact one-sided 95 % bounds.",
        "",
        *_gradcheck(trust),
    ]


def _gradcheck(trust: Trust) -> list[str]:
    if not trust.under_gradcheck:
        return []
    seen = f"`torch.autograd.gradcheck` passes {trust.passed_by_gradcheck} of the {trust.under_gradcheck} faults"
    return [f"{seen} that have a gradient, on one random float64 weight of 3 × 4.", ""]


def _subject(data: Digest, subject: Subject) -> list[str]:
    lines = [f"### {_text(subject.title or subject.name)}", ""]
    if subject.rows is not None:
        lines += [f"{subject.decided} of {plural(subject.rows, 'statement')} decided.", ""]
    if subject.description:
        lines += [f"- {label}: {_text(', '.join(items) or none)}" for label, items, none in subject.scope]
        lines.append("")
    if subject.kind in ("claim", "theory", "experiment"):
        rows = [(_code(f.check), _tag(f), f.strength or "–", _text(one_line(f.statement))) for f in subject.findings]
        lines += _table(("Id", "Verdict", "Strength", "Statement"), rows)
        lines += _errata(subject)
    elif subject.kind == "check":
        lines += _families(subject)
    else:
        rows = [(_code(f.check), _code(f.case or "all"), _tag(f), short(worst_ratio(f))) for f in subject.findings]
        lines += _table(("Check", "Case", "Verdict", "Ratio"), rows)
    for finding in subject.loud:
        lines += _full(data, finding)
    return lines


def _errata(subject: Subject) -> list[str]:
    """What does not stand as printed, with what to take in its place."""
    rows = [
        (_text(f.place or "–"), _code(f.check), _tag(f), _text(f.statement), _text(remedy(f))) for f in subject.errata
    ]
    table = _table(("Place", "Id", "Verdict", "Printed or implied", "To be taken instead"), rows)
    return ["**Errata**", "", *table] if table else []


def _families(subject: Subject) -> list[str]:
    return _table(("Family", "Verdicts"), [(_text(family.name), tally(family.counts)) for family in subject.families])


def _full(data: Digest, finding: Finding) -> list[str]:
    mark = " (stale)" if finding.id in data.stale else ""
    mark += f" (waived: {_text(data.waived[finding.id])})" if finding.id in data.waived else ""
    lines = [f"#### {_tag(finding)} {_code(finding.id)}{mark}", "", _text(finding.statement), ""]
    if finding.message:
        lines += [_text(finding.message), ""]
    if finding.place:
        lines.append(f"- Place: {_text(finding.place)}")
    lines += [f"- Condition: {_text(condition)}" for condition in finding.conditions]
    for item in finding.readings:
        note = _text(plain(item.get("note", "")))
        lines.append(f"- Reading: {_text(plain(item['reading']))}: **{item['verdict']}** {note}".rstrip())
    for route in finding.routes:
        measured = f"{route.verdict}, ratio {short(route.ratio)}, power {short(route.power)}"
        notes = [route.note, f"error model: {route.model}" if route.model else ""]
        lines.append(f"- Route {route.route}: {'; '.join([measured, *(_text(note) for note in notes if note)])}")
    if finding.corrected:
        lines.append(f"- Corrected: {_text(finding.corrected)}")
    lines += _witness(finding)
    if finding.replay:
        lines += ["", "Replay:", "", *_fenced(finding.replay)]
    return [*lines, ""]


def _witness(finding: Finding) -> list[str]:
    items = [
        f"{name}: {array_head(value)}\n{array_text(value)}"
        if is_array(value)
        else f"{name} ={_own_lines(plain(value))}"
        for name, value in witness_items(finding.witness)
    ]
    return ["", "Witness:", "", *_fenced("\n".join(items))] if items else []


def _own_lines(text: str) -> str:
    return f"\n{text}" if "\n" in text else f" {text}"


def _environment(doc: Mapping[str, Any]) -> list[str]:
    rows = [(_text(name.replace("_", " ")), _text(flat(value))) for name, value in doc["environment"].items()]
    return ["## Environment", "", *_table(("What", "Value"), rows)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    listed = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return [*listed, ""] if len(listed) > 2 else []


def _tag(finding: Finding) -> str:
    return f"{SYMBOL[TONE[finding.verdict]]} **{finding.verdict}**"


def _text(text: str) -> str:
    """On one line, with everything escaped that Markdown or HTML would read as a mark."""
    marked = re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", " ".join(text.split()))
    return html.escape(marked, quote=False)


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', chr(39)).replace('|', chr(166)).split())}`"


def _fenced(text: str) -> list[str]:
    """A block that no run of backticks inside can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]
