"""Row norms, Gram matrices and the leading eigenvalue: derivatives up to the third, batches, ties."""

import doctest

import numpy as np
import pytest
import torch

from wnverify.finding import seed_of
from wnverify.methods.norm_loss.pytorch import norm_loss_prox
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model
from wnverify.primitives import gram as gram_module
from wnverify.primitives import leading as leading_module
from wnverify.primitives.gram import facing, gram, identity_defect, product, row_norms, smaller
from wnverify.primitives.leading import half_square, leading


def normal(*shape, case=""):
    return torch.tensor(np.random.default_rng(seed_of("gram", shape, case)).standard_normal(shape))


def spectral(W):
    lam, P = leading(gram(W))
    return half_square(W, P, lam / 2)


def restricted(W):
    return leading(identity_defect(W), absolute=True, shift=1.0)[0]


# Each beside the same function in plain operations, with the weight at which it is looked at.
FUNCTIONS = {
    "row_norms": (
        lambda W: ((1 - row_norms(W)) ** 3).sum((-2, -1)),
        lambda W: ((1 - W.norm(dim=-1)) ** 3).sum(-1),
        1.0,
    ),
    "gram": (lambda W: gram(W).pow(3).sum((-2, -1)), lambda W: (W @ W.mT).pow(3).sum((-2, -1)), 1.0),
    "product": (lambda W: product(W, W.mT).sin().sum((-2, -1)), lambda W: (W @ W.mT).sin().sum((-2, -1)), 1.0),
    "largest": (spectral, lambda W: torch.linalg.matrix_norm(W, 2) ** 2 / 2, 1.0),
    "above": (restricted, lambda W: torch.linalg.matrix_norm(identity_defect(W), 2), 1.0),
    "below": (restricted, lambda W: torch.linalg.matrix_norm(identity_defect(W), 2), 0.2),
}
every = pytest.mark.parametrize(("found", "plain", "scale"), FUNCTIONS.values(), ids=FUNCTIONS)


OF_A_FUNCTION = 64.0
"""By how much rounding of a Gram matrix of these weights may grow in the derivatives of a function of it."""
DIFFERENCED = ErrorModel(2.0**-20, "central differences with a step of 1e-5: its square, and rounding over it")


def near(A, B, model=None, condition=1.0):
    model = map_model("float64", 12, condition=condition) if model is None else model
    return Ratio(float((A - B).norm()), float(B.norm()), model).value <= 1


@every
def test_value_gradient_and_hessian_are_those_of_plain_operations(found, plain, scale):
    """Every nesting of forward and reverse mode gives what torch gives for the same function of plain operations."""
    W = scale * normal(3, 4)
    assert near(found(W), plain(W), condition=OF_A_FUNCTION)
    for mode in (torch.func.jacrev, torch.func.jacfwd):
        assert near(mode(found)(W), torch.func.jacrev(plain)(W), condition=OF_A_FUNCTION)
        for outer in (torch.func.jacrev, torch.func.jacfwd):
            assert near(outer(mode(found))(W), torch.func.hessian(plain)(W), condition=OF_A_FUNCTION)


@every
def test_the_third_derivative_is_the_change_of_the_hessian(found, plain, scale):
    """The third derivative along a direction, forward and reverse, agrees with differences of the Hessian."""
    W, E, step = scale * normal(3, 3), normal(3, 3, case="direction"), 1e-5 * scale
    hessian = torch.func.hessian(found)
    right = (hessian(W + step * E) - hessian(W - step * E)) / (2 * step)
    forward = torch.func.jvp(hessian, (W,), (E,))[1]
    backward = torch.einsum("abcdef,ef->abcd", torch.func.jacrev(torch.func.jacrev(torch.func.jacrev(found)))(W), E)
    assert near(forward, right, DIFFERENCED)
    assert near(backward, forward, condition=OF_A_FUNCTION)


@every
def test_batches_and_vmap_give_one_result_each(found, plain, scale):
    """A leading axis, mapped or not, gives the values and gradients of its members."""
    batch = scale * normal(3, 2, 4, case="batch")
    right = torch.stack([plain(W) for W in batch])
    assert near(found(batch), right, condition=OF_A_FUNCTION)
    assert near(torch.func.vmap(found)(batch), right, condition=OF_A_FUNCTION)
    gradients = torch.stack([torch.func.grad(plain)(W) for W in batch])
    assert near(torch.func.vmap(torch.func.grad(found))(batch), gradients, condition=OF_A_FUNCTION)
    assert near(torch.func.vmap(found, in_dims=2)(batch.movedim(0, 2)), right, condition=OF_A_FUNCTION)


def test_row_norms_at_every_scale():
    """Norms and directions are right from 1e-300 to 1e300, and 0 with gradient 0 at a zero row."""
    W = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    for scale in (2.0**-1000, 2.0**-500, 1.0, 2.0**1000):
        leaf = (scale * W).requires_grad_()
        r = row_norms(leaf)
        (U,) = torch.autograd.grad(r.sum(), leaf)
        assert float(r.detach()) == 5 * scale
        assert near(U, W / 5)
    leaf = torch.zeros(1, 2, requires_grad=True)
    assert not torch.autograd.grad(row_norms(leaf).sum(), leaf)[0].any()


def test_norms_of_float32_rows_carry_float64_digits():
    """Norms are float64 for float32 weights: squares of float32 neither overflow nor lose a bit there."""
    W = torch.tensor([[3e30, 4e30]])
    r = row_norms(W)
    assert r.dtype == torch.float64
    assert near(r, W.double().norm(dim=-1, keepdim=True))


@pytest.mark.parametrize("exponent", [-149, -140, -126, 0, 127])
def test_directions_of_float32_rows_whose_norm_float32_does_not_hold(exponent):
    """Gradient and tangent are right where a norm is subnormal and has few bits, and where it is beyond the largest."""
    K = torch.tensor([[1.0, 1, 0, -1, 1], [1, -1, 1, 1, 1]]).double()
    W = (K * 2.0**exponent).float().requires_grad_()
    right = K / K.norm(dim=1, keepdim=True)
    r = row_norms(W)
    (U,) = torch.autograd.grad(r.sum(), W)
    _, slope = torch.func.jvp(row_norms, (W.detach(),), (torch.ones_like(W),))
    model = map_model("float32", 5)
    assert Ratio(float((U.double() - right).norm()), float(right.norm()), model).value <= 1
    sums = right.sum(1, keepdim=True)
    assert Ratio(float((slope - sums).norm()), float(sums.norm()), model).value <= 1
    moved = norm_loss_prox(W.detach(), 0.5).double()
    nearest = (K * 2.0**exponent + right) / 2
    assert Ratio(float((moved - nearest).norm()), float(nearest.norm()), model).value <= 1


def test_the_projector_at_a_tie_is_the_mean():
    """k tied eigenvalues give X Xᵀ / k, whichever eigenvectors the decomposition chose."""
    Q = torch.linalg.qr(normal(4, 4, case="basis"))[0]
    S = Q @ torch.diag(torch.tensor([3.0, 3.0, 1.0, -2.0], dtype=torch.float64)) @ Q.mT
    lam, P = leading((S + S.mT) / 2)
    assert near(lam, torch.tensor(3.0, dtype=torch.float64))
    assert near(P, Q[:, :2] @ Q[:, :2].mT / 2)
    apart = Q @ torch.diag(torch.tensor([3.0 + 1e-9, 3.0, 1.0, -2.0], dtype=torch.float64)) @ Q.mT
    assert near(leading((apart + apart.mT) / 2)[1], Q[:, :1] @ Q[:, :1].mT, condition=3e9)


@pytest.mark.parametrize(
    ("diagonal", "value", "slope"),
    [
        ([2.0, -3.0], 3.0, [0.0, -1.0]),
        ([3.0, -2.0], 3.0, [1.0, 0.0]),
        ([3.0, -3.0], 3.0, [1.0, 0.0]),
        ([-3.0, -3.0], 3.0, [-0.5, -0.5]),
        ([0.0, 0.0], 0.0, [0.0, 0.0]),
    ],
)
def test_the_spectral_norm_and_its_slope(diagonal, value, slope):
    """The largest |eigenvalue| with its sign; both ends tied: the positive one; at 0 nothing."""
    lam, P = leading(torch.diag(torch.tensor(diagonal, dtype=torch.float64)), absolute=True)
    assert float(lam) == value
    assert near(P, torch.diag(torch.tensor(slope, dtype=torch.float64)))


def test_what_is_not_finite_is_refused_by_row():
    """An eigendecomposition of a NaN is refused before it is tried."""
    W = normal(3, 4)
    W[2, 1] = torch.inf
    with pytest.raises(ValueError, match="must be finite"):
        leading(gram(W))


def test_sides():
    """facing turns columns into rows, smaller takes the fewer rows and counts what is missing."""
    W = normal(2, 5)
    assert facing(W, "rows") is W
    assert facing(W, "columns").shape == (5, 2)
    assert smaller(W)[1] == 0
    assert (smaller(W.mT)[0].shape, smaller(W.mT)[1]) == ((2, 5), 3)
    with pytest.raises(ValueError, match="side must"):
        facing(W, "left")


@pytest.mark.parametrize("module", [gram_module, leading_module], ids=lambda module: module.__name__)
def test_doctests_run(module):
    """The examples in the docstrings give what they show."""
    assert doctest.testmod(module).failed == 0
