"""Soft, double soft orthogonality, mutual coherence and SRIP: against balls, against each other, at ties and ends."""

import itertools
import random

import numpy as np
import pytest
import torch
from penalty_cases import (
    BY_DIFFERENCES,
    DTYPES,
    Penalty,
    by_differences,
    enclosed_differences,
    gradient_ratio,
    normal,
    saved_numbers,
    short,
    value_ratio,
    with_gradient,
    with_singular_values,
)

from wnverify.methods.spectral_restricted_isometry.pytorch import spectral_restricted_isometry
from wnverify.oracles.enclosures import to_float64
from wnverify.oracles.ratio import Ratio, map_model

SOFT, ROOT = (Penalty("soft_orthogonality", "SoftOrthogonality", {"squared": squared}) for squared in (True, False))
DOUBLE = Penalty("double_soft_orthogonality", "DoubleSoftOrthogonality")
COHERENCE = Penalty("mutual_coherence", "MutualCoherence")
ROW_SUM = Penalty("mutual_coherence", "MutualCoherence", {"norm": "row_sum"})
SRIP = Penalty("spectral_restricted_isometry", "SpectralRestrictedIsometry")


def by(penalty, side):
    return Penalty(penalty.id, penalty.name, {**penalty.options, "side": side})


EXACT = [
    *(by(penalty, side) for penalty in (SOFT, ROOT, COHERENCE, ROW_SUM, SRIP) for side in ("rows", "columns")),
    by(SRIP, "smaller"),
    DOUBLE,
]
ESTIMATES = [
    Penalty(SRIP.id, SRIP.name, {"side": side, "iterations": k, "seed": k})
    for side, k in itertools.product(("rows", "columns", "smaller"), (1, 2, 5))
]
SHAPES = [(1, 1), (1, 4), (4, 1), (3, 5), (5, 3)]
every_exact = pytest.mark.parametrize("penalty", EXACT, ids=str)
every = pytest.mark.parametrize("penalty", [*EXACT, *ESTIMATES], ids=str)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@every_exact
@every_shape
def test_value_and_gradient_lie_within_rounding_of_the_enclosure(penalty, shape):
    """NumPy and PyTorch agree with balls that hold the exact value and gradient, near orthonormality and far."""
    for scale in (0.3, 1.0, 3.0):
        W = normal(*shape) * scale
        right = float(penalty.enclosure.value(W, **penalty.options).mid())
        G = to_float64(penalty.enclosure.gradient(W, **penalty.options))
        for value, gradient in (
            (penalty.value(W), penalty.gradient(W)),
            with_gradient(penalty.module(), torch.tensor(W)),
        ):
            assert value_ratio(penalty, value, W, right=right) <= 1
            assert gradient_ratio(penalty, gradient, W, right=G) <= 1


@every_exact
@pytest.mark.parametrize("shape", [(2, 3), (3, 2)], ids=str)
def test_the_gradient_is_the_derivative_of_the_value(penalty, shape):
    """Differences of the enclosed value, which know no gradient formula, give the gradient."""
    W = normal(*shape)
    right = enclosed_differences(penalty.enclosure.value, W, **penalty.options)
    assert gradient_ratio(penalty, penalty.gradient(W), W, right=right) <= 1


@every
@pytest.mark.parametrize("dtype", DTYPES, ids=short)
@pytest.mark.parametrize("shape", [(5, 3), (12, 60)], ids=str)
def test_pytorch_agrees_with_numpy(penalty, dtype, shape):
    """Value and gradient in every dtype, of that dtype, within modelled rounding."""
    W = torch.tensor(normal(*shape) / 4).to(dtype)
    exact = W.double().numpy()
    value, G = with_gradient(penalty.module(0.5), W)
    assert value.dtype == G.dtype == dtype
    assert value_ratio(penalty, 2 * value.double(), exact, short(dtype)) <= 1
    assert gradient_ratio(penalty, 2 * G.double(), exact, short(dtype)) <= 1


@every
def test_derivatives_beyond_the_first(penalty):
    """The Hessian, by every nesting of modes, is the change of the reference's gradient; vmap gives one result each."""
    W, f = torch.tensor(normal(3, 4)), penalty.module()
    E = normal(3, 4, case="direction")
    right = by_differences(penalty.gradient, W.numpy(), E)
    for inner, outer in itertools.product((torch.func.jacrev, torch.func.jacfwd), repeat=2):
        found = torch.einsum("abcd,cd->ab", outer(inner(f))(W), torch.tensor(E))
        assert Ratio(float(np.abs(found.numpy() - right).max()), float(np.abs(right).max()), BY_DIFFERENCES).value <= 1
    batch = torch.tensor(normal(3, 3, 4, case="batch"))
    one_by_one = torch.stack([with_gradient(f, X)[1] for X in batch])
    together = torch.func.vmap(torch.func.grad(f))(batch)
    for k, X in enumerate(batch):
        assert gradient_ratio(penalty, together[k], X.numpy(), right=one_by_one[k].numpy()) <= 1


@every_shape
def test_double_soft_orthogonality_is_soft_orthogonality_twice(shape):
    """Both Gram matrices together: twice the one, plus d − n, and a gradient that is exactly twice as long."""
    W = normal(*shape)
    constant = shape[1] - shape[0]
    right = 2 * float(SOFT.enclosure.value(W).mid()) + constant
    assert value_ratio(DOUBLE, DOUBLE.value(W), W, right=right) <= 1
    assert gradient_ratio(DOUBLE, DOUBLE.gradient(W), W, right=2 * to_float64(SOFT.enclosure.gradient(W))) <= 1
    value, G = with_gradient(DOUBLE.module(), torch.tensor(W))
    assert value_ratio(DOUBLE, value, W, right=right) <= 1
    assert torch.equal(G, with_gradient(SOFT.module(2.0), torch.tensor(W))[1])


@every_shape
def test_the_sides_of_soft_orthogonality_differ_by_a_constant(shape):
    """‖Wᵀ W − I‖² − ‖W Wᵀ − I‖² = d − n in balls, and the two gradients are the same."""
    W = normal(*shape)
    rows, columns = by(SOFT, "rows"), by(SOFT, "columns")
    difference = rows.enclosure.value(W, side="columns") - rows.enclosure.value(W, side="rows")
    assert difference.contains(shape[1] - shape[0])
    assert gradient_ratio(rows, columns.gradient(W), W) <= 1


def test_equation_1_of_norm_loss_is_the_root_with_columns_for_units():
    """As printed, ‖Wᵀ W − I‖ without a square: the root of the penalty of the transposed weight."""
    W = normal(3, 5)
    printed = SOFT.reference.printed_value(W.T)
    assert value_ratio(ROOT, printed, W) <= 1
    assert value_ratio(SOFT, printed**2, W) <= 1
    assert value_ratio(SOFT, printed, W) > 1e6


def test_over_complete_rows_cannot_reach_zero():
    """With n > d soft orthogonality by rows is at least n − d, reached by orthonormal columns."""
    W = with_singular_values([1.0, 1.0], 5, 2)
    value, G = with_gradient(SOFT.module(), torch.tensor(W))
    assert value_ratio(SOFT, value, W, right=3.0) <= 1
    assert Ratio(float(G.abs().max()), 4.0, map_model("float64", 5)).value <= 1
    assert SOFT.value(W + 0.01 * normal(5, 2)) > 3.0


@pytest.mark.parametrize("penalty", [SOFT, ROOT, COHERENCE, ROW_SUM, SRIP, DOUBLE], ids=str)
def test_orthonormal_rows_are_the_minimum(penalty):
    """At W = I the penalty is 0 (the double one d − n) and its gradient exactly 0, the cones included."""
    value, G = with_gradient(penalty.module(), torch.eye(3, 5, dtype=torch.float64))
    assert float(value) == (2 if penalty is DOUBLE else 0)
    assert not G.any()
    assert not penalty.gradient(np.eye(3, 5)).any()


def test_srip_at_rows_that_are_orthonormal_to_rounding():
    """Eigenvalues of W Wᵀ − I that are rounding alone count as 0: the gradient is 0, not ± 2 W by the luck of it."""
    for shape in ((3, 5), (4, 4), (30, 40)):
        W = with_singular_values([1.0] * shape[0], *shape)
        assert not with_gradient(SRIP.module(), torch.tensor(W))[1].any()
        assert not SRIP.gradient(W).any()


@pytest.mark.parametrize("values", [[2.0, 2.0, 0.5], [3.0, 3.0, 3.0], [0.25, 0.25, 0.5], [0.1, 0.1, 0.1]], ids=str)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3)], ids=str)
def test_srip_at_repeated_singular_values(values, shape):
    """Tied eigenvalues share: NumPy and PyTorch agree, the gradient turns with W, and it is ± 2 U_k U_kᵀ W / k."""
    W = with_singular_values(values, *shape)
    penalty = by(SRIP, "smaller")
    G = penalty.gradient(W)
    _, found = with_gradient(penalty.module(), torch.tensor(W))
    size = max(values)
    model = map_model("float64", 5, condition=10.0)
    assert Ratio(float(np.abs(found.numpy() - G).max()), 2 * size, model).value <= 1
    Q = np.linalg.qr(normal(shape[1], shape[1], case="turn"))[0]
    assert Ratio(float(np.abs(penalty.gradient(W @ Q) - G @ Q).max()), 2 * size, model).value <= 1
    largest = max(abs(s * s - 1) for s in values)
    tied = [s for s in values if abs(abs(s * s - 1) - largest) < 1e-9]
    singular = np.linalg.svd(G, compute_uv=False)
    expected = sorted([2 * s / len(tied) for s in tied] + [0.0] * (3 - len(tied)), reverse=True)
    assert Ratio(float(np.abs(singular - expected).max()), 2 * size, model).value <= 1


def test_srip_with_both_ends_tied_takes_the_positive():
    """Where s² − 1 and 1 − s'² are equal the larger singular value is pulled in, in every form, as documented."""
    W = np.diag([1.5**0.5, 0.5**0.5, 1.0])
    for G in (SRIP.gradient(W), with_gradient(SRIP.module(), torch.tensor(W))[1].numpy()):
        right = np.diag([2 * 1.5**0.5, 0.0, 0.0])
        assert Ratio(float(np.abs(G - right).max()), float(right.max()), map_model("float64", 3)).value <= 1


def test_srip_by_rows_stands_still_for_tall_weights():
    """With n > d the missing rank gives σ ≥ 1: constant 1 and gradient 0 until a singular value passes √2."""
    small, large = with_singular_values([1.3, 0.2], 4, 2), with_singular_values([1.6, 0.2], 4, 2)
    for W, right in ((small, 1.0), (large, 1.6**2 - 1)):
        value, G = with_gradient(SRIP.module(), torch.tensor(W))
        assert value_ratio(SRIP, value, W, right=right) <= 1
        assert bool(G.any()) == (right > 1)
        assert gradient_ratio(SRIP, G, W) <= 1 if right > 1 else not SRIP.gradient(W).any()
    assert with_gradient(by(SRIP, "smaller").module(), torch.tensor(small))[1].any()


@pytest.mark.parametrize("shape", [(4, 7), (7, 4)], ids=str)
def test_the_estimate_of_srip_is_the_papers_and_never_above(shape):
    """iterations=2 is ‖v‖ / ‖u‖ of u = E v, v ← E u; no estimate passes σ, and many products reach it."""
    W = normal(*shape)
    E = W @ W.T - np.eye(len(W))
    sigma, model = float(np.linalg.norm(E, 2)), map_model("float64", 7, condition=10.0)
    for seed in range(5):
        exact = [spectral_restricted_isometry(torch.tensor(W), iterations=k, seed=seed) for k in (1, 2, 3, 200)]
        found = [float(x) for x in exact]
        assert all(Ratio(max(a - b, 0.0), b, model).value <= 1 for a, b in itertools.pairwise([*found, sigma]))
        assert Ratio(abs(found[-1] - sigma), sigma, model).value <= 1
        generator = random.Random(seed)
        v = np.array([generator.gauss(0.0, 1.0) for _ in range(len(W))])
        u = E @ v
        assert Ratio(abs(found[1] - float(np.linalg.norm(E @ u) / np.linalg.norm(u))), sigma, model).value <= 1


def test_the_estimate_of_srip_at_orthonormal_rows():
    """Where the product with W Wᵀ − I vanishes, value and gradient are 0, not 0 / 0."""
    for k in (1, 2, 3):
        value, G = with_gradient(lambda W, k=k: spectral_restricted_isometry(W, iterations=k), torch.eye(3, 5))
        assert float(value) == 0
        assert not G.any()


@pytest.mark.parametrize("norm", ["entry", "row_sum"])
def test_mutual_coherence_shares_exact_ties(norm):
    """Exactly tied entries (row sums) share the gradient equally; every share is that of one entry alone."""
    W = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    penalty = Penalty(COHERENCE.id, COHERENCE.name, {"norm": norm})
    for G in (penalty.gradient(W), with_gradient(penalty.module(), torch.tensor(W))[1].numpy()):
        assert np.array_equal(G, np.diag([2.0, 2.0, 0.0]))
    with pytest.raises(ValueError, match="not told apart"):
        penalty.enclosure.gradient(W, norm=norm)


def test_the_two_readings_of_mutual_coherence_differ():
    """The largest entry and the largest row sum are different functions, equal where one entry of a row is left."""
    W = normal(3, 5)
    entry, row_sum = COHERENCE.value(W), ROW_SUM.value(W)
    assert entry < row_sum
    E = np.abs(W @ W.T - np.eye(3))
    model = map_model("float64", 5)
    assert Ratio(abs(entry - float(E.max())), entry, model).value <= 1
    assert Ratio(abs(row_sum - float(np.linalg.norm(E, np.inf))), row_sum, model).value <= 1


@every
def test_what_is_declared_holds_and_what_is_not_fails(penalty):
    """Turning and reordering rows leave the value exactly where that is declared; no penalty is convex."""
    f, worst = penalty.module(), dict.fromkeys(("rotation_equivariant", "permutation_equivariant_rows"), 0.0)
    for n, d in ((4, 6), (6, 4)):
        W = torch.tensor(normal(n, d))
        Q = torch.tensor(np.linalg.qr(normal(d, d, case="rotation"))[0])
        for name, point in zip(worst, (W @ Q, W.flip(0)), strict=True):
            worst[name] = max(worst[name], value_ratio(penalty, f(point), W.numpy()))
    for name, ratio in worst.items():
        assert ratio <= 1 if f.DECLARES.get(name) else ratio > 1e6, name
    assert set(f.DECLARES) <= set(worst)
    for point in (2 * W, W + 1):
        assert value_ratio(penalty, f(point), W.numpy()) > 1e6
    frame = torch.eye(4, 4, dtype=torch.float64)
    assert f(0 * frame) > (f(frame) + f(-frame)) / 2


@pytest.mark.parametrize("penalty", [SOFT, ROOT, COHERENCE, SRIP, DOUBLE, ESTIMATES[1]], ids=str)
@pytest.mark.parametrize("shape", [(4, 60), (60, 4)], ids=str)
def test_the_backward_keeps_few_numbers(penalty, shape):
    """Beside the weight itself the backward keeps square matrices of the smaller side (coherence: of the rows)."""
    side = shape[0] if penalty is COHERENCE else 4
    kept = 8 * max(shape) if penalty is ESTIMATES[1] else 3 * side**2 + 8
    assert saved_numbers(penalty.module(), torch.tensor(normal(*shape))) <= kept


@every
def test_a_nan_is_not_hidden(penalty):
    """A NaN gives NaN, or a ValueError from the eigendecomposition; NumPy refuses it by name."""
    W = torch.tensor(normal(3, 4))
    W[1, 2] = torch.nan
    if penalty.id == SRIP.id and "iterations" not in penalty.options:
        with pytest.raises(ValueError, match="W must be finite"):
            penalty.module()(W)
    else:
        assert bool(penalty.module()(W).isnan())
    with pytest.raises(ValueError, match=r"W\[1, 2\] = nan"):
        penalty.value(W.numpy())


def test_wrong_arguments_are_refused():
    """An unknown side or norm, or a count of iterations that is none, is a ValueError that names the argument."""
    W = np.eye(2)
    for penalty, options, name in (
        (SOFT, {"side": "left"}, "side"),
        (COHERENCE, {"side": "smaller"}, "side"),
        (COHERENCE, {"norm": "inf"}, "norm"),
        (SRIP, {"side": "left"}, "side"),
        (SRIP, {"iterations": 0}, "iterations"),
        (SRIP, {"iterations": 1.5}, "iterations"),
        (SRIP, {"iterations": True}, "iterations"),
    ):
        wrong = Penalty(penalty.id, penalty.name, options)
        for call in (wrong.module, lambda wrong=wrong: wrong.value(W), lambda wrong=wrong: wrong.gradient(W)):
            with pytest.raises((ValueError, TypeError), match=name):
                call()
