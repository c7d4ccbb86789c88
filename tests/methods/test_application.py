"""``wnverify.apply``, ``remove`` and ``penalty`` on models."""

import copy
import io
import pickle
import re

import pytest
import torch
from application_cases import LAYERS, X, network, rows, same
from torch import nn

import wnverify
from wnverify.methods.catalogue import methods

PARAMETRIZATIONS = [m.id for m in methods("parametrization")]
WIDE = ("first", "head")
"""Layers with fewer units than weights a unit, on which every parametrization is defined."""


@pytest.mark.parametrize("method", PARAMETRIZATIONS)
def test_every_parametrization_is_applied_copied_saved_and_removed(method):
    """Register, deepcopy, pickle, state_dict into a second model: one output; removed, the weight is W and stays."""
    layers = list(WIDE)
    model = wnverify.apply(network(), method, layers=layers).eval()
    out = model(X)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), _saved(model)):
        assert torch.equal(copied(X), out)
    other = wnverify.apply(network(), method, layers=layers).eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.25).add_(0.01)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(X), out)
    assert same(wnverify.remove(model, method)(X), out)
    assert [type(module) for module in model] == [type(module) for module in network()]
    with pytest.raises(ValueError, match="must have been applied"):
        wnverify.remove(model, method)


def _saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_rows_lie_as_each_layer_has_them():
    """Convolutions, transposed ones in groups and linear layers: each unit's incoming weights have norm 1, mean 0."""
    model = wnverify.apply(network(), "cwn")
    for name in LAYERS:
        W = rows(model, name)
        assert same(W.norm(dim=1), torch.ones(len(W), dtype=W.dtype))
        assert same(W.sum(1), torch.zeros(len(W), dtype=W.dtype), scale=W.shape[1] ** 0.5)


def test_removed_without_leaving_the_value_the_model_is_what_it_was():
    """``leave_parametrized=False`` gives V back."""
    model = wnverify.remove(wnverify.apply(network(), "cwn"), "cwn", leave_parametrized=False)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), network().parameters(), strict=True))


@pytest.mark.parametrize("inputs", [1, 3])
def test_a_single_input_leaves_v_its_signs(inputs):
    """Weight normalization of an (n, d) weight gives V back for d = 1 too, where the gains have its shape."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(inputs, 6))
    before = model[0].weight.detach().clone()
    wnverify.remove(wnverify.apply(model, "wn"), "wn", leave_parametrized=False)
    assert bool((before < 0).any())
    assert torch.equal(model[0].weight, before)


def test_a_trained_copy_is_free_of_its_original():
    """A step of the pickled copy leaves the original where it was."""
    model = wnverify.apply(network(), "cwn")
    copied = pickle.loads(pickle.dumps(model))
    before = model.head.weight.clone()
    optimizer = torch.optim.SGD(copied.parameters(), lr=0.1)
    copied(X).square().sum().backward()
    optimizer.step()
    assert torch.equal(model.head.weight, before)
    assert not torch.equal(copied.head.weight, before)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, LAYERS),
        ("head", ("head",)),
        (["first", "h*"], ("first", "head")),
        (lambda name, module: isinstance(module, nn.Linear), ("head",)),
    ],
)
def test_layers_are_chosen_by_names_patterns_or_a_function(layers, expected):
    """Only the chosen layers are parametrized."""
    model = wnverify.apply(network(), "cwn", layers=layers)
    found = [name for name, module in model.named_modules() if hasattr(module, "parametrizations")]
    assert tuple(found) == expected


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: wnverify.apply(m, "cwm"), "did you mean 'cwo' or 'cwn'?"),
        (lambda m: wnverify.apply(m, "cwn", layers="haed"), "'haed' matches no layer with a weight; they are first"),
        (lambda m: wnverify.apply(m, "cwn", layers=[]), "layers must choose at least one layer"),
        (lambda m: wnverify.apply(m, "cwn", layers="norm"), "'norm' has a weight of shape (8,), no rows"),
        (lambda m: wnverify.apply(m, "cwn", gain=True), "layer 'first'"),
        (lambda m: wnverify.apply(m, "own", layers=["first", "square"]), "layer 'square': V must have full row rank"),
        (lambda m: wnverify.apply(m, "pbwn"), "optimizer must be given"),
        (lambda m: wnverify.apply(m, "kalman_normalization"), "out of scope: its statistics"),
        (lambda m: wnverify.apply(m, "norm_loss", factor=-1.0), "factor must be finite and at least 0; got -1.0"),
        (lambda m: wnverify.apply(m, "penalty_schedule"), "give it to one as its factor"),
        (lambda m: wnverify.apply(m, "gn", num_groups=3), "layer 'norm'"),
        (lambda m: wnverify.apply(m, "ws+gn", sigma=3), "sigma is an option of none of"),
        (lambda m: wnverify.apply(m, "cwo", c=1.0), "c belongs to the update, which needs optimizer"),
        (lambda m: wnverify.apply(m, "cwo", growth="cubic"), "growth must be 'constant' or 'linear'"),
        (lambda m: wnverify.apply(m, "dropout", p=2.0), "p must be from 0 to 1; got 2.0"),
        (lambda m: wnverify.remove(m, "cwn"), "was not"),
        (lambda m: wnverify.penalty(m), "model must have a penalty"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_changes_nothing(call, said):
    """A ``ValueError`` or ``TypeError`` with the reason; parameters and modules are as before."""
    model = network()
    model.add_module("square", nn.Linear(5, 5).double())
    before = copy.deepcopy(model)
    with pytest.raises((ValueError, TypeError), match=re.escape(said)):
        call(model)
    assert [type(a) for a in model.modules()] == [type(b) for b in before.modules()]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("cwn", "wn", "layer 'up': its weight is parametrized"),
        ("pbwn", "pbwn", "layer 'up' has projection_based_weight_normalization already"),
        ("l1", "l1", "layer 'up' has l1_penalty already; remove that first"),
        ("cwn", "l1", "layer 'up' must have a plain weight; it is parametrized: without opt"),
        ("cwn", "pbwn", "layer 'up' must have a plain weight; it is parametrized"),
    ],
)
def test_a_second_method_of_a_weight_is_refused_and_changes_nothing(first, second, said):
    """A ``ValueError`` names the layer; what the first has made of the model and of the optimiser is as it was."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wnverify.apply(model, first, layers="up", **({} if first == "cwn" else {"optimizer": optimizer}))
    before, hooks = copy.deepcopy(model), len(optimizer._optimizer_step_post_hooks)
    with pytest.raises(ValueError, match=re.escape(said)):
        wnverify.apply(model, second, **({} if second == "wn" else {"optimizer": optimizer}))
    assert [type(a) for a in model.modules()] == [type(b) for b in before.modules()]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    assert len(optimizer._optimizer_step_post_hooks) == hooks


def test_the_layers_of_cwo_without_its_update():
    """``update="none"`` leaves the weights free: a step moves them as it would without the method."""
    stepped = []
    for method in (None, "cwo"):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        if method:
            wnverify.apply(model, method, optimizer=optimizer, update="none", sigma=0.5, growth="linear")
            assert type(model.norm).__name__ == "ScaleAndBias"
            assert any(parameter is model.norm.gamma for parameter in optimizer.param_groups[-1]["params"])
            assert optimizer.param_groups[-1]["weight_decay"] == 0
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        stepped.append(model.first.weight.detach().clone())
    assert torch.equal(*stepped)


def test_joined_methods_and_chosen_layers():
    """The layers are those whose weights are standardized; every normalization is replaced all the same."""
    model = wnverify.apply(network(), "ws+gn", layers="first", num_groups=2)
    assert [hasattr(model.get_submodule(name), "parametrizations") for name in LAYERS] == [True, False, False]
    assert isinstance(model.norm, nn.GroupNorm)
    assert isinstance(model.norm2, nn.GroupNorm)


@pytest.mark.parametrize("method", ["plain", "cwo", "gn", "ln", "in", "mbn", "bn"])
def test_layers_take_the_place_of_every_normalization_and_go_again(method):
    """No batch normalization is left, and ``remove`` brings the very ones back."""
    model = network().eval()
    out, original = model(X), (model.norm, model.norm2)
    options = {"num_groups": 2} if method == "gn" else {}
    wnverify.apply(model, method, **options)
    assert model.norm is not original[0]
    assert model.norm2 is not original[1]
    copied = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert torch.equal(copied(X), model(X))
    assert torch.equal(wnverify.remove(copied, method)(X), out)
    wnverify.remove(model, method)
    assert (model.norm, model.norm2) == original
    assert torch.equal(model(X), out)


def test_plain_is_the_network_without_its_normalizations():
    """Identity stands in their place and has no parameters."""
    model = wnverify.apply(network(), "plain")
    y = torch.ones(2, 8, 3, 3)
    assert torch.equal(model.norm(y), y)
    assert not list(model.norm.parameters())


def test_combinations_apply_both_parts():
    """Weight standardization on the weights and group normalization after them, by either name."""
    for name in ("ws+gn", "weight_standardization_with_group_normalization"):
        model = wnverify.apply(network(), name, num_groups=2, eps=0.0)
        assert isinstance(model.norm, nn.GroupNorm)
        assert hasattr(model.head, "parametrizations")
        wnverify.remove(model, name, leave_parametrized=False)
        assert isinstance(model.norm, nn.BatchNorm2d)
        assert not hasattr(model.head, "parametrizations")


JOINED = ["ws+gn", "wn+gn", "exponential_map+gn", "pbwn+gn", "l1inf+gn", "l1+gn", "cwo+gn", "dropout+gn"]


@pytest.mark.parametrize("method", JOINED)
def test_what_a_failed_combination_had_done_is_undone(method):
    """The last part refuses: parameters are the same objects with the same values, groups, state and hooks as before.

    What was there before stays: the same method on another layer, the parametrization of a bias.
    """
    model = network()
    nn.utils.parametrize.register_parametrization(model.head, "bias", nn.Identity())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(X).square().mean().backward()
    optimizer.step()
    wnverify.apply(model, "pbwn", layers="first", optimizer=optimizer)

    def standing():
        names = [(name, id(p)) for name, p in model.named_parameters()]
        groups = [{**group, "params": [id(p) for p in group["params"]]} for group in optimizer.param_groups]
        hooks = [list(module._forward_hooks) for module in model.modules()]
        hanging = [*optimizer._optimizer_step_post_hooks, *optimizer._optimizer_step_pre_hooks]
        kinds = [type(module) for module in model.modules()]
        return names, groups, {id(p): id(state) for p, state in optimizer.state.items()}, hooks, hanging, kinds

    before, values = standing(), [p.detach().clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=r"layer 'norm'|normalization to replace"):
        wnverify.apply(model, method, layers=["up", "head"], optimizer=optimizer, num_groups=3)
    assert standing() == before
    assert all(torch.equal(p, value) for p, value in zip(model.parameters(), values, strict=True))
    assert model(X).isfinite().all()
    wnverify.apply(model, "cwn", layers="head")
    wnverify.remove(wnverify.remove(model, "cwn"), "pbwn")


def test_cwo_noise_grows_with_the_layer():
    """Equation 8: the l-th of L replaced layers has σ l / L; draws differ between layers and repeat between runs."""
    one, two = (wnverify.apply(network(), "cwo", sigma=0.8, growth="linear", seed=5) for _ in range(2))
    assert (one.norm.sigma, one.norm2.sigma) == (0.4, 0.8)
    assert one.norm.seed != one.norm2.seed
    assert torch.equal(one(X), two(X))


def test_parameter_groups_spare_gamma_and_beta():
    """Every parameter is in one group; those of the scale-and-bias layers in the one without decay."""
    model = wnverify.apply(network(), "cwo")
    decayed, free = wnverify.parameter_groups(model, 1e-3)
    assert (decayed["weight_decay"], free["weight_decay"]) == (1e-3, 0.0)
    assert {id(p) for p in free["params"]} == {id(p) for m in (model.norm, model.norm2) for p in m.parameters()}
    assert len(decayed["params"]) + len(free["params"]) == len(list(model.parameters()))


def test_dropout_acts_in_training_only():
    """Two training passes differ, two evaluations agree; a copy has it too; ``remove`` takes it off."""
    model = wnverify.apply(network(), "dropout", p=0.5, layers="head")
    for m in (model, pickle.loads(pickle.dumps(copy.deepcopy(model)))):
        assert not torch.equal(m(X), m(X))
        m.eval()
        assert torch.equal(m(X), m(X))
    wnverify.remove(model, "dropout")
    assert not model.head._forward_hooks


def test_remove_without_a_name_takes_everything_off():
    """Parametrizations, layers, penalties and hooks."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wnverify.apply(model, "pbwn", layers="first", optimizer=optimizer)
    wnverify.apply(model, "cwn", layers="head")
    wnverify.apply(model, "plain")
    wnverify.apply(model, "norm_loss")
    wnverify.remove(model)
    assert [type(m) for m in model.modules()] == [type(m) for m in network().modules()]
    assert not optimizer._optimizer_step_post_hooks
    with pytest.raises(ValueError, match="model must have a penalty"):
        wnverify.penalty(model)
