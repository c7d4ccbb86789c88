"""Norm loss in PyTorch: L(W) = Σ_i (1 − ‖w_i‖)² over the rows of W, one for each output unit.

T. Georgiou, S. Schmitt, T. Bäck, W. Chen and M. Lew, *Norm loss*, equations 7 and 8; gradient: equation 11.  Without a
derivative at a zero row, where the gradient counts as 0.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.distributed import beside
from wnverify.primitives.gram import directions, row_norms
from wnverify.primitives.penalty import ProximalPenalty
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.scalars import nonnegative


def norm_loss(W: Rows) -> Tensor:
    """Σ_i (1 − ‖w_i‖)², shape (*batch): float64 for float64 W, else float32.

    W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32); norms are
    float64, at any scale of W.  Gradient: 2 (‖w_i‖ − 1) w_i / ‖w_i‖, and at a zero row 0, with all derivatives.
    Derivatives of every order, forward and reverse, and ``torch.func``.  A non-finite entry gives a non-finite value:
    nothing is looked at, nothing synchronises.  ``TypeError`` for integers and complex numbers.  Cost O(n d); the
    backward keeps W itself, no copy (a float32 one for the half precisions), and the n norms.

    >>> norm_loss(torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.6, 0.8]]))
    tensor(17.)
    """
    W = working(W)
    return (1 - row_norms(W)).square().sum((-2, -1)).to(W.dtype)


def norm_loss_prox(W: Rows, step: float) -> Rows:
    """argmin_X ½ ‖X − W‖² + step × norm_loss(X): rows keep their direction, norms become (r + 2 step) / (1 + 2 step).

    At a zero row every point of a sphere is as good; the one along the first axis is taken.  Shapes, dtypes, errors and
    derivatives as ``norm_loss``, and a ``ValueError`` for a step below 0.

    >>> norm_loss_prox(torch.tensor([[3.0], [0.5]]), 0.5)
    tensor([[2.0000],
            [0.7500]])
    """
    X, step = working(W), nonnegative(step, "step")
    r = row_norms(X)
    first = beside((torch.arange(X.shape[-1], device=X.device) == 0).to(X.dtype), X)
    U, correction = directions(X, r)
    kept = 1 / (1 + 2 * step)
    return (kept * X + 2 * (kept * step) * correction * torch.where(r == 0, first, U)).to(W.dtype)


class NormLoss(ProximalPenalty):
    """The penalty factor × Σ_i (1 − ‖w_i‖)² on the output units of a layer, in place of weight decay.

    ``factor``: λ_nl of equation 8.  ``dim``, ``groups``: see ``to_rows``.  ``prox`` is the proximal operator, exact.
    Dtypes, cost, memory and what happens at a zero row as ``norm_loss``; the value is of the dtype of W.

    >>> NormLoss(0.5)(torch.full((2, 1, 2, 2), 1.5))
    tensor(4.)
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "is_prox_of_penalty": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "at a zero row: the loss has a peak there, and derivatives of every order count as 0",
        "zero_row": "value 1 for the row, gradient 0; the proximal point is the one along the first axis",
        "zero_matrix": "every row as a zero row",
    }

    def value(self, W: Tensor) -> Tensor:
        return norm_loss(W)

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        return norm_loss_prox(W, step)
