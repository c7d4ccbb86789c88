"""A finding as lines of plain text, for logs: pytest's failures and JUnit's."""

from __future__ import annotations

from wnverify.finding import Finding, Verdict
from wnverify.report.digest import worst_ratio
from wnverify.report.wording import one_line, printable, short, witness_items, witness_short


def in_full(finding: Finding, *, listings: bool = True) -> str:
    """Every line begins with a word of ours, so that nothing a subject wrote is taken for a command of a log.

    ``listings``: with the lines of code of the witness.
    """
    ratio = worst_ratio(finding)
    lines = [
        ("asked", finding.statement),
        ("seen", finding.message),
        ("conditions", "; ".join(finding.conditions)),
        ("ratio", "" if ratio is None else f"{short(ratio)} (observed error over the error that is allowed; 1 passes)"),
    ]
    code = []
    for name, value in witness_items(finding.witness):
        if isinstance(value, str) and "\n" in value:
            code += [
                f"  witness {one_line(printable(name))}:",
                *(f"  | {printable(row)}" for row in value.splitlines()),
            ]
        else:
            lines.append(("witness", witness_short({name: value} if name else value, 400)))
    lines.append(("replay", finding.replay or ""))
    said = [f"  {label}: {' '.join(printable(text).split())}" for label, text in lines if text]
    return "\n".join([f"{finding.verdict}: {finding.id}", *said, *(code if listings else [])])


def because(finding: Finding) -> str:
    """Why nothing was decided, on one line that begins with the verdict."""
    blocked = finding.verdict is Verdict.BLOCKED
    return one_line(printable(finding.message if blocked else f"{finding.verdict}: {finding.message}"), 300)
