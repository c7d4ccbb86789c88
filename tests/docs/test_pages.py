"""What the pages show: every command can be called, and the output beside a command is what it prints."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from worked import EXAMPLES, ROOT

from wnverify.cli import _parser

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.glob("docs/*.md"))}
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = sorted({line for text in PAGES.values() for line in re.findall(r"^\$ wnverify (.+)$", text, re.MULTILINE)})
SHOWN = {
    "MyNorm": ("docs/audit.md", "audit my_norm.py:MyNorm --quick", EXAMPLES / "first_audit"),
    "Mended": ("docs/audit.md", "audit my_norm.py:Mended --quick", EXAMPLES / "first_audit"),
    "gain": ("docs/audit.md", "audit my_gain.py:centred --quick", EXAMPLES / "first_audit"),
    "vjp": ("docs/findings.md", "audit examples/my_norm.py:CentredForgetful --check gradient.vjp", ROOT),
}


def called(command, folder):
    """What the command prints, run in a folder; it ends with 0 or 1, with 2 it would not have been understood."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "wnverify", *shlex.split(command), "--quiet"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode < 2, done.stderr
    return done.stdout


def unseen(shown, seen):
    """Of what is shown, between its ellipses, the first piece that was not seen after those before it, if any."""
    place = 0
    for piece in (piece.strip() for line in shown.splitlines() for piece in line.split("…")):
        place = seen.find(piece, place)
        if place < 0:
            return piece
        place += len(piece)
    return None


def test_there_are_commands():
    """The pages are found."""
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_a_page_can_be_called(command):
    """Commands, options and their values are those of the command line."""
    _parser().parse_args(shlex.split(command, comments=True))


@pytest.mark.parametrize("which", SHOWN)
def test_what_a_page_shows_is_what_is_seen(which):
    """Output is shown shortened, never altered."""
    page, command, folder = SHOWN[which]
    shown = re.search(rf"```console\n\$ wnverify {re.escape(command)}\n(.*?)```", PAGES[page], re.DOTALL)
    assert shown, page
    assert unseen(shown[1], called(command, folder)) is None


def test_the_first_audit_shows_its_files_as_they_are():
    """A reader of the raw page sees the code that is audited here."""
    shown = re.findall(r"```python\n(.*?)```", PAGES["docs/audit.md"], re.DOTALL)
    files = [path.read_text("utf-8") for path in sorted((EXAMPLES / "first_audit").glob("*.py"))]
    assert len(shown) == 3
    assert all(any(block in text for text in files) for block in shown)
    assert all(sum(len(block) for block in shown if block in text) > 0.95 * len(text) for text in files)


def test_the_quick_start_does_what_the_readme_says(tmp_path):
    """Its lines, but for the installation, in an empty folder: they end with 1 and show the finding."""
    start = re.search(r"## Quick start\n\n(.*?)\n\nIt looks right, and is not:\n\n(.*?)\n\nWhy", README, re.DOTALL)
    script, shown = ("\n".join(line[4:] for line in block.splitlines()) for block in start.groups())
    assert len(script.splitlines()) <= 10
    script = script.replace("pip install wnverify\n", f"wnverify() {{ {sys.executable} -m wnverify $@ --quiet; }}\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert unseen(shown, done.stdout) is None


def test_every_link_of_the_readme_leads_somewhere():
    """Sphinx checks the links of the pages, not these."""
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_picture_is_small():
    """A README is read over slow lines."""
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 250_000
