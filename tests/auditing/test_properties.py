"""Each declared property: a right map passes, one that is slightly wrong fails, in float64 and in float32."""

from __future__ import annotations

import math

import pytest
import torch

from wnverify.auditing.points import KERNEL_SHAPES, generic, randn, rows
from wnverify.auditing.properties import RESIDUALS, Look, measure
from wnverify.auditing.subject import Instance
from wnverify.auditing.vocabulary import PENALTY_ONLY, PROPERTIES

SHAPES = ((3, 5), (5, 12), (4, 2, 3, 3))
WRONG_FROM = 10.0


def by_row(V, values):
    return values.reshape(-1, *[1] * (V.dim() - 1)).to(V.dtype)


def norms(V):
    return by_row(V, torch.linalg.vector_norm(V.flatten(1), dim=1))


def unit(V):
    return V / norms(V)


def centred(V):
    return V - by_row(V, V.flatten(1).mean(1))


def polar(V):
    A, _, B = torch.linalg.svd(V.flatten(1), full_matrices=False)
    return (A @ B).reshape(V.shape)


def spectral(V):
    return V / torch.linalg.matrix_norm(V.flatten(1), 2)


def l1(V):
    return 1.5 * V / by_row(V, V.flatten(1).abs().sum(1))


def only_last_row(V, factor):
    factors = torch.ones(V.shape[0], dtype=V.dtype)
    factors[-1] = factor
    return by_row(V, factors)


def whole(V):
    return V / torch.linalg.vector_norm(V)


def weights(V):
    """The diagonal of G, one for each column."""
    return torch.linspace(0.5, 1.5, V[0].numel(), dtype=torch.float64)


def structured(V, factor=1.0):
    return (polar(V).flatten(1) / weights(V).to(V.dtype)).reshape(V.shape) * factor


SLIGHTLY = 1 + 1e-3

MAPS = {
    "unit_norm_rows": (True, unit, lambda V: unit(V) * only_last_row(V, SLIGHTLY)),
    "constant_norm_rows": (2.0, lambda V: 2 * unit(V), lambda V: 2 * SLIGHTLY * unit(V)),
    "zero_mean_rows": (True, centred, lambda V: centred(V) + 1e-3 * V * (only_last_row(V, 2.0) - 1)),
    "orthonormal_rows": (True, polar, lambda V: polar(V) * only_last_row(V, SLIGHTLY)),
    "scaled_orthonormal_rows": (2.5, lambda V: math.sqrt(2.5) * polar(V), lambda V: math.sqrt(2.51) * polar(V)),
    "structured_orthonormal": (weights, structured, lambda V: structured(V, SLIGHTLY)),
    "spectral_norm_le_1": (True, spectral, lambda V: SLIGHTLY * spectral(V)),
    "l1_rows_le": (1.5, l1, lambda V: l1(V) * only_last_row(V, SLIGHTLY)),
    "scale_invariant": (True, whole, lambda V: V / (torch.linalg.vector_norm(V) + 1e-2)),
    "row_scale_invariant": (True, unit, whole),
    "shift_invariant_rows": (True, centred, lambda V: centred(V) + 1e-3 * V * (only_last_row(V, 2.0) - 1)),
    "odd": (True, lambda V: V**3, lambda V: V + 1e-3 * V**2),
    "idempotent": (True, unit, lambda V: (V + 999 * unit(V)) / 1000),
    "rotation_equivariant": (True, unit, lambda V: unit(V + 1e-3 * V**3)),
    "permutation_equivariant_rows": (True, unit, lambda V: unit(V + 1e-2 * V.roll(1, 0))),
    "gradient_orthogonal_to_weight": (True, unit, lambda V: V / (norms(V) ** 2 + 1e-2).sqrt()),
    "gradient_zero_mean": (True, centred, lambda V: centred(V) + 1e-3 * V * (only_last_row(V, 2.0) - 1)),
    "nonexpansive": (True, lambda V: V.clamp(-1, 1), lambda V: SLIGHTLY * V),
    "euclidean_projection": (True, lambda V: V / norms(V).clamp_min(1.0), unit),
}
"""Name → (declared value, a right map, a slightly wrong one)."""


BALL = {"name": "l2_ball_rows", "radius": 1.0}


def look(f, V, value=True, domain=None, target_set=BALL):
    instance = Instance(None, f, (V,), 0)
    return Look(instance=instance, V=V, value=value, seed=11, domain=domain or {}, target_set=target_set)


def ratio(name, f, V, value=True):
    return measure(name, look(f, V, value(V) if callable(value) else value)).value


def test_every_residual_has_both_maps():
    """A new property comes with a right map and a wrong one, and with a sentence of its own."""
    assert set(MAPS) == set(RESIDUALS) - PENALTY_ONLY
    assert set(RESIDUALS) <= set(PROPERTIES)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_a_right_map_passes_and_a_wrong_one_fails(name, shape, dtype):
    """The right map stays within the modelled error, a fault of a thousandth is at least ten times it."""
    value, right, wrong = MAPS[name]
    V = generic(shape, 5).V.to(dtype)
    assert ratio(name, right, V, value) <= 1
    assert ratio(name, wrong, V, value) > WRONG_FROM


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", [(8, 1), (1, 1), (6, 1, 1, 1)], ids=str)
def test_what_is_left_of_a_vanishing_gradient_is_rounding(shape, dtype):
    """A unit row of one entry does not change with it: the rounding that is left of its gradient accuses nobody."""
    for seed in range(10):
        V = generic(shape, seed).V.to(dtype)
        assert ratio("gradient_orthogonal_to_weight", unit, V) <= 1
        assert ratio("gradient_orthogonal_to_weight", lambda V: V + 1e-3 * unit(V), V) > WRONG_FROM


@pytest.mark.parametrize("name", sorted(set(MAPS) - {"gradient_orthogonal_to_weight", "gradient_zero_mean"}))
def test_an_output_that_is_not_finite_fails(name):
    """A NaN in one entry of the last row is no pass."""
    value, right, _ = MAPS[name]

    def broken(V):
        hole = torch.zeros_like(V)
        hole.view(-1)[-1] = math.nan
        return right(V) + hole

    assert not ratio(name, broken, generic((3, 5), 5).V, value) <= WRONG_FROM


@pytest.mark.parametrize("name", ["gradient_orthogonal_to_weight", "gradient_zero_mean"])
def test_a_gradient_that_is_not_finite_fails(name):
    """A NaN in the gradient of one entry is no pass."""
    value, right, _ = MAPS[name]

    def broken(V):
        if V.requires_grad:
            V.register_hook(lambda g: g * torch.where(torch.arange(g.numel()).reshape(g.shape) == 0, math.nan, 1.0))
        return right(V)

    V = generic((3, 5), 5).V
    assert not ratio(name, broken, V, value) <= WRONG_FROM


def test_equal_but_unknown_norms():
    """``True`` asks only that all rows have one norm; the odd one out is seen against the others."""
    V = generic((5, 12), 1).V
    assert ratio("constant_norm_rows", lambda X: 7.7 * unit(X), V) <= 1
    assert ratio("constant_norm_rows", lambda X: 7.7 * unit(X) * only_last_row(X, SLIGHTLY), V) > WRONG_FROM


def test_a_frame_of_unknown_scale():
    """``True`` asks for some λ; rows of two lengths have none."""
    V = generic((3, 5), 1).V
    assert ratio("scaled_orthonormal_rows", lambda X: 3.3 * polar(X), V) <= 1
    assert ratio("scaled_orthonormal_rows", lambda X: 3.3 * polar(X) * only_last_row(X, SLIGHTLY), V) > WRONG_FROM


G_FORMS = {
    "a vector": lambda G: G,
    "a matrix": torch.diag,
    "a list": lambda G: G.tolist(),
    "a function of V": lambda G: lambda V: G,
}


@pytest.mark.parametrize("form", G_FORMS)
def test_the_structure_may_be_given_in_several_forms(form):
    """A diagonal, a matrix, a list or a function of V is one and the same G."""
    V = generic((3, 5), 1).V
    value = G_FORMS[form](weights(V))
    assert measure("structured_orthonormal", look(structured, V, value)).value <= 1
    assert measure("structured_orthonormal", look(polar, V, value)).value > WRONG_FROM


def test_a_scalar_structure_is_a_multiple_of_the_identity():
    """W G² Wᵀ = I with G = 2 I asks for rows of norm one half."""
    V = generic((3, 5), 1).V
    assert measure("structured_orthonormal", look(lambda X: polar(X) / 2, V, 2.0)).value <= 1
    assert measure("structured_orthonormal", look(polar, V, 2.0)).value > WRONG_FROM


def test_a_structure_of_another_size_is_refused():
    """G must have one row and column for each column of V."""
    with pytest.raises(ValueError, match=r"G of shape \(5, 5\)"):
        measure("structured_orthonormal", look(polar, generic((3, 5), 1).V, [1.0, 2.0]))


@pytest.mark.parametrize("name", ["spectral_norm_le_1", "l1_rows_le", "nonexpansive"])
def test_an_inequality_is_kept_by_far_less(name):
    """Strictly inside is as right as on the border."""
    assert ratio(name, lambda V: 0.1 * MAPS[name][1](V), generic((3, 5), 1).V, MAPS[name][0]) == 0.0


def box(V):
    return V.clamp(-0.5, 0.25)


def l1_ball(V):
    """The exact projection onto the unit L1 ball by sorting."""
    X = V.flatten(1)
    ordered = X.abs().sort(dim=1, descending=True).values
    excess = (ordered.cumsum(1) - 1) / torch.arange(1, X.shape[1] + 1, dtype=X.dtype)
    count = (ordered > excess).sum(1, keepdim=True)
    threshold = excess.gather(1, count - 1).clamp_min(0)
    return (X.sign() * (X.abs() - threshold).clamp_min(0)).reshape(V.shape)


PROJECTIONS = {
    "box": ({"lo": -0.5, "hi": 0.25}, box, lambda V: 0.999 * box(V)),
    "l1_ball_rows": ({}, l1_ball, lambda V: V / by_row(V, V.flatten(1).abs().sum(1)).clamp_min(1.0)),
    "sphere_rows": ({"radius": 2.0}, lambda V: 2 * unit(V), lambda V: 2 * unit(V + 1e-3)),
    "zero_mean_rows": ({}, centred, lambda V: centred(V) * only_last_row(V, SLIGHTLY)),
    "stiefel_rows": ({}, polar, lambda V: polar(V + 1e-2 * V**2)),
}
"""Set → (parameters, its projection, a map into the same set or near it that is none)."""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", PROJECTIONS)
def test_projections_are_told_from_other_maps_into_the_set(name, dtype):
    """Feasible is not nearest: a map into the set that ends elsewhere is refuted, the projection is not."""
    parameters, right, wrong = PROJECTIONS[name]
    target = {"name": name, **parameters}
    V = generic((4, 7), 5).V.to(dtype)
    assert measure("euclidean_projection", look(right, V, target_set=target)).value <= 1
    assert measure("euclidean_projection", look(wrong, V, target_set=target)).value > WRONG_FROM


def test_an_inequality_that_holds_at_one_size_only_fails():
    """A bound that is kept at V and broken at 64 V is broken; so with a distance."""
    V = generic((3, 5), 1).V
    shrunk = V / (4 * torch.linalg.matrix_norm(V, 2))
    assert ratio("spectral_norm_le_1", lambda X: 1.0 * X, shrunk) > WRONG_FROM
    assert ratio("nonexpansive", lambda X: X * X.abs().clamp_min(1.0), V / 40) > WRONG_FROM
    assert ratio("euclidean_projection", unit, 10 * V) > WRONG_FROM


def test_sizes_outside_the_domain_are_not_asked():
    """Where larger weights are outside the stated domain, what happens there is no failure."""
    V = generic((3, 5), 1).V
    shrunk = V / (4 * torch.linalg.matrix_norm(V, 2))
    inside = look(lambda X: 1.0 * X, shrunk, domain={"max_abs": float(shrunk.abs().max())})
    assert measure("spectral_norm_le_1", inside).value == 0.0
    falls = look(lambda X: torch.where(X.abs() > 1e3, X, whole(X)), V, domain={"max_abs": 1e3})
    assert measure("scale_invariant", falls).value <= 1
    assert ratio("scale_invariant", lambda X: torch.where(X.abs() > 1e3, X, whole(X)), V) > WRONG_FROM


@pytest.mark.parametrize(
    "name", ["scale_invariant", "row_scale_invariant", "odd", "idempotent", "rotation_equivariant"]
)
def test_a_constant_map_and_its_gradient(name):
    """A constant has every invariance but oddness and equivariance, and no division by its derivative's size."""
    constant = randn(3, 5, seed=9)
    found = ratio(name, lambda V: constant + 0 * V, generic((3, 5), 1).V)
    assert (found <= 1) == (name not in ("odd", "rotation_equivariant"))


def test_measure_gives_the_worst_comparison():
    """Of all scales those that break decide, wherever they stand."""
    V = generic((3, 5), 1).V

    def breaks_when_tiny(X):
        return whole(X) * (1 + 1e-3 * float(X.norm() < 0.1))

    every = [r.value for r in RESIDUALS["scale_invariant"](look(breaks_when_tiny, V))]
    wrong = [value > WRONG_FROM for value in every]
    assert 0 < sum(wrong) < len(wrong)
    assert measure("scale_invariant", look(breaks_when_tiny, V)).value == max(every)


TIGHT = {"max_abs": 1.0, "min_row_norm": 1.99}
"""A matrix of ones with four columns is inside; hardly anything may be done to it."""


@pytest.mark.parametrize(
    "name", ["scale_invariant", "row_scale_invariant", "shift_invariant_rows", "idempotent", "rotation_equivariant"]
)
def test_a_weight_that_is_moved_out_of_the_domain_is_not_compared(name):
    """Outside the stated domain nothing was promised: where all comparisons lie there, there is none."""
    V = torch.ones(3, 4, dtype=torch.float64)

    def wild(X):
        return 3.0 * X**3 if torch.equal(X.double(), V) else torch.full_like(X, 1e6)

    assert measure(name, look(wild, V, domain=TIGHT)) is None
    assert ratio(name, wild, V) > WRONG_FROM


def test_neighbours_outside_the_domain_are_no_neighbours():
    """A nonexpansive map may jump where it was never promised."""
    V = torch.full((2, 3), 2.0, dtype=torch.float64)

    def jumps(X):
        return torch.where(X > 2.0, 100 * X, X)

    assert ratio("nonexpansive", jumps, V) > WRONG_FROM
    kept = measure("nonexpansive", look(jumps, V, domain={"max_abs": 2.0}))
    assert kept is None or kept.value <= 1


def test_gradients_are_taken_for_structured_cotangents_too():
    """The last cotangent is all ones: a constant cotangent finds what random ones may dilute."""
    V = generic((3, 5), 1).V
    cotangents = list(look(unit, V).cotangents())
    assert len(cotangents) == 4
    assert torch.equal(cotangents[-1], torch.ones_like(V))
    assert len({tuple(c.flatten().tolist()) for c in cotangents}) == 4


def test_a_look_flattens_kernels():
    """W is a float64 matrix with the rows of V, n and d are its sizes."""
    seen = look(unit, generic(KERNEL_SHAPES[1], 1).V.float())
    assert (seen.W.dtype, tuple(seen.W.shape), seen.n, seen.d, seen.dtype) == (torch.float64, (5, 18), 5, 18, "float32")
    assert torch.equal(rows(seen.V), seen.V.reshape(5, 18))
