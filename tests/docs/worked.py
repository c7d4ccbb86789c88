"""A copy of the package in which a worked example of the documentation is carried out, as a reader would do it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


class Laboratory:
    """``folder/wnverify``: the package as it is, to be added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "wnverify", folder / "wnverify")

    def add(self, example: str, place: str) -> None:
        """A file or a folder of the example, put where its page says."""
        source, target = EXAMPLES / example, self.folder / place
        assert not target.exists(), place
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)

    def add_row(self, example: str, place: str, table: str) -> None:
        """What the example calls ROW, put at the end of a table."""
        row = (EXAMPLES / example).read_text("utf-8").partition("ROW = ")[2].rstrip()
        file = self.folder / place
        before, opening, rest = file.read_text("utf-8").partition(f"{table}: Final = (\n")
        inside, closing, after = rest.partition("\n)\n")
        assert row, example
        assert opening, table
        assert closing, table
        file.write_text(f"{before}{opening}{inside}\n    {row},{closing}{after}", "utf-8")

    def replace(self, place: str, old: str, new: str) -> None:
        """One place of a file changed."""
        file = self.folder / place
        text = file.read_text("utf-8")
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new), "utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``python -m …`` with the copy in the place of the package."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PYTEST_ADDOPTS", None)
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)


def passed(output: str) -> int:
    """How many tests passed, or how many findings did where all of them do; 0 where it says nothing of the kind."""
    said = re.search(r"(\d+) passed|(\d+) findings: \2 pass$", output, re.MULTILINE)
    return int(said[1] or said[2]) if said else 0
