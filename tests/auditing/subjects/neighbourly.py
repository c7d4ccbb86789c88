"""A subject that needs the file beside it, at import and later."""

from helper_of_subjects import scale
from torch import nn


class Scaled(nn.Module):
    def forward(self, V):
        from late_helper_of_subjects import shift

        return scale(V) + shift()
