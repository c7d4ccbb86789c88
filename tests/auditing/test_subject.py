"""A subject is recognised by what it does, built for a weight, and called; files bring their neighbours."""

from __future__ import annotations

import sys

import pytest
import torch
from audited import SUBJECTS, ratio, sheet_of, spec_of, subject_of
from torch import nn

from wnverify.auditing.points import randn
from wnverify.auditing.subject import Subject, parametrized_layer
from wnverify.auditing.target import TargetError, parse_target
from wnverify.finding import Verdict
from wnverify.oracles.ratio import map_model

V = randn(3, 5, seed=4) + 0.3
UNIT = V / V.norm(dim=1, keepdim=True)
KERNEL = randn(4, 2, 3, 3, seed=5)

FORMS = {
    "kinds.py:Plain": (1, UNIT),
    "kinds.py:ForWeight": (1, UNIT),
    "kinds.py:Sphere": (1, 2 * UNIT),
    "kinds.py:Declared": (1, 3 * UNIT),
    "kinds.py:Pair": (2, V),
    "kinds.py:OptionalPair": (2, V),
    "kinds.py:Logarithm": (1, torch.sinh(V)),
    "kinds.py:Gain": (1, 1.5 * UNIT),
    "kinds.py:Nested.Inner": (1, UNIT),
    "kinds.py:factory": (1, UNIT),
    "kinds.py:in_place": (2, V),
    "kinds.py:makes": (1, UNIT),
    "kinds.py:weight_norm": (2, V),
    "kinds.py:instance": (1, UNIT),
    "kinds.py:softmax": (1, V.softmax(1)),
    "kinds.py:unit": (1, UNIT),
}
"""Target → (number of tensors, W of V as registered)."""


def close(observed, expected, dtype="float64"):
    """Error over what a sound implementation may lose."""
    return ratio(observed.double(), expected, map_model(dtype, expected.numel()))


@pytest.mark.parametrize("target", FORMS)
def test_every_form_gives_the_same_map(target):
    """A class, a factory, an instance and a function are built for V and give W of it."""
    tensors, expected = FORMS[target]
    instance = subject_of(target).build(V)
    assert len(instance.tensors) == tensors
    assert close(instance.out(), expected) <= 1
    assert instance.V.shape == V.shape


@pytest.mark.parametrize("target", [t for t in FORMS if t not in ("kinds.py:softmax", "kinds.py:Logarithm")])
def test_every_form_takes_a_kernel_and_another_dtype(target):
    """A convolution's kernel keeps its axes, and float32 stays float32."""
    out = subject_of(target).build(KERNEL.float()).out()
    assert (out.shape, out.dtype) == (KERNEL.shape, torch.float32)


def test_at_moves_the_primary_tensor_alone():
    """The gain g keeps the norms of the weight that the instance was built for."""
    instance = subject_of("kinds.py:Pair").build(V)
    assert instance.primary == 1
    assert close(instance.at(7 * V), V) <= 1


def test_the_primary_tensor_is_the_one_of_the_weights_shape():
    """Where ``right_inverse`` returns V first, the first tensor is it."""
    instance = subject_of("kinds.py:OptionalPair").build(V)
    assert instance.primary == 0
    assert [tuple(t.shape) for t in instance.tensors] == [(3, 5), (3, 1)]


@pytest.mark.parametrize(
    ("target", "index"), [("kinds.py:Pair", 1), ("kinds.py:OptionalPair", 0), ("kinds.py:weight_norm", 1)]
)
def test_a_weight_of_one_column_is_told_from_its_gain(target, index):
    """There both have one shape; the weight is what widens with it, whatever the order."""
    assert subject_of(target).build(randn(5, 1, seed=6).abs()).primary == index


def test_a_layer_in_other_coordinates_starts_at_its_weight():
    """The audit gives a map of one tensor any V; on a layer V is what ``right_inverse`` makes of the weight."""
    layer = parametrized_layer(subject_of("kinds.py:Logarithm"), _linear())
    assert close(layer.weight, V) <= 1
    assert close(layer.parametrizations.weight.original, torch.asinh(V)) <= 1


def _linear():
    layer = nn.Linear(5, 3, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(V)
    return layer


@pytest.mark.parametrize("target", ["kinds.py:Plain", "kinds.py:factory", "kinds.py:in_place", "kinds.py:instance"])
def test_a_module_is_registered_as_its_user_would(target):
    """The layer's weight is W, whichever way the subject comes to the layer."""
    layer = parametrized_layer(subject_of(target), _linear())
    assert close(layer.weight, FORMS[target][1]) <= 1


def test_a_function_is_no_module():
    """It cannot be registered, and is known not to be registrable; a factory can."""
    function = subject_of("kinds.py:unit")
    assert function.is_function
    with pytest.raises(TypeError, match="cannot be registered on a layer"):
        parametrized_layer(function, _linear())
    for target in ("kinds.py:Plain", "kinds.py:ForWeight", "kinds.py:factory", "kinds.py:makes", "kinds.py:instance"):
        assert not subject_of(target).is_function, target


def test_an_instance_is_not_touched():
    """The user's module is copied before it is built."""
    live = nn.Softmax(dim=1).eval()
    subject = Subject(spec_of(live))
    subject.build(V)
    assert subject.object.training is False


def test_own_parameters_take_the_weights_dtype():
    """A gain of float32 would turn float64 into less."""
    module = subject_of("kinds.py:Gain").build(V).module
    assert module is not None
    assert {p.dtype for p in module.parameters()} == {torch.float64}


def test_every_build_draws_the_same_random_numbers():
    """A random start is the same for two instances, whatever was drawn in between."""
    subject = subject_of("kinds.py:RandomSigns")
    first = subject.build(V).out()
    torch.randn(17)
    assert torch.equal(first, subject.build(V).out())


def test_training_mode_is_asked_for():
    """``training=False`` builds in eval mode."""
    subject = subject_of("kinds.py:Noisy")
    assert not torch.equal(subject.build(V).out(), subject.build(V, training=False).out())
    assert close(subject.build(V).eval().out(), UNIT) <= 1


def test_arguments_come_from_the_subject_and_are_overridden_by_the_call():
    """ARGS are defaults."""
    assert subject_of("kinds.py:Sphere").arguments == {"radius": 2.0}
    told = subject_of("kinds.py:Sphere", arguments={"radius": 7.0})
    assert close(told.build(V).out(), 7 * UNIT) <= 1


@pytest.mark.parametrize("target", ["kinds.py:unit", "kinds.py:sphere"])
def test_a_function_gets_its_arguments_at_every_call(target):
    """An argument with a default and one without are both given on."""
    subject = subject_of(target, arguments={"radius": 5.0})
    assert close(subject.build(V).at(V), 5 * UNIT) <= 1
    assert close(subject.build(V).to(torch.float32).at(V.float()), 5 * UNIT, "float32") <= 1


@pytest.mark.parametrize(
    ("target", "declares"),
    [
        ("kinds.py:Plain", {"unit_norm_rows": True, "odd": True}),
        ("kinds.py:Sphere", {"odd": True, "constant_norm_rows": 2.0}),
        ("kinds.py:Declared", {"odd": True, "constant_norm_rows": 3.0}),
        ("kinds.py:unit", {"unit_norm_rows": True, "odd": True}),
        ("kinds.py:factory", {"unit_norm_rows": True, "odd": True}),
        ("kinds.py:softmax", {"unit_norm_rows": True, "odd": True}),
        ("kinds.py:weight_norm", {"unit_norm_rows": True, "odd": True}),
    ],
)
def test_a_class_speaks_over_its_module(target, declares):
    """Attributes of the object override the file's mappings, which hold for whatever the file names."""
    assert subject_of(target).declares == declares
    assert subject_of(target).domain == {"min_row_norm": 1e-6}


def test_the_call_speaks_over_both():
    """``--declare`` adds, replaces and takes back."""
    said = {"constant_norm_rows": 3.0, "odd": False, "idempotent": True}
    assert subject_of("kinds.py:Sphere", declare=said).declares == {"constant_norm_rows": 3.0, "idempotent": True}


OF_CLASS = {"constant_norm_rows": 2.0, "odd": True}


@pytest.mark.parametrize(
    ("name", "declares"),
    [
        ("of_weight", OF_CLASS),
        ("without", OF_CLASS),
        ("wide_only", OF_CLASS),
        ("of_rows", OF_CLASS),
        ("on_layer", OF_CLASS),
        ("one_after_the_other", {}),
        ("restated", {"constant_norm_rows": True}),
        ("Gained", {"odd": True}),
    ],
)
def test_what_a_factory_makes_speaks_for_it(name, declares):
    """Over the module, and under the factory's own words; two parametrizations in a row say nothing of both."""
    subject = subject_of(f"made.py:{name}")
    assert subject.declares == declares
    assert subject.domain == {"min_row_norm": 1e-6, **({"min_cols": 2} if name != "one_after_the_other" else {})}
    assert subject_of(f"made.py:{name}", declare={"odd": False}).declares == {
        key: value for key, value in declares.items() if key != "odd"
    }


def test_a_penalty_that_a_factory_makes_has_the_prox_beside_it():
    """As the class has, audited by itself."""
    for name in ("penalty", "Square"):
        subject = subject_of(f"made.py:{name}")
        assert (subject.kind, subject.has_own_prox) == ("penalty", True)
        assert subject.declares == {"convex": True, "is_prox_of_penalty": True}
        assert "prox" in subject.capabilities


def test_a_constructor_that_wants_a_number_is_answered_once():
    """Every shape raises the same; what to do names the argument, and does it."""
    sheet = sheet_of("contract.forward", "made.py:OfRows")
    (case,) = sheet.cases
    assert case.message.count("TypeError") == 1
    assert case.message.endswith(
        "its one argument without a value, rows, was given the weight: give it with --arg rows=… or ARGS, or audit a "
        "function of the weight that makes it, as def make(weight): return OfRows(len(weight))"
    )
    assert sheet.notes == []
    assert {case.verdict for case in sheet_of("contract.forward", "made.py:of_rows").cases} == {Verdict.PASS}
    assert "--arg" not in sheet_of("contract.forward", "kinds.py:NoTensor").cases[0].message


def test_what_an_instance_declares_may_depend_on_its_arguments():
    """The class is asked through an instance where it needs no weight."""
    assert subject_of("kinds.py:Declared", arguments={"radius": 4.0}).declares["constant_norm_rows"] == 4.0


def test_an_unknown_name_of_the_call_is_refused_with_the_known_ones():
    """A misspelt ``--declare`` is not taken for a new property."""
    with pytest.raises(ValueError, match="did you mean 'unit_norm_rows'") as caught:
        subject_of("kinds.py:Plain", declare={"unit_norm_row": True})
    assert "known are unit_norm_rows, constant_norm_rows" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "error", "said"),
    [
        ("kinds.py:NoTensor", TypeError, "forward must return one tensor; it returned tuple"),
        ("kinds.py:number", TargetError, "must be a class, a module or a function; got 3.0"),
        (
            "kinds.py:NotAModule",
            TypeError,
            "must make a module with forward(V) or a function of a tensor; it made NotAModule",
        ),
        ("kinds.py:PairWithoutInverse", TypeError, "right_inverse(W) must return them; it has none"),
        (
            "kinds.py:TwoArguments",
            TargetError,
            "arguments radius, power are missing: give all, or all but that which is the weight",
        ),
        ("kinds.py:Nested.Outer", TargetError, "has no 'Nested.Outer'; it has "),
    ],
)
def test_what_is_no_parametrization_is_refused(target, error, said):
    """The message says what came back and what should have."""
    with pytest.raises(error) as caught:
        subject_of(target).build(V).out()
    assert said in str(caught.value)


def test_a_layer_of_an_odd_number_of_axes_is_refused():
    """A factory needs a layer, and none has a weight of one axis."""
    with pytest.raises(TypeError, match="no layer has a weight of 1 axes"):
        subject_of("kinds.py:factory").build(V[0])


def test_no_tensor_of_the_weights_shape_is_refused():
    """``right_inverse`` must give back one tensor that can be called V."""

    class Halves(nn.Module):
        def forward(self, left, right):
            return torch.cat([left, right], dim=1)

        def right_inverse(self, W):
            return W[:, :2], W[:, 2:]

    with pytest.raises(TypeError, match=r"has the weight's shape \(3, 5\); they have \(3, 2\), \(3, 3\)"):
        Subject(spec_of(Halves())).build(V)


def test_an_import_that_fails_is_the_subjects_error():
    """The file's own error comes through, and a second try meets it again."""
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="package_that_nobody_has"):
            subject_of("broken_import.py:Norm")


def test_a_file_is_executed_once_a_process():
    """Two subjects of one file share its module, so that what it registers is registered once."""
    first, second = subject_of("kinds.py:Plain"), subject_of("kinds.py:Pair")
    assert first.object.__module__ == second.object.__module__
    assert sys.modules[first.object.__module__].Pair is second.object
    assert str(SUBJECTS) not in first.object.__module__


def test_neighbours_are_those_of_the_subjects_own_folder():
    """Two folders with files of one name do not serve each other, in any order, at import or later."""
    here, there = spec_of("neighbourly.py:Scaled"), spec_of("other/neighbour.py:Scaled")
    for _ in range(2):
        assert torch.equal(Subject(here).build(V).out(), 2.0 * V)
        assert torch.equal(Subject(there).build(V).out(), -5.0 * V + 1.0)


def test_neighbours_do_not_take_the_labs_modules_away():
    """Going from folder to folder leaves torch and wnverify as they were."""
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("torch", "wnverify")}
    Subject(spec_of("neighbourly.py:Scaled"))
    Subject(spec_of("other/neighbour.py:Scaled"))
    assert all(sys.modules.get(name) is module for name, module in before.items())


def test_a_module_target_is_imported():
    """An installed class is audited by its name, with arguments."""
    subject = Subject(parse_target("torch.nn:Softmax", {"dim": 1}, {}))
    assert close(subject.build(V).out(), V.softmax(1)) <= 1


def test_a_live_object_is_the_same_map():
    """A module, a class and a closure come through the pickle."""
    radius = 6.0

    def closure(X):
        return radius * X / X.norm(dim=1, keepdim=True)

    for live, expected in ((nn.Softmax(dim=1), V.softmax(1)), (closure, 6 * UNIT), (nn.Identity, V)):
        assert close(Subject(spec_of(live)).build(V).out(), expected) <= 1
