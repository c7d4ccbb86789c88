"""Orthogonalization by Newton's iteration: the iteration as printed, its limit, its rate, and where it is undefined."""

import math

import flint
import numpy as np
import pytest
import torch
from method_cases import differences, name_of, normal, ratio, with_singular_values

from wnverify.methods.newton_orthogonalization import enclosure, pytorch, reference
from wnverify.methods.newton_orthogonalization.pytorch import NewtonOrthogonalization, newton_orthogonalize_rows
from wnverify.oracles.enclosures import ball_matrix, distance, radius, to_float64
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives.singular_values import orthonormality_error

SHAPES = [(1, 4), (2, 5), (4, 4), (5, 3), (16, 40), (40, 16)]
OPTIONS = [
    {},
    {"centred": False},
    {"scaling": "frobenius", "iterations": 2},
    {"centred": False, "scaling": "frobenius", "iterations": 9, "scale": 2**0.5},
    {"iterations": 20},
]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def slope(iterations=5, **_):
    """The largest derivative of the scalar map, which conditions the map: 1.5^T at 0, at most 1.5 / smallest value."""
    return 1.5**iterations


def condition(V, options):
    """Largest derivative of the scalar map at the singular values of V, as the iteration stretches them."""
    Z = V - V.mean(axis=1, keepdims=True) if options.get("centred", True) else V
    s = np.linalg.svd(Z, compute_uv=False)
    s = s[s > 1e-10 * s[0]]
    return 2 * min(slope(**options), float(3 * np.linalg.norm(s) / s[-1]))


def scale_of_gradient(V, A, options):
    Z = V - V.mean(axis=1, keepdims=True) if options.get("centred", True) else V
    r = np.sqrt(np.linalg.norm(Z @ Z.T))
    return options.get("scale", 1.0) * condition(V, options) * float(np.linalg.norm(A)) / r


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
@every_option
def test_reference_lies_within_rounding_of_the_enclosure(shape, options):
    """Forward by X_t and backward agree with balls around the paper's B_t recursion and its reverse."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    W, G = enclosure.forward(V, **options), enclosure.vjp(V, A, **options)
    scale = scale_of_gradient(V, A, options)
    assert radius(W) < 2.0**-150
    assert radius(G) < 2.0**-150 * scale
    bound = {"condition": condition(V, options)}
    found = distance(W, reference.forward(V, **options))
    assert ratio(found, np.zeros(shape), "float64", sum(shape), scale=options.get("scale", 1.0), **bound) <= 1
    found = distance(G, reference.vjp(V, A, **options))
    assert ratio(found, np.zeros(shape), "float64", sum(shape), scale=scale, condition=1.0) <= 1


@every_option
@pytest.mark.parametrize("shape", [(2, 3), (3, 2)], ids=str)
def test_enclosed_backward_is_the_derivative(shape, options):
    """The reverse of the B_t recursion agrees with differences of the enclosed forward, which know no backward."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    right = differences(lambda X: enclosure.forward(X, bits=400, **options), V, A)
    found = to_float64(enclosure.vjp(V, A, **options))
    assert ratio(found, right, "float64", 1, scale=scale_of_gradient(V, A, options)) <= 1


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@every_shape
@every_option
def test_pytorch_agrees_with_the_reference(shape, options, dtype):
    """Forward and backward in Gram matrices are within modelled rounding of NumPy's X_t, in every dtype."""
    V = torch.tensor(normal(*shape)).to(dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent")).to(dtype)
    exact_V, exact_A = V.detach().double().numpy(), A.double().numpy()
    W = newton_orthogonalize_rows(V, **options)
    (G,) = torch.autograd.grad(W, V, A)
    assert W.dtype == G.dtype == dtype
    bound = {"condition": condition(exact_V, options)}
    right = reference.forward(exact_V, **options)
    assert ratio(W, right, name_of(dtype), sum(shape), scale=options.get("scale", 1.0), **bound) <= 1
    right = reference.vjp(exact_V, exact_A, **options)
    scale = scale_of_gradient(exact_V, exact_A, options)
    assert ratio(G, right, name_of(dtype), sum(shape), scale=scale, **bound) <= 1


@pytest.mark.parametrize("iterations", [1, 3, 5])
@pytest.mark.parametrize(
    "options", [{"centred": False, "scaling": "frobenius"}, {}], ids=["algorithm 1", "algorithm 2"]
)
def test_the_printed_iteration_is_the_same_map(options, iterations):
    """Algorithms 1 and 2 to the letter, with B_t, give the same W while few steps are taken."""
    V = normal(4, 9)
    right = reference.forward(V, iterations, **options)
    found = reference.printed_forward(V, iterations, **options)
    assert ratio(found, right, "float64", 13, condition=slope(iterations) ** 2) <= 1


def test_the_printed_iteration_diverges_where_the_map_has_long_converged():
    """At σ_1 / σ_n = 10 the iteration reaches W Wᵀ = I in 14 steps; printed with B_t it has left it by far in 20."""
    V = with_singular_values(np.geomspace(10, 1, 8), 20)
    right = reference.limit(V)
    model = map_model("float64", 28, condition=10.0)
    assert Ratio(float(np.abs(reference.forward(V, 20) - right).max()), 1.0, model).value <= 1
    assert Ratio(float(np.abs(reference.printed_forward(V, 20) - right).max()), 1.0, model).value > 1e6
    W = newton_orthogonalize_rows(torch.tensor(V), 20)
    assert Ratio(float((W - torch.tensor(right)).abs().max()), 1.0, model).value <= 1


@pytest.mark.parametrize("iterations", [14, 60])
@pytest.mark.parametrize("shape", [(3, 8), (5, 5), (8, 3)], ids=str)
def test_the_limit_is_the_polar_factor(shape, iterations):
    """Iterated on, rows or (n > d) columns become orthonormal, V's own nearest such matrix, and stay so."""
    k = min(shape)
    V = with_singular_values(np.linspace(3, 1, k), max(shape), centred=False)
    V = V if shape[0] == k else V.T
    W = newton_orthogonalize_rows(torch.tensor(V), iterations, centred=False)
    assert ratio(W, reference.limit(V, centred=False), "float64", sum(shape), condition=6.0) <= 1
    gram = W @ W.mT if shape[0] == k else W.mT @ W
    assert ratio(gram, np.eye(k), "float64", sum(shape), condition=2.0) <= 1


@pytest.mark.parametrize("iterations", [1, 5, 9])
def test_singular_values_follow_the_scalar_recursion(iterations):
    """Each singular value of W is the one of Z / r sent T times through s (3 − s²) / 2, singular vectors unchanged."""
    values = np.array([4.0, 3.0, 1.0, 0.25])
    W = newton_orthogonalize_rows(torch.tensor(with_singular_values(values, 7)), iterations)
    s = values / np.sqrt(np.sqrt((values**4).sum()))
    for _ in range(iterations):
        s = 1.5 * s - 0.5 * s**3
    assert ratio(torch.linalg.svdvals(W), s, "float64", 11, condition=slope(iterations)) <= 1


def test_convergence_is_quadratic_with_the_constant_three_halves():
    """Near 1 the miss e = 1 − s turns to 3 e² / 2 − e³ / 2 exactly, in every step of W."""
    values = np.array([1.0, 0.9, 0.7])
    V = torch.tensor(with_singular_values(values, 6))
    for steps in range(2, 5):
        before = 1 - torch.linalg.svdvals(newton_orthogonalize_rows(V, steps))
        after = 1 - torch.linalg.svdvals(newton_orthogonalize_rows(V, steps + 1))
        assert ratio(after, 1.5 * before**2 - 0.5 * before**3, "float64", 9, condition=slope(2)) <= 1


@pytest.mark.parametrize("scaling", ["frobenius", "gram"])
@pytest.mark.parametrize("iterations", [3, 8, 12])
def test_the_admitted_error_is_attained_and_not_passed(scaling, iterations):
    """At singular values (κ, …, κ, 1) the error of W Wᵀ is the admitted one; other spectra of that κ stay below it."""
    kappa, n = 4.0, 6
    admitted = orthonormality_error((pytorch.STEP,) * iterations, kappa, n, scaling)
    model = map_model("float64", 4 * n, condition=slope(iterations))
    for values in ([kappa] * 5 + [1.0], np.geomspace(kappa, 1, n), [kappa] + [1.0] * 5):
        V = torch.tensor(with_singular_values(np.array(values), 3 * n, centred=False))
        W = newton_orthogonalize_rows(V, iterations, centred=False, scaling=scaling)
        error = float(torch.linalg.matrix_norm(W @ W.mT - torch.eye(n), 2))
        assert Ratio(max(0.0, error - admitted), 1.0, model).value <= 1
        if values[1] == values[4] == kappa:
            assert Ratio(abs(error - admitted), 1.0, model).value <= 1


def test_declared_errors_are_those_of_the_recursion():
    """DOMAIN admits what the scalar recursion leaves at the stated condition number and 128 rows, and less with T."""
    errors = []
    for iterations in (5, 8, 12, 16):
        module = NewtonOrthogonalization(iterations, centred=False)
        s = (1 + 127 * module.DOMAIN["max_condition"] ** 4) ** -0.25
        for _ in range(iterations):
            s = s * (3 - s * s) / 2
        errors.append(module.DOMAIN["approximate"]["orthonormal_rows"])
        assert (
            Ratio(abs(errors[-1] - (1 - s * s)), 1.0, map_model("float64", 4, condition=slope(iterations))).value <= 1
        )
    assert errors == sorted(errors, reverse=True)
    assert "orthonormal_rows" not in NewtonOrthogonalization().DECLARES
    assert NewtonOrthogonalization(centred=False, scale=2.0).DECLARES["scaled_orthonormal_rows"] == 4.0
    assert "spectral_norm_le_1" not in NewtonOrthogonalization(scale=2.0).DECLARES


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=name_of)
def test_rank_deficient_weights_are_ordinary(dtype):
    """A singular value 0 stays 0: zero and constant rows stay zero, dependent rows stay dependent, gradients finite."""
    rows = [[1.0, 2.0, 4.0, 0.0], [0.5, 0.5, 0.5, 0.5], [-2.0, -4.0, -8.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    V = torch.tensor(rows, dtype=dtype, requires_grad=True)
    W = newton_orthogonalize_rows(V, 12)
    assert not W[1].any()
    assert not W[3].any()
    assert ratio(W[2], -2 * W[0], name_of(dtype), 8, condition=slope(12)) <= 1
    assert ratio(W, reference.limit(V.detach().double().numpy()), name_of(dtype), 8, condition=slope(12)) <= 1
    (G,) = torch.autograd.grad(W.sum() + W[0, 0], V)
    assert bool(G.isfinite().all())


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("shape", [(3, 3), (7, 3)], ids=str)
def test_rows_stay_centred_where_rank_is_lacking_for_it(shape, dtype):
    """For n ≥ d nothing that rounding leaves along 1 is stretched with the steps, in W or in the gradient, whose
    cotangents here have a mean: rows sum to zero and the gradient is right to the size of itself."""
    V = torch.tensor(normal(*shape)).to(dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent") + 8).to(dtype)
    W = newton_orthogonalize_rows(V, 16)
    (G,) = torch.autograd.grad(W, V, A)
    right = reference.vjp(V.detach().double().numpy(), A.double().numpy(), 16)
    scale = 8 * float(np.abs(right).max())
    assert ratio(G, right, name_of(dtype), sum(shape), scale=scale, condition=3.0) <= 1
    for X in (W, G):
        X = X.detach().double()
        size = float(X.norm(dim=1).max())
        assert ratio(X.sum(1), np.zeros(shape[0]), name_of(dtype), shape[1], scale=size) <= 1


@pytest.mark.parametrize("dtype", DTYPES[:3], ids=name_of)
@pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
def test_scales_up_to_the_ends_of_the_format_change_nothing(options, dtype):
    """V times a power of two, entries still normal, gives the same W and the gradient over that power, bit for bit."""
    V, A = (torch.tensor(normal(3, 6, case=c)).to(dtype) for c in ("", "cotangent"))
    reach = 1000 if dtype == torch.float64 else 110

    def at(X):
        X = X.requires_grad_()
        W = newton_orthogonalize_rows(X, **options)
        return W.detach(), torch.autograd.grad(W, X, A)[0]

    W, G = at(V.clone())
    for exponent in (-reach, -60, 60, reach):
        scaled_W, scaled_G = at(V * 2.0**exponent)
        assert torch.equal(scaled_W, W)
        assert torch.equal(scaled_G, G * 2.0**-exponent)
        found = reference.forward(V.double().numpy() * 2.0**exponent, **options)
        assert ratio(W, found, name_of(dtype), 9, condition=condition(V.double().numpy(), options)) <= 1


UNDEFINED = [
    ([[0.0, 0.0], [0.0, 0.0]], {"centred": False}),
    ([[0.1] * 3, [0.7] * 3], {}),
    ([[1.0], [2.0]], {}),
    ([[1 / 3] * 4097], {}),
]


@pytest.mark.parametrize(("rows", "options"), UNDEFINED, ids=["zero", "constant rows", "one column", "one long row"])
def test_the_zero_matrix_is_refused(rows, options):
    """Where nothing is left (after centring) all forms raise ValueError, in every dtype; a batch names the place."""
    for form in (reference.forward, reference.printed_forward, enclosure.forward):
        with pytest.raises(ValueError, match="V must not be the zero matrix"):
            form(np.array(rows), **options)
    with pytest.raises(ValueError, match="V must not be the zero matrix"):
        reference.vjp(np.array(rows), np.ones(np.shape(rows)), **options)
    for dtype in DTYPES:
        V = torch.tensor(rows, dtype=dtype)
        with pytest.raises(ValueError, match="V must not be the zero matrix"):
            newton_orthogonalize_rows(V, **options)
    batch = torch.stack([torch.randn(V.shape), V.float()]) if V.shape[1] > 1 else V.float()[None]
    with pytest.raises(ValueError, match=r"V\[[01]\] must not be the zero matrix"):
        newton_orthogonalize_rows(batch, **options)


def test_wrong_arguments_are_named():
    """A non-finite entry, a wrong option, an integer weight: the message says which and what came."""
    V = np.ones((2, 3)) + np.eye(2, 3)
    V[1, 2] = math.nan
    for form in (reference.forward, enclosure.forward, lambda X: newton_orthogonalize_rows(torch.tensor(X))):
        with pytest.raises(ValueError, match=r"V\[1, 2\]"):
            form(V)
    for module in (reference.forward, lambda V, **o: NewtonOrthogonalization(**o)):
        with pytest.raises(ValueError, match="iterations must be an integer, at least 1; got 0"):
            module(np.eye(2, 3), iterations=0)
        with pytest.raises(ValueError, match="scaling must be one of frobenius, gram; got 'spectral'"):
            module(np.eye(2, 3), scaling="spectral")
    with pytest.raises(ValueError, match="scale must be positive and finite; got -1"):
        NewtonOrthogonalization(scale=-1.0)
    with pytest.raises(TypeError):
        NewtonOrthogonalization()(torch.ones(2, 3, dtype=torch.int64))


@pytest.mark.parametrize(("shape", "iterations"), [((2, 3), 5), ((3, 2), 10)], ids=str)
def test_second_derivatives_and_forward_mode(shape, iterations):
    """Second derivatives agree in every order of the two modes, and with the derivative of the gradient in balls."""
    V, A = normal(*shape), torch.tensor(normal(*shape, case="cotangent"))

    def loss(X):
        return (A * newton_orthogonalize_rows(X, iterations, centred=False)).sum()

    exact, step = ball_matrix(V), flint.arb(2) ** -80
    right = np.zeros(shape * 2)
    for index in np.ndindex(shape):
        plus, minus = flint.arb_mat(exact), flint.arb_mat(exact)
        with flint.ctx.workprec(400):
            plus[index] += step
            minus[index] -= step
            ends = (enclosure.vjp(X, A.numpy(), iterations, centred=False, bits=400) for X in (plus, minus))
            right[index] = to_float64((next(ends) - next(ends)) / (2 * step))
    scale = float(np.abs(right).max())
    for outer in (torch.func.jacfwd, torch.func.jacrev):
        for inner in (torch.func.jacfwd, torch.func.jacrev):
            found = outer(inner(loss))(torch.tensor(V))
            assert ratio(found, right, "float64", 12, scale=scale, condition=slope(iterations)) <= 1


def test_the_backward_keeps_no_copy_of_the_weight():
    """Saved for the backward are V itself and matrices of the smaller side, for every number of steps of a stretch."""
    V = torch.tensor(normal(6, 50), requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        newton_orthogonalize_rows(V, 8)
    assert sum(x.numel() for x in kept if x.data_ptr() != V.data_ptr()) <= 6 * 6 + 1
