"""L1, group lasso, exclusive sparsity and their combination: values, gradients and proximal operators by certificate.

The certificate of a prox is its optimality condition, W − X ∈ step ∂f(X), group by group, by mathematics alone.
"""

import itertools
from fractions import Fraction

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

from wnverify.methods.combined_group_exclusive_sparsity import reference as cges
from wnverify.methods.combined_group_exclusive_sparsity.pytorch import combined_sparsity_prox
from wnverify.methods.exclusive_sparsity import reference as exclusive
from wnverify.methods.exclusive_sparsity.pytorch import exclusive_sparsity_prox
from wnverify.methods.group_lasso.pytorch import group_lasso_prox
from wnverify.methods.norm_loss.pytorch import norm_loss_prox
from wnverify.oracles.enclosures import distance, to_float64
from wnverify.oracles.ratio import Ratio, map_model

CGES = "combined_group_exclusive_sparsity"
L1 = Penalty("l1_penalty", "L1Penalty")
LASSO = [
    Penalty("group_lasso", "GroupLasso", o)
    for o in ({}, {"group": "columns"}, {"sized": True}, {"group": "columns", "sized": True})
]
EXCLUSIVE = [Penalty("exclusive_sparsity", "ExclusiveSparsity", o) for o in ({}, {"group": "rows"})]
COMBINED = [
    Penalty(CGES, "CombinedGroupExclusiveSparsity", o)
    for o in ({}, {"mu": 0.8, "lasso_group": "rows", "exclusive_group": "rows"}, {"mu": 0.0}, {"mu": 1.0})
]
MIXED = Penalty(CGES, "CombinedGroupExclusiveSparsity", {"lasso_group": "rows"})
PROXIMAL = [L1, *LASSO, *EXCLUSIVE, *COMBINED]
every = pytest.mark.parametrize("penalty", [*PROXIMAL, MIXED], ids=str)
every_prox = pytest.mark.parametrize("penalty", PROXIMAL, ids=str)
SHAPES = [(1, 1), (1, 5), (4, 1), (3, 6)]
STEPS = [5e-324, 1e-300, 1e-9, 0.03, 0.5, 4.0, 1e6, 1e300]
HARD = {
    "ordinary": normal(4, 6),
    "ties": np.repeat([[2.0, -2.0, 1.0, 1.0]], 3, axis=0),
    "zeros": np.zeros((3, 4)),
    "zero groups": np.array([[0.0, 0.0, 0.0], [1.0, 0.0, -2.0], [3.0, 0.0, 0.0]]),
    "one entry": np.array([[-3.0]]),
    "many scales": normal(5, 7) * np.logspace(-9, 9, 7),
}


def parts(penalty):
    """(weight of Σ|x|, of Σ_g ‖x_g‖₂, of ½ Σ_g ‖x_g‖₁², the axis that a group runs along, sized)."""
    options = penalty.options
    if penalty.id == CGES:
        mu, group = options.get("mu", 0.5), options.get("exclusive_group", "columns")
        return 0.0, 1 - mu, mu, group, False
    if penalty.id == "exclusive_sparsity":
        return 0.0, 0.0, 1.0, options.get("group", "columns"), False
    if penalty.id == "group_lasso":
        return 0.0, 1.0, 0.0, options.get("group", "rows"), options.get("sized", False)
    return 1.0, 0.0, 0.0, "rows", False


def certificate(penalty, W, X, step, dtype="float64"):
    """The worst ratio over the groups of the distance of (W − X) from step ∂f(X).

    What is excused: rounding of w, and what rounding x by as much changes in step ∂f(x), its curvature included.
    """
    single, block, squares, group, sized = parts(penalty)
    W, X = (np.asarray(Y, dtype=np.float64) for Y in (W, X))
    if group == "columns":
        W, X = W.T, X.T
    if not np.isfinite(X).all():
        return np.inf
    worst = 0.0
    for w, x in zip(W, X, strict=True):
        size, length = float(np.abs(x).sum()), float(np.linalg.norm(x))
        alpha = step * block * (np.sqrt(len(w)) if sized else 1.0)
        flat = step * single + step * squares * size
        y = w - x
        if length > 0:
            aside = y - alpha * x / length
            missed = np.where(x != 0, aside - flat * np.sign(x), np.maximum(np.abs(aside) - flat, 0.0))
            missed = float(np.linalg.norm(missed))
            curvature = step * squares * np.count_nonzero(x) + alpha / length
        else:
            missed = max(float(np.linalg.norm(np.maximum(np.abs(y) - flat, 0.0))) - alpha, 0.0)
            curvature = 0.0
        model = map_model(dtype, len(w), condition=1 + min(curvature, 1e12), roundings=8)
        worst = max(worst, Ratio(missed, float(np.linalg.norm(w)) or 1.0, model).value)
    return worst


@every
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradient_lie_within_rounding_of_the_enclosure(penalty, shape):
    """NumPy agrees with balls that hold the exact value and gradient, the balls' gradient with differences."""
    W = normal(*shape)
    right = to_float64(penalty.enclosure.gradient(W, **penalty.options))
    assert (
        value_ratio(penalty, penalty.value(W), W, right=float(penalty.enclosure.value(W, **penalty.options).mid())) <= 1
    )
    assert gradient_ratio(penalty, penalty.gradient(W), W, right=right) <= 1
    by_differences = enclosed_differences(penalty.enclosure.value, W, **penalty.options)
    assert (
        distance(penalty.enclosure.gradient(W, **penalty.options), by_differences).max()
        <= 2.0**-45 * np.abs(right).max()
    )


@every
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, (24, 30)], ids=str)
def test_pytorch_agrees_with_the_reference(penalty, shape, dtype):
    """Value and gradient in every dtype are within modelled rounding of NumPy; the value has the weight's dtype."""
    W = torch.tensor(normal(*shape) / 4).to(dtype)
    value, G = with_gradient(penalty.module(), W)
    exact = W.double().numpy()
    assert value.dtype == G.dtype == dtype
    assert value_ratio(penalty, value, exact, short(dtype)) <= 1
    assert gradient_ratio(penalty, G, exact, short(dtype)) <= 1


@every
def test_zero_groups_and_entries_have_the_least_subgradient(penalty):
    """At zero entries and groups the gradient is 0 in both forms, with second derivatives that are no NaN."""
    W = torch.tensor(HARD["zero groups"]).requires_grad_()
    (G,) = torch.autograd.grad(penalty.module()(W), W, create_graph=True)
    (H,) = torch.autograd.grad((G * torch.tensor(normal(3, 3))).sum() + 0 * W.sum(), W)
    assert not G[W == 0].any()
    assert not penalty.gradient(HARD["zero groups"])[HARD["zero groups"] == 0].any()
    assert bool(H.isfinite().all())
    value, gradient = with_gradient(penalty.module(), torch.zeros(3, 4))
    assert float(value) == 0
    assert not gradient.any()


@every
def test_a_penalty_beyond_half_range_is_finite_with_its_factor(penalty):
    """In float16 a sum above 65504 does no harm where factor × sum is below."""
    W = torch.full((200, 400), 4.0, dtype=torch.float16)
    factor = 2000 / penalty.value(W.double().numpy())
    assert bool(penalty.module(factor)(W).isfinite())


@every
def test_the_backward_keeps_the_weight_and_numbers_of_the_groups(penalty):
    """Beside the weight itself no more than a few numbers a group is kept."""
    assert saved_numbers(penalty.module(), torch.tensor(normal(30, 40))) <= 6 * 40


@every_prox
@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize("name", HARD)
def test_the_proximal_point_is_certified(penalty, name, dtype):
    """NumPy and PyTorch satisfy the optimality condition from step → 0 to step → ∞, at ties, zeros and many scales."""
    W = torch.tensor(HARD[name]).to(dtype)
    exact = W.double().numpy()
    for step in STEPS:
        if dtype == torch.float32:
            step = min(step, 1e30)  # at 10^300 the point is below the smallest number
        assert certificate(penalty, W, penalty.module().prox(W, step), step, short(dtype)) <= 1
        assert certificate(penalty, exact, penalty.reference.prox(exact, step, **penalty.options), step) <= 1


@every_prox
@pytest.mark.parametrize("name", HARD)
def test_both_forms_find_the_same_point(penalty, name):
    """PyTorch and NumPy agree within rounding of the largest entry of a group, the factor counting as step."""
    W = HARD[name]
    for step in STEPS:
        found = penalty.module(0.5).prox(torch.tensor(W), 2 * min(step, 1e299)).numpy()
        right = penalty.reference.prox(W, min(step, 1e299), **penalty.options)
        size = np.abs(W).max(axis=1 if parts(penalty)[3] == "rows" else 0, keepdims=True)
        far = np.abs(found - right) / np.where(size > 0, size, 1.0)
        assert Ratio(float(far.max()), 1.0, map_model("float64", max(W.shape))).value <= 1


@every_prox
def test_step_0_and_factor_0_are_the_identity(penalty):
    """Nothing moves for step 0 or factor 0, bit for bit, and a step below 0 is a ValueError."""
    W = torch.tensor(normal(3, 5))
    assert torch.equal(penalty.module().prox(W, 0.0), W)
    assert torch.equal(penalty.module(0.0).prox(W, 3.0), W)
    for call in (lambda: penalty.module().prox(W, -1.0), lambda: penalty.reference.prox(W, -1.0)):
        with pytest.raises(ValueError, match="step must"):
            call()


@pytest.mark.parametrize("step", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("prox", [exclusive_sparsity_prox, combined_sparsity_prox, group_lasso_prox, norm_loss_prox])
def test_a_function_refuses_a_step_as_its_penalty_does(prox, step):
    """The function alone names a step that is below 0 or not finite."""
    with pytest.raises(ValueError, match="step must be finite and at least 0"):
        prox(torch.ones(2, 2), step)


@pytest.mark.parametrize("step", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("value", [1.79e308, 1.0])
def test_exclusive_prox_of_ties_at_the_end_of_the_range(value, step):
    """k equal entries w become w / (1 + k step), also where their sum overflows, beside an ordinary column."""
    W = np.full((3, 2), value)
    W[:, 1] = [1.0, -1.0, 1.0]
    right = W / (1 + 3 * step)
    for found in (exclusive_sparsity_prox(torch.tensor(W), step).numpy(), exclusive.prox(W, step)):
        far = np.abs(found / right - 1).max()
        assert Ratio(float(far), 1.0, map_model("float64", 3)).value <= 1


@every_prox
@pytest.mark.parametrize("step", [0.2, 1.0])
def test_no_solver_finds_a_better_point(penalty, step):
    """SLSQP from several starts, with x = p − q, p, q ≥ 0, reaches no lower objective than the proximal point."""
    W = normal(2, 3, case="solver")
    ours = penalty.reference.prox(W, step, **penalty.options)

    def objective(x):
        return ((x - W) ** 2).sum() / 2 + step * penalty.value(x)

    def of_split(z):
        return objective((z[:6] - z[6:]).reshape(2, 3))

    starts = [W, ours + 0.1, 0.5 * W]
    found = [
        minimize(
            of_split,
            np.concatenate([np.maximum(s.ravel(), 0.0), np.maximum(-s.ravel(), 0.0)]),
            method="SLSQP",
            bounds=[(0, None)] * 12,
            options={"ftol": 1e-13, "maxiter": 300},
        ).fun
        for s in starts
    ]
    excess = max(objective(ours) - min(found), 0.0)
    assert Ratio(excess, objective(ours), map_model("float64", W.size)).value <= 1
    assert min(found) - objective(ours) < 1e-4 * objective(ours)


@pytest.mark.parametrize("step", [0.01, 0.3, 5.0])
def test_exclusive_prox_against_every_active_set(step):
    """θ = step S_k / (1 + step k): no active set has a point of lower objective, in rational numbers."""
    w, t = [Fraction(float(x)) for x in normal(1, 6, case="sets")[0]], Fraction(step)
    best = None
    for size in range(7):
        for active in itertools.combinations(range(6), size):
            theta = t * sum(abs(w[j]) for j in active) / (1 + t * size)
            x = [(abs(y) - theta) * (1 if y > 0 else -1) if j in active else Fraction(0) for j, y in enumerate(w)]
            cost = sum((a - b) ** 2 for a, b in zip(x, w, strict=True)) / 2 + t * sum(map(abs, x)) ** 2 / 2
            best = min(best or (cost, x), (cost, x))
    found = exclusive.prox([[float(x) for x in w]], step, group="rows")[0]
    missed = max(float(abs(Fraction(float(a)) - b)) for a, b in zip(found, best[1], strict=True))
    assert Ratio(missed, float(max(map(abs, w))), map_model("float64", 6)).value <= 1


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize("penalty", [L1, LASSO[0], EXCLUSIVE[1], COMBINED[1]], ids=str)
def test_a_million_entries_in_a_group(penalty, dtype):
    """One group of 10^6 entries passes the certificate."""
    W = torch.tensor(normal(1, 10**6)).to(dtype)
    for step in (1e-7, 0.01):
        assert certificate(penalty, W, penalty.module().prox(W, step), step, short(dtype)) <= 1


@pytest.mark.parametrize("module", [exclusive, cges], ids=["exclusive", "combined"])
def test_the_printed_prox_is_right_to_first_order_only(module):
    """Halving the step quarters its error, its certificate fails, and from step 1 (μ = 1) on every group is lost."""
    W, penalty = normal(3, 4), EXCLUSIVE[0] if module is exclusive else COMBINED[0]
    wrong = [np.linalg.norm(module.printed_prox(W, t) - module.prox(W, t)) for t in (1e-3, 5e-4)]
    assert 3.5 < wrong[0] / wrong[1] < 4.5
    assert certificate(penalty, W, module.printed_prox(W, 0.1), 0.1) > 10
    assert not exclusive.printed_prox(W, 1.0).any()
    assert exclusive.prox(W, 1e6).any(axis=0).all()
    assert exclusive.printed_prox([[3.0]], 0.5)[0, 0] == 1.5
    assert exclusive.prox([[3.0]], 0.5)[0, 0] == 2.0


def test_composing_the_two_operators_is_not_the_prox_of_the_sum():
    """In either order, on equal groups, the certificate refutes the composition; the error is of second order.

    For μ = 0 and μ = 1 one of the two is the identity, and the composition right.
    """
    W, penalty = normal(4, 5), COMBINED[0]

    def lasso_last(t):
        alone = exclusive.prox(W, t / 2)
        return cges.sequential_prox(alone, t / 2, mu=0.0)

    for composed in (lambda t: cges.sequential_prox(W, t), lasso_last):
        assert certificate(penalty, W, composed(0.1), 0.1) > 10
        wrong = [np.linalg.norm(composed(t) - cges.prox(W, t)) for t in (1e-3, 5e-4)]
        assert 3.5 < wrong[0] / wrong[1] < 4.5
    for mu, exact in zip((0.0, 1.0), COMBINED[2:], strict=True):
        assert certificate(exact, W, cges.sequential_prox(W, 0.3, mu=mu), 0.3) <= 1


def test_different_groups_have_no_closed_prox():
    """With different groups prox is refused in both forms and not declared; the sequential one is there and agrees."""
    module, W = MIXED.module(), normal(3, 4)
    assert "is_prox_of_penalty" not in module.DECLARES
    assert "is_prox_of_penalty" in COMBINED[0].module().DECLARES
    for call in (lambda: module.prox(torch.tensor(W), 0.1), lambda: MIXED.reference.prox(W, 0.1, **MIXED.options)):
        with pytest.raises(ValueError, match="sequential_prox"):
            call()
    found = module.sequential_prox(torch.tensor(W), 0.3).numpy()
    missed = float(np.abs(found - cges.sequential_prox(W, 0.3, **MIXED.options)).max())
    assert Ratio(missed, float(np.abs(W).max()), map_model("float64", 4)).value <= 1


def test_only_what_holds_is_declared():
    """A rotation of the inputs leaves Σ ‖w_i‖ over rows alone, over columns not."""
    assert "rotation_equivariant" in LASSO[0].module().DECLARES
    assert "rotation_equivariant" not in LASSO[1].module().DECLARES
    W, Q = torch.tensor(normal(3, 4)), torch.linalg.qr(torch.tensor(normal(4, 4)))[0]
    assert abs(float(LASSO[1].module()(W @ Q) - LASSO[1].module()(W))) > 0.01


def test_mixing_grows_linearly_over_the_layers():
    """μ_l = m + (1 − 2m) l / (L − 1): m at the first layer, 1 − m at the last, ½ for one alone; the template stays."""
    template = COMBINED[0].module(0.25)
    made = [template.at(index, 5) for index in range(5)]
    for index, layer in enumerate(made):
        assert layer.mu == cges.mixing(index, 5)
        assert layer.factor == 0.25
    assert made[0].mu == 0.2
    assert Ratio(abs(made[-1].mu - 0.8), 0.8, map_model("float64", 1)).value <= 1
    assert template.at(0, 1).mu == cges.mixing(0, 1) == template.mu == 0.5


@every_prox
def test_layouts_are_followed(penalty):
    """A transposed convolution's weight is penalised and moved as the matrix of its output units."""
    weight = torch.tensor(normal(4, 3, 2, 2))  # groups 2: four inputs, six outputs
    module = penalty.module(dim=1, groups=2)
    rows = weight.reshape(2, 2, 3, 2, 2).transpose(1, 2).reshape(6, 8)
    plain = penalty.module()
    assert float(module(weight)) == float(plain(rows))
    moved = module.prox(weight, 0.2).reshape(2, 2, 3, 2, 2).transpose(1, 2).reshape(6, 8)
    assert torch.equal(moved, plain.prox(rows, 0.2))


def test_wrong_arguments_are_named():
    """An unknown group, a μ or m beyond [0, 1] and integers are refused by name."""
    for penalty, option in ((LASSO[0], "group"), (EXCLUSIVE[0], "group"), (COMBINED[0], "lasso_group")):
        for call in (
            lambda p=penalty, o=option: type(p.module())(**{o: "row"}),
            lambda p=penalty, o=option: p.reference.value([[1.0]], **{o: "row"}),
        ):
            with pytest.raises(ValueError, match="must be one of rows, columns; got 'row'"):
                call()
    for options in ({"mu": 1.5}, {"m": -0.1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            type(COMBINED[0].module())(**options)
    for penalty in PROXIMAL:
        with pytest.raises(TypeError):
            penalty.module()(torch.ones(2, 2, dtype=torch.int64))


@pytest.mark.parametrize("penalty", [EXCLUSIVE[0], COMBINED[0]], ids=str)
def test_non_finite_weights(penalty):
    """A non-finite entry makes the value non-finite, and is refused by the proximal operator, which would spread it."""
    W = torch.tensor([[1.0, float("nan")], [2.0, 1.0]])
    assert not bool(penalty.module()(W).isfinite())
    with pytest.raises(ValueError, match="V must be finite"):
        penalty.module().prox(W, 0.1)
