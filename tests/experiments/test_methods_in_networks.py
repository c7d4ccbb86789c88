"""A forward and a backward pass of every network with every method that can be applied to it.

The networks with few weights go through all methods; the large ones, at small inputs, through one method of each kind.
"""

import copy
import functools

import pytest
import torch
from torch import nn

from wnverify.experiments.listing import trained_methods
from wnverify.experiments.networks.table import NETWORKS, build
from wnverify.experiments.shortruns import OPTIONS
from wnverify.experiments.training.loop import applied
from wnverify.experiments.training.settings import Settings
from wnverify.methods.application.apply import penalty
from wnverify.methods.application.replacing import NORMALIZATIONS
from wnverify.methods.catalogue import find

CLASSES, COUNT = 5, 4
ONE_OF_A_KIND = (
    "centred_weight_normalization",
    "constrained_weight_optimization",
    "norm_loss",
    "scale_and_bias",
    "group_normalization",
)
SMALL = tuple(name for name, row in NETWORKS.items() if row.hidden)
SMALL_WITH_NORMALIZATION = ("cnn_digits", "resnet_8", "wrn_10_1")
LARGE = tuple(name for name in NETWORKS if name not in (*SMALL, *SMALL_WITH_NORMALIZATION))
OF_RANK = {
    "orthogonal_weight_normalization": 1,
    "dswn_neuron_measurement": 1,
    "dswn_sparsity_measurement": 1,
    "dswn_combined": 1,
    "dswn_combined_in_the_other_order": 1,
    "qr_orthogonalization": 0,
    "stiefel_layer": 0,
}
"""Method → by how many the columns of a weight must exceed its rows."""


def shape_of(name):
    shape = NETWORKS[name].shape
    return {1: (64,), 2: (3, 24), 3: (shape[0], 8, 8)}[len(shape)]


@functools.cache
def made(name):
    """The network for small inputs, and its initial state."""
    return build(name, shape_of(name), CLASSES)


def layers_for(model, method):
    """The layers for which the method is defined: all, or those with enough columns."""
    if method not in OF_RANK:
        return None
    layers = [(n, m.weight) for n, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    return tuple(n for n, W in layers if W[0].numel() >= len(W) + OF_RANK[method])


def needs_normalization(row):
    parts = next((name for name in row.names if "+" in name), row.id).split("+")
    return any(find(part).kind == "layer" and find(part).id != "dropout" for part in parts)


def passes(name, method):
    """Finite scores of the right shape, a finite gradient for every parameter, a step, and finite scores again."""
    model = copy.deepcopy(made(name))
    settings = Settings(
        network=name,
        method=method,
        options=dict(OPTIONS.get(method, {})),
        layers=layers_for(model, method),
        rate=1e-3,
    )
    optimizer, penalized = applied(model, settings)
    x = torch.randn(COUNT, *shape_of(name), generator=torch.Generator().manual_seed(0))
    scores = model(x)
    assert scores.shape == (COUNT, CLASSES)
    loss = nn.functional.cross_entropy(scores, torch.arange(COUNT))
    if penalized:
        loss = loss + penalty(model, inputs=x)
    loss.backward()
    moved = 0
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        moved += bool(parameter.grad.any())
    assert moved
    # Without normalization the scores of 54 blocks, and with them the gradient, may be of any size.
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    assert torch.isfinite(model(x)).all()


ALL = [row for row in trained_methods() if row.kind != "layer" or needs_normalization(row) or row.id == "dropout"]


@pytest.mark.parametrize("method", [row.id for row in ALL if not needs_normalization(row)])
def test_every_method_in_perceptrons(method):
    """Each perceptron with each method that needs no activation normalization."""
    for name in SMALL:
        passes(name, method)


@pytest.mark.parametrize("method", [row.id for row in ALL])
def test_every_method_in_small_networks(method):
    """Each small network of convolutions with each method."""
    for name in SMALL_WITH_NORMALIZATION:
        passes(name, method)


@pytest.mark.parametrize("name", LARGE)
def test_a_method_of_each_kind_in_large_networks(name):
    """Each large network with a parametrization, a constraint, a penalty and layers."""
    for method in ONE_OF_A_KIND:
        passes(name, method)


def test_all_networks_are_gone_through():
    """None is left out, and there is one method of each kind."""
    assert {*SMALL, *SMALL_WITH_NORMALIZATION, *LARGE} == set(NETWORKS)
    assert {find(method).kind for method in ONE_OF_A_KIND} == {row.kind for row in trained_methods()}
    for name in NETWORKS:
        has = any(isinstance(module, NORMALIZATIONS) for module in made(name).modules())
        assert has is (name not in SMALL)


@pytest.mark.parametrize("method", ["orthogonal_weight_normalization", "qr_orthogonalization", "plain"])
def test_what_is_not_applicable_is_refused(method):
    """Weights with too few columns, a network without activation normalization: an error before the first pass."""
    settings = Settings(network="mlp_6x128", method=method)
    with pytest.raises(ValueError, match=r"rank|normalization"):
        applied(build("mlp_6x128", shape_of("mlp_6x128"), CLASSES), settings)
