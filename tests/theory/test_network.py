"""The class of networks: its factors, its range, and what is refused."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from wnverify.oracles.ratio import map_model
from wnverify.theory.network import ACTIVATIONS, NetworkClass, augmented, checked_data, forward


def test_the_factors_are_products_from_the_output_down():
    """a_j multiplies the constants of the last j hidden layers and ρ^j."""
    assert NetworkClass(3, (2.0, 3.0, 5.0), rho=0.5).branches() == (1.0, 2.5, 3.75, 3.75)
    assert NetworkClass(0, 7.0).branches() == (1.0,)


@pytest.mark.parametrize("c", [0.5, 1.0, 3.0], ids=str)
@pytest.mark.parametrize("k", [0, 1, 2, 3], ids=str)
def test_the_range_is_attained_by_relu(k, c):
    """Some network of the class reaches its range on the cube: a path of biases or of weights."""
    network = NetworkClass(k, c, o=2.0)
    reached = []
    for start in range(k + 1):  # the layer whose bias, or at 0 whose input, begins the path
        weights = []
        for layer in range(k):
            V = np.zeros((2, 1))
            V[int(layer > start), 0] = c
            weights.append(V)
        out = np.zeros((2, 1))
        out[int(start < k), 0] = 2.0
        reached.append(forward([*weights, out], np.array([[1.0]]))[0])
    assert Fraction(max(reached)) == Fraction(network.range())


def test_no_network_leaves_the_range():
    """Random members of the class stay within sup |f|, for both activations."""
    rng = np.random.default_rng(0)
    for k, c, name in itertools.product((1, 2, 3), (0.5, 2.0), ACTIVATIONS):
        network = NetworkClass(k, c, o=1.5)
        for _ in range(50):
            X = rng.uniform(-1, 1, size=(4, 2))
            sizes = [2, *rng.integers(1, 4, size=k), 1]
            limits = [c] * k + [1.5]
            weights = [rng.laplace(size=(a + 1, b)) for a, b in itertools.pairwise(sizes)]
            weights = [V * limit / np.abs(V).sum(axis=0) for V, limit in zip(weights, limits, strict=True)]
            assert np.abs(forward(weights, X, name)).max() <= network.range() * (1 + map_model("float64", 9).relative)


def test_the_bias_stands_first():
    """X̃ = (1, x), as the paper writes it."""
    np.testing.assert_array_equal(augmented(np.array([[0.5, -1.0]])), [[1.0, 0.5, -1.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": -1, "c": 1.0}, "k must be the number of hidden layers, a whole number ≥ 0; got -1"),
        ({"k": True, "c": 1.0}, "k must be the number of hidden layers"),
        ({"k": 1, "c": 0.0}, "c must be finite and > 0; got 0.0"),
        ({"k": 1, "c": float("nan")}, "c must be finite and > 0; got nan"),
        ({"k": 2, "c": (1.0,)}, "c must be one number or one for each of the k = 2 hidden layers; got 1"),
        ({"k": 1, "c": 1.0, "o": -1.0}, "o must be finite and > 0; got -1.0"),
        ({"k": 1, "c": 1.0, "rho": -0.5}, "rho must be a Lipschitz constant, finite and ≥ 0; got -0.5"),
    ],
    ids=["k", "bool", "zero", "nan", "layers", "o", "rho"],
)
def test_a_class_without_meaning_is_refused(arguments, message):
    """The message names the argument and what came."""
    with pytest.raises(ValueError, match=message):
        NetworkClass(**arguments)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([1.0, 2.0], r"X must be a matrix \(n samples × m1 inputs\) with n, m1 ≥ 1; got shape \(2,\)"),
        (np.zeros((0, 2)), "got shape"),
        (np.zeros((2, 0)), "got shape"),
        ([[0.5, np.nan]], r"entries finite; got X\[0, 1\] = nan"),
        ([[0.5], [-1.5]], r"entries in \[-1, 1\]; got X\[1, 0\] = -1.5"),
        ([["a"]], "X must hold real numbers"),
        ([[1j]], "X must hold real numbers"),
        ([[1.0], [1.0, 2.0]], "X must be a real matrix"),
    ],
    ids=["vector", "no-rows", "no-columns", "nan", "outside", "text", "complex", "ragged"],
)
def test_a_sample_without_meaning_is_refused(X, message):
    """The message names the entry."""
    with pytest.raises(ValueError, match=message):
        checked_data(X)


def test_the_cube_is_asked_for_only_where_it_is_needed():
    """``cube=False`` takes points outside."""
    np.testing.assert_array_equal(checked_data([[3]], cube=False), [[3.0]])
