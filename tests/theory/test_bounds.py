"""Bounds on the complexity: values worked out by hand, order among them, and domination of exact values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from wnverify.oracles.ratio import Ratio, map_model
from wnverify.theory import bounds
from wnverify.theory.network import NetworkClass
from wnverify.theory.rademacher import complexity
from wnverify.theory.two_hidden import two_hidden

CASES = [
    pytest.param(k, c, n, m1, id=f"k{k}-c{c}-n{n}-m{m1}")
    for k in (0, 1, 2, 5)
    for c in (0.25, 1.0, 1.5, 4.0)
    for n, m1 in ((1, 1), (9, 2), (40, 1000))
]


def test_theorem_1_by_hand():
    """k = 1, c = 2, o = 3, n = 4, m1 = 2, every number written out."""
    network = NetworkClass(1, 2.0, o=3.0)
    first = 3 * math.sqrt(2 * math.log(16) / 4) * (1 + 2 + 2) + 3 * 2 * math.sqrt(2 * math.log(4) / 4)
    second = 3 * 2 * (math.sqrt(4 * math.log(4)) + math.sqrt(2 * math.log(4))) / 2
    model = map_model("float64", 8)
    for found, right in ((bounds.theorem1_first, first), (bounds.theorem1_second, second)):
        assert Ratio(abs(found(network, 4, 2) - right), right, model).value <= 1


def test_the_closed_form_by_hand():
    """The two closed forms at k = 1, m1 = 2, n = 400, far below the range; each is the smaller one somewhere."""
    for c, o in ((2.0, 3.0), (0.1, 1.0)):
        apart = math.sqrt(math.log(2)) + c * math.sqrt(2 * math.log(2)) + c * math.sqrt(math.log(2) + math.log(4))
        together = max(1.0, c) * math.sqrt(2 * math.log(2) + math.log(4))
        right = o * math.sqrt(2 / 400) * min(apart, together)
        assert (apart < together) == (c < 1)
        found = bounds.closed_form(NetworkClass(1, c, o), 400, 2)
        assert Ratio(abs(found - right), right, map_model("float64", 8)).value <= 1


def test_the_second_bound_asks_for_its_hypothesis():
    """cρ < 1 is refused; with a c for each layer no factor may exceed the last."""
    with pytest.raises(ValueError, match="cρ ≥ 1 is a hypothesis"):
        bounds.theorem1_second(NetworkClass(1, 0.5), 4, 2)
    with pytest.raises(ValueError, match="cρ ≥ 1 is a hypothesis"):
        bounds.theorem1_second(NetworkClass(2, (0.5, 3.0)), 4, 2)
    assert bounds.theorem1_second(NetworkClass(2, (3.0, 0.5)), 4, 2) > 0


@pytest.mark.parametrize(("k", "c", "n", "m1"), CASES)
def test_the_bounds_stand_in_order(k, c, n, m1):
    """sharper ≤ closed form < Theorem 1, second ≤ first where it applies."""
    network = NetworkClass(k, c, o=2.0)
    tight, closed = bounds.sharper(network, n, m1), bounds.closed_form(network, n, m1)
    first = bounds.theorem1_first(network, n, m1)
    assert tight <= closed
    assert closed < first
    if c >= 1:
        second = bounds.theorem1_second(network, n, m1)
        assert closed < second < first


def test_the_sharper_bound_by_hand():
    """k = 1, n = 4, m1 = 2: the four cuts of the three branches, moments by enumeration, λ on another grid."""
    c, n = 1.5, 4
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
    sums = np.abs(signs.sum(axis=1))
    branches = [(1, 1.0, 1), (2, c, 1), (2, c, 2)]  # factor 2^j, a_j, and how many sums of signs stand for it

    def group(members: list[tuple[int, float, int]]) -> float:
        def value(log_lambda: float) -> float:
            lam = math.exp(log_lambda)
            return math.log(sum(f * m * np.exp(lam * a * sums).mean() for f, a, m in members)) / lam

        return min(value(t) for t in np.linspace(-12, 4, 4001))

    cuts = [group(branches[:i]) + group(branches[i:]) for i in (1, 2)]
    cuts += [group(branches), sum(group([each]) for each in branches)]
    network = NetworkClass(1, c)
    right = min(min(cuts) / n, network.range(), bounds.closed_form(network, n, 2))
    found = bounds.sharper(network, n, 2)
    # Two grids of λ, each at most a thousandth above the minimum.
    assert right / 1.001 <= found <= right * 1.001


@pytest.mark.parametrize("seed", range(12))
def test_no_bound_is_below_the_exact_value(seed):
    """Random, rounded and corner samples with k = 0 and 1; the sample's own bound is the smallest."""
    rng = np.random.default_rng(seed)
    n, m1, k = int(rng.integers(1, 9)), int(rng.integers(1, 4)), int(rng.integers(0, 2))
    X = rng.uniform(-1, 1, size=(n, m1))
    X = (X, np.round(2 * X) / 2, np.sign(X))[seed % 3]
    network = NetworkClass(k, float(rng.uniform(0.2, 3)), o=float(rng.uniform(0.5, 2)))
    exact = complexity(network, X)
    on = bounds.sharper_on(network, X)
    assert exact.value - exact.error <= on <= bounds.sharper(network, n, m1)
    if k == 0:
        assert exact.value <= bounds.linear(network, n, m1)


@pytest.mark.parametrize("c", [0.5, 2.0], ids=str)
def test_no_bound_is_below_two_hidden_layers(c):
    """The enclosed value of two hidden layers stays below the sample's own bound."""
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    network = NetworkClass(2, c)
    assert two_hidden(network, X).lower <= bounds.sharper_on(network, X)


def test_a_lost_factor_is_seen():
    """At n = 1 with one input the sample's bound is the range; a bound half as large is below the exact value."""
    network = NetworkClass(1, 1.0)
    exact = complexity(network, np.array([[1.0]])).value
    assert exact == 1.0
    assert bounds.sharper_on(network, np.array([[1.0]])) / 2 < exact


def test_a_constant_for_each_layer():
    """Equal constants give the bounds of one constant; a smaller one in any layer gives smaller bounds."""
    one, many = NetworkClass(3, 2.0), NetworkClass(3, (2.0, 2.0, 2.0))
    for bound in (bounds.theorem1_first, bounds.theorem1_second, bounds.closed_form, bounds.sharper):
        assert bound(one, 10, 3) == bound(many, 10, 3)
    for layer in range(3):
        less = [2.0, 2.0, 2.0]
        less[layer] = 1.5
        assert bounds.sharper(NetworkClass(3, less), 10, 3) < bounds.sharper(many, 10, 3)


def test_without_sqrt_k_below_one():
    """For cρ < 1 the sharper bound stays bounded in the depth, Theorem 1's first bound grows like √k."""
    shallow, deep = NetworkClass(50, 0.5), NetworkClass(400, 0.5)
    assert bounds.closed_form(deep, 100, 3) == bounds.closed_form(shallow, 100, 3)
    assert bounds.theorem1_first(deep, 100, 3) > 2.5 * bounds.theorem1_first(shallow, 100, 3)


def test_remark_1():
    """The two orders in k, by hand at k = 4."""
    assert bounds.remark1_order(4, 2.0) == 2 * 16
    assert bounds.remark1_order(4, 0.5) == 2 * (1 - 0.5**5) / 0.5


@pytest.mark.parametrize(("n", "m1", "named"), [(0, 1, "n"), (1, 0, "m1"), (2.5, 1, "n"), (True, 1, "n")], ids=str)
def test_sizes_are_checked(n, m1, named):
    """The message names the argument."""
    with pytest.raises(ValueError, match=f"{named} must be a whole number, at least 1"):
        bounds.theorem1_first(NetworkClass(1, 1.0), n, m1)


def test_the_linear_bound_is_of_the_linear_class():
    """k ≥ 1 is refused."""
    with pytest.raises(ValueError, match="k must be 0"):
        bounds.linear(NetworkClass(1, 1.0), 3, 2)
