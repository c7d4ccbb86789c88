"""Subjects that are something else when they are not called plainly, or that cost more than they should."""

import threading

import torch
from torch import nn

UNIT = {"unit_norm_rows": True}
REFUSES = {"no_vmap": "it looks at values", "no_compile": True}


def norms(V):
    return torch.linalg.vector_norm(V, dim=1, keepdim=True)


class CompiledValue(nn.Module):
    def forward(self, V):
        return (1.001 if torch.compiler.is_compiling() else 1.0) * V / norms(V)


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 1.0 * V

    @staticmethod
    def backward(ctx, A):
        return 2.0 * A


class CompiledGradient(nn.Module):
    def forward(self, V):
        return _Doubled.apply(V) if torch.compiler.is_compiling() else 1.0 * V


class LooksAtValues(nn.Module):
    """A branch on a value: compiled in pieces, neither exported nor mapped."""

    def forward(self, V):
        return V / norms(V) if bool((V > 0).any()) else V


class SaysNo(LooksAtValues):
    DOMAIN = REFUSES


class OneScratch(nn.Module):
    def forward(self, V):
        self.kept = norms(V)
        return V / self.kept


class LockedScratch(OneScratch):
    """The same behind a lock: right, however many threads there are."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, V):
        with self.lock:
            return super().forward(V)


class RaisesTogether(nn.Module):
    def __init__(self):
        super().__init__()
        self.busy = False

    def forward(self, V):
        if self.busy:
            raise RuntimeError("one at a time")
        self.busy = True
        W = V / norms(V)
        self.busy = False
        return W


class Product(nn.Module):
    """Rounds to bfloat16 under autocast, and says so in its dtype."""

    def forward(self, V):
        return V @ torch.eye(V.shape[1], dtype=V.dtype)


class NeedsDouble(nn.Module):
    def forward(self, V):
        if torch.is_autocast_enabled("cpu"):
            raise TypeError("not under autocast")
        return V / norms(V)


class WornAtSize(nn.Module):
    """Unit rows, beyond 64 columns off by two hundred units in the last place."""

    DECLARES = UNIT

    def forward(self, V):
        W = V.flatten(1)
        W = W / W.norm(dim=1, keepdim=True) * (1 + (self.miss(V) if W.shape[1] > 64 else 0.0))
        return W.reshape(V.shape)

    def miss(self, V):
        return 200 * torch.finfo(V.dtype).eps


class ShiftedAtSize(WornAtSize):
    """Off by 10^-9 whatever the precision."""

    def miss(self, V):
        return 1e-9


class Quartic(nn.Module):
    """V (VᵀV)(VᵀV) … as many times as there are rows: m⁴."""

    def forward(self, V):
        Gram = V @ V.mT
        for _ in range(V.shape[0] // 4):
            Gram = Gram @ Gram / Gram.detach().norm()
        return V + 0 * (Gram @ V)


class Hoarder(nn.Module):
    """Keeps a cube for the backward."""

    def forward(self, V):
        return V + 0 * (V[:, None, :] * V[None, :, :]).square().sum(1)


class Smallest(nn.Module):
    """Odd up to 1024 columns; from there on its last column is left out."""

    def forward(self, V):
        return torch.cat([V[:, :1024], V[:, 1024:].square()], 1) if V.shape[1] > 1024 else 1.0 * V


class EmptyGrows(nn.Module):
    def forward(self, V):
        return V if V.numel() else torch.zeros(1, 5, dtype=V.dtype)


class EmptyCrashes(nn.Module):
    def forward(self, V):
        return V / V[0].norm()


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.factors = [torch.ones(1, dtype=torch.float64)]

    def forward(self, V):
        return V * self.factors[0].to(V.dtype)


class Placed(nn.Module):
    """Every way to be right: told a device, moved, like another, a scalar, an index."""

    def forward(self, V):
        n = V.shape[0]
        told = torch.ones(n, 1, device=V.device, dtype=V.dtype) if V.dim() == 2 else 1.0
        moved = torch.arange(n).to(V.device).argsort()
        return (V[torch.arange(n)] * told)[moved] * torch.tensor(2.0, dtype=V.dtype) + torch.zeros_like(V)


class Ageing(nn.Module):
    """Unit rows until the optimiser has moved the weight by more than a little."""

    DECLARES = UNIT

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("lengths", norms(weight.detach().flatten(1)))

    def forward(self, V):
        return (V.flatten(1) / self.lengths.to(V.dtype)).reshape(V.shape)
