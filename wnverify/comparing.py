"""``wnverify diff`` and ``report --compare``: what changed since another document, and whether it is worse."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from wnverify.finding import dumps
from wnverify.publishing import check_file
from wnverify.report import compare
from wnverify.report.views import changes
from wnverify.running import EXIT_WRONG, console


def diff(arguments: argparse.Namespace) -> int:
    """Compare two files, hand the comparison out, and give the exit code; ``ValueError`` for a file that is no
    results.json."""
    _check_destinations(arguments)
    old, new = compare.read(arguments.old), compare.read(arguments.new)
    against = compare.name_of(arguments.old)
    made = compare.compare(old, new, against=against, only_verdicts=arguments.verdicts)
    _hand_out(made, arguments)
    return EXIT_WRONG if compare.is_worse(made, strict=arguments.strict) else 0


def _check_destinations(arguments: argparse.Namespace) -> None:
    forms = {"json": arguments.json, "markdown": arguments.markdown}
    if list(forms.values()).count("-") > 1:
        raise ValueError("--json - and --markdown - both write to standard output: give one of them a FILE")
    for option, name in forms.items():
        if name not in (None, "-"):
            check_file(option, name)


def _hand_out(made: dict[str, Any], arguments: argparse.Namespace) -> None:
    forms = {"json": dumps(made) + "\n", "markdown": "\n".join(changes.markdown(made))}
    given = {form: getattr(arguments, form) for form in forms}
    if "-" not in given.values():
        changes.table(console(), made)
    for form, name in given.items():
        if name == "-":
            sys.stdout.write(forms[form])
        elif name:
            Path(name).write_text(forms[form], encoding="utf-8")
