"""Weight decay against the optimisers, spectral norm regularization at ties, the Jacobian norm against its estimate."""

import copy
import itertools

import numpy as np
import pytest
import torch
from penalty_cases import (
    BY_DIFFERENCES,
    DTYPES,
    Penalty,
    by_differences,
    enclosed_differences,
    gradient_ratio,
    normal,
    saved_numbers,
    short,
    value_ratio,
    with_gradient,
    with_singular_values,
)
from scipy import stats
from torch import nn

from wnverify.finding import seed_of
from wnverify.methods.jacobian_norm import enclosure as jacobian_enclosure
from wnverify.methods.jacobian_norm import reference as jacobian_reference
from wnverify.methods.jacobian_norm.pytorch import JacobianNorm, jacobian_norm
from wnverify.methods.weight_decay.pytorch import WeightDecay
from wnverify.oracles.enclosures import distance, to_float64
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, Ratio, map_model

SUM, HALF = (Penalty("weight_decay", "WeightDecay", {"convention": c}) for c in ("sum", "half"))
SPECTRAL = Penalty("spectral_norm_regularization", "SpectralNormRegularization")
every = pytest.mark.parametrize("penalty", [SUM, HALF, SPECTRAL], ids=str)
SHAPES = [(1, 1), (1, 4), (4, 1), (3, 5), (5, 3)]


@every
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradient_against_the_enclosure_and_its_differences(penalty, shape):
    """NumPy and PyTorch agree with balls around value and gradient; the gradient is the derivative of the value."""
    W = normal(*shape)
    right = float(penalty.enclosure.value(W, **penalty.options).mid())
    G = to_float64(penalty.enclosure.gradient(W, **penalty.options))
    in_numpy, in_torch = (penalty.value(W), penalty.gradient(W)), with_gradient(penalty.module(), torch.tensor(W))
    for value, gradient in (in_numpy, in_torch):
        assert value_ratio(penalty, value, W, right=right) <= 1
        assert gradient_ratio(penalty, gradient, W, right=G) <= 1
    slopes = enclosed_differences(penalty.enclosure.value, W, **penalty.options)
    assert gradient_ratio(penalty, G, W, right=slopes) <= 1


@every
@pytest.mark.parametrize("dtype", DTYPES, ids=short)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (12, 60)], ids=str)
def test_pytorch_agrees_with_numpy(penalty, dtype, shape):
    """Value and gradient in every dtype, of that dtype, within modelled rounding."""
    W = torch.tensor(normal(*shape)).to(dtype)
    exact = W.double().numpy()
    value, G = with_gradient(penalty.module(0.5), W)
    assert value.dtype == G.dtype == dtype
    assert value_ratio(penalty, 2 * value.double(), exact, short(dtype)) <= 1
    assert gradient_ratio(penalty, 2 * G.double(), exact, short(dtype)) <= 1


@every
@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e-30, 1e30])
def test_gradients_at_scales_where_the_value_over_or_underflows(penalty, scale):
    """The gradient, of the size of W, is right where its square is 0 or infinite."""
    dtype = "float64" if abs(np.log10(scale)) > 40 else "float32"
    W = torch.tensor(np.clip(normal(3, 5), -3, 3) * scale).to(getattr(torch, dtype))
    _, G = with_gradient(penalty.module(), W)
    right = scale * penalty.gradient(W.double().numpy() / scale)
    assert Ratio(float(np.abs(G.double().numpy() - right).max()), 10 * scale, map_model(dtype, 5)).value <= 1
    in_numpy = penalty.gradient(W.double().numpy())
    assert Ratio(float(np.abs(in_numpy - right).max()), 10 * scale, map_model("float64", 5)).value <= 1


@every
def test_derivatives_beyond_the_first(penalty):
    """The Hessian is the change of the reference's gradient, in float64 at ordinary and at tiny scale."""
    for scale in (1.0, 1e-200):
        W, E = torch.tensor(scale * normal(3, 4)), normal(3, 4, case="direction")
        right = by_differences(penalty.gradient, W.numpy(), E)
        for mode in (torch.func.jacrev, torch.func.jacfwd):
            H = mode(torch.func.jacrev(penalty.module()))(W)
            found = torch.einsum("abcd,cd->ab", H, torch.tensor(E)).numpy()
            assert Ratio(float(np.abs(found - right).max()), float(np.abs(right).max()), BY_DIFFERENCES).value <= 1


@every
def test_what_is_declared_holds(penalty):
    """Turned and reordered rows give the same; all three are convex: no chord runs below the graph."""
    W, f = torch.tensor(normal(4, 6)), penalty.module()
    Q = torch.tensor(np.linalg.qr(normal(6, 6, case="rotation"))[0])
    assert f.DECLARES["rotation_equivariant"]
    assert f.DECLARES["permutation_equivariant_rows"]
    for moved in (W @ Q, W[[2, 0, 3, 1]]):
        assert value_ratio(penalty, f(moved), W.numpy()) <= 1
    assert f.DECLARES["convex"]
    for k in range(20):
        A, B = normal(4, 6, case=f"from {k}"), normal(4, 6, case=f"to {k}")
        assert penalty.value((A + B) / 2) <= (penalty.value(A) + penalty.value(B)) / 2


@pytest.mark.parametrize("values", [[2.0, 2.0, 0.5], [3.0, 3.0, 3.0], [1.0, 0.0, 0.0]], ids=str)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3)], ids=str)
def test_a_repeated_largest_singular_value(values, shape):
    """Tied singular values share σ_1 equally: a subgradient, the shortest, the same in NumPy, float64 and float32."""
    W = with_singular_values(values, *shape)
    G, k = SPECTRAL.gradient(W), values.count(max(values))
    expected = sorted([max(values) / k] * k + [0.0] * (3 - k), reverse=True)
    off = float(np.abs(np.linalg.svd(G, compute_uv=False) - expected).max())
    assert Ratio(off, max(values), map_model("float64", 5)).value <= 1
    _, found = with_gradient(SPECTRAL.module(), torch.tensor(W))
    assert gradient_ratio(SPECTRAL, found, W, right=G) <= 1
    for other in range(20):
        X = normal(*shape, case=f"other {other}")
        below = SPECTRAL.value(W) + float((G * (X - W)).sum()) - SPECTRAL.value(X)
        size = SPECTRAL.value(W) + SPECTRAL.value(X) + float(np.linalg.norm(G) * np.linalg.norm(X - W))
        assert Ratio(max(below, 0.0), size, map_model("float64", 15)).value <= 1


def test_a_tie_in_exact_float32_numbers():
    """In float32 the tie is that of the float32 numbers: two axes of one length share, in PyTorch as in NumPy."""
    W = np.zeros((3, 5))
    W[0, 1] = W[1, 3] = W[2, 0] = 0.1
    exact = torch.tensor(W).float()
    _, G = with_gradient(SPECTRAL.module(), exact)
    assert torch.equal(G, exact / 3)
    assert np.array_equal(SPECTRAL.gradient(exact.double().numpy()), exact.double().numpy() / 3)


def test_the_zero_matrix_has_gradient_zero():
    """½ σ_1² is smooth at 0, and its gradient there is 0 exactly, without NaN in the Hessian."""
    W = torch.zeros(3, 4, dtype=torch.float64)
    value, G = with_gradient(SPECTRAL.module(), W)
    assert float(value) == 0
    assert not G.any()
    assert not SPECTRAL.gradient(W.numpy()).any()
    assert bool(torch.func.hessian(SPECTRAL.module())(W).isfinite().all())


def test_the_spectral_penalty_refuses_what_is_not_finite():
    """A NaN or an infinity is a ValueError before the decomposition sees it."""
    for bad in (np.nan, np.inf):
        W = torch.tensor(normal(3, 4)).float()
        W[1, 2] = bad
        with pytest.raises(ValueError, match="W must be finite"):
            SPECTRAL.module()(W)


@pytest.mark.parametrize("shape", [(4, 60), (60, 4)], ids=str)
def test_the_backward_keeps_few_numbers(shape):
    """In float32 the backward keeps the weight itself and square matrices of the smaller side."""
    W = torch.tensor(normal(*shape)).float()
    assert saved_numbers(SPECTRAL.module(), W) <= 4 * 16 + 8
    assert saved_numbers(WeightDecay(), W) == 0


@pytest.mark.parametrize("convention", ["sum", "half"])
@pytest.mark.parametrize("step", [0.0, 0.1, 3.0])
def test_the_proximal_point_of_weight_decay(convention, step):
    """prox agrees with balls and leaves no gradient: X − W + step ∂L(X) = 0."""
    penalty = Penalty("weight_decay", "WeightDecay", {"convention": convention})
    W = normal(3, 4)
    balls = penalty.enclosure.prox(W, step, convention=convention)
    X = penalty.reference.prox(W, step, convention=convention)
    by_step, by_factor = (
        penalty.module(1.0).prox(torch.tensor(W), step),
        penalty.module(step).prox(torch.tensor(W), 1.0),
    )
    for found in (X, by_step.numpy(), by_factor.numpy()):
        assert (distance(balls, found) <= map_model("float64", 1).relative * np.abs(W)).all()
    stationary = X - W + step * penalty.reference.gradient(X, convention=convention)
    assert np.abs(stationary).max() <= map_model("float64", 1).relative * np.abs(W).max()


def trained(make, penalty=None, decoupled=None, steps=4):
    """A linear layer after a few steps on a regression, with the penalty in the loss or its decoupled step."""
    layer = nn.Linear(5, 3, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(normal(3, 5)))
    inputs, target = torch.tensor(normal(8, 5, case="inputs")), torch.tensor(normal(8, 3, case="target"))
    optimizer = make(layer.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (layer(inputs) - target).square().mean()
        (loss if penalty is None else loss + penalty(layer.weight)).backward()
        if decoupled is not None:
            with torch.no_grad():
                layer.weight.copy_(decoupled.decoupled(layer.weight, optimizer.param_groups[0]["lr"]))
        optimizer.step()
    return layer.weight.detach().numpy()


def close(A, B):
    model = map_model("float64", 5, condition=100.0)
    return Ratio(float(np.abs(A - B).max()), float(np.abs(A).max()), model).value <= 1


def test_weight_decay_is_that_of_the_optimisers():
    """weight_decay=λ of SGD (with momentum) and Adam is the loss with factor λ, "half", or λ/2, "sum"; AdamW's is the
    decoupled step; and for Adam the two are different trainings."""
    rate, factor = 0.1, 0.3
    half, whole = WeightDecay(factor, convention="half"), WeightDecay(factor / 2)
    for make, options in ((torch.optim.SGD, {"momentum": 0.9}), (torch.optim.Adam, {})):
        right = trained(lambda p, m=make, o=options: m(p, lr=rate, weight_decay=factor, **o))
        for penalty in (half, whole):
            assert close(trained(lambda p, m=make, o=options: m(p, lr=rate, **o), penalty), right)
    right = trained(lambda p: torch.optim.AdamW(p, lr=rate, weight_decay=factor))
    for penalty in (half, whole):
        assert close(trained(lambda p: torch.optim.Adam(p, lr=rate), decoupled=penalty), right)
    assert not close(trained(lambda p: torch.optim.Adam(p, lr=rate), half), right)
    plain = trained(lambda p: torch.optim.SGD(p, lr=rate), half)
    assert close(trained(lambda p: torch.optim.SGD(p, lr=rate), decoupled=half), plain)


def test_an_unknown_convention_is_refused():
    """The convention is named in a ValueError, by module and reference."""
    for call in (lambda: WeightDecay(convention="mean"), lambda: SUM.reference.value([[1.0]], convention="mean")):
        with pytest.raises(ValueError, match="convention must"):
            call()


def perceptron(activation, sizes=(3, 5, 4, 2)):
    """The same multilayer perceptron as a list of (W, b) and as a module in float64."""
    layers, modules = [], []
    for k, (a, b) in enumerate(itertools.pairwise(sizes)):
        linear = nn.Linear(a, b, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(normal(b, a, case=f"layer {k}")))
            linear.bias.copy_(torch.tensor(normal(b, case=f"bias {k}")))
        layers.append((linear.weight.detach().numpy().copy(), linear.bias.detach().numpy().copy()))
        modules += [linear, nn.Tanh() if activation == "tanh" else nn.ReLU()]
    return layers, nn.Sequential(*modules[:-1])


INPUTS = normal(6, 3, case="inputs")


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_jacobian_norm_and_its_gradient(activation):
    """PyTorch agrees with NumPy and with balls; the gradient by every weight and bias is that of NumPy."""
    layers, network = perceptron(activation)
    right = float(jacobian_enclosure.value(layers, INPUTS, activation=activation).mid())
    value = JacobianNorm(0.5)(network, torch.tensor(INPUTS))
    model = map_model("float64", 5, condition=30.0)
    for found in (2 * float(value.detach()), jacobian_reference.value(layers, INPUTS, activation=activation)):
        assert Ratio(abs(found - right), right, model).value <= 1
    value.backward()
    expected = [g for pair in jacobian_reference.gradient(layers, INPUTS, activation=activation) for g in pair]
    for parameter, G in zip(network.parameters(), expected, strict=True):
        found = np.zeros_like(G) if parameter.grad is None else 2 * parameter.grad.numpy()
        assert Ratio(float(np.abs(found - G).max()), right, model).value <= 1


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_gradient_of_the_jacobian_norm_is_its_derivative(activation):
    """The NumPy gradient agrees with central differences of the NumPy value along a random direction."""
    layers, _ = perceptron(activation)
    gradient = jacobian_reference.gradient(layers, INPUTS, activation=activation)
    for level, part in [(k, p) for k in range(len(layers)) for p in range(2)]:
        here = layers[level][part]

        def value(X, level=level, part=part):
            moved = copy.deepcopy(layers)
            moved[level][part][...] = X
            return jacobian_reference.value(moved, INPUTS, activation=activation)

        E = normal(*here.shape, case=f"{level} {part}")
        off = abs(float(by_differences(value, here, E)) - float((gradient[level][part] * E).sum()))
        scale = jacobian_reference.value(layers, INPUTS, activation=activation) / float(np.abs(here).max())
        assert Ratio(off, scale * float(np.linalg.norm(E)), BY_DIFFERENCES).value <= 1


def test_the_estimate_is_that_of_its_vectors():
    """With the vectors that the generator draws, the estimate is (C / p) Σ ‖vᵀ J‖² to rounding."""
    layers, network = perceptron("tanh")
    drawn = torch.randn(3, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    v = (drawn / drawn.norm(dim=-1, keepdim=True)).transpose(0, 1).numpy()
    right = jacobian_reference.estimate(layers, INPUTS, v)
    found = jacobian_norm(network, torch.tensor(INPUTS), projections=3, generator=torch.Generator().manual_seed(5))
    assert Ratio(abs(found.item() - right), right, map_model("float64", 5, condition=30.0)).value <= 1


@pytest.mark.parametrize("projections", [1, 4])
def test_the_estimate_has_the_mean_and_variance_that_it_states(projections):
    """Over N = 2000 draws mean and variance stay within limits that chance passes once in a billion.

    The mean of N estimates is normal to within the Berry-Esseen error, negligible at six examples each; the limits of
    the variance use the fourth moment of the sample.
    """
    layers, network = perceptron("tanh")
    count, x = 2000, torch.tensor(INPUTS)
    generator = torch.Generator().manual_seed(seed_of("jacobian", projections) % 2**31)
    many = x.repeat(count, 1)
    rows = [torch.autograd.functional.jacobian(network, one) for one in x]
    J = torch.stack(rows).numpy()
    off = float(np.abs(J - jacobian_reference.jacobians(layers, INPUTS)).max())
    assert Ratio(off, float(np.abs(J).max()), map_model("float64", 5, condition=30.0)).value <= 1
    v = torch.randn(projections, len(many), 2, dtype=torch.float64, generator=generator).numpy()
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    estimates = np.array(
        [jacobian_reference.estimate(layers, INPUTS, v[:, k * 6 : k * 6 + 6].transpose(1, 0, 2)) for k in range(count)]
    )
    right = jacobian_reference.value(layers, INPUTS)
    variance = jacobian_reference.estimate_variance(layers, INPUTS, projections=projections)
    limit = stats.norm.isf(FALSE_ALARM_BUDGET / 4)
    assert abs(estimates.mean() - right) <= limit * np.sqrt(variance / count)
    spread = np.square(estimates - right)
    assert abs(spread.mean() - variance) <= limit * spread.std() / np.sqrt(count)
    assert abs(spread.mean() - 1.2 * variance) > limit * spread.std() / np.sqrt(count)
    found = jacobian_norm(network, many, projections=projections, generator=generator).item()
    assert abs(found - right) <= limit * np.sqrt(variance / count)


def test_the_jacobian_norm_of_a_convolution_and_of_a_frozen_network():
    """Images go in, the norm is that of their flattened Jacobian; it works under no_grad and for frozen parameters."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)).double()
    x = torch.tensor(normal(2, 1, 4, 4))
    right = sum(torch.autograd.functional.jacobian(network, one[None]).square().sum() for one in x) / 2
    with torch.no_grad():
        value = jacobian_norm(network.requires_grad_(False), x)
    assert Ratio(abs(float(value - right)), float(right), map_model("float64", 16, condition=30.0)).value <= 1
    assert not x.requires_grad
    assert not value.requires_grad


def test_what_the_jacobian_norm_refuses():
    """An empty batch, a lost batch axis, or a count that is none is a ValueError that says so."""
    x = torch.zeros(2, 3)
    for call, said in (
        (lambda: JacobianNorm(projections=0), "projections"),
        (lambda: jacobian_norm(nn.Identity(), x, projections=True), "projections"),
        (lambda: jacobian_norm(nn.Identity(), x[:0]), "at least one example"),
        (lambda: jacobian_norm(lambda z: z.sum(), x), "batch axis"),
        (lambda: JacobianNorm(-1.0), "factor"),
    ):
        with pytest.raises(ValueError, match=said):
            call()
