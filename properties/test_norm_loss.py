"""What *Norm loss* (Georgiou et al.) says of its loss: equations 11 and 12, section IV-A, and the proximal operator.

Each property is a function that returns its worst ratio (≤ 1: holds); a test asks it of every implementation, and
``test_the_property_notices`` of implementations made wrong on purpose.  The gradient 2 (r − 1) w / r of a row of norm r
is judged at the scale 2 (1 + r): a norm rounded in the last place moves it by that.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from property_cases import SETTINGS, errors, in_format, norms, noticed, row_products, worst

from wnverify.methods.norm_loss import enclosure, reference
from wnverify.methods.norm_loss.pytorch import NormLoss, norm_loss, norm_loss_prox
from wnverify.methods.weight_decay import reference as weight_decay
from wnverify.oracles.enclosures import BITS, ball_matrix, precision
from wnverify.oracles.ratio import map_model
from wnverify.strategies import KINDS, cotangents, weights

DEFINED = [kind for kind in KINDS if kind not in ("zero_row", "zero_matrix")]


@dataclasses.dataclass(frozen=True)
class Implementation:
    """The loss and what belongs to it, float64 NumPy outside, ``dtype`` within."""

    name: str
    dtype: str
    value: Callable[[np.ndarray], float]
    gradient: Callable[[np.ndarray], np.ndarray]
    prox: Callable[[np.ndarray, float], np.ndarray]

    def update(self, W: np.ndarray, G: np.ndarray, rate: float, factor: float) -> np.ndarray:
        """Equation 2 with the gradient of equation 8, in the dtype."""
        return in_format(W - rate * (factor * self.gradient(W) + G), self.dtype)

    def __str__(self) -> str:
        return f"{self.name}-{self.dtype}"


def in_pytorch(dtype: str, loss: Callable[[torch.Tensor], torch.Tensor] = norm_loss, name: str = "pytorch") -> Any:
    def tensor(X: np.ndarray) -> torch.Tensor:
        return torch.tensor(X, dtype=getattr(torch, dtype))

    def gradient(W: np.ndarray) -> np.ndarray:
        leaf = tensor(W).requires_grad_()
        return torch.autograd.grad(loss(leaf), leaf)[0].double().numpy()

    return Implementation(
        name,
        dtype,
        lambda W: float(loss(tensor(W))),
        gradient,
        lambda W, step: norm_loss_prox(tensor(W), step).double().numpy(),
    )


REFERENCE = Implementation("reference", "float64", reference.value, reference.gradient, reference.prox)
PRINTED = dataclasses.replace(REFERENCE, name="printed", gradient=reference.printed_gradient)
PLAIN = in_pytorch("float64", lambda W: (1 - W.norm(dim=-1)).square().sum(), "autograd")
IMPLEMENTATIONS = [REFERENCE, in_pytorch("float64"), in_pytorch("float32")]
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=str)
every_gradient = pytest.mark.parametrize("implementation", [*IMPLEMENTATIONS, PRINTED, PLAIN], ids=str)


@st.composite
def points(draw, dtype, kinds=DEFINED, **sizes):
    """A weight without zero rows, norms from 1e-4 to 1e4 at the least, and a gradient of the target loss."""
    W = draw(weights(kinds=kinds, dtype=dtype, scales=(1e-4, 1e4), **sizes))
    assume((norms(W) > 1e-8).all())
    return W, draw(cotangents(W, dtype=dtype))


def model(implementation, W):
    return map_model(implementation.dtype, W.shape[1])


def scale(W):
    """2 (1 + r) for every row."""
    return 2 * (1 + norms(W))


def gradient_enclosed(implementation, W, G):
    """The gradient within rounding of balls that hold the exact value of equation 11."""
    return worst(errors(enclosure.gradient(W), implementation.gradient(W)), scale(W), model(implementation, W))


def update_enclosed(implementation, W, G, rate=0.25, factor=0.5):
    """w − η λ ∂L_nl − η ∂L_target within rounding of equation 12 in balls."""
    with precision(BITS):
        balls, rows = [], ball_matrix(W).table()
        for w, g in zip(rows, ball_matrix(G).table(), strict=True):
            r = sum((x * x for x in w), flint.arb(0)).sqrt()
            shrink = flint.arb(rate) * flint.arb(factor) * 2 * (1 - 1 / r)
            balls.append([x - shrink * x - flint.arb(rate) * y for x, y in zip(w, g, strict=True)])
        exact = flint.arb_mat(balls)
    size = norms(W) + rate * (factor * scale(W) + norms(G))
    return worst(errors(exact, implementation.update(W, G, rate, factor)), size, model(implementation, W))


def pushes_towards_the_sphere(implementation, W, G):
    """The step −∂L lengthens a row inside the sphere and shortens one outside: (r − 1) ⟨g, w⟩ ≥ 0."""
    r = norms(W)
    along = row_products(implementation.gradient(W), W)
    return worst(np.maximum(0.0, -np.sign(r - 1) * along), scale(W) * r, model(implementation, W))


def weight_decay_with_a_factor_of_its_own(implementation, W, G):
    """r ∂L_nl = (r − 1) ∂L_wd, row by row: weight decay whose factor, sign included, is set by the norm."""
    with precision(BITS):
        balls = []
        for w in ball_matrix(W).table():
            r = sum((x * x for x in w), flint.arb(0)).sqrt()
            balls.append([2 * x * (r - 1) / r for x in w])
        exact = flint.arb_mat(balls)
    r = norms(W)[:, None]
    by_decay = (r - 1) / r * weight_decay.gradient(W)
    misses = np.maximum(errors(exact, implementation.gradient(W)), np.abs(by_decay - implementation.gradient(W)))
    return worst(misses, scale(W), model(implementation, W))


def path(r, strength, steps):
    """The signed length of a row, along its first direction, after each step of equation 12 without a target."""
    lengths = [r]
    for _ in range(steps):
        here = lengths[-1]
        lengths.append(np.sign(here) * (1 + (1 - 2 * strength) * (np.abs(here) - 1)))
    return lengths


def contracts(implementation, W, G, strength=0.125, steps=4):
    """With no target r becomes |1 + (1 − 2 η λ)(r − 1)| a step and the row stays on its line, as equation 12 has it."""
    start, first, here = W, norms(W), model(implementation, W)
    for _ in range(steps):
        W = implementation.update(W, np.zeros_like(W), strength, 1.0)
    right = np.abs(path(first, strength, steps)[-1])
    lost = norms(W - start * (row_products(W, start) / first**2)[:, None])
    size = 2 * steps * (1 + first)
    return max(worst(norms(W) - right, size, here), worst(lost, size, here))


def prox_is_stationary(implementation, W, G, step=0.75):
    """x − w + t ∂L(x) = 0 at the proximal point, reckoned in balls; x may not be a zero row."""
    X = implementation.prox(W, step)
    with precision(BITS):
        rest = ball_matrix(X) - ball_matrix(W) + flint.arb(step) * enclosure.gradient(X)
        misses = errors(rest, np.zeros_like(X))
    return worst(misses, 2 * (1 + 2 * step) * (1 + norms(W)), model(implementation, W))


def objective(x, w, step):
    """½ ‖x − w‖² + t (1 − ‖x‖)² in balls."""
    distance = sum(((a - b) ** 2 for a, b in zip(x, w, strict=True)), flint.arb(0))
    return distance / 2 + step * (1 - sum((a * a for a in x), flint.arb(0)).sqrt()) ** 2


def prox_is_least(implementation, W, G, step=0.75):
    """No point of a dense grid of radii along ± w, or along G, has a lower objective, in balls."""
    X, misses, t = implementation.prox(W, step), [], flint.arb(step)
    with precision(BITS):
        for x, w, g in zip(ball_matrix(X).table(), ball_matrix(W).table(), ball_matrix(G).table(), strict=True):
            here, best = objective(x, w, t), None
            for along in (w, g):
                length = sum((a * a for a in along), flint.arb(0)).sqrt()
                if not length > 0:
                    continue
                top = sum((a * a for a in w), flint.arb(0)).sqrt() + 1
                for k in range(-24, 25):
                    rival = objective([a / length * top * k / 24 for a in along], w, t)
                    best = rival if best is None else best.min(rival)
            misses.append(max(0.0, float((here - best).mid())))
    # An x off by δ costs δ (1 + 2t) δ / 2 alone, the objective being stationary; δ of modelled rounding costs far less.
    return worst(np.array(misses), (1 + 2 * step) * (1 + norms(W)) ** 2, model(implementation, W))


@every_gradient
@SETTINGS
@given(data=st.data())
def test_equation_11(implementation, data):
    """∂L/∂w = 2 w (1 − 1/‖w‖): printed, by autograd through the plain loss, and in every implementation."""
    assert gradient_enclosed(implementation, *data.draw(points(implementation.dtype, max_n=3, max_d=6))) <= 1


@every_gradient
@SETTINGS
@given(data=st.data(), rate=st.integers(1, 8), factor=st.integers(1, 8))
def test_equation_12(implementation, data, rate, factor):
    """The update rule is equations 2, 8 and 11 put together."""
    W, G = data.draw(points(implementation.dtype, max_n=3, max_d=6))
    assert update_enclosed(implementation, W, G, rate / 8, factor / 8) <= 1


@every_gradient
@SETTINGS
@given(data=st.data())
def test_rows_are_pushed_towards_the_sphere(implementation, data):
    """Norm loss lengthens a row of norm below 1 and shortens one above; weight decay shortens every row."""
    W, G = data.draw(points(implementation.dtype))
    assert pushes_towards_the_sphere(implementation, W, G) <= 1
    assert (row_products(weight_decay.gradient(W), W) > 0).all()


@every_gradient
@SETTINGS
@given(data=st.data())
def test_norm_loss_is_weight_decay_with_a_factor_of_its_own(implementation, data):
    """Every row's factor is 1 − 1/‖w‖: negative inside the sphere, never above 1 outside."""
    W, G = data.draw(points(implementation.dtype, max_n=3, max_d=6))
    assert weight_decay_with_a_factor_of_its_own(implementation, W, G) <= 1


@every
@SETTINGS
@given(data=st.data(), strength=st.integers(1, 7))
def test_without_a_target_rows_tend_to_the_sphere(implementation, data, strength):
    """Equation 12 alone leads every row along its line to norm 1, for 0 < η λ < 1: never further off than before."""
    W, G = data.draw(points(implementation.dtype, max_n=3, max_d=6))
    lengths = np.abs(path(norms(W), strength / 8, 4))
    # A step that lands near 0 loses the direction to rounding.
    assume((lengths > 0.05).all())
    assert contracts(implementation, W, G, strength / 8) <= 1
    off = np.abs(lengths - 1)
    assert (off[1:] <= off[:-1]).all()


@every
@SETTINGS
@given(data=st.data(), step=st.integers(1, 64))
def test_the_proximal_point_is_stationary(implementation, data, step):
    """At the proximal point nothing of the gradient of its problem is left."""
    assert prox_is_stationary(implementation, *data.draw(points(implementation.dtype)), step / 8) <= 1


@every
@SETTINGS
@given(data=st.data(), step=st.integers(1, 64))
def test_the_proximal_point_is_least(implementation, data, step):
    """A dense search of radii, along the row, against it and along another direction, finds nothing lower."""
    W, G = data.draw(points(implementation.dtype, max_n=2, max_d=4))
    assert prox_is_least(implementation, W, G, step / 8) <= 1


@every
@SETTINGS
@given(data=st.data())
def test_a_zero_row_counts_one_and_is_left_alone(implementation, data):
    """At a zero row the loss is 1 and its gradient counts as 0, while the other rows keep theirs."""
    W = data.draw(weights(kinds=["zero_row"], dtype=implementation.dtype, scales=(1e-4, 1e4)))
    zero = ~W.any(axis=1)
    assert not implementation.gradient(W)[zero].any()
    assert np.isfinite(implementation.gradient(W)).all()
    rest = implementation.value(W[~zero]) if not zero.all() else 0.0
    here = map_model(implementation.dtype, W.size)
    assert abs(implementation.value(W) - rest - zero.sum()) <= here.relative * (1 + implementation.value(W)) * 4


def altered(**changed: Any) -> Implementation:
    return dataclasses.replace(REFERENCE, name="faulty", **changed)


def unit(W):
    return W / norms(W)[:, None]


WRONG = {
    "the factor 2 is lost": altered(gradient=lambda W: reference.gradient(W) / 2),
    "the sign is turned": altered(gradient=lambda W: -reference.gradient(W)),
    "weight decay": altered(gradient=weight_decay.gradient),
    "the square of the norm": altered(gradient=lambda W: 4 * W * (norms(W)[:, None] ** 2 - 1)),
    "one norm for all rows": altered(gradient=lambda W: 2 * W * (1 - 1 / np.linalg.norm(W))),
    "an epsilon beside the norm": altered(gradient=lambda W: 2 * W * (1 - 1 / (norms(W)[:, None] + 1e-6))),
    "the norm of a column": altered(gradient=lambda W: 2 * W - 2 * W / np.maximum(norms(W.T), 1e-9)),
    "a prox that is a gradient step": altered(prox=lambda W, t: W - t * reference.gradient(W)),
    "a prox with half the step": altered(prox=lambda W, t: reference.prox(W, t / 2)),
    "a prox that projects": altered(prox=lambda W, t: unit(W)),
    "a prox on the other side": altered(prox=lambda W, t: -reference.prox(W, t)),
}
NOTICES = [
    (gradient_enclosed, "the factor 2 is lost"),
    (gradient_enclosed, "the square of the norm"),
    (gradient_enclosed, "one norm for all rows"),
    (gradient_enclosed, "an epsilon beside the norm"),
    (gradient_enclosed, "the norm of a column"),
    (update_enclosed, "the factor 2 is lost"),
    (update_enclosed, "the sign is turned"),
    (pushes_towards_the_sphere, "the sign is turned"),
    (pushes_towards_the_sphere, "weight decay"),
    (pushes_towards_the_sphere, "one norm for all rows"),
    (weight_decay_with_a_factor_of_its_own, "weight decay"),
    (weight_decay_with_a_factor_of_its_own, "the square of the norm"),
    (contracts, "the factor 2 is lost"),
    (contracts, "weight decay"),
    (contracts, "the norm of a column"),
    (prox_is_stationary, "a prox that is a gradient step"),
    (prox_is_stationary, "a prox with half the step"),
    (prox_is_stationary, "a prox that projects"),
    (prox_is_least, "a prox that is a gradient step"),
    (prox_is_least, "a prox that projects"),
    (prox_is_least, "a prox on the other side"),
]


@pytest.mark.parametrize(("holds", "wrong"), NOTICES, ids=lambda value: getattr(value, "__name__", value))
def test_the_property_notices(holds, wrong):
    """Each property is broken, by ten times what rounding explains, by an implementation made wrong on purpose."""
    W, _ = noticed(lambda point: holds(WRONG[wrong], *point), points("float64", max_n=3, max_d=4))
    assert np.isfinite(W).all()


def test_the_module_is_the_function():
    """NormLoss(λ) is λ times the loss that these properties judge, of a weight of any layer."""
    W = np.arange(12.0).reshape(2, 3, 2) / 7
    found = NormLoss(0.5)(torch.tensor(W))
    right = reference.value(W.reshape(2, 6)) / 2
    assert worst([float(found) - right], right, map_model("float64", 6)) <= 1
