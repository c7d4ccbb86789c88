"""Right projections that break what their user takes for granted: memory, state, dtype, layout, gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from wnverify.faults.projection.pieces import KINKS, L2, ONTO_CONVEX, Facts, by_rows, norms, onto_l2_ball

BALL: Facts = {"name": "l2_ball_rows", "radius": 1.0}


class _OntoBall:
    DECLARES: ClassVar[Facts] = L2
    SET: ClassVar[Facts] = BALL


class ProjectsInPlace(_OntoBall):
    """The weight that was given is overwritten, and returned."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return W.copy_(by_rows(W, onto_l2_ball))


class EverySecondCall(_OntoBall):
    """Every second call does nothing, to save time."""

    def __init__(self) -> None:
        self.calls = 0

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        self.calls += 1
        return by_rows(W, onto_l2_ball) if self.calls % 2 else W.clone()


class NormsOfFirstWeight(_OntoBall):
    """The norms are measured once for each shape, at the first weight that comes."""

    def __init__(self) -> None:
        self.first: dict[object, Tensor] = {}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        sizes = self.first.setdefault((W.shape, W.dtype), norms(W.flatten(1)))
        return by_rows(W, lambda X: X / sizes.clamp_min(1))


class ScratchOfNorms(_OntoBall):
    """The norms are put down on the object and read again on the next line: another thread's may stand there then."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        self.sizes = norms(W.flatten(1))
        return (W.flatten(1) / self.sizes.clamp_min(1)).reshape(W.shape)


class RestsAfterThreeSteps(_OntoBall):
    """After three calls it holds the weight for settled and does no more."""

    def __init__(self) -> None:
        self.calls = 0

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        self.calls += 1
        return by_rows(W, onto_l2_ball) if self.calls <= 3 else W.clone()


class RandomOrder(_OntoBall):
    """The radius is a draw from the global generator, nearly one."""

    DECLARES: ClassVar[Facts] = {}
    SET: ClassVar[Facts] = {}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, lambda X: onto_l2_ball(X, 1 + 1e-3 * float(torch.rand(()))))


class RowsFlattened(_OntoBall):
    """A kernel comes back as a matrix."""

    DECLARES: ClassVar[Facts] = {"odd": True}
    SET: ClassVar[Facts] = {}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return onto_l2_ball(W.flatten(1))


class DoubleComesBack(_OntoBall):
    """The projection is computed in float64 and stays there."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return onto_l2_ball(W.flatten(1).double()).reshape(W.shape)


class SinglePrecisionInside(_OntoBall):
    """A float64 weight is projected in float32."""

    DECLARES: ClassVar[Facts] = {"odd": True}
    SET: ClassVar[Facts] = {}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return onto_l2_ball(W.flatten(1).float()).to(W.dtype).reshape(W.shape)


class HalfNorms(_OntoBall):
    """In half precision the squares are summed one by one in half precision."""

    DECLARES: ClassVar[Facts] = {"odd": True}
    SET: ClassVar[Facts] = {}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        X = W.flatten(1)
        total = torch.zeros_like(X[:, :1])
        for column in X.T[:1100]:
            total = total + column[:, None].square()
        sizes = total.sqrt() if X.dtype.itemsize == 2 else norms(X)
        return (X / sizes.clamp_min(1)).reshape(W.shape)


class StorageIsTheOrder(_OntoBall):
    """A transposed weight is read in the order of its storage."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        dense = W if W.is_contiguous() or W.dim() != 2 else W.mT.reshape(W.shape)
        return by_rows(dense, onto_l2_ball)


class LambdaKept(_OntoBall):
    """The map is a function without a name, which a pickle cannot carry."""

    def __init__(self) -> None:
        self.map: Callable[[Tensor], Tensor] = lambda X: onto_l2_ball(X)

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.map)


class StraightThrough(_OntoBall):
    """The output has a graph, and its gradient is that of the identity."""

    DOMAIN = KINKS

    def __call__(self, W: Tensor) -> Tensor:
        return W + (by_rows(W, onto_l2_ball) - W).detach()


class SquaresOfHugeRows(_OntoBall):
    """What is beyond the ball is taken off along the row: for huge rows, whose squares overflow, ∞ times zero."""

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return by_rows(W, self.project)

    def project(self, X: Tensor) -> Tensor:
        sizes = X.square().sum(dim=1, keepdim=True).sqrt().clamp_min(1)
        return X - X / sizes * (sizes - 1)


class BrokenEntriesIgnored:
    """A NaN is clipped to the border of the box: a broken weight looks well."""

    DECLARES = ONTO_CONVEX
    SET: ClassVar[Facts] = {"name": "box", "lo": -1.0, "hi": 1.0}

    @torch.no_grad()
    def __call__(self, W: Tensor) -> Tensor:
        return torch.nan_to_num(W, nan=1.0, posinf=1.0, neginf=-1.0).clamp(-1, 1)
