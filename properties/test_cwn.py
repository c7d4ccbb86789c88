"""Propositions 1 and 2 of *Centered weight normalization* (Huang et al. 2017, supplement), and what follows from them.

Each property is a function that returns its worst ratio (≤ 1: holds); a test asks it of every implementation, and
``test_the_property_notices`` of implementations made wrong on purpose.  The condition of w with respect to v is
‖v‖ / ‖v̂‖ where v itself has been rounded, and 1 where it has not: centring need not lose digits of a given v.
"""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from property_cases import (
    SETTINGS,
    centred,
    errors,
    in_format,
    in_numpy,
    in_pytorch,
    model,
    norms,
    noticed,
    product,
    row_products,
    worst,
)
from scipy import stats

from wnverify.finding import seed_of
from wnverify.methods.centred_weight_normalization import enclosure, reference
from wnverify.methods.centred_weight_normalization.pytorch import centre_and_normalize_rows
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET
from wnverify.strategies import KINDS, cotangents, weights

IMPLEMENTATIONS = [
    in_numpy(reference),
    in_pytorch(centre_and_normalize_rows, "float64"),
    in_pytorch(centre_and_normalize_rows, "float32"),
]
PRINTED = dataclasses.replace(IMPLEMENTATIONS[0], name="printed", vjp=reference.printed_gradient)
DEFINED = [kind for kind in KINDS if kind not in ("zero_row", "constant_row", "one_column")]
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=str)
every_gradient = pytest.mark.parametrize("implementation", [*IMPLEMENTATIONS, PRINTED], ids=str)


@st.composite
def points(draw, dtype, kinds=DEFINED, **sizes):
    """A weight without constant rows and a cotangent, in numbers of the dtype."""
    V = draw(weights(kinds=kinds, dtype=dtype, **sizes))
    assume((V.max(axis=1) > V.min(axis=1)).all())
    return V, draw(cotangents(V, dtype=dtype))


def condition(V):
    """‖v‖ / ‖v̂‖ for every row."""
    return norms(V) / norms(centred(V))


def gradient_scale(V, A):
    """‖a‖ / ‖v̂‖ for every row: the gradient is at most as large."""
    return norms(A) / norms(centred(V))


def unit_norm(implementation, V, A):
    """‖w‖² = 1."""
    W = implementation.forward(V)
    return worst(row_products(W, W) - 1, 1.0, model(implementation, V.shape[1]))


def zero_mean(implementation, V, A):
    """wᵀ 1 = 0; √d is ‖1‖."""
    W = implementation.forward(V)
    return worst(product(W, np.ones((V.shape[1], 1))), V.shape[1] ** 0.5, model(implementation, V.shape[1]))


def moments(implementation, V, A, mu, sigma):
    """E z = wᵀ (μ 1) = 0 and var z = wᵀ σ² I w = σ², by the linearity of the mean and nothing sampled."""
    W, d = implementation.forward(V), V.shape[1]
    mean = worst(product(W, np.full((d, 1), mu)), abs(mu) * d**0.5, model(implementation, d))
    variances = np.array([product(w[None], sigma**2 * np.eye(d), w[:, None])[0, 0] for w in W])
    return max(mean, worst(variances - sigma**2, sigma**2, model(implementation, d)))


def gradient_zero_mean(implementation, V, A):
    """∂L/∂v · 1 = 0."""
    d = V.shape[1]
    sums = product(implementation.vjp(V, A), np.ones((d, 1)))
    return worst(sums, gradient_scale(V, A) * d**0.5, model(implementation, d))


def gradient_orthogonal_to_w(implementation, V, A):
    """∂L/∂v · w = 0."""
    W, G = implementation.forward(V), implementation.vjp(V, A)
    return worst(row_products(G, W), gradient_scale(V, A), model(implementation, V.shape[1]))


def gradient_orthogonal_to_v(implementation, V, A):
    """∂L/∂v · v = 0, as v lies in the span of w and 1."""
    G = implementation.vjp(V, A)
    return worst(row_products(G, V), gradient_scale(V, A) * norms(V), model(implementation, V.shape[1]))


def value_enclosed(implementation, V, A):
    """w within rounding of balls that hold the exact value."""
    misses = errors(enclosure.forward(V), implementation.forward(V))
    return worst(misses, 1.0, model(implementation, V.shape[1]))


def gradient_enclosed(implementation, V, A):
    """The gradient within rounding of balls that hold the exact value of equation 3."""
    misses = errors(enclosure.vjp(V, A), implementation.vjp(V, A))
    return worst(misses, gradient_scale(V, A), model(implementation, V.shape[1]))


def same(implementation, V, moved, conditions, sign=1.0):
    """The ratio of f(moved) to ± f(V), each of them within its model."""
    models = [model(implementation, V.shape[1], float(c)) for c in conditions]
    return worst(implementation.forward(moved) - sign * implementation.forward(V), 1.0, [m + m for m in models])


def row_scale_invariant(implementation, V, A):
    """f(diag(a) V) = f(V), a_i > 0: by powers of two, which round nothing, and by powers of three."""
    power = np.arange(1.0, len(V) + 1)[:, None]
    by_three = in_format(3.0**power * V, implementation.dtype)
    exactly = same(implementation, V, 2.0**power * V, np.ones(len(V)))
    return max(exactly, same(implementation, V, by_three, condition(V)))


def shift_invariant(implementation, V, A, shift=3.0):
    """f(V + c 1ᵀ) = f(V), c_i up to three times the largest entry of the row."""
    c = shift * np.abs(V).max(axis=1, keepdims=True)
    moved = in_format(V + c, implementation.dtype)
    return same(implementation, V, moved, np.maximum(norms(moved), norms(V)) / norms(centred(V)))


def odd(implementation, V, A):
    """f(−V) = −f(V)."""
    return same(implementation, V, -V, np.ones(len(V)), sign=-1.0)


def norm_grows(implementation, V, A, rate=0.5, steps=6):
    """In a gradient step ‖v‖² grows by ‖η g‖², as g ⟂ v, and Σ v stays, as g ⟂ 1; over several steps, in the dtype.

    η = rate ‖v̂‖² / ‖a‖, so that ‖η g‖ ≤ rate ‖v̂‖ at first, and less afterwards, as ‖v̂‖ grows too.
    """
    start, grown, d, dtype = V, np.zeros(len(V)), V.shape[1], implementation.dtype
    eta = rate * norms(centred(V)) / np.where(A.any(axis=1), gradient_scale(V, A), 1.0)
    for _ in range(steps):
        step = in_format(eta[:, None] * implementation.vjp(V, A), dtype)
        grown, V = grown + row_products(step, step), in_format(V - step, dtype)
    size, each = norms(V), model(implementation, d)
    gained = row_products(V, V) - row_products(start, start) - grown
    moved = product(V, np.ones((d, 1)), minus=product(start, np.ones((d, 1))))
    return max(
        worst(gained, 2 * steps * (1 + rate) ** 2 * size**2, each),
        worst(moved, steps * (1 + rate) * size * d**0.5, each),
    )


def refuses(implementation, V):
    """Whether forward and backward are a ``ValueError`` naming the first constant row (or d, where it is 1)."""
    row = int(np.flatnonzero(V.max(axis=1) == V.min(axis=1))[0])
    for call in (lambda: implementation.forward(V), lambda: implementation.vjp(V, np.ones(V.shape))):
        try:
            call()
        except ValueError as error:
            if f"V[{row}, :]" in str(error) or (V.shape[1] == 1 and "d = 1" in str(error)):
                continue
        return False
    return True


def sampled_moments(implementation, mu=3.0, sigma=2.0, count=40_000):
    """Mean and variance of z over Gaussian h: √N z̄ / σ is standard normal and (N − 1) s² / σ² is χ²_{N−1}, exactly.

    The limits are passed by chance with probability ``FALSE_ALARM_BUDGET`` in all.  Rounding of w adds less than
    1e-4 to either statistic, in float32 too.
    """
    V = np.random.default_rng(seed_of("cwn", "sampled weight")).standard_normal((4, 7)) + 0.5
    h = mu + sigma * np.random.default_rng(seed_of("cwn", "sampled h")).standard_normal((count, 7))
    z = h @ implementation.forward(V).T
    tail = FALSE_ALARM_BUDGET / (4 * len(V))
    means = np.abs(z.mean(axis=0)) * math.sqrt(count) / sigma / stats.norm.isf(tail)
    squares = (count - 1) * z.var(axis=0, ddof=1) / sigma**2
    low, high = stats.chi2.ppf(tail, count - 1), stats.chi2.isf(tail, count - 1)
    variances = np.abs(2 * squares - low - high) / (high - low)
    return float(max(means.max(), variances.max()))


@every
@SETTINGS
@given(data=st.data())
def test_rows_have_unit_norm(implementation, data):
    """‖w‖ = 1 wherever w is defined."""
    assert unit_norm(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_rows_have_zero_mean(implementation, data):
    """wᵀ 1 = 0 wherever w is defined."""
    assert zero_mean(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data(), mu=st.integers(-100, 100).filter(bool), sigma=st.integers(1, 100))
def test_proposition_1_exactly(implementation, data, mu, sigma):
    """z = wᵀ h has mean zero and the variance of each h_j, for every mean μ 1 and covariance σ² I of h."""
    assert moments(implementation, *data.draw(points(implementation.dtype)), mu / 4, sigma / 4) <= 1


@every
def test_proposition_1_sampled(implementation):
    """Sampled Gaussian h give z the mean and variance of Proposition 1, false alarms one in a billion."""
    assert sampled_moments(implementation) <= 1


@every_gradient
@SETTINGS
@given(data=st.data())
def test_proposition_2_zero_mean(implementation, data):
    """The gradient with respect to v sums to zero, for every cotangent."""
    assert gradient_zero_mean(implementation, *data.draw(points(implementation.dtype))) <= 1


@every_gradient
@SETTINGS
@given(data=st.data())
def test_proposition_2_orthogonal_to_w(implementation, data):
    """The gradient with respect to v is orthogonal to w, for every cotangent."""
    assert gradient_orthogonal_to_w(implementation, *data.draw(points(implementation.dtype))) <= 1


@every_gradient
@SETTINGS
@given(data=st.data())
def test_gradient_is_orthogonal_to_v(implementation, data):
    """With both parts of Proposition 2 the gradient is orthogonal to v itself."""
    assert gradient_orthogonal_to_v(implementation, *data.draw(points(implementation.dtype))) <= 1


@every_gradient
@SETTINGS
@given(data=st.data())
def test_gradient_steps_make_v_grow_and_keep_its_mean(implementation, data):
    """Over gradient steps ‖v‖² grows by the squares of the steps and the mean of v stays."""
    V, A = data.draw(points(implementation.dtype))
    assert norm_grows(implementation, V, A, rate=data.draw(st.sampled_from([0.125, 1.0, 4.0]))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_rows_may_be_scaled(implementation, data):
    """w does not depend on the length of v."""
    assert row_scale_invariant(implementation, *data.draw(points(implementation.dtype, scales=(1e-20, 1e20)))) <= 1


@every
@SETTINGS
@given(data=st.data(), shift=st.integers(-12, 12))
def test_rows_may_be_shifted(implementation, data, shift):
    """w does not depend on the mean of v."""
    assert shift_invariant(implementation, *data.draw(points(implementation.dtype)), shift / 4) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_the_map_is_odd(implementation, data):
    """−v gives −w."""
    assert odd(implementation, *data.draw(points(implementation.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_value_against_the_enclosure(implementation, data):
    """w is the exact value to rounding of the result, however large the mean of v."""
    assert value_enclosed(implementation, *data.draw(points(implementation.dtype, max_n=3, max_d=6))) <= 1


@every_gradient
@SETTINGS
@given(data=st.data())
def test_gradient_against_the_enclosure(implementation, data):
    """The gradient is the exact value of equation 3 to rounding of the result, however large the mean of v."""
    assert gradient_enclosed(implementation, *data.draw(points(implementation.dtype, max_n=3, max_d=6))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_a_large_mean_costs_no_digits(implementation, data):
    """Rows with a mean of up to a million deviations give w and gradient to rounding of the result."""
    V, A = data.draw(points(implementation.dtype, kinds=["large_mean"], max_n=3, max_d=9))
    assert value_enclosed(implementation, V, A) <= 1
    assert gradient_enclosed(implementation, V, A) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_undefined_weights_are_refused(implementation, data):
    """A zero or constant row, so any row for d = 1, is a ``ValueError`` that names the row, never NaN."""
    kinds = ["constant_row", "zero_row", "one_column"]
    assert refuses(implementation, data.draw(weights(kinds=kinds, dtype=implementation.dtype)))


def divided(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def less_row_means(X):
    return X - X.mean(axis=1, keepdims=True)


def altered_gradient(centring=1.0, radial=1.0, power=1.0, factor=1.0):
    """Equation 3 with its parts weighed otherwise than 1."""

    def vjp(V, A):
        W, length = reference.forward(V), norms(centred(V))[:, None]
        A = A - centring * A.mean(axis=1, keepdims=True)
        return factor * (A - radial * (A * W).sum(axis=1, keepdims=True) * W) / length**power

    return dataclasses.replace(IMPLEMENTATIONS[0], name="faulty", vjp=vjp)


def altered_map(forward):
    return dataclasses.replace(IMPLEMENTATIONS[0], name="faulty", forward=forward)


WRONG = {
    "not centred": altered_map(divided),
    "mean over the wrong axis": altered_map(lambda V: divided(V - V.mean(axis=0))),
    "normalised, then centred": altered_map(lambda V: less_row_means(divided(V))),
    "centred once": altered_map(lambda V: divided(less_row_means(V))),
    "largest entry for the mean": altered_map(lambda V: divided(V - V.max(axis=1, keepdims=True))),
    "epsilon in the norm": altered_map(lambda V: less_row_means(V) / (norms(less_row_means(V))[:, None] + 1e-8)),
    "gradient not centred": altered_gradient(centring=0.0),
    "gradient not projected": altered_gradient(radial=0.0),
    "gradient projected twice": altered_gradient(radial=2.0),
    "gradient doubled": altered_gradient(factor=2.0),
    "gradient not divided by the norm": altered_gradient(power=0.0),
    "gradient divided by the square": altered_gradient(power=2.0),
}
NOTICES = [
    (unit_norm, "normalised, then centred"),
    (unit_norm, "epsilon in the norm"),
    (zero_mean, "not centred"),
    (zero_mean, "mean over the wrong axis"),
    (moments, "not centred"),
    (moments, "normalised, then centred"),
    (row_scale_invariant, "epsilon in the norm"),
    (shift_invariant, "not centred"),
    (odd, "largest entry for the mean"),
    (value_enclosed, "mean over the wrong axis"),
    (value_enclosed, "centred once"),
    (gradient_zero_mean, "gradient not centred"),
    (gradient_orthogonal_to_w, "gradient not projected"),
    (gradient_orthogonal_to_w, "gradient projected twice"),
    (gradient_orthogonal_to_v, "gradient not projected"),
    (gradient_orthogonal_to_v, "gradient not centred"),
    (norm_grows, "gradient not projected"),
    (norm_grows, "gradient not centred"),
    (gradient_enclosed, "gradient doubled"),
    (gradient_enclosed, "gradient not divided by the norm"),
    (gradient_enclosed, "gradient divided by the square"),
]


@pytest.mark.filterwarnings("ignore:.*encountered in divide")
@pytest.mark.parametrize(("holds", "wrong"), NOTICES, ids=lambda value: getattr(value, "__name__", value))
def test_the_property_notices(holds, wrong):
    """Each property is broken, by ten times what rounding explains, by an implementation made wrong on purpose."""
    extra = (1.0, 1.0) if holds is moments else ()
    V, _ = noticed(lambda point: holds(WRONG[wrong], *point, *extra), points("float64", max_n=3, max_d=6))
    assert np.isfinite(V).all()


@pytest.mark.parametrize("wrong", ["not centred", "normalised, then centred"])
def test_the_samples_notice(wrong):
    """The sampled moments leave their limits for weights with a mean, or without unit norm."""
    assert sampled_moments(WRONG[wrong]) > 2


def test_silence_at_a_constant_row_is_noticed():
    """An epsilon in the norm that turns a constant row into zeros is no refusal."""
    V = np.array([[1.0, 2.0], [3.0, 3.0]])
    assert not refuses(WRONG["epsilon in the norm"], V)
    assert not refuses(dataclasses.replace(IMPLEMENTATIONS[0], vjp=lambda V, A: A), V)
