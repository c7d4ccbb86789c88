"""Exclusive sparsity in PyTorch: ½ Σ_g ‖w_g‖₁² over the columns or rows of the matrix of output units, with its prox.

Y. Zhou, R. Jin and S. C. H. Hoi, *Exclusive lasso for multi-task feature selection*, 2010; equation 7 of *Deep
structural weight normalization*; the (1,2)-norm of J. Yoon and S. J. Hwang 2017.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from torch import Tensor

from wnverify.primitives.groups import by_group, check_group
from wnverify.primitives.penalty import ProximalPenalty
from wnverify.primitives.pytorch import Rows, working
from wnverify.primitives.scalars import nonnegative
from wnverify.primitives.shrinkage import shrink_rows


def exclusive_sparsity(W: Rows, group: str = "columns") -> Tensor:
    """½ Σ_g ‖w_g‖₁², shape (*batch): float64 for float64 W, else float32.

    W (*batch, n, d), float64, float32, bfloat16 or float16.  Gradient ‖w_g‖₁ sgn(w), and 0 where w = 0 (the
    subgradient of least norm there).  Derivatives of every order, forward and reverse, and ``torch.func``.  A
    non-finite entry gives a non-finite value: nothing is looked at, nothing synchronises.  ``ValueError`` for an
    unknown group, ``TypeError`` for integers and complex numbers.  Cost O(n d); the backward keeps W itself, no copy
    (a float32 one for the half precisions), and one number a group.

    >>> import torch
    >>> exclusive_sparsity(torch.tensor([[1.0, -2.0], [0.0, 1.0]]))
    tensor(5.)
    """
    W = by_group(working(W), check_group(group))
    return W.abs().sum(-1).square().sum(-1) / 2


def exclusive_sparsity_prox(W: Rows, step: float, group: str = "columns") -> Rows:
    """argmin_X ½ ‖X − W‖² + (step/2) Σ_g ‖x_g‖₁²: sgn(w) (|w| − θ)₊ with θ = step ‖x_g‖₁.

    θ = step S_k / (1 + step k) with S_k the sum of the k entries above it, found by Newton steps, without a sort.  X is
    zero only where W is, however large the step.  Shapes and dtypes as ``exclusive_sparsity``; derivatives of every
    order (the second is zero), at a zero group 0.  ``ValueError`` names a non-finite entry (inside ``torch.compile``
    its group becomes NaN).

    >>> import torch
    >>> exclusive_sparsity_prox(torch.tensor([[3.0], [1.5], [0.5]]), 0.5).flatten()
    tensor([1.8750, 0.3750, 0.0000])
    """
    if nonnegative(step, "step") == 0:
        return W.clone()
    slope = min(1 / step, sys.float_info.max)
    return by_group(shrink_rows(by_group(working(W), check_group(group)), radius=0.0, slope=slope), group).to(W.dtype)


class ExclusiveSparsity(ProximalPenalty):
    """The penalty factor × ½ Σ_g ‖w_g‖₁² on the weights of a layer: the weights of a group compete, few survive.

    ``group``: ``"columns"``, the weights that leave one input, for which the output units then compete (the reading
    of "each output neuron to compete for input neurons", and the groups of the program published with CGES), or
    ``"rows"``, the weights that reach one output unit, which then selects few inputs (the reading of "weights from
    the same neuron").  ``factor``: λ.  ``dim``, ``groups``: see ``to_rows``.  ``prox`` is exact; the papers' own,
    which takes the threshold from ‖w_g‖₁, is ``printed_prox`` of the reference.  Dtypes, errors, cost and memory as
    ``exclusive_sparsity`` and ``exclusive_sparsity_prox``.

    >>> import torch
    >>> ExclusiveSparsity(0.5)(torch.tensor([[1.0, -2.0], [0.0, 1.0]]))
    tensor(2.5000)
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "convex": True,
        "permutation_equivariant_rows": True,
        "is_prox_of_penalty": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "at a zero entry of a group that is not zero, where the gradient counts as 0",
        "zero_row": "as any zero entries",
        "zero_matrix": "value and gradient 0",
    }

    def __init__(self, factor: float = 1.0, *, group: str = "columns", dim: int = 0, groups: int = 1) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        self.group = check_group(group)

    def value(self, W: Tensor) -> Tensor:
        return exclusive_sparsity(W, self.group)

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        return exclusive_sparsity_prox(W, step, self.group)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, group={self.group!r}"
