"""The files that other services read: each is valid by the published schema of the service."""

from pathlib import Path

import pytest
from check_jsonschema import main
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
READ = {
    "CITATION.cff": "vendor.citation-file-format",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/wrong-verdict.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/missed-fault.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
}


def judged(schema, path):
    """What check-jsonschema, which ships the schemas, says of a file."""
    return CliRunner().invoke(main, ["--builtin-schema", schema, str(path)])


@pytest.mark.parametrize("file", READ)
def test_a_file_is_valid_by_the_schema_of_its_reader(file):
    """A citation or an issue form with a slip is silently not shown by the service that reads it."""
    done = judged(READ[file], ROOT / file)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("file", READ)
def test_a_slip_is_seen(file, tmp_path):
    """The same file with one line too many is refused, so that the schema does judge it."""
    broken = tmp_path / Path(file).name
    broken.write_text((ROOT / file).read_text("utf-8") + "no_such_key: 1\n", "utf-8")
    assert judged(READ[file], broken).exit_code == 1


def test_no_issue_form_is_left_out():
    """Every file of the folder is judged above."""
    folder = ".github/ISSUE_TEMPLATE"
    assert {f"{folder}/{path.name}" for path in (ROOT / folder).iterdir()} == {name for name in READ if folder in name}
