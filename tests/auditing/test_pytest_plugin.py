"""The pytest plugin: what is collected, what each verdict does to a test, waivers, xdist, and what it costs."""

from __future__ import annotations

import datetime
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import wnverify
from wnverify import guard
from wnverify.auditing import pytest_plugin
from wnverify.auditing.pytest_checks import Check, HazardWarning
from wnverify.auditing.target import TargetSpec
from wnverify.configuration import Configuration
from wnverify.finding import Finding, Verdict
from wnverify.waivers import Waiver

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "wnverify.auditing.pytest_plugin", "-p", "no:cacheprovider")
NORMS = """
import torch


class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 2.0 * V

    @staticmethod
    def backward(ctx, A):
        return 3.0 * A


class Wrong(torch.nn.Module):
    def forward(self, V):
        return F.apply(V)


class Unit(torch.nn.Module):
    def forward(self, V):
        return V / V.flatten(1).norm(dim=1).reshape(-1, *[1] * (V.dim() - 1))
"""
DECORATED = """
import norms, wnverify

@wnverify.parametrize_checks(["norms.py:Wrong", norms.Unit], checks=["gradient.rows", "edge.zero_row"], quick=True)
def test_norms(check):
    check()
"""
NAMES = ["contract.forward", "precision.float64", "gradient.vjp", "gradient.rows", "edge.zero_row"]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's folder.  Other plugins of this machine stay away, this one is named, as if it were installed alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(wnverify.__file__).parents[1]))
    pytester.makepyfile(norms=NORMS)
    return pytester


def configured(project: pytest.Pytester, text: str) -> None:
    project.makepyprojecttoml(f"[tool.wnverify]\ntargets = ['norms.py:Wrong', 'norms.py:Unit']\nquick = true\n{text}")


def finding(verdict: str, message: str = "off by 0.5") -> Finding:
    known = {"statement": "Is it so?", "replay": "python -m wnverify audit norms.py:N", "message": message}
    named = {"kind": "check", "id": "check/norms.py:N/a.b", "subject": "norms.py:N", "check": "a.b"}
    return Finding(verdict=Verdict(verdict), **named, **known)


class Known:
    """An audit that has found this."""

    spec = TargetSpec(target="norms.py:N", subject="norms.py:N", name="N")

    def __init__(self, known: Finding):
        self.finding = lambda name: known


def called(
    verdict: str,
    message: str = "off by 0.5",
    *,
    strict: bool = False,
    waivers: tuple[Waiver, ...] = (),
    witness: dict[str, Any] | None = None,
) -> Any:
    audit: Any = Known(finding(verdict, message).replace(witness=witness))
    return Check(audit, "a.b", strict, Configuration(waivers=waivers))()


@pytest.mark.parametrize("verdict", ["fail", "error"])
def test_a_failure_or_error_fails_with_the_finding_in_words(verdict: str) -> None:
    """What was asked, what was seen and how to repeat it, without a traceback of ours or a subject's escapes."""
    with pytest.raises(pytest.fail.Exception) as caught:
        called(verdict, message="off \x1b[31m by\n::error::0.5")
    assert caught.value.pytrace is False
    lines = str(caught.value).splitlines()
    assert lines == [
        f"{verdict}: off [31m by ::error::0.5",
        f"{verdict}: check/norms.py:N/a.b",
        "  asked: Is it so?",
        "  seen: off [31m by ::error::0.5",
        "  replay: python -m wnverify audit norms.py:N",
    ]


@pytest.mark.parametrize("verdict", ["inconclusive", "unsupported", "blocked"])
def test_what_could_not_be_decided_is_skipped_with_the_reason(verdict: str) -> None:
    """Never passed; strict or not."""
    said = "blocked by check/norms.py:N/c.d (fail)" if verdict == "blocked" else "no such thing"
    with pytest.raises(pytest.skip.Exception, match=rf"norms\.py:N a\.b: {verdict}.*{re.escape(said[-10:])}"):
        called(verdict, strict=True, message=said)


def test_a_hazard_warns_and_fails_where_the_run_is_strict() -> None:
    """The warning holds the finding in words; its lines of code are for what fails."""
    with pytest.warns(HazardWarning, match=r"hazard: check/norms\.py:N/a\.b"):
        assert called("hazard").verdict is Verdict.HAZARD
    with pytest.raises(pytest.fail.Exception, match="hazard: "):
        called("hazard", strict=True)
    with pytest.warns(HazardWarning) as warned:
        called("hazard", witness={"snippet": "import torch\nf(V)"})
    assert "import torch" not in str(warned[0].message)
    with pytest.raises(pytest.fail.Exception, match=r"  \| import torch\n  \| f\(V\)"):
        called("fail", witness={"snippet": "import torch\nf(V)"})
    assert called("pass", strict=True).verdict is Verdict.PASS


def test_what_is_waived_is_an_expected_failure_until_the_waiver_expires() -> None:
    """The reason is shown; an expired one has no effect."""
    waiver = Waiver(check="a.*", reason="issue 12")
    for verdict in ("fail", "error", "hazard"):
        with pytest.raises(pytest.xfail.Exception, match=rf"waived: issue 12 \({verdict}: off"):
            called(verdict, strict=True, waivers=(waiver,))
    expired = Waiver(check="a.b", reason="old", expires=datetime.date(2020, 1, 1))
    with pytest.raises(pytest.fail.Exception):
        called("fail", waivers=(expired,))


def test_every_check_of_every_target_is_a_test(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--wnverify``: failures in words, what needs them blocked by name, waivers and verdicts summed up, and for all
    of it one child that performs and one that repeats what failed."""
    started: list[object] = []
    begin = guard.Child.__init__
    monkeypatch.setattr(guard.Child, "__init__", lambda child, warm: (started.append(warm), begin(child, warm))[1])
    configured(
        project,
        "strict = true\nchecks = ['gradient.rows', 'edge.zero_row', 'property.unit_norm_rows']\n"
        "declare = {unit_norm_rows = true}\n"
        "[[tool.wnverify.waivers]]\ncheck = 'edge.zero_row'\nreason = 'never zero'\n"
        "[[tool.wnverify.waivers]]\ncheck = 'contract.forward'\nreason = 'long ago'\n",
    )
    result = project.runpytest_inprocess(*PLUGIN, "--wnverify", "-v", "-ra")
    result.assert_outcomes(failed=2, skipped=1, xfailed=1, passed=8)
    result.stdout.fnmatch_lines_random(
        [
            "wnverify::norms.py:Wrong::contract.forward PASSED*",
            "wnverify::norms.py:Wrong::property.unit_norm_rows FAILED*",
            "wnverify::norms.py:Wrong::gradient.rows SKIPPED*",
            "wnverify::norms.py:Unit::gradient.rows PASSED*",
            "wnverify::norms.py:Unit::edge.zero_row XFAIL*",
            "*norms.py:Wrong gradient.vjp*",
            "fail: check/norms.py:Wrong/gradient.vjp",
            "  seen: *the backward is off by 0.5 of the Jacobian*",
            "  conditions: *reproduced in a fresh process*",
            "  replay: python -m wnverify audit norms.py:Wrong --check gradient.vjp --seed 0 *--quick",
            "2 fail*1 hazard*1 blocked*8 pass",
            "edge.zero_row is waived: never zero",
            "waiver no longer needed: contract.forward passes (long ago)",
            "SKIPPED*norms.py:Wrong gradient.rows: blocked by check/norms.py:Wrong/gradient.vjp (fail)",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert len(started) <= 2


def test_the_same_checks_by_a_decorator_and_chosen_by_name(project: pytest.Pytester) -> None:
    """A target and a live class; ``-k`` performs what is chosen, its prerequisites before it, nothing else."""
    project.makepyfile(test_norms=DECORATED)
    result = project.runpytest_inprocess(*PLUGIN, "-k", "Unit and rows or Wrong and zero_row", "-v")
    result.assert_outcomes(passed=2, deselected=8)
    result.stdout.fnmatch_lines(["*[norms.py:Wrong-edge.zero_row[]] PASSED*", "*[Unit-gradient.rows[]] PASSED*"])
    listed = project.runpytest_inprocess(*PLUGIN, "--collect-only", "-q", "-m", "wnverify")
    names = [line.removeprefix("test_norms.py::test_norms") for line in listed.outlines if "::" in line]
    assert names == [f"[{subject}-{name}]" for subject in ("norms.py:Wrong", "Unit") for name in NAMES]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere.py:N", "there is no file 'nowhere.py'"),
        ("broken.py:N", "broken.py:N: ModuleNotFoundError: No module named 'package_that_nobody_has'"),
        ("norms.py:Nope", "the file defines no 'Nope'"),
        ("norms", "must be package.module:name or path/file.py:name"),
    ],
)
def test_a_subject_that_cannot_be_loaded_is_refused(project: pytest.Pytester, target: str, said: str) -> None:
    """A collection error whose message is the reason, without a traceback; the run ends before a test."""
    project.makepyfile(broken="import package_that_nobody_has\nN = 1\n")
    result = project.runpytest_inprocess(*PLUGIN, "--wnverify-audit", target)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*wnverify: *{said.replace('[', '[[]')}*"])
    assert "Traceback" not in result.stdout.str()


def test_a_waiver_for_a_check_that_nobody_has_is_a_collection_error(project: pytest.Pytester) -> None:
    """It is never ignored."""
    configured(project, "[[tool.wnverify.waivers]]\ncheck = 'gradient.vpj'\nreason = 'x'\n")
    result = project.runpytest_inprocess(*PLUGIN, "--wnverify")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*wnverify: waiver of 'gradient.vpj' (x): no check has this id*"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.wnverify]\ntarget = []", "*unknown key 'target'; did you mean 'targets'*"),
        ("", "*--wnverify: pyproject.toml has no targets in [[]tool.wnverify]*"),
    ],
    ids=["unknown-key", "no-targets"],
)
def test_a_wrong_configuration_is_an_error_of_usage(project: pytest.Pytester, text: str, said: str) -> None:
    """Before anything is collected."""
    project.makepyprojecttoml(text)
    result = project.runpytest_inprocess(*PLUGIN, "--wnverify")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("(['norms.py:Unit'])\ndef test_x():", "test_x must take the argument check"),
        ("(['norms.py:N'])\ndef test_x(check):", "the file defines no 'N'"),
        ("('norms.py:N')\ndef test_x(check):", "targets must be a list of TARGET"),
        ("([], fast=1)\ndef test_x(check):", "has no option 'fast'; it has arguments"),
    ],
    ids=["no-argument", "no-such-name", "lone-target", "unknown-option"],
)
def test_a_decorator_without_sense_is_a_collection_error(project: pytest.Pytester, body: str, said: str) -> None:
    """With the place and what would be right."""
    project.makepyfile(test_it=f"import wnverify\n\n@wnverify.parametrize_checks{body}\n    pass\n")
    result = project.runpytest_inprocess(*PLUGIN)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*{said}*"])


def test_two_workers_of_xdist_agree_on_the_tests_and_sum_up(project: pytest.Pytester) -> None:
    """Ids are the same in every worker, each test runs once, and what was found arrives in the one summary."""
    project.makepyprojecttoml("[tool.wnverify]\ntargets = ['norms.py:Unit']\nchecks = ['edge.zero_row']\nquick = true")
    result = project.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2", "--wnverify", timeout=120)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["1 hazard*1 pass"])


def test_pytest_starts_with_nothing_heavy() -> None:
    """Loading the plugin imports no torch, no NumPy, nothing of the audit that needs time."""
    heavy = "{'torch', 'numpy', 'scipy', 'hypothesis', 'jinja2', 'rich', 'psutil', 'wnverify.auditing.suite'}"
    code = f"import sys, wnverify.auditing.pytest_plugin\nsys.exit(str({heavy} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_the_entry_point_names_the_plugin() -> None:
    """``pip install`` is all that a project does to have it."""
    project = Path(wnverify.__file__).parents[1] / "pyproject.toml"
    named = tomllib.loads(project.read_text("utf-8"))["project"]["entry-points"]["pytest11"]
    assert named == {"wnverify": pytest_plugin.__name__}
    assert importlib.import_module(named["wnverify"]).pytest_addoption is pytest_plugin.pytest_addoption
