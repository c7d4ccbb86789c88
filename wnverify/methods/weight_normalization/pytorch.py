"""Weight normalization in PyTorch: w_i = g_i v_i / ‖v_i‖ for every output unit's row v_i of V.

T. Salimans and D. P. Kingma, *Weight normalization*, 2016, equations 2 and 3.  Undefined at a zero row.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function

from wnverify.primitives import fused
from wnverify.primitives.layout import RowParametrization, from_rows, to_rows
from wnverify.primitives.pytorch import Rows, normalize, scaled_seen, working
from wnverify.primitives.rules import dot

_OF_THE_DIRECTION = {
    "scale_invariant": True,
    "row_scale_invariant": True,
    "odd": True,
    "rotation_equivariant": True,
    "gradient_orthogonal_to_weight": True,
}


def normalize_rows(V: Rows) -> Rows:
    """W with w_i = v_i / ‖v_i‖ along the last axis.

    V and W (*batch, n, d), float64, float32, bfloat16 or float16; norms are summed in float64 (on a CPU, rows
    of up to 2¹³ entries: in the dtype of V), the half precisions are computed in float32 and rounded once.
    Derivatives of every order, forward and reverse, and ``torch.func``.
    Raises ``ValueError`` naming a zero row or a non-finite entry, ``TypeError`` for integers and complex numbers;
    looking costs one device synchronisation.  The backward keeps W and the norms, no copy of V (for the half
    precisions W in float32).

    >>> import torch
    >>> normalize_rows(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return normalize(working(V), centred=False)[0].to(V.dtype)


def _scale_rows(V: Tensor, g: Tensor | None) -> Tensor:
    """g v / ‖v‖; without g, v / ‖v‖."""
    if g is not None and g.dtype == V.dtype and fused.usable(V, g):  # for half precisions V is float32 here
        return _ScaleRows.apply(V, g)  # type: ignore[no-untyped-call,no-any-return]
    U = normalize(V, centred=False)[0]
    return U if g is None else g * U


class _ScaleRows(Function):
    """(V, g) ↦ g v / ‖v‖ where fused kernels may be used: so without rules for forward mode and vmap.

    The backward keeps V, which is the parameter, and not the directions.
    """

    @staticmethod
    def forward(ctx: Any, V: Tensor, g: Tensor) -> Tensor:
        W, r = scaled_seen(V, g)
        ctx.save_for_backward(V, g, r)
        return W

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor) -> Any:
        V, g, r = ctx.saved_tensors
        if fused.last(W_bar, V):
            return fused.scaled_rows_backward(W_bar, V, g, r)
        U, r = normalize(V, centred=False)  # and so the derivative of this is that of a function of V
        inner = dot(W_bar, U)
        return torch.addcmul(W_bar, U, inner, value=-1) * g / r, inner


class WeightNormalization(RowParametrization):
    """Parametrization W = g v / ‖v‖ of a layer's weight, for ``torch.nn.utils.parametrize``.

    ``gain``: learn g, one number a row (then the originals are V, of the weight's shape, and g, shape (n, 1)); without
    it every row has norm 1.  ``dim``: the axis of the output units, 0 for linear and convolutional layers, 1 for
    transposed convolutions (weight (in, out/groups, …)); ``groups``: the layer's, where ``dim`` is 1.
    Errors, dtypes, cost and memory as ``normalize_rows``, but with ``gain`` on a CPU the backward keeps V, which is the
    parameter, and one number a row.  What is declared of V holds at any fixed g.

    >>> from torch import nn
    >>> from torch.nn.utils import parametrize
    >>> layer = parametrize.register_parametrization(nn.Linear(3, 2), "weight", WeightNormalization())
    >>> [tuple(p.shape) for p in layer.parametrizations.weight.parameters()]
    [(2, 3), (2, 1)]
    """

    DECLARES: ClassVar[dict[str, Any]] = _OF_THE_DIRECTION
    DOMAIN: ClassVar[dict[str, Any]] = {
        "zero_row": "a zero row has no direction: ValueError naming the row",
        "zero_matrix": "every row is zero: ValueError naming the first",
    }

    def __init__(self, gain: bool = True, dim: int = 0, groups: int = 1) -> None:
        super().__init__(dim, groups)
        self.gain = gain
        if not gain:
            self.DECLARES = {  # type: ignore[misc]
                **_OF_THE_DIRECTION,
                "unit_norm_rows": True,
                "idempotent": True,
                "permutation_equivariant_rows": True,
                "euclidean_projection": True,
            }
            self.SET = {"name": "sphere_rows", "radius": 1.0}

    def forward(self, V: Tensor, g: Tensor | None = None) -> Tensor:
        """W of the shape of V; g (n, 1) exactly where ``gain`` is set."""
        if (g is not None) != self.gain:
            raise ValueError(f"g must be given exactly where gain is set; got gain={self.gain} and g={g}")
        rows = to_rows(V, self.dim, self.groups)
        if g is not None:
            if g.shape != (len(rows), 1):
                raise ValueError(f"g must have shape {(len(rows), 1)}, one number a row; got {tuple(g.shape)}")
            if g.dtype != V.dtype:
                raise TypeError(f"g must have the dtype {V.dtype} of V; got {g.dtype}")
        W = _scale_rows(working(rows), g)
        return from_rows(W.to(V.dtype), V.shape, self.dim, self.groups)

    def right_inverse(self, W: Tensor) -> Tensor | tuple[Tensor, Tensor]:  # type: ignore[override]
        """(W, its row norms) with ``gain``, so that ``forward`` gives W back; W itself without."""
        if not self.gain:
            return W
        return W, normalize(working(to_rows(W, self.dim, self.groups)), centred=False)[1].to(W.dtype)

    def extra_repr(self) -> str:
        return f"gain={self.gain}, {super().extra_repr()}"
