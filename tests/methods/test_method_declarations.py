"""Every property that a module declares holds, and every other one of the list fails: each is decided."""

import pytest
import torch
from method_cases import CASES, derivative_bound, name_of, normal, ratio

from wnverify.methods.weight_normalization.pytorch import WeightNormalization
from wnverify.oracles.optimality import certificate

SHAPE = (3, 6)
V = torch.tensor(normal(*SHAPE))
A = torch.tensor(normal(*SHAPE, case="cotangent"))
Q = torch.linalg.qr(torch.tensor(normal(6, 6, case="rotation")))[0]
ROWS = torch.tensor([[0.5], [4.0], [16.0]], dtype=torch.float64)
ORDER = [2, 0, 1]


def gradient(f, X):
    leaf = X.clone().requires_grad_()
    return torch.autograd.grad(f(leaf), leaf, A)[0]


def nearest(f, X):
    """What the multipliers leave of V − W: zero where W is a nearest point of unit rows (of zero mean)."""
    W = f(X)
    rest = X - (X * W).sum(-1, keepdim=True) * W
    return rest if f(X + 1).sub(W).abs().max() > 1e-3 else rest - rest.mean(-1, keepdim=True)


PROPERTIES = {
    "unit_norm_rows": lambda f: (f(V).norm(dim=-1), torch.ones(3)),
    "zero_mean_rows": lambda f: (f(V).sum(-1), torch.zeros(3)),
    "orthonormal_rows": lambda f: (f(V) @ f(V).mT, torch.eye(3)),
    "spectral_norm_le_1": lambda f: (torch.linalg.matrix_norm(f(V), 2).clamp(min=1), torch.ones(())),
    "scale_invariant": lambda f: (f(7 * V), f(V)),
    "row_scale_invariant": lambda f: (f(ROWS * V), f(V)),
    "shift_invariant_rows": lambda f: (f(V + ROWS), f(V)),
    "odd": lambda f: (f(-V), -f(V)),
    "idempotent": lambda f: (f(f(V)), f(V)),
    "rotation_equivariant": lambda f: (f(V @ Q), f(V) @ Q),
    "permutation_equivariant_rows": lambda f: (f(V[ORDER]), f(V)[ORDER]),
    "gradient_orthogonal_to_weight": lambda f: ((gradient(f, V) * V).sum(-1), torch.zeros(3)),
    "gradient_zero_mean": lambda f: (gradient(f, V).sum(-1), torch.zeros(3)),
    "euclidean_projection": lambda f: (nearest(f, V), torch.zeros(SHAPE)),
}


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_property_holds_exactly_where_it_is_declared(case, name):
    """Declared: within rounding.  Not declared: missed by far more than rounding at a generic point."""
    module = case.module()
    found, right = PROPERTIES[name](module)
    model = derivative_bound(case, V.numpy(), A.numpy())
    model["scale"] = max(model["scale"], 16.0) * float(V.norm())
    value = ratio(found, right, "float64", SHAPE[1], **model)
    assert value <= 1 if module.DECLARES.get(name) else value > 1e6


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_nothing_is_declared_that_these_tests_do_not_decide(case):
    """Every declared name is one of the properties above."""
    assert set(case.module().DECLARES) <= set(PROPERTIES)


def test_what_is_declared_with_a_gain_holds_at_a_fixed_gain():
    """The default module declares of V only what is true whatever the gain is."""
    module, g = WeightNormalization(), torch.tensor([[2.0], [-3.0], [0.5]], dtype=torch.float64)
    assert set(WeightNormalization.DECLARES) == set(module.DECLARES)
    for name in module.DECLARES:
        found, right = PROPERTIES[name](lambda X: module(X, g))
        assert ratio(found, right, "float64", SHAPE[1], scale=3 * float(A.norm() * V.norm())) <= 1, name
    for name in ("unit_norm_rows", "idempotent", "permutation_equivariant_rows"):
        found, right = PROPERTIES[name](lambda X: module(X, g))
        assert ratio(found, right, "float64", SHAPE[1]) > 1e6, name


@pytest.mark.parametrize("case", CASES[:2], ids=name_of)
def test_the_declared_set_holds_no_nearer_point(case):
    """W is the point of the declared SET nearest to V, by a bound that needs no search."""
    known = dict(case.module().SET)
    assert known["radius"] == 1.0
    assert certificate(known.pop("name"), V.numpy(), case.module()(V).numpy(), **known).ratio <= 1
