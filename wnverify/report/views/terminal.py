"""A document on the terminal: a line for every family, everything that is not a pass in full.

What others wait for stands first, and what waits for the same is one line; a condition of every finding is said once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wnverify.finding import Finding, Verdict
from wnverify.report.digest import (
    QUIET,
    SYMBOL,
    TONE,
    Digest,
    Family,
    Subject,
    counts,
    digest,
    least_power,
    worst_ratio,
)
from wnverify.report.standing import remark
from wnverify.report.wording import KIND_NAMES, percent, plural, printable, short, tally, witness_short

if TYPE_CHECKING:
    from rich.console import Console

_STYLE: Final = {"wrong": "bold red", "care": "yellow", "open": "blue", "right": "green"}
_INDENT: Final = "    "
_NAMED: Final = 6
"""Blocked checks that are named on one line."""
_WITNESS: Final = 320
"""Characters of a witness's line."""
_TOLD: Final = frozenset({"message", "ratio", "relative_error", "verdict", "forward_evaluations"})
"""Figures of a case that are said elsewhere, or tell nothing about it."""


def sheet(doc: Mapping[str, Any], console: Console, *, verbose: bool = False) -> None:
    """Print the document; with ``verbose`` a line for every pass as well.  Works without a terminal (plain text)."""
    data = digest(doc)
    for subjects in data.groups.values():
        for subject in subjects:
            _block(console, data, subject, verbose)
    if data.selftest.findings:
        _block(console, data, data.selftest, verbose)
        _trust(console, data)
    if data.gallery:
        found = _marked(counts(finding for subject in data.gallery for finding in subject.findings))
        say(console, f"{plural(len(data.gallery), 'public variant')}, in no count: {found}")
    missing = data.doc.get("scope", {}).get("missing")
    if missing:
        say(console, f"missing: no stored part of {', '.join(missing)}")
    if data.stale:
        say(console, f"stale: {', '.join(data.stale_parts)} ran on other sources and is in no count", "yellow")
    for entry in doc.get("waivers", ()):
        say(console, escaped(remark(entry)), None if entry["state"] == "applied" else "yellow")
    excused = f" ({len(data.waived):,} waived)" if data.waived else ""
    say(console, f"{plural(len(data.current), 'finding')}: {_marked(data.counts)}{excused}")


def _block(console: Console, data: Digest, subject: Subject, verbose: bool) -> None:
    title = subject.title or subject.name
    say(console, f"{escaped(title)} [dim]({KIND_NAMES[subject.kind]})[/]", "bold")
    if subject.rows is not None:
        say(console, f"  {subject.decided} of {plural(subject.rows, 'statement')} decided")
    for label, items, none in subject.scope:
        say(console, f"  {label}: {escaped(', '.join(items) or none)}")
    for family in _families(subject):
        say(console, f"  {escaped(family.name):<14} {_marked(family.counts)}")
        if verbose:
            for finding in family.quiet:
                say(console, f"{_INDENT}{_symbol(finding)} {escaped(_brief(finding))}")
    blocked, found = _apart(subject.loud, verbose)
    shared = _shared_conditions(found)
    if shared:
        say(console, f"  of every finding below: {escaped('; '.join(shared))}")
    for finding in found:
        _full(console, data, finding, shared)
    for message, waiting in blocked.items():
        names = [f"{finding.check} {finding.case}".strip() for finding in waiting]
        listed = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        mark = f"{_symbol(waiting[0])} [{style(Verdict.BLOCKED)}]{plural(len(waiting), 'check')}[/]"
        say(console, f"  {mark} {escaped(message)}: {escaped(listed)}")
    console.print()


def _apart(loud: Sequence[Finding], verbose: bool) -> tuple[dict[str, list[Finding]], list[Finding]]:
    """What waits for the same, by the words that say so, where it is more than one check; and the rest, first what
    others wait for."""
    blocked: dict[str, list[Finding]] = {}
    for finding in loud:
        if finding.verdict is Verdict.BLOCKED:
            blocked.setdefault(finding.message, []).append(finding)
    together = {} if verbose else {message: waiting for message, waiting in blocked.items() if len(waiting) > 1}
    rest = [finding for finding in loud if finding.verdict is not Verdict.BLOCKED or finding.message not in together]
    return together, sorted(rest, key=lambda finding: not any(f"{finding.id} (" in message for message in blocked))


def _shared_conditions(found: Sequence[Finding]) -> list[str]:
    """The conditions that all of several findings have, but for those that did not come to run."""
    ran = [finding.conditions for finding in found if finding.verdict is not Verdict.BLOCKED]
    return [said for said in ran[0] if all(said in conditions for conditions in ran)] if len(ran) > 1 else []


def _families(subject: Subject) -> list[Family]:
    """Statements have no families: their verdicts are one line."""
    if subject.kind in ("claim", "theory", "experiment"):
        return [Family("verdicts", subject.findings)] if subject.findings else []
    return subject.families


def _full(console: Console, data: Digest, finding: Finding, shared: Collection[str] = ()) -> None:
    mark = " [yellow](stale)[/]" if finding.id in data.stale else ""
    mark += " [yellow](waived)[/]" if finding.id in data.waived else ""
    say(console, f"  {_symbol(finding)} [{style(finding.verdict)}]{finding.verdict}[/] {escaped(finding.id)}{mark}")
    routes = ", ".join(dict.fromkeys(route.route for route in finding.routes))
    lines = [
        ("", finding.statement),
        ("", finding.message),
        ("waived", data.waived.get(finding.id)),
        ("place", finding.place),
        ("conditions", "; ".join(said for said in finding.conditions if said not in shared)),
        *(("reading", f"{item['reading']}: {item['verdict']}") for item in finding.readings),
        ("routes", routes),
        ("measured", _measured(finding)),
        ("worst", _worst_case(finding)),
        ("witness", witness_short(finding.witness, _WITNESS)),
        ("corrected", finding.corrected),
        ("replay", finding.replay),
    ]
    for label, text in lines:
        for row, piece in enumerate((text or "").splitlines()):
            say(console, f"{_INDENT}{f'[dim]{label}:[/] ' if label and not row else ''}{escaped(piece)}")


def _trust(console: Console, data: Digest) -> None:
    trust = data.trust
    if "selftest" in data.stale_parts:
        say(console, "stale: the source has changed since the selftest ran", "yellow")
    if trust.faults:
        bound = f"missed at most {percent(trust.missed_at_most)}"
        say(console, f"planted faults caught: {trust.caught} of {len(trust.faults)} ({bound}, exact 95 % bound)")
    if trust.right:
        bound = f"at most {percent(trust.alarms_at_most)}"
        say(console, f"false alarms: {len(trust.alarms)} of {len(trust.right)} ({bound}, exact 95 % bound)")
    if trust.looked_again:
        say(
            console, f"under other seeds: {trust.caught_again} of {plural(trust.looked_again, 'look')} caught the fault"
        )
    if trust.comparisons:
        say(console, f"under other seeds: {trust.accusations} false alarms in {trust.comparisons:,} comparisons")
        budget = f"{trust.accusations_expected:.2g} were budgeted"
        say(console, f"{_INDENT}at most {trust.accused_at_most:.2g} of them (exact 95 % bound); {budget}")
    if trust.under_gradcheck:
        of = f"{trust.passed_by_gradcheck} of the {trust.under_gradcheck} faults that have a gradient"
        of += f" ({trust.caught_past_gradcheck} of these are caught here)"
        say(console, f"torch.autograd.gradcheck passes {of}")
    if trust.faults or trust.right:
        console.print()


def _brief(finding: Finding) -> str:
    name = f"{finding.check} {finding.case}".strip()
    return f"{name}  {_measured(finding)}".rstrip()


def _measured(finding: Finding) -> str:
    """``ratio 0.1, power 1e-9``, of each what is known."""
    known = (("ratio", worst_ratio(finding)), ("power", least_power(finding)))
    return ", ".join(f"{name} {short(value)}" for name, value in known if value is not None)


def _worst_case(finding: Finding) -> str:
    """``1x6: backward 1, difference quotient 1e-14, …``: what the case with the largest miss tells beside its ratio."""
    cases = [
        (str(name), case)
        for route in finding.routes
        if isinstance(listed := route.figures.get("cases"), Mapping)
        for name, case in listed.items()
        if isinstance(case, Mapping) and isinstance(case.get("relative_error"), float)
    ]
    if finding.verdict in QUIET or not cases:
        return ""
    name, worst = max(cases, key=lambda each: each[1]["relative_error"])
    told = [
        f"{key.removeprefix('worst_').replace('_', ' ')} {short(value)}"
        for key, value in worst.items()
        if key not in _TOLD and not isinstance(value, Mapping | list)
    ]
    return f"{name}: {', '.join(told)}" if told else ""


def _marked(counted: Iterable[tuple[Verdict, int]]) -> str:
    return " · ".join(f"[{style(verdict)}]{tally([(verdict, number)])}[/]" for verdict, number in counted) or "none"


def _symbol(finding: Finding) -> str:
    return f"[{style(finding.verdict)}]{SYMBOL[TONE[finding.verdict]]}[/]"


def style(verdict: Verdict) -> str:
    return _STYLE[TONE[verdict]]


def escaped(text: str) -> str:
    """Rich's own marks and control characters taken out of what a subject wrote."""
    from rich.markup import escape

    return escape(printable(text))


def say(console: Console, line: str, style: str | None = None) -> None:
    """One line, never broken, so that a command can be copied and a log searched."""
    console.print(line, style=style, highlight=False, soft_wrap=True, emoji=False)
