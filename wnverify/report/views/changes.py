"""What changed between two documents: on the terminal, as Markdown, and as the groups that a page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wnverify.finding import Json, Verdict
from wnverify.report import compare
from wnverify.report.compare import Change
from wnverify.report.digest import SYMBOL, TONE
from wnverify.report.views.markdown_marks import code, text
from wnverify.report.views.markdown_marks import table as listed
from wnverify.report.views.terminal import escaped, say
from wnverify.report.wording import flat, one_line, plural, short

if TYPE_CHECKING:
    from rich.console import Console

Entry = Mapping[str, Any]
MOST: Final = 100
"""Findings of one kind of change that are listed one by one; all of them are in the document."""
HEADING: Final[Mapping[Change, str]] = {
    Change.NEW_FAILURE: "New failures",
    Change.WORSE: "Worse",
    Change.GREW: "Ratios that grew",
    Change.GONE: "Gone",
    Change.OTHER: "Other verdicts",
    Change.BETTER: "Better",
    Change.FIXED: "Fixed",
    Change.ADDED: "Added",
    Change.ASKED_LESS: "Asked less",
}
_STYLE: Final[Mapping[Change, str]] = {
    Change.NEW_FAILURE: "bold red",
    **dict.fromkeys((Change.WORSE, Change.GREW, Change.GONE), "yellow"),
    **dict.fromkeys((Change.BETTER, Change.FIXED), "green"),
    **dict.fromkeys((Change.OTHER, Change.ADDED, Change.ASKED_LESS), "blue"),
}


def groups(comparison: Mapping[str, Any]) -> list[tuple[Change, str, Sequence[Entry]]]:
    """Each kind of change that there is, the gravest first, with its heading and its findings."""
    changes = comparison["changes"]
    made = [(change, HEADING[change], [entry for entry in changes if entry["change"] == change]) for change in Change]
    return [group for group in made if group[2]]


def said(side: Mapping[str, Any] | None) -> str:
    """What one document says: ``✓ pass, ratio 0.2``."""
    if side is None:
        return "–"
    ratio = "" if side["ratio"] is None else f", ratio {short(_number(side['ratio']))}"
    return f"{SYMBOL[TONE[Verdict(side['verdict'])]]} {side['verdict']}{ratio}"


def summary(comparison: Mapping[str, Any]) -> str:
    """One sentence: what became of the findings."""
    found = [f"{count} {change}" for change, count in compare.counts(comparison).items()]
    about = plural(comparison["compared"], "finding")
    what = "verdicts" if comparison["only_verdicts"] else "findings"
    none = f"no change of {what}"
    return f"{', '.join(found) or none}; {about} in both documents."


def left_out(comparison: Mapping[str, Any]) -> str:
    """What was not compared, in a sentence; empty where everything was."""
    old, new = comparison["stale"]["old"], comparison["stale"]["new"]
    if not old and not new:
        return ""
    return f"Left out, for they stand in stale parts: {plural(old, 'finding')} of the older, {new:,} of the newer."


def value(side: Json) -> str:
    """One side of a change of environment."""
    return "nothing" if side is None else flat(side)


def table(console: Console, comparison: Mapping[str, Any]) -> None:
    """Every kind of change with its findings, then the environment, then the sentence that sums up."""
    for change, heading, entries in groups(comparison):
        say(console, f"{heading} ({len(entries)})", _STYLE[change])
        for entry in entries[:MOST]:
            say(console, escaped(f"    {entry['id']}: {said(entry['old'])} → {said(entry['new'])}"))
            if change in compare.WORSE and entry["message"]:
                say(console, escaped(f"        {one_line(entry['message'])}"))
        if len(entries) > MOST:
            say(console, f"    and {len(entries) - MOST} more")
    for row in comparison["environment"]:
        say(console, escaped(f"environment: {row['name']}: {value(row['old'])} → {value(row['new'])}"))
    if stale := left_out(comparison):
        say(console, stale, "yellow")
    say(console, summary(comparison))


def markdown(comparison: Mapping[str, Any]) -> list[str]:
    """The lines of a section "What changed"."""
    against = f" since {code(comparison['against'])}" if comparison["against"] else ""
    lines = [f"## What changed{against}", "", text(summary(comparison)), ""]
    for _, heading, entries in groups(comparison):
        rows = [(code(e["id"]), text(said(e["old"])), text(said(e["new"])), text(_why(e))) for e in entries[:MOST]]
        lines += [f"### {heading}: {len(entries)}", "", *listed(("Finding", "Before", "Now", "What is seen"), rows)]
        lines += [f"and {len(entries) - MOST} more", ""] if len(entries) > MOST else []
    ran_on = [(text(r["name"]), text(value(r["old"])), text(value(r["new"]))) for r in comparison["environment"]]
    lines += ["### Environment", "", *listed(("What", "Before", "Now"), ran_on)] if ran_on else []
    stale = left_out(comparison)
    return [*lines, text(stale), ""] if stale else lines


def _why(entry: Entry) -> str:
    return one_line(entry["message"] or entry["statement"], 160)


def _number(ratio: Json) -> Json:
    return float(ratio) if isinstance(ratio, str) else ratio
