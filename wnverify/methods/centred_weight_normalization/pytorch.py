"""Centred weight normalization in PyTorch: v̂_i = v_i − mean(v_i), w_i = v̂_i / ‖v̂_i‖ for every output unit's row.

L. Huang, X. Liu, Y. Liu, B. Lang and D. Tao, *Centered weight normalization*, 2017; gradient: equation 3 of the
supplement.  Undefined at a constant row, so for d = 1 everywhere.
"""

from __future__ import annotations

from typing import Any, ClassVar

from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.pytorch import Rows, normalize, working


def centre_and_normalize_rows(V: Rows) -> Rows:
    """W with w_i = v̂_i / ‖v̂_i‖, v̂_i = v_i − mean(v_i), along the last axis.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16; norms are summed in float64 (on a CPU, rows
    of up to 2¹³ entries: in the dtype of V), the half precisions are computed in float32 and rounded once.  Rows with a
    mean above a quarter of their deviation are centred twice, so that one far above it does no harm.
    Derivatives of every order, forward and reverse, and ``torch.func``.
    Raises ``ValueError`` naming a constant row or a non-finite entry, ``TypeError`` for integers and complex numbers;
    looking costs one device synchronisation.  The backward keeps W and the norms, no copy of V (for the half
    precisions W in float32).

    >>> import torch
    >>> centre_and_normalize_rows(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[-0.7071,  0.0000,  0.7071]])
    """
    return normalize(working(V), centred=True)[0].to(V.dtype)


class CentredWeightNormalization(RowParametrization):
    """Parametrization of a layer's weight by rows of zero mean and unit norm, for ``torch.nn.utils.parametrize``.

    ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for transposed convolutions (weight
    (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1.  Errors, dtypes, cost and memory as
    ``centre_and_normalize_rows``.

    >>> import torch
    >>> CentredWeightNormalization()(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "unit_norm_rows": True,
        "zero_mean_rows": True,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "shift_invariant_rows": True,
        "odd": True,
        "idempotent": True,
        "permutation_equivariant_rows": True,
        "gradient_orthogonal_to_weight": True,
        "gradient_zero_mean": True,
        "euclidean_projection": True,
    }
    SET: ClassVar[dict[str, Any]] = {"name": "sphere_zero_mean_rows", "radius": 1.0}
    DOMAIN: ClassVar[dict[str, Any]] = {
        "min_cols": 2,
        "constant_row": "a constant row is zero after centring: ValueError naming the row",
        "zero_row": "a zero row is constant: ValueError naming the row",
        "zero_matrix": "every row is constant: ValueError naming the first",
    }

    map_rows = staticmethod(centre_and_normalize_rows)
