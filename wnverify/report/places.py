"""Where the code of an audited subject is, as far as the document says: for views that point into files."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from wnverify.report.digest import DESCRIPTION
from wnverify.report.results import findings_of

_AUDIT: Final = ["python", "-m", "wnverify", "audit"]


class Place(NamedTuple):
    """A file as the user named it, and the line in it where the subject begins."""

    file: str
    line: int


def places(doc: Mapping[str, Any], folder: str = "") -> dict[str, Place]:
    """Subject → place, for every subject whose replay command names a file; ``folder``: where the run took place, as
    seen from the folder that the files are to be named from.

    Findings hold no path: the command that repeats an audit is the one text that quotes the user's TARGET.
    """
    files: dict[str, str] = {}
    lines: dict[str, int] = {}
    for finding in findings_of(doc):
        if finding.kind == "check" and (file := _file(finding.replay)):
            files.setdefault(finding.subject, posixpath.normpath(posixpath.join(folder, file)) if folder else file)
        line = finding.routes[0].figures.get("line") if finding.check == DESCRIPTION and finding.routes else None
        if isinstance(line, int):
            lines[finding.subject] = line
    return {subject: Place(file, max(1, lines.get(subject, 1))) for subject, file in files.items()}


def _file(replay: str | None) -> str | None:
    try:
        words = shlex.split(replay or "")
    except ValueError:
        return None
    if words[:4] != _AUDIT or len(words) < 5:
        return None
    match = re.fullmatch(r"(?P<file>.+?\.py):[A-Za-z_][A-Za-z0-9_.]*", words[4])
    return match["file"] if match else None
