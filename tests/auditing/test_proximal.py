"""Each part of what is asked of convexity and of a proximal operator finds its own fault, and accuses no right one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from wnverify.auditing import convexity
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import randn
from wnverify.auditing.properties import Look
from wnverify.auditing.proximal import _firmly, _Objective, _slopes, _subgradient, _values

W = randn(3, 5, seed=2) + 0.3


def look(f, prox=None, V=W, **said) -> Look:
    instance = Instance(None, f, (V,), 0, scalar=True, prox=prox)
    return Look(instance=instance, V=V, value=True, seed=5, **said)


def worst(ratios) -> float:
    return max(ratio.value for ratio in ratios)


def absolute(V: Tensor) -> Tensor:
    return V.abs().sum()


def soft(V: Tensor, step: float) -> Tensor:
    return V.sign() * (V.abs() - step).clamp_min(0)


def capped(V: Tensor) -> Tensor:
    return V.abs().clamp_max(1).sum()


def off_by(miss: float):
    """Soft thresholding with every live entry moved by ``miss``."""
    return lambda V, step: soft(V, step) + miss * (soft(V, step) != 0)


PARTS = {"slopes": _slopes, "values": _values, "subgradient": _subgradient}


def asked(part: str, f, prox, step: float = 0.4) -> float:
    seen = look(f, prox)
    F = _Objective(seen, W, prox(W, step), step)
    return worst(PARTS[part](seen, F))


@pytest.mark.parametrize("part", PARTS)
def test_a_right_proximal_point_is_accused_by_no_part(part):
    """Soft thresholding of the absolute sum, at a small and at a large step."""
    for step in (0.05, 0.4, 3.0):
        assert asked(part, absolute, soft, step) <= 1


@pytest.mark.parametrize(
    ("part", "miss"),
    [("slopes", 1e-6), ("values", 1e-5), ("subgradient", 1e-5)],
    ids=["slopes", "values", "subgradient"],
)
def test_each_part_alone_sees_a_point_that_is_slightly_off(part, miss):
    """The slopes see a miss that is first order to them; values and the inequality see its square."""
    assert asked(part, absolute, off_by(miss)) >= 2


def test_a_better_point_far_away_is_seen_by_its_value_alone():
    """A local minimum has no falling slope; keeping the entries is better all the same."""
    V = torch.full((2, 3), 1.5, dtype=torch.float64)

    def nearer(V: Tensor, step: float) -> Tensor:
        return V - step

    seen = look(capped, nearer, V)
    F = _Objective(seen, V, nearer(V, 0.8), 0.8)
    assert worst(_slopes(seen, F)) <= 1
    assert worst(_values(seen, F)) >= 10


def test_a_firmly_nonexpansive_operator_is_told_from_one_that_is_not():
    """Soft thresholding is; hard thresholding jumps."""

    def hard(V: Tensor, step: float) -> Tensor:
        return torch.where(V.abs() > step, V, 0.0)

    for prox, right in ((soft, True), (hard, False)):
        seen = look(absolute, prox)
        F = _Objective(seen, W, prox(W, 0.4), 0.4)
        assert (worst(_firmly(seen, F, W)) <= 1) is right


def ripple(V: Tensor) -> Tensor:
    """Concave in places, over less than a tenth of the chord."""
    return V.square().sum() / 2 - 1e-3 * torch.cos(40 * V).sum()


def test_three_neighbours_see_what_the_ends_do_not():
    """Over a fifth of a unit the ripple is convex, between one eighth of that and the next it is not."""
    one = torch.zeros(2, 3, dtype=torch.float64)
    one[0, 0] = 1.0
    seen = look(lambda V: ripple(V).detach(), V=one)
    bottom = math.pi / 40
    ends, *neighbours = convexity._along(seen, (bottom - 0.1) * one, (bottom + 0.1) * one, 0.0)
    assert ends.value <= 1
    assert len(neighbours) == 7
    assert worst(neighbours) >= 10


class _Falling(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        ctx.save_for_backward(V)
        return 0.0 * V.sum() + 1

    @staticmethod
    def backward(ctx, a):
        return -a * ctx.saved_tensors[0]


def test_a_gradient_that_falls_along_a_chord_refutes():
    """The values are constant, hence convex; what is written as the gradient is not that of a convex function."""
    assert worst(convexity._convex(look(_Falling.apply))) >= 10
    assert worst(convexity._convex(look(lambda V: 1 + 0 * V.sum()))) <= 1


def test_a_chord_that_leaves_the_domain_is_not_looked_at():
    """A barrier is convex where it is finite."""

    def barrier(V: Tensor) -> Tensor:
        return -torch.log1p(-V.norm(dim=1) / 2).sum()

    domain = {"finite_only_for_row_norm_lt": 2.0}
    small = 0.4 * W
    found = list(convexity._convex(look(barrier, V=small, domain=domain)))
    assert found
    assert all(math.isfinite(ratio.error) for ratio in found)
    assert worst(found) <= 1
