"""Weight standardization: its readings, what the paper prints about its gradient, constant rows, extreme scales."""

import functools
import types

import numpy as np
import pytest
import torch
from method_cases import differences, hessian_by_differences, normal, ratio

from wnverify.methods.weight_standardization import enclosure, reference
from wnverify.methods.weight_standardization.pytorch import WeightStandardization, standardize_rows
from wnverify.oracles.enclosures import to_float64

READINGS = {
    "default": {},
    "printed": {"eps": 0.0},
    "printed, unbiased": {"eps": 0.0, "unbiased": True},
    "outside": {"eps_inside": False},
    "public": {"eps_inside": False, "unbiased": True},
    "large eps": {"eps": 0.5, "unbiased": True},
    "large eps outside": {"eps": 0.5, "eps_inside": False},
}
every_reading = pytest.mark.parametrize("options", READINGS.values(), ids=READINGS)
V = normal(3, 7, case="standardize")
A = normal(3, 7, case="cotangent")


def in_numbers_of(X, dtype):
    return torch.tensor(X).to(dtype).double().numpy()


def gradient(X, cotangent, options):
    leaf = X.clone().requires_grad_()
    W = standardize_rows(leaf, **options)
    return W, torch.autograd.grad(W, leaf, cotangent)[0]


@every_reading
@pytest.mark.parametrize("exponent", [0, -6, -9, 40, -600, 600])
def test_value_and_gradient_are_enclosed_at_every_scale(options, exponent):
    """NumPy and PyTorch agree with the balls, forward and backward, where eps rules, where σ rules and in between."""
    for dtype in (torch.float64, torch.float32) if abs(exponent) < 100 else (torch.float64,):
        X, name = in_numbers_of(V * 2.0**exponent, dtype), str(dtype).removeprefix("torch.")
        C = in_numbers_of(A, dtype)
        W, G = to_float64(enclosure.forward(X, **options)), to_float64(enclosure.vjp(X, C, **options))
        value = {"scale": float(np.abs(W).max())}
        slope = {"scale": float(np.abs(G).max())}
        found = gradient(torch.tensor(X).to(dtype), torch.tensor(C).to(dtype), options)
        assert ratio(found[0], W, name, 7, **value) <= 1
        assert ratio(found[1], G, name, 7, **slope) <= 1
        assert ratio(reference.forward(X, **options), W, "float64", 7, **value) <= 1
        assert ratio(reference.vjp(X, C, **options), G, "float64", 7, **slope) <= 1
        assert ratio(reference.jvp(X, C, **options), G, "float64", 7, **slope) <= 1


@every_reading
def test_the_enclosed_gradient_is_the_derivative(options):
    """Differences of the enclosed value give the enclosed gradient."""
    right = differences(lambda X: enclosure.forward(X, bits=400, **options), V, A)
    scale = float(np.linalg.norm(right))
    assert ratio(to_float64(enclosure.vjp(V, A, **options)), right, "float64", 7, scale=scale) <= 1


def test_each_reading_is_the_formula_that_it_names():
    """eps under the root is what batch normalization does to a row; outside, unbiased, what the public code does."""
    X = torch.tensor(V)
    by_batch_norm = torch.nn.functional.batch_norm(X.T.reshape(7, 3), None, None, training=True, eps=1e-3).T
    public = (X - X.mean(1, keepdim=True)) / (X.std(1, keepdim=True) + 1e-5)
    printed = (X - X.mean(1, keepdim=True)) / X.std(1, correction=0, keepdim=True)
    assert ratio(standardize_rows(X, eps=1e-3), by_batch_norm, "float64", 7, scale=3.0) <= 1
    assert ratio(standardize_rows(X, eps_inside=False, unbiased=True), public, "float64", 7, scale=3.0) <= 1
    assert ratio(standardize_rows(X, eps=0.0), printed, "float64", 7, scale=3.0) <= 1


def test_equations_18_and_19_are_not_gradients_as_they_are_printed():
    """Neither equation, taken by its symbols, holds at a generic point."""
    by_w = to_float64(enclosure.vjp(V, A, eps=0.0))
    scale = float(np.linalg.norm(by_w))
    assert ratio(reference.printed_eq18(A), by_w, "float64", 7, scale=scale) > 1e6
    assert ratio(reference.printed_eq19(V, by_w), A, "float64", 7, scale=float(np.linalg.norm(A))) > 1e6


def test_equations_18_and_19_are_the_gradient_by_way_of_the_centred_weight():
    """With the gradient by the centred w between them they are right, in either order; one alone is not."""
    right = to_float64(enclosure.vjp(V, A, eps=0.0))
    scale = {"scale": float(np.linalg.norm(right))}
    assert ratio(reference.printed_gradient(V, A), right, "float64", 7, **scale) <= 1
    assert ratio(reference.printed_eq19(V, reference.printed_eq18(A)), right, "float64", 7, **scale) <= 1
    assert ratio(reference.printed_eq19(V, A), right, "float64", 7, **scale) > 1e6
    zero_mean = A - A.mean(axis=1, keepdims=True)
    right = to_float64(enclosure.vjp(V, zero_mean, eps=0.0))
    assert ratio(reference.printed_eq19(V, zero_mean), right, "float64", 7, **scale) <= 1


def test_equation_18_is_right_of_the_gradient_by_the_centred_weight():
    """Centring passes a cotangent of the centred w back to w: equation 18 with ∇_ŵ so read."""
    leaf = torch.tensor(V).requires_grad_()
    (right,) = torch.autograd.grad(leaf - leaf.mean(1, keepdim=True), leaf, torch.tensor(A))
    assert ratio(reference.printed_eq18(A), right, "float64", 7, scale=float(np.linalg.norm(A))) <= 1


@pytest.mark.parametrize("row", [[0.0] * 7, [0.1] * 7, [1e200] * 7, [1 / 3] * 7], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_constant_row_is_refused_without_eps(row, dtype):
    """eps = 0: ValueError naming the row, in NumPy, PyTorch and balls."""
    X = V.copy()
    X[1] = row if dtype is torch.float64 else np.clip(row, 0, 1e30)
    for form in (
        lambda: standardize_rows(torch.tensor(X).to(dtype), eps=0.0),
        lambda: reference.forward(in_numbers_of(X, dtype), eps=0.0),
        lambda: reference.vjp(in_numbers_of(X, dtype), A, eps=0.0),
    ):
        with pytest.raises(ValueError, match=r"V must have no constant row; .*V\[1, :\]"):
            form()
    with pytest.raises(ValueError, match=r"V\[1, :\] is not provably"):
        enclosure.forward(np.where(np.arange(3)[:, None] == 1, 0.0, V), eps=0.0)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e200])
@pytest.mark.parametrize("inside", [True, False])
def test_a_constant_row_becomes_zero_with_a_finite_gradient(value, inside):
    """eps > 0: the row is exactly zero, its gradient the centred cotangent over s, the other rows are untouched."""
    X, eps = V.copy(), 1e-5
    X[1] = value
    s = np.sqrt(eps) if inside else eps
    W, G = gradient(torch.tensor(X), torch.tensor(A), {"eps_inside": inside})
    right = (A[1] - A[1].mean()) / s
    assert not W[1].any()
    assert not reference.forward(X, eps_inside=inside)[1].any()
    for found in (G[1], reference.vjp(X, A, eps_inside=inside)[1]):
        assert ratio(found, right, "float64", 7, scale=float(np.linalg.norm(right))) <= 1
    alone, _ = gradient(torch.tensor(V), torch.tensor(A), {"eps_inside": inside})
    assert ratio(W[[0, 2]], alone[[0, 2]], "float64", 7, scale=3.0) <= 1


def test_with_eps_under_the_root_a_constant_row_is_an_ordinary_point():
    """The second derivative there is the one that differences of the enclosed gradient give."""
    X, C = normal(2, 4), normal(2, 4, case="cotangent")
    X[0] = 0.25
    case = types.SimpleNamespace(enclosure=enclosure)
    right = hessian_by_differences(case, X, C)
    found = torch.func.hessian(lambda Y: (standardize_rows(Y) * torch.tensor(C)).sum())(torch.tensor(X))
    assert ratio(found, right, "float64", 8, scale=float(np.abs(right).max()) + 1e5) <= 1


@pytest.mark.parametrize("options", [{}, {"eps": 0.0}, {"eps_inside": False, "unbiased": True}], ids=str)
def test_second_derivatives_are_those_of_the_balls(options):
    """The Hessian, forward over reverse and reverse over reverse, is the derivative of the enclosed gradient."""
    X, C = 0.01 * normal(2, 4), normal(2, 4, case="cotangent")
    bound = functools.partial(enclosure.vjp, **options)
    case = types.SimpleNamespace(enclosure=types.SimpleNamespace(vjp=bound))
    right = hessian_by_differences(case, X, C)

    def loss(Y):
        return (standardize_rows(Y, **options) * torch.tensor(C)).sum()

    for found in (torch.func.hessian(loss), torch.func.jacrev(torch.func.jacrev(loss))):
        assert ratio(found(torch.tensor(X)), right, "float64", 8, scale=float(np.abs(right).max())) <= 1


def test_impossible_arguments_are_refused():
    """A negative or infinite eps, and a single column with the unbiased deviation, are ValueErrors in every form."""
    for eps in (-1e-5, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="eps must be"):
            WeightStandardization(eps=eps)
        with pytest.raises(ValueError, match="eps must be"):
            reference.forward(V, eps=eps)
    for form in (
        lambda: standardize_rows(torch.ones(2, 1), unbiased=True),
        lambda: reference.forward(np.ones((2, 1)), unbiased=True),
        lambda: enclosure.forward(np.ones((2, 1)), unbiased=True),
    ):
        with pytest.raises(ValueError, match="d ≥ 2"):
            form()


@pytest.mark.parametrize("place", [(0, 0), (2, 6)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_non_finite_entry_is_named(place, value):
    """ValueError naming V[i, j], with and without eps."""
    X = V.copy()
    X[place] = value
    for eps in (0.0, 1e-5):
        with pytest.raises(ValueError, match=rf"V\[{place[0]}, {place[1]}\]"):
            standardize_rows(torch.tensor(X), eps=eps)
        with pytest.raises(ValueError, match=rf"V\[{place[0]}, {place[1]}\]"):
            reference.forward(X, eps=eps)


def test_what_is_declared_depends_on_eps():
    """Scale invariance and a constant norm are declared for eps = 0 alone, and the norm is then √d or √(d − 1)."""
    of_the_scale = {"constant_norm_rows", "scale_invariant", "row_scale_invariant", "idempotent"}
    assert not of_the_scale & set(WeightStandardization().DECLARES)
    assert not of_the_scale & set(WeightStandardization(eps_inside=False).DECLARES)
    for unbiased, norm in ((False, 7.0**0.5), (True, 6.0**0.5)):
        module = WeightStandardization(eps=0.0, unbiased=unbiased)
        assert of_the_scale <= set(module.DECLARES)
        assert ratio(module(torch.tensor(V)).norm(dim=1), np.full(3, norm), "float64", 7, scale=norm) <= 1
        assert ratio(module(3 * module(torch.tensor(V))), module(torch.tensor(V)), "float64", 7, scale=norm) <= 1
    assert set(WeightStandardization().DECLARES) == set(WeightStandardization.DECLARES)
    assert WeightStandardization(eps=0.0).DOMAIN["min_cols"] == 2
    assert "nonsmooth" in WeightStandardization(eps_inside=False).DOMAIN


@every_reading
def test_the_backward_keeps_the_weight_and_one_number_a_row(options):
    """What is saved is W and a column: nothing else of the size of V."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        standardize_rows(torch.tensor(V).requires_grad_(), **options)
    assert sum(x.numel() for x in saved) <= V.size + len(V)


@every_reading
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precisions_are_rounded_once(options, dtype):
    """The value in half precision is the float32 value of the same numbers, rounded."""
    X = torch.tensor(V).to(dtype)
    assert torch.equal(standardize_rows(X, **options), standardize_rows(X.float(), **options).to(dtype))
    assert standardize_rows(X, **options).dtype == dtype


def test_a_mean_far_above_the_spread_does_no_harm():
    """Rows with a mean of a million spreads come out right to rounding of the result."""
    X = in_numbers_of(1e6 + normal(3, 60), torch.float32)
    for options in ({}, {"eps": 0.0}, {"eps_inside": False}):
        right = to_float64(enclosure.forward(X, **options))
        scale = float(np.abs(right).max())
        assert ratio(standardize_rows(torch.tensor(X).float(), **options), right, "float32", 60, scale=scale) <= 1
        assert ratio(reference.forward(X, **options), right, "float64", 60, scale=scale) <= 1
