"""The audit end to end: supervised children, prerequisites, repetition, witnesses, and the same result each time."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from audited import DIFFERENCES, SUBJECTS, ratio
from torch import nn

import wnverify
from wnverify.auditing.registry import DESCRIPTION, REPEATED
from wnverify.auditing.suite import confirmed, run_audit, shared_children, specs_of
from wnverify.auditing.target import TargetError
from wnverify.finding import Evidence, Finding, Verdict, decode_array, dumps, unique
from wnverify.oracles.ratio import ErrorModel, map_model

DEADLY = {
    "deadly.py:Hangs": "did not finish within 8 s",
    "deadly.py:Exits": "the process ended with exit code 0",
    "deadly.py:Segfaults": "the process was killed by SIGSEGV",
}
QUIET = ("faulty.py:Right", "patching.py:Patches", "patching.py:Normalizes")
PRINTED = ErrorModel(5e-5, "four decimals of entries of size one")
ONCE = """
from pathlib import Path

import torch
from torch import nn

MARKER = Path({marker!r})
WRONG = not MARKER.exists()


class F(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 2.0 * V

    @staticmethod
    def backward(ctx, A):
        MARKER.touch()
        return 3.0 * A if WRONG else 2.0 * A


class Once(nn.Module):
    def forward(self, V):
        return F.apply(V)
"""


def targets(names):
    return [str(SUBJECTS / name) for name in names]


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A subject whose backward is wrong in the first process that calls it."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "once.py").write_text(ONCE.format(marker=str(folder / "marker")))
    return f"{folder / 'once.py'}:Once"


@pytest.fixture(scope="module")
def children():
    """Two threads with warm children, which serve several runs."""
    with shared_children(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def audited(once, children):
    """Five kinds of subjects in one run of two workers: id → finding."""
    specs = specs_of([*targets([*DEADLY, "faulty.py:Wrong", *QUIET]), once])
    result = run_audit(specs, checks=["gradient.vjp"], timeout_s=8.0, executor=children)
    assert not result.interrupted
    return {finding.id.removeprefix("check/"): finding for finding in result.findings}


@pytest.fixture(scope="module")
def wrong(audited):
    return audited["faulty.py:Wrong/gradient.vjp"]


def test_a_wrong_backward_is_a_failure_that_came_back(wrong):
    """The verdict is fail, by how much is said, and that a fresh process saw it too."""
    assert wrong.verdict is Verdict.FAIL
    assert "off by 0.03 of the Jacobian" in wrong.message
    assert "reproduced in a fresh process" in wrong.conditions


def test_a_right_subject_meets_no_failure(audited):
    """Nothing is said against it, and nothing of the repetition is left."""
    verdicts = {name: finding.verdict for name, finding in audited.items() if name.startswith("faulty.py:Right")}
    assert set(verdicts.values()) == {Verdict.PASS}
    assert len(verdicts) == 4
    assert not [name for name in audited if name.endswith(REPEATED)]


def test_a_pattern_brings_what_it_requires(audited):
    """``gradient.vjp`` was asked for, what it requires came with it, and the description before all."""
    for subject in ("faulty.py:Right", *DEADLY):
        checks = {finding.check for finding in audited.values() if finding.subject == subject}
        assert checks == {DESCRIPTION, "contract.forward", "precision.float64", "gradient.vjp"}


@pytest.mark.parametrize("subject", DEADLY)
def test_a_death_costs_its_own_checks_alone(audited, subject):
    """The check that died is an error with the reason, what needed it is blocked by name."""
    forward, vjp = (audited[f"{subject}/{check}"] for check in ("contract.forward", "gradient.vjp"))
    assert (forward.verdict, forward.message) == (Verdict.ERROR, DEADLY[subject])
    assert vjp.verdict is Verdict.BLOCKED
    assert vjp.message == f"blocked by check/{subject}/contract.forward (error)"


def test_a_subject_that_patches_torch_changes_nobody(audited):
    """The next subject finds the functions that it uses as they were."""
    for subject in ("patching.py:Patches", "patching.py:Normalizes"):
        verdicts = {finding.verdict for finding in audited.values() if finding.subject == subject}
        assert verdicts == {Verdict.PASS}


def test_a_failure_that_does_not_come_back_is_a_hazard_of_hidden_state(audited):
    """What failed once and not in a fresh process is no failure, and says why."""
    finding = audited["once.py:Once/gradient.vjp"]
    assert finding.verdict is Verdict.HAZARD
    assert finding.message.startswith("it failed once and not in a fresh process, so it rests on hidden state: ")
    assert "off by 0.5 of the Jacobian" in finding.message


def test_findings_hold_no_directory_no_address_and_no_process(audited):
    """Ids, messages, conditions, witnesses and figures are the same anywhere; only the replay quotes the target."""
    for finding in audited.values():
        said = dumps(finding.replace(replay=None).to_json())
        assert str(SUBJECTS.parent) not in said
        assert not re.search(r"0x[0-9a-f]{6}|pytest-of|/tmp|\bpid\b", said)


def test_the_result_does_not_depend_on_workers_nor_on_who_else_is_audited(audited):
    """One worker, in another order, without the deadly, the stateful and the patching, gives the same bytes."""
    specs = specs_of(targets(["faulty.py:Wrong", "patching.py:Normalizes", "faulty.py:Right"]))
    with ThreadPoolExecutor(1) as serial:
        again = run_audit(specs, checks=["gradient.vjp"], workers=1, executor=serial).findings
    subjects = {finding.subject for finding in again}
    first = [finding for finding in audited.values() if finding.subject in subjects]
    assert len(subjects) == 3
    assert dumps([f.to_json() for f in unique(first)]) == dumps([f.to_json() for f in again])


def test_the_witness_holds_both_gradients_exactly(wrong):
    """V, the cotangent and both gradients are written exactly, and the gradients disagree by three per cent."""
    V, A, right, written = (
        torch.as_tensor(decode_array(wrong.witness[name]))
        for name in ("V", "cotangent", "gradient_by_differences", "gradient_by_backward")
    )
    assert wrong.witness["small"] is True
    assert torch.equal(4 * V, (4 * V).round())
    assert V.numel() <= 4
    W, norms = V / V.norm(dim=1, keepdim=True), V.norm(dim=1, keepdim=True)
    exact = (A - (A * W).sum(1, keepdim=True) * W) / norms
    assert ratio(right, exact, DIFFERENCES) <= 1
    assert ratio(written, 1.03 * exact, map_model("float64", V.numel())) <= 1
    assert ratio(written, exact, DIFFERENCES) > 10
    assert all("hex" in wrong.witness[name] for name in ("V", "cotangent", "gradient_by_backward"))


def test_the_snippet_runs_and_prints_the_wrong_gradient(wrong):
    """Pasted into a fresh process in the subject's folder, it gives the backward's own numbers."""
    done = subprocess.run(
        [sys.executable, "-c", wrong.witness["snippet"]], cwd=SUBJECTS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = [float(text) for text in re.findall(r"-?\d+\.\d*(?:e[-+]\d+)?", done.stdout)]
    written = [float(value) for value in decode_array(wrong.witness["gradient_by_backward"]).ravel()]
    right = [float(value) for value in decode_array(wrong.witness["gradient_by_differences"]).ravel()]
    assert len(printed) == 2 * len(written) + 1
    assert ratio(torch.tensor(printed[:-1]), torch.tensor([*written, *right]), PRINTED) <= 1


def test_the_replay_fails_again_in_a_process_of_its_own(wrong, tmp_path):
    """The command line ends with exit code 1 and names the check."""
    words = shlex.split(wrong.replay)
    assert words[:4] == ["python", "-m", "wnverify", "audit"]
    done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gradient.vjp" in done.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "TARGET is missing"),
        (["kinds.py:Plain", "kinds.py:Plain"], "two targets are called 'kinds.py:Plain'"),
        (["kinds.py:Plain", "other/neighbour.py:Nope"], "defines no 'Nope'"),
    ],
)
def test_a_call_without_sense_is_refused(given, said):
    """Before any process is started."""
    with pytest.raises(TargetError) as caught:
        specs_of(targets(given))
    assert said in str(caught.value)


def test_the_same_file_name_in_two_folders_is_refused(tmp_path):
    """Ids hold no folder, so that the two could not be told apart; another class of the file is welcome."""
    (tmp_path / "kinds.py").write_text("def Plain(V):\n    return V\n")
    with pytest.raises(TargetError, match=r"two targets are called 'kinds.py:Plain': rename one"):
        specs_of([*targets(["kinds.py:Plain"]), f"{tmp_path / 'kinds.py'}:Plain"])
    names = [spec.subject for spec in specs_of(targets(["kinds.py:Plain", "kinds.py:Pair"]))]
    assert names == ["kinds.py:Plain", "kinds.py:Pair"]


def test_an_error_of_the_description_ends_the_call(children):
    """The call is wrong, and the target named."""
    with pytest.raises(TargetError, match=r"undeclarable.py:NoMapping: DECLARES must be"):
        run_audit(specs_of(targets(["undeclarable.py:NoMapping"])), executor=children)


def failure(check, subject="s"):
    return Finding(
        kind="check",
        id=f"check/{subject}/{check}",
        subject=subject,
        check=check,
        verdict=Verdict.FAIL,
        statement="?",
        message="off",
    )


def repetition(verdict=Verdict.PASS, **verdicts):
    figures = {name.replace("_", "."): str(value) for name, value in verdicts.items()}
    routes = (Evidence(route="exact", verdict=Verdict.PASS, figures=figures),) if figures else ()
    return failure(REPEATED).replace(verdict=verdict, routes=routes, message="did not finish within 60 s")


def test_repetition_decides_what_a_failure_is():
    """Failed again: confirmed.  Passed: hidden state.  Passes of the first run are not touched."""
    first = [failure("a.x"), failure("b.x"), failure("c.x").replace(verdict=Verdict.PASS)]
    again = [repetition(a_x=Verdict.FAIL, b_x=Verdict.PASS, c_x=Verdict.FAIL)]
    verdicts = [(f.verdict, f.conditions) for f in confirmed(first, again)]
    assert verdicts == [
        (Verdict.FAIL, ("reproduced in a fresh process",)),
        (Verdict.HAZARD, ()),
        (Verdict.PASS, ()),
    ]


def test_a_repetition_that_dies_takes_no_failure_back():
    """Nothing was learnt of the failure, so it stands, and says that it was not repeated."""
    (finding,) = confirmed([failure("a.x")], [repetition(Verdict.ERROR)])
    assert finding.verdict is Verdict.FAIL
    assert finding.conditions == ("not repeated in a fresh process, which ended before: did not finish within 60 s",)


def test_another_subjects_repetition_does_not_count():
    """A failure is confirmed by its own subject."""
    other = repetition(a_x=Verdict.FAIL).replace(subject="t")
    mine = repetition(a_x=Verdict.PASS)
    (finding,) = confirmed([failure("a.x")], [other, mine])
    assert finding.verdict is Verdict.HAZARD


def test_the_public_function_audits_live_objects_too():
    """``wnverify.audit`` takes a class, gives findings sorted by id, and lists what it discovered."""
    findings = wnverify.audit(nn.Hardtanh, checks=["property.*"], declare={"odd": True}, quick=True, workers=1)
    ids = [finding.id for finding in findings]
    assert ids == sorted(ids)
    assert {finding.check for finding in findings} == {
        DESCRIPTION,
        "contract.forward",
        "property.odd",
        "property.discovered",
        "property.sizes",
    }
    (description,) = (finding for finding in findings if finding.check == DESCRIPTION)
    figures = description.routes[0].figures
    assert figures["declared"] == {"odd": True}
    assert {"idempotent", "nonexpansive"} <= set(figures["discovered"])
