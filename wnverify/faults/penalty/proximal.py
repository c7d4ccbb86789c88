# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Right penalties with a proximal operator that is not theirs."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.penalty.pieces import CONVEX, CONVEX_ROTATED, OF_ROWS, Facts, groups_shrunk, norms, shrunk, widened

KINKS: Facts = {"nonsmooth": "where an entry is zero"}
ZERO_ROWS: Facts = {"nonsmooth": "where a row is zero"}


class _Absolute(nn.Module):
    """``Σ|w|``."""

    DECLARES = CONVEX
    DOMAIN = KINKS

    def forward(self, W: Tensor) -> Tensor:
        return W.abs().sum()


class StepForgotten(_Absolute):
    """The threshold is 1 whatever the step."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return shrunk(W, 1.0)


class StepSquared(_Absolute):
    """The threshold is the square of the step."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return shrunk(W, step**2)


class FactorForgotten(_Absolute):
    """The penalty has a factor that its proximal operator does not know."""

    def forward(self, W: Tensor) -> Tensor:
        return 3 * W.abs().sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return shrunk(W, step)


class HardThreshold(_Absolute):
    """Entries above the threshold are kept as they are: the proximal point of another penalty."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return torch.where(W.abs() > step, W, 0.0)


class SignOfEntriesLost(_Absolute):
    """The shrunken entries are all positive."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return (W.abs() - step).clamp_min(0)


class ShrinksPastZero(_Absolute):
    """Small entries are moved past zero instead of onto it: a step of gradient descent."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return W - step * W.sign()


class ThresholdAlmostRight(_Absolute):
    """The threshold is a millionth too large."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return shrunk(W, step * (1 + 1e-6))


class ProximalInPlace(_Absolute):
    """The proximal point is written over the weight that was given."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return W.copy_(shrunk(W, step))


class HalfOfTheSquare(nn.Module):
    """``‖W‖²`` with the proximal operator of its half."""

    DECLARES = CONVEX_ROTATED

    def forward(self, W: Tensor) -> Tensor:
        return W.square().sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        return W / (1 + step)


class _Groups(nn.Module):
    """``Σ ‖w_i‖``."""

    DECLARES = CONVEX_ROTATED
    DOMAIN = ZERO_ROWS

    def forward(self, W: Tensor) -> Tensor:
        return norms(W.flatten(1)).sum()


class ZeroGroupNaN(_Groups):
    """``w max(1 − t/‖w‖, 0)`` is 0 · (−∞) at a zero row."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        return (X * (1 - step / norms(X)).clamp_min(-torch.inf).relu_() + 0 * X / norms(X)).reshape(W.shape)


class GroupsOfColumns(_Groups):
    """The groups that are shrunk are the columns."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        return groups_shrunk(W.flatten(1).mT, step).mT.reshape(W.shape)


class GroupNormSquared(_Groups):
    """The threshold is divided by the squared norm."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        return (X * (1 - step / norms(X).square().clamp_min(1e-30)).clamp_min(0)).reshape(W.shape)


class GroupsNotStopped(_Groups):
    """The factor of a small group becomes negative, since nothing stops it at zero."""

    def prox(self, W: Tensor, step: float) -> Tensor:
        X = W.flatten(1)
        return (X * (1 - step / norms(X).clamp_min(1e-30))).reshape(W.shape)


class EigenvaluesShrunk(nn.Module):
    """The nuclear norm, whose proximal operator shrinks the squares of the singular values."""

    DECLARES = CONVEX_ROTATED
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where W has not full rank"}

    def forward(self, W: Tensor) -> Tensor:
        total: Tensor = torch.linalg.svdvals(widened(W.flatten(1))).sum()
        return total.to(W.dtype)

    def prox(self, W: Tensor, step: float) -> Tensor:
        A, s, Bt = torch.linalg.svd(widened(W.flatten(1)), full_matrices=False)
        return ((A * (s.square() - step).clamp_min(0).sqrt()) @ Bt).to(W.dtype).reshape(W.shape)


class NearerMinimumOnly(nn.Module):
    """``Σ min(|w|, 1)`` with the local minimum that soft thresholding finds, though keeping the entry is better."""

    DECLARES: ClassVar[Facts] = {**OF_ROWS, "is_prox_of_penalty": True}
    DOMAIN: ClassVar[Facts] = {"nonsmooth": "where an entry is 0, 1 or -1"}

    def forward(self, W: Tensor) -> Tensor:
        return W.abs().clamp_max(1).sum()

    def prox(self, W: Tensor, step: float) -> Tensor:
        small = (W.abs() - step).clamp_min(0)
        return W.sign() * torch.where(small <= 1, small, W.abs())
