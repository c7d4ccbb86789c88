"""The building blocks below the methods: dtypes, layouts, and the two outputs of each PyTorch function."""

import numpy as np
import pytest
import torch
from torch.func import jvp, vjp

from wnverify.finding import seed_of
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives import reference
from wnverify.primitives.layout import from_rows, to_rows
from wnverify.primitives.polar import _Inverse, _Lyapunov, _Polar, _polar_seen, _polar_unseen
from wnverify.primitives.pytorch import centre, normalize, working
from wnverify.primitives.rules import call


def normal(*shape):
    return np.random.default_rng(seed_of("primitives", shape)).standard_normal(shape)


def ratio(found, right, terms, *, scale=1.0, condition=1.0):
    error = float((torch.as_tensor(found) - torch.as_tensor(right)).abs().max())
    return Ratio(error, scale, map_model("float64", terms, condition=condition)).value


def spd(n):
    """S = D diag(s) Dᵀ with its parts."""
    D = torch.linalg.qr(torch.tensor(normal(n, n)))[0]
    s = torch.arange(1.0, n + 1, dtype=torch.float64)
    return D @ torch.diag(s) @ D.mT, D, s


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64, torch.complex128])
def test_only_real_floating_tensors_are_worked_on(dtype):
    """Integers, booleans and complex numbers are a TypeError that names V and what came."""
    with pytest.raises(TypeError, match=f"V must be a real floating tensor.*{dtype}"):
        working(torch.ones(2, 3).to(dtype))


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("dim", [0, 1])
def test_rows_and_layout_are_inverse_to_each_other(dim, groups):
    """to_rows then from_rows gives the weight back, bit for bit."""
    weight = torch.tensor(normal(6, 4, 3, 2))
    groups = groups if dim else 1
    rows = to_rows(weight, dim, groups)
    assert rows.shape == ((6, 24) if dim == 0 else (4 * groups, 36 // groups))
    assert torch.equal(from_rows(rows, weight.shape, dim, groups), weight)


def test_centring_is_a_symmetric_projection():
    """⟨E, C V⟩ = ⟨C E, V⟩ and C C = C, and the backward is C itself."""
    V, E = torch.tensor(normal(3, 7)), torch.tensor(normal(3, 7))[:, list(range(6, -1, -1))]
    X, pull = vjp(centre, V)
    assert ratio(pull(E)[0], centre(E), 7, scale=4.0) <= 1
    assert ratio(centre(X), X, 7, scale=4.0) <= 1
    assert ratio((E * X).sum(), (centre(E) * V).sum(), 21, scale=float(E.norm() * V.norm())) <= 1


@pytest.mark.parametrize("centred", [False, True])
def test_the_norm_is_a_differentiable_output(centred):
    """∂r/∂V is W, through reverse and forward mode, and W and r together give the (centred) V back."""
    V, E = torch.tensor(normal(3, 7)), torch.tensor(normal(3, 7)).flip(-1)
    (W, r), pull = vjp(lambda X: normalize(X, centred=centred), V)
    assert ratio(W * r, centre(V) if centred else V, 7, scale=4.0) <= 1
    ones, zeros = torch.ones_like(r), torch.zeros_like(W)
    assert ratio(pull((zeros, ones))[0], W, 7) <= 1
    dr = jvp(lambda X: normalize(X, centred=centred)[1], (V,), (E,))[1]
    assert ratio(dr, (W * E).sum(-1, keepdim=True), 7, scale=float(E.norm())) <= 1


def test_the_root_is_a_differentiable_output():
    """S² = Σ, and its derivative satisfies S dS + dS S = dΣ in forward and reverse mode."""
    V, E = torch.tensor(normal(3, 7)), torch.tensor(normal(3, 7)).flip(-1)

    def root(X):
        return call(_Polar, X, True)[1]

    S, dS = jvp(root, (V,), (E,))
    X, dX = centre(V), centre(E)
    scale = float(X.norm() * dX.norm())
    assert ratio(S @ S, X @ X.mT, 7, scale=float(X.norm() ** 2)) <= 1
    assert ratio(S @ dS + dS @ S, dX @ X.mT + X @ dX.mT, 7, scale=scale, condition=4.0) <= 1
    C = torch.tensor(normal(3, 3))
    found, right = (vjp(root, V)[1](C)[0] * E).sum(), (C * dS).sum()
    assert ratio(found, right, 21, scale=float(C.norm() * E.norm()), condition=4.0) <= 1


def test_lyapunov_solves_its_equation_and_differentiates_it():
    """S X + X S = C, and dX satisfies the differentiated equation, jvp and vjp alike."""
    S, D, s = spd(4)
    C, dC = torch.tensor(normal(4, 4)), torch.tensor(normal(4, 4)).mT
    dS = dC + dC.mT

    def solve(S, C):
        return call(_Lyapunov, S, C, D, s)

    X, dX = jvp(solve, (S, C), (dS, dC))
    scale = 4 * float(C.norm() + dC.norm() + (dS @ X).norm())
    assert ratio(S @ X + X @ S, C, 4, scale=scale) <= 1
    assert ratio(dS @ X + X @ dS + S @ dX + dX @ S, dC, 4, scale=scale) <= 1
    A = torch.tensor(normal(4, 4)) + 1
    S_bar, C_bar = vjp(solve, S, C)[1](A)
    found = (S_bar * dS).sum() + (C_bar * dC).sum()
    assert ratio(found, (A * dX).sum(), 16, scale=float(A.norm()) * scale) <= 1


def test_inverse_inverts_and_differentiates():
    """S S⁻¹ = I and d(S⁻¹) = −S⁻¹ dS S⁻¹, jvp and vjp alike."""
    S, D, s = spd(4)
    dS = torch.tensor(normal(4, 4))
    dS = dS + dS.mT

    def inverse(S):
        return call(_Inverse, S, D, s)

    found, change = jvp(inverse, (S,), (dS,))
    assert ratio(S @ found, torch.eye(4), 4, condition=4.0) <= 1
    assert ratio(change, -found @ dS @ found, 4, scale=float(dS.norm())) <= 1
    A = torch.tensor(normal(4, 4))
    pulled = (vjp(inverse, S)[1](A)[0] * dS).sum()
    assert ratio(pulled, (A * change).sum(), 16, scale=float(A.norm() * dS.norm())) <= 1


def test_reference_lyapunov_solves_its_equation():
    """The NumPy solution satisfies S X + X S = C."""
    S, D, s = (part.numpy() for part in spd(4))
    C = normal(4, 4)
    X = reference.solve_lyapunov(D, s, C)
    assert ratio(S @ X + X @ S, C, 4, scale=4 * float(np.linalg.norm(C))) <= 1


def test_reference_polar_factors():
    """X = S W with W Wᵀ = I and S = D diag(s) Dᵀ, from NumPy's singular value decomposition."""
    X = normal(3, 6)
    W, D, s = reference.polar(X)
    assert ratio((D * s) @ D.T @ W, X, 6, scale=float(np.linalg.norm(X))) <= 1
    assert ratio(W @ W.T, np.eye(3), 6) <= 1


def test_reference_scaling_is_exact():
    """Scaling by powers of two loses nothing and puts the largest entry of each row into [1/2, 1)."""
    V = normal(3, 5) * np.array([[1e-300], [1.0], [1e300]])
    scaled, exponent = reference.scaled_rows(V)
    assert (np.ldexp(scaled, exponent) == V).all()
    largest = np.abs(scaled).max(axis=1)
    assert (largest >= 0.5).all()
    assert (largest < 1).all()


def test_reference_rows_that_are_constant_are_found_exactly():
    """Equal entries are constant, one unit in the last place is not."""
    V = np.full((2, 9), 0.1)
    V[1, 4] = np.nextafter(0.1, 1)
    assert reference.constant_rows(V).tolist() == [0]


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
def test_rows_of_a_float32_polar_factor_are_orthonormal_at_any_condition(seen):
    """κ² 2⁻⁵³ of a float64 Gram matrix does not reach W: its rows are orthonormal to a rounding where κ is 1e6 too."""
    for kappa in (1e2, 1e4, 3e5, 1e6):
        for k in range(8):
            own = np.random.default_rng(seed_of("orthonormal", kappa, k))
            P, Q = (np.linalg.qr(own.standard_normal((size, 2)))[0] for size in (2, 4))
            V = torch.tensor((P * [1.0, 1 / kappa]) @ Q.T).float()
            X = V.double()
            W = (_polar_seen(V, X @ X.mT, False) if seen else _polar_unseen(V, X))[0]
            gram = W.double() @ W.double().mT
            model = map_model("float32", 4, roundings=1)
            assert Ratio(float((gram - torch.eye(2)).norm()), 2**0.5, model).value <= 1, (kappa, k)
