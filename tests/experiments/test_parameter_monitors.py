"""Norm, spread and gradient of the parameter behind a weight, over training."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from wnverify.experiments.data.samples import Arrays
from wnverify.experiments.data.sources import load
from wnverify.experiments.training import monitors
from wnverify.experiments.training.loop import _Made, train
from wnverify.experiments.training.settings import Settings
from wnverify.experiments.training.signals import of_signal
from wnverify.methods.weight_standardization.pytorch import WeightStandardization
from wnverify.oracles.ratio import Ratio, map_model

MODEL = map_model("float32", 8, roundings=32, condition=100.0)


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    return dataclasses.replace(data, train=Arrays(*data.train.take(range(96))), test=Arrays(*data.test.take(range(40))))


def settings(**changes):
    return Settings(**{"network": "mlp_digits", "epochs": 2, "batch": 32, "rate": 0.05} | changes)


def standardized(eps=0.0):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    parametrize.register_parametrization(model[0], "weight", WeightStandardization(eps=eps))
    return model


def watched(model, scale=1.0):
    """Gradients of ``scale`` times a loss, those of the parameters divided by it as a scaler does."""
    x = torch.arange(15.0).reshape(3, 5) / 10 - 0.5
    with monitors.retained(model) as weights:
        loss = scale * (model(x) ** 3).sum()
    loss.backward()
    for parameter in model.parameters():
        parameter.grad /= scale
    return weights, monitors.of_gradients(model, 0.1, weights, scale)


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_amplification_is_that_of_the_map(scale):
    """‖∇_V L‖ / ‖∇_W L‖ by the gradient of standardization in NumPy; one where the weight is the parameter."""
    model = standardized()
    weights, seen = watched(model, scale)
    V = model[0].parametrizations.weight.original.detach().double().numpy()
    G = weights["0"].grad.double().numpy()
    sigma = V.std(axis=1, keepdims=True)
    W = (V - V.mean(axis=1, keepdims=True)) / sigma
    pulled = (G - G.mean(axis=1, keepdims=True) - (G * W).mean(axis=1, keepdims=True) * W) / sigma
    right = np.linalg.norm(pulled) / np.linalg.norm(G)
    assert Ratio(abs(seen["0"]["amplification"] - right), right, MODEL).value <= 1
    assert seen["2"]["amplification"] == 1
    assert Ratio(abs(right * 1.001 - right), right, MODEL).value > 10


def test_a_smaller_parameter_amplifies():
    """The parameter halved, which changes no weight, doubles the amplification."""
    model, half = standardized(), standardized()
    with torch.no_grad():
        half[0].parametrizations.weight.original /= 2
    one, two = (watched(each)[1]["0"]["amplification"] for each in (model, half))
    assert Ratio(abs(two - 2 * one), 2 * one, MODEL).value <= 1


def test_sizes_by_hand():
    """Norms and population deviations of the rows of V, of every layer but the last; means are geometric."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1), nn.Linear(1, 9))
    model[0].weight.data = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    model[1].weight.data = torch.tensor([[6.0, 8.0]])
    start = monitors.sizes(model)
    assert set(start) == {"0", "1"}
    model[0].weight.data *= 8
    told = monitors.of_parameters(monitors.sizes(model), start, {"0": {"gradient": 4.0}, "2": {"gradient": 9.0}})
    right = {"norm": (40 * 16 * 10) ** (1 / 3), "spread": (4 * 8 * 1) ** (1 / 3), "gradient": 4.0}
    right |= {"norm_change": 4.0, "spread_change": 4.0}
    assert set(told) == set(right)
    for name, value in right.items():
        assert Ratio(abs(told[name] - value), value, map_model("float64", 3, roundings=16)).value <= 1, name


def test_a_single_layer_is_its_own_hidden_layer():
    """Of a model of one layer with weights the figures are that layer's."""
    assert set(monitors.sizes(nn.Sequential(nn.Linear(3, 2)))) == {"0"}


@pytest.mark.parametrize("method", ["", "cwn", "own", "cwo_update"])
def test_watching_changes_nothing(digits, method):
    """A run with a record after every epoch and one with a record at the end have the same weights, bit for bit."""
    every, last = (train(settings(method=method, epochs=3), digits, every=n).model.state_dict() for n in (1, 3))
    assert all(torch.equal(value, last[name]) for name, value in every.items())


def test_decay_shrinks_what_is_reparametrized(digits):
    """A strong decay makes σ of CWN fall; a constraint keeps norm and spread where they were and amplifies nothing."""
    own, held = (train(settings(method=m, weight_decay=0.5), digits).last["parameters"] for m in ("cwn", "cwo_update"))
    assert own["spread_change"] < 0.95
    for name in ("norm_change", "spread_change"):
        assert Ratio(abs(held[name] - 1), 1.0, map_model("float32", 64, roundings=16)).value <= 1
    assert held["amplification"] == 1
    assert own["amplification"] != 1


def test_the_start_is_the_initial_network(digits, tmp_path):
    """With ``signal`` a record has the start, which a resumed run has too, and what is now; without it has neither."""
    given = settings(method="cwn")
    whole = train(given, digits, signal=True)
    x, _ = digits.test.take(range(40))
    seen = whole.last["signal"]
    made = _Made(given, digits, "cpu")
    assert seen["start"] == of_signal(made.model, made.prepare(x))
    assert seen["now"] == of_signal(whole.model, made.prepare(x))

    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(given, digits, folder=tmp_path, watch=interrupt, signal=True)
    assert train(given, digits, folder=tmp_path, resume=True, signal=True).history == whole.history
    assert "signal" not in train(given, digits).last
