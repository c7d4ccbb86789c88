"""Values and gradients of the three forms of each method against each other, over sizes, dtypes, scales and layouts."""

import numpy as np
import pytest
import torch
from method_cases import (
    CASES,
    CENTRED,
    ORTHOGONAL,
    bound,
    derivative_bound,
    differences,
    name_of,
    normal,
    ratio,
    with_singular_values,
)

from wnverify.oracles.enclosures import distance, radius, to_float64

SMALL = [(1, 2), (1, 4), (2, 3), (3, 5), (5, 6)]
LARGE = [(2, 9), (16, 40), (70, 130)]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_case = pytest.mark.parametrize("case", CASES, ids=name_of)


@every_case
@pytest.mark.parametrize("shape", SMALL, ids=str)
def test_reference_lies_within_rounding_of_the_enclosure(case, shape):
    """The NumPy forward and backward are within modelled rounding of balls that hold the exact value."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    W, G = case.enclosure.forward(V), case.enclosure.vjp(V, A)
    scale = derivative_bound(case, V, A)["scale"]
    assert radius(W) < 2.0**-200
    assert radius(G) < 2.0**-200 * scale
    assert ratio(distance(W, case.reference.forward(V)), np.zeros(shape), "float64", shape[1], **bound(case, V)) <= 1
    found = distance(G, case.reference.vjp(V, A))
    assert ratio(found, np.zeros(shape), "float64", shape[1], **derivative_bound(case, V, A)) <= 1


@every_case
@pytest.mark.parametrize("shape", SMALL[:4], ids=str)
def test_reference_backward_is_the_derivative_of_the_forward(case, shape):
    """The written backward agrees with differences of the enclosed forward, which know no backward formula."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    right = differences(lambda X: case.enclosure.forward(X, bits=400), V, A)
    assert ratio(case.reference.vjp(V, A), right, "float64", shape[1], **derivative_bound(case, V, A)) <= 1


@every_case
@pytest.mark.parametrize("shape", SMALL[1:4], ids=str)
def test_reference_jvp_is_the_transpose_of_the_vjp(case, shape):
    """⟨A, J E⟩ = ⟨vjp(A), E⟩ with J E by differences, so the Jacobian is symmetric as the docstring says."""
    V, E = normal(*shape), normal(*shape, case="direction")
    right = np.zeros(shape)
    for index in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[index] = 1.0
        right[index] = (differences(lambda X: case.enclosure.forward(X, bits=400), V, unit) * E).sum()
    assert ratio(case.reference.jvp(V, E), right, "float64", shape[1], **derivative_bound(case, V, E)) <= 1


@every_case
@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("shape", SMALL + LARGE, ids=str)
def test_pytorch_agrees_with_the_reference(case, dtype, shape):
    """Forward and backward in PyTorch are within modelled rounding of NumPy, in every dtype."""
    V = torch.tensor(normal(*shape)).to(dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent")).to(dtype)
    exact_V, exact_A = V.detach().double().numpy(), A.double().numpy()
    W = case.function(V)
    (G,) = torch.autograd.grad(W, V, A)
    assert W.dtype == G.dtype == dtype
    assert ratio(W, case.reference.forward(exact_V), name_of(dtype), shape[1], **bound(case, exact_V)) <= 1
    right = case.reference.vjp(exact_V, exact_A)
    assert ratio(G, right, name_of(dtype), shape[1], **derivative_bound(case, exact_V, exact_A)) <= 1


@every_case
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        (torch.float32, 1e-30),
        (torch.float32, 1e30),
        (torch.float32, 3e37),
        (torch.float64, 1e-200),
        (torch.float64, 1e200),
        (torch.float64, 1e-159),
        (torch.float64, 1e-290),
        (torch.float64, 1e300),
        (torch.bfloat16, 1e30),
        (torch.float16, 2e4),
    ],
    ids=name_of,
)
def test_extreme_scales_do_no_harm(case, dtype, scale):
    """W is right to rounding for rows near the ends of the dtype's range, where squares over- and underflow."""
    V = torch.tensor(np.clip(normal(3, 7), -3, 3) * scale).to(dtype)
    exact = V.double().numpy()
    right = case.enclosure.forward(exact)
    unscaled = exact / scale
    assert ratio(case.function(V), to_float64(right), name_of(dtype), 7, **bound(case, unscaled)) <= 1
    assert ratio(case.reference.forward(exact), to_float64(right), "float64", 7, **bound(case, unscaled)) <= 1


@every_case
def test_gradients_at_extreme_scales(case):
    """The gradient grows as 1 / scale without losing digits, from 1e-200 to 1e200."""
    V, A = normal(3, 7), normal(3, 7, case="cotangent")
    for scale in (2.0**-650, 2.0**650):
        leaf = torch.tensor(V * scale).requires_grad_()
        (G,) = torch.autograd.grad(case.function(leaf), leaf, torch.tensor(A))
        for found in (G.numpy(), case.reference.vjp(V * scale, A)):
            assert ratio(found * scale, case.reference.vjp(V, A), "float64", 7, **derivative_bound(case, V, A)) <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=name_of)
def test_a_mean_far_above_the_spread_does_no_harm(dtype):
    """Rows with a mean of a million spreads come out right to rounding of the result, with zero mean."""
    V = torch.tensor(1e6 + normal(4, 300)).to(dtype)
    W = CENTRED.function(V)
    right = to_float64(CENTRED.enclosure.forward(V.double().numpy()))
    assert ratio(W, right, name_of(dtype), 300) <= 1
    assert ratio(W.double().mean(-1), np.zeros(4), name_of(dtype), 1) <= 1
    assert ratio(CENTRED.reference.forward(V.double().numpy()), right, "float64", 300) <= 1


@pytest.mark.parametrize("case", [CENTRED, ORTHOGONAL], ids=name_of)
def test_a_spread_of_one_rounding_is_still_a_direction(case):
    """A row that differs from a constant one in the last bit of one entry has its exact answer."""
    V = np.full((1, 1000), 0.1)
    V[0, 3] = np.nextafter(0.1, 1)
    right = to_float64(case.enclosure.forward(V))
    assert ratio(case.function(torch.tensor(V)), right, "float64", 1000) <= 1
    assert ratio(case.reference.forward(V), right, "float64", 1000) <= 1


@pytest.mark.parametrize("kappa", [2.0, 3.9, 4.1, 1e3, 1e6, 1e9])
def test_orthogonal_error_grows_with_the_condition_number_not_its_square(kappa):
    """In float64 W misses by κ u, on either side of the switch from eigenvalues to singular values."""
    V = with_singular_values([1.0, 3 / kappa + 0.1, 1 / kappa], 6)
    right = to_float64(ORTHOGONAL.enclosure.forward(V, bits=512))
    W = ORTHOGONAL.function(torch.tensor(V))
    assert ratio(W, right, "float64", 6, condition=kappa) <= 1
    assert ratio(ORTHOGONAL.reference.forward(V), right, "float64", 6, condition=kappa) <= 1
    assert ratio(W @ W.mT, np.eye(3), "float64", 6) <= 1
    assert ratio(W.sum(-1), np.zeros(3), "float64", 6) <= 1


@pytest.mark.parametrize("kappa", [2.0, 1e2, 1e4])
def test_orthogonal_rows_are_orthonormal_to_rounding_in_float32(kappa):
    """In float32 the rows of W are orthonormal to a few roundings whatever the condition number."""
    W = ORTHOGONAL.function(torch.tensor(with_singular_values([1.0, 0.5, 1 / kappa], 9)).float()).double()
    assert ratio(W @ W.mT, np.eye(3), "float32", 9) <= 1
    assert ratio(W.sum(-1), np.zeros(3), "float32", 9) <= 1


@every_case
def test_layouts_in_memory_do_not_matter(case):
    """Transposed, strided and batched weights, and expanded or strided cotangents, give the values of plain ones."""
    V, A = torch.tensor(normal(3, 8)), torch.tensor(normal(3, 8, case="cotangent"))
    wide = torch.tensor(normal(3, 16, case="wide"))
    wide[:, ::2] = V
    right = torch.tensor(case.reference.forward(V.numpy()))
    gradient = torch.tensor(case.reference.vjp(V.numpy(), A.numpy()))
    for view in (V.mT.contiguous().mT, wide[:, ::2]):
        leaf = view.detach().requires_grad_()
        W = case.function(leaf)
        (G,) = torch.autograd.grad(W, leaf, A.mT.contiguous().mT)
        assert ratio(W, right, "float64", 8, **bound(case, V.numpy())) <= 1
        assert ratio(G, gradient, "float64", 8, **derivative_bound(case, V.numpy(), A.numpy())) <= 1
    leaf = V.clone().requires_grad_()
    case.function(leaf).sum().backward()
    ones = np.ones((3, 8))
    assert ratio(leaf.grad, case.reference.vjp(V.numpy(), ones), "float64", 8, **derivative_bound(case, V, ones)) <= 1
    batch = case.function(V.expand(2, 3, 3, 8))
    assert batch.shape == (2, 3, 3, 8)
    assert ratio(batch[1, 2], right, "float64", 8, **bound(case, V.numpy())) <= 1
