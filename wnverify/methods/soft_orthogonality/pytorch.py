"""Soft orthogonality in PyTorch: L(W) = ‖W Wᵀ − I‖_F², W with one row for each output unit.

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.1; equation 1 of *Norm loss*, there without the square.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.gram import facing, identity_defect, smaller
from wnverify.primitives.penalty import RowPenalty
from wnverify.primitives.pytorch import Rows, working


def soft_orthogonality(W: Rows, side: str = "rows", *, squared: bool = True) -> Tensor:
    """‖W Wᵀ − I‖_F², or ``side="columns"`` ‖Wᵀ W − I‖_F², shape (*batch): float64 for float64 W, else float32.

    W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32).  The sides
    differ by the constant n − d alone, so only the smaller Gram matrix is formed, and the gradient, 4 (W Wᵀ − I) W, is
    the same.  Not ``squared``: the Frobenius norm itself; at W Wᵀ = I, where it has no derivative, the gradient is 0.
    Derivatives of every order, forward and reverse, and ``torch.func``.  ``ValueError`` for another side, ``TypeError``
    for integers and complex numbers; a non-finite entry gives a non-finite value.  Cost: two products of m² max(n, d)
    with the backward, m = min(n, d), in the working precision, under autocast too; kept are W itself, no copy (a
    float32 one for the half precisions), and m² numbers.

    >>> soft_orthogonality(torch.tensor([[2.0, 0.0]])), soft_orthogonality(torch.tensor([[2.0, 0.0]]), "columns")
    (tensor(9.), tensor(10.))
    """
    X, missing = smaller(facing(working(W), side))
    E = identity_defect(X)
    if squared:
        return E.square().sum((-2, -1)) + missing
    # In float64: squares of a float32 that need not be represented themselves.
    if missing:
        return (E.double().square().sum((-2, -1)) + missing).sqrt().to(E.dtype)
    norm: Tensor = torch.linalg.vector_norm(E, dim=(-2, -1), dtype=torch.float64)
    return norm.to(E.dtype)


class SoftOrthogonality(RowPenalty):
    """The penalty factor × ‖W Wᵀ − I‖_F² on the output units of a layer: orthonormal rows.

    ``side``: ``"rows"``, the reading of the papers (their columns are output units), or ``"columns"``, which adds a
    constant.  ``squared``: False for the norm as equation 1 of *Norm loss* prints it.  With more rows than columns no W
    reaches 0.  ``dim``, ``groups``: see ``to_rows``.  Dtypes, errors, cost and memory as ``soft_orthogonality``.

    >>> SoftOrthogonality(0.5)(torch.full((2, 1, 2, 2), 0.5))
    tensor(1.)
    """

    DECLARES: ClassVar[dict[str, Any]] = {"rotation_equivariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, factor: float = 1.0, *, side: str = "rows", squared: bool = True, dim: int = 0, groups: int = 1
    ) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        facing(torch.empty(1, 1), side)
        self.side, self.squared = side, squared
        if not squared:
            self.DOMAIN = {"nonsmooth": "at W Wᵀ = I, the minimum: the gradient counts as 0"}  # type: ignore[misc]

    def value(self, W: Tensor) -> Tensor:
        return soft_orthogonality(W, self.side, squared=self.squared)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, side={self.side!r}, squared={self.squared}"
