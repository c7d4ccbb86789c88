"""The version is written once, in wnverify/version.py; everything that states it agrees."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import wnverify
from wnverify.report import results
from wnverify.version import VERSION

ROOT = Path(__file__).parents[2]


def of_the_wheel():
    """As hatchling finds it for wheel and sdist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" in project["project"]["dynamic"]
    source = project["tool"]["hatch"]["version"]
    return re.search(source["pattern"], (ROOT / source["path"]).read_text("utf-8"))["version"]


def of_the_command():
    done = subprocess.run([sys.executable, "-m", "wnverify", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.removeprefix("wnverify ").strip()


STATED = {
    "package": lambda: wnverify.__version__,
    "wheel": of_the_wheel,
    "command": of_the_command,
    "results.json": lambda: results.environment()["versions"]["wnverify"],
    "CITATION.cff": lambda: yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"],
    "CHANGELOG.md": lambda: re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[1],
}


@pytest.mark.parametrize("place", STATED)
def test_every_place_states_the_one_version(place):
    """What a place says of the version is what wnverify/version.py says."""
    assert STATED[place]() == VERSION
