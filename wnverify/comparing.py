"""``wnverify diff`` and ``report --compare``: what changed since another document, and whether it is worse."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from wnverify.finding import dumps
from wnverify.publishing import check_files
from wnverify.report import compare, results
from wnverify.report.views import changes
from wnverify.report.wording import plural
from wnverify.running import EXIT_WRONG, console, printing


def diff(arguments: argparse.Namespace) -> int:
    """Compare two files, hand the comparison out, and give the exit code; ``ValueError`` for a file that is no
    results.json."""
    _check_destinations(arguments)
    old, new = compare.read(arguments.old), compare.read(arguments.new)
    against = compare.name_of(arguments.old)
    made = compare.compare(old, new, against=against, only_verdicts=arguments.verdicts)
    if arguments.verdicts and not made["compared"]:
        counted = f"{plural(len(old['findings']), 'finding')} there, {len(new['findings']):,} here"
        raise ValueError(f"nothing in common: no id is in both OLD and NEW that is not of a stale part ({counted})")
    _hand_out(made, arguments)
    return EXIT_WRONG if compare.is_worse(made, strict=arguments.strict) else 0


def _check_destinations(arguments: argparse.Namespace) -> None:
    forms = {"json": arguments.json, "markdown": arguments.markdown}
    if list(forms.values()).count("-") > 1:
        raise ValueError("--json - and --markdown - both write to standard output: give one of them a FILE")
    check_files(forms)


def _hand_out(made: dict[str, Any], arguments: argparse.Namespace) -> None:
    forms = {"json": dumps(made) + "\n", "markdown": "\n".join(changes.markdown(made))}
    given = {form: getattr(arguments, form) for form in forms}
    for form, name in given.items():
        if name not in (None, "-"):
            results.put(name, [forms[form]])
    with printing():
        if "-" not in given.values():
            changes.table(console(), made)
        for form, name in given.items():
            if name == "-":
                sys.stdout.write(forms[form])
