"""Mutual coherence regularization in PyTorch: L(W) = ‖W Wᵀ − I‖_∞, W with one row for each output unit.

N. Bansal, X. Chen and Z. Wang, *Can we gain more from orthogonality regularizations in training deep networks?*, 2018,
section 3.3.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.gram import facing, identity_defect
from wnverify.primitives.penalty import RowPenalty
from wnverify.primitives.pytorch import Rows, working


def mutual_coherence(W: Rows, side: str = "rows", *, norm: str = "entry") -> Tensor:
    """max |E_ij| (``norm="entry"``) or max_i Σ_j |E_ij| (``"row_sum"``), E = W Wᵀ − I, shape (*batch).

    ``side="columns"``: E = Wᵀ W − I.  W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are
    computed in float32 and give a float32 value).  Where several entries or rows are exactly the largest they share
    the gradient equally.  Derivatives of every order where it is smooth, and ``torch.func``.  ``ValueError`` for
    another side or norm, ``TypeError`` for integers and complex numbers; a NaN gives NaN.  Cost: one product of n² d,
    another backward; kept are W itself, no copy (a float32 one for the half precisions), and 2 n² numbers (by columns
    2 d²).

    >>> mutual_coherence(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
    tensor(4.)
    """
    _check(norm)
    sizes = identity_defect(facing(working(W), side)).abs()
    return sizes.amax((-2, -1)) if norm == "entry" else sizes.sum(-1).amax(-1)


class MutualCoherence(RowPenalty):
    """The penalty factor × ‖W Wᵀ − I‖_∞ on the output units of a layer.

    ``side``: ``"rows"`` (output units, the papers' columns) or ``"columns"``.  ``norm``: ``"entry"``, the largest
    entry, after the mutual coherence of unit vectors, or ``"row_sum"``, the operator norm.  ``dim``, ``groups``: see
    ``to_rows``.  Dtypes, errors, cost and memory as ``mutual_coherence``.

    >>> MutualCoherence(0.5)(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
    tensor(2.)
    """

    DECLARES: ClassVar[dict[str, Any]] = {"rotation_equivariant": True, "permutation_equivariant_rows": True}
    DOMAIN: ClassVar[dict[str, Any]] = {
        "nonsmooth": "where several entries (row sums) of |W Wᵀ − I| are largest: they share the gradient equally"
    }

    def __init__(
        self, factor: float = 1.0, *, side: str = "rows", norm: str = "entry", dim: int = 0, groups: int = 1
    ) -> None:
        super().__init__(factor, dim=dim, groups=groups)
        facing(torch.empty(1, 1), side)
        _check(norm)
        self.side, self.norm = side, norm
        if side == "columns":
            # A rotation of the rows' space mixes the columns.
            self.DECLARES = {"permutation_equivariant_rows": True}  # type: ignore[misc]

    def value(self, W: Tensor) -> Tensor:
        return mutual_coherence(W, self.side, norm=self.norm)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, side={self.side!r}, norm={self.norm!r}"


def _check(norm: str) -> None:
    if norm not in ("entry", "row_sum"):
        raise ValueError(f"norm must be 'entry' (largest entry) or 'row_sum' (largest row sum); got {norm!r}")
