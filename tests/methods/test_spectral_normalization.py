"""Spectral normalization: value and every derivative against balls, repeated singular values, extreme scales."""

import types

import numpy as np
import pytest
import torch
from method_cases import differences, hessian_by_differences, normal, ratio, with_singular_values
from torch.func import jacfwd, jacrev, vmap
from torch.nn.utils.parametrizations import spectral_norm

from wnverify.methods.spectral_normalization import enclosure, reference
from wnverify.methods.spectral_normalization.pytorch import SpectralNormalization, divide_by_spectral_norm
from wnverify.oracles.enclosures import to_float64

SHAPES = [(3, 5), (5, 3), (4, 4), (1, 4), (4, 1), (1, 1)]
BALLS = types.SimpleNamespace(enclosure=enclosure)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def condition(V):
    """σ_1 / (σ_1 − σ_2), how much u vᵀ turns, times how much that changes the gradient."""
    s = np.linalg.svd(V, compute_uv=False)
    return 2.0 if len(s) == 1 else 2 * float(s[0] / (s[0] - s[1]))


def gradient(V, A):
    leaf = V.clone().requires_grad_()
    W = divide_by_spectral_norm(leaf)
    return W, torch.autograd.grad(W, leaf, A)[0]


@every_shape
@pytest.mark.parametrize("exponent", [0, 90, -90, 664, -664])
def test_value_and_gradient_are_enclosed_at_every_scale(shape, exponent):
    """NumPy and PyTorch agree with the balls, wide, tall and square, from 1e-200 to 1e200 (1e±27 in float32)."""
    for dtype in (torch.float64, torch.float32) if abs(exponent) < 100 else (torch.float64,):
        name = str(dtype).removeprefix("torch.")
        V = torch.tensor(normal(*shape) * 2.0**exponent).to(dtype)
        A = torch.tensor(normal(*shape, case="cotangent")).to(dtype)
        X, C = V.double().numpy(), A.double().numpy()
        W, G = to_float64(enclosure.forward(X)), to_float64(enclosure.vjp(X, C))
        slope = {"scale": float(np.linalg.norm(C) / np.linalg.norm(X * 2.0**-exponent, 2)) * 2.0**-exponent}
        slope["condition"] = condition(X * 2.0**-exponent)
        found = gradient(V, A)
        assert ratio(found[0], W, name, 6) <= 1
        assert ratio(found[1], G, name, 6, **slope) <= 1
        assert ratio(reference.forward(X), W, "float64", 6) <= 1
        assert ratio(reference.vjp(X, C), G, "float64", 6, **slope) <= 1


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_the_enclosed_gradient_is_the_derivative(shape):
    """Differences of the enclosed value, which need no singular vector, give the enclosed gradient."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    right = differences(lambda X: enclosure.forward(X, bits=400), V, A)
    scale = float(np.linalg.norm(A) / np.linalg.norm(V, 2))
    assert ratio(to_float64(enclosure.vjp(V, A)), right, "float64", 5, scale=scale) <= 1


def test_the_two_modes_of_the_reference_are_adjoint():
    """⟨A, jvp(E)⟩ = ⟨vjp(A), E⟩, though the Jacobian is not symmetric; PyTorch's forward mode is the same."""
    V, A, E = normal(3, 5), normal(3, 5, case="cotangent"), normal(3, 5, case="direction")
    forward, backward = reference.jvp(V, E), reference.vjp(V, A)
    scale = float(np.linalg.norm(A) * np.linalg.norm(E) / np.linalg.norm(V, 2))
    assert ratio((A * forward).sum(), (backward * E).sum(), "float64", 15, scale=scale, condition=condition(V)) <= 1
    assert ratio(reference.vjp(V, E), forward, "float64", 15, scale=scale) > 1e6
    found = torch.func.jvp(divide_by_spectral_norm, (torch.tensor(V),), (torch.tensor(E),))[1]
    assert ratio(found, forward, "float64", 15, scale=scale, condition=condition(V)) <= 1


SECOND = {
    "wide": normal(3, 5),
    "tall": normal(4, 3),
    "square": normal(3, 3),
    "one row": normal(1, 4),
    "repeated lower values": with_singular_values([2.0, 1.0, 1.0], 4, centred=False),
    "rank one": with_singular_values([2.0, 0.0, 0.0], 4, centred=False),
    "zero row": np.vstack([normal(2, 4), np.zeros((1, 4))]),
}


@pytest.mark.parametrize("V", SECOND.values(), ids=SECOND)
def test_second_derivatives_are_those_of_the_balls(V):
    """In every nesting of the modes, where σ_1 is simple, whatever the lower singular values do."""
    A = normal(*V.shape, case="cotangent")
    right = hessian_by_differences(BALLS, V, A)
    s = np.linalg.svd(V, compute_uv=False)
    bound = {"scale": condition(V) * float(np.linalg.norm(A)) / s[0] ** 2, "condition": condition(V)}

    def loss(X):
        return (divide_by_spectral_norm(X) * torch.tensor(A)).sum()

    for twice in (jacfwd(jacfwd(loss)), jacfwd(jacrev(loss)), jacrev(jacfwd(loss)), jacrev(jacrev(loss))):
        assert ratio(twice(torch.tensor(V)), right, "float64", V.size, **bound) <= 1


@pytest.mark.parametrize("shape", [(2, 4), (4, 3)], ids=str)
def test_third_derivatives_agree_between_modes_and_with_differences(shape):
    """Three times forward, three times reverse and mixed are one tensor, and the derivative of the second."""
    V, A = torch.tensor(normal(*shape)), torch.tensor(normal(*shape, case="cotangent"))
    E, size, kappa = torch.tensor(normal(*shape, case="direction")), float(V.norm()), condition(V.numpy())

    def loss(X):
        return (divide_by_spectral_norm(X) * A).sum()

    right = jacrev(jacrev(jacrev(loss)))(V)
    bound = {"scale": float(right.abs().max()), "condition": kappa**2}
    for found in (jacfwd(jacfwd(jacfwd(loss)))(V), jacrev(jacfwd(jacfwd(loss)))(V), jacfwd(jacfwd(jacrev(loss)))(V)):
        assert ratio(found, right, "float64", V.numel(), **bound) <= 1
    step = 2.0**-17  # the error of a central difference is its square times two more derivatives
    second = torch.func.hessian(loss)
    difference = (second(V + step * E) - second(V - step * E)) / (2 * step)
    along = torch.tensordot(right, E, 2)
    bound = {"scale": float(along.abs().max()), "condition": kappa**2 * max(1.0, size) / step}
    assert ratio(difference, along, "float64", V.numel(), **bound) <= 1


def test_vmap_and_batches_go_matrix_by_matrix():
    """A batch, vmap over an inner axis and vmap of the Hessian give what single matrices give."""
    batch, A = torch.tensor(normal(4, 3, 5)), torch.tensor(normal(3, 5, case="cotangent"))

    def loss(X):
        return (divide_by_spectral_norm(X) ** 2 * A).sum()

    mapped = vmap(divide_by_spectral_norm, in_dims=1)(batch.movedim(0, 1))
    hessians = vmap(torch.func.hessian(loss))(batch)
    for one, together, turned, second in zip(batch, divide_by_spectral_norm(batch), mapped, hessians, strict=True):
        right = divide_by_spectral_norm(one)
        assert ratio(together, right, "float64", 5) <= 1
        assert ratio(turned, right, "float64", 5) <= 1
        exact, kappa = torch.func.hessian(loss)(one), condition(one.numpy())
        assert ratio(second, exact, "float64", 15, scale=float(exact.abs().max()), condition=kappa**2) <= 1


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [2.0, 2.0, 1.0]], ids=str)
def test_at_a_repeated_norm_the_value_is_right_and_the_backward_is_of_one_pair(values):
    """The gradient is (A − ⟨A, W⟩ P) / σ with P = u vᵀ of some leading pair: of rank one, ⟨P, V⟩ = σ."""
    V, A = np.diag(values), normal(3, 3, case="cotangent")
    with pytest.raises(ValueError, match="provably simple"):
        enclosure.vjp(V, A)
    W, sigma = to_float64(enclosure.forward(V)), values[0]
    found, G = gradient(torch.tensor(V), torch.tensor(A))
    for value, slope in ((found, G.numpy()), (reference.forward(V), reference.vjp(V, A))):
        assert ratio(value, W, "float64", 3) <= 1
        P = (A - sigma * slope) / (A * W).sum()
        s = np.linalg.svd(P, compute_uv=False)
        assert ratio(s, [1.0, 0.0, 0.0], "float64", 3, condition=4.0) <= 1
        assert ratio((P * V).sum(), sigma, "float64", 3, scale=sigma, condition=4.0) <= 1


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-8])
def test_the_gradient_loses_what_the_gap_takes_and_no_more(gap):
    """Near a repeated norm the error of the gradient grows as u / gap."""
    V, A = with_singular_values([1.0, 1.0 - gap, 0.5], 7, centred=False), normal(3, 7, case="cotangent")
    right = to_float64(enclosure.vjp(V, A))
    bound = {"scale": float(np.linalg.norm(A)), "condition": condition(V)}
    assert ratio(gradient(torch.tensor(V), torch.tensor(A))[1], right, "float64", 7, **bound) <= 1
    assert ratio(reference.vjp(V, A), right, "float64", 7, **bound) <= 1


def test_torchs_own_agrees_once_its_iteration_has_converged():
    """PyTorch's spectral_norm, after many power iterations, has the same value and the same gradient."""
    V, A = with_singular_values([1.0, 0.5, 0.25], 6, centred=False), torch.tensor(normal(3, 6, case="cotangent"))
    layer = torch.nn.Linear(6, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(V))
    spectral_norm(layer, n_power_iterations=60).eval()
    W, G = gradient(torch.tensor(V), A)
    (of_torch,) = torch.autograd.grad(layer.weight, layer.parametrizations.weight.original, A)
    assert ratio(W, layer.weight, "float64", 6) <= 1
    assert ratio(G, of_torch, "float64", 6, scale=float(A.norm()), condition=condition(V)) <= 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_zero_matrix_is_refused(dtype):
    """ValueError, in a batch with the place, in NumPy, PyTorch and balls; a single zero row is no harm."""
    with pytest.raises(ValueError, match="V must not be zero"):
        divide_by_spectral_norm(torch.zeros(2, 3, dtype=dtype))
    with pytest.raises(ValueError, match=r"V\[1\] = 0"):
        divide_by_spectral_norm(torch.stack([torch.ones(2, 3), torch.zeros(2, 3)]).to(dtype))
    for form in (reference.forward, enclosure.forward):
        with pytest.raises(ValueError, match="V must not be zero"):
            form(np.zeros((2, 3)))
    W = SpectralNormalization()(torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype))
    assert not W[0].any()
    assert W.isfinite().all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_entry_is_named(value):
    """ValueError naming V[i, j] in every form."""
    V = normal(3, 5)
    V[2, 1] = value
    for form in (lambda X: divide_by_spectral_norm(torch.tensor(X)), reference.forward, enclosure.forward):
        with pytest.raises(ValueError, match=r"V\[2, 1\]"):
            form(V)


@pytest.mark.parametrize("shape", [(4, 50), (50, 4)], ids=str)
def test_the_backward_keeps_the_weight_and_one_pair(shape):
    """What is saved is W, σ, u and v, no copy of V and no decomposition."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        divide_by_spectral_norm(torch.tensor(normal(*shape)).requires_grad_())
    assert sum(x.numel() for x in saved) <= 200 + 1 + 54


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precisions_are_rounded_once(dtype):
    """The value in half precision is the float32 value of the same numbers, rounded."""
    V = torch.tensor(normal(3, 5)).to(dtype)
    assert torch.equal(divide_by_spectral_norm(V), divide_by_spectral_norm(V.float()).to(dtype))


def test_a_large_layer_has_norm_one():
    """At 96 × 400 the largest singular value is 1 to rounding, in float64 and float32."""
    V = torch.tensor(normal(96, 400))
    for dtype in (torch.float64, torch.float32):
        norm = torch.linalg.matrix_norm(divide_by_spectral_norm(V.to(dtype)).double(), 2)
        assert ratio(norm, 1.0, str(dtype).removeprefix("torch."), 400) <= 1
