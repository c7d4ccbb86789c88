"""Row normalizations of nGPT and of monotone Lipschitz networks, as their layers register them."""

from __future__ import annotations

from monotonenorm.functional import get_normed_weights
from nGPT_pytorch.nGPT import L2Norm
from torch import Tensor, nn


class NGPT(nn.Module):
    DECLARES = {"unit_norm_rows": True, "row_scale_invariant": True, "gradient_orthogonal_to_weight": True}

    def __init__(self) -> None:
        super().__init__()
        self.inner = L2Norm(dim=-1)

    def forward(self, V: Tensor) -> Tensor:
        return self.inner(V.flatten(1)).reshape(V.shape)


class _Monotone(nn.Module):
    kind = "inf"

    def forward(self, V: Tensor) -> Tensor:
        return get_normed_weights(V.flatten(1), self.kind, False, 1.0, True).reshape(V.shape)


class MonotoneInf(_Monotone):
    """Rows with ``Σ|w| ≤ 1``."""

    DECLARES = {"l1_rows_le": 1.0, "idempotent": True, "odd": True}
    DOMAIN = {"nonsmooth": "where a row lies on the border, or an entry is zero"}


class MonotoneOne(_Monotone):
    """Columns with ``Σ|w| ≤ 1``."""

    kind = "one"
    DECLARES = {"idempotent": True, "odd": True}
    DOMAIN = {"nonsmooth": "where a column lies on the border, or an entry is zero"}


class MonotoneTwoInf(_Monotone):
    """Rows with ``‖w‖ ≤ 1``."""

    kind = "two-inf"
    DECLARES = {"idempotent": True, "odd": True}
    DOMAIN = {"nonsmooth": "where a row lies on the border"}
