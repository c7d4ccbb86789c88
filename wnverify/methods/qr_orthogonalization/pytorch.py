"""Orthonormal rows by QR decomposition in PyTorch: Vᵀ = Q R with diag(R) > 0, W = Qᵀ.

*Deep structural weight normalization* compares with "QR": a fully connected layer kept orthogonal by a QR decomposition
(Harandi and Fernando 2016).  Read here as the parametrization V ↦ W; the sign fix makes the decomposition unique, and W
is what Gram-Schmidt makes of the rows, in order.  Undefined unless V (n, d) has rank n, so for n > d everywhere.  The
backward solves with the triangular factor only; the derivation stands in ``reference``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.pytorch import Rows
from wnverify.primitives.rules import working
from wnverify.primitives.triangular import triangular


def orthonormalize_rows_in_order(V: Rows) -> Rows:
    """W with orthonormal rows, w_i in the span of v_1 … v_i and ⟨w_i, v_i⟩ > 0.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16 (the half precisions are computed in float32, where
    the decomposition exists, and rounded once).  Derivatives of every order, forward and reverse, and ``torch.func``.
    Raises ``ValueError`` naming a non-finite entry, or shape, rank and the row nearer than max(n, d) u ‖v_i‖ to the
    span of those before it (u that of the computation), ``TypeError`` for integers and complex numbers; looking costs
    one device synchronisation.  Cost: one Householder QR decomposition, 4 n² d, forward; two products and one
    triangular solve of n² d backward.  The backward keeps W and L = Rᵀ, no copy of V (for the half precisions in
    float32).

    >>> import torch
    >>> orthonormalize_rows_in_order(torch.tensor([[3.0, 0.0], [5.0, 2.0]])) + 0.0
    tensor([[1., 0.],
            [0., 1.]])
    """
    return triangular(working(V))[0].to(V.dtype)


class QrOrthogonalization(RowParametrization):
    """Parametrization of a layer's weight by orthonormal rows, for ``torch.nn.utils.parametrize``.

    W = Qᵀ of Vᵀ = Q R, diag(R) > 0.  ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1
    for transposed convolutions (weight (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1 (all rows
    together are orthonormal).  Errors, dtypes, cost and memory as ``orthonormalize_rows_in_order``.

    >>> import torch
    >>> QrOrthogonalization()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "orthonormal_rows": True,
        "scaled_orthonormal_rows": 1.0,
        "unit_norm_rows": True,
        "constant_norm_rows": 1.0,
        "spectral_norm_le_1": True,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "gradient_orthogonal_to_weight": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "rows_le_cols": True,
        "full_rank": True,
        "zero_row": "a zero row costs a rank: ValueError naming shape, rank and row",
        "zero_matrix": "rank 0: ValueError naming shape, rank and row",
    }

    map_rows = staticmethod(orthonormalize_rows_in_order)
