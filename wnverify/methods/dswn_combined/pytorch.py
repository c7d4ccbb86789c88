"""DSWN with both measurements in PyTorch: columns of φ(V) = Σ^{-1/2} V_C scaled and entries shrunk, in either order.

*Deep structural weight normalization*, conclusion, where the two methods are combined without a formula; the reading
taken stands in ``reference``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from torch import Tensor

from wnverify.methods.dswn_neuron_measurement.pytorch import PERTURBATION, check_scales, column_scales
from wnverify.methods.dswn_sparsity_measurement.pytorch import check_shrinkage, shrink
from wnverify.primitives.layout import RowParametrization
from wnverify.primitives.polar import polar_factors
from wnverify.primitives.pytorch import Rows, working

ORDERS: Final = ("nm-sm", "sm-nm")


def scale_and_sparsify_rows(
    V: Rows,
    *,
    order: str = "nm-sm",
    tau: float = 1.0,
    epsilon: float = PERTURBATION,
    eta: float = 1e-3,
    update: str = "printed",
    group: str = "rows",
) -> Rows:
    """``order="nm-sm"``: W = shrink(φ diag(s)); ``"sm-nm"``: W = shrink(φ) diag(s).

    V and W (*batch, n, d), float64, float32, bfloat16 or float16; φ, s with ``tau`` and ``epsilon`` as
    ``scale_neurons``, the shrinkage with ``eta``, ``update`` and ``group`` as ``sparsify_rows``, with their errors,
    derivatives and cost; ``ValueError`` for another ``order``.  The backward keeps φ, Σ^{1/2} with eigenvectors and
    eigenvalues, column norms and thresholds.

    >>> import torch
    >>> scale_and_sparsify_rows(torch.tensor([[3.0, 1.0]]), epsilon=0.0, eta=0.25)
    tensor([[ 0.7071, -0.7071]])
    """
    check_order(order)
    check_scales(tau, epsilon)
    check_shrinkage(eta, update, group)
    rows = working(V)
    phi, S = polar_factors(rows)
    scales = column_scales(rows, phi, S, tau=tau, epsilon=epsilon)
    place = {"before": scales} if order == "nm-sm" else {"after": scales}
    return shrink(phi, eta=eta, update=update, group=group, **place).to(V.dtype)


def check_order(order: str) -> None:
    """``ValueError`` unless ``order`` is known."""
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {order!r}")


class DswnCombined(RowParametrization):
    """Parametrization of a layer's weight by neuron and sparsity measurement together.

    ``order``, ``tau``, ``epsilon``, ``eta``, ``update``, ``group``, errors, dtypes, cost and memory as
    ``scale_and_sparsify_rows``.  ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for
    transposed convolutions (weight (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1.

    >>> import torch
    >>> DswnCombined(order="sm-nm")(torch.nn.Conv2d(3, 4, 5).weight).shape
    torch.Size([4, 3, 5, 5])
    """

    DECLARES: ClassVar[dict[str, Any]] = {
        "shift_invariant_rows": True,
        "odd": True,
        "permutation_equivariant_rows": True,
        "gradient_zero_mean": True,
    }
    DOMAIN: ClassVar[dict[str, Any]] = {
        "rows_lt_cols": True,
        "full_rank": True,
        "min_cols": 2,
        "constant_row": "a constant row is zero after centring: ValueError naming shape and rank",
        "zero_row": "a zero row costs a rank: ValueError naming shape and rank",
        "zero_matrix": "rank 0: ValueError naming shape and rank",
        "nonsmooth": "where an entry of what is shrunk is 0 or at its group's threshold, or a column of V_C is zero",
    }

    def __init__(
        self,
        order: str = "nm-sm",
        tau: float = 1.0,
        epsilon: float = PERTURBATION,
        eta: float = 1e-3,
        update: str = "printed",
        group: str = "rows",
        dim: int = 0,
        groups: int = 1,
    ) -> None:
        super().__init__(dim, groups)
        check_order(order)
        check_scales(tau, epsilon)
        check_shrinkage(eta, update, group)
        self.options = {
            "order": order,
            "tau": tau,
            "epsilon": epsilon,
            "eta": eta,
            "update": update,
            "group": group,
        }

    def map_rows(self, V: Tensor) -> Tensor:
        """W of the rows V (n, d)."""
        return scale_and_sparsify_rows(V, **self.options)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        return f"{', '.join(f'{name}={value!r}' for name, value in self.options.items())}, {super().extra_repr()}"
