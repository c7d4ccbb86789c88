"""The rays of the arrangement, in exact arithmetic."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from wnverify.theory import rays as module
from wnverify.theory.rays import activations, features, intersections, largest_n, primitive, rays


def test_the_rays_of_one_point_on_the_line():
    """x̃ = (1, 1/2): the axes and ±(1, −2), both ways."""
    assert set(rays(np.array([[0.5]]))) == {(0, 1), (0, -1), (1, 0), (-1, 0), (1, -2), (-1, 2)}


@pytest.mark.parametrize("seed", range(6))
def test_every_ray_lies_on_enough_hyperplanes(seed):
    """Each is orthogonal to m − 1 independent normals, exactly, and both directions are listed."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.uniform(-1, 1, size=(5, 3)) * 4) / 4
    X = np.sign(X) if seed % 2 else X  # corners: many sets of normals are dependent
    normals = [[Fraction(1), *map(Fraction, row)] for row in X.tolist()]
    normals += [[Fraction(int(i == j)) for j in range(4)] for i in range(4)]
    found = rays(X)
    assert len(found) == len(set(found))
    for v in found:
        assert tuple(-each for each in v) in found
        on = [row for row in normals if sum(a * b for a, b in zip(row, v, strict=True)) == 0]
        assert np.linalg.matrix_rank(np.array(on, dtype=float)) == 3


def test_the_rays_of_points_in_general_position():
    """No two sets of hyperplanes meet in one line: 2 C(n + m1 + 1, m1) rays."""
    X = np.random.default_rng(3).uniform(-1, 1, size=(6, 2))
    assert len(rays(X)) == 2 * intersections(6, 2)


def test_what_repeats_counts_once():
    """Repeated points, points at 0 and opposite points add no rays; neither does a second copy of everything."""
    X = np.array([[0.5, -0.25], [0.0, 0.0]])
    assert rays(X) == rays(X[:1]) == rays(np.vstack([X, X]))


def test_activations_are_exact():
    """Rational activations of unit vectors, and features that are their nearest floats."""
    X = np.random.default_rng(5).uniform(-1, 1, size=(4, 2))
    found = rays(X)
    exact = activations(X, found)
    expected = {tuple(float(each) for each in column) for column in exact if any(column)}
    assert {tuple(column) for column in features(X, found).T} == expected


def test_a_linear_function_on_the_ball_is_largest_on_a_ray():
    """No random v of the L1 ball beats the rays, for every sign vector."""
    rng = np.random.default_rng(7)
    X = rng.uniform(-1, 1, size=(5, 2))
    F = features(X, rays(X))
    V = rng.laplace(size=(3, 20_000))
    V /= np.abs(V).sum(axis=0)
    sampled = np.maximum(np.hstack([np.ones((5, 1)), X]) @ V, 0)
    for signs in itertools.product((1.0, -1.0), repeat=5):
        assert (np.array(signs) @ sampled).max() <= max((np.array(signs) @ F).max(), 0.0)


def test_a_large_problem_is_refused_with_the_size_that_would_do():
    """The message names n, m1, the count and the largest n; that n is accepted and the next one is not."""
    fits = largest_n(6)
    assert intersections(fits, 6) <= module.MAX_INTERSECTIONS < intersections(fits + 1, 6)
    with pytest.raises(ValueError, match=rf"n = {fits + 1}, m1 = 6 give .* so n ≤ {fits} at this m1"):
        rays(np.random.default_rng(0).uniform(-1, 1, size=(fits + 1, 6)))


def test_primitive_vectors():
    """Equal up to a factor means equal."""
    assert primitive([0, 0]) == (0, 0)
    assert primitive([6, -3]) == primitive([-4, 2]) == (2, -1)
