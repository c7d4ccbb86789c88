"""Subjects with one peculiarity each, for one check each."""

import math

import torch
from torch import nn

UNIT = {"unit_norm_rows": True}


def norms(V):
    return torch.linalg.vector_norm(V.flatten(1), dim=1).reshape(-1, *[1] * (V.dim() - 1))


class Exact(nn.Module):
    """Unit rows, safe at zero, tiny and huge rows."""

    DECLARES = UNIT

    def forward(self, V):
        largest = V.detach().flatten(1).abs().amax(1).reshape(-1, *[1] * (V.dim() - 1))
        X = V / torch.where(largest > 0, largest, torch.ones_like(largest))
        size = norms(X)
        return torch.where(largest > 0, X / torch.where(size > 0, size, torch.ones_like(size)), 0 * V)


class RoughInFloat32(nn.Module):
    """Right in float64; in float32 the last row is off by a thousandth."""

    DECLARES = UNIT

    def forward(self, V):
        W = V / norms(V)
        if V.dtype == torch.float64:
            return W
        off = torch.ones(V.shape[0], dtype=V.dtype)
        off[-1] = 1.001
        return W * off.reshape(-1, *[1] * (V.dim() - 1))


class RefusesFloat32(nn.Module):
    DECLARES = UNIT

    def forward(self, V):
        if V.dtype != torch.float64:
            raise TypeError("float64 only, please")
        return V / norms(V)


class _LastRowTwice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        ctx.save_for_backward(V)
        return 1.0 * V

    @staticmethod
    def backward(ctx, A):
        (V,) = ctx.saved_tensors
        factor = torch.ones_like(A)
        factor[-1] += 1e-3 if V.dtype == torch.float64 else 0.0
        return factor * A


class LastRowOff(nn.Module):
    """The gradient of the last row, of the smallest scale by far, is a thousandth too large."""

    def forward(self, V):
        return _LastRowTwice.apply(V)


class _LastRowOfFloat32(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        ctx.narrow = V.dtype == torch.float32
        return 1.0 * V

    @staticmethod
    def backward(ctx, A):
        factor = torch.ones_like(A)
        factor[-1] += 1e-3 if ctx.narrow else 0.0
        return factor * A


class LastRowOffInFloat32(nn.Module):
    def forward(self, V):
        return _LastRowOfFloat32.apply(V)


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 1.0 * V

    @staticmethod
    def backward(ctx, A):
        raise RuntimeError("no backward today")


class RaisesBackward(nn.Module):
    def forward(self, V):
        return _Once.apply(V)


class LogarithmOfEntries(nn.Module):
    """NaN wherever an entry is negative."""

    def forward(self, V):
        return V.log()


class Detached(nn.Module):
    def forward(self, V):
        return V.detach() / norms(V.detach())


class _NaN(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 1.0 * V

    @staticmethod
    def backward(ctx, A):
        return A * math.nan


class NaNBackward(nn.Module):
    def forward(self, V):
        return _NaN.apply(V)


class WrongGain(nn.Module):
    """The gain's gradient is never right: it is detached in half of the product."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, V):
        return self.gain * self.gain.detach() * V / norms(V)


class UnusedGain(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, V):
        return V / norms(V)


class Steps(nn.Module):
    """Jumps: no difference quotient anywhere near."""

    def forward(self, V):
        return V + torch.sign(V.sin() - V.sin().detach() + 0.0 * V) + torch.floor(V * 1e12) * 1e-3


class Jumps(nn.Module):
    """Discontinuous on the line through every weight of row sum zero and nowhere else."""

    def forward(self, V):
        return V * (1.0 + (V.flatten(1).sum(1) > 0).to(V.dtype).reshape(-1, *[1] * (V.dim() - 1)))


class RefusesKernels(nn.Module):
    def forward(self, V):
        if V.dim() != 2:
            raise ValueError("matrices only")
        return V / norms(V)


class RefusesHalf(nn.Module):
    def forward(self, V):
        if V.dtype in (torch.bfloat16, torch.float16):
            raise TypeError("no half precision")
        return V / norms(V)


class RandomInEval(nn.Module):
    def forward(self, V):
        return V if self.training else V + 1e-6 * torch.randn_like(V)


class InfinityHidden(nn.Module):
    """An infinity spoils the next row too; a NaN stays where it is."""

    def forward(self, V):
        X = V.flatten(1)
        W = X / torch.linalg.vector_norm(X, dim=1, keepdim=True)
        spoiled = torch.isinf(X).any(1).roll(1, 0)
        return torch.where(spoiled[:, None], math.nan * W, W).reshape(V.shape)


class RefusesZero(nn.Module):
    def forward(self, V):
        if bool((norms(V) == 0).any()):
            raise ValueError("row norm must be positive; got 0")
        return V / norms(V)


class CrashesAtZero(nn.Module):
    def forward(self, V):
        if bool((norms(V) == 0).any()):
            raise IndexError("index 7 is out of bounds")
        return V / norms(V)


class ExplodesAtZero(nn.Module):
    """Finite everywhere; near zero the gradient is 1e12 times the cotangent."""

    def forward(self, V):
        return V / norms(V).clamp_min(1e-12)


class OverflowsInFloat32(Exact):
    def forward(self, V):
        return super().forward(V) if V.dtype == torch.float64 else V / norms(V)


class StaircaseAtOneRow(nn.Module):
    """Row 0 goes through float32 on its way."""

    def forward(self, V):
        W = V / norms(V)
        return torch.cat([W[:1].float().to(V.dtype), W[1:]])


class HalfIsRough(nn.Module):
    """bfloat16 is summed entry by entry in its own type; every other type is sound."""

    def forward(self, V):
        if V.dtype != torch.bfloat16:
            return V / norms(V)
        total = torch.zeros_like(V[:, 0])
        for column in V.flatten(1).unbind(1):
            total = total + column * column
        return V / total.sqrt().reshape(norms(V).shape)


class NearlyUnit(nn.Module):
    """Rows of one norm, a thousandth above 1."""

    def forward(self, V):
        return 1.001 * V / norms(V)


class SquareOnly(nn.Module):
    """Odd for square weights alone."""

    def forward(self, V):
        return V if V.shape[0] == V.flatten(1).shape[1] else V + 0.1 * V * V


class _Overwriting(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        return 3.0 * V

    @staticmethod
    def backward(ctx, A):
        return 1.5 * A.contiguous().mul_(2.0)


class OverwritesItsCotangent(nn.Module):
    """The gradient is right; the cotangent that the caller holds is doubled."""

    def forward(self, V):
        return _Overwriting.apply(V)


class RefusesLarge(Exact):
    """Raised from a size on, by another error than those of a clear refusal."""

    def forward(self, V):
        if float(V.abs().max()) > 1e3:
            raise RuntimeError("no entry above a thousand")
        return super().forward(V)


class BackwardRefusesLarge(nn.Module):
    """The same in the backward, which autograd calls and not the audit."""

    def forward(self, V):
        return _Refusing.apply(V)


class _Refusing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, V):
        ctx.save_for_backward(V)
        return V.clone()

    @staticmethod
    def backward(ctx, G):
        if float(ctx.saved_tensors[0].abs().max()) > 1e3:
            raise ArithmeticError("no entry above a thousand")
        return G
