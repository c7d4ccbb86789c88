"""Witnesses are small, exact and inside the domain, and the lines that go with them print the written gradient."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
import torch
from audited import DIFFERENCES, SUBJECTS, case_of, ratio, sheet_of, spec_of, subject_of
from torch import nn

from wnverify.auditing.checks.gradient import judge_backward
from wnverify.auditing.context import Context
from wnverify.auditing.points import outside, randn
from wnverify.auditing.registry import Sheet
from wnverify.auditing.shrink import QUARTER, both_gradients
from wnverify.auditing.snippet import snippet
from wnverify.auditing.subject import Subject
from wnverify.auditing.target import parse_target
from wnverify.finding import Verdict, decode_array
from wnverify.oracles.ratio import ErrorModel

PRINTED = ErrorModel(2e-4, "four decimals of entries of a tenth and more")
V = torch.tensor([[1.0, -0.5, 2.0], [0.25, 1.5, -1.0]], dtype=torch.float64)
A = torch.tensor([[0.5, 1.0, -1.5], [2.0, -0.25, 0.75]], dtype=torch.float64)


def context(target, **said):
    return Context(subject_of(target, **said), seed=0)


def witness_of(target, **said):
    sheet = sheet_of("gradient.vjp", target, shrink=True, **said)
    assert sheet.verdict is Verdict.FAIL
    (witness,) = (case.witness for case in sheet.cases if case.witness)
    return witness


def read(witness, name):
    return torch.as_tensor(decode_array(witness[name]))


def test_a_witness_is_small_and_made_of_quarters():
    """Hypothesis shrinks V and the cotangent to a few short decimals at which the fault still shows."""
    witness = witness_of("faulty.py:Wrong")
    small, cotangent = read(witness, "V"), read(witness, "cotangent")
    assert witness["small"] is True
    assert small.numel() <= 4
    for value in (small, cotangent):
        assert torch.equal(QUARTER * value, (QUARTER * value).round())
    right, written = read(witness, "gradient_by_differences"), read(witness, "gradient_by_backward")
    assert ratio(written, 1.03 * right, DIFFERENCES) <= 1
    assert ratio(written, right, DIFFERENCES) > 10


def test_the_same_witness_comes_every_time():
    """The search is derandomized and keeps no database."""
    assert witness_of("faulty.py:Wrong") == witness_of("faulty.py:Wrong")


def test_only_the_first_failing_point_is_shrunk():
    """One witness a check is enough; the sheet of a selftest has none."""
    assert sum(bool(case.witness) for case in sheet_of("gradient.vjp", "faulty.py:Wrong", shrink=True).cases) == 1
    assert not any(case.witness for case in sheet_of("gradient.vjp", "faulty.py:Wrong").cases)


def test_a_witness_lies_in_the_stated_domain():
    """What is outside was never promised."""

    class Narrow(nn.Module):
        DOMAIN = {"min_cols": 4, "rows_lt_cols": True, "min_row_norm": 2.0}  # noqa: RUF012

        def forward(self, X):
            return X + 0.05 * (X - X.detach())

    small = read(witness_of(Narrow()), "V")
    assert outside(small, Narrow.DOMAIN) is None
    assert small.numel() <= 8


def test_a_fault_of_large_weights_keeps_its_own_point():
    """Where no small weight shows the fault, the generated one is the witness: by seed, name and hash."""
    target = parse_target("wnverify.faults.parametrization.weight_norm:RowsBeyond64", {}, {})
    point = next(p for p in Context(Subject(target), seed=0).generic_points() if p.name == "70x134")
    sheet = Sheet()
    judge_backward(Context(Subject(target), seed=0), sheet, point)
    witness = case_of(sheet, "70x134").witness
    assert witness is not None
    assert witness["small"] is False
    assert witness["V"]["generator"] == "point 70x134"
    assert set(witness["V"]) >= {"sha256", "seed", "shape"}
    assert "snippet" not in witness


def test_a_point_of_sixty_four_entries_is_written_in_full():
    """Not small, but short enough for a debugger: a fault that no quarter shows."""

    class Irrational(nn.Module):
        def forward(self, X):
            quarters = bool(torch.equal(QUARTER * X, (QUARTER * X).round()))
            return X + (0.0 if quarters else 0.05) * (X - X.detach())

    witness = witness_of(Irrational())
    assert witness["small"] is False
    assert "snippet" in witness
    assert read(witness, "V").shape == (3, 5)


def test_both_gradients_are_those_of_the_loss():
    """⟨A, W⟩ by differences of the forward and by the backward, entry by entry."""
    expected, observed = both_gradients(context("faulty.py:Wrong"), V, A)
    norms = V.norm(dim=1, keepdim=True)
    exact = (A - (A * V).sum(1, keepdim=True) * V / norms**2) / norms
    assert ratio(expected, exact, DIFFERENCES) <= 1
    assert ratio(observed, 1.03 * exact, DIFFERENCES) <= 1


FORMS = {
    "faulty.py:Wrong": {},
    "faulty.py:WrongForWeight": {"radius": 3.0},
    "faulty.py:WrongPair": {},
    "faulty.py:wrong_factory": {},
    "faulty.py:wrong_function": {"factor": 1.5},
    "faulty.py:wrong_instance": {},
    "kinds.py:RandomSigns": {},
    "kinds.py:Noisy": {},
    "kinds.py:OptionalPair": {},
    "onto.py:WithGraph": {},
    "onto.py:OfRadius": {"radius": 0.5},
    "onto.py:function": {},
}
ONE = torch.ones((), dtype=torch.float64)


def printed(lines, folder, monkeypatch):
    """The numbers that the lines print: the gradient as it is written, by differences, and how far they are apart."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(lines, {})
    return torch.tensor([float(text) for text in re.findall(r"-?\d+\.\d*(?:e[-+]\d+)?", out.getvalue())])


@pytest.mark.parametrize("target", FORMS)
def test_the_lines_print_both_gradients(target, monkeypatch):
    """Every form of a subject is built in the lines as the audit builds it, with its arguments."""
    look = context(target, arguments=FORMS[target])
    assert_printed(printed(snippet(look, V, A), SUBJECTS, monkeypatch), *both_gradients(look, V, A))


def assert_printed(found, right, written):
    assert found.shape == (13,)
    assert ratio(found[:6].double(), written.flatten(), PRINTED) <= 1
    assert ratio(found[6:12].double(), right.flatten(), PRINTED) <= 1
    assert abs(float(found[12]) - float((written - right).abs().max())) <= PRINTED.relative * float(right.abs().max())


@pytest.mark.parametrize("size", [2.0**-30, 2.0**30])
def test_the_lines_step_in_proportion_to_the_weight(size, monkeypatch):
    """A step of one size for all weights would accuse a right map at small ones."""
    found = printed(snippet(context("kinds.py:Plain"), size * V, A), SUBJECTS, monkeypatch).double()
    assert ratio(found[:6], found[6:12], PRINTED) <= 1
    assert float(found[12]) <= DIFFERENCES.relative * float(found[:6].abs().max())


@pytest.mark.parametrize(
    ("target", "arguments"),
    [("costs.py:Gram", {"factor": 4.04}), ("costs.py:living", {}), ("costs.py:Callable", {}), ("costs.py:makes", {})],
)
def test_the_lines_print_the_gradient_of_a_penalty(target, arguments, monkeypatch):
    """Its value is the loss: the cotangent is one."""
    look = context(target, arguments=arguments)
    lines = snippet(look, V, ONE)
    assert "A = 1.0\n" in lines
    assert_printed(printed(lines, SUBJECTS, monkeypatch), *both_gradients(look, V, ONE))


def test_the_witness_of_a_penalty_is_small_too():
    """A few quarters at which the written gradient is one per cent too large; the cotangent is one."""
    witness = witness_of("costs.py:Gram", arguments={"factor": 4.04})
    assert witness["small"] is True
    assert read(witness, "V").numel() <= 4
    assert float(read(witness, "cotangent")) == 1.0
    right, written = read(witness, "gradient_by_differences"), read(witness, "gradient_by_backward")
    assert ratio(written, 1.01 * right, DIFFERENCES) <= 1


def test_a_file_whose_name_is_no_module_is_run_by_path(tmp_path, monkeypatch):
    """``import my-norm`` would be no Python."""
    (tmp_path / "my-norm.py").write_text((SUBJECTS / "faulty.py").read_text())
    look = Context(Subject(parse_target(f"{tmp_path / 'my-norm.py'}:Wrong", {}, {})), seed=0)
    assert_printed(printed(snippet(look, V, A), tmp_path, monkeypatch), *both_gradients(look, V, A))


def test_an_installed_module_is_imported_by_its_name(monkeypatch):
    """The package's path is written out."""
    look = Context(Subject(parse_target("torch.nn:Softmax", {"dim": 1}, {})), seed=0)
    lines = snippet(look, V, A)
    assert "import torch.nn\n" in lines
    assert "torch.nn.Softmax(dim=1)" in lines
    assert_printed(printed(lines, SUBJECTS, monkeypatch), *both_gradients(look, V, A))


def test_a_live_object_is_named_in_a_comment():
    """Nothing can import it: the lines say which object is meant."""
    lines = snippet(Context(Subject(spec_of(nn.Softmax(dim=1))), seed=0), V, A)
    assert "# Softmax: the object that was given to the audit" in lines


def test_random_probes_do_not_enter_the_lines():
    """Two snippets of one witness are equal."""
    look = context("kinds.py:RandomSigns")
    W = randn(2, 3, seed=1)
    assert snippet(look, W, A) == snippet(look, W, A)
