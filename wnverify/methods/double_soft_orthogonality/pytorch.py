"""Double soft orthogonality in PyTorch: L(W) = ‖Wᵀ W − I‖_F² + ‖W Wᵀ − I‖_F².

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.2.  Equal to 2 ‖W Wᵀ − I‖_F² + d − n: soft orthogonality with twice the factor and a constant.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from wnverify.primitives.gram import identity_defect, smaller
from wnverify.primitives.penalty import RowPenalty
from wnverify.primitives.pytorch import Rows, working


def double_soft_orthogonality(W: Rows) -> Tensor:
    """‖Wᵀ W − I‖_F² + ‖W Wᵀ − I‖_F², shape (*batch): float64 for float64 W, else float32.

    Computed as 2 ‖Y Yᵀ − I‖_F² + |n − d| with Y the one of W, Wᵀ that has fewer rows; gradient 8 (W Wᵀ − I) W.  W
    (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32).  Derivatives of
    every order, forward and reverse, and ``torch.func``.  ``TypeError`` for integers and complex numbers; a non-finite
    entry gives a non-finite value.  Cost: two products of m² max(n, d) with the backward, m = min(n, d); kept are W
    itself, no copy (a float32 one for the half precisions), and m² numbers.

    >>> import torch
    >>> double_soft_orthogonality(torch.tensor([[2.0, 0.0]]))
    tensor(19.)
    """
    Y, _ = smaller(working(W))
    n, d = W.shape[-2:]
    return 2 * identity_defect(Y).square().sum((-2, -1)) + abs(n - d)


class DoubleSoftOrthogonality(RowPenalty):
    """The penalty factor × (‖Wᵀ W − I‖_F² + ‖W Wᵀ − I‖_F²); its least value is factor × |n − d|.

    Trains exactly as ``SoftOrthogonality`` with twice the factor.  ``dim``, ``groups``: see ``to_rows``.  Dtypes,
    errors, cost and memory as ``double_soft_orthogonality``.

    >>> import torch
    >>> DoubleSoftOrthogonality(0.5)(torch.eye(2, 5))
    tensor(1.5000)
    """

    DECLARES: ClassVar[dict[str, Any]] = {"rotation_equivariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar[dict[str, Any]] = {}

    def value(self, W: Tensor) -> Tensor:
        return double_soft_orthogonality(W)
