"""The projection onto the L1 ball: three forms against each other, solvers, certificates, hard rows and optimisers."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from method_cases import name_of, normal, ratio
from scipy.optimize import brentq, minimize
from torch import nn

from wnverify.methods.l1_inf_projection import enclosure, reference
from wnverify.methods.l1_inf_projection.pytorch import L1InfProjection, project_rows_onto_l1_ball
from wnverify.oracles.enclosures import distance, radius
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import Ratio, map_model
from wnverify.primitives import shrinkage
from wnverify.primitives.constraint import Block

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SHAPES = [(1, 1), (1, 7), (4, 1), (3, 5), (17, 130)]
RADII = [0.0, 1e-3, 0.3, 2.0, 1e3]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=name_of)


def certified(V, X, c, dtype="float64"):
    """The worse ratio of feasibility and optimality."""
    V, X = (np.asarray(Y.double() if isinstance(Y, torch.Tensor) else Y) for Y in (V, X))
    return certificate("l1_ball_rows", V, X, dtype=dtype, radius=c).ratio


def above(X, c, dtype="float64"):
    """How far the largest Σ|x| is above c, against rounding of c alone."""
    total = max(math.fsum(abs(x) for x in row) for row in X.double().tolist())
    return Ratio(max(total - c, 0.0), c, map_model(dtype, X.shape[1])).value


@pytest.mark.parametrize("c", RADII)
@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_reference_lies_within_rounding_of_the_enclosure(shape, c):
    """The NumPy projection and its backward are within modelled rounding of balls that hold the exact value."""
    W, A = normal(*shape), normal(*shape, case="cotangent")
    X, G = enclosure.project(W, c=c), enclosure.vjp(W, A, c=c)
    assert radius(X) < 2.0**-200
    found = distance(X, reference.project(W, c=c))
    assert ratio(found, np.zeros(shape), "float64", shape[1], scale=max(c, 1e-300) if c < 1e3 else 1.0) <= 1
    found = distance(G, reference.vjp(W, A, c=c))
    assert ratio(found, np.zeros(shape), "float64", shape[1], scale=float(np.abs(A).max())) <= 1


@every_dtype
@pytest.mark.parametrize("c", RADII)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pytorch_agrees_with_the_reference(shape, c, dtype):
    """Forward and backward in PyTorch are within modelled rounding of NumPy, in every dtype, and no dtype is lost."""
    W = torch.tensor(normal(*shape)).to(dtype).requires_grad_()
    A = torch.tensor(normal(*shape, case="cotangent")).to(dtype)
    X = project_rows_onto_l1_ball(W, c)
    (G,) = torch.autograd.grad(X, W, A)
    exact, cotangent = W.detach().double().numpy(), A.double().numpy()
    assert X.dtype == G.dtype == dtype
    right = reference.project(exact, c=c)
    assert ratio(X, right, name_of(dtype), shape[1], scale=float(np.abs(right).max()) or 1e-300) <= 1
    right = reference.vjp(exact, cotangent, c=c)
    assert ratio(G, right, name_of(dtype), shape[1], scale=float(np.abs(cotangent).max())) <= 1


@pytest.mark.parametrize("c", [0.05, 0.7, 2.0])
@pytest.mark.parametrize("d", [1, 2, 6])
def test_a_solver_agrees(d, c):
    """What SLSQP finds lies no further from ours than the certificates of both allow."""
    w = normal(1, d, case="solver")

    def split(z):
        return z[:d] - z[d:]

    found = minimize(
        lambda z: ((split(z) - w[0]) ** 2).sum() / 2,
        np.concatenate([np.maximum(w[0], 0), np.maximum(-w[0], 0)]) * min(1.0, c / np.abs(w).sum()),
        method="SLSQP",
        bounds=[(0, None)] * (2 * d),
        constraints={"type": "ineq", "fun": lambda z: c - z.sum()},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    theirs, ours = split(found.x)[None], reference.project(w, c=c)
    bounds = [certificate("l1_ball_rows", w, X, radius=c).distance_bound for X in (theirs, ours)]
    assert max(bounds) < 1e-3 * max(c, 1.0)
    assert np.linalg.norm(theirs - ours) <= sum(bounds)


@pytest.mark.parametrize("c", [1e-3, 0.5, 4.0])
def test_the_threshold_solves_its_equation(c):
    """θ found by bracketing Σ (|w| − θ)₊ = c, without any sorting, gives the same point."""
    W = normal(5, 40)
    right = []
    for w in W:
        theta = brentq(lambda t, w=w: np.maximum(np.abs(w) - t, 0).sum() - c, 0.0, np.abs(w).max(), xtol=1e-300)
        right.append(np.sign(w) * np.maximum(np.abs(w) - theta, 0.0))
    for found in (reference.project(W, c=c), project_rows_onto_l1_ball(torch.tensor(W), c)):
        assert ratio(found, np.array(right), "float64", 40, scale=float(np.abs(W).max())) <= 1


HARD = {
    "ties": np.repeat([[2.0, 2.0, 1.0, 1.0, -2.0]], 3, axis=0),
    "all equal": np.full((2, 9), -0.1),
    "zeros": np.zeros((2, 4)),
    "one entry": np.array([[3.0], [-0.25], [0.0]]),
    "powers of two": np.exp2(np.arange(-100.0, 100.0))[None] * np.resize([1, -1], 200),
    "powers of two downwards": np.exp2(np.arange(100.0, -100.0, -1))[None],
    "one above many": np.concatenate([[1e6], np.full(99, 1e-3)])[None],
    "inside beside outside": np.array([[0.1, -0.2, 0.0], [5.0, -4.0, 3.0], [0.0, 0.0, 0.0]]),
    "far above c": 1e12 + normal(3, 30),
    "ties far above c": np.full((1, 11), 0.1 * 2.0**60) * np.resize([1, -1, 1], 11),
    "three ties far above c": np.full((2, 3), 0.1 * 2.0**60),
    "one rounding apart, far above c": np.array([[np.nextafter(1e20, 0), 1e20, 1e20, 1e20, -1e20, 1e4]]),
    "boundary": np.array([[0.25, -0.25, 0.5], [0.5, 0.25, -0.25]]),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=name_of)
@pytest.mark.parametrize("c", [1e-12, 0.25, 1.0, 100.0])
@pytest.mark.parametrize("name", HARD)
def test_hard_rows_are_projected(name, c, dtype):
    """Ties, zeros, single entries, 200 scales in a row and entries 10^24 times c: certified and feasible."""
    W = torch.tensor(HARD[name]).to(dtype)
    X = project_rows_onto_l1_ball(W, c)
    assert certified(W, X, c, name_of(dtype)) <= 1
    assert above(X, c, name_of(dtype)) <= 1
    if dtype == torch.float64:
        assert certified(W, reference.project(HARD[name], c=c), c) <= 1


END = {
    "a pair": np.array([[1e308, 1e308], [0.5, 0.75]]),
    "the largest numbers": np.array([[1.79e308, -1.79e308, 1e307, 1.0]]),
}
"""Float64 rows whose sum overflows."""


def projected_exactly(w, c):
    """The nearest point to ``w`` with ‖x‖₁ ≤ c in rational numbers, by the largest active set that has a threshold."""
    size, c = [abs(Fraction(x)) for x in w], Fraction(c)
    if sum(size) <= c:
        return [Fraction(x) for x in w]
    falling = sorted(size, reverse=True)
    levels = [(total - c) / k for k, total in enumerate(itertools.accumulate(falling), 1)]
    theta = max(level for level, x in zip(levels, falling, strict=True) if x > level)
    return [max(s - theta, Fraction(0)) * (1 if x > 0 else -1) for s, x in zip(size, w, strict=True)]


FORMS = [*itertools.product(["eager", "traced"], DTYPES), ("reference", torch.float64)]


@pytest.mark.parametrize(("form", "dtype"), FORMS, ids=name_of)
@pytest.mark.parametrize("c", [1e-3, 1.0, 1e3])
def test_every_entry_is_right_to_rounding_of_c(c, form, dtype, monkeypatch):
    """However far above c entries are, tied or not, to the end of the range: each x_j has the error of a number ≤ c."""
    monkeypatch.setattr(shrinkage, "looking", lambda: form != "traced")
    for name, rows in (HARD | END).items():
        W = torch.tensor(rows).to(dtype)
        if not bool(W.isfinite().all()):
            continue
        X = torch.tensor(reference.project(rows, c=c)) if form == "reference" else project_rows_onto_l1_ball(W, c)
        for x, w in zip(X.double().tolist(), W.double().tolist(), strict=True):
            missed = max(abs(Fraction(a) - b) for a, b in zip(x, projected_exactly(w, c), strict=True))
            assert Ratio(float(missed), c, map_model(name_of(dtype), len(w))).value <= 1, name


def test_points_of_the_ball_stay_bit_for_bit():
    """Σ|w| ≤ c leaves a row as it is, on the boundary too, and its gradient untouched."""
    W = torch.tensor(HARD["boundary"]).requires_grad_()
    A = torch.tensor(normal(2, 3))
    X = project_rows_onto_l1_ball(W, 1.0)
    (G,) = torch.autograd.grad(X, W, A)
    assert torch.equal(X, W)
    assert torch.equal(G, A)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=name_of)
@pytest.mark.parametrize("c", [1.0, 1e4])
def test_a_million_entries(dtype, c):
    """A row of 10^6 entries passes the certificate, idempotence included."""
    W = torch.tensor(normal(1, 10**6)).to(dtype)
    X = project_rows_onto_l1_ball(W, c)
    assert certified(W, X, c, name_of(dtype)) <= 1
    assert ratio(project_rows_onto_l1_ball(X, c), X, name_of(dtype), 10**6, scale=float(X.abs().max())) <= 1


def test_a_row_does_not_depend_on_its_company(monkeypatch):
    """Rows computed together, one by one or in blocks are the same to rounding, whatever the others drop."""
    W = torch.tensor(normal(40, 60) * np.logspace(-3, 3, 40)[:, None])
    together = project_rows_onto_l1_ball(W, 2.0)
    monkeypatch.setattr(shrinkage, "BLOCK", 200)
    blocks = project_rows_onto_l1_ball(W, 2.0)
    alone = torch.cat([project_rows_onto_l1_ball(w[None], 2.0) for w in W])
    assert ratio(together, alone, "float64", 60, scale=2.0) <= 1
    assert ratio(blocks, alone, "float64", 60, scale=2.0) <= 1


@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-300, 2.0**300, 2.0**900])
def test_scales_carry_over(scale):
    """P(a w) on the ball of radius a c is a P(w), to the ends of the float64 range."""
    W = normal(3, 20)
    right = reference.project(W, c=1.5)
    for found in (
        reference.project(scale * W, c=scale * 1.5),
        project_rows_onto_l1_ball(torch.tensor(scale * W), 1.5 * scale),
    ):
        assert ratio(np.asarray(found) / scale, right, "float64", 20) <= 1


@every_dtype
def test_small_radii_give_exact_zeros(dtype):
    """Entries at or below θ are zeros, not small numbers, and c = 0 leaves nothing, nor a gradient."""
    W = torch.tensor(normal(6, 50)).to(dtype).requires_grad_()
    X = project_rows_onto_l1_ball(W, 0.5)
    assert int((X != 0).sum(-1).max()) <= 10
    nothing = project_rows_onto_l1_ball(W, 0.0)
    (G,) = torch.autograd.grad(nothing.sum(), W)
    assert not nothing.any()
    assert not G.any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_entries_are_named(value):
    """A NaN or an infinity raises ValueError naming V[i, j], also in blocks, in a batch and under vmap."""
    W = torch.tensor(normal(4, 6))
    W[2, 3] = value
    for form in (reference.project, project_rows_onto_l1_ball, L1InfProjection(2.0)):
        with pytest.raises(ValueError, match=r"\[2, 3\]"):
            form(W)
    batch = torch.zeros(3, 4, 6, dtype=torch.float64)
    batch[1] = W
    for form in (project_rows_onto_l1_ball, torch.func.vmap(project_rows_onto_l1_ball)):
        with pytest.raises(ValueError, match=r"V\[1, 2, 3\]"):
            form(batch)


@pytest.mark.parametrize("c", [-1.0, math.inf, math.nan])
def test_impossible_radii_are_refused(c):
    """c below 0, infinite or NaN is a ValueError of all forms, at construction for the constraint."""
    for form in (reference.project, enclosure.project, lambda W, c: L1InfProjection(c)):
        with pytest.raises(ValueError, match=re.escape(f"got {c!r}")):
            form([[1.0, 2.0]], c=c)
    with pytest.raises(TypeError):
        L1InfProjection()(torch.ones(2, 3, dtype=torch.int64))


def test_the_backward_keeps_the_result_and_a_number_a_row():
    """Nothing else of the size of W is saved."""
    W, saved = torch.tensor(normal(4, 50)).requires_grad_(), {}
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.update({x.data_ptr(): x.numel()}) or x, lambda x: x):
        project_rows_onto_l1_ball(W, 1.0)
    assert sum(saved.values()) <= W.numel() + 4


@pytest.mark.parametrize("c", [1e-12, 1.0])
@pytest.mark.parametrize("name", HARD)
def test_the_traced_form_sorts_and_agrees(name, c, monkeypatch):
    """Where values cannot be looked at rows are sorted instead: certified too, and a non-finite row becomes NaN."""
    W = torch.tensor(HARD[name])
    monkeypatch.setattr(shrinkage, "looking", lambda: False)
    X = project_rows_onto_l1_ball(W, c)
    assert certified(W, X, c) <= 1
    assert above(X, c) <= 1
    W[0, 0] = math.inf
    assert not project_rows_onto_l1_ball(W, c)[0].isfinite().all()
    assert project_rows_onto_l1_ball(W, c)[1:].isfinite().all()


@pytest.mark.parametrize("c", [0.0, 0.1, 3.0])
def test_what_is_declared_holds_for_this_c(c):
    """The declared radius and set are the object's own, and its repr says c, not the declarations."""
    constraint = L1InfProjection(c, every=2)
    assert constraint.DECLARES["l1_rows_le"] == c
    set_name, parameters = constraint.SET["name"], {k: v for k, v in constraint.SET.items() if k != "name"}
    W = normal(3, 6)
    assert certificate(set_name, W, constraint(torch.tensor(W)).numpy(), **parameters).ratio <= 1
    assert repr(constraint) == f"L1InfProjection(every=2, c={c})"
    assert L1InfProjection.DECLARES["l1_rows_le"] == 1.0


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 2)).double()


def blocks_of(model, *indices):
    return [Block(str(i), model[i].weight, model[i].bias) for i in indices]


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.3),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_weights_are_feasible_after_every_step(name):
    """With each optimiser weights and biases of the hidden layers stay in their balls, get sparse, and learn."""
    model = network()
    optimizer = OPTIMISERS[name](model.parameters())
    L1InfProjection(0.5).attach(optimizer, blocks_of(model, 0))
    L1InfProjection(2.0).attach(optimizer, blocks_of(model, 2))
    x = torch.tensor(normal(64, 8))
    y, losses = torch.stack([x[:, 0], x[:, 1] - x[:, 2]], 1), []
    for _ in range(30):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        for layer, c in ((model[0], 0.5), (model[2], 2.0)):
            total = layer.weight.abs().sum(1) + layer.bias.abs()
            assert total.max().item() <= c * (1 + map_model("float64", layer.in_features + 1).relative)
    assert losses[-1] < losses[0]
    assert int((model[0].weight == 0).sum()) > model[0].weight.numel() / 8
    assert (model[4].weight.abs().sum(1) + model[4].bias.abs()).max().item() > 0.5


def test_steps_are_those_of_algorithm_1():
    """Five steps of SGD follow Ṽ ← proj(Ṽ − γ ∇L), written in NumPy for the columns of Ṽ = (B, Wᵀ)ᵀ."""
    layer, x, rate, c = nn.Linear(4, 3).double(), normal(10, 4), 0.2, 0.75
    target = normal(10, 3, case="target")
    optimizer = torch.optim.SGD(layer.parameters(), lr=rate)
    L1InfProjection(c).attach(optimizer, blocks_of([layer], 0), at_once=False)
    columns = np.concatenate([layer.bias.detach().numpy()[None], layer.weight.detach().numpy().T])
    ones = np.concatenate([np.ones((10, 1)), x], axis=1)
    for _ in range(5):
        optimizer.zero_grad()
        ((layer(torch.tensor(x)) - torch.tensor(target)) ** 2).sum().div(2).backward()
        optimizer.step()
        columns = columns - rate * ones.T @ (ones @ columns - target)
        columns = reference.project(columns.T, c=c).T
        found = torch.cat([layer.bias[None], layer.weight.T])
        assert ratio(found, columns, "float64", 50, scale=100.0) <= 1
