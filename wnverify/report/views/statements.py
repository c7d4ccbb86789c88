"""Statements of papers on the terminal: a table of many, or one with all of its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report.digest import counts
from wnverify.report.views.terminal import escaped, say, style
from wnverify.report.wording import plural, short, tally, witness_items

if TYPE_CHECKING:
    from rich.console import Console

_WIDEST: Final = 24
"""Characters of a place in the table."""


def table(console: Console, findings: Sequence[Finding], verdicts: Sequence[str] = ()) -> None:
    """One line a statement: id, verdict, strength, place, and how it begins; with ``verdicts`` those alone."""
    shown = [finding for finding in findings if not verdicts or str(finding.verdict) in verdicts]
    rows = [(f.check, str(f.verdict), f.strength or "", _cut(f.place or "", _WIDEST)) for f in shown]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for finding, row in zip(shown, rows, strict=True):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        left = max(console.width - sum(widths) - 8, 20)
        cells = [f"[bold]{escaped(cells[0])}[/]", f"[{style(finding.verdict)}]{cells[1]}[/]", *map(escaped, cells[2:])]
        say(console, "  ".join([*cells, escaped(_cut(finding.statement, left))]))
    hidden = len(findings) - len(shown)
    others = f"; {hidden} with another verdict not shown" if hidden else ""
    say(console, escaped(f"{plural(len(findings), 'statement')}: {tally(counts(findings))}{others}"))


def full(console: Console, finding: Finding) -> None:
    """Everything that is known of one statement, each route with its figures."""
    say(console, f"[bold]{escaped(finding.check)}[/]  {_marked(finding.verdict)}{_strength(finding)}")
    rows = [
        ("statement", finding.statement),
        ("place", finding.place),
        *(("condition", text) for text in finding.conditions),
        *(("reading", f"{item['reading']}: {item['verdict']} {item['note']}") for item in finding.readings),
        ("why", finding.message),
    ]
    for label, text in rows:
        if text:
            say(console, f"  [dim]{label}:[/] {escaped(text)}")
    for route in finding.routes:
        say(console, f"  [dim]route {escaped(route.route)}:[/] {_marked(route.verdict)}  {escaped(route.note)}")
        if figures := _figures(route):
            say(console, f"      {escaped(figures)}")
    if finding.witness is not None:
        say(console, "  [dim]witness:[/]")
        for name, value in witness_items(finding.witness):
            say(
                console, f"      {escaped(name)}: {escaped(short(value))}" if name else f"      {escaped(short(value))}"
            )
    if finding.corrected:
        say(console, f"  [dim]corrected:[/] {escaped(finding.corrected)}")
    say(console, f"  [dim]replay:[/] {escaped(finding.replay or '')}")
    console.print()


def _figures(route: Evidence) -> str:
    known: list[tuple[str, Any]] = [("ratio", route.ratio), ("power", route.power)]
    said = [f"{name} {short(value)}" for name, value in known if value is not None]
    if route.model:
        said.append(f"model: {route.model}")
    said += [f"{name}: {_value(value)}" for name, value in route.figures.items()]
    return "; ".join(said)


def _value(value: Any) -> str:
    text = short(value) if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _strength(finding: Finding) -> str:
    return f" ({finding.strength})" if finding.strength else ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _marked(verdict: Verdict) -> str:
    return f"[{style(verdict)}]{verdict}[/]"
