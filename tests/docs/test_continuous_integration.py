"""The workflow and the hook of docs/continuous-integration.md: valid, and their commands do what the page says."""

import json
import os
import shutil
import subprocess
import sys

import junitparser
import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from pre_commit.main import main as pre_commit
from worked import EXAMPLES, ROOT

WORKFLOW = EXAMPLES / "continuous_integration" / "wnverify.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
STEPS = {step.get("name"): step for step in yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["audit"]["steps"]}
TABLE = """[tool.wnverify]
targets = ["my_norm.py:{subject}"]
checks = ["gradient.vjp"]
quick = true
{further}
"""


def project(folder, subject, further=""):
    """A user's project with the example of this repository as its normalization."""
    shutil.copyfile(ROOT / "examples" / "my_norm.py", folder / "my_norm.py")
    (folder / "pyproject.toml").write_text(TABLE.format(subject=subject, further=further), "utf-8")
    scripts = folder / "bin"
    scripts.mkdir()
    (scripts / "wnverify").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wnverify "$@"\n', "utf-8")
    (scripts / "wnverify").chmod(0o755)
    return os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def run(command, folder, environment):
    words = ["bash", "-e", "-c", command]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_workflow_is_valid_by_the_schema_of_github():
    """A slip in a workflow is seen only when it is pushed."""
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", "vendor.github-workflows", str(WORKFLOW)])
    assert done.exit_code == 0, done.output


def test_its_audit_fails_where_a_gradient_is_wrong(tmp_path):
    """Exit code 1, an annotation at the subject's line, and every file that the later steps send on."""
    environment = project(tmp_path, "CentredForgetful")
    done = run(STEPS["Audit"]["run"], tmp_path, environment)
    assert done.returncode == 1, done.stderr
    assert "::error file=my_norm.py,line=" in done.stdout
    results = json.loads((tmp_path / "wnverify.sarif").read_text("utf-8"))["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["gradient.vjp"]
    assert junitparser.JUnitXml.fromfile(str(tmp_path / "wnverify.xml")).failures == 1
    assert (tmp_path / "wnverify.html").stat().st_size
    assert STEPS["Show under code scanning"]["with"]["sarif_file"] == "wnverify.sarif"
    assert STEPS["Keep the files"]["with"]["path"] == "wnverify.*"


WAIVED = '[[tool.wnverify.waivers]]\ncheck = "gradient.vjp"\nreason = "known"'


@pytest.mark.parametrize(
    ("subject", "further", "code"),
    [("Centred", "", 0), ("CentredForgetful", WAIVED, 0), ("Centred", "no_such_key = 1", 2), ("NoSuch", "", 2)],
    ids=["right", "waived", "unknown-key", "unknown-target"],
)
def test_exit_codes_are_those_of_the_page(subject, further, code, tmp_path):
    """0 where nothing is wrong or all of it waived, 2 where the call is; 1 is the test above."""
    done = run(STEPS["Audit"]["run"], tmp_path, project(tmp_path, subject, further))
    assert done.returncode == code, done.stdout + done.stderr


def test_the_manifest_of_the_hook_is_valid(capsys):
    """By pre-commit itself."""
    assert pre_commit(["validate-manifest", str(HOOKS)]) == 0, capsys.readouterr()


@pytest.mark.parametrize(("subject", "code"), [("Centred", 0), ("CentredForgetful", 1)], ids=["right", "wrong"])
def test_the_hook_stops_a_commit_where_a_gradient_is_wrong(subject, code, tmp_path):
    """pre-commit runs it as from any repository that names this one."""
    hooks, user = tmp_path / "hooks", tmp_path / "user"
    for folder in (hooks, user):
        folder.mkdir()
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    shutil.copyfile(HOOKS, hooks / HOOKS.name)
    identity = ["-c", "user.name=n", "-c", "user.email=n@localhost"]
    subprocess.run(["git", "add", "."], cwd=hooks, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "hooks"], cwd=hooks, check=True)
    environment = project(user, subject) | {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    subprocess.run(["git", "add", "."], cwd=user, check=True)
    done = run(f"{sys.executable} -m pre_commit try-repo {hooks} wnverify --all-files", user, environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("Failed" if code else "Passed") in done.stdout
