"""The signal through depth: every figure against an independent computation in NumPy, which sees wrong monitors."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from wnverify.experiments.networks.perceptrons import perceptron
from wnverify.experiments.networks.table import build
from wnverify.experiments.training import signals
from wnverify.experiments.training.signals import BY_DEPTH, JACOBIAN_SAMPLES, of_signal
from wnverify.methods.application.apply import apply
from wnverify.oracles.ratio import Ratio, map_model

WIDTHS = (7, 9, 8, 6, 5)
MODEL = map_model("float64", max(WIDTHS), roundings=16 * len(WIDTHS), condition=100.0)
"""A chain of products and rectifications; the condition is of Σ s⁴, of variances and of sums that cancel."""


def geometric(values):
    return float(np.exp(np.mean(np.log(values))))


def reference(layers, x, fault=""):
    """The six lists for dense layers (W, b) with ReLU between them, from the definitions; ``fault`` makes one wrong."""
    told = {name: [] for name in BY_DEPTH}
    chains = [np.eye(x.shape[1]) for _ in range(JACOBIAN_SAMPLES)]
    y = x
    for k, (W, b) in enumerate(layers):
        if k:
            for i, J in enumerate(chains):
                chains[i] = J if fault == "slopes of ReLU left out" else (y[i] > 0)[:, None] * J
            y = np.maximum(y, 0)
        y = y @ W.T + b
        chains = [W @ J for J in chains]
        if fault == "of one layer alone":
            chains = [W.copy() for _ in chains]
        seen = np.maximum(y, 0) if fault == "behind ReLU" else y
        told["mean"].append(seen.mean())
        told["variance"].append(seen.var(axis=0).mean() if fault == "within units" else seen.var())
        told["bias"].append(seen.mean() ** 2 / (seen**2).mean() if fault == "of all units" else 0)
        told["bias"][-1] = told["bias"][-1] or (seen.mean(axis=0) ** 2).mean() / (seen**2).mean()
        s = [np.linalg.svd(J, compute_uv=False) for J in chains]
        power = 1 if fault == "of s, not s²" else 2
        told["gain"].append(geometric([math.sqrt((v**2).mean()) if power == 2 else v.mean() for v in s]))
        told["largest"].append(geometric([v[-1] if fault == "the least" else v[0] for v in s]))
        told["evenness"].append(geometric([(v**power).sum() ** 2 / len(v) / (v ** (2 * power)).sum() for v in s]))
    return told


def drawn(seed=0, bias=True):
    torch.manual_seed(seed)
    model = perceptron(WIDTHS, bias=bias).double()
    layers = [m for m in model if isinstance(m, nn.Linear)]
    arrays = [(m.weight.detach().numpy(), m.bias.detach().numpy() if bias else 0.0) for m in layers]
    return model, arrays, torch.randn(40, WIDTHS[0], dtype=torch.float64)


def ratio(seen, right, names=BY_DEPTH):
    """The largest over depths and figures; a mean is measured against the root of the second moment."""
    worst = 0.0
    for name in names:
        for k, (a, b) in enumerate(zip(seen[name], right[name], strict=True)):
            scale = math.sqrt(float(right["variance"][k]) + b * b) if name == "mean" else abs(b)
            worst = max(worst, Ratio(abs(a - b), scale, MODEL).value)
    return worst


@pytest.mark.parametrize("bias", [True, False], ids=["biases", "none"])
def test_every_figure_is_what_it_says(bias):
    """Of a perceptron, depth by depth, as an independent computation from the definitions has it."""
    for seed in range(3):
        model, arrays, x = drawn(seed, bias)
        seen = of_signal(model, x)
        assert [len(seen[name]) for name in BY_DEPTH] == [len(arrays)] * len(BY_DEPTH)
        assert ratio(seen, reference(arrays, x.numpy())) <= 1
        drift = abs(math.log(seen["variance"][-1] / seen["variance"][0])) / (len(arrays) - 1)
        assert seen["variance_drift"] == drift
        assert (seen["last_bias"], seen["last_evenness"]) == (seen["bias"][-1], seen["evenness"][-1])


FAULTS = {
    "slopes of ReLU left out": ("gain", "largest", "evenness"),
    "of one layer alone": ("gain", "largest", "evenness"),
    "behind ReLU": ("mean", "variance", "bias"),
    "within units": ("variance",),
    "of all units": ("bias",),
    "of s, not s²": ("gain", "evenness"),
    "the least": ("largest",),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_figure_is_seen(fault):
    """Each planted fault puts each figure that it touches far beyond the model, and no other."""
    model, arrays, x = drawn()
    seen, wrong = of_signal(model, x), reference(arrays, x.numpy(), fault)
    for name in BY_DEPTH:
        assert bool(ratio(seen, wrong, (name,)) > 1000) is (name in FAULTS[fault]), name


def convolved(image, W):
    """3 × 3 correlation with padding one, by loops: (channels, h, w) ↦ (units, h, w)."""
    _, high, wide = image.shape
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    windows = [[padded[:, i : i + 3, j : j + 3] for j in range(wide)] for i in range(high)]
    return np.array([[[(unit * windows[i][j]).sum() for j in range(wide)] for i in range(high)] for unit in W])


def test_a_convolution_has_positions():
    """Units are channels; what a ReLU in place does behind a layer is not seen in it."""
    torch.manual_seed(1)
    first, second = nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.Conv2d(2, 3, 3, padding=1, bias=False)
    model = nn.Sequential(first, nn.ReLU(inplace=True), second).double()
    x = torch.randn(5, 1, 4, 3, dtype=torch.float64)
    seen = of_signal(model, x)
    one, two = (layer.weight.detach().numpy() for layer in (first, second))
    y = [np.array([convolved(image, one) for image in x.numpy()])]
    y.append(np.array([convolved(np.maximum(image, 0), two) for image in y[0]]))
    basis = np.eye(12).reshape(12, 1, 4, 3)
    dense = [np.array([convolved(image, one).ravel() for image in basis]).T]
    dense.append(np.array([convolved(image, two).ravel() for image in np.eye(24).reshape(24, 2, 4, 3)]).T)
    right = {"mean": [v.mean() for v in y], "variance": [v.var() for v in y]}
    right["bias"] = [(v.mean(axis=(0, 2, 3)) ** 2).mean() / (v**2).mean() for v in y]
    values = [[np.linalg.svd(dense[0], compute_uv=False)] * JACOBIAN_SAMPLES]
    masks = [(y[0][i].ravel() > 0)[:, None] for i in range(JACOBIAN_SAMPLES)]
    values.append([np.linalg.svd(dense[1] @ (mask * dense[0]), compute_uv=False) for mask in masks])
    right["gain"] = [geometric([math.sqrt((s**2).mean()) for s in each]) for each in values]
    assert ratio(seen, right, ("mean", "variance", "bias", "gain")) <= 1


@pytest.mark.parametrize("method", ["ws", "cwn", "own"])
def test_the_model_is_left_as_it_is(method):
    """Looking at a model changes no output, no state, no mode, and takes no parametrization off."""
    model = apply(build("mlp_digits", (1, 8, 8), 10, 0), method)
    x = torch.rand(6, 1, 8, 8)
    before, state = model(x), {name: value.clone() for name, value in model.state_dict().items()}
    of_signal(model, x)
    assert torch.equal(model(x), before)
    assert model.training
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())


def test_the_used_weight_is_seen():
    """A parametrized layer is looked at with W: as a layer whose weight is that W."""
    model = apply(build("mlp_digits", (1, 8, 8), 10, 0).double(), "cwn")
    x = torch.rand(6, 1, 8, 8, dtype=torch.float64)
    layers = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in model if hasattr(m, "in_features")]
    assert ratio(of_signal(model, x), reference(layers, x.flatten(1).numpy())) <= 1


def test_what_cannot_be_told_is_refused(monkeypatch):
    """One layer has no way through depth; a Jacobian of too many entries is told before it is made."""
    with pytest.raises(ValueError, match="two layers with weights at least; got 1"):
        of_signal(nn.Sequential(nn.Linear(3, 2)), torch.ones(2, 3))
    monkeypatch.setattr(signals, "LARGEST_JACOBIAN", 62)
    with pytest.raises(ValueError, match="may have 62 entries; got 63 for 7 inputs"):
        of_signal(drawn()[0], drawn()[2])
