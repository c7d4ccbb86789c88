"""The forms in which a command hands out its document beside the sheet on the terminal."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from wnverify.report import results

FORMS: Final = ("junit", "sarif", "html")
"""Options that name a file, each written by the view of its name."""


def check_destinations(arguments: argparse.Namespace) -> None:
    """Refuse a FILE that cannot be written, before any work is done."""
    given = {option: getattr(arguments, option, None) for option in ("json", *FORMS)}
    for option in FORMS:
        if given[option] == "-":
            raise ValueError(f"--{option} must be a file: only --json goes to standard output")
    check_files(given)
    if getattr(arguments, "github", False) and arguments.json == "-":
        raise ValueError("--github and --json - both write to standard output: give --json a FILE")


def check_files(given: Mapping[str, str | None]) -> None:
    """Refuse what is no place for the FILE of an option, and one FILE of two options; ``-`` is none."""
    taken: dict[Path, str] = {}
    for option, name in given.items():
        if name in (None, "-"):
            continue
        path = Path(name)
        folder = path.resolve().parent
        if not folder.is_dir():
            raise ValueError(f"--{option} must be a file in an existing folder; there is no folder {path.parent}")
        if path.is_dir():
            raise ValueError(f"--{option} must be a file; {name!r} is a folder")
        if path.exists():
            _check_access(option, "file", path)
        if path.is_file() or not path.exists():  # a file is replaced as a whole, a device or a pipe is written to
            _check_access(option, "file", folder)
            if other := taken.get(path.resolve()):
                raise ValueError(f"--{other} and --{option} must be two files; both are {name!r}")
            taken[path.resolve()] = option


def check_folder(option: str, name: str) -> None:
    """Refuse what is no FOLDER of an option, and can be made none."""
    place = next(path for path in (Path(name).resolve(), *Path(name).resolve().parents) if path.exists())
    if not place.is_dir():
        raise ValueError(f"--{option} must be a folder; {os.path.relpath(place)!r} is a file")
    _check_access(option, "folder", place)


def _check_access(option: str, kind: str, place: Path) -> None:
    if not os.access(place, os.W_OK):
        raise ValueError(f"--{option} must be a {kind} that can be written; {os.path.relpath(place)!r} may not be")


def publish(doc: Mapping[str, Any], arguments: argparse.Namespace, *, strict: bool) -> None:
    """Write every FILE that was asked for."""
    if arguments.json not in (None, "-"):
        results.write(arguments.json, doc)
    for option in FORMS:
        if name := getattr(arguments, option, None):
            view = importlib.import_module(f"wnverify.report.views.{option}")
            told: dict[str, Any] = {} if option == "html" else {"strict": strict}
            told |= {"folder": in_workspace()} if option == "sarif" else {}
            results.put(name, [view.render(doc, **told)])


def annotate(doc: Mapping[str, Any], arguments: argparse.Namespace, *, strict: bool) -> None:
    """With ``--github`` the annotations, on standard output."""
    if getattr(arguments, "github", False):
        from wnverify.report.views import annotations

        print(annotations.render(doc, strict=strict, folder=in_workspace()), end="")


def in_workspace() -> str:
    """The working folder as seen from the repository that GitHub Actions checked out: the files of a run are named
    relative to the one, and services look for them below the other.  Empty where there is no such place."""
    root = os.environ.get("GITHUB_WORKSPACE")
    here = Path.cwd()
    if not root or not here.is_relative_to(Path(root).resolve()):
        return ""
    return here.relative_to(Path(root).resolve()).as_posix()


@contextlib.contextmanager
def no_commands(arguments: argparse.Namespace) -> Iterator[None]:
    """With ``--github`` nothing that is printed inside is a workflow command, whatever a subject calls itself.

    The word that ends the quiet is drawn anew in each run, so that no subject can print it.
    """
    if not getattr(arguments, "github", False):
        yield
        return
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        print(f"::{word}::", flush=True)
