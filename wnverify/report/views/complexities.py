"""One sample on the terminal: what is known of its complexity, and every bound with its tightness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wnverify.finding import Finding, number
from wnverify.report.views.terminal import escaped, say, style
from wnverify.report.wording import short

if TYPE_CHECKING:
    from rich.console import Console


def table(console: Console, finding: Finding) -> None:
    """The finding of ``wnverify theory``."""
    from rich.table import Table

    known, *limits = finding.routes
    for condition in finding.conditions:
        say(console, escaped(condition))
    shown = Table(show_edge=False, pad_edge=False, box=None, header_style="bold")
    shown.add_column("")
    for name in ("value", "tightness"):
        shown.add_column(name, justify="right")
    kind = next((name for name in ("exact", "mean") if name in known.figures), "")
    if kind == "exact":
        shown.add_row(escaped(f"exact: {known.note}"), short(number(known.figures["exact"])), "1")
    else:
        shown.add_row(escaped(f"at least ({known.note})"), short(number(known.figures["lower"])), "")
        shown.add_row("at most", short(number(known.figures["upper"])), "")
    for route in limits:
        tight = route.figures["tightness"]
        shown.add_row(
            escaped(route.note), short(number(route.figures["bound"])), "–" if tight is None else short(number(tight))
        )
    console.print(shown)
    say(console, escaped(f"{finding.verdict}: {finding.statement}"), style(finding.verdict))
