"""Higher derivatives and function transforms of the PyTorch forms, repeated singular values, the printed formulas."""

import numpy as np
import pytest
import torch
from method_cases import (
    CASES,
    CENTRED,
    ORTHOGONAL,
    PLAIN,
    derivative_bound,
    hessian_by_differences,
    name_of,
    normal,
    ratio,
    with_singular_values,
)
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from wnverify.methods.weight_normalization.pytorch import WeightNormalization
from wnverify.oracles.enclosures import to_float64

every_case = pytest.mark.parametrize("case", CASES, ids=name_of)
TWICE = {
    "jacfwd(jacfwd)": lambda f: jacfwd(jacfwd(f)),
    "jacfwd(jacrev)": lambda f: jacfwd(jacrev(f)),
    "jacrev(jacfwd)": lambda f: jacrev(jacfwd(f)),
    "jacrev(jacrev)": lambda f: jacrev(jacrev(f)),
    "hessian": hessian,
}


def second_bound(case, V, A):
    """The second derivative divides by one more singular value than the first."""
    model = derivative_bound(case, V, A)
    return {**model, "scale": model["scale"] / case.singular_values(V).min()}


@every_case
@pytest.mark.parametrize("nesting", TWICE)
def test_second_derivatives_are_right_in_every_nesting(case, nesting):
    """Forward and reverse mode, nested in every order, give the second derivative that differences in balls give."""
    V, A = normal(3, 5), normal(3, 5, case="cotangent")
    found = TWICE[nesting](lambda X: (case.function(X) * torch.tensor(A)).sum())(torch.tensor(V))
    right = hessian_by_differences(case, V, A)
    assert ratio(found, right, "float64", 15, **second_bound(case, V, A)) <= 1


@every_case
@pytest.mark.parametrize(
    ("nesting", "exponent"), [("jacfwd(jacfwd)", 450), ("jacfwd(jacfwd)", -450), ("hessian", 300), ("hessian", -300)]
)
def test_second_derivatives_at_extreme_scales(case, nesting, exponent):
    """The second derivative grows as 1 / scale² without losing digits; beyond 2^±400 values come from scaled rows."""
    V, A, scale = normal(2, 4), normal(2, 4, case="cotangent"), 2.0**exponent
    found = TWICE[nesting](lambda X: (case.function(X) * torch.tensor(A)).sum())(torch.tensor(V * scale))
    right = hessian_by_differences(case, V, A)
    assert ratio(found * scale * scale, right, "float64", 8, **second_bound(case, V, A)) <= 1


@every_case
def test_double_backward_and_reverse_over_dual_numbers(case):
    """``backward`` of ``backward``, and ``backward`` of an eager dual number's tangent, give Hessian times vector."""
    V, A, E = normal(3, 5), normal(3, 5, case="cotangent"), normal(3, 5, case="direction")
    right = np.tensordot(hessian_by_differences(case, V, A), E, 2)
    model = second_bound(case, V, A)
    model["scale"] *= float(np.linalg.norm(E))
    leaf = torch.tensor(V).requires_grad_()
    (first,) = torch.autograd.grad(case.function(leaf), leaf, torch.tensor(A), create_graph=True)
    (twice,) = torch.autograd.grad(first, leaf, torch.tensor(E))
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(case.function(forward_ad.make_dual(leaf, torch.tensor(E)))).tangent
        (mixed,) = torch.autograd.grad(tangent, leaf, torch.tensor(A))
    for found in (twice, mixed):
        assert ratio(found, right, "float64", 15, **model) <= 1


@every_case
def test_gradient_by_the_cotangent_is_the_forward_derivative(case):
    """The backward is linear in its cotangent, and differentiating it by the cotangent gives the Jacobian."""
    V, A, E = (torch.tensor(normal(3, 5, case=name)) for name in ("", "cotangent", "direction"))
    cotangent = A.clone().requires_grad_()
    leaf = V.clone().requires_grad_()
    (first,) = torch.autograd.grad(case.function(leaf), leaf, cotangent, create_graph=True)
    (found,) = torch.autograd.grad(first, cotangent, E)
    model = derivative_bound(case, V.numpy(), E.numpy())
    assert ratio(found, case.reference.jvp(V.numpy(), E.numpy()), "float64", 5, **model) <= 1


@every_case
def test_third_derivatives_agree_between_modes(case):
    """Three times forward, three times reverse, and mixed: one tensor."""
    V, A = torch.tensor(normal(2, 4)), torch.tensor(normal(2, 4, case="cotangent"))

    def loss(X):
        return (case.function(X) * A).sum()

    right = jacrev(jacrev(jacrev(loss)))(V)
    model = second_bound(case, V.numpy(), A.numpy())
    model["scale"] /= float(case.singular_values(V.numpy()).min())
    for found in (jacfwd(jacfwd(jacfwd(loss)))(V), jacrev(jacfwd(jacfwd(loss)))(V), jacfwd(jacfwd(jacrev(loss)))(V)):
        assert ratio(found, right, "float64", 8, **model) <= 1


@every_case
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_vmap_of_derivatives_agrees_with_a_loop(case, axis):
    """``vmap`` of value, gradient, jvp, vjp and Hessian over any axis gives what a loop gives."""
    batch = torch.tensor(normal(4, 3, 5))
    A = torch.tensor(normal(3, 5, case="cotangent"))

    def loss(X):
        return (case.function(X) ** 2 * A).sum()

    transforms = {
        "value": case.function,
        "grad": grad(loss),
        "jvp": lambda X: jvp(case.function, (X,), (A,))[1],
        "vjp": lambda X: vjp(case.function, X)[1](A)[0],
        "hessian": hessian(loss),
    }
    for name, transform in transforms.items():
        found = vmap(transform, in_dims=axis)(batch.movedim(0, axis))
        for one, V in zip(found, batch, strict=True):
            model = second_bound(case, V.numpy(), A.numpy())
            model["scale"] = max(1.0, model["scale"])
            assert ratio(one, transform(V), "float64", 15, **model) <= 1, name


@every_case
def test_vmap_over_cotangents_only(case):
    """A batch of cotangents at one weight: the saved tensors carry no batch axis, the cotangents do."""
    V = torch.tensor(normal(3, 5))
    batch = torch.tensor(normal(4, 3, 5, case="cotangent"))
    found = vmap(vjp(case.function, V)[1])(batch)[0]
    for one, A in zip(found, batch, strict=True):
        model = derivative_bound(case, V.numpy(), A.numpy())
        assert ratio(one, case.reference.vjp(V.numpy(), A.numpy()), "float64", 5, **model) <= 1


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [3.0, 1.0, 1.0], [1.0, 1.0, 1.0 + 2.0**-50]], ids=str)
def test_repeated_singular_values_are_ordinary_points(values):
    """At equal singular values value, gradient and second derivative are finite and those of the enclosure."""
    V, A = with_singular_values(values, 6), normal(3, 6, case="cotangent")
    leaf = torch.tensor(V).requires_grad_()
    W = ORTHOGONAL.function(leaf)
    (G,) = torch.autograd.grad(W, leaf, torch.tensor(A))
    model = derivative_bound(ORTHOGONAL, V, A)
    assert ratio(W, to_float64(ORTHOGONAL.enclosure.forward(V)), "float64", 6, condition=model["condition"]) <= 1
    assert ratio(G, to_float64(ORTHOGONAL.enclosure.vjp(V, A)), "float64", 6, **model) <= 1
    assert ratio(ORTHOGONAL.reference.vjp(V, A), to_float64(ORTHOGONAL.enclosure.vjp(V, A)), "float64", 6, **model) <= 1
    second = hessian(lambda X: (ORTHOGONAL.function(X) * torch.tensor(A)).sum())(torch.tensor(V))
    right = hessian_by_differences(ORTHOGONAL, V, A)
    assert ratio(second, right, "float64", 18, **second_bound(ORTHOGONAL, V, A)) <= 1


def test_printed_gradient_of_centred_weight_normalization_is_the_derivative():
    """Equation 3 of the supplement, term by term, is the gradient."""
    V, A = normal(3, 5), normal(3, 5, case="cotangent")
    right = to_float64(CENTRED.enclosure.vjp(V, A))
    assert ratio(CENTRED.reference.printed_gradient(V, A), right, "float64", 5, **derivative_bound(CENTRED, V, A)) <= 1


def test_printed_backward_of_the_orthogonal_method_is_not_the_derivative():
    """Equations 11 and 12 to the letter miss the gradient by far more than rounding at a generic 3 × 5 point."""
    V, A = normal(3, 5), normal(3, 5, case="cotangent")
    right = to_float64(ORTHOGONAL.enclosure.vjp(V, A))
    model = derivative_bound(ORTHOGONAL, V, A)
    assert ratio(ORTHOGONAL.reference.printed_backward(V, A), right, "float64", 5, **model) > 1e6


def test_repaired_backward_of_the_orthogonal_method_is_the_derivative():
    """With Dᵀ and the symmetric part in line 3 of equation 12 the printed chain is the gradient."""
    V, A = with_singular_values([3.0, 2.0, 1.0], 5), normal(3, 5, case="cotangent")
    right = to_float64(ORTHOGONAL.enclosure.vjp(V, A))
    model = derivative_bound(ORTHOGONAL, V, A)
    model["condition"] *= 9 / 3  # K divides by differences of eigenvalues, the smallest of which is 3, not by 9
    assert ratio(ORTHOGONAL.reference.repaired_backward(V, A), right, "float64", 5, **model) <= 1


def test_printed_backward_refuses_equal_eigenvalues():
    """K of equation 12 divides by zero where eigenvalues of Σ are equal: said, with the pair."""
    V = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    with pytest.raises(ValueError, match="distinct eigenvalues"):
        ORTHOGONAL.reference.printed_backward(V, np.ones((2, 4)))


def test_one_row_makes_the_orthogonal_method_the_centred_one():
    """For n = 1 both maps and both gradients are the same."""
    V, A = normal(1, 6), normal(1, 6, case="cotangent")
    model = derivative_bound(CENTRED, V, A)
    assert ratio(ORTHOGONAL.reference.forward(V), CENTRED.reference.forward(V), "float64", 6) <= 1
    assert ratio(ORTHOGONAL.reference.vjp(V, A), CENTRED.reference.vjp(V, A), "float64", 6, **model) <= 1


def test_gain_and_its_gradient():
    """With a gain, value and both gradients are equations 2 and 3, in NumPy and PyTorch alike."""
    V, g, A = normal(3, 5), normal(3, 1, case="gain"), normal(3, 5, case="cotangent")
    norms = np.linalg.norm(V, axis=1, keepdims=True)
    g_bar = (A * V).sum(axis=1, keepdims=True) / norms
    V_bar = g / norms * A - g * g_bar / norms**2 * V
    leaves = torch.tensor(V).requires_grad_(), torch.tensor(g).requires_grad_()
    W = WeightNormalization()(*leaves)
    found = torch.autograd.grad(W, leaves, torch.tensor(A))
    written = PLAIN.reference.vjp_with_gain(V, g[:, 0], A)
    model = derivative_bound(PLAIN, V, A)
    model["scale"] *= max(1.0, float(np.abs(g).max()))
    assert ratio(W, g * V / norms, "float64", 5, scale=float(np.abs(g).max())) <= 1
    assert ratio(PLAIN.reference.forward(V, g[:, 0]), g * V / norms, "float64", 5, scale=float(np.abs(g).max())) <= 1
    for got in (found[0], written[0]):
        assert ratio(got, V_bar, "float64", 5, **model) <= 1
    for got in (found[1], written[1][:, None]):
        assert ratio(got, g_bar, "float64", 5, scale=float(np.linalg.norm(A))) <= 1
