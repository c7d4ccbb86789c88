"""The weights at which subjects are looked at are what their names say, and the same for the same seed."""

from __future__ import annotations

import math

import pytest
import torch

from wnverify.auditing.points import (
    GENERIC_SHAPES,
    KERNEL_SHAPES,
    generic,
    ill_conditioned,
    nearly_repeated_singular_values,
    orthonormal_zero_mean_rows,
    outside,
    randn,
    repeated_singular_values,
    rotation,
    rows,
    scaled_rows,
    structured,
)

ROUNDING = 64 * 2.0**-53
"""Of a product of small matrices with entries of size one."""


def every_point(seed):
    points = [generic(shape, seed) for shape in (*GENERIC_SHAPES, *KERNEL_SHAPES)]
    points += [*structured(seed), *repeated_singular_values(seed), nearly_repeated_singular_values(seed)]
    return [*points, ill_conditioned(1e3, seed), scaled_rows(1e6, seed)]


def test_names_are_unique():
    """A name in a finding stands for one weight."""
    names = [point.name for point in every_point(0)]
    assert len(set(names)) == len(names)


def test_a_seed_decides_every_point():
    """The same seed gives the same bits; another seed moves all but the diagonal."""
    first, again, other = every_point(3), every_point(3), every_point(4)
    assert all(torch.equal(a.V, b.V) for a, b in zip(first, again, strict=True))
    assert [a.name for a, b in zip(first, other, strict=True) if torch.equal(a.V, b.V)] == ["diagonal"]


def test_points_are_float64_and_finite():
    """Narrower types are made of them where they are asked for."""
    for point in every_point(0):
        assert point.V.dtype == torch.float64, point.name
        assert bool(torch.isfinite(point.V).all()), point.name
        assert point.weight is point.V


def test_generic_shapes_separate_rows_from_columns():
    """There are wide, square, tall and one-row weights, one beyond 64 rows and 128 columns, kernels of 3 to 5 axes."""
    assert {(n > d) - (n < d) for n, d in GENERIC_SHAPES} == {-1, 0, 1}
    assert any(n == 1 for n, _ in GENERIC_SHAPES)
    assert any(n > 64 and d > 128 for n, d in GENERIC_SHAPES)
    assert {len(shape) for shape in KERNEL_SHAPES} == {3, 4, 5}


@pytest.mark.parametrize("shape", GENERIC_SHAPES)
def test_a_generic_weight_is_neither_centred_nor_normalised(shape):
    """What a wrong formula would find by accident is not there."""
    V = generic(shape, 0).V
    assert V.shape == shape
    assert float(V.mean(1).abs().min()) > 1e-4
    assert float((V.norm(dim=1) - 1).abs().min()) > 1e-4


def test_structured_points_are_what_they_are_called():
    """Each has exactly the structure of its name."""
    points = {point.name: point.V for point in structured(0)}
    unit = points["unit rows"].norm(dim=1)
    assert float((unit - 1).abs().max()) <= ROUNDING
    assert float(points["zero-mean rows"].sum(1).abs().max()) <= ROUNDING
    both = points["unit zero-mean rows"]
    assert max(float(both.sum(1).abs().max()), float((both.norm(dim=1) - 1).abs().max())) <= ROUNDING
    assert bool((points["all positive"] > 0).all())
    assert bool((points["all negative"] < 0).all())
    assert torch.equal(points["small integers"], points["small integers"].round())
    diagonal = points["diagonal"]
    assert torch.equal(diagonal, torch.diag(torch.arange(1.0, 5.0).double()) @ EYE)
    assert torch.equal(points["square symmetric"], points["square symmetric"].mT)
    assert (points["some exact zeros"] == 0).sum(1).tolist() == [2, 2, 2, 2]
    assert len(points) == 9


EYE = torch.eye(4, 7, dtype=torch.float64)


def sigma(V):
    return torch.linalg.svdvals(V)


def test_repeated_singular_values_are_repeated():
    """Equal to rounding, with and without zero-mean rows."""
    zero_mean, pairs, plain = (point.V for point in repeated_singular_values(0))
    ones = torch.ones(4, dtype=torch.float64)
    for V, expected in ((zero_mean, ones), (plain, ones), (pairs, torch.tensor([2.0, 2, 1, 1]).double())):
        assert float((sigma(V) - expected).abs().max()) <= ROUNDING
    assert float(pairs.sum(1).abs().max()) <= ROUNDING
    assert float(plain.sum(1).abs().max()) > 0.01


def test_nearly_repeated_singular_values_are_apart_by_the_gap():
    """1e-9 apart: far above rounding, far below everything else."""
    gaps = -sigma(nearly_repeated_singular_values(0, 1e-9).V).diff()
    for index in (0, 2):
        assert abs(float(gaps[index]) - 1e-9) <= ROUNDING


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e6])
def test_ill_conditioned_has_the_condition_that_it_says(condition):
    """The extreme singular values are 1 and 1/condition, and the rows sum to zero."""
    V = ill_conditioned(condition, 0).V
    values = sigma(V)
    assert abs(float(values[0] / values[-1]) / condition - 1) <= ROUNDING * condition
    assert float(V.sum(1).abs().max()) <= ROUNDING


def test_scaled_rows_spread_their_norms():
    """The first row's scale over the last's is the inverse spread, whatever the random entries are."""
    base, spread = scaled_rows(1.0, 0).V, scaled_rows(1e6, 0).V
    factors = (spread / base).mean(1)
    assert abs(float(factors[-1] / factors[0]) / 1e6 - 1) <= ROUNDING
    assert bool((factors.diff() > 0).all())


def test_rotations_and_frames_are_orthonormal():
    """Q Qᵀ = I, and a frame's rows sum to zero; more rows than room are refused."""
    for Q in (rotation(5, 1), orthonormal_zero_mean_rows(3, 6, 2), orthonormal_zero_mean_rows(5, 6, 2)):
        miss = Q @ Q.mT - torch.eye(Q.shape[0], dtype=torch.float64)
        assert float(miss.abs().max()) <= ROUNDING
    assert float(orthonormal_zero_mean_rows(3, 6, 2).sum(1).abs().max()) <= ROUNDING
    with pytest.raises(ValueError, match="n must be at most d - 1 = 5; got 6"):
        orthonormal_zero_mean_rows(6, 6, 2)


def test_rows_flattens_further_axes():
    """(n, c, k) becomes (n, c·k), in storage order."""
    V = randn(2, 3, 4, seed=1)
    assert torch.equal(rows(V), V.reshape(2, 12))


def test_an_empty_domain_leaves_nothing_out():
    """Without a stated domain every point is inside."""
    assert [point.name for point in every_point(0) if outside(point.V, {}) is not None] == []


@pytest.mark.parametrize(
    ("domain", "left"),
    [
        ({"rows_le_cols": True}, {"7x3"}),
        ({"rows_lt_cols": True}, {"7x3", "4x4"}),
        ({"min_cols": 5}, {"7x3", "4x4"}),
        ({"finite_only_for_row_norm_lt": 1e-3}, {"3x5", "5x12", "4x4", "7x3", "1x6", "70x134"}),
    ],
)
def test_generic_points_outside_a_domain(domain, left):
    """Exactly the generic shapes that a domain excludes are left out."""
    points = [generic(shape, 0) for shape in GENERIC_SHAPES]
    assert {point.name for point in points if outside(point.V, domain)} == left


def test_the_zero_matrix_has_no_finite_condition():
    """Rank and condition are asked without a division by zero."""
    zero = torch.zeros(3, 5, dtype=torch.float64)
    assert (outside(zero, {"max_condition": 1e300}) or "").endswith(f"a condition number of {math.inf}")
    assert outside(zero, {"full_rank": True}) == "full_rank: V is rank-deficient"
