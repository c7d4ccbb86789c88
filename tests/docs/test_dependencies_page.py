"""docs/dependencies.md is the table of what pyproject.toml declares."""

import re
import tomllib

import pytest
from worked import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = {"every installation": PROJECT["dependencies"]} | {
    f"the extra `{extra}`": names for extra, names in PROJECT["optional-dependencies"].items()
}
SECTIONS = dict(
    section.split("\n", 1) for section in (ROOT / "docs" / "dependencies.md").read_text("utf-8").split("\n## Of ")[1:]
)


def test_there_is_a_table_for_every_group():
    """The core and each extra."""
    assert set(SECTIONS) == set(DECLARED)


@pytest.mark.parametrize("group", DECLARED)
def test_a_table_names_what_is_declared_each_with_purpose_and_licence(group):
    """Nothing more, nothing less, no empty cell."""
    rows = re.findall(r"^\| ([\w.-]+) \| (\S.*?) \| (\S.*?) \| (\S.*?) \|$", SECTIONS[group], re.MULTILINE)
    named = [row[0] for row in rows if row[0] != "package"]
    assert sorted(named) == sorted(re.split(r"[<>=!~\[]", requirement)[0] for requirement in DECLARED[group])
