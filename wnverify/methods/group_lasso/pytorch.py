"""Group lasso in PyTorch: Σ_g c_g ‖w_g‖₂ over the rows or columns of the matrix of output units, with its prox.

M. Yuan and Y. Lin, *Model selection and estimation in regression with grouped variables*, 2006; the (2,1)-norm of J.
Yoon and S. J. Hwang, *Combined group and exclusive sparsity for deep neural networks*, 2017.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.gram import row_norms
from wnverify.primitives.groups import by_group, check_group
from wnverify.primitives.penalty import ProximalPenalty
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.scalars import nonnegative


def group_lasso(W: Rows, group: str = "rows", sized: bool = False) -> Tensor:
    """Σ_g c ‖w_g‖₂, shape (*batch): float64 for float64 W, else float32; c = 1, or ``sized`` √(entries of a group).

    W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32); norms are
    float64, at any scale of W.  Gradient c w_g / ‖w_g‖, and 0, with all its derivatives, at a zero group (the
    subgradient of least norm there).  Derivatives of every order, forward and reverse, and ``torch.func``.  A
    non-finite entry gives a non-finite value: nothing is looked at, nothing synchronises.  ``ValueError`` for an
    unknown group, ``TypeError`` for integers and complex numbers.  Cost O(n d); the backward keeps W itself, no copy
    (a float32 one for the half precisions), and the norms.

    >>> group_lasso(torch.tensor([[3.0, 4.0], [0.0, 0.0]])), group_lasso(torch.tensor([[3.0, 4.0]]), "columns")
    (tensor(5.), tensor(7.))
    """
    W = by_group(working(W), check_group(group))
    return (_weight(W, sized) * row_norms(W).sum((-2, -1))).to(W.dtype)


def group_lasso_prox(W: Rows, step: float, group: str = "rows", sized: bool = False) -> Rows:
    """argmin_X ½ ‖X − W‖² + step Σ_g c ‖x_g‖₂: w_g (1 − step c / ‖w_g‖)₊, a zero group for ‖w_g‖ ≤ step c.

    Shapes, dtypes, errors as ``group_lasso``, and a ``ValueError`` for a step below 0; derivatives of every order.

    >>> group_lasso_prox(torch.tensor([[3.0, 4.0], [0.0, 0.5]]), 1.0)
    tensor([[2.4000, 3.2000],
            [0.0000, 0.0000]])
    """
    X, step = by_group(working(W), check_group(group)), nonnegative(step, "step")
    r = row_norms(X)
    left = (r - step * _weight(X, sized)).clamp_min(0) / r.masked_fill(r == 0, torch.inf)
    return by_group(X * left.to(X.dtype) + 0.0, group).to(W.dtype)


def _weight(W: Tensor, sized: bool) -> float:
    return math.sqrt(W.shape[-1]) if sized else 1.0


class GroupLasso(ProximalPenalty):
    """The penalty factor × Σ_g c ‖w_g‖₂ on the weights of a layer.

    ``group``: ``"rows"``, all that comes in to an output unit, so that whole units vanish, or ``"columns"``, all that
    one input (of a kernel: one tap of one channel) gives, so that whole inputs do.  ``sized``: c = √(entries of a
    group) in place of 1.  ``factor``: λ.  ``dim``, ``groups``: see ``to_rows``.  ``prox`` is block soft-thresholding,
    exact, with exact zeros.  Dtypes, errors, cost, memory and what happens at a zero group as ``group_lasso``.

    >>> penalty = GroupLasso(0.5, group="columns")
    >>> penalty(torch.tensor([[3.0, 1.0], [4.0, 0.0]])), penalty.prox(torch.tensor([[3.0, 1.0], [4.0, 0.0]]), 2.0)
    (tensor(3.), tensor([[2.4000, 0.0000],
            [3.2000, 0.0000]]))
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "convex": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "is_prox_of_penalty": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "at a zero group, where derivatives of every order count as 0",
        "zero_row": "a zero group adds nothing, its gradient is 0 and it stays zero",
        "zero_matrix": "value and gradient 0",
    }

    def __init__(
        self, factor: float = 1.0, *, group: str = "rows", sized: bool = False, dim: int = 0, groups: int = 1
    ) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        self.group, self.sized = check_group(group), sized
        if group == "columns":
            self.DECLARES = dict(type(self).DECLARES)  # type: ignore[misc]
            del self.DECLARES["rotation_equivariant"]

    def value(self, W: Tensor) -> Tensor:
        return group_lasso(W, self.group, self.sized)

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        return group_lasso_prox(W, step, self.group, self.sized)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, group={self.group!r}, sized={self.sized}"
