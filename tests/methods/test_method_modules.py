"""The modules on PyTorch's layers: registration, gains, copies, state, removal, training."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from layer_cases import LAYERS, rows
from method_cases import CASES, ORTHOGONAL, normal, ratio
from torch import nn
from torch.nn.utils import parametrize

from wnverify.methods.weight_normalization.pytorch import WeightNormalization

MODULES = {**{case.name: case.module for case in CASES}, "gain": WeightNormalization}
every_layer = pytest.mark.parametrize("layer", LAYERS)
every_module = pytest.mark.parametrize("name", MODULES)


def registered(name, layer):
    torch.manual_seed(0)
    make, layout, shape = LAYERS[layer]
    plain = make()
    return parametrize.register_parametrization(copy.deepcopy(plain), "weight", MODULES[name](**layout)), plain, shape


@every_layer
def test_each_output_channel_depends_on_its_own_row_only(layer):
    """Scaling one row's gain scales that one output channel of the layer: rows and channels are numbered alike."""
    module, _, shape = registered("gain", layer)
    inputs = torch.randn(shape)
    channel = -1 if layer == "linear" else 1
    before = module(inputs)
    with torch.no_grad():
        module.parametrizations.weight.original1[1] *= 3
    changed = (module(inputs) != before).transpose(0, channel).flatten(1).any(1)
    assert changed.tolist() == [False, True] + [False] * (len(changed) - 2)


@every_layer
def test_registration_with_gain_keeps_the_weight(layer):
    """right_inverse gives V and g that reproduce the weight, so registering changes nothing beyond rounding."""
    module, plain, _ = registered("gain", layer)
    weight = rows(plain.weight, layer)
    scale = float(np.linalg.norm(weight, axis=1).max())
    assert ratio(rows(module.weight, layer), weight, "float32", weight.shape[1], scale=scale) <= 1
    module.weight = 2 * plain.weight.detach()
    assert ratio(rows(module.weight, layer), 2 * weight, "float32", weight.shape[1], scale=2 * scale) <= 1


@every_module
@every_layer
def test_copies_states_and_removal_keep_the_weight(name, layer):
    """A deep copy, a pickle, a loaded state and the layer after removal all have the registered layer's weight."""
    module, _, shape = registered(name, layer)
    weight, inputs = module.weight.detach(), torch.randn(shape)
    copied = copy.deepcopy(module)
    loaded, _, _ = registered(name, layer)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.add_(torch.randn_like(parameter))
    assert not torch.equal(loaded.weight, weight)
    loaded.load_state_dict(module.state_dict())
    thawed = pickle.loads(pickle.dumps(module.parametrizations.weight[0]))
    originals = [p for key, p in module.parametrizations.weight.named_parameters() if key.startswith("original")]
    assert torch.equal(thawed(*originals), weight)
    for other in (copied, loaded):
        assert torch.equal(other.weight, weight)
        assert torch.equal(other(inputs), module(inputs))
    parametrize.remove_parametrizations(module, "weight")
    assert torch.equal(module.weight, weight)


@every_module
def test_training_lowers_the_loss_and_stays_in_the_range(name):
    """Plain gradient steps through the parametrization lower a regression loss; unit rows stay unit rows."""
    module, _, _ = registered(name, "linear")
    inputs = torch.tensor(normal(32, 9)).float()
    target = inputs @ torch.tensor(normal(9, 4, case="target")).float()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (module(inputs) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert all(after < before for before, after in itertools.pairwise(losses))
    if name != "gain":
        assert ratio(module.weight.double().norm(dim=1), np.ones(4), "float32", 9) <= 1


@pytest.mark.parametrize(
    ("layout", "message"), [({"dim": 2}, "dim"), ({"groups": 2}, "groups"), ({"dim": 1, "groups": 0}, "groups")]
)
def test_impossible_layouts_are_refused(layout, message):
    """An unknown axis, or groups that mean nothing, is a ValueError that names the argument."""
    for module in MODULES.values():
        with pytest.raises(ValueError, match=f"{message} must"):
            module(**layout)


def test_groups_that_do_not_divide_are_refused():
    """groups that do not divide the input channels are a ValueError, not a shuffled weight."""
    with pytest.raises(ValueError, match="groups must divide"):
        ORTHOGONAL.module(dim=1, groups=4)(torch.ones(6, 2, 3))


def test_registration_on_an_impossible_layer_says_why():
    """A square linear layer cannot have orthonormal rows of zero mean: said at registration, with the shape."""
    with pytest.raises(ValueError, match=r"n ≤ d - 1; got shape \(4, 4\)"):
        parametrize.register_parametrization(nn.Linear(4, 4), "weight", ORTHOGONAL.module())
