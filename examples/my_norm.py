"""Two parametrizations to try the audit on: a right one, and one with a term missing in its backward.

wnverify audit examples/my_norm.py:Centred
wnverify audit examples/my_norm.py:CentredForgetful
"""

import torch
from torch import Tensor, nn


class Centred(nn.Module):
    """Centred rows of unit norm, differentiated by autograd."""

    DECLARES = {"unit_norm_rows": True, "zero_mean_rows": True, "gradient_zero_mean": True}
    DOMAIN = {"min_cols": 2, "zero_row": "NaN in that row", "constant_row": "NaN in that row"}

    def forward(self, V: Tensor) -> Tensor:
        rows = V.flatten(1)
        centred = rows - rows.mean(1, keepdim=True)
        return (centred / torch.linalg.vector_norm(centred, dim=1, keepdim=True)).reshape(V.shape)


class _Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows):
        centred = rows - rows.mean(1, keepdim=True)
        norm = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
        ctx.save_for_backward(centred / norm, norm)
        return centred / norm

    @staticmethod
    def backward(ctx, A):
        W, norm = ctx.saved_tensors
        return (A - (A * W).sum(1, keepdim=True) * W) / norm  # the mean of A is not taken off


class CentredForgetful(nn.Module):
    """The same map with a backward written by hand that forgets the mean."""

    DECLARES = Centred.DECLARES
    DOMAIN = Centred.DOMAIN

    def forward(self, V: Tensor) -> Tensor:
        return _Forgetful.apply(V.flatten(1)).reshape(V.shape)
