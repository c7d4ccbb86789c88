"""L1 penalty in PyTorch: λ Σ_ij |w_ij|, with soft-thresholding as its proximal operator.

Compared with in M. Wen, Y. Xu, Y. Zheng, Z. Yang and X. Wang, *Sparse deep neural networks using L1,∞-weight
normalization*, section 5.5.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softshrink

from wnverify.primitives.penalty import ProximalPenalty
from wnverify.primitives.pytorch import Rows, working


def l1(W: Rows) -> Tensor:
    """Σ_ij |w_ij|, shape (*batch): float64 for float64 W, else float32.

    W (*batch, n, d), float64, float32, bfloat16 or float16.  Gradient sgn(w), and 0 where w = 0 (the subgradient of
    least norm there), with all its derivatives.  Derivatives of every order, forward and reverse, and ``torch.func``.
    A non-finite entry gives a non-finite value: nothing is looked at, nothing synchronises.  ``TypeError`` for integers
    and complex numbers.  Cost O(n d); the backward keeps W itself, no copy (a float32 one for the half precisions).

    >>> l1(torch.tensor([[1.0, -2.0], [0.0, 0.5]]))
    tensor(3.5000)
    """
    return working(W).abs().sum((-2, -1))


class L1Penalty(ProximalPenalty):
    """The penalty factor × Σ_ij |w_ij| on the weights of a layer.

    ``factor``: λ.  ``dim``, ``groups``: see ``to_rows``; they change nothing.  ``prox`` is soft-thresholding, sgn(w)
    (|w| − step × factor)₊, exact, with exact zeros; it is the identity for step 0.  Dtypes, cost, memory and what
    happens at a zero or a non-finite entry as ``l1``; the value is of the dtype of W.

    >>> penalty = L1Penalty(0.5)
    >>> penalty(torch.tensor([[1.0, -2.0]])), penalty.prox(torch.tensor([[1.0, -2.0]]), 3.0)
    (tensor(1.5000), tensor([[ 0.0000, -0.5000]]))
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "convex": True,
        "permutation_equivariant_rows": True,
        "is_prox_of_penalty": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "at a zero entry, where the gradient counts as 0",
        "zero_row": "value and gradient 0",
        "zero_matrix": "value and gradient 0",
    }

    def value(self, W: Tensor) -> Tensor:
        return l1(W)

    def proximal_point(self, W: Tensor, step: float) -> Tensor:
        X = working(W)
        return softshrink(X, min(step, torch.finfo(X.dtype).max)).to(W.dtype)
