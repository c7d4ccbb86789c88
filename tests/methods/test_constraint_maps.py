"""The maps of the constraints: against balls and certificates, at any scale, and where they are undefined."""

import numpy as np
import pytest
import torch
from constraint_cases import CASES, CWO, GC, PBWN, POLAR, PRINTED, PROJECTING, QR, RIEMANNIAN, SMALL, infeasible
from method_cases import normal, ratio

from wnverify.methods.projection_based_weight_normalization import reference as pbwn
from wnverify.oracles.enclosures import to_float64
from wnverify.oracles.optimality import certificate

PROJECTIONS = [PBWN, CWO, SMALL, PRINTED, POLAR]
MATRICES = {
    "ordinary": normal(3, 5, case="ordinary"),
    "square": normal(4, 4, case="square"),
    "one row": normal(1, 3, case="one row"),
    "two columns": np.array([[1.0, 2.0], [-3.0, 1.0]]),
    "large mean": normal(2, 6, case="large mean") + 1000.0,
    "equal singular values": np.array([[1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]),
}
wherever = pytest.mark.parametrize("where", MATRICES)
each = pytest.mark.parametrize("case", CASES, ids=str)


def size(case):
    return case.options.get("c", 2.0) ** 0.5 if "c" in case.options or case in (CWO, PRINTED) else 1.0


def smallest(case, W):
    """What a gradient is divided by: the smallest singular value, or norm of a row (less its mean)."""
    if case is GC:
        return 1.0
    if case.mixes:
        return float(np.linalg.svd(W, compute_uv=False)[-1])
    return float(np.linalg.norm(W - W.mean(axis=1, keepdims=True) if case in (CWO, SMALL) else W, axis=1).min())


@wherever
@each
def test_projections_against_balls(case, where):
    """Reference and PyTorch, float64 and float32, lie within rounding of balls that hold the exact projection."""
    W = MATRICES[where].astype(np.float32).astype(np.float64)
    exact = to_float64(case.enclosure.project(W, **case.options))
    bound = {"condition": case.condition(W), "scale": size(case) if case is not GC else float(np.abs(W).max())}
    assert ratio(case.reference.project(W, **case.options), exact, "float64", W.shape[1], **bound) <= 1
    for dtype in ("float64", "float32"):
        found = case.constraint().project(torch.tensor(W, dtype=getattr(torch, dtype)))
        assert ratio(found, exact, dtype, W.shape[1], **bound) <= 1


@wherever
@each
def test_derivatives_against_balls(case, where):
    """The pulled-back cotangent of the projection likewise."""
    W = MATRICES[where].astype(np.float32).astype(np.float64)
    A = normal(*W.shape, case="cotangent").astype(np.float32).astype(np.float64)
    exact = to_float64(case.enclosure.vjp(W, A, **case.options))
    scale = size(case) * float(np.linalg.norm(A)) / smallest(case, W)
    bound = {"condition": case.condition(W), "scale": scale}
    assert ratio(case.reference.vjp(W, A, **case.options), exact, "float64", W.shape[1], **bound) <= 1
    for dtype in ("float64", "float32"):
        leaf = torch.tensor(W, dtype=getattr(torch, dtype), requires_grad=True)
        (G,) = torch.autograd.grad(case.constraint().project(leaf), leaf, torch.tensor(A, dtype=leaf.dtype))
        assert ratio(G, exact, dtype, W.shape[1], **bound) <= 1


@wherever
@each
def test_transforms_against_balls(case, where):
    """The gradient that the optimiser sees, at weights on the constraint and off it."""
    for W in (MATRICES[where], case.reference.project(MATRICES[where], **case.options)):
        W = W.astype(np.float32).astype(np.float64)
        G = (normal(*W.shape, case="gradient") + 0.5).astype(np.float32).astype(np.float64)
        exact = to_float64(case.enclosure.transform(W, G, **case.options))
        scale = float(np.linalg.norm(G) * (max(1.0, np.linalg.norm(W)) ** 2 if case.mixes else 1.0))
        terms = W.shape[1]
        assert ratio(case.reference.transform(W, G, **case.options), exact, "float64", terms, scale=scale) <= 1
        for dtype in ("float64", "float32"):
            tensors = [torch.tensor(X, dtype=getattr(torch, dtype)) for X in (W, G)]
            assert ratio(case.constraint().transform(*tensors), exact, dtype, terms, scale=scale) <= 1


@wherever
@pytest.mark.parametrize("case", [RIEMANNIAN, QR], ids=str)
def test_riemannian_gradients_are_the_tangent_part(case, where):
    """At a point of the manifold: tangent, and the rest is orthogonal to every tangent direction."""
    W = case.reference.project(MATRICES[where], **case.options)
    G, E = normal(*W.shape, case="gradient"), normal(*W.shape, case="direction")
    T, E = (case.reference.transform(W, X, **case.options) for X in (G, E))
    along = T @ W.T + W @ T.T if case.mixes else (T * W).sum(axis=1)
    scale = float(np.linalg.norm(G))
    assert ratio(along, np.zeros_like(along), "float64", W.size, scale=scale) <= 1
    assert ratio(((G - T) * E).sum(), 0.0, "float64", W.size, scale=scale * float(np.linalg.norm(E))) <= 1


@wherever
@pytest.mark.parametrize("case", PROJECTIONS, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_projections_are_certified(case, where, dtype):
    """Nearest points of the declared SET by a bound that needs no search; also of points already in the set."""
    made = case.constraint()
    W = torch.tensor(MATRICES[where], dtype=getattr(torch, dtype))
    for given in (W, made.project(W)):
        found = made.project(given)
        named = {name: value for name, value in made.SET.items() if name != "name"}
        judged = certificate(made.SET["name"], given.double().numpy(), found.double().numpy(), dtype=dtype, **named)
        assert judged.ratio <= 1


@pytest.mark.parametrize("case", PROJECTIONS, ids=str)
def test_a_million_entries_are_certified(case):
    """Long rows lose nothing: sums are float64, or centred twice."""
    W = torch.tensor(normal(8, 125_000, case="long"), dtype=torch.float32)
    made = case.constraint()
    named = {name: value for name, value in made.SET.items() if name != "name"}
    found = made.project(W).double().numpy()
    assert certificate(made.SET["name"], W.double().numpy(), found, dtype="float32", **named).ratio <= 1


def test_gram_schmidt_is_no_projection():
    """The triangular retraction is a point of the manifold and not the nearest one: only the polar one declares it."""
    W = MATRICES["ordinary"]
    judged = certificate("stiefel_rows", W, QR.reference.project(W))
    assert judged.feasibility.value <= 1
    assert judged.optimality.value > 1e6
    assert "euclidean_projection" not in QR.constraint().DECLARES
    assert POLAR.constraint().DECLARES["euclidean_projection"]
    assert "row_scale_invariant" not in POLAR.constraint().DECLARES
    assert "row_scale_invariant" in QR.made.DECLARES


def test_retractions_agree_to_second_order():
    """For a tangent step of size t both retractions are W + t E up to O(t²): halving t quarters the distance."""
    W = QR.reference.project(MATRICES["ordinary"])
    E = QR.reference.transform(W, normal(*W.shape, case="step"))
    for case in (QR, POLAR):
        off = [np.linalg.norm(case.reference.project(W + t * E, **case.options) - W - t * E) for t in (2e-3, 1e-3)]
        assert 3.9 < off[0] / off[1] < 4.1
    first = [np.linalg.norm(QR.reference.project(W + t * normal(*W.shape)) - W) for t in (2e-3, 1e-3)]
    assert 1.9 < first[0] / first[1] < 2.1


@pytest.mark.parametrize("case", PROJECTING, ids=str)
def test_rows_of_any_scale(case):
    """Powers of two up to the ends of the format change nothing at all, or only the last bits where rows mix."""
    W = torch.tensor(MATRICES["ordinary"])
    right = case.constraint().project(W)
    for power in (-1000, -300, 300, 1000):
        found = case.constraint().project(torch.ldexp(W, torch.tensor(power)))
        assert ratio(found, right, "float64", 5, condition=case.condition(W.numpy()), scale=size(case)) <= 1
        by_numpy = case.reference.project(np.ldexp(W.numpy(), power), **case.options)
        assert ratio(by_numpy, right, "float64", 5, condition=case.condition(W.numpy()), scale=size(case)) <= 1


@pytest.mark.parametrize("case", PROJECTING, ids=str)
def test_projecting_again_changes_nothing(case):
    """Idempotent to rounding, also for batches of matrices, each of which is mapped on its own."""
    W = torch.tensor(normal(2, 3, 4, 6))
    once = case.constraint().project(W)
    assert ratio(case.constraint().project(once), once, "float64", 6, condition=2.0, scale=size(case)) <= 1
    alone = case.constraint().project(W[1, 2])
    condition = case.condition(W[1, 2].numpy())
    assert ratio(once[1, 2], alone, "float64", 6, condition=condition, scale=size(case)) <= 1
    assert infeasible(case, once[0, 1], "float64") <= 1


@each
def test_half_precisions_are_computed_in_float32(case):
    """bfloat16 and float16 give the float32 result, rounded once, in projection and transform."""
    for dtype in (torch.bfloat16, torch.float16):
        W, G = (torch.tensor(normal(3, 6, case=name)).to(dtype) for name in ("weight", "gradient"))
        made = case.constraint()
        assert torch.equal(made.project(W), made.project(W.float()).to(dtype))
        assert torch.equal(made.transform(W, G), made.transform(W.float(), G.float()).to(dtype))


def test_gradient_centralization_leaves_the_weight():
    """project is a copy, equal and not the same memory; no hook copies the weight onto itself."""
    W = torch.tensor(MATRICES["ordinary"])
    copied = GC.constraint().project(W)
    assert torch.equal(copied, W)
    assert copied.untyped_storage().data_ptr() != W.untyped_storage().data_ptr()
    assert not GC.constraint().projects
    assert not np.shares_memory(GC.reference.project(W.numpy()), W.numpy())
    assert repr(GC.constraint()) == "GradientCentralization()"


def test_gradient_centralization_is_an_orthogonal_projection():
    """The gradient that is left is the nearest one of zero row sums; a large mean costs no digits."""
    G = normal(3, 7, case="gradient") + 1e6
    found = GC.reference.transform(np.zeros_like(G), G)
    assert certificate("zero_mean_rows", G, found).ratio <= 1
    in_float32 = GC.constraint().transform(torch.zeros(3, 7), torch.tensor(G, dtype=torch.float32))
    assert certificate("zero_mean_rows", G.astype(np.float32), in_float32.numpy(), dtype="float32").ratio <= 1


def test_an_infinite_gradient_is_not_refused():
    """A scaled gradient that overflowed is the gradient scaler's to see: no constraint raises on it."""
    for case in CASES:
        G = torch.ones(3, 5, dtype=torch.float64)
        G[1, 2] = float("inf")
        assert not case.constraint().transform(torch.tensor(MATRICES["ordinary"]), G)[1].isfinite().all()


def test_equation_4_as_printed():
    """G − (Wᵀ G) w has no product for the row w (1, p) of the text; for a column it is the tangent part."""
    w, G = np.array([[0.6, 0.8]]), np.array([[2.0, 1.0]])
    with pytest.raises(ValueError, match=r"w must be a column \(p, 1\)"):
        pbwn.printed_riemannian_gradient(w, G)
    right = pbwn.transform(w, G, riemannian=True)
    assert ratio(pbwn.printed_riemannian_gradient(w.T, G.T).T, right, "float64", 2, scale=2.0) <= 1
    assert ratio(right, [[0.8, -0.6]], "float64", 2, scale=2.0) <= 1
    # The only product of Wᵀ G (p, p) and w (1, p) that exists is w (Wᵀ G), which is G again: nothing would be left.
    assert ratio(G - w @ (w.T @ G), np.zeros((1, 2)), "float64", 2, scale=2.0) <= 1
    # The reading by whole matrices, W Wᵀ for wᵀ w, needs a square W and is another map.
    square = pbwn.project(MATRICES["square"])
    G = normal(4, 4, case="gradient")
    right = pbwn.transform(square, G, riemannian=True)
    assert ratio(pbwn.printed_riemannian_gradient(square, G), right, "float64", 4, scale=4.0) > 1e6
