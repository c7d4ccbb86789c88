"""Difference quotients: the true derivative lies within the stated error, and what has none is refused."""

import math

import numpy as np
import pytest
import torch

from wnverify.finding import seed_of
from wnverify.oracles.differences import (
    DiscontinuousError,
    KinkError,
    NotDifferencedError,
    directional_difference,
    rounding_noise,
)


def normal(*shape, case=""):
    return torch.tensor(np.random.default_rng(seed_of("differences", shape, case)).standard_normal(shape))


def centred_rows(V):
    X = V - V.mean(-1, keepdim=True)
    X = X - X.mean(-1, keepdim=True)
    return X / torch.linalg.vector_norm(X, dim=-1, keepdim=True)


def polar(V):
    A, _, Bt = torch.linalg.svd(V, full_matrices=False)
    return A @ Bt


POINT = normal(4, 7)
ILL = torch.linalg.qr(normal(4, 4, case="left")).Q @ torch.diag(torch.logspace(0, -4, 4).double()) @ polar(normal(4, 9))
SMOOTH = {
    "linear": (lambda V: 3 * V, POINT),
    "constant": (lambda V: torch.ones(2, 2).double() + 0 * V.sum(), POINT),
    "rows": (lambda V: V / V.norm(dim=1, keepdim=True), POINT),
    "rows from 1e-10 to 1e10": (
        lambda V: V / V.norm(dim=1, keepdim=True),
        POINT * torch.logspace(-10, 10, 4).double()[:, None],
    ),
    "mean of 1e4 spreads": (centred_rows, POINT + 1e4),
    "mean of 1e8 spreads": (centred_rows, POINT + 1e8),
    "polar, condition 1e4": (polar, ILL),
    "a pole 1e-4 away": (lambda V: 1 / (V - POINT[0, 0] - 1e-4), POINT),
    "fast oscillation": (lambda V: torch.sin(1000 * V), POINT),
    "a rounded corner": (lambda V: (V**2 + 1e-6).sqrt(), POINT - POINT[0, 0]),
    "exponential of a large number": (lambda V: torch.exp(20 * V), POINT),
    "values near 1e200": (lambda V: 1e200 * torch.tanh(V), POINT),
}


def directions(x):
    scale = x.square().mean(-1, keepdim=True).sqrt()
    entry = torch.zeros_like(x)
    entry[0, 1] = scale[0, 0]
    return {"normal": scale * normal(*x.shape, case="e"), "radial": x, "ones": scale.expand_as(x), "entry": entry}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_derivative_lies_within_the_error(name):
    """|difference − J e| is at most the estimate, which is itself far below the derivative or the values' rounding."""
    f, x = SMOOTH[name]
    for e in directions(x).values():
        found = directional_difference(f, x, e)
        exact = torch.func.jvp(f, (x,), (e,))[1]
        # Forward mode rounds, too: by no more than the values do under a change of the point by one rounding.
        rounding = 64 * 2.0**-53 * float(exact.norm()) + rounding_noise(f, x, seed=1)
        assert float((found.value - exact).norm()) <= found.error + rounding
        assert found.error <= 1e-2 * float(exact.norm()) + 2.0**34 * rounding_noise(f, x, seed=1)


@pytest.mark.parametrize("name", ["linear", "rows", "rows from 1e-10 to 1e10"])
def test_ordinary_maps_are_differenced_almost_exactly(name):
    """The estimate is below 1e-10 of the derivative, at no more than 31 evaluations and those for the noise."""
    f, x = SMOOTH[name]
    found = directional_difference(f, x, directions(x)["normal"])
    assert found.error <= 1e-10 * float(found.value.norm())
    assert found.evaluations <= 41


def test_a_constant_has_derivative_zero():
    """The derivative is exactly zero, the error that of rounding."""
    f, x = SMOOTH["constant"]
    found = directional_difference(f, x, x)
    assert float(found.value.norm()) == 0
    assert found.error <= 1e-10


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4])
def test_a_jump_is_refused(size):
    """A map that jumps at the point has no derivative; the message gives the size of the jump."""
    x = normal(1, 3)
    with pytest.raises(DiscontinuousError, match=r"the map jumps by \d.* of its size at this point"):
        directional_difference(lambda V: torch.sin(V) + size * (x <= V), x, torch.ones_like(x))


def test_rounding_to_integers_is_refused_at_the_step_and_flat_beside_it():
    """At a half-integer the map jumps; elsewhere its derivative is zero."""
    with pytest.raises(DiscontinuousError):
        directional_difference(torch.round, torch.full((1, 2), 0.5, dtype=torch.float64), torch.ones(1, 2).double())
    found = directional_difference(torch.round, torch.full((1, 2), 1.2, dtype=torch.float64), torch.ones(1, 2).double())
    assert float(found.value.norm()) == 0


@pytest.mark.parametrize("slope", [1.0, 0.1])
def test_a_kink_at_the_point_is_refused(slope):
    """One-sided slopes that differ leave no derivative, though central differences agree with each other."""
    x = torch.tensor([[1.0, 2.0]]).double()
    with pytest.raises(KinkError, match="slopes on the two sides differ"):
        directional_difference(lambda V: V + slope * (V - x).abs(), x, torch.ones_like(x))


def test_a_kink_beside_the_point_is_no_obstacle():
    """A kink at a distance of 1e-3 of the point's size is stepped under: the slopes 1 and −1 of each entry cancel."""
    x = torch.tensor([[1.0, 2.0]]).double()
    found = directional_difference(lambda V: (V - 0.999).abs() + (V - 2.001).abs(), x, x)
    assert float(found.value.norm()) <= found.error <= 1e-6 * float(x.norm())


def test_the_edge_of_the_domain_is_stepped_under():
    """Where a far point raises or is not finite a smaller step is taken; where every step is, the map is refused."""
    x = torch.full((1, 2), 1e-3, dtype=torch.float64)
    found = directional_difference(torch.log, x, torch.ones_like(x))
    assert float((found.value - 1000).norm()) <= found.error + 64 * 2.0**-53 * 1000

    def outside(V):
        if not torch.equal(V, x):
            raise ValueError("V must be x")
        return V

    for f in (outside, lambda V: torch.where(x == V, V, math.nan)):
        with pytest.raises(NotDifferencedError, match="no finite values on both sides of the point for steps down to"):
            directional_difference(f, x, x)


def test_the_noise_of_a_float64_map_is_that_of_the_point():
    """8 u ‖f‖ for ordinary maps; about κ u where the point's own rounding is magnified κ times; not the curvature."""
    u = 2.0**-53
    for name, low, high in (
        ("linear", 8, 8.01),
        ("rows", 8, 16),
        ("mean of 1e4 spreads", 1e3, 1e5),
        ("mean of 1e8 spreads", 1e7, 1e9),
        ("polar, condition 1e4", 1e3, 1e5),
        ("fast oscillation", 8, 1e5),
        ("a rounded corner", 8, 1e4),
    ):
        f, x = SMOOTH[name]
        for seed in range(5):
            noise = rounding_noise(f, x, seed=seed) / float(f(x).norm())
            assert low * u <= noise <= high * u, name


@pytest.mark.parametrize(
    ("f", "step"),
    [
        (lambda V: centred_rows(V.float()).double(), 2.0**-24),
        (lambda V: centred_rows(V).float().double(), 2.0**-24),
        (lambda V: V / torch.linalg.vector_norm(V.float(), dim=1, keepdim=True).double(), 2.0**-24),
    ],
    ids=["input", "output", "norm alone"],
)
def test_a_part_computed_in_float32_is_seen_as_noise(f, step):
    """The noise is that of float32, within a factor 20, wherever on the way the bits are dropped."""
    x = normal(6, 20)
    for seed in range(5):
        noise = rounding_noise(f, x, seed=seed) / float(f(x).norm())
        assert step / 20 <= noise <= 20 * step


def test_a_float32_map_has_an_honest_error():
    """A forward with a down-cast is differenced to a few digits, and the estimate covers what is lost."""
    x = normal(6, 20)
    for trial in range(20):
        e = normal(6, 20, case=trial)
        found = directional_difference(lambda V: centred_rows(V.float()).double(), x, e)
        exact = torch.func.jvp(centred_rows, (x,), (e,))[1]
        assert float((found.value - exact).norm()) <= found.error
        assert 1e-7 <= found.error / float(exact.norm()) <= 1e-3
