"""Projections in every form, and some with one thing wrong."""

import torch
from torch import nn

UNIT_BALL = {"name": "l2_ball_rows", "radius": 1.0}
BALL = {
    "euclidean_projection": True,
    "idempotent": True,
    "nonexpansive": True,
    "odd": True,
    "rotation_equivariant": True,
    "permutation_equivariant_rows": True,
}


def shortened(W):
    sizes = torch.linalg.vector_norm(W.flatten(1), dim=1).clamp_min(1.0)
    return W / sizes.reshape(-1, *[1] * (W.dim() - 1))


class Ball:
    """Rows of norm at most one, without a graph."""

    DECLARES = BALL
    SET = UNIT_BALL

    @torch.no_grad()
    def __call__(self, W):
        return shortened(W)


class WithGraph(Ball):
    def __call__(self, W):
        return shortened(W)


class ForWeight(Ball):
    def __init__(self, weight):
        self.shape = weight.shape


class OfRadius:
    def __init__(self, radius):
        self.radius = radius

    def __call__(self, W):
        return self.radius * shortened(W / self.radius)


class Itself:
    """Gives back the very weight: nothing is to be done."""

    def __call__(self, W):
        return W


class BallModule(nn.Module):
    """A module, which is a parametrization unless it is said to be a projection."""

    DECLARES = BALL
    SET = UNIT_BALL

    def forward(self, W):
        return shortened(W)


class Zero:
    """Every property holds, and says nothing."""

    @torch.no_grad()
    def __call__(self, W):
        return 0.0 * W


class GivesUp(Ball):
    """Raises at the third step."""

    def __init__(self):
        self.calls = 0

    @torch.no_grad()
    def __call__(self, W):
        self.calls += 1
        if self.calls > 2:
            raise RuntimeError("three is too many")
        return shortened(W)


class BecomesNaN(Ball):
    def __init__(self):
        self.calls = 0

    @torch.no_grad()
    def __call__(self, W):
        self.calls += 1
        return shortened(W) * (1.0 if self.calls < 3 else float("nan"))


class AlmostInTheBall(Ball):
    """A millionth outside."""

    @torch.no_grad()
    def __call__(self, W):
        return shortened(W) * (1 + 1e-6)


def function(W):
    return shortened(W)


@torch.no_grad()
def quietly(W):
    return shortened(W)


instance = Ball()
