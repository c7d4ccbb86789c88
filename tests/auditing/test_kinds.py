"""Three kinds of subject: recognised by what they do, asked what concerns them, named again by their replay."""

from __future__ import annotations

import pytest
import torch
from audited import SUBJECTS, sheet_of, spec_of, subject_of
from torch import nn

from wnverify.auditing.checks.training import OPTIMISERS
from wnverify.auditing.registry import checks
from wnverify.auditing.subject import Subject
from wnverify.auditing.suite import audit, specs_of
from wnverify.auditing.target import KINDS, TargetError
from wnverify.auditing.work import describe, replay_command
from wnverify.finding import Verdict

FAIL, HAZARD, PASS = Verdict.FAIL, Verdict.HAZARD, Verdict.PASS
PARAMETRIZATION, PROJECTION, PENALTY = KINDS
V = torch.linspace(-1.0, 2.0, 15, dtype=torch.float64).reshape(3, 5)

FORMS = {
    "kinds.py:Plain": PARAMETRIZATION,
    "kinds.py:Pair": PARAMETRIZATION,
    "kinds.py:factory": PARAMETRIZATION,
    "kinds.py:in_place": PARAMETRIZATION,
    "kinds.py:instance": PARAMETRIZATION,
    "onto.py:BallModule": PARAMETRIZATION,
    "onto.py:Ball": PROJECTION,
    "onto.py:ForWeight": PROJECTION,
    "onto.py:instance": PROJECTION,
    "onto.py:function": PROJECTION,
    "onto.py:quietly": PROJECTION,
    "costs.py:Plain": PENALTY,
    "costs.py:ForWeight": PENALTY,
    "costs.py:Callable": PENALTY,
    "costs.py:makes": PENALTY,
    "costs.py:instance": PENALTY,
    "costs.py:living": PENALTY,
}


@pytest.mark.parametrize("target", FORMS)
def test_a_subject_is_recognised_by_what_it_does(target):
    """Class, factory, function, instance and object: a scalar makes a penalty, a module V → W a parametrization."""
    assert subject_of(target).kind == FORMS[target]


@pytest.mark.parametrize("target", [name for name, kind in FORMS.items() if kind == PENALTY])
def test_every_form_of_a_penalty_has_a_scalar_value(target):
    """The value has no axes, whatever is called."""
    instance = subject_of(target).build(V)
    assert instance.at(V).shape == ()
    assert instance.output_shape(V) == ()


def test_a_function_that_is_told_to_be_a_penalty_is_one():
    """``torch.sum`` and the like are penalties too, functions without a file."""
    subject = Subject(spec_of(lambda W: W.square().sum()))
    assert (subject.kind, subject.is_function) == (PENALTY, True)


def test_the_call_says_the_kind_over_what_is_recognised():
    """A module may be a projection, a function a parametrization; an unknown kind is refused with the known ones."""
    assert subject_of("onto.py:BallModule", kind=PROJECTION).kind == PROJECTION
    assert subject_of("onto.py:function", kind=PARAMETRIZATION).kind == PARAMETRIZATION
    with pytest.raises(TargetError, match="kind must be one of parametrization, projection, penalty; got 'norm'"):
        spec_of("onto.py:function", kind="norm")


def chosen(target):
    figures = describe(spec_of(target).to_json())[0].routes[0].figures
    return {entry["id"]: entry["asks"] for entry in figures["checks"]}


def test_each_kind_is_asked_what_concerns_it():
    """Layers are for parametrizations, steps for projections, the proximal operator for penalties that have one."""
    only = {"contract.layers": PARAMETRIZATION, "lifecycle.steps": PROJECTION, "contract.prox": PENALTY}
    for target in ("onto.py:BallModule", "onto.py:Ball", "costs.py:Ridge"):
        asked = chosen(target)
        assert {name for name in only if name in asked} == {
            name for name, meant in only.items() if meant == subject_of(target).kind
        }
    assert "contract.prox" not in chosen("costs.py:Plain")


def test_a_gradient_is_asked_of_a_projection_that_has_one():
    """Without a graph there is nothing to differentiate; of a penalty a gradient is asked in any case."""
    differentiated = {name for name in checks() if name.startswith("gradient.")} | {"edge.repeated_singular_values"}
    assert differentiated <= set(chosen("onto.py:WithGraph"))
    assert not differentiated & set(chosen("onto.py:Ball"))
    assert not differentiated & set(chosen("onto.py:quietly"))
    assert differentiated <= set(chosen("costs.py:Plain"))


def test_a_question_is_put_in_the_words_of_the_kind():
    """A penalty has a value and no shape of a weight."""
    assert chosen("costs.py:Plain")["contract.shape"].startswith("Is the value a scalar")
    assert "f(VQ) = f(V) for orthogonal Q" in chosen("costs.py:Ridge")["property.rotation_equivariant"]
    assert "f(VQ) = f(V) Q" in chosen("onto.py:Ball")["property.rotation_equivariant"]


@pytest.mark.parametrize("check", sorted(checks()))
def test_a_sound_penalty_and_a_sound_projection_pass_what_applies_to_them(check):
    """No check accuses them, and each has looked at something."""
    for target in ("costs.py:Ridge", "onto.py:WithGraph"):
        if checks()[check].applies(subject_of(target)):
            sheet = sheet_of(check, target, quick=True)
            assert sheet.verdict in (PASS, Verdict.UNSUPPORTED), (target, sheet.cases)


def test_where_a_projection_is_used_in_training():
    """Two optimisers on two layers in two dtypes, six steps each, and after every step what was declared."""
    found = [case.name for case in sheet_of("lifecycle.steps", "onto.py:Ball").cases]
    assert found == [
        f"{optimiser} on {layer}, {dtype}, step {step}: euclidean_projection"
        for dtype in ("float64", "float32")
        for optimiser in OPTIMISERS
        for layer in ("Linear", "Conv2d")
        for step in range(1, 7)
    ]


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("GivesUp", "RuntimeError: three is too many"),
        ("BecomesNaN", "the projected weight is not finite after step 3"),
        ("AlmostInTheBall", "not so after the step: the weight lies in the declared SET"),
    ],
)
def test_what_goes_wrong_in_training_is_said(subject, said):
    """Raised, not finite and outside are three messages, the last with the weight before the projection."""
    sheet = sheet_of("lifecycle.steps", f"onto.py:{subject}")
    assert sheet.verdict is FAIL
    bad = [case for case in sheet.cases if case.verdict is FAIL]
    assert all(said in case.message for case in bad)
    assert subject == "GivesUp" or all(case.witness for case in bad)


def test_a_projection_may_give_back_the_very_weight():
    """It is copied into the weight that it came from, so that this is a note; in a parametrization it is a hazard."""
    for check in ("contract.input_unchanged", "contract.history", "contract.layout"):
        assert sheet_of(check, "onto.py:Itself").verdict is PASS
    assert "the output is the input itself" in sheet_of("contract.input_unchanged", "onto.py:Itself").notes[0]
    assert sheet_of("contract.input_unchanged", nn.Identity()).verdict is HAZARD


def test_a_projection_onto_a_point_has_nothing_to_discover():
    """Where everything is zero every property holds, and says nothing."""
    sheet = sheet_of("property.discovered", "onto.py:Zero")
    assert [case.name for case in sheet.cases] == ["none"]
    assert "nothing can be read from that" in sheet.notes[0]
    assert [case.name for case in sheet_of("property.discovered", "costs.py:Hinge").cases] == ["none"]


def test_what_holds_outside_the_set_only_is_no_discovery():
    """Far rows come onto the border, near ones stay: unit norm is neither had nor nearly had."""
    names = {case.name for case in sheet_of("property.discovered", "onto.py:instance", declare={"odd": False}).cases}
    assert names == {"odd"}


def test_the_properties_of_a_penalty_are_discovered():
    """Convexity and the proximal operator too, where nobody declared them."""
    found = {case.name for case in sheet_of("property.discovered", "costs.py:Callable").cases}
    assert found == {"permutation_equivariant_rows", "convex", "is_prox_of_penalty"}
    found = {case.name for case in sheet_of("property.discovered", "costs.py:Gram").cases}
    assert found == {"permutation_equivariant_rows", "rotation_equivariant"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("costs.py:SaysProxHasNone", r"needs prox\(W, step\) beside the penalty; there is none"),
        ("kinds.py:penalty", "belongs to a weight W, not to a penalty"),
    ],
)
def test_a_penalty_that_says_what_it_cannot_have_is_refused(target, said):
    """A proximal operator that is not there, and properties of a weight."""
    with pytest.raises(ValueError, match=said):
        subject_of(target)
    with pytest.raises(ValueError, match="belongs to a penalty, not to a projection"):
        subject_of("onto.py:Ball", declare={"convex": True})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": PENALTY}, "--kind penalty"),
        ({}, "--check gradient.vjp --seed 3"),
    ],
)
def test_a_replay_repeats_the_kind_where_it_was_given(said, words):
    """What was recognised is recognised again."""
    command = replay_command(spec_of("costs.py:Plain", **said), "gradient.vjp", 3, False)
    assert words in command
    assert ("--kind" in command) is bool(said)


def test_a_live_object_is_replayed_with_its_kind():
    """The call of the public function names it."""
    command = replay_command(spec_of(torch.nn.Identity(), kind=PROJECTION), "property.odd", 0, False)
    assert command.startswith("wnverify.audit(Identity, kind='projection', checks=['property.odd']")


def test_a_penalty_is_audited_by_the_public_function():
    """Kind and verdicts come back as findings."""
    findings = audit(f"{SUBJECTS / 'costs.py'}:Plain", kind=PENALTY, checks=["contract.shape"], quick=True, workers=1)
    assert {finding.check: finding.verdict for finding in findings} == {
        "contract.forward": PASS,
        "contract.shape": PASS,
        "subject.description": PASS,
    }


def test_a_kind_that_is_given_goes_to_every_target():
    """One call, one kind."""
    assert {
        spec.kind for spec in specs_of([f"{SUBJECTS / 'costs.py'}:{n}" for n in ("Plain", "Gram")], kind=PENALTY)
    } == {PENALTY}
