"""Layers on outputs: scale and bias with noise, mean-only batch normalization."""

import copy
import math
import pickle
import re

import numpy as np
import pytest
import torch
from scipy import stats

from wnverify.finding import seed_of
from wnverify.methods.mean_only_batch_normalization import reference as mean_only_reference
from wnverify.methods.mean_only_batch_normalization.pytorch import MeanOnlyBatchNormalization
from wnverify.methods.scale_and_bias import reference
from wnverify.methods.scale_and_bias.pytorch import GRANULARITIES, ScaleAndBias
from wnverify.oracles.gradients import check_backward
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, Ratio, map_model

SHAPES = ((4, 3), (4, 3, 5), (2, 3, 4, 5))


def normal(*shape, case=""):
    return np.random.default_rng(seed_of("layers", shape, case)).standard_normal(shape)


def ratio(found, right, dtype="float64", terms=1, condition=1.0):
    found, right = (np.asarray(torch.as_tensor(x).detach().double()) for x in (found, right))
    model = map_model(dtype, terms, condition=condition)
    return Ratio(float(np.abs(found - right).max()), float(np.abs(right).max()), model).value


def filled(layer, dtype):
    """The layer with generic parameters."""
    layer = layer.to(getattr(torch, dtype))
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.tensor(normal(*parameter.shape, case=name)))
    return layer


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scale_and_bias_is_equation_6_in_evaluation(shape, dtype):
    """Value and all three gradients are those of the reference."""
    layer = filled(ScaleAndBias(3, sigma=0.5), dtype).eval()
    x = torch.tensor(normal(*shape)).to(layer.gamma.dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent")).to(x.dtype)
    y = layer(x)
    gradients = torch.autograd.grad(y, (x, layer.gamma, layer.beta), A)
    of = [t.detach().double().numpy() for t in (x, layer.gamma, layer.beta)]
    assert ratio(y, reference.forward(*of), dtype) <= 1
    for found, right in zip(gradients, reference.vjp(*of, A.double().numpy()), strict=True):
        assert ratio(found, right, dtype, terms=x.numel(), condition=4.0) <= 1


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_noise_is_drawn_at_the_granularity_that_was_asked_for(shape, granularity):
    """One number a unit, a unit and sample, or an entry: (y − β) / (γ x) − 1 takes that many values."""
    layer = ScaleAndBias(3, sigma=0.3, granularity=granularity, seed=1).double()
    x = torch.tensor(normal(*shape)) + 5.0
    noise = ((layer(x) / x) - 1).detach()
    values = {"unit": 3, "sample": 3 * shape[0], "entry": x.numel()}[granularity]
    assert len(np.unique(noise.numpy().round(12))) == values
    assert ratio(layer.eval()(x), x) <= 1


def test_the_noise_has_mean_zero_and_the_declared_variance():
    """Over many draws of equation 7: a z test and a χ² test, wrong by chance once in a billion runs."""
    sigma, count = 0.7, 20_000
    layer = ScaleAndBias(count, sigma=sigma, seed=7).double()
    noise = (layer(torch.ones(1, count, dtype=torch.float64)) - 1).detach().numpy().ravel()
    assert abs(noise.mean()) * math.sqrt(count) / sigma <= stats.norm.isf(FALSE_ALARM_BUDGET / 4)
    squares = (count - 1) * noise.var(ddof=1) / sigma**2
    low, high = (stats.chi2.ppf(p, count - 1) for p in (FALSE_ALARM_BUDGET / 4, 1 - FALSE_ALARM_BUDGET / 4))
    assert low <= squares <= high


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_over_the_last_axes_the_noise_has_the_same_granularities(granularity):
    """In the place of a layer normalization: γ and β over the last axes."""
    layer = ScaleAndBias((5,), sigma=0.3, granularity=granularity, seed=1, trailing=True).double()
    x = torch.tensor(normal(2, 4, 5)) + 5.0
    noise = ((layer(x) / x) - 1).detach()
    assert len(np.unique(noise.numpy().round(12))) == {"unit": 5, "sample": 10, "entry": 40}[granularity]


def test_a_seed_repeats_the_noise_and_a_state_dict_continues_it():
    """Two runs draw the same; what is loaded continues where the saved layer stopped; without a seed draws differ."""
    x = torch.ones(2, 3)
    one, two = ScaleAndBias(3, sigma=0.5, seed=3), ScaleAndBias(3, sigma=0.5, seed=3)
    first, second = one(x), one(x)
    assert torch.equal(two(x), first)
    assert not torch.equal(first, second)
    three = ScaleAndBias(3, sigma=0.5, seed=3)
    three.load_state_dict(two.state_dict())
    assert torch.equal(three(x), second)
    for copied in (copy.deepcopy(two), pickle.loads(pickle.dumps(two))):
        assert torch.equal(copied(x), second)
    free = ScaleAndBias(3, sigma=0.5)
    assert not torch.equal(free(x), free(x))


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_gradient_passes_through_the_noise(granularity):
    """With the noise held, the backward by x is the derivative of the forward."""
    layer = filled(ScaleAndBias(3, sigma=0.5, granularity=granularity, seed=2), "float64")

    def held(x):
        layer.draws = 0
        return layer(x)

    x = torch.tensor(normal(4, 3, 5))
    assert check_backward(held, (x,), seed=0, model=map_model("float64", 4)).ratio <= 1


@pytest.mark.parametrize(
    ("index", "growth", "expected"), [(1, "linear", 0.2), (3, "linear", 0.6), (5, "linear", 1.0), (2, "constant", 1.0)]
)
def test_equation_8(index, growth, expected):
    """σ_l = σ l / L, or σ for every layer."""
    assert reference.noise_of_layer(index, 5, 1.0, growth=growth) == expected


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ScaleAndBias(0), "shape must be"),
        (lambda: ScaleAndBias((2, 3)), "shape must be"),
        (lambda: ScaleAndBias(3, sigma=-0.1), "sigma must be finite and at least 0; got -0.1"),
        (lambda: ScaleAndBias(3, sigma=math.nan), "sigma must be finite"),
        (lambda: ScaleAndBias(3, granularity="batch"), "granularity must be one of unit, sample, entry"),
        (lambda: ScaleAndBias(3)(torch.ones(2, 4)), "x must have (3,) as its axis 1; got shape (2, 4)"),
        (lambda: ScaleAndBias(3, trailing=True)(torch.ones(3, 2)), "x must have (3,) as its last axes"),
        (lambda: reference.forward([[1.0, 2.0]], [1.0], [0.0]), "x must be (batch, units"),
        (lambda: reference.noise_of_layer(0, 3, 1.0), "index must be from 1 to 3; got 0"),
        (lambda: reference.noise_of_layer(1, 3, 1.0, growth="cubic"), "growth must be"),
        (lambda: MeanOnlyBatchNormalization(3)(torch.ones(2, 4)), "x must have 3 units on axis 1"),
        (lambda: MeanOnlyBatchNormalization(3, momentum=2.0), "momentum must be from 0 to 1; got 2.0"),
        (lambda: mean_only_reference.forward([1.0, 2.0]), "x must be (batch, units"),
    ],
)
def test_wrong_arguments_are_named(call, said):
    """A ``ValueError`` names the argument, what came and what would be right."""
    with pytest.raises(ValueError, match=re.escape(said)):
        call()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mean_only_batch_normalization_is_the_reference(shape, dtype):
    """Value and gradients in training, where means are those of the batch."""
    layer = filled(MeanOnlyBatchNormalization(3), dtype)
    x = torch.tensor(normal(*shape)).to(layer.bias.dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent")).to(x.dtype)
    y = layer(x)
    found = torch.autograd.grad(y, (x, layer.bias), A)
    right = mean_only_reference.vjp(x.detach().double().numpy(), A.double().numpy())
    expected = mean_only_reference.forward(x.detach().double().numpy(), layer.bias.detach().double().numpy())
    assert ratio(y, expected, dtype, terms=x.numel(), condition=4.0) <= 1
    for one, other in zip(found, right, strict=True):
        assert ratio(one, other, dtype, terms=x.numel(), condition=4.0) <= 1


def test_the_running_mean_is_used_in_evaluation():
    """After one training pass with momentum 1 the evaluation takes off that batch's mean."""
    layer = MeanOnlyBatchNormalization(3, momentum=1.0).double()
    x = torch.tensor(normal(6, 3))
    trained = layer(x)
    assert ratio(layer.eval()(x), trained, terms=6, condition=4.0) <= 1
    other = layer(x + 1.0)
    assert ratio(other, trained + 1.0, terms=6, condition=4.0) <= 1
