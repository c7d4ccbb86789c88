"""The report as Markdown (GitHub's flavour), for a pull request or a terminal pager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.finding import Finding
from wnverify.report import tables, trained
from wnverify.report.benchmarked import benchmarks
from wnverify.report.digest import Digest, Subject, digest, worst_ratio
from wnverify.report.made import made_of, note_of
from wnverify.report.trust import Trust
from wnverify.report.views import changes
from wnverify.report.views.markdown_marks import code, fenced, table, tag, text
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
    ("method", "Methods and numerics"),
    ("check", "Audits"),
    ("theory", "Theory"),
    ("experiment", "Experiments"),
    ("benchmark", "Performance"),
)


def render(doc: Mapping[str, Any]) -> str:
    """The document as Markdown: everything that is not a pass in full, passes as counts of their family."""
    data = digest(doc)
    lines = ["# wnverify report", "", *_summary(data), *_trust(data)]
    lines += changes.markdown(doc["comparison"]) if "comparison" in doc else []
    lines += _made(data)
    for kind, title in _SECTIONS:
        performance = _performance(data) if kind == "benchmark" else []
        if data.groups[kind] or performance:
            lines += [f"## {title}", "", *performance]
            lines += _numerics(data) if kind == "method" else []
            lines += _table(trained.short_runs(data.groups[kind])) if kind == "experiment" else []
            for subject in data.groups[kind]:
                if not (kind == "experiment" and trained.is_quiet_short_run(subject)):
                    lines += _subject(data, subject)
    if data.selftest.findings:
        lines += ["## Selftest", "", *_families(data.selftest)]
        for finding in data.selftest.loud:
            lines += _full(data, finding)
    return "\n".join([*lines, *_gallery(data), *_environment(doc), ""])


def _made(data: Digest) -> list[str]:
    """What was computed afresh, what was taken from stored parts, what is missing."""
    scope = data.doc.get("scope", {})
    lines = ["## What it is made of", ""]
    if scope:
        lines += [f"A report in {scope['mode']} mode.", "", *(f"- {text(said)}" for said in scope["left_out"]), ""]
    if scope.get("missing"):
        lines += [f"**Missing:** there is no stored part of {', '.join(scope['missing'])}.", ""]
    header = ("Part", "State", "Date", "Findings", "Asked", "Versions", "Source")
    rows = [
        (code(row.command), text(row.state), row.date, row.findings, text(row.asked), text(row.versions), row.source)
        for row in made_of(data)
    ]
    return [*lines, *table(header, rows)] if len(lines) > 2 or rows else []


def _numerics(data: Digest) -> list[str]:
    """The grids and the tables of the HTML page."""
    lines = []
    for grid in tables.grids(data):
        header = ("Method", *(text(grid.heading(column)) for column in grid.columns))
        rows = [
            (code(name), *(f"{tag(cell)} {short(worst_ratio(cell))}" if cell else "–" for cell in row))
            for name, row in grid.rows
        ]
        lines += [f"### {grid.title}", "", text(grid.caption), "", *table(header, rows)]
    for made in tables.numbers(data):
        lines += _table(made)
    return lines


def _performance(data: Digest) -> list[str]:
    """Cost beside accuracy, growth, and the table beside the peers."""
    return [line for made in (*tables.performance(data), benchmarks(data)) for line in _table(made)]


def _table(made: tables.Table) -> list[str]:
    rows = [tuple(text(cell) for cell in row) for row in made.rows]
    listed = table(tuple(map(text, made.header)), rows)
    return [f"### {text(made.title)}", "", text(made.caption), "", *listed] if rows else []


def _gallery(data: Digest) -> list[str]:
    """Audits of other people's maps, with what was found by hand."""
    if not data.gallery:
        return []
    lines = ["## Audits of public variants", "", "In no count of this report.", ""]
    lines += ["**Stale**: the source has changed since.", ""] if "gallery" in data.stale_parts else []
    lines += table(("Variant", "Verdicts"), [(code(subject.name), tally(subject.counts)) for subject in data.gallery])
    for subject in data.gallery:
        rows = [
            (tag(f), code(f"{f.check} {f.case}".strip()), text(one_line(f.message, 240)), text(note_of(f) or "–"))
            for f in subject.loud
        ]
        if rows:
            lines += [f"### {text(subject.name)}", ""]
            lines += table(("Verdict", "Check", "Seen", "Looked at by hand"), rows)
    return lines


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
        lines += [f"**Stale** and in no count: {text(', '.join(data.stale_parts))}, whose source has changed.", ""]
    wrong = data.wrong("claim", "theory", "experiment", "method", "check", "benchmark")
    lines += ["**Found wrong:**" if wrong else "Nothing was found wrong.", ""]
    for finding in wrong[:12]:
        right = f" Right would be: {one_line(finding.corrected)}" if finding.corrected else ""
        seen = one_line(finding.statement) + (right or f" {one_line(finding.message)}")
        lines.append(f"- {tag(finding)} {code(finding.id)}: {text(seen)}")
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
        *(["**Stale**: the source has changed since the selftest ran.", ""] if "selftest" in data.stale_parts else []),
        *_gradcheck(trust),
    ]


def _gradcheck(trust: Trust) -> list[str]:
    if not trust.under_gradcheck:
        return []
    seen = f"`torch.autograd.gradcheck` passes {trust.passed_by_gradcheck} of the {trust.under_gradcheck} faults"
    return [f"{seen} that have a gradient, on one random float64 weight of 3 × 4.", ""]


def _subject(data: Digest, subject: Subject) -> list[str]:
    lines = [f"### {text(subject.title or subject.name)}", ""]
    if subject.rows is not None:
        lines += [f"{subject.decided} of {plural(subject.rows, 'statement')} decided.", ""]
    if subject.description:
        lines += [f"- {label}: {text(', '.join(items) or none)}" for label, items, none in subject.scope]
        lines.append("")
    if subject.kind in ("claim", "theory", "experiment"):
        said = [f for f in subject.findings if not trained.is_row(f)]
        rows = [(code(f.check), tag(f), f.strength or "–", text(one_line(f.statement))) for f in said]
        lines += table(("Id", "Verdict", "Strength", "Statement"), rows)
        lines += _trained(data, subject)
        lines += _errata(subject)
    elif subject.kind == "check":
        lines += _families(subject)
    else:
        rows = [(code(f.check), code(f.case or "all"), tag(f), short(worst_ratio(f))) for f in subject.findings]
        lines += table(("Check", "Case", "Verdict", "Ratio"), rows)
    for finding in subject.loud:
        lines += [] if trained.is_row(finding) else _full(data, finding)
    return lines


def _trained(data: Digest, subject: Subject) -> list[str]:
    """The tables of an experiment beside the printed ones."""
    return [line for made in trained.tables_of(subject, data.doc["timing"]) for line in _table(made)]


def _errata(subject: Subject) -> list[str]:
    """What does not stand as printed, with what to take in its place."""
    rows = [(text(f.place or "–"), code(f.check), tag(f), text(f.statement), text(remedy(f))) for f in subject.errata]
    listed = table(("Place", "Id", "Verdict", "Printed or implied", "To be taken instead"), rows)
    return ["**Errata**", "", *listed] if listed else []


def _families(subject: Subject) -> list[str]:
    return table(("Family", "Verdicts"), [(text(family.name), tally(family.counts)) for family in subject.families])


def _full(data: Digest, finding: Finding) -> list[str]:
    mark = " (stale)" if finding.id in data.stale else ""
    mark += f" (waived: {text(data.waived[finding.id])})" if finding.id in data.waived else ""
    lines = [f"#### {tag(finding)} {code(finding.id)}{mark}", "", text(finding.statement), ""]
    if finding.message:
        lines += [text(finding.message), ""]
    if finding.place:
        lines.append(f"- Place: {text(finding.place)}")
    lines += [f"- Condition: {text(condition)}" for condition in finding.conditions]
    for item in finding.readings:
        note = text(plain(item.get("note", "")))
        lines.append(f"- Reading: {text(plain(item['reading']))}: **{item['verdict']}** {note}".rstrip())
    for route in finding.routes:
        measured = f"{route.verdict}, ratio {short(route.ratio)}, power {short(route.power)}"
        notes = [route.note, f"error model: {route.model}" if route.model else ""]
        lines.append(f"- Route {route.route}: {'; '.join([measured, *(text(note) for note in notes if note)])}")
    if finding.corrected:
        lines.append(f"- Corrected: {text(finding.corrected)}")
    lines += _witness(finding)
    if finding.replay:
        lines += ["", "Replay:", "", *fenced(finding.replay)]
    return [*lines, ""]


def _witness(finding: Finding) -> list[str]:
    items = [
        f"{name}: {array_head(value)}\n{array_text(value)}"
        if is_array(value)
        else f"{name} ={_own_lines(plain(value))}"
        for name, value in witness_items(finding.witness)
    ]
    return ["", "Witness:", "", *fenced("\n".join(items))] if items else []


def _own_lines(text: str) -> str:
    return f"\n{text}" if "\n" in text else f" {text}"


def _environment(doc: Mapping[str, Any]) -> list[str]:
    rows = [(text(name.replace("_", " ")), text(flat(value))) for name, value in doc["environment"].items()]
    return ["## Environment", "", *table(("What", "Value"), rows)]
