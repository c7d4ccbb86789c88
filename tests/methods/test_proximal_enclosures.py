"""Proximal points in balls: they minimise, the reference is near them, and a wrong value is outside."""

import importlib

import numpy as np
import pytest

from wnverify.numerics.forms import STEP, forms, judged
from wnverify.oracles.enclosures import contains, distance, radius, to_float64

FORMS = {
    form.name: form
    for method in judged()
    if method.id in ("l1_penalty", "group_lasso", "exclusive_sparsity", "combined_group_exclusive_sparsity")
    for form in forms(method)
}
every_form = pytest.mark.parametrize("name", FORMS)
BITS = 512


def proximal(name):
    """The map ``prox`` of a form."""
    return next(of for of in FORMS[name].maps() if of.name == "prox")


def weight(seed, n=3, d=4, size=1.0):
    return size * np.random.default_rng(seed).standard_normal((n, d))


@every_form
@pytest.mark.parametrize("seed", range(3))
def test_the_reference_lies_within_rounding_and_a_wrong_value_outside(name, seed):
    """The ball is far narrower than float64, within a few u of the reference, and excludes it when one entry is off."""
    of, W = proximal(name), weight(seed, size=(0.3, 1.0, 5.0)[seed])
    ball = of.ball(W, bits=BITS)
    found = of.reference(W)
    assert radius(ball) <= 2.0**-100
    assert distance(ball, found).max() <= 16 * 2.0**-53 * np.abs(W).max()
    wrong = to_float64(ball)
    wrong[1, 2] += 2.0**-40
    assert not contains(ball, wrong)
    assert distance(ball, wrong)[1, 2] >= 2.0**-41


@every_form
def test_the_midpoint_minimises(name):
    """½ ‖X − W‖² + step × value(X) is no smaller anywhere near: X is the minimiser of a strongly convex function."""
    form, of = FORMS[name], proximal(name)
    value = form.function("reference", "value")
    W = weight(11)
    X = to_float64(of.ball(W, bits=BITS))

    def objective(Y):
        return ((Y - W) ** 2).sum() / 2 + STEP * value(Y)

    for seed in range(40):
        E = weight(100 + seed, size=10.0 ** -(seed % 5))
        # Strong convexity with constant 1: the objective grows by at least ‖E‖²/2 from the minimiser.
        grows = objective(X + E) - objective(X) - (E * E).sum() / 2
        assert grows >= -64 * 2.0**-53 * (objective(X + E) + objective(X))


@every_form
def test_exact_zeros_stay_zero(name):
    """A zero matrix and what lies below the threshold become exact zeros."""
    of = proximal(name)
    assert not to_float64(of.ball(np.zeros((2, 3)), bits=BITS)).any()
    W = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, -3.0]])
    assert (to_float64(of.ball(W, bits=BITS))[W == 0] == 0).all()


@every_form
def test_a_negative_step_is_refused(name):
    """The message says what came."""
    form = FORMS[name]
    prox = importlib.import_module(f"{form.method.module}.enclosure").prox
    with pytest.raises(ValueError, match=r"step must be at least 0; got -1\.0"):
        prox(weight(0), -1.0)


def test_every_map_that_has_balls_to_be_had_has_them():
    """The maps without an enclosure are those that are known to lack one; no proximal operator is among them."""
    missing = {
        f"{form.name}: {of.name}"
        for method in judged()
        for form in forms(method)
        for of in form.maps()
        if of.ball is None
    }
    assert missing == {"spectral_restricted_isometry iterations=2: value"}
