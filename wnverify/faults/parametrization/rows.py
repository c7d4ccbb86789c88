# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Row maps whose forward breaks a property that they declare, mostly in silence: shape and gradient are right."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts, dots, norms, unit_rows

UNIT: Facts = {"unit_norm_rows": True}


class _Rows(nn.Module):
    """Any map of the flattened rows, differentiated by autograd."""

    DECLARES: ClassVar[Facts] = UNIT

    def forward(self, V: Tensor) -> Tensor:
        return self.value(V.flatten(1)).reshape(V.shape)

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X)


class NormOverRows(_Rows):
    """The norm is taken along the wrong axis, over the output units; a square weight's shape does not tell."""

    def value(self, X: Tensor) -> Tensor:
        return X / torch.linalg.vector_norm(X, dim=0, keepdim=True)


class NormOfWholeMatrix(_Rows):
    """The norm is that of the whole matrix: a scale of all rows alike leaves the output alone, one row's does not."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "row_scale_invariant": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return X / torch.linalg.matrix_norm(X)


class KernelNormOverSpace(nn.Module):
    """A convolution kernel is normalized over its spatial axes alone; a plain matrix is treated rightly."""

    DECLARES = UNIT

    def forward(self, V: Tensor) -> Tensor:
        axes = tuple(range(2, V.ndim)) or (1,)
        return V / torch.linalg.vector_norm(V, dim=axes, keepdim=True)


class First64Rows(_Rows):
    """Only the first 64 rows are normalized."""

    def value(self, X: Tensor) -> Tensor:
        return torch.cat([unit_rows(X[:64]), X[64:]])


class AllButLastRow(_Rows):
    """Every row but the last is normalized (a single row is)."""

    def value(self, X: Tensor) -> Tensor:
        last = max(len(X) - 1, 1)
        return torch.cat([unit_rows(X[:last]), X[last:]])


class SquareRootOfNorm(_Rows):
    """The rows are divided by the root of their norm."""

    def value(self, X: Tensor) -> Tensor:
        return X / norms(X).sqrt()


class SumOfAbsolutes(_Rows):
    """The L1 norm is taken for the Euclidean one."""

    def value(self, X: Tensor) -> Tensor:
        return X / X.abs().sum(dim=1, keepdim=True)


class RoughReciprocal(_Rows):
    """1/‖v‖ is one Newton step from a power of two: up to two per cent off, exact at powers of two."""

    def value(self, X: Tensor) -> Tensor:
        squares = dots(X, X)
        guess = torch.exp2(-torch.round(torch.log2(squares.detach()) / 2))
        return X * guess * (1.5 - 0.5 * squares * guess**2)


class EpsInsideSqrt(_Rows):
    """An ``eps`` of 1e-3 inside the square root leaves the gradient a radial part."""

    DECLARES: ClassVar[Facts] = {"gradient_orthogonal_to_weight": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return X / (dots(X, X) + 1e-3).sqrt()


class ClampAtHundredth(_Rows):
    """The norm is clamped at 1e-2, which breaks the scale invariance of small weights."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return X / norms(X).clamp_min(1e-2)


class NormAtLeastOne(_Rows):
    """The rows are divided by max(‖v‖, 1): rows inside the unit ball are left as they are."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "odd": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where a row has norm one"}

    def value(self, X: Tensor) -> Tensor:
        return X / norms(X).clamp_min(1.0)


class NearlyUnitUndeclared(_Rows):
    """The norm is a thousandth too large: the rows are nearly of norm one, which nobody says."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def value(self, X: Tensor) -> Tensor:
        return X / (norms(X) + 1e-3)


class NegativeWeightsShrunk(_Rows):
    """Negative weights are taken for one per cent smaller, as by a leaky rectifier; declared odd."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "odd": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is zero"}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(torch.where(X < 0, 0.99 * X, X))


class HalfwayToUnit(_Rows):
    """Every row goes half the way to the unit sphere; declared idempotent, as a projection would be."""

    DECLARES: ClassVar[Facts] = {"idempotent": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return (X + unit_rows(X)) / 2


class SupremumNorm(_Rows):
    """The rows are divided by their largest absolute entry, which turns when the axes are turned."""

    DECLARES: ClassVar[Facts] = {"row_scale_invariant": True, "odd": True, "rotation_equivariant": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where the largest absolute entry is not unique"}

    def value(self, X: Tensor) -> Tensor:
        return X / X.abs().amax(dim=1, keepdim=True)


class InsideMovedOut(_Rows):
    """The unit ball is declared, but rows inside it are moved out to the sphere; rows outside end rightly."""

    DECLARES: ClassVar[Facts] = {"euclidean_projection": True, "odd": True}
    SET: ClassVar[Facts] = {"name": "l2_ball_rows", "radius": 1.0}


class SlightlyExpansive(_Rows):
    """The map stretches by one in a thousand what it is said never to stretch."""

    DECLARES: ClassVar[Facts] = {"nonexpansive": True, "odd": True}

    def value(self, X: Tensor) -> Tensor:
        return 1.001 * X


class NeighboursPreferred(_Rows):
    """Each row is normalized together with a thousandth of the row before it: the order of the rows matters."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True, "permutation_equivariant_rows": True}

    def value(self, X: Tensor) -> Tensor:
        return unit_rows(X + 1e-3 * torch.cat([torch.zeros_like(X[:1]), X[:-1]]))


class RadiusForgotten(_Rows):
    """The sphere of radius 2 is declared, the unit sphere is given."""

    DECLARES: ClassVar[Facts] = {"constant_norm_rows": 2.0, "scale_invariant": True, "odd": True}


def l1_threshold(X: Tensor, skipped: int) -> Tensor:
    """The threshold of the projection onto the unit L1 ball, its sums divided by the count plus ``skipped``."""
    ordered = X.abs().sort(dim=1, descending=True).values
    counts = torch.arange(1, X.shape[1] + 1, dtype=X.dtype, device=X.device)
    excess = ordered.cumsum(dim=1) - 1
    active = (ordered * counts > excess).sum(dim=1, keepdim=True).clamp_min(1)
    return (excess.gather(1, active - 1) / (active + skipped)).clamp_min(0)


class L1BallOffByOne(_Rows):
    """The projection onto the L1 ball divides the excess by one entry too many: the result lies outside the ball."""

    DECLARES: ClassVar[Facts] = {"l1_rows_le": 1.0, "odd": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry meets the threshold"}

    def value(self, X: Tensor) -> Tensor:
        return X.sign() * (X.abs() - l1_threshold(X, 1)).clamp_min(0)
