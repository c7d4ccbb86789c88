"""``wnverify.apply`` of constraints and penalties: what follows an optimiser's steps, what is added to the loss."""

import copy
import pickle

import pytest
import torch
from application_cases import LAYERS, X, network, rows, same
from torch import nn

import wnverify
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives.schedule import Reduced


def test_a_constraint_follows_every_optimiser_of_a_weight():
    """A layer's steps may be those of two optimisers, and a method's layers may come one after the other."""
    model = network()
    for layers in ("first", "up"):
        for lr in (0.1, 0.2):
            optimizer = torch.optim.SGD(model.parameters(), lr=lr)
            wnverify.apply(model, "pbwn", layers=layers, optimizer=optimizer)
            assert len(optimizer._optimizer_step_post_hooks) == 1
    wnverify.remove(model, "pbwn")
    assert not optimizer._optimizer_step_post_hooks


def test_cwo_with_an_optimizer_constrains_weights_and_spares_gamma_and_beta():
    """After steps with momentum and weight decay rows have ‖w‖² = 2 and mean 0; γ and β saw no decay."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)
    replaced = {id(p) for p in (*model.norm.parameters(), *model.norm2.parameters())}
    wnverify.apply(model, "cwo", optimizer=optimizer)
    held = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert held[id(model.norm.gamma)] == held[id(model.norm2.beta)] == 0.0
    assert not replaced & set(held)
    assert set(held) == {id(p) for p in model.parameters()}
    for _ in range(3):
        optimizer.zero_grad()
        model(X).square().mean().backward()
        optimizer.step()
    for name in LAYERS:
        W = rows(model, name)
        assert same(W.square().sum(1), torch.full((len(W),), 2.0, dtype=W.dtype))
        assert same(W.sum(1), torch.zeros(len(W), dtype=W.dtype), scale=W.shape[1] ** 0.5)
    wnverify.remove(model, "cwo")
    assert isinstance(model.norm, nn.BatchNorm2d)
    optimizer.zero_grad()
    model(X).square().mean().backward()
    optimizer.step()
    assert not same(rows(model, "head").square().sum(1), torch.full((5,), 2.0, dtype=torch.float64))


def test_a_constraint_holds_from_the_start_and_until_it_is_removed():
    """Projected at once; after ``remove`` the optimiser moves weights freely."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wnverify.apply(model, "pbwn", optimizer=optimizer)
    assert same(rows(model, "up").norm(dim=1), torch.ones(6, dtype=torch.float64))
    wnverify.remove(model, "pbwn")
    model(X).square().mean().backward()
    optimizer.step()
    assert not same(rows(model, "up").norm(dim=1), torch.ones(6, dtype=torch.float64))


def test_l1inf_leaves_the_output_layer_free_and_takes_a_radius_for_each_layer():
    """Incoming weights with bias have L1 norm at most the layer's c; the last layer is as it was."""
    model, radii = network(), {"first": 0.5, "up": 0.25}
    head = model.head.weight.clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    wnverify.apply(model, "l1inf", optimizer=optimizer, c=radii)
    assert torch.equal(model.head.weight, head)
    for _ in range(3):
        optimizer.zero_grad()
        model(X).square().mean().backward()
        optimizer.step()
    for name, c in radii.items():
        total = rows(model, name).detach().abs().sum(1) + model.get_submodule(name).bias.detach().abs()
        assert Ratio(max(0.0, float(total.max()) - c), c, map_model("float64", 30)).value <= 1


def test_an_optimizer_that_lacks_a_weight_is_refused_and_nothing_moves():
    """The weight is named."""
    model = network()
    before = model.head.weight.clone()
    optimizer = torch.optim.SGD(model.first.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"optimizer must hold up\.weight"):
        wnverify.apply(model, "pbwn", optimizer=optimizer)
    assert torch.equal(model.head.weight, before)
    assert not optimizer._optimizer_step_post_hooks


def test_penalties_add_up_and_reach_the_weights():
    """The model's penalty is the sum over layers and methods, and survives copying; ``remove`` drops one of them."""
    model = wnverify.apply(network(), "norm_loss", factor=0.5)
    expected = 0.5 * sum((1 - rows(model, name).norm(dim=1)).square().sum() for name in LAYERS)
    assert same(wnverify.penalty(model), expected)
    wnverify.apply(model, "l1", factor=2.0, layers="head")
    both = expected + 2.0 * model.head.weight.abs().sum()
    for copied in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same(wnverify.penalty(copied), both)
    wnverify.penalty(model).backward()
    assert model.up.weight.grad is not None
    assert model.head.bias.grad is None
    wnverify.remove(model, "l1")
    assert same(wnverify.penalty(model), expected)


def test_a_penalty_of_a_parametrized_weight_is_taken_of_w():
    """Norm loss of rows that are normalized is zero."""
    model = wnverify.apply(wnverify.apply(network(), "cwn"), "norm_loss")
    assert same(wnverify.penalty(model), torch.zeros((), dtype=torch.float64), scale=1.0)


def test_a_schedule_changes_the_factor_with_the_epoch():
    """``factor`` may be a schedule over epochs; it is copied and pickled with the model."""
    model = wnverify.apply(network(), "norm_loss", factor=Reduced(0.5, {2: 0.25, 4: 0.0}))
    first = wnverify.penalty(model).detach()
    for copied in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same(wnverify.penalty(copied, epoch=3), first / 2)
        assert wnverify.penalty(copied, epoch=4).item() == 0


def test_with_an_optimizer_the_proximal_operator_follows_every_step():
    """One step of SGD, then soft-thresholding by learning rate times factor."""
    model, other = network(), network()
    optimizer, plain = (torch.optim.SGD(m.parameters(), lr=0.1) for m in (model, other))
    wnverify.apply(model, "l1", factor=0.02, layers="head", optimizer=optimizer)
    for m, o in ((model, optimizer), (other, plain)):
        m(X).square().mean().backward()
        o.step()
    W = other.head.weight.detach()
    assert same(model.head.weight, W.sign() * (W.abs() - 0.1 * 0.02).clamp(min=0), scale=float(W.abs().max()))
    wnverify.remove(model, "l1")
    assert not optimizer._optimizer_step_post_hooks


def test_a_penalty_of_the_network_takes_inputs():
    """The Jacobian norm is a penalty of the network at a batch; without one it is refused."""
    model = wnverify.apply(network().eval(), "jacobian_norm", factor=0.1)
    assert float(wnverify.penalty(model, inputs=X)) > 0
    with pytest.raises(ValueError, match="inputs must be given"):
        wnverify.penalty(model)


def test_the_layers_of_cwo_with_another_constraint():
    """Joined with a projection on the sphere alone: unit rows whose means stay, noise options go where they belong."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    wnverify.apply(model, "cwo+pbwn", optimizer=optimizer, update="none", sigma=0.5, growth="linear")
    for name in LAYERS:
        W = rows(model, name)
        norms = W.norm(dim=1)
        assert same(norms, torch.ones_like(norms))
        assert not same(W.sum(dim=1), torch.zeros_like(norms), scale=1.0)
    assert (model.norm.sigma, model.norm2.sigma) == (0.25, 0.5)
