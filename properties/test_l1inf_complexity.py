"""The exact empirical Rademacher complexity of L1,∞-constrained networks, and the bounds on it.

A property is a function of a complexity (network, X) → (value, error) and of drawn inputs; it returns its worst ratio,
≤ 1 where it holds: by how much it fails over what the errors explain.  ``test_the_property_notices`` asks it of
complexities made wrong on purpose.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st
from property_cases import SETTINGS, noticed

from wnverify.oracles.ratio import Ratio, map_model
from wnverify.theory import bounds
from wnverify.theory.network import NetworkClass
from wnverify.theory.rademacher import complexity, feature_matrix
from wnverify.theory.rivals import RIVALS

MODEL = map_model("float64", 64)
FACTORS = (1.5, 2.0, 8.0)


def exact(network, X):
    found = complexity(network, X)
    return found.value, found.error


@st.composite
def problems(draw, max_n=4, max_m1=2, corners=False):
    """A class with at most one hidden layer and a sample, entries in eighths or corners of the cube."""
    n, m1 = draw(st.integers(1, max_n)), draw(st.integers(1, max_m1))
    entries = st.sampled_from((-8, 8)) if corners else st.integers(-8, 8)
    X = np.array(draw(st.lists(entries, min_size=n * m1, max_size=n * m1)), dtype=float).reshape(n, m1) / 8
    network = NetworkClass(
        draw(st.integers(0, 1)), draw(st.sampled_from((0.125, 0.5, 1.0, 2.0, 8.0))), draw(st.sampled_from((1.0, 3.0)))
    )
    return network, X


def changed(network, *, c=1.0, o=1.0):
    return NetworkClass(network.k, tuple(c * each for each in network.c), o * network.o)


def above(low, high):
    """The ratio by which low ≤ high fails."""
    (small, error), (large, other) = low, high
    return Ratio(max(small - large - error - other, 0.0), max(abs(small), abs(large)), MODEL).value


def equal(left, right):
    return max(above(left, right), above(right, left))


def bounded(of, network, X):
    """No bound that holds for the class is below."""
    n, m1 = X.shape
    found = [bounds.theorem1_first, bounds.closed_form, bounds.sharper]
    found += [bounds.theorem1_second] if max(network.branches()) == network.branches()[-1] else []
    found += [bounds.linear] if network.k == 0 else []
    found += [
        rival.bound
        for name, rival in RIVALS.items()
        if rival.biases and ("carried" not in name or min(network.c, default=1) >= 1)
    ]
    value = of(network, X)
    least = [bound(network, n, m1) for bound in found] + [bounds.sharper_on(network, X), network.range()]
    return max(above(value, (each, 0.0)) for each in least)


def larger_constants(of, network, X):
    """Monotone in c and no faster than c; proportional to o."""
    value, error = of(network, X)
    ratios = []
    for t in FACTORS:
        wider = of(changed(network, c=t), X)
        ratios += [above((value, error), wider), above(wider, (t * value, t * error))]
        ratios.append(equal(of(changed(network, o=t), X), (t * value, t * error)))
    return max(ratios)


def symmetries(of, network, X):
    """Nothing depends on the order of samples or inputs, on an input's sign, or on an input given twice."""
    value = of(network, X)
    others = [X[::-1], X[:, ::-1], np.hstack([X, X[:, :1]]), np.hstack([X, np.zeros((len(X), 1))]), -X]
    flipped = X.copy()
    flipped[:, 0] *= -1
    return max(equal(value, of(network, other)) for other in [*others, flipped])


def one_more_sample(of, network, X):
    """n R̂ does not fall with a further sample, and grows by no more than that sample's own R̂."""
    more = np.vstack([X, X[:1] / 2])
    value, error = of(network, X)
    wider, its = of(network, more)
    single, slack = of(network, more[-1:])
    n = len(X)
    low, high = (n * value, n * error), ((n + 1) * wider, (n + 1) * its)
    return max(above(low, high), above(high, (n * value + single, n * error + slack)))


def one_more_input(of, network, X):
    """A further input does not lower it."""
    return above(of(network, X), of(network, np.hstack([X, np.roll(X[:, :1], 1, axis=0) / 2])))


def from_below(of, network, X):
    """The output bias, and one unit that is 1 or an input, are in the class: E|Σ ε_i| and E|Σ ε_i max(±x_i1, 0)|."""
    n = len(X)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
    last = network.branches()[-1]
    shown = np.maximum(X[:, :1] * [1, -1], 0) if network.k else X[:, :1]
    features = np.hstack([np.full((n, 1), max(network.branches())), last * shown])
    least = network.o * float(np.abs(signs @ features).max(axis=1).mean()) / n
    return above((least, 0.0), of(network, X))


PROPERTIES = (bounded, larger_constants, symmetries, one_more_sample, one_more_input, from_below)


@pytest.mark.parametrize("judge", PROPERTIES, ids=lambda each: each.__name__)
@given(problem=problems())
@settings(SETTINGS)
def test_property(judge, problem):
    """The exact complexity has the property, up to its stated error."""
    assert judge(exact, *problem) <= 1


def by_features(change):
    """A complexity from features that were changed."""

    def of(network, X):
        F = change(network, X, feature_matrix(network, X))
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(X))))
        return network.o * float(np.abs(signs @ F).max(axis=1).mean()) / len(X), 0.0

    return of


def of_scaled_error(power):
    """The exact value times √n^power: a normalisation that is not 1/n."""
    return lambda network, X: tuple(each * len(X) ** (power / 2) for each in exact(network, X))


WRONG = {
    "without the output bias": (by_features(lambda network, X, F: np.hstack([F[:, 1:], 0 * F[:, :1]])), from_below),
    "the last sample left out": (by_features(lambda network, X, F: np.vstack([F[:-1], 0 * F[-1:]])), symmetries),
    "negative inputs left out": (lambda network, X: exact(network, np.maximum(X, 0)), symmetries),
    "the last input left out": (lambda network, X: exact(network, np.hstack([X[:, :-1], 0 * X[:, -1:]])), symmetries),
    "1/√n for 1/n": (of_scaled_error(1), one_more_sample),
    "c twice": (
        lambda network, X: exact(changed(network, c=network.c[0]) if network.k else network, X),
        larger_constants,
    ),
    "o left out": (lambda network, X: exact(changed(network, o=1 / network.o), X), larger_constants),
    "the sum for the largest input": (
        by_features(lambda network, X, F: np.hstack([F, F[:, 1:].sum(axis=1, keepdims=True)])),
        symmetries,
    ),
    "twice as large": (lambda network, X: tuple(2 * each for each in exact(network, X)), bounded),
    "half as large": (lambda network, X: tuple(each / 2 for each in exact(network, X)), from_below),
    "only a constant unit": (by_features(lambda network, X, F: 0 * F + max(network.branches())), from_below),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_property_notices(wrong):
    """A complexity made wrong on purpose breaks the property by far more than its error."""
    of, judge = WRONG[wrong]
    noticed(lambda problem: judge(of, *problem), problems(max_n=3))


def contraction(sigma, rho, H, factor=2.0):
    """E exp(sup_h |Σ ε_i σ(h_i)|) ≤ 2 E exp(ρ sup_h Σ ε_i h_i) over a set H (rows) that holds −h with h."""
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=H.shape[1])))
    left = float(np.exp(np.abs(signs @ sigma(H).T).max(axis=1)).mean())
    right = float(np.exp(rho * (signs @ H.T).max(axis=1)).mean())
    return above((left, 0.0), (factor * right, 0.0))


@st.composite
def symmetric_sets(draw):
    n = draw(st.integers(1, 4))
    half = np.array(draw(st.lists(st.lists(st.integers(-8, 8), min_size=n, max_size=n), min_size=1, max_size=4))) / 4
    return np.vstack([half, -half])


SIGMAS = {
    "relu": (lambda H: np.maximum(H, 0), 1.0),
    "tanh": (np.tanh, 1.0),
    "absolute value": (np.abs, 1.0),
    "kinks": (lambda H: 2 * np.minimum(np.abs(H), 0.5) - np.maximum(H, 0), 2.0),
}


@pytest.mark.parametrize("sigma", SIGMAS)
@given(H=symmetric_sets())
@settings(SETTINGS)
def test_the_contraction_of_the_proof(sigma, H):
    """The one lemma of the proof that is not elementary holds on every finite class tried, for four σ with σ(0) = 0."""
    assert contraction(*SIGMAS[sigma], H) <= 1


def test_the_contraction_needs_its_condition_and_its_factor():
    """It fails where σ(0) ≠ 0, and with the factor 1 in place of 2."""
    noticed(lambda H: contraction(lambda Z: np.abs(Z) + 3, 1.0, H), symmetric_sets())
    noticed(lambda H: contraction(np.abs, 1.0, H, factor=1.0), symmetric_sets())


@given(problem=problems(max_n=4, max_m1=4, corners=True))
@settings(SETTINGS, max_examples=200)
def test_the_search_for_the_tightest_sample(problem):
    """Hypothesis steers towards the samples at which the bounds are tightest, and finds none above them."""
    network, X = problem
    network = NetworkClass(network.k, (1.0,) * network.k)
    value = exact(network, X)[0]
    ratios = {
        "second": value / bounds.theorem1_second(network, *X.shape),
        "sharper": value / bounds.sharper_on(network, X),
    }
    for name, ratio in ratios.items():
        target(ratio, label=name)
        assert ratio <= 1 + MODEL.relative


def test_the_second_bound_is_tight_up_to_a_constant():
    """At k = 0 with every sign pattern as an input R̂_S = o; the second bound is 1.18 o in the limit, √(2 log 2)."""
    limit = 1 / math.sqrt(2 * math.log(2))
    shares = [1 / bounds.theorem1_second(NetworkClass(0, 1.0), n, 1 << (n - 1)) for n in (4, 64, 4096, 10**6)]
    by_hand = 2 / (math.sqrt(3 * math.log(4)) + math.sqrt(2 * math.log(16)))
    assert abs(shares[0] / by_hand - 1) <= MODEL.relative
    assert shares == sorted(shares)
    assert 0.99 * limit < shares[-1] < limit
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    assert complexity(NetworkClass(0, 1.0), np.vstack([signs.T, np.ones(8)])).value == 1.0
