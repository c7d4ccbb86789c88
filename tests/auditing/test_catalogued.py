"""Methods as subjects: by id, by other name, with settings, and all of them."""

from __future__ import annotations

import pytest

from wnverify.auditing.catalogued import KIND_OF, NO_WEIGHT, every_method, method_spec, unfit
from wnverify.auditing.suite import distinct, specs_of
from wnverify.auditing.target import TargetError
from wnverify.auditing.work import replay_command
from wnverify.methods.catalogue import find, methods


def test_every_method_is_a_subject_or_says_why_not():
    """One subject for the default and one for each option; nothing that is in scope is left out without a word."""
    specs, skipped = every_method()
    distinct(specs)
    audited = {spec.target.split("[")[0] for spec in specs}
    told = {line.split(":")[0] for line in skipped}
    assert audited | told == {method.id for method in methods() if method.kind != "out of scope"}
    assert not audited & told
    for method in methods():
        if method.id in audited:
            assert sum(spec.target.split("[")[0] == method.id for spec in specs) == 1 + len(method.options)


def test_every_exception_is_a_method_of_an_audited_kind():
    """A method that was renamed or became a layer is no exception any more."""
    for name in NO_WEIGHT:
        assert find(name).kind in KIND_OF
    assert all(unfit(method) for method in methods("layer"))


def test_a_method_is_named_by_its_id_or_another_name():
    """Both stand for the implementation and its kind."""
    for name in ("cwn", "centred_weight_normalization"):
        (spec,) = specs_of([name])
        assert (spec.subject, spec.kind) == ("centred_weight_normalization", "parametrization")
        assert spec.module == "wnverify.methods.centred_weight_normalization.pytorch"


def test_settings_are_part_of_the_name_and_of_the_replay():
    """A setting is no argument of the call: the replay names the target alone."""
    spec = method_spec("weight_normalization[gain=False]", {}, {})
    assert spec is not None
    assert (spec.subject, spec.settings, spec.arguments) == ("weight_normalization[gain=False]", {"gain": False}, {})
    command = replay_command(spec, "gradient.vjp", 0, True)
    assert "'weight_normalization[gain=False]' --check gradient.vjp --seed 0 --quick" in command
    assert "--kind" not in command
    assert "--arg" not in command


def test_what_the_user_says_comes_on_top():
    """Arguments and declarations of the call are kept apart from the settings."""
    spec = method_spec("wn[gain=False]", {"dim": 1}, {"odd": True})
    assert spec is not None
    assert (spec.settings, spec.arguments, spec.declare) == ({"gain": False}, {"dim": 1}, {"odd": True})
    assert "--arg dim=1 --declare odd=True" in replay_command(spec, "a.b", 0, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [("jacobian_norm", "a penalty of a network"), ("dropout", "acts on outputs"), ("pruning", "out of scope")],
)
def test_a_method_that_is_no_subject_is_refused_by_name(text, said):
    """The message says why it cannot be audited."""
    with pytest.raises(TargetError, match=said):
        specs_of([text])


def test_another_kind_than_the_catalogues_is_refused():
    """The catalogue knows better."""
    with pytest.raises(TargetError, match="the catalogue has weight_normalization as a parametrization"):
        specs_of(["weight_normalization"], kind="penalty")


def test_an_unknown_name_is_no_method():
    """It is refused as a target, which may be three things."""
    assert method_spec("my_norm", {}, {}) is None
    assert method_spec("my_norm.py:MyNorm", {}, {}) is None
    with pytest.raises(TargetError, match=r"path/file\.py:name or a method's id; got 'my_norm'"):
        specs_of(["my_norm"])


def test_settings_that_are_no_pairs_are_refused():
    """The message quotes what came."""
    with pytest.raises(TargetError, match="settings must be NAME=VALUE, one after the other; got 'gain'"):
        method_spec("wn[gain]", {}, {})
