"""What Gaussian probes say of the norm of a matrix holds for every matrix, the worst being of rank one."""

import math

import numpy as np
import pytest

from wnverify.finding import seed_of
from wnverify.oracles.sketch import MISS, least_of_largest, of_mean_square, smallest_of_largest

DRAWS = 40_000
NOISE = 4 * math.sqrt(MISS * (1 - MISS) / DRAWS)
"""Four standard deviations of a share of MISS in so many draws."""
SPECTRA = [[1.0], [0.9, 0.1], [0.7, 0.3], [0.5, 0.5], [0.6, 0.2, 0.2], [0.25] * 4]
"""Shares of the squared singular values."""


def squares(weights, count):
    """‖J e_k‖² / ‖J‖_F² of so many probes, in every draw."""
    rng = np.random.default_rng(seed_of("sketch", count, *weights))
    return rng.standard_normal((DRAWS, count, len(weights))) ** 2 @ np.array(weights)


@pytest.mark.parametrize("count", [1, 4, 8, 12])
def test_the_quantile_is_that_of_the_largest_of_several_normals(count):
    """P(max |N(0, 1)| < x) is 2.5 %, within four standard deviations."""
    share = (np.sqrt(squares([1.0], count)).max(axis=1) < smallest_of_largest(count)).mean()
    assert abs(share - MISS) < NOISE


@pytest.mark.parametrize("count", [1, 4, 9, 10, 40])
@pytest.mark.parametrize("weights", SPECTRA)
def test_the_largest_of_several_probes_is_seldom_below_its_bound(weights, count):
    """In at most 2.5 % of draws, for matrices of every rank; rank one comes nearest up to nine probes."""
    share = (np.sqrt(squares(weights, count)).max(axis=1) < least_of_largest(count)).mean()
    assert share < MISS + NOISE
    assert weights != [1.0] or count > 9 or share > MISS - NOISE


def test_beyond_nine_probes_the_quantile_of_normals_is_no_bound():
    """Two unequal weights have a heavier lower tail than one above 1, so that the bound may not be the quantile."""
    assert smallest_of_largest(9) < 1 < smallest_of_largest(10)
    assert [least_of_largest(count) for count in (9, 10, 99)] == [smallest_of_largest(9), 1.0, 1.0]
    x = 1.5
    heavier, rank_one = ((squares(weights, 1) < x).mean() for weights in ([0.85, 0.15], [1.0]))
    assert heavier > rank_one + NOISE


@pytest.mark.parametrize("count", [1, 2, 4, 8])
@pytest.mark.parametrize("weights", SPECTRA)
def test_the_mean_square_of_several_probes_is_seldom_outside_its_bounds(weights, count):
    """In at most 2.5 % of draws on each side, and in as many for a matrix of rank one."""
    sizes = np.sqrt(squares(weights, count).mean(axis=1))
    a, b = of_mean_square(count)
    shares = (sizes < a).mean(), (sizes > b).mean()
    assert max(shares) < MISS + NOISE
    assert weights != [1.0] or min(shares) > MISS - NOISE


@pytest.mark.parametrize("bound", [smallest_of_largest, least_of_largest, of_mean_square])
def test_no_probe_is_an_error(bound):
    """The message names the argument and what came."""
    with pytest.raises(ValueError, match="count must be at least 1; got 0"):
        bound(0)
