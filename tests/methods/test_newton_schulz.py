"""The quintic Newton-Schulz iteration: its singular values, converging coefficients, eps, and where it is undefined."""

import math

import numpy as np
import pytest
import torch
from method_cases import differences, name_of, normal, ratio, with_singular_values

from wnverify.methods.newton_schulz import enclosure, reference
from wnverify.methods.newton_schulz.pytorch import (
    CONVERGING,
    MAX_ROWS,
    MAX_SIGMA_RATIO,
    MUON,
    NewtonSchulz,
    newton_schulz_rows,
)
from wnverify.oracles.enclosures import distance, radius, to_float64
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives.odd_polynomial import REACH, stretches
from wnverify.primitives.singular_values import image

SHAPES = [(1, 4), (2, 4), (4, 4), (5, 3), (16, 40), (40, 16)]
OPTIONS = [{}, {"eps": 0.0}, {"eps": 0.25, "steps": 2}, {"coefficients": CONVERGING, "steps": 9, "eps": 0.0}]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def slope(coefficients=MUON, steps=5, **_):
    """The largest derivative of the scalar map on [0, 1], that at 0."""
    return max(coefficients[0], 2.0) ** steps


def condition(V, options):
    """The scalar map is steep at small singular values only: slope at 0, or what is left at the smallest of V."""
    s = np.linalg.svd(V, compute_uv=False)
    return 4 * min(slope(**options), float(3 * np.linalg.norm(s) / s[-1]))


def scale_of_gradient(V, A, options):
    return condition(V, options) * float(np.linalg.norm(A)) / (float(np.linalg.norm(V)) + options.get("eps", 1e-7))


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
@every_option
def test_reference_lies_within_rounding_of_the_enclosure(shape, options):
    """Forward and backward agree with balls, whose derivative is found by dual numbers and no backward formula."""
    V, A = normal(*shape), normal(*shape, case="cotangent")
    W, G = enclosure.forward(V, **options), enclosure.vjp(V, A, **options)
    scale = scale_of_gradient(V, A, options)
    assert radius(W) < 2.0**-150
    assert radius(G) < 2.0**-150 * scale
    bound = {"condition": condition(V, options)}
    found = distance(W, reference.forward(V, **options))
    assert ratio(found, np.zeros(shape), "float64", sum(shape), **bound) <= 1
    found = distance(G, reference.vjp(V, A, **options))
    assert ratio(found, np.zeros(shape), "float64", sum(shape), scale=scale) <= 1


@every_option
def test_enclosed_backward_is_the_derivative(options):
    """The dual numbers agree with differences of the enclosed forward."""
    V, A = normal(2, 3), normal(2, 3, case="cotangent")
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
    W = newton_schulz_rows(V, **options)
    (G,) = torch.autograd.grad(W, V, A)
    assert W.dtype == G.dtype == dtype
    bound = {"condition": condition(exact_V, options)}
    assert ratio(W, reference.forward(exact_V, **options), name_of(dtype), sum(shape), **bound) <= 1
    right, scale = reference.vjp(exact_V, exact_A, **options), scale_of_gradient(exact_V, exact_A, options)
    assert ratio(G, right, name_of(dtype), sum(shape), scale=scale, **bound) <= 1


@pytest.mark.parametrize("transposed", [False, True])
def test_singular_values_follow_the_scalar_polynomial(transposed):
    """Each singular value of X_0 goes five times through a s + b s³ + c s⁵, singular vectors unchanged; n > d alike."""
    values = np.array([4.0, 3.0, 1.0, 0.25])
    V = with_singular_values(values, 9, centred=False)
    s, (a, b, c) = values / (np.linalg.norm(values) + 1e-7), MUON
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    U, _, Q = np.linalg.svd(V, full_matrices=False)
    right = (U * s) @ Q
    V, right = (V.T, right.T) if transposed else (V, right)
    W = newton_schulz_rows(torch.tensor(V))
    assert ratio(W, right, "float64", 13, condition=condition(V, {})) <= 1


def test_the_range_of_singular_values_is_the_one_that_the_polynomial_allows():
    """From [0.002, 1] the image is within [0.68, 1.21], both ends are attained, and 0.7 at one of them is not kept."""
    low, high = image([MUON] * 5, 0.002, 1.0)
    assert 0.68 < low < 0.7
    assert 1.2 < high < 1.21
    starts = np.geomspace(0.002, 1.0, 1_000_001)
    values = starts
    for _ in range(5):
        values = MUON[0] * values + MUON[1] * values**3 + MUON[2] * values**5
    model = map_model("float64", 15, condition=slope())
    for found, wanted, least in ((values.min(), low, starts[values.argmin()]), (values.max(), high, 0.002)):
        spacing = 1e-5 * slope() * least
        assert Ratio(abs(float(found) - wanted), 1.0, model).value <= 1 or abs(found - wanted) < spacing
    worst = np.array([starts[values.argmin()], starts[values.argmax()]])
    V = with_singular_values(np.append(worst, math.sqrt(1 - float((worst**2).sum()))), 6, centred=False)
    W = newton_schulz_rows(torch.tensor(V), eps=0.0)
    s = torch.linalg.svdvals(W)
    assert float(s.min()) < 0.7
    assert float(s.max()) > 1.2
    assert float(s.min()) >= low - slope() * 2.0**-40
    assert float(s.max()) <= high + slope() * 2.0**-40


@pytest.mark.parametrize("eps", [0.0, 1e-7])
def test_the_declared_error_holds_at_the_border_of_the_domain(eps):
    """At 128 rows, σ ratio 20 and the smallest declared norm the error of W Wᵀ is within DOMAIN's, and near it."""
    module = NewtonSchulz(eps=eps)
    admitted = module.DOMAIN["approximate"]["orthonormal_rows"]
    errors = []
    for values in (np.linspace(1, MAX_SIGMA_RATIO, MAX_ROWS), np.append(1.0, np.full(MAX_ROWS - 1, MAX_SIGMA_RATIO))):
        V = with_singular_values(values, 130, centred=False)
        V = V * (module.DOMAIN.get("min_row_norm", 1.0) / np.linalg.norm(V))
        W = module(torch.tensor(V))
        errors.append(float(torch.linalg.matrix_norm(W @ W.mT - torch.eye(MAX_ROWS), 2)))
    assert max(errors) <= admitted
    assert max(errors) > 0.9 * admitted


@pytest.mark.parametrize("shape", [(3, 8), (5, 5), (8, 3)], ids=str)
def test_converging_coefficients_reach_the_polar_factor(shape):
    """(15, −10, 3) / 8 goes to the nearest matrix with orthonormal rows (columns for n > d), and stays there."""
    V = with_singular_values(np.linspace(3, 1, min(shape)), max(shape), centred=False)
    V = V if shape[0] == min(shape) else V.T
    for steps in (9, 40):
        W = newton_schulz_rows(torch.tensor(V), CONVERGING, steps, eps=0.0)
        assert ratio(W, reference.limit(V), "float64", sum(shape), condition=6.0) <= 1


def test_convergence_is_cubic_with_the_constant_five_halves():
    """Near 1 the miss e turns to 5 e³/2 − 15 e⁴/8 + 3 e⁵/8 exactly, in every step."""
    V = torch.tensor(with_singular_values(np.array([1.0, 0.9, 0.7]), 6, centred=False))
    for steps in (1, 2):
        e = 1 - torch.linalg.svdvals(newton_schulz_rows(V, CONVERGING, steps, eps=0.0))
        after = 1 - torch.linalg.svdvals(newton_schulz_rows(V, CONVERGING, steps + 1, eps=0.0))
        right = 2.5 * e**3 - 1.875 * e**4 + 0.375 * e**5
        assert ratio(after, right, "float64", 9, condition=4.0) <= 1


def test_default_coefficients_do_not_converge():
    """However long, the singular values keep away from 1: W is not the polar factor after 5, 10 or 40 steps."""
    V = torch.tensor(with_singular_values(np.linspace(2, 1, 6), 9, centred=False))
    for steps in (5, 10, 40):
        s = torch.linalg.svdvals(newton_schulz_rows(V, steps=steps))
        assert float((s - 1).abs().max()) > 0.05
        assert float(s.min()) > 0.68
        assert float(s.max()) < 1.21


def test_properties_are_declared_where_the_polynomial_has_them():
    """A spectral norm of at most 1 goes with coefficients that keep [0, 1], scale invariance with eps = 0."""
    assert "spectral_norm_le_1" not in NewtonSchulz().DECLARES
    assert NewtonSchulz(CONVERGING, 9).DECLARES["spectral_norm_le_1"]
    assert "scale_invariant" not in NewtonSchulz().DECLARES
    assert NewtonSchulz(eps=0.0).DECLARES["scale_invariant"]
    assert "min_row_norm" not in NewtonSchulz(eps=0.0).DOMAIN
    V = torch.tensor(normal(3, 5))
    assert not torch.equal(newton_schulz_rows(V * 2.0**-20), newton_schulz_rows(V))
    assert torch.equal(newton_schulz_rows(V * 2.0**-900, eps=0.0), newton_schulz_rows(V, eps=0.0))
    assert torch.equal(newton_schulz_rows(V * 2.0**900, eps=0.0), newton_schulz_rows(V, eps=0.0))


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=name_of)
def test_a_weight_of_the_size_of_eps_or_far_below_is_shrunk(dtype):
    """X_0 = V / (‖V‖ + eps) with nothing lost, from ‖V‖ ≫ eps over ‖V‖ = eps to the smallest normal numbers."""
    for size in (1.0, 1e-7, 1e-20, 1e-36):
        V = torch.tensor(normal(2, 5) * size).to(dtype).requires_grad_()
        A = torch.tensor(normal(2, 5, case="cotangent")).to(dtype)
        exact_V, exact_A = V.detach().double().numpy(), A.double().numpy()
        W = newton_schulz_rows(V)
        (G,) = torch.autograd.grad(W, V, A)
        right = reference.forward(exact_V)
        scale, bound = float(np.abs(right).max()), {"condition": 4 * condition(exact_V, {})}
        assert ratio(W, right, name_of(dtype), 7, scale=scale, **bound) <= 1
        right = reference.vjp(exact_V, exact_A)
        scale = max(float(np.abs(right).max()), scale_of_gradient(exact_V, exact_A, {}) / bound["condition"])
        assert ratio(G, right, name_of(dtype), 7, scale=scale, **bound) <= 1


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_the_zero_matrix_stays_zero_with_eps_and_is_refused_without(dtype):
    """With eps W(0) = 0 and the derivative is a^T / eps; without, every form raises ValueError."""
    V = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
    A = torch.tensor(normal(2, 3)).to(dtype)
    W = newton_schulz_rows(V, eps=0.5)
    assert not W.any()
    (G,) = torch.autograd.grad(W, V, A)
    right = MUON[0] ** 5 / 0.5 * A.double().numpy()
    assert ratio(G, right, name_of(dtype), 5, scale=float(np.abs(right).max())) <= 1
    zero = np.zeros((2, 3))
    assert not reference.forward(zero, eps=0.5).any()
    found = reference.vjp(zero, A.double().numpy(), eps=0.5)
    assert ratio(found, right, "float64", 5, scale=float(abs(right).max())) <= 1
    enclosed = to_float64(enclosure.vjp(zero, A.double().numpy(), eps=0.5))
    assert ratio(enclosed, right, "float64", 5, scale=float(abs(right).max())) <= 1
    for form in (reference.forward, enclosure.forward):
        with pytest.raises(ValueError, match="V must not be the zero matrix"):
            form(zero, eps=0.0)
    with pytest.raises(ValueError, match="V must not be the zero matrix; it is"):
        newton_schulz_rows(V, eps=0.0)
    with pytest.raises(ValueError, match=r"V\[1\] must not be the zero matrix"):
        newton_schulz_rows(torch.stack([torch.ones_like(V), V]), eps=0.0)


def test_zero_rows_and_dependent_rows_are_ordinary():
    """A singular value 0 stays 0: a zero row stays zero, dependent rows stay dependent, gradients are finite."""
    V = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0], [-2.0, -4.0, -8.0]], dtype=torch.float64, requires_grad=True)
    W = newton_schulz_rows(V)
    assert not W[1].any()
    assert ratio(W[2], -2 * W[0], "float64", 6, condition=slope()) <= 1
    (G,) = torch.autograd.grad(W.sum() + W[0, 0], V)
    assert bool(G.isfinite().all())


def test_steps_are_cut_where_small_singular_values_have_grown():
    """A small singular value comes out right to rounding of float32, which one Gram matrix for all steps would lose."""
    assert [len(part) for part in stretches((MUON,) * 5)] == [2, 2, 1]
    assert all(MUON[0] ** len(part) <= REACH for part in stretches((MUON,) * 9))
    assert stretches(((100.0, 0.0, 0.0),) * 2) == [((100.0, 0.0, 0.0),)] * 2
    V = with_singular_values(np.array([1.0, 0.5, 2e-4]), 8, centred=False)
    exact = np.linalg.svd(reference.forward(V.astype(np.float32).astype(float)), compute_uv=False)
    found = torch.linalg.svdvals(newton_schulz_rows(torch.tensor(V).float()).double())
    assert ratio(found, exact, "float32", 8, condition=slope()) <= 1


def test_wrong_arguments_are_named():
    """A non-finite entry or a wrong option: the message says which and what came."""
    V = np.ones((2, 3))
    V[1, 2] = math.inf
    for form in (reference.forward, enclosure.forward, lambda X: newton_schulz_rows(torch.tensor(X))):
        with pytest.raises(ValueError, match=r"V\[1, 2\]"):
            form(V)
    for module in (reference.forward, lambda V, **o: NewtonSchulz(**o)):
        with pytest.raises(ValueError, match="steps must be an integer, at least 1; got 0"):
            module(np.eye(2, 3), steps=0)
    with pytest.raises(ValueError, match=r"coefficients must be three finite numbers \(a, b, c\); got \(1.5, -0.5\)"):
        NewtonSchulz(coefficients=(1.5, -0.5))
    with pytest.raises(ValueError, match="eps must be a finite number, at least 0; got -1"):
        NewtonSchulz(eps=-1.0)


@pytest.mark.parametrize("options", [{}, {"eps": 0.25, "steps": 2}], ids=str)
def test_second_derivatives_agree_in_every_order_of_the_modes(options):
    """Forward over reverse and the rest agree, across stretches and with eps."""
    A = torch.tensor(normal(2, 3, case="cotangent"))

    def loss(X):
        return (A * newton_schulz_rows(X, **options)).sum()

    V = torch.tensor(normal(2, 3))
    right = torch.func.jacrev(torch.func.jacrev(loss))(V)
    scale = float(right.abs().max())
    for outer, inner in ((torch.func.jacfwd,) * 2, (torch.func.jacfwd, torch.func.jacrev)):
        found = outer(inner(loss))(V)
        assert ratio(found, right, "float64", 12, scale=scale, condition=condition(V.numpy(), options)) <= 1
    assert torch.autograd.gradgradcheck(loss, V.requires_grad_(), fast_mode=True)


def test_the_declared_error_of_converging_coefficients_is_that_of_the_smallest_start():
    """With a monotone polynomial DOMAIN admits what it leaves of 1 / ‖(1, κ, …, κ)‖ for 128 rows."""
    for steps in (7, 9, 12):
        s = (1 + (MAX_ROWS - 1) * (MAX_SIGMA_RATIO * (1 + 2.0**-10)) ** 2) ** -0.5
        for _ in range(steps):
            s = s * (15 - 10 * s**2 + 3 * s**4) / 8
        admitted = NewtonSchulz(CONVERGING, steps).DOMAIN["approximate"]["orthonormal_rows"]
        model = map_model("float64", 4, condition=slope(CONVERGING, steps))
        assert Ratio(abs(admitted - (1 - s * s)), 1.0, model).value <= 1
