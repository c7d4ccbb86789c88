"""The command line: its output and exit codes, in whole processes but for wrong calls, which are many."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wnverify import cli
from wnverify.report import results

WRONG = """
import torch
from torch import nn

class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        norm = V.norm(dim=1, keepdim=True)
        ctx.save_for_backward(V / norm, norm)
        return V / norm

    @staticmethod
    def backward(ctx, A):
        W, norm = ctx.saved_tensors
        return 1.03 * (A - (A * W).sum(1, keepdim=True) * W) / norm

class MyNorm(nn.Module):
    def forward(self, V):
        return F.apply(V.flatten(1)).reshape(V.shape)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("user")
    (made / "my_norm.py").write_text(WRONG)
    return made


def run(folder: Path, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wnverify", *words], cwd=folder, capture_output=True, text=True, timeout=timeout
    )


def test_help_imports_nothing_but_the_package(folder: Path) -> None:
    """``wnverify --help`` is quick: beside our own modules it loads those of the standard library alone."""
    code = "import sys\nbefore = set(sys.modules)\nfrom wnverify.cli import main\n"
    code += "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    code += "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
    code += "print(*(loaded - sys.stdlib_module_names), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert "usage: wnverify" in done.stdout
    assert done.stderr.split() == ["wnverify"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit", "nowhere.py:X"], "there is no file 'nowhere.py'"),
        (["audit", "my_norm"], "must be package.module:name or path/file.py:name"),
        (["audit", "my_norm.py:Nope"], "it defines"),
        (["audit", "no_such_package.sub:X"], "no module named 'no_such_package'"),
        (["audit", "my_norm.py:MyNorm", "--declare", "unit_norm_row"], "did you mean 'unit_norm_rows'?"),
        (["audit", "my_norm.py:MyNorm", "--check", "nope.*"], "matches no check"),
        (["audit", "my_norm.py:MyNorm", "--arg", "radius=2"], "radius"),
        (["audit", "my_norm.py:MyNorm", "--workers", "0"], "at least 1"),
        (["audit", "my_norm.py:MyNorm", "--timeout", "-1"], "positive number"),
        (["audit", "my_norm.py:MyNorm", "--json", "no/such/folder/out.json"], "no/such/folder"),
        (["claims", "CWN-NOPE"], "matches no decided claim"),
        (["methods", "nope"], "must be a name that `wnverify methods` lists; got 'nope'"),
        (["selftest", "--fault", "nope"], "matches no variant"),
        (["report", "--quick", "--full"], "not allowed with argument --quick"),
        (["report", "--parts", "my_norm.py"], "--parts must be a folder; 'my_norm.py' is a file"),
        (["report", "--out", "my_norm.py"], "--out must be a folder; 'my_norm.py' is a file"),
    ],
)
def test_a_wrong_call_exits_2_and_says_what_is_right(
    folder: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong call exits with 2, names what came and what would be right, and shows no traceback."""
    monkeypatch.chdir(folder)
    assert ended(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def ended(words: list[str]) -> int | str | None:
    """The exit code, which argparse raises and a command returns."""
    try:
        return cli.main(words)
    except SystemExit as end:
        return end.code


def test_a_wrong_backward_fails_and_its_replay_reproduces_it(folder: Path) -> None:
    """A backward that is 3 % wrong fails; the sheet names the check and input; the replay command fails again."""
    done = run(folder, "audit", "my_norm.py:MyNorm", "--quiet", "--json", "sheet.json")
    assert done.returncode == 1
    assert "gradient.vjp" in done.stdout
    findings = {finding.check: finding for finding in results.findings_of(results.read(folder / "sheet.json"))}
    finding = findings["gradient.vjp"]
    assert str(finding.verdict) == "fail"
    assert "reproduced in a fresh process" in finding.conditions
    assert isinstance(finding.witness, dict)
    assert {"V", "cotangent", "snippet"} <= set(finding.witness)
    assert finding.replay is not None
    words = finding.replay.split()
    assert words[:3] == ["python", "-m", "wnverify"]
    again = run(folder, *words[3:], "--quiet")
    assert again.returncode == 1
    assert "gradient.vjp" in again.stdout


def test_a_right_subject_exits_0_with_strict_json_on_standard_output(folder: Path) -> None:
    """``--json -`` writes one strict JSON document to standard output and nothing else; a right subject exits 0."""
    target = "wnverify.methods.centred_weight_normalization.pytorch:CentredWeightNormalization"
    done = run(folder, "audit", target, "--check", "contract.*", "--quiet", "--json", "-")
    assert done.returncode == 0
    doc = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"bare {name} in JSON"))
    results.validate(doc, "standard output")
    assert {finding["verdict"] for finding in doc["findings"]} == {"pass"}


def test_a_killed_audit_is_finished_by_resume(folder: Path) -> None:
    """An audit killed with SIGKILL leaves a journal that ``--resume`` finishes; the sheet equals an undisturbed one."""
    words = ["audit", "torch.nn.utils.parametrizations:weight_norm", "--quick", "--quiet", "--json"]
    whole = run(folder, *words, "whole.json")
    started = subprocess.Popen(
        [sys.executable, "-m", "wnverify", *words, "cut.json"], cwd=folder, stdout=subprocess.DEVNULL
    )
    journals = folder / ".wnverify"
    deadline = time.monotonic() + 60
    while sum(path.read_bytes().count(b"\n") for path in journals.glob("audit-*.jsonl")) < 6:
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    (journal,) = journals.glob("audit-*.jsonl")
    known = journal.read_bytes().count(b"\n") - 1
    resumed = run(folder, *words, "cut.json", "--resume")
    assert resumed.returncode == whole.returncode == 1
    first, second = (results.read(folder / name) for name in ("whole.json", "cut.json"))
    assert first["findings"] == second["findings"]
    assert known >= 5
    assert not list(journals.glob("audit-*.jsonl"))


def test_claims_and_methods_are_shown(folder: Path) -> None:
    """``claims ID`` shows the verdict of a refuted claim; ``methods`` lists the catalogue."""
    done = run(folder, "claims", "CWN-P1-STEPS", "--quick", "--quiet")
    assert done.returncode == 0
    assert "refuted" in done.stdout
    listed = run(folder, "methods")
    assert listed.returncode == 0
    assert "orthogonal_weight_normalization" in listed.stdout


def test_what_can_be_declared_and_checked_is_listed(folder: Path) -> None:
    """Every known name, also those that a refusal has no room for."""
    lines = run(folder, "audit", "--list").stdout.splitlines()
    names = [line.partition("  ")[0] for line in lines]
    assert {"structured_orthonormal=VALUE", "finite_only_for_row_norm_lt", "simplex_rows", "gradient.vjp"} <= set(names)
    for title, least in (("DECLARES", 20), ("DOMAIN", 20), ("SET", 13), ("checks", 60)):
        (head,) = (line for line in lines if line.startswith(title))
        assert int(head.rpartition("(")[2].removesuffix(")")) >= least, title


def test_a_document_names_its_command_its_source_and_what_it_was_asked(folder: Path) -> None:
    """What ``--json`` writes is a part that a report can take in, and that says how much it holds."""
    done = run(folder, "claims", "CWN-P1-STEPS", "--quick", "--quiet", "--json", "-")
    doc = json.loads(done.stdout)
    assert set(doc["parts"]) == {"claims"}
    assert doc["parts"]["claims"]["asked"] == {"quick": True, "seed": 0, "ids": ["CWN-P1-STEPS"]}
    assert not (folder / "reports").exists()
    taken = results.take_part(results.document([], environment={}, timing={}), doc)
    assert taken["parts"]["claims"]["ids"] == ["claim/cwn/CWN-P1-STEPS"]
