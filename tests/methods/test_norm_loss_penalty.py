"""Norm loss: value, gradient and proximal operator against balls and against searches; the printed formulas."""

import itertools

import numpy as np
import pytest
import torch
from penalty_cases import (
    DTYPES,
    Penalty,
    enclosed_differences,
    gradient_ratio,
    normal,
    saved_numbers,
    short,
    value_ratio,
    with_gradient,
)
from scipy.optimize import minimize

from wnverify.methods.norm_loss import enclosure, reference
from wnverify.methods.norm_loss.pytorch import NormLoss, norm_loss, norm_loss_prox
from wnverify.oracles.enclosures import distance, to_float64
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

NORM_LOSS = Penalty("norm_loss", "NormLoss")
SHAPES = [(1, 1), (1, 4), (4, 1), (3, 5), (5, 3)]
BFGS_FINDS = ErrorModel(1e-6, "BFGS stops where the slope is 1e-10, or where rounding of the objective stops it")
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
ROWS = np.array([[0.25], [1.0], [4.0], [1e-3], [30.0]])


def spread(shape):
    """Rows of norms well below, near and above 1."""
    return normal(*shape) * ROWS[: shape[0]]


@every_shape
def test_value_and_gradient_lie_within_rounding_of_the_enclosure(shape):
    """NumPy and PyTorch agree with balls that hold the exact loss and the exact gradient."""
    W = spread(shape)
    right, G = float(enclosure.value(W).mid()), to_float64(enclosure.gradient(W))
    value, gradient = with_gradient(norm_loss, torch.tensor(W))
    for found, slope in ((reference.value(W), reference.gradient(W)), (value, gradient)):
        assert value_ratio(NORM_LOSS, found, W, right=right) <= 1
        assert gradient_ratio(NORM_LOSS, slope, W, right=G) <= 1


@every_shape
def test_the_gradient_is_the_derivative_of_the_loss(shape):
    """Differences of the enclosed loss, which know no gradient formula, give the gradient: equation 11 is right."""
    W = spread(shape)
    right = enclosed_differences(enclosure.value, W)
    assert gradient_ratio(NORM_LOSS, reference.gradient(W), W, right=right) <= 1
    assert gradient_ratio(NORM_LOSS, reference.printed_gradient(W), W, right=right) <= 1


@pytest.mark.parametrize("dtype", DTYPES, ids=short)
@pytest.mark.parametrize("shape", [*SHAPES, (16, 300)], ids=str)
def test_pytorch_agrees_with_numpy(dtype, shape):
    """Loss, gradient and proximal point in every dtype, of that dtype, within modelled rounding."""
    W = torch.tensor(normal(*shape) * ROWS[np.arange(shape[0]) % 5] / shape[1] ** 0.5).to(dtype)
    exact = W.double().numpy()
    value, G = with_gradient(NormLoss(0.5), W)
    assert value.dtype == G.dtype == dtype
    assert value_ratio(NORM_LOSS, 2 * value.double(), exact, short(dtype)) <= 1
    assert gradient_ratio(NORM_LOSS, 2 * G.double(), exact, short(dtype)) <= 1
    X = NormLoss(0.5).prox(W, 0.7)
    right = reference.prox(exact, 0.35)
    assert X.dtype == dtype
    assert np.abs(X.double().numpy() - right).max() <= np.abs(right).max() * map_model(short(dtype), shape[1]).relative


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        (torch.float64, 1e-200),
        (torch.float64, 1e200),
        (torch.float64, 1e-300),
        (torch.float32, 1e-30),
        (torch.float32, 1e30),
    ],
    ids=str,
)
def test_scales_at_which_squares_over_or_underflow(dtype, scale):
    """The gradient is right for rows near the ends of the dtype's range, where ‖w‖² is 0 or infinite."""
    W = torch.tensor(np.clip(normal(3, 7), -3, 3) * scale).to(dtype)
    right = to_float64(enclosure.gradient(W.double().numpy()))
    _, G = with_gradient(norm_loss, W)
    model = map_model(short(dtype), 7)
    assert Ratio(float(np.abs(G.double().numpy() - right).max()), float(np.abs(right).max()), model).value <= 1
    assert bool(torch.isfinite(norm_loss_prox(W, 0.5)).all())


def test_near_the_sphere_the_gradient_keeps_its_digits_in_float32():
    """Where 1 − 1/‖w‖ cancels, the float32 gradient is right to float32 rounding of the result, entry by entry."""
    W = torch.tensor(normal(20, 50)).float()
    W = W / W.norm(dim=1, keepdim=True) * (1 + 1e-5 * torch.randn(20, 1, generator=torch.Generator().manual_seed(0)))
    _, G = with_gradient(norm_loss, W)
    right = to_float64(enclosure.gradient(W.double().numpy()))
    assert np.abs(G.double().numpy() / right - 1).max() <= map_model("float32", 1).relative


def test_equation_12_is_a_step_of_the_total_loss():
    """Equation 12 is equation 2 with the loss of equation 8; η λ = ½ normalises, and r − 1 shrinks by 1 − 2 η λ."""
    W, G = spread((4, 6)), normal(4, 6, case="target")
    for rate, factor in itertools.product((0.1, 1.0), (0.01, 0.5, 2.0)):
        step = W - rate * (factor * reference.gradient(W) + G)
        bound = map_model("float64", 6, condition=1 + rate * factor).relative * np.abs([W, G, step]).max()
        assert np.abs(reference.printed_update(W, G, rate=rate, factor=factor) - step).max() <= bound * (
            1 + rate * factor
        )
    norms = np.linalg.norm(W, axis=1)
    for strength in (0.05, 0.5, 0.9, 1.5):
        moved = reference.printed_update(W, np.zeros_like(W), rate=strength, factor=1.0)
        along = (moved * W).sum(axis=1) / norms  # signed: above η λ = ½ a long row turns round
        found, right = along - 1, (1 - 2 * strength) * (norms - 1)
        assert np.abs(found - right).max() <= map_model("float64", 6, condition=4.0).relative * 4 * norms.max()


def test_equation_7_as_printed_leaves_an_index_free():
    """Summed over i to C_i and twice over j, w_{i j c_i c_o}² still depends on c_i, and is no value of equation 13."""
    w = np.arange(1.0, 9.0).reshape(2, 2, 2)  # kernel rows, kernel columns, input channels
    literal = [sum(w[i, j, c] ** 2 for i in range(2) for _ in range(2) for j in range(2)) for c in range(2)]
    assert literal[0] != literal[1]
    assert (w**2).sum() not in literal
    assert NormLoss()(torch.tensor(w).reshape(1, 2, 2, 2)).item() == reference.value(w.reshape(1, -1))


def test_a_zero_row_has_value_one_and_gradient_zero():
    """The zero row counts 1 and gets gradient 0, derivatives of every order are finite, other rows are as they were."""
    W = torch.tensor(normal(3, 4))
    W[1] = 0.0
    value, G = with_gradient(norm_loss, W)
    others = W[[0, 2]]
    assert value_ratio(NORM_LOSS, value - 1, others.numpy(), right=reference.value(others.numpy())) <= 1
    assert not G[1].any()
    assert torch.equal(G[[0, 2]], with_gradient(norm_loss, others)[1])
    assert not reference.gradient(W.numpy())[1].any()
    assert to_float64(enclosure.gradient(W.numpy()))[1].tolist() == [0.0] * 4
    assert np.isnan(reference.printed_gradient(W.numpy())[1]).all()
    hessian = torch.func.hessian(norm_loss)(W)
    assert bool(hessian.isfinite().all())
    assert not hessian[1].any()


def test_a_zero_row_is_a_peak_without_gradient():
    """In every direction the loss falls from a zero row at the rate 2: no vector is a gradient, and 0 is a choice."""
    step = 2.0**-20
    for direction in normal(5, 4):
        e = direction / np.linalg.norm(direction)
        slope = (reference.value(step * e[None]) - 1) / step
        assert Ratio(abs(slope - (step - 2)), 2.0, map_model("float64", 4, condition=1 / step)).value <= 1


def test_the_proximal_point_of_a_zero_row_is_one_of_a_sphere():
    """At a zero row every point of norm 2t/(1+2t) does equally well and better than 0; the first axis is taken."""
    t = 0.3
    X = norm_loss_prox(torch.zeros(2, 3, dtype=torch.float64), t)
    radius = 2 * t / (1 + 2 * t)
    assert np.abs(X.numpy() - [[radius, 0.0, 0.0]] * 2).max() <= map_model("float64", 1).relative * radius
    assert np.array_equal(X.numpy(), reference.prox(np.zeros((2, 3)), t))

    def objective(x):
        return 0.5 * (x**2).sum() + t * reference.value(x)

    other = np.full((1, 3), radius / 3**0.5)
    assert abs(objective(X.numpy()[:1]) - objective(other)) < 4 * 2.0**-53
    assert objective(X.numpy()[:1]) < objective(np.zeros((1, 3)))


@pytest.mark.parametrize("step", [0.0, 1e-20, 0.05, 0.5, 4.0, 1e20])
def test_the_proximal_point_is_within_rounding_of_the_enclosure(step):
    """prox agrees with balls around its closed form at every strength, for rows of every size."""
    W = np.vstack([spread((5, 3)), np.zeros((1, 3)), 1e-200 * normal(1, 3)])
    balls = enclosure.prox(W, step)
    model = map_model("float64", 3).relative
    for X in (reference.prox(W, step), norm_loss_prox(torch.tensor(W), step).numpy()):
        size = np.abs(to_float64(balls)).max(axis=1, keepdims=True)
        assert (distance(balls, X) <= model * size).all()


@pytest.mark.parametrize("step", [0.05, 0.5, 4.0])
def test_the_proximal_point_is_optimal(step):
    """A general minimiser from many starts finds nothing lower, and ends where prox says."""
    for w in np.vstack([spread((3, 3)), [[0.0, 0.0, 1e-8]]]):
        x = reference.prox(w[None], step)[0]

        def objective(z, w=w):
            return 0.5 * ((z - w) ** 2).sum() + step * reference.value(z[None])

        def slope(z, w=w):
            return z - w + step * reference.gradient(z[None])[0]

        starts = [*(3 * normal(3, 3, case="starts")), -x, w + 0.1]
        ends = [minimize(objective, start, jac=slope, method="BFGS", options={"gtol": 1e-10}) for start in starts]
        best = min(ends, key=lambda end: end.fun)
        assert Ratio(max(objective(x) - best.fun, 0.0), 1 + best.fun, map_model("float64", 3)).value <= 1
        if np.linalg.norm(w) > 1e-3:
            assert Ratio(float(np.abs(best.x - x).max()), 1 + float(np.abs(w).max()), BFGS_FINDS).value <= 1


def test_what_is_declared_holds_and_what_is_not_fails():
    """Turned and reordered rows give the same loss; it is not convex, and no scale or shift leaves it."""
    W = torch.tensor(spread((3, 5)))
    Q = torch.tensor(np.linalg.qr(normal(5, 5, case="rotation"))[0])
    f = NormLoss()
    for moved in (W @ Q, W[[2, 0, 1]], -W):
        assert value_ratio(NORM_LOSS, f(moved), W.numpy()) <= 1
    assert set(f.DECLARES) == {"rotation_equivariant", "permutation_equivariant_rows", "is_prox_of_penalty"}
    unit = torch.eye(1, 5)
    assert f(0 * unit) > (f(unit) + f(-unit)) / 2
    for moved in (2 * W, W + 1):
        assert value_ratio(NORM_LOSS, f(moved), W.numpy()) > 1e6


def test_the_backward_keeps_the_norms_alone():
    """Beside the weight itself the backward keeps numbers of the rows, no copy."""
    assert saved_numbers(norm_loss, torch.tensor(normal(4, 50))) <= 4 * 4


def test_non_finite_weights_and_integers():
    """A NaN gives NaN, an infinity infinity, and nothing is looked at; integers are a TypeError."""
    W = torch.tensor(normal(2, 3))
    W[0, 1] = torch.nan
    assert bool(norm_loss(W).isnan())
    W[0, 1] = torch.inf
    assert not bool(norm_loss(W).isfinite())
    with pytest.raises(TypeError, match=r"floating|Float"):
        norm_loss(torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="finite"):
        reference.value(W.numpy())
    for step in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="step must"):
            reference.prox([[1.0]], step)
