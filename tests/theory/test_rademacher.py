"""Exact complexities: against rational arithmetic, a second algorithm, closed forms, and on degenerate samples."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from wnverify.oracles.ratio import Ratio, map_model
from wnverify.theory import batched, rademacher
from wnverify.theory.intervals import bernstein
from wnverify.theory.milp import certified_complexity
from wnverify.theory.network import NetworkClass
from wnverify.theory.rademacher import complexity, largest_exact, sampled, sign_vectors, supremum
from wnverify.theory.rays import activations, rays

DEVICES = ["cpu", *([pytest.param("cuda", marks=pytest.mark.gpu)] if torch.cuda.is_available() else [])]
DEGENERATE = {
    "repeated": [[0.5, 0.25]] * 4,
    "zeros": [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]],
    "axes": [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]],
    "collinear": [[-1.0, -0.5], [-0.5, -0.25], [0.5, 0.25], [1.0, 0.5]],
    "opposite": [[0.3, -0.7], [-0.3, 0.7]],
    "corners": [list(corner) for corner in itertools.product((-1.0, 1.0), repeat=2)],
    "one": [[0.25, -1.0]],
    "tiny": [[1e-300, 5e-324], [1.0, -1e-300], [0.0, 1.0]],
}


def rational(network: NetworkClass, X: np.ndarray) -> Fraction:
    """R̂_S in rational arithmetic, every sign vector and every ray."""
    n = len(X)
    columns = [[Fraction(1)] * n, *([Fraction(network.c[0]) * a for a in row] for row in activations(X, rays(X)))]
    total = Fraction(0)
    for signs in itertools.product((1, -1), repeat=n):
        total += max(abs(sum(e * a for e, a in zip(signs, column, strict=True))) for column in columns)
    return Fraction(network.o) * total / (n * 2**n)


@pytest.mark.parametrize("group", range(8))
def test_against_mixed_integer_programs(group):
    """25 random samples: the exact value is the attained rational one up to its rounding, and below the dual bound."""
    rng = np.random.default_rng(group)
    for case in range(25):
        n, m1 = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        X = rng.uniform(-1, 1, size=(n, m1))
        X = (X, np.round(2 * X) / 2, np.sign(X), X)[case % 4]
        network = NetworkClass(1, float(rng.uniform(0.2, 3)), o=float(rng.uniform(0.5, 2)))
        exact, other = complexity(network, X), certified_complexity(network, X)
        assert abs(Fraction(exact.value) - other.attained) <= Fraction(exact.error)
        assert exact.value - exact.error <= other.dual + 1e-6 * network.range()  # the solver's feasibility tolerance


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_samples(name):
    """Repeated, zero, opposite, collinear points, points on coordinate planes: the rational value, the programs'."""
    X, network = np.array(DEGENERATE[name]), NetworkClass(1, 1.5)
    exact = complexity(network, X)
    assert abs(Fraction(exact.value) - rational(network, X)) <= Fraction(exact.error)
    if name != "tiny":  # entries below the solver's tolerance
        assert abs(Fraction(exact.value) - certified_complexity(network, X).attained) <= Fraction(exact.error)


def test_one_point():
    """n = 1: |f(x)| is the range at that point, o max(1, c max(1, |x_j|)) for either sign."""
    for x, c, o in ((0.5, 3.0, 2.0), (-1.0, 0.25, 1.0)):
        assert complexity(NetworkClass(1, c, o), [[x]]).value == o * max(1.0, c)


def test_the_linear_class_by_hand():
    """k = 0 with x = (1, 1/2): E max(|ε1 + ε2|, |ε1 + ε2/2|)/2 = (2 + 1/2)/4."""
    assert complexity(NetworkClass(0, 1.0), [[1.0], [0.5]]).value == 0.625


def test_a_bias_alone():
    """Inputs at 0: the units are constants, so that R̂_S = max(1, c) E|Σ ε|/n."""
    n = 6
    mean = sum(math.comb(n, i) * abs(n - 2 * i) for i in range(n + 1)) / 2**n
    for k, c in ((0, 1.0), (1, 0.5), (1, 2.0)):
        found = complexity(NetworkClass(k, c), np.zeros((n, 2)))
        assert abs(found.value - max(1.0, *NetworkClass(k, c).branches()) * mean / n) <= found.error


@pytest.mark.parametrize("change", ["order", "inputs", "reflected", "doubled-input", "o", "wider-c"])
def test_what_changes_and_what_does_not(change):
    """The order of points and inputs, a reflected or repeated input leave R̂_S; it is linear in o and grows with c."""
    X = np.random.default_rng(11).uniform(-1, 1, size=(6, 2))
    plain = complexity(NetworkClass(1, 1.5), X)
    if change == "o":
        assert complexity(NetworkClass(1, 1.5, o=2.0), X).value == 2 * plain.value
        return
    if change == "wider-c":
        assert complexity(NetworkClass(1, 2.0), X).value > plain.value
        return
    same = {
        "order": X[::-1],
        "inputs": X[:, ::-1],
        "reflected": X * [1, -1],
        "doubled-input": np.hstack([X, X[:, :1]]),
    }[change]
    assert abs(complexity(NetworkClass(1, 1.5), same).value - plain.value) <= 2 * plain.error


def test_the_supremum_of_one_sign_vector():
    """The mean of the suprema over all sign vectors is n times the complexity."""
    X, network = np.random.default_rng(1).uniform(-1, 1, size=(5, 2)), NetworkClass(1, 1.3, o=0.7)
    total = math.fsum(supremum(network, X, np.array(signs)) for signs in itertools.product((1, -1), repeat=5))
    found = complexity(network, X)
    assert abs(total / 32 / 5 - found.value) <= 2 * found.error


def test_blocks_do_not_matter(monkeypatch):
    """Many small blocks of sign vectors give the value of one."""
    X, network = np.random.default_rng(2).uniform(-1, 1, size=(9, 2)), NetworkClass(1, 1.0)
    whole = complexity(network, X)
    monkeypatch.setattr(rademacher, "BLOCK_BYTES", 1 << 13)
    parts = complexity(network, X)
    assert abs(parts.value - whole.value) <= whole.error


def test_sign_vectors_are_all_of_one_half():
    """Distinct, and one of each pair ±ε."""
    signs = sign_vectors(0, 8, 4)
    assert len({tuple(row) for row in signs}) == 8
    assert (signs[:, 3] == 1).all()
    np.testing.assert_array_equal(sign_vectors(3, 5, 4), signs[3:5])


def test_random_signs_give_an_interval_that_holds_the_value():
    """Of 40 intervals of confidence 99.9 % all hold the exact value; they say that they are not exact."""
    X, network = np.random.default_rng(4).uniform(-1, 1, size=(10, 2)), NetworkClass(1, 1.5)
    exact = complexity(network, X).value
    for seed in range(40):
        found = sampled(network, X, signs=400, seed=seed)
        assert not found.exact
        assert abs(found.value - exact) <= found.error
    assert sampled(network, X, signs=400, seed=0) == sampled(network, X, signs=400, seed=0)


def test_the_interval_covers_a_mean_as_often_as_it_says():
    """Bernoulli values, 2,000 draws of the 90 % interval: the mean is outside in at most 10 %, and inside in some."""
    rng = np.random.default_rng(8)
    outside = 0
    for _ in range(2000):
        found = bernstein((rng.random(30) < 0.3).astype(float), 1.0, 0.9)
        outside += not found.lower <= 0.3 <= found.upper
    assert outside / 2000 <= 0.1


def test_the_interval_by_hand():
    """A thousand times 0, 0, 1, 1 in [0, 2] at 90 %, δ = 0.1; the interval of few values is cut at the range."""
    many = bernstein(np.tile([0.0, 0.0, 1.0, 1.0], 1000), 2.0, 0.9)
    spread = math.sqrt(2 * (1000 / 3999) * math.log(40) / 4000) + 7 * 2 * math.log(40) / (3 * 3999)
    for found in (many.upper - 0.5, 0.5 - many.lower):
        assert Ratio(abs(found - spread), spread, map_model("float64", 4000)).value <= 1
    few = bernstein(np.array([0.0, 0.0, 1.0, 1.0]), 2.0, 0.9)
    assert (few.mean, few.lower, few.upper) == (0.5, 0.0, 2.0)


@pytest.mark.parametrize("device", DEVICES)
def test_the_torch_form_agrees(device):
    """All sign vectors in PyTorch, on every device: the same value up to the rounding of both."""
    for n, m1, k in ((1, 1, 1), (8, 2, 1), (12, 3, 1), (7, 4, 0)):
        X, network = np.random.default_rng(n).uniform(-1, 1, size=(n, m1)), NetworkClass(k, 1.5)
        one, other = complexity(network, X), batched.complexity(network, X, device=device)
        assert abs(one.value - other.value) <= one.error + other.error
        assert (one.features, one.signs) == (other.features, other.signs)


def test_too_large_says_what_would_do():
    """n above the limit is refused by both forms, with the largest n."""
    fits = largest_exact(3, 1)
    X = np.random.default_rng(0).uniform(-1, 1, size=(fits + 1, 3))
    for form in (complexity, batched.complexity):
        with pytest.raises(ValueError, match=f"X is too large for all sign vectors: .*n ≤ {fits} would do"):
            form(NetworkClass(1, 1.0), X)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (NetworkClass(2, 1.0), "k must be 0 or 1 for an exact complexity; got 2"),
        (NetworkClass(1, 1.0, rho=2.0), "rho must be 1, as the unit is ReLU; got 2.0"),
    ],
    ids=["depth", "slope"],
)
def test_a_class_without_an_exact_value_is_refused(network, message):
    """The message names the argument."""
    with pytest.raises(ValueError, match=message):
        complexity(network, [[0.5]])


@pytest.mark.parametrize(
    ("arguments", "named"), [({"signs": 1}, "signs"), ({"confidence": 1.0}, "confidence")], ids=str
)
def test_the_sampled_value_checks_its_arguments(arguments, named):
    """The message names the argument."""
    with pytest.raises(ValueError, match=f"{named} must be"):
        sampled(NetworkClass(1, 1.0), [[0.5], [1.0]], **arguments)
