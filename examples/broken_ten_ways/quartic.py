"""Centred rows divided by their quartic mean, with a backward written by hand.

For a row v of length d: c = v − mean(v), r = (mean of c⁴)^(1/4), w = ρ c / r.  Every row of W then has mean 0 and
quartic mean ρ, whatever the scale and the shift of v.  For a cotangent a of c / r, with u = c / r:

    ∂L/∂c = (a − mean(a u) u³) / r,        ∂L/∂v = ∂L/∂c − mean(∂L/∂c).
"""

import torch
from torch import Tensor, nn


def _parts(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The centred rows and their quartic means; the largest entry is taken out first, so that no power overflows."""
    centred = rows - rows.mean(1, keepdim=True)
    largest = centred.detach().abs().amax(1, keepdim=True)
    length = largest * (centred / largest).pow(4).mean(1, keepdim=True).pow(0.25)
    return centred, length


class _Normalize(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(rows):
        centred, length = _parts(rows)
        return centred / length

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, A):
        (rows,) = ctx.saved_tensors
        centred, length = _parts(rows)
        U = centred / length
        G = (A - (A * U).mean(1, keepdim=True) * U**3) / length
        return G - G.mean(1, keepdim=True)


class CentredQuartic(nn.Module):
    """W of mean 0 and quartic mean ``radius`` in every row (further axes of a kernel flattened)."""

    DECLARES = {
        "zero_mean_rows": True,
        "shift_invariant_rows": True,
        "row_scale_invariant": True,
        "gradient_zero_mean": True,
        "gradient_orthogonal_to_weight": True,
        "odd": True,
    }
    DOMAIN = {"min_cols": 2, "zero_row": "NaN in that row", "constant_row": "NaN in that row"}

    def __init__(self, radius: float = 2.0):
        super().__init__()
        self.radius = radius

    def forward(self, V: Tensor) -> Tensor:
        rows = V.flatten(1)
        wide = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
        W = self.radius * _Normalize.apply(wide)
        return W.to(V.dtype).reshape(V.shape)

    def right_inverse(self, W: Tensor) -> Tensor:
        return W
