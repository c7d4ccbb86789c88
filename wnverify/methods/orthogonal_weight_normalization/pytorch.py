"""Orthogonal weight normalization in PyTorch: W = Σ^{-1/2} V_C, V_C = V − row means, Σ = V_C V_Cᵀ.

L. Huang et al., *Orthogonal weight normalization*, 2018; equation 6 of *Deep structural weight normalization* with
G = I.  Undefined unless V_C (n, d) has rank n, which needs n ≤ d − 1; for more rows its authors orthogonalise groups
of rows, each by itself.  The backward divides by s_i + s_j only (s the singular values of V_C), so repeated ones are
ordinary points; the derivation stands in ``reference``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.polar import polar
from wnverify.primitives.pytorch import Rows, looking, working

_OF_EVERY_GROUP = {
    "unit_norm_rows": True,
    "zero_mean_rows": True,
    "scale_invariant": True,
    "shift_invariant_rows": True,
    "odd": True,
    "idempotent": True,
    "gradient_zero_mean": True,
}
_OF_SINGLE_ROWS = {
    "row_scale_invariant": True,
    "permutation_equivariant_rows": True,
    "gradient_orthogonal_to_weight": True,
    "euclidean_projection": True,
}
_RANK_OF_A_GROUP = "ValueError naming the group, its shape and rank"


def orthogonalize_rows(V: Rows, *, group_rows: int | None = None) -> Rows:
    """W = Σ^{-1/2} V_C: orthonormal rows of zero mean, the nearest such matrix to V.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32 and
    rounded once).  Σ and its eigenvalues are float64 for every dtype; float64 input with κ(V_C) above 4 goes by the
    singular value decomposition, so that errors grow with κ, not with κ².  Derivatives of every order, forward and
    reverse, and ``torch.func``.
    ``group_rows``: None for all rows together; a number for consecutive groups of that many rows (the last may be
    smaller), each orthogonalised by itself, the equal ones in one batch: rows are orthonormal within a group, and
    n ≤ d − 1 is asked of a group only.  ``ValueError`` unless it is a whole number, at least 1.
    Raises ``ValueError`` naming a non-finite entry, or shape and numerical rank of V_C (of a group, with its rows)
    where it is below n (singular values count as zero up to max(n, d) u times the largest, u that of the computation),
    ``TypeError`` for integers and complex numbers; looking synchronises with the device.  Cost: one eigendecomposition
    (n, n), one Gram matrix and four products of n² d, forward and backward together; with groups of m rows m takes the
    place of one n.  The backward keeps W, Σ^{1/2} and its eigenvectors and eigenvalues, no copy of V (for the half
    precisions all in float32).

    >>> import torch
    >>> W = orthogonalize_rows(torch.tensor([[1.0, 2.0, 4.0], [1.0, 0.0, 0.0]]))
    >>> bool(torch.linalg.matrix_norm(W @ W.mT - torch.eye(2)) < 8 * 2.0**-24)
    True
    >>> orthogonalize_rows(torch.eye(4), group_rows=3).shape
    torch.Size([4, 4])
    """
    check_group_rows(group_rows)
    rows = working(V)
    if group_rows is None or rows.shape[-2] <= group_rows:
        return polar(rows).to(V.dtype)
    together = rows.shape[-2] // group_rows * group_rows
    try:
        equal = rows[..., :together, :]
        W = polar(equal.reshape(*equal.shape[:-2], -1, group_rows, equal.shape[-1])).flatten(-3, -2)
        if together < rows.shape[-2]:
            W = torch.cat([W, polar(rows[..., together:, :])], dim=-2)
    except ValueError:
        if looking():
            _refuse(rows, group_rows)
        raise
    return W.to(V.dtype)


def check_group_rows(group_rows: int | None) -> None:
    """``ValueError`` unless ``group_rows`` is None or a whole number, at least 1."""
    whole = isinstance(group_rows, int) and not isinstance(group_rows, bool)
    if group_rows is not None and not (whole and group_rows >= 1):
        raise ValueError(f"group_rows must be None or a whole number of rows, at least 1; got {group_rows!r}")


def _refuse(rows: Tensor, group_rows: int) -> None:
    """The ``ValueError`` of the first entry or group that is at fault, in the numbering of V."""
    rows = rows.detach()
    wrong = (~rows.isfinite()).nonzero()
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"V must be finite; got V{list(place)} = {rows[place].item()}")
    n = rows.shape[-2]
    for start in range(0, n, group_rows):
        try:
            polar(rows[..., start : start + group_rows, :])
        except ValueError as reason:
            raise ValueError(f"rows {start} to {min(start + group_rows, n) - 1}, one group: {reason}") from None


class OrthogonalWeightNormalization(RowParametrization):
    """Parametrization of a layer's weight by orthonormal rows of zero mean, for ``torch.nn.utils.parametrize``.

    ``group_rows``: None, or the number of rows in each of the groups that are orthogonalised by themselves (Huang et
    al. 2018 for layers with more units than inputs); not to be taken for ``groups``, those of a convolution.
    ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight
    (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1 (all rows together are orthonormal).  Errors,
    dtypes, cost and memory as ``orthogonalize_rows``.

    >>> import torch
    >>> OrthogonalWeightNormalization()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    >>> OrthogonalWeightNormalization(group_rows=8)(torch.nn.Conv2d(3, 64, 3).weight).shape
    torch.Size([64, 3, 3, 3])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        **_OF_EVERY_GROUP,
        "orthonormal_rows": True,
        "spectral_norm_le_1": True,
        "permutation_equivariant_rows": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "rows_lt_cols": True,
        "full_rank": True,
        "min_cols": 2,
        "constant_row": "a constant row is zero after centring: ValueError naming shape and rank",
        "zero_row": "a zero row costs a rank: ValueError naming shape and rank",
        "zero_matrix": "rank 0: ValueError naming shape and rank",
    }

    def __init__(self, group_rows: int | None = None, dim: int = 0, groups: int = 1) -> None:
        super().__init__(dim, groups)
        check_group_rows(group_rows)
        self.group_rows = group_rows
        if group_rows is not None:
            self.DECLARES = {**_OF_EVERY_GROUP, **(_OF_SINGLE_ROWS if group_rows == 1 else {})}  # type: ignore[misc]
            self.DOMAIN = {  # type: ignore[misc]
                "full_rank": True,
                "min_cols": group_rows + 1,
                "constant_row": f"a constant row is zero after centring: {_RANK_OF_A_GROUP}",
                "zero_row": f"a zero row costs its group a rank: {_RANK_OF_A_GROUP}",
                "zero_matrix": f"rank 0: {_RANK_OF_A_GROUP}",
            }
        if group_rows == 1:
            self.SET = {"name": "sphere_zero_mean_rows", "radius": 1.0}

    def map_rows(self, V: Tensor) -> Tensor:
        """W of the rows V (n, d)."""
        return orthogonalize_rows(V, group_rows=self.group_rows)

    def extra_repr(self) -> str:
        return f"group_rows={self.group_rows}, {super().extra_repr()}"
