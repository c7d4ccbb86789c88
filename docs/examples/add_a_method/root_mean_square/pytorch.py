"""Rows of root mean square 1 in PyTorch: w_i = √d v_i / ‖v_i‖ for every output unit's row v_i of V."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from torch import Tensor

from wnverify.primitives.layout import RowParametrization, from_rows, to_rows
from wnverify.primitives.pytorch import Rows, normalize, working


def root_mean_square_rows(V: Rows) -> Rows:
    """W with w_i = √d v_i / ‖v_i‖ along the last axis; V and W (*batch, n, d) of any floating dtype.

    Derivatives of every order.  ``ValueError`` names a zero row or a non-finite entry.

    >>> import torch
    >>> root_mean_square_rows(torch.tensor([[3.0, -4.0, 0.0, 0.0]]))
    tensor([[ 1.2000, -1.6000,  0.0000,  0.0000]])
    """
    return (math.sqrt(V.shape[-1]) * normalize(working(V), centred=False)[0]).to(V.dtype)


class RootMeanSquare(RowParametrization):
    """Parametrization W = √d v / ‖v‖ of a layer's weight, for ``torch.nn.utils.parametrize``."""

    DECLARES: ClassVar[dict[str, Any]] = {
        "constant_norm_rows": True,
        "scale_invariant": True,
        "row_scale_invariant": True,
        "odd": True,
        "idempotent": True,
        "rotation_equivariant": True,
        "permutation_equivariant_rows": True,
        "gradient_orthogonal_to_weight": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "zero_row": "a zero row has no direction: ValueError naming the row",
        "zero_matrix": "every row is zero: ValueError naming the first",
    }

    def forward(self, V: Tensor) -> Tensor:
        """W of the shape of V."""
        return from_rows(root_mean_square_rows(to_rows(V, self.dim, self.groups)), V.shape, self.dim, self.groups)

    def right_inverse(self, W: Tensor) -> Tensor:
        """W itself: the map is idempotent."""
        return W
