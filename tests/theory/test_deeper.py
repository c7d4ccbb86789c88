"""Two hidden layers, deeper networks, tanh, and expectations: certified bounds hold what is known exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wnverify.methods.l1_inf_projection.pytorch import project_rows_onto_l1_ball
from wnverify.oracles.ratio import Ratio, gamma, map_model
from wnverify.theory import batched
from wnverify.theory.expected import expected_complexity
from wnverify.theory.milp import certified_complexity
from wnverify.theory.network import NetworkClass, augmented, relu
from wnverify.theory.rademacher import complexity, sign_vectors
from wnverify.theory.rays import features, rays
from wnverify.theory.sandwich import sandwich
from wnverify.theory.tanh import tanh_complexity
from wnverify.theory.two_hidden import _supremum, two_hidden

X = np.array([[0.5, -0.25], [-1.0, 0.75], [0.25, 1.0], [0.0, -0.5]])


def test_two_hidden_layers_are_enclosed_tightly():
    """The linear programs from below and above leave rounding between them."""
    found = two_hidden(NetworkClass(2, (1.5, 0.75), o=2.0), X)
    assert 0 <= found.upper - found.lower <= 4 * gamma(500, 2.0**-53) * found.upper


def test_two_hidden_layers_contain_one():
    """A path through the second layer gives c_1 c_2 times the unit: never below one hidden layer with that constant."""
    for c in ((1.0, 2.0), (0.5, 3.0), (2.0, 0.25)):
        one = complexity(NetworkClass(1, c[0] * c[1]), X)
        assert two_hidden(NetworkClass(2, c), X).upper >= one.value - one.error


def test_parity_needs_the_second_layer():
    """On the corners of a cube, with parity as signs, one hidden layer reaches 1/2 and two reach 2/3."""
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    signs = corners.prod(axis=1)
    F = features(corners, rays(corners))
    assert np.abs(signs @ F).max() == 0.5
    G = np.hstack([np.ones((8, 1)), F])
    found = _supremum(G, 1.0, tuple(int(each) for each in signs))
    model = map_model("float64", 500)
    assert Ratio(abs(found.lower - 2 / 3), 2 / 3, model).value <= 1
    assert Ratio(abs(found.upper - 2 / 3), 2 / 3, model).value <= 1


def test_the_sandwich_of_one_hidden_layer_is_the_exact_value():
    """k ≤ 1: both bounds are exact."""
    for k in (0, 1):
        one, both = complexity(NetworkClass(k, 1.5), X), sandwich(NetworkClass(k, 1.5), X)
        assert both.lower <= one.value <= both.upper
        assert both.below == both.above == "exact"


@pytest.mark.parametrize("k", [2, 3, 4], ids=str)
def test_the_sandwich_holds_what_a_search_finds(k):
    """Weights of the class give a value between 0 and the upper bound, close below or above the lower one."""
    for c in (0.7, 1.5):
        network = NetworkClass(k, c)
        both = sandwich(network, X)
        found = batched.search(network, X, sign_vectors(0, 8, 4), project_rows_onto_l1_ball, steps=30)
        assert found.lower <= both.upper
        assert both.lower <= both.upper
        assert found.lower > 0.9 * both.lower


def test_the_single_path_carries_the_unit_of_the_first_layer():
    """k = 3: at least c² times the complexity of one hidden layer, as both of its further layers multiply by c."""
    for c in (0.8, 1.5):
        one = complexity(NetworkClass(1, c, o=2.0), X)
        path = sandwich(NetworkClass(3, c, o=2.0), X)
        assert path.lower >= c**2 * (one.value - 8 * one.error)


def test_a_search_raises_the_lower_bound():
    """What the search gives is taken where it is larger, and named."""
    network = NetworkClass(3, 1.0)
    plain = sandwich(network, X)
    raised = sandwich(network, X, lambda *_: (plain.lower + plain.upper) / 2)
    assert raised.below == "search"
    assert raised.gap < plain.gap
    assert sandwich(network, X, lambda *_: 0.0) == plain


def test_a_search_of_one_layer_comes_close_to_the_exact_value():
    """k = 1: never above the exact value, and within 2 % of it."""
    network = NetworkClass(1, 1.5)
    exact = complexity(network, X)
    found = batched.search(network, X, sign_vectors(0, 8, 4), project_rows_onto_l1_ball)
    assert 0.98 * exact.value < found.lower <= exact.value + exact.error


def test_wider_layers_change_nothing_with_one_hidden_layer():
    """Searches with 1 to 16 units stay below the one exact value."""
    network = NetworkClass(1, 1.0)
    exact = complexity(network, X)
    for width in (1, 2, 16):
        found = batched.search(network, X, sign_vectors(0, 8, 4), project_rows_onto_l1_ball, width=width, steps=30)
        assert found.lower <= exact.value + exact.error


def test_tanh_is_enclosed():
    """Random units of the ball stay below the upper bound, and the bounds are as close as asked."""
    rng = np.random.default_rng(0)
    network = NetworkClass(1, 2.0)
    found = tanh_complexity(network, X[:, :1], gap=1e-3)
    assert 0 < found.upper - found.lower <= 2e-3 * network.o
    V = rng.laplace(size=(2, 40_000))
    V *= 2.0 * rng.uniform(size=40_000) ** 0.2 / np.abs(V).sum(axis=0)
    reached = np.abs(sign_vectors(0, 8, 4) @ np.tanh(augmented(X[:, :1]) @ V)).max(axis=1)
    bias = np.abs(sign_vectors(0, 8, 4).sum(axis=1))
    largest = float(np.maximum(reached, bias).mean()) / 4
    assert largest <= found.upper
    assert found.lower <= 1.01 * largest  # so many units come within a hundredth of the best one


def test_tanh_of_small_weights_is_linear():
    """c → 0: R̂_S/c tends to that of the linear class, when the output bias is left out of it by the small o."""
    c = 1e-3
    found = tanh_complexity(NetworkClass(1, c, o=1.0), np.array([[1.0], [-1.0]]))
    # The output bias gives E|ε1 + ε2|/2 = 1/2; where ε1 = −ε2, half of the time, the unit adds c |x1 − x2|/2 = c.
    # tanh z is above z − z³/3 for z > 0.
    assert found.lower <= 0.5 + c / 2
    assert found.upper >= 0.5 + (c - c**3 / 3) / 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_hidden(NetworkClass(1, 1.0), X), "two hidden layers of ReLU units; got k = 1"),
        (lambda: two_hidden(NetworkClass(2, 1.0), np.zeros((9, 1))), "at most 8 samples"),
        (lambda: certified_complexity(NetworkClass(2, 1.0), X), "one hidden layer of ReLU units; got k = 2"),
        (lambda: certified_complexity(NetworkClass(1, 1.0), np.zeros((12, 1))), "at most 11 samples"),
        (lambda: tanh_complexity(NetworkClass(2, 1.0), X), "one hidden layer with ρ = 1; got k = 2"),
        (lambda: tanh_complexity(NetworkClass(1, 1.0), np.zeros((4, 3))), "at most 12 samples and 2 inputs"),
        (lambda: tanh_complexity(NetworkClass(1, 1.0), X, gap=0.0), "gap must be between 0 and 1"),
        (lambda: expected_complexity(NetworkClass(1, 1.0), lambda g, n: X, 4, trials=1), "trials must be at least 2"),
    ],
    ids=["two-k", "two-n", "milp-k", "milp-n", "tanh-k", "tanh-m", "tanh-gap", "trials"],
)
def test_what_cannot_be_done_is_refused(call, message):
    """The message says what would do."""
    with pytest.raises(ValueError, match=message):
        call()


def test_the_expectation_over_a_distribution():
    """One-point samples at ±1 or 0: R̂_S = max(1, c max(1, |x|)) is constant; a mixture is held by the interval."""
    constant = expected_complexity(NetworkClass(1, 2.0), lambda g, n: g.choice([-1.0, 1.0], size=(n, 1)), 1, trials=50)
    assert constant.mean == 2.0
    assert constant.lower <= 2.0 <= constant.upper

    def mixed(generator: np.random.Generator, n: int) -> np.ndarray:
        return generator.choice([0.0, 1.0], size=(1, 1)).repeat(n, axis=0)

    values = [complexity(NetworkClass(0, 1.0), np.full((2, 1), x)).value for x in (0.0, 1.0)]
    found = expected_complexity(NetworkClass(0, 1.0), mixed, 2, trials=300)
    assert found.lower <= sum(values) / 2 <= found.upper


def test_relu():
    """max(z, 0)."""
    np.testing.assert_array_equal(relu(np.array([[-1.0, 0.0, 2.0]])), [[0.0, 0.0, 2.0]])
