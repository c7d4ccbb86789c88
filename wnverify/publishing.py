"""The forms in which a command hands out its document beside the sheet on the terminal."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

FORMS: Final = ("junit", "sarif", "html")
"""Options that name a file, each written by the view of its name."""


def check_destinations(arguments: argparse.Namespace) -> None:
    """Refuse a FILE that cannot be written, before any work is done."""
    for option in ("json", *FORMS):
        name = getattr(arguments, option, None)
        if name is None or (option == "json" and name == "-"):
            continue
        if name == "-":
            raise ValueError(f"--{option} must be a file: only --json goes to standard output")
        check_file(option, name)
    if getattr(arguments, "github", False) and arguments.json == "-":
        raise ValueError("--github and --json - both write to standard output: give --json a FILE")


def check_file(option: str, name: str) -> None:
    """Refuse what is no place for the FILE of an option."""
    path = Path(name)
    if not path.resolve().parent.is_dir():
        raise ValueError(f"--{option} must be a file in an existing folder; there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"--{option} must be a file; {name!r} is a folder")


def publish(doc: Mapping[str, Any], arguments: argparse.Namespace, *, strict: bool) -> None:
    """Write every FILE that was asked for; with ``--github`` the annotations go to standard output."""
    for option in FORMS:
        if name := getattr(arguments, option):
            view = importlib.import_module(f"wnverify.report.views.{option}")
            text = view.render(doc) if option == "html" else view.render(doc, strict=strict)
            Path(name).write_text(text, encoding="utf-8")
    if arguments.github:
        from wnverify.report.views import annotations

        print(annotations.render(doc, strict=strict), end="", flush=True)


@contextlib.contextmanager
def no_commands(arguments: argparse.Namespace) -> Iterator[None]:
    """With ``--github`` nothing that is printed inside is a workflow command, whatever a subject calls itself.

    The word that ends the quiet is drawn anew in each run, so that no subject can print it.
    """
    if not arguments.github:
        yield
        return
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        print(f"::{word}::", flush=True)
