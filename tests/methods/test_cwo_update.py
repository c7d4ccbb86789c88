"""The sphere-and-centring update: equation 9's minimiser, and how far the printed update is from it."""

import numpy as np
import pytest
import torch
from constraint_cases import CWO, OPTIMISERS, STEPS, block_of, given, mean_ratio, rows_of
from method_cases import normal, ratio
from scipy import optimize
from torch import nn

from wnverify.methods.constrained_weight_optimization import reference
from wnverify.methods.constrained_weight_optimization.pytorch import sphere_zero_mean_rows
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import ErrorModel, Ratio

SLSQP_FINDS = ErrorModel(1e-6, "SLSQP stops where the objective changes by less than 1e-12 of itself")


def run_cwo(update, optimiser, *, centred, dtype="float64", steps=STEPS):
    """The worst ratio of the row means after some steps, from a start with or without row means of zero."""
    block = block_of(nn.Linear(12, 4), dtype)
    optimizer = OPTIMISERS[optimiser]([block.weight])
    if centred:
        CWO.constraint().attach(optimizer, [block]).remove()
    CWO.made(update=update).attach(optimizer, [block])
    for step in range(steps):
        given(block, step)
        optimizer.step()
    return rows_of(block), mean_ratio(rows_of(block).double().numpy(), dtype)


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "nesterov", "decay"])
def test_the_printed_update_is_exact_from_zero_mean(optimiser):
    """From rows of zero mean Algorithm 1 and the projection agree for optimisers that are linear in the gradient."""
    exact, printed = (run_cwo(update, optimiser, centred=True)[0] for update in ("projection", "printed"))
    assert ratio(printed, exact, "float64", 12, scale=2**0.5, condition=4.0 * STEPS) <= 1


@pytest.mark.parametrize(
    ("optimiser", "centred"), [("sgd", False), ("decay", False), ("adam", True), ("adamw", True), ("rmsprop", True)]
)
def test_the_printed_update_keeps_a_mean(optimiser, centred):
    """A start with row means, or an optimiser that divides entry by entry, leaves the set of equation 2; the
    projection does not."""
    assert run_cwo("printed", optimiser, centred=centred)[1] > 1e6
    assert run_cwo("projection", optimiser, centred=centred)[1] <= 1


def test_the_printed_update_drifts():
    """Rounding of the means adds up over three hundred printed updates in bfloat16, and not over projections."""
    drifted, held = (
        run_cwo(update, "sgd", centred=True, dtype="bfloat16", steps=300)[0] for update in ("printed", "projection")
    )
    means = [float(W.double().mean(1).abs().max()) for W in (drifted, held)]
    assert means[0] > 4 * means[1]


def point(case, n=3, d=6, mean=0.0):
    """W with the given row means, and a gradient with row means of its own."""
    W = normal(n, d, case=f"weight {case}")
    return W - W.mean(axis=1, keepdims=True) + mean, normal(n, d, case=f"gradient {case}") + 0.5


@pytest.mark.parametrize("c", [1e-6, 1.0, 2.0, 50.0])
@pytest.mark.parametrize("mean", [0.0, 0.7])
def test_the_solution_minimises_equation_9(mean, c):
    """A certificate that needs no search, for any start: no nearer point to W − α G has ‖w‖² = c and 1ᵀw = 0."""
    W, G = point("certified", mean=mean)
    solved = reference.solution(W, G, 0.3, c)
    assert certificate("sphere_zero_mean_rows", W - 0.3 * G, solved, radius=c**0.5).ratio <= 1


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("mean", [0.0, 0.7])
def test_the_solution_is_what_a_solver_finds(mean, d):
    """SLSQP from several starts, given only equation 9 and its two constraints, finds no other nearest point."""
    W, G = point("solver", n=1, d=d, mean=mean)
    x, solved = (W - 0.3 * G)[0], reference.solution(W, G, 0.3, 2.0)[0]
    constraints = [
        {"type": "eq", "fun": lambda w: w @ w - 2.0, "jac": lambda w: 2 * w},
        {"type": "eq", "fun": lambda w: w.sum(), "jac": np.ones_like},
    ]
    found = [
        optimize.minimize(
            lambda w: ((w - x) ** 2).sum(),
            start,
            jac=lambda w: 2 * (w - x),
            method="SLSQP",
            constraints=constraints,
            options={"ftol": 1e-12, "maxiter": 500},
        )
        for start in normal(6, d, case="starts")
    ]
    best = min((result for result in found if result.success), key=lambda result: result.fun)
    assert Ratio(float(np.linalg.norm(best.x - solved)), 2**0.5, SLSQP_FINDS).value <= 1


def test_equation_11_is_the_minimiser_from_zero_mean():
    """With 1ᵀw = 0 before the step the printed update is the exact minimiser."""
    W, G = point("equal")
    assert ratio(reference.printed_update(W, G, 0.3), reference.solution(W, G, 0.3), "float64", 6, scale=1.5) <= 1


def test_equation_11_is_no_minimiser_with_a_mean():
    """w = (3, 1), ∇L = 0, c = 2: equation 11 keeps the mean 2 / √5, equation 9 has (1, −1)."""
    W, G = np.array([[3.0, 1.0]]), np.zeros((1, 2))
    printed, solved = reference.printed_update(W, G, 1.0, 2.0), reference.solution(W, G, 1.0, 2.0)
    assert ratio(printed, np.array([[3.0, 1.0]]) / 5**0.5, "float64", 2) <= 1
    assert ratio(solved, np.array([[1.0, -1.0]]), "float64", 2) <= 1
    judged = certificate("sphere_zero_mean_rows", W, printed, radius=2**0.5)
    assert judged.feasibility.value > 1e6
    assert ratio((printed * printed).sum(axis=1, keepdims=True), [[2.0]], "float64", 2) <= 1


def test_equations_12_to_14_leave_out_the_radius():
    """As printed they give rows of norm 1 for every c; with √c in both coefficients they are equation 11."""
    W, G = point("coefficients")
    for c in (0.5, 1.0, 2.0, 9.0):
        eq11 = reference.printed_update(W, G, 0.3, c)
        assert ratio(reference.eq12(W, G, 0.3, c), eq11, "float64", 6, scale=c**0.5, condition=4.0) <= 1
        printed = reference.printed_eq12(W, G, 0.3)
        assert ratio(np.linalg.norm(printed, axis=1), np.ones(3), "float64", 6, condition=4.0) <= 1
        off = ratio(printed, eq11, "float64", 6, scale=c**0.5, condition=4.0)
        assert off <= 1 if c == 1.0 else off > 1e6


def test_the_coefficients_by_hand():
    """w = (4, −4)/√2, g = (√2, 0), α = 1, c = 2: w̃ = (3, −3)/√2 has norm 3, so β = 1 − √2/3 and α' = √2/3."""
    W, G = np.array([[4.0, -4.0]]) / 2**0.5, np.array([[2**0.5, 0.0]])
    beta, alpha = reference.coefficients(W, G, 1.0, 2.0)
    assert ratio([beta[0, 0], alpha[0, 0]], [1 - 2**0.5 / 3, 2**0.5 / 3], "float64", 2) <= 1
    beta, alpha = reference.printed_coefficients(W, G, 1.0)
    assert ratio([beta[0, 0], alpha[0, 0]], [2 / 3, 1 / 3], "float64", 2) <= 1


@pytest.mark.parametrize(
    ("W", "G", "place"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [3.0, 4.0]], r"V\[1, :\]"),
        ([[1.0, 2.0], [5.0, 3.0]], [[0.0, 0.0], [2.0, 0.0]], r"V\[1, :\]"),
        ([[1.0], [2.0]], [[1.0], [1.0]], "d = 1"),
    ],
)
def test_equation_9_without_a_unique_solution_is_refused(W, G, place):
    """Where W − α G is constant in a row every point of the set is as near: ValueError with the row."""
    with pytest.raises(ValueError, match=place):
        reference.solution(W, G, 1.0)


@pytest.mark.parametrize("c", [0.0, -1.0, float("inf"), float("nan")])
def test_the_squared_radius_is_checked(c):
    """c must be a positive finite number: ValueError in every form, TypeError for what is none."""
    with pytest.raises(ValueError, match="c must be a finite squared radius above 0"):
        CWO.made(c=c)
    with pytest.raises(ValueError, match="c must be a finite squared radius above 0"):
        sphere_zero_mean_rows(torch.tensor([[1.0, 2.0]]), c=c)
    with pytest.raises(ValueError, match="c must be a finite squared radius above 0"):
        reference.project([[1.0, 2.0]], c=c)
    for wrong in (True, "2"):
        with pytest.raises(TypeError):
            CWO.made(c=wrong)
        with pytest.raises(TypeError):
            sphere_zero_mean_rows(torch.tensor([[1.0, 2.0]]), c=wrong)


def test_declarations_follow_the_arguments():
    """Radius, set and zero means are declared as c and update have them; the class itself stays the default's."""
    assert CWO.made(c=9.0).SET == {"name": "sphere_zero_mean_rows", "radius": 3.0}
    assert CWO.made(c=9.0).DECLARES["constant_norm_rows"] == 3.0
    assert "unit_norm_rows" in CWO.made(c=1.0).DECLARES
    printed = CWO.made(update="printed")
    assert printed.SET["name"] == "sphere_rows"
    assert not {"zero_mean_rows", "gradient_zero_mean", "shift_invariant_rows"} & set(printed.DECLARES)
    assert CWO.made.SET["name"] == "sphere_zero_mean_rows"
    assert "zero_mean_rows" in CWO.made.DECLARES
    with pytest.raises(ValueError, match="update must be one of projection, printed"):
        CWO.made(update="exact")
    with pytest.raises(ValueError, match="update must be"):
        reference.project([[1.0, 2.0]], update="exact")
    assert repr(printed) == "ConstrainedWeightOptimization(every=1, c=2.0, update='printed')"
