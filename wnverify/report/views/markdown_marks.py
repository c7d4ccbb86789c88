"""Markdown (GitHub's flavour) of text that nobody has checked: escaped, in tables, in blocks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from wnverify.finding import Finding
from wnverify.report.digest import SYMBOL, TONE


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    listed = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return [*listed, ""] if len(listed) > 2 else []


def tag(finding: Finding) -> str:
    return f"{SYMBOL[TONE[finding.verdict]]} **{finding.verdict}**"


def text(text: str) -> str:
    """On one line, with everything escaped that Markdown or HTML would read as a mark."""
    marked = re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", " ".join(text.split()))
    return html.escape(marked, quote=False)


def code(text: str) -> str:
    return f"`{' '.join(text.replace('`', chr(39)).replace('|', chr(166)).split())}`"


def fenced(text: str) -> list[str]:
    """A block that no run of backticks inside can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]
