"""A document as workflow commands of GitHub Actions: an annotation for everything that is wrong or dangerous.

    ::error file=my_norm.py,line=12,title=gradient.vjp::the backward is off by 0.03 …

A failure or an error is an ``error``, a hazard a ``warning``, what is waived a ``notice``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wnverify.finding import Finding
from wnverify.report.digest import by_gravity, digest
from wnverify.report.places import Place, places
from wnverify.report.standing import Standing, remark, standing, waived
from wnverify.report.wording import one_line, printable

_COMMAND: Final = {
    Standing.FAILURE: "error",
    Standing.ERROR: "error",
    Standing.WARNING: "warning",
    Standing.WAIVED: "notice",
}
_MESSAGE: Final = 1000


def render(doc: Mapping[str, Any], *, strict: bool = False, folder: str = "") -> str:
    """The commands, a line each, gravest first; ``strict`` as the run was called, ``folder`` as in ``places``."""
    reasons, where = waived(doc), places(doc, folder)
    lines = []
    for finding in by_gravity(digest(doc).current):
        stands = standing(finding, strict=strict, waived=finding.id in reasons)
        if stands in _COMMAND:
            lines.append(_annotation(_COMMAND[stands], finding, where.get(finding.subject), reasons.get(finding.id)))
    for entry in doc.get("waivers", ()):
        if entry["state"] != "applied":
            lines.append(command("warning", {"title": "wnverify waiver"}, remark(entry)))
    return "".join(f"{line}\n" for line in lines)


def _annotation(kind: str, finding: Finding, place: Place | None, reason: str | None) -> str:
    properties = {"file": place.file, "line": str(place.line)} if place else {}
    said = [f"waived: {reason}."] if reason is not None else []
    said += [f"{finding.subject}: {finding.verdict}.", finding.statement, finding.message]
    said += [f"Replay: {finding.replay}"] if finding.replay else []
    return command(kind, {**properties, "title": finding.check}, one_line(" ".join(said), _MESSAGE))


def command(kind: str, properties: Mapping[str, str], message: str) -> str:
    """One workflow command; nothing in properties or message can end it, begin another or steer a terminal.

    >>> command("error", {"title": "a,b"}, "50 %")
    '::error title=a%2Cb::50 %25'
    """
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind}{' ' if written else ''}{written}::{_data(message)}"


def _data(text: str) -> str:
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
