"""The bounds that Theorem 1 is compared with: valid where they should be, and how they compare."""

import itertools
import math

import numpy as np
import pytest

from wnverify.oracles.ratio import map_model
from wnverify.theory.network import NetworkClass, forward
from wnverify.theory.rademacher import complexity
from wnverify.theory.rivals import (
    RIVALS,
    golowich,
    golowich_on,
    neyshabur,
    peeling,
    peeling_with_biases,
    ratio_to_theorem1,
    theorem1,
    with_carried_constant,
)

ROUNDING = 1 + map_model("float64", 64).relative
SAMPLES = {
    "one point": [[1.0]],
    "two opposite points": [[1.0], [-1.0]],
    "a repeated point": [[0.5], [0.5], [-1.0]],
    "the corners of the square": [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]],
    "an axis of zeros": [[1.0, 0.0], [-0.5, 0.0], [0.25, 0.0]],
    "eight points": np.random.default_rng(3).uniform(-1, 1, (8, 2)).tolist(),
}
CONSTANTS = (0.1, 1.0, 3.0)
WITHOUT = [name for name, rival in RIVALS.items() if not rival.biases]
WITH = [name for name, rival in RIVALS.items() if rival.biases]


def without_biases(k, c, X):
    """R̂_S of the class without biases, k ≤ 1, m1 ≤ 2, o = 1, ReLU: every ray of the plane, every sign vector."""
    X = np.array(X)
    n, m1 = X.shape
    if k == 0:
        features = X
    else:
        directions = list(np.eye(m1)) + ([(-y, x) for x, y in X] if m1 == 2 else [])
        unit = [np.array(v) / np.abs(v).sum() for v in directions if np.any(v)]
        features = c * np.maximum(X @ np.array([*unit, *(-v for v in unit)]).T, 0)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
    return np.abs(signs @ features).max(axis=1).mean() / n


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", WITHOUT)
def test_bounds_without_biases_dominate(name, sample):
    """No exact complexity of a class without biases exceeds a bound for such classes."""
    X = SAMPLES[sample]
    for k, c in itertools.product((0, 1), CONSTANTS):
        assert without_biases(k, c, X) <= ROUNDING * RIVALS[name].bound(NetworkClass(k, c), len(X), len(X[0]))


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", WITH)
def test_bounds_with_biases_dominate(name, sample):
    """No exact complexity of a class with biases exceeds a bound for such classes, for the c that it admits."""
    X = SAMPLES[sample]
    for k, c in itertools.product((0, 1), CONSTANTS):
        if "carried" in name and k and c < 1:
            continue
        assert complexity(NetworkClass(k, c), X).value <= ROUNDING * RIVALS[name].bound(
            NetworkClass(k, c), len(X), len(X[0])
        )


def test_a_bound_without_biases_does_not_hold_with_them():
    """Biases matter: small c leaves the output bias, at which every bound for classes without biases fails."""
    network, X = NetworkClass(1, 0.01), [[1.0], [-1.0]]
    assert all(RIVALS[name].bound(network, 2, 1) < complexity(network, X).value for name in WITHOUT)


def test_the_sample_enters_golowich():
    """The bound at a sample is the general one at the corners and shrinks with the largest column."""
    network, X = NetworkClass(3, 2.0), np.array(SAMPLES["the corners of the square"])
    assert golowich_on(network, X) == golowich(network, 4, 2)
    assert golowich_on(network, X * [1.0, 0.5]) == golowich(network, 4, 2)
    assert golowich_on(network, X * 0.5) == golowich(network, 4, 2) / 2
    for k, c in itertools.product((0, 1), CONSTANTS):
        assert without_biases(k, c, X / 4) <= ROUNDING * golowich_on(NetworkClass(k, c), X / 4)


def test_each_constant_is_that_of_its_source():
    """Hand values at k = 2, c = (2, 3), o = 5, n = 4, m1 = 8."""
    network = NetworkClass(2, (2.0, 3.0), 5.0)
    expected = {
        neyshabur: 4 * 5 * 6 * math.sqrt(math.log(16)),
        golowich: 2 * 5 * 6 * math.sqrt((2 + 1 + 1 + math.log(8)) / 4),
        peeling: 4 * 5 * 6 * math.sqrt(math.log(16) / 2),
        peeling_with_biases: 5 * (1 + 2 * 3 + 4 * 6 * math.sqrt(2 * math.log(18))) / 2,
    }
    carried = {with_carried_constant(neyshabur): 4 * 5 * 6 * math.sqrt(math.log(18))}
    for bound, value in (expected | carried).items():
        assert abs(bound(network, 4, 8) / value - 1) <= ROUNDING - 1


def test_a_unit_carries_the_constant():
    """A ReLU network with biases equals one without, with one more input and one more unit in each hidden layer."""
    rng = np.random.default_rng(0)
    shapes = ((4, 2), (3, 2), (3, 1))
    weights = [rng.integers(-4, 5, shape) / 8 for shape in shapes]
    X = rng.integers(-8, 9, (6, 3)) / 8
    values = np.hstack([X, np.ones((6, 1))])
    for layer, V in enumerate(weights):
        carrier = np.zeros((len(V), 1))
        carrier[-1] = 1
        moved = np.vstack([V[1:], V[:1]])
        values = np.maximum(values, 0 if layer else -1) @ (moved if layer == 2 else np.hstack([moved, carrier]))
    assert np.array_equal(values[:, 0], forward(weights, X))


@pytest.mark.parametrize(
    ("network", "message"),
    [(NetworkClass(1, 0.5), "at least 1 in every layer"), (NetworkClass(1, 2.0, 1.0, 0.5), "rho must be 1")],
    ids=["small c", "rho below 1"],
)
def test_the_constant_cannot_always_be_carried(network, message):
    """A c below 1, or another activation, is refused with the argument's name."""
    with pytest.raises(ValueError, match=message):
        with_carried_constant(golowich)(network, 4, 2)


def test_theorem1_takes_the_second_bound_where_it_applies():
    """For cρ ≥ 1 the smaller, second bound is compared; below 1 only the first is there."""
    assert theorem1(NetworkClass(1, 1.0), 1, 1) == math.sqrt(4 * math.log(4)) + math.sqrt(2 * math.log(2))
    assert theorem1(NetworkClass(1, 0.5), 1, 1) > theorem1(NetworkClass(1, 1.0), 1, 1)


def test_neyshabur_against_theorem1():
    """Below 2^k at every depth for one input; above it only where log(2 m1) ≥ (k + 3) log 4 / (2 − √2)²."""
    depths = range(12)
    assert all(ratio < 2**k for k, ratio in zip(depths, ratio_to_theorem1(neyshabur, depths, 1.0, 1), strict=True))
    for k in depths:
        edge = math.exp((k + 3) * math.log(4) / (2 - math.sqrt(2)) ** 2) / 2
        below, above = (ratio_to_theorem1(neyshabur, (k,), 2.0, int(factor * edge))[0] for factor in (0.9, 1.1))
        assert below < 2**k < above


def test_golowich_with_a_carried_constant_beats_theorem1_in_shallow_networks():
    """At k ≤ 2 and ten inputs it is the smaller, from k = 3 on never."""
    bound = RIVALS["Golowich et al., carried constant"].bound
    assert all(ratio < 1 for ratio in ratio_to_theorem1(bound, (0, 1, 2), 1.0, 10))
    for m1 in (1, 2, 5, 10, 20, 100, 10**6, 10**30):
        assert all(ratio > 1 for ratio in ratio_to_theorem1(bound, range(3, 40), 1.0, m1))


def test_peeling_needs_no_root_of_k_for_small_c():
    """For 2 cρ < 1 peeling with biases stays bounded in k; Theorem 1's ratio to it grows without bound."""
    ratios = ratio_to_theorem1(peeling_with_biases, (10, 100, 1000), 0.25, 4)
    assert ratios[0] > ratios[1] > ratios[2]
    assert ratios[1] / ratios[2] > 3
