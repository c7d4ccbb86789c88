"""What the child of an audit runs: a subject described, one check performed, all of them, and the replay of each."""

from __future__ import annotations

import shlex

import hypothesis
import pytest
import torch
from audited import spec_of, subject_of
from hypothesis import strategies
from torch import nn

from wnverify.auditing.instance import raised_by_subject
from wnverify.auditing.work import describe, perform, replay_command, whole_sheet
from wnverify.cli import _pair
from wnverify.finding import Verdict
from wnverify.oracles.ratio import map_model


def test_what_a_subject_refuses_where_no_refusal_was_looked_for_is_a_hazard_of_it():
    """Not an error of the lab: the look ends there, and says at what."""
    spec = spec_of("checked.py:RefusesLarge")
    (found,) = perform(spec.to_json(), "precision.float64")
    assert found.verdict is Verdict.HAZARD
    assert "the subject raised RuntimeError: no entry above a thousand, which ended this look" in found.message


def test_an_error_is_told_by_where_it_came_from():
    """Out of a call of the subject, out of a backward that autograd calls, or out of the lab's own lines."""
    large, V = 1e4 * torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
    refuses, backward = (subject_of(f"checked.py:{name}").build(V) for name in ("RefusesLarge", "BackwardRefusesLarge"))
    leaf = large.clone().requires_grad_()
    stepping, counter = V.clone().requires_grad_(), torch.ones((), dtype=torch.float64)
    stepped = stepping * counter
    counter += 1
    calls = {
        "forward": lambda: refuses.at(large),
        "backward": lambda: torch.autograd.grad(backward.at(leaf).sum(), leaf),
        "graph": lambda: torch.autograd.grad(stepped.sum(), stepping),
        "no prox": lambda: refuses.prox(V, 0.5),
        "ours": lambda: map_model("no dtype", 3),
        "torch's": lambda: nn.Linear(3, 3)(V),
        "hypothesis's": lambda: hypothesis.find(strategies.integers(), lambda n: n != n),
    }
    told = {}
    for name, call in calls.items():
        with pytest.raises(Exception) as caught:  # noqa: PT011
            call()
        told[name] = raised_by_subject(caught.value)
    assert [name for name, by_subject in told.items() if by_subject] == ["forward", "backward", "graph", "no prox"]


def test_a_replay_repeats_what_was_said():
    """Arguments, declarations and quickness come back as they were given, quotes included."""
    said = {"arguments": {"radius": 2.0, "mode": "a b"}, "declare": {"odd": False, "constant_norm_rows": 2.0}}
    words = shlex.split(replay_command(spec_of("kinds.py:Sphere", **said), "gradient.vjp", 7, True))
    assert words[5:9] == ["--check", "gradient.vjp", "--seed", "7"]
    assert words[-1] == "--quick"
    for flag, name in (("--arg", "arguments"), ("--declare", "declare")):
        assert dict(_pair(words[i + 1]) for i, word in enumerate(words) if word == flag) == said[name]


def test_a_live_object_is_replayed_by_a_call():
    """No command line can name it."""
    spec = spec_of(nn.Softmax(dim=1), declare={"odd": True})
    assert replay_command(spec, "gradient.vjp", 0, False) == (
        "wnverify.audit(Softmax, declare={'odd': True}, checks=['gradient.vjp'], seed=0)"
    )


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("broken_import.py:Norm", "No module named 'package_that_nobody_has'"),
        ("undeclarable.py:UnknownProperty", "did you mean 'unit_norm_rows'"),
        ("kinds.py:penalty", "DECLARES['unit_norm_rows'] belongs to a weight W, not to a penalty"),
    ],
)
def test_a_subject_that_cannot_be_read_is_described_as_an_error(target, said):
    """What the file raised, or said wrongly, is the message; no check is planned."""
    (finding,) = describe(spec_of(target).to_json())
    assert finding.verdict is Verdict.ERROR
    assert said in finding.message
    assert finding.routes[0].figures == {}


def test_a_description_says_what_was_declared_and_asked():
    """Declared properties, domain, arguments and the checks with what they require."""
    (finding,) = describe(spec_of("kinds.py:Sphere").to_json(), checks=["gradient.rows", "property.*"])
    figures = finding.routes[0].figures
    assert figures["declared"] == {"odd": True, "constant_norm_rows": 2.0}
    assert (figures["domain"], figures["arguments"]) == ({"min_row_norm": 1e-6}, {"radius": 2.0})
    requires = {entry["id"]: entry["requires"] for entry in figures["checks"]}
    assert requires == {
        "contract.forward": [],
        "property.constant_norm_rows": ["contract.forward"],
        "property.odd": ["contract.forward"],
        "property.discovered": ["contract.forward"],
        "property.sizes": ["contract.forward"],
        "precision.float64": ["contract.forward"],
        "gradient.vjp": ["contract.forward", "precision.float64"],
        "gradient.rows": ["gradient.vjp"],
    }
    assert finding.message == "2 declared properties, 8 checks apply"


def test_checks_that_do_not_apply_are_not_planned():
    """An undeclared property has no check, a plain function no layers or state, a module no steps."""
    chosen = {
        target: {entry["id"] for entry in describe(spec_of(target).to_json())[0].routes[0].figures["checks"]}
        for target in ("kinds.py:unit", "kinds.py:Plain")
    }
    assert chosen["kinds.py:Plain"] - chosen["kinds.py:unit"] == {
        "contract.layers",
        "contract.state",
        "execution.functional_call",
        "lifecycle.training",
    }
    assert chosen["kinds.py:unit"] - chosen["kinds.py:Plain"] == {"lifecycle.steps"}
    assert {name for name in chosen["kinds.py:Plain"] if name.startswith("property.")} == {
        "property.unit_norm_rows",
        "property.odd",
        "property.discovered",
        "property.sizes",
    }


def test_one_check_is_one_finding_with_its_replay():
    """``perform`` is what a child runs."""
    (finding,) = perform(spec_of("kinds.py:Plain").to_json(), "contract.shape", seed=3)
    assert (finding.verdict, finding.id) == (Verdict.PASS, "check/kinds.py:Plain/contract.shape")
    assert shlex.split(finding.replay or "")[-2:] == ["--seed", "3"]


def test_a_sheet_in_one_process_blocks_nothing():
    """Every check that applies speaks, even where its prerequisite failed."""
    findings = whole_sheet(spec_of("faulty.py:Wrong"), seed=0, quick=True)
    verdicts = {finding.check: finding.verdict for finding in findings}
    assert verdicts["gradient.vjp"] is Verdict.FAIL
    assert verdicts["gradient.structured"] is Verdict.FAIL
    assert Verdict.BLOCKED not in verdicts.values()
    assert all(finding.witness is None or "snippet" not in finding.witness for finding in findings)
