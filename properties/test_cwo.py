"""The update of *Constrained weight optimization* (section 3.4): equations 2, 5, 9 and 11 to 14, and Algorithm 1.

Each property is a function that returns its worst ratio (≤ 1: holds); a test asks it of every implementation, and
``test_the_property_notices`` of implementations made wrong on purpose.  An update maps a weight W, a gradient G and a
step size α to the weight after the step; what it is judged at is X = W − α G, as rounded, whose condition with respect
to the constraint is ‖x‖ / ‖x̂‖.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from property_cases import SETTINGS as ALL
from property_cases import centred, errors, in_format, norms, noticed, product, row_products, worst

from wnverify.methods.constrained_weight_optimization import enclosure, reference
from wnverify.methods.constrained_weight_optimization.pytorch import ConstrainedWeightOptimization
from wnverify.oracles.optimality import certificate
from wnverify.oracles.ratio import ErrorModel, map_model
from wnverify.primitives.constraint import Block
from wnverify.strategies import KINDS, cotangents, weights

SETTINGS = settings(ALL, max_examples=20)
DEFINED = [kind for kind in KINDS if kind not in ("zero_row", "constant_row", "one_column", "scaled", "scaled_rows")]
RATES = (0.0, 0.125, 1.0, 4.0)
RADII = (0.25, 1.0, 2.0, 9.0)


@dataclasses.dataclass(frozen=True)
class Update:
    """``step(W, G, rate, c)`` and the gradient that it sees, ``transform(W, G)``; float64 outside, ``dtype`` within."""

    name: str
    dtype: str
    step: Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]
    transform: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def __str__(self) -> str:
        return f"{self.name}-{self.dtype}"


def by_hooks(dtype: str, update: str) -> Update:
    """The class on the hooks of plain gradient descent."""

    def tensor(X: np.ndarray) -> torch.Tensor:
        return torch.tensor(X, dtype=getattr(torch, dtype))

    def step(W: np.ndarray, G: np.ndarray, rate: float, c: float) -> np.ndarray:
        weight = torch.nn.Parameter(tensor(W))
        optimizer = torch.optim.SGD([weight], lr=rate)
        made = ConstrainedWeightOptimization(c=c, update=update)
        made.attach(optimizer, [Block("layer", weight)], at_once=False)
        weight.grad = tensor(G)
        optimizer.step()
        return weight.detach().double().numpy()

    def transform(W: np.ndarray, G: np.ndarray) -> np.ndarray:
        return ConstrainedWeightOptimization(update=update).transform(tensor(W), tensor(G)).double().numpy()

    return Update(f"hooks {update}", dtype, step, transform)


EXACT = [
    Update("reference", "float64", reference.solution, reference.transform),
    by_hooks("float64", "projection"),
    by_hooks("float32", "projection"),
]
PRINTED = [
    Update("printed", "float64", reference.printed_update, reference.transform),
    by_hooks("float64", "printed"),
    by_hooks("float32", "printed"),
]
exact = pytest.mark.parametrize("update", EXACT, ids=str)
every = pytest.mark.parametrize("update", [*EXACT, *PRINTED], ids=str)


@st.composite
def points(draw, dtype, *, kinds=DEFINED, rates=RATES, **sizes):
    """W, G, α and c with W − α G far from constant rows."""
    W = draw(weights(kinds=kinds, dtype=dtype, **sizes))
    G = draw(cotangents(W, dtype=dtype))
    rate, c = draw(st.sampled_from(rates)), draw(st.sampled_from(RADII))
    assume((W.max(axis=1) > W.min(axis=1)).all())
    assume(spread(W, G, rate))
    return W, G, rate, c


def spread(W, G, rate):
    """Whether no row of W − α G is nearly constant, beside what it is the difference of."""
    return bool((norms(centred(W - rate * G)) > 1e-3 * (norms(W) + rate * norms(G))).all())


def models(update: Update, W: np.ndarray, G: np.ndarray, rate: float) -> list[ErrorModel]:
    """One a row: X is rounded at the size of W and α G, and what remains after centring is that of x̂."""
    sizes = (norms(W) + rate * norms(G)) / norms(centred(W - rate * G))
    return [map_model(update.dtype, W.shape[1], condition=4 * float(size)) for size in sizes]


def on_the_sphere(update, W, G, rate, c):
    """‖w‖² = c after the step."""
    stepped = update.step(W, G, rate, c)
    return worst(row_products(stepped, stepped) - c, c, map_model(update.dtype, W.shape[1]))


def zero_mean(update, W, G, rate, c):
    """1ᵀw = 0 after the step; √d is ‖1‖."""
    d = W.shape[1]
    sums = product(update.step(W, G, rate, c), np.ones((d, 1)))
    return worst(sums, (c * d) ** 0.5, map_model(update.dtype, d))


def feasible(update, W, G, rate, c):
    """W brought to ‖w‖² = c, 1ᵀw = 0, in numbers of the dtype; steps to nearly constant rows are left out."""
    W = in_format(reference.project(W, c=c), update.dtype)
    assume(spread(W, G, rate))
    return W


def zero_mean_as_before(update, W, G, rate, c):
    """1ᵀw = 0 after a step from zero mean, up to what rounding of W leaves of its own mean."""
    W, d = feasible(update, W, G, rate, c), W.shape[1]
    sums = product(update.step(W, G, rate, c), np.ones((d, 1)))
    return worst(sums, (c * d) ** 0.5, models(update, W, G, rate))


def gradient_zero_mean(update, W, G, rate, c):
    """The gradient of the step sums to zero."""
    d = W.shape[1]
    sums = product(update.transform(W, G), np.ones((d, 1)))
    return worst(sums, np.maximum(norms(G), np.finfo(float).tiny) * d**0.5, map_model(update.dtype, d))


def minimises_equation_9(update, W, G, rate, c):
    """The certificate of a nearest point of {‖w‖² = c, 1ᵀw = 0} to X, each row against what its condition excuses.

    ‖X − w‖² exceeds its least value by (‖x̂‖ / √c) ‖w − p‖² for w in the set, so that the distance bound of the
    certificate is of first order in the error of w.
    """
    X = W - rate * G
    judged = certificate("sphere_zero_mean_rows", X, update.step(W, G, rate, c), radius=c**0.5)
    return worst(np.array(judged.bounds), c**0.5, models(update, W, G, rate))


def minimises_from_zero_mean(update, W, G, rate, c):
    """The same for a W that satisfies both constraints."""
    return minimises_equation_9(update, feasible(update, W, G, rate, c), G, rate, c)


def value_enclosed(update, W, G, rate, c):
    """The step within rounding of balls around the exact projection of X."""
    misses = errors(enclosure.project(W - rate * G, c=c), update.step(W, G, rate, c))
    return worst(misses, c**0.5, models(update, W, G, rate))


def ignores_a_mean_of_inputs(update, W, G, rate, c):
    """Equation 5: wᵀ(x − mean(x) 1) = wᵀx for the weight after the step, x = (8, 9, …)."""
    d = W.shape[1]
    stepped, x = update.step(W, G, rate, c), np.arange(1.0, d + 1)[:, None] + 7.0
    without = product(stepped, centred(x.T).T, minus=product(stepped, x))
    return worst(without, c**0.5 * norms(x.T)[0], map_model(update.dtype, d))


def equations_12_to_14(update, W, G, rate, c):
    """(1 − β) w − α' (g − mean g) is equation 11, with √c in both coefficients."""
    misses = reference.eq12(W, G, rate, c) - update.step(W, G, rate, c)
    return worst(misses, c**0.5, models(update, W, G, rate))


def printed_coefficients(update, W, G, rate, c):
    """The same with β and α' as printed, without √c."""
    misses = reference.printed_eq12(W, G, rate) - update.step(W, G, rate, c)
    return worst(misses, c**0.5, models(update, W, G, rate))


def printed_radius(update, W, G, rate, c):
    """Equations 12 to 14 as printed give rows of norm 1."""
    stepped = reference.printed_eq12(W, G, rate)
    return worst(row_products(stepped, stepped) - 1, 1.0, models(update, W, G, rate))


@every
@SETTINGS
@given(data=st.data())
def test_rows_are_on_the_sphere_after_a_step(update, data):
    """‖w‖² = c, from any start."""
    assert on_the_sphere(update, *data.draw(points(update.dtype))) <= 1


@exact
@SETTINGS
@given(data=st.data())
def test_rows_have_zero_mean_after_a_step(update, data):
    """1ᵀw = 0, from any start, for the projection."""
    assert zero_mean(update, *data.draw(points(update.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_zero_mean_is_kept(update, data):
    """From 1ᵀw = 0 the printed update keeps it too."""
    assert zero_mean_as_before(update, *data.draw(points(update.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_the_gradient_has_zero_mean(update, data):
    """The gradient of the step sums to zero in every row."""
    assert gradient_zero_mean(update, *data.draw(points(update.dtype))) <= 1


@exact
@SETTINGS
@given(data=st.data())
def test_a_step_minimises_equation_9(update, data):
    """From any start, with a mean too, there is no nearer point to W − α G."""
    assert minimises_equation_9(update, *data.draw(points(update.dtype))) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_equation_11_minimises_equation_9_from_zero_mean(update, data):
    """The printed update is the minimiser where 1ᵀw = 0 held before the step."""
    assert minimises_from_zero_mean(update, *data.draw(points(update.dtype))) <= 1


@exact
@SETTINGS
@given(data=st.data())
def test_a_step_against_the_enclosure(update, data):
    """The step is the exact projection to rounding."""
    assert value_enclosed(update, *data.draw(points(update.dtype, max_n=3, max_d=6))) <= 1


@exact
@SETTINGS
@given(data=st.data())
def test_equation_5(update, data):
    """A mean of the inputs does not reach the output."""
    assert ignores_a_mean_of_inputs(update, *data.draw(points(update.dtype))) <= 1


@pytest.mark.parametrize("update", PRINTED[:2], ids=str)
@SETTINGS
@given(data=st.data())
def test_equations_12_to_14_with_the_radius(update, data):
    """Equation 12 is equation 11, whatever the start, once β and α' have √c."""
    assert equations_12_to_14(update, *data.draw(points(update.dtype))) <= 1


@SETTINGS
@given(data=st.data())
def test_equations_12_to_14_as_printed(data):
    """As printed they are equation 11 at c = 1 only: the norm is 1 for every c."""
    W, G, rate, _ = data.draw(points("float64"))
    assert printed_radius(PRINTED[0], W, G, rate, 1.0) <= 1
    assert printed_coefficients(PRINTED[0], W, G, rate, 1.0) <= 1
    for c in (0.25, 2.0, 9.0):
        assert printed_coefficients(PRINTED[0], W, G, rate, c) > 10


@exact
@SETTINGS
@given(data=st.data())
def test_constant_rows_are_refused(update, data):
    """Where W − α G is constant in a row nothing is nearest: ValueError naming the row, or d."""
    W = data.draw(weights(kinds=["constant_row", "zero_row", "one_column"], dtype=update.dtype))
    row = int(np.flatnonzero(W.max(axis=1) == W.min(axis=1))[0])
    with pytest.raises(ValueError, match=rf"V\[{row}, :\]|d = 1"):
        update.step(W, np.zeros(W.shape), 1.0, 2.0)


def altered(centring="all", radius=1.0, weight=1.0):
    """The update with parts of it left out: what is centred, the radius, the weight of the gradient's mean."""

    def step(W, G, rate, c):
        G = transform(W, G)
        X = W - rate * G
        X = X - X.mean(axis=1, keepdims=True) if centring == "all" else X
        X = X - X.mean() if centring == "matrix" else X
        return c ** (radius / 2) * X / np.linalg.norm(X, axis=1, keepdims=True)

    def transform(W, G):
        return G - weight * G.mean(axis=1, keepdims=True)

    return Update("faulty", "float64", step, transform)


def scaled_then_centred(W, G, rate, c):
    X = W - rate * G
    X = c**0.5 * X / np.linalg.norm(X, axis=1, keepdims=True)
    return X - X.mean(axis=1, keepdims=True)


def along_the_other_way(W, G, rate, c):
    return reference.solution(W, -G, rate, c)


WRONG = {
    "gradient centred alone": altered(centring="none"),
    "centred over the matrix": altered(centring="matrix"),
    "not centred": altered(centring="none", weight=0.0),
    "gradient not centred": altered(weight=0.0),
    "gradient centred twice over": altered(weight=2.0),
    "no radius": altered(radius=0.0),
    "squared radius for the radius": altered(radius=2.0),
    "scaled, then centred": dataclasses.replace(EXACT[0], name="faulty", step=scaled_then_centred),
    "uphill": dataclasses.replace(EXACT[0], name="faulty", step=along_the_other_way),
}
NOTICES = [
    (on_the_sphere, "no radius"),
    (on_the_sphere, "squared radius for the radius"),
    (on_the_sphere, "scaled, then centred"),
    (zero_mean, "gradient centred alone"),
    (zero_mean, "centred over the matrix"),
    (zero_mean, "not centred"),
    (gradient_zero_mean, "gradient not centred"),
    (gradient_zero_mean, "gradient centred twice over"),
    (minimises_equation_9, "gradient centred alone"),
    (minimises_equation_9, "no radius"),
    (minimises_equation_9, "uphill"),
    (minimises_equation_9, "centred over the matrix"),
    (zero_mean_as_before, "not centred"),
    (minimises_from_zero_mean, "not centred"),
    (minimises_from_zero_mean, "uphill"),
    (value_enclosed, "gradient centred alone"),
    (value_enclosed, "uphill"),
    (ignores_a_mean_of_inputs, "gradient centred alone"),
    (equations_12_to_14, "no radius"),
    (equations_12_to_14, "not centred"),
    (equations_12_to_14, "uphill"),
]


@pytest.mark.parametrize(("holds", "wrong"), NOTICES, ids=lambda value: getattr(value, "__name__", value))
def test_the_property_notices(holds, wrong):
    """Each property is broken, by ten times what rounding explains, by an update made wrong on purpose."""
    inputs = points("float64", max_n=3, max_d=6, rates=(0.125, 1.0))
    noticed(lambda point: holds(WRONG[wrong], *point), inputs)


def test_equation_11_with_a_mean_is_refuted():
    """The printed update is not the minimiser of equation 9 for rows that start with a mean: a witness is found."""
    inputs = points("float64", kinds=["small_integers"], max_n=1, max_d=4)
    W, *_ = noticed(lambda point: minimises_equation_9(PRINTED[0], *point), inputs)
    assert abs(W.sum()) > 0
