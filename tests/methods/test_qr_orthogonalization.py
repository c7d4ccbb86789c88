"""Orthonormal rows by QR: against Gram-Schmidt in balls, every derivative, rank, conditioning, extreme scales."""

import types

import numpy as np
import pytest
import torch
from method_cases import differences, hessian_by_differences, normal, ratio, with_singular_values
from torch.autograd import forward_ad
from torch.func import jacfwd, jacrev, vmap

from wnverify.methods.qr_orthogonalization import enclosure, reference
from wnverify.methods.qr_orthogonalization.pytorch import QrOrthogonalization, orthonormalize_rows_in_order
from wnverify.oracles.enclosures import to_float64

BALLS = types.SimpleNamespace(enclosure=enclosure)
SHAPES = [(3, 5), (4, 4), (1, 4), (1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def condition(V):
    """Largest over smallest singular value of V with unit rows, whose lengths do not matter."""
    s = np.linalg.svd(V / np.linalg.norm(V, axis=1, keepdims=True), compute_uv=False)
    return float(s[0] / s[-1])


def gradient(V, A):
    leaf = V.clone().requires_grad_()
    W = orthonormalize_rows_in_order(leaf)
    return W, torch.autograd.grad(W, leaf, A)[0]


@every_shape
@pytest.mark.parametrize("exponent", [0, 90, -90, 664, -664])
def test_value_and_gradient_are_enclosed_at_every_scale(shape, exponent):
    """NumPy and PyTorch agree with Gram-Schmidt in balls from 1e-200 to 1e200 (1e±27 in float32)."""
    for dtype in (torch.float64, torch.float32) if abs(exponent) < 100 else (torch.float64,):
        name = str(dtype).removeprefix("torch.")
        V = torch.tensor(normal(*shape) * 2.0**exponent).to(dtype)
        A = torch.tensor(normal(*shape, case="cotangent")).to(dtype)
        X, C = V.double().numpy(), A.double().numpy()
        plain = X * 2.0**-exponent
        W, G = to_float64(enclosure.forward(X)), to_float64(enclosure.vjp(X, C))
        kappa, smallest = condition(plain), np.linalg.svd(plain, compute_uv=False)[-1]
        slope = {"scale": float(np.linalg.norm(C) / smallest) * 2.0**-exponent, "condition": kappa}
        found = gradient(V, A)
        assert ratio(found[0], W, name, 6, condition=kappa) <= 1
        assert ratio(found[1], G, name, 6, **slope) <= 1
        assert ratio(reference.forward(X), W, "float64", 6, condition=kappa) <= 1
        assert ratio(reference.vjp(X, C), G, "float64", 6, **slope) <= 1


@pytest.mark.parametrize("shape", [(3, 5), (3, 3), (1, 4)], ids=str)
def test_the_enclosed_gradient_is_the_derivative(shape):
    """Differences of the enclosed value give the enclosed gradient."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    right = differences(lambda X: enclosure.forward(X, bits=400), V, A)
    assert ratio(to_float64(enclosure.vjp(V, A)), right, "float64", 5, scale=float(np.linalg.norm(right))) <= 1


def test_it_is_the_decomposition_with_a_positive_diagonal():
    """V Wᵀ is lower triangular with a positive diagonal, and the rows of W are orthonormal: there is one such W."""
    V = normal(4, 6)
    for W in (orthonormalize_rows_in_order(torch.tensor(V)).numpy(), reference.forward(V)):
        L, size = V @ W.T, float(np.linalg.norm(V))
        assert ratio(np.triu(L, 1), np.zeros((4, 4)), "float64", 6, scale=size) <= 1
        assert (np.diagonal(L) > 0).all()
        assert ratio(W @ W.T, np.eye(4), "float64", 6) <= 1
        assert ratio(L @ W, V, "float64", 6, scale=size) <= 1


def test_the_order_of_the_rows_matters_but_not_their_length():
    """Rows scaled from 1e-150 to 1e150 give the same W; rows in another order do not give the same rows."""
    V = torch.tensor(normal(4, 6))
    W = orthonormalize_rows_in_order(V)
    scales = torch.tensor([[1e150], [1e-150], [3.0], [1e-9]], dtype=torch.float64)
    kappa = condition(V.numpy())
    assert ratio(orthonormalize_rows_in_order(scales * V), W, "float64", 6, condition=kappa) <= 1
    assert ratio(reference.forward((scales * V).numpy()), W, "float64", 6, condition=kappa) <= 1
    order = [1, 0, 2, 3]
    assert ratio(orthonormalize_rows_in_order(V[order]), W[order], "float64", 6) > 1e6


def test_the_two_modes_of_the_reference_are_adjoint():
    """⟨A, jvp(E)⟩ = ⟨vjp(A), E⟩, and PyTorch's two ways into forward mode give the same as the reference."""
    V, A, E = normal(3, 5), normal(3, 5, case="cotangent"), normal(3, 5, case="direction")
    right, backward = reference.jvp(V, E), reference.vjp(V, A)
    smallest = np.linalg.svd(V, compute_uv=False)[-1]
    bound = {"scale": float(np.linalg.norm(A) * np.linalg.norm(E) / smallest), "condition": condition(V)}
    assert ratio((A * right).sum(), (backward * E).sum(), "float64", 15, **bound) <= 1
    found = torch.func.jvp(orthonormalize_rows_in_order, (torch.tensor(V),), (torch.tensor(E),))[1]
    with forward_ad.dual_level():
        dual = orthonormalize_rows_in_order(forward_ad.make_dual(torch.tensor(V), torch.tensor(E)))
        eager = forward_ad.unpack_dual(dual).tangent
    for tangent in (found, eager):
        assert ratio(tangent, right, "float64", 15, **bound) <= 1


@pytest.mark.parametrize("shape", [(3, 5), (3, 3), (1, 4)], ids=str)
def test_second_and_third_derivatives_are_right_in_every_nesting(shape):
    """Second derivatives are those of the enclosed gradient; third ones agree between the modes."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    right = hessian_by_differences(BALLS, V, A)
    smallest = np.linalg.svd(V, compute_uv=False)[-1]
    bound = {"scale": float(np.linalg.norm(A)) / smallest**2, "condition": condition(V)}

    def loss(X):
        return (orthonormalize_rows_in_order(X) * torch.tensor(A)).sum()

    for twice in (jacfwd(jacfwd(loss)), jacfwd(jacrev(loss)), jacrev(jacfwd(loss)), jacrev(jacrev(loss))):
        assert ratio(twice(torch.tensor(V)), right, "float64", V.size, **bound) <= 1
    third = jacrev(jacrev(jacrev(loss)))(torch.tensor(V))
    bound["scale"] /= smallest
    for found in (jacfwd(jacfwd(jacfwd(loss))), jacrev(jacfwd(jacfwd(loss))), jacfwd(jacfwd(jacrev(loss)))):
        assert ratio(found(torch.tensor(V)), third, "float64", V.size, **bound) <= 1


def test_vmap_and_batches_go_matrix_by_matrix():
    """A batch, vmap over an inner axis and vmap of the gradient give what single matrices give."""
    batch, A = torch.tensor(normal(4, 3, 5)), torch.tensor(normal(3, 5, case="cotangent"))
    mapped = vmap(orthonormalize_rows_in_order, in_dims=1)(batch.movedim(0, 1))
    slopes = vmap(lambda X: torch.func.vjp(orthonormalize_rows_in_order, X)[1](A)[0])(batch)
    for V, W, turned, slope in zip(batch, orthonormalize_rows_in_order(batch), mapped, slopes, strict=True):
        right, G = gradient(V, A)
        assert ratio(W, right, "float64", 5, condition=condition(V.numpy())) <= 1
        assert ratio(turned, right, "float64", 5, condition=condition(V.numpy())) <= 1
        assert ratio(slope, G, "float64", 5, scale=float(G.norm()), condition=condition(V.numpy())) <= 1


@pytest.mark.parametrize("kappa", [1e2, 1e5, 1e9])
def test_rows_are_orthonormal_whatever_the_condition_number(kappa):
    """W Wᵀ = I to rounding, and W and its gradient miss by κ u, not by κ² u."""
    V, A = with_singular_values(np.geomspace(1, 1 / kappa, 4), 7, centred=False), normal(4, 7, case="cotangent")
    W, G = gradient(torch.tensor(V), torch.tensor(A))
    assert ratio(W @ W.mT, np.eye(4), "float64", 7) <= 1
    assert ratio(reference.forward(V) @ reference.forward(V).T, np.eye(4), "float64", 7) <= 1
    assert ratio(W, to_float64(enclosure.forward(V)), "float64", 7, condition=kappa) <= 1
    right = to_float64(enclosure.vjp(V, A))
    slope = {"scale": float(np.linalg.norm(A)) * kappa, "condition": kappa}
    assert ratio(G, right, "float64", 7, **slope) <= 1
    assert ratio(reference.vjp(V, A), right, "float64", 7, **slope) <= 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_large_layer_has_orthonormal_rows(dtype):
    """At 96 × 400 the rows of W are orthonormal to rounding."""
    W = orthonormalize_rows_in_order(torch.tensor(normal(96, 400)).to(dtype)).double()
    assert ratio(W @ W.mT, np.eye(96), str(dtype).removeprefix("torch."), 400) <= 1


REFUSALS = {
    "zero row": ([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]], r"\(2, 3\) and numerical rank 1: V\[1, :\]"),
    "zero matrix": ([[0.0, 0.0], [0.0, 0.0]], r"\(2, 2\) and numerical rank 0: V\[0, :\]"),
    "equal rows": ([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [0.0, 1.0, 0.0]], r"\(3, 3\) and numerical rank 2: V\[1, :\]"),
    "a sum": ([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0], [1.0, 3.0, 4.0]], r"\(3, 3\) and numerical rank 2: V\[2, :\]"),
    "too many rows": (normal(4, 3).tolist(), r"n ≤ d; got shape \(4, 3\), so rank at most 3"),
}


@pytest.mark.parametrize(("rows", "place"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("scale", [1.0, 2.0**-600, 2.0**600])
def test_a_missing_rank_is_refused(rows, place, scale):
    """ValueError with shape, rank and the first dependent row, in NumPy and PyTorch, at any scale; balls refuse too."""
    V = np.array(rows) * scale
    for form in (reference.forward, lambda X: orthonormalize_rows_in_order(torch.tensor(X))):
        with pytest.raises(ValueError, match=place):
            form(V)
    with pytest.raises(ValueError, match=place):
        reference.vjp(V, np.ones_like(V))
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        with pytest.raises(ValueError, match=place):
            orthonormalize_rows_in_order(torch.tensor(np.array(rows)).to(dtype))
    with pytest.raises(ValueError, match="V must have full row rank"):
        enclosure.forward(np.array(rows))


def test_a_refusal_in_a_batch_names_matrix_and_row():
    """The place starts with the index of the matrix."""
    V = torch.tensor(normal(2, 3, 5))
    V[1, 2] = V[1, 0] - 2 * V[1, 1]
    with pytest.raises(ValueError, match=r"rank 2: V\[1, 2, :\]"):
        orthonormalize_rows_in_order(V)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_entry_is_named(value):
    """ValueError naming V[i, j] in every form."""
    V = normal(3, 5)
    V[2, 1] = value
    for form in (lambda X: orthonormalize_rows_in_order(torch.tensor(X)), reference.forward, enclosure.forward):
        with pytest.raises(ValueError, match=r"V\[2, 1\]"):
            form(V)


def test_rank_is_judged_in_the_working_precision():
    """A row that float64 tells from the span of the others and float32 does not: a value there, a refusal here."""
    V = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1e-9, 0.0]], dtype=torch.float64)
    assert ratio(orthonormalize_rows_in_order(V), np.eye(2, 3), "float64", 3, condition=1e9) <= 1
    with pytest.raises(ValueError, match=r"rank 1: V\[1, :\]"):
        orthonormalize_rows_in_order(V.float())


def test_the_backward_keeps_the_weight_and_the_factor():
    """What is saved is W and the triangular factor, no copy of V."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        orthonormalize_rows_in_order(torch.tensor(normal(4, 50)).requires_grad_())
    assert sum(x.numel() for x in saved) <= 200 + 16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precisions_are_rounded_once(dtype):
    """The value in half precision, for which there is no decomposition, is the float32 value, rounded."""
    V = torch.tensor(normal(3, 5)).to(dtype)
    assert torch.equal(orthonormalize_rows_in_order(V), orthonormalize_rows_in_order(V.float()).to(dtype))


def test_a_weight_in_the_range_comes_back():
    """W is its own preimage: right_inverse gives a V that maps to W."""
    module = QrOrthogonalization()
    W = module(torch.tensor(normal(3, 2, 2, 2)))
    assert ratio(module(module.right_inverse(W)), W, "float64", 8) <= 1
