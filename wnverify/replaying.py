"""``wnverify replay``: is a finding of a results.json found again by its own command, in a fresh process?"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from wnverify.finding import Finding
from wnverify.report import results

PREFIX: Final = ("python", "-m", "wnverify")
COMMANDS: Final = frozenset({"audit", "claims", "selftest"})
"""Commands of the lab that a finding may name; anything else in a file is not run."""


class Replayed(NamedTuple):
    """A stored finding, what its command found now (None: nothing under that id), and why it could not be run."""

    stored: Finding
    found: Finding | None
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether verdict and witness came out as stored."""
        found = self.found
        return found is not None and (found.verdict, found.witness) == (self.stored.verdict, self.stored.witness)


def chosen(path: str, patterns: Sequence[str]) -> list[Finding]:
    """The findings of the file that a pattern matches by id or check; without patterns all that carry a witness.

    ``ValueError`` for a file that is no results.json, or a pattern without a match.
    """
    if not Path(path).is_file():
        raise ValueError(f"RESULTS must be a results.json; there is no file {path!r}")
    findings = results.findings_of(results.read(path))
    if not patterns:
        return [finding for finding in findings if finding.witness is not None and finding.replay]
    for pattern in patterns:
        if not any(_matches(finding, pattern) for finding in findings):
            raise ValueError(f"ID {pattern!r} matches no finding of {path!r}")
    return [finding for finding in findings if any(_matches(finding, pattern) for pattern in patterns)]


def command_of(stored: Finding) -> list[str]:
    """The words of the command of the lab that a finding names; none where it names something else: lines for Python,
    or a call with an object that was alive."""
    with contextlib.suppress(ValueError):  # a quotation that does not end
        words = shlex.split(stored.replay or "")
        if tuple(words[:3]) == PREFIX and words[3:4] and words[3] in COMMANDS:
            return words[3:]
    return []


def replay(stored: Finding) -> Replayed:
    """Run the finding's own command in a fresh process and look its id up in what comes back."""
    words = command_of(stored)
    if not words:
        return Replayed(stored, None, f"its replay is no command of the lab: {stored.replay!r}")
    command = [sys.executable, "-m", "wnverify", *words, "--json", "-", "--quiet"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        records: Any = json.loads(ran.stdout)["findings"]
    except (ValueError, KeyError):
        last = (ran.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return Replayed(stored, None, f"the command ended with {ran.returncode}: {last}")
    found = next((Finding.from_json(record) for record in records if record["id"] == stored.id), None)
    return Replayed(stored, found, "" if found else "the command found nothing under this id")


def _matches(finding: Finding, pattern: str) -> bool:
    return fnmatch.fnmatchcase(finding.id, pattern) or fnmatch.fnmatchcase(finding.check, pattern)
