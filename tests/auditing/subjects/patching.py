"""A right subject that leaves torch altered where gradients are taken, and a right one that would notice."""

import torch
from torch import nn


class Patches(nn.Module):
    def forward(self, V):
        W = V / torch.linalg.vector_norm(V.flatten(1), dim=1).reshape(-1, *[1] * (V.dim() - 1))
        if V.requires_grad:
            nn.functional.normalize = _wrong
        return W


class Normalizes(nn.Module):
    def forward(self, V):
        return nn.functional.normalize(V.flatten(1), dim=1, eps=0.0).reshape(V.shape)


def _wrong(V, **rest):
    return 2.0 * V
