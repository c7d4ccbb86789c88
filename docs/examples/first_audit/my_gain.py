import torch
from torch import nn

DECLARES = {"shift_invariant_rows": True, "row_scale_invariant": True, "zero_mean_rows": True}
DOMAIN = {"min_cols": 2, "constant_row": "NaN in that row", "zero_row": "NaN in that row"}


class CentredNorm(nn.Module):
    """Centred rows of trained length."""

    def __init__(self, rows):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(rows, 1))

    def forward(self, V):
        rows = V.flatten(1)
        centred = rows - rows.mean(dim=1, keepdim=True)
        unit = centred / torch.linalg.vector_norm(centred, dim=1, keepdim=True)
        return (self.gain * unit).reshape(V.shape)


def centred(weight):
    return CentredNorm(len(weight))
