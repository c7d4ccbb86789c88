"""Rows by kernels of PyTorch that read them once, and their Gram matrix by halves, on a CPU where nothing follows them.

These kernels know no function transform, no sharding and no derivative of higher order, hence ``usable``.  They sum in
the dtype of V, hence not long rows.  What a row gives depends on that row alone, to the last bit: rows of extreme
scale or with a mean far above their spread go another way without taking the others with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from wnverify.primitives.rules import ldexp, looking, power_scaled

LONGEST: Final = 2**13
"""Entries of a row: up to here a sum in lanes costs the norm a few u."""
REACH: Final = 2.0**40
"""Norms between its inverse and it are far from where a square, or a third power, loses a bit."""
SPREAD: Final = 4.0
"""A row's deviation is at least so many times its mean: what rounding the mean costs is then below u of the entries."""
SEEN_ABOVE: Final = 2.0**-10
"""The least σ² / eps at which σ² is known from σ² + eps."""
PANEL: Final = 2048
"""Columns of V in float64 at a time: some MiB, which stay in a cache."""
BLOCK: Final = 64
"""Rows of a Gram matrix at a time; up to as many there is nothing to be halved."""


def alone(*tensors: Tensor) -> bool:
    """Whether these are plain tensors on a CPU, and no compiler, transform or forward mode is at work.

    Nor a dispatch mode: what counts operations, or rounds after each of them, is to see those of the formula.
    """
    return (
        looking()
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and forward_ad._current_level < 0
        and all(type(each) in (Tensor, torch.nn.Parameter) and each.device.type == "cpu" for each in tensors)
    )


def usable(*tensors: Tensor) -> bool:
    """Whether the kernels may be used with these: ``alone``, in float32, and there are rows, short ones.

    In float64 their sums, and for a single column their quotient, would lose what the plain operations keep.
    """
    V = tensors[0]
    return alone(*tensors) and V.dtype == torch.float32 and 1 < V.shape[-1] <= LONGEST and V.numel() > 0


def last(*tensors: Tensor) -> bool:
    """Whether this is a backward with nothing but these, which nobody will differentiate."""
    return not torch.is_grad_enabled() and alone(*tensors)


def scaled_rows(V: Tensor, g: Tensor) -> tuple[Tensor, Tensor] | None:
    """(W, r) with w_i = g_i v_i / r_i, r_i = ‖v_i‖, for V (*batch, n, d) and g, r (*batch, n, 1).

    None where a norm is of extreme scale: then V is to be scaled by powers of two, which changes no bit of the others.
    """
    W, r = torch._weight_norm_interface(V.reshape(-1, V.shape[-1]).contiguous(), g.reshape(-1, 1), 0)
    return (W.view(V.shape), r.view(g.shape)) if _ordinary(r) else None


def scaled_rows_backward(A: Tensor, V: Tensor, g: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients to V and g of w_i = g_i v_i / r_i, for matrices; r the norms of V."""
    backward = torch.ops.aten._weight_norm_interface_backward
    if _ordinary(r):
        G, g_bar = backward(A.contiguous(), V.contiguous(), g, r, 0)
        return G, g_bar
    scaled, exponent = power_scaled(V.contiguous(), (-1,))
    _, norm = torch._weight_norm_interface(scaled, g, 0)
    G, g_bar = backward(A.contiguous(), scaled, g, norm, 0)
    return ldexp(G, -exponent), g_bar


def standardized_rows(
    V: Tensor, m: int, eps: float, otherwise: Callable[[], tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """(W, s) with w_i = x_i / s_i, x = v − mean(v), s = (‖x‖² / m + eps)^{1/2}, s (*batch, n, 1).

    ``otherwise`` gives both for all rows; where there are rows that would lose bits here it is asked, and they are its.
    """
    d = V.shape[-1]
    inner = eps * m / d  # s² = (d / m) (variance + inner)
    weight = None if m == d else V.new_full((d,), math.sqrt(m / d))
    W, mean, inverse = torch.native_layer_norm(V, (d,), weight, None, inner)
    root = inverse.double().reciprocal_()
    variance = root.square().sub_(inner)
    reach = REACH**2
    good = (variance > max(1 / reach, SEEN_ABOVE * inner)) & (variance < reach)
    good &= mean.double().mul_(SPREAD).square_() <= variance
    s = root.mul_(math.sqrt(d / m)).to(V.dtype)
    if bool(good.all()):
        return W, s
    right, divisor = otherwise()
    return torch.where(good, W, right), torch.where(good, s, divisor)


def tangential(A: Tensor, W: Tensor, s: Tensor) -> Tensor:
    """(A − W ⟨A, W⟩) / s row by row, for W (*batch, n, d) with rows of norm 1."""

    def over(s: Tensor) -> Tensor:
        inverse = s.reshape(-1, 1).reciprocal()
        rows = (each.reshape(-1, W.shape[-1]).contiguous() for each in (A, W))
        G: Tensor = torch.ops.aten._weight_norm_interface_backward(*rows, inverse, torch.ones_like(inverse), 0)[0]
        return G.view(W.shape)

    return _over_scaled(over, s)


def centred_tangential(A: Tensor, W: Tensor, s: Tensor, m: int) -> Tensor:
    """(A − mean(A) − W ⟨A, W⟩ / m) / s row by row, for W (*batch, n, d) with rows of mean 0.

    That is the backward of batch normalization with rows for channels, W for its input and (d / m)^{1/2} for its
    inverse deviation.  The mean of the result vanishes to rounding of the result.
    """
    d = W.shape[-1]

    def over(s: Tensor) -> Tensor:
        inverse = s.flatten().mul(math.sqrt(d / m)).reciprocal_()
        rows = (each.reshape(1, -1, d).contiguous() for each in (A, W))
        G: Tensor = torch.ops.aten.native_batch_norm_backward(
            *rows, inverse, None, None, torch.zeros_like(inverse), torch.full_like(inverse, math.sqrt(d / m)),
            True, 0.0, [True, False, False],
        )[0]  # fmt: skip
        return G.sub_(G.mean(-1, keepdim=True)).view(W.shape)

    return _over_scaled(over, s)


def _over_scaled(over: Callable[[Tensor], Tensor], s: Tensor) -> Tensor:
    """``over(s)``, proportional to 1 / s; by the mantissas of s where 1 / s would over- or underflow."""
    if _ordinary(s):
        return over(s)
    mantissa, exponent = power_scaled(s, (-1,))
    return ldexp(over(mantissa), -exponent)


def _ordinary(norm: Tensor) -> bool:
    low, high = norm.aminmax()
    return bool(1 / REACH < float(low) <= float(high) < REACH)


def gram_of_rows(V: Tensor, *, centred: bool) -> Tensor:
    """V_C V_Cᵀ in float64 for V (*batch, n, d) in float32; above the diagonal it may be 0.

    That is half the work, and V_C in float64 is never there as a whole.  One centring is enough in float64: the mean
    of a float32 row is off by less than 2⁻²⁴ of its spread, and that of a constant row is exact.  Of a stack every
    matrix is taken by itself: for many at once BLAS adds in another order, and one alone would not give the same bits.
    """
    n, d = V.shape[-2:]
    Sigma = V.new_empty(*V.shape[:-1], n, dtype=torch.float64)
    for rows, gram in zip(V.reshape(-1, n, d), Sigma.view(-1, n, n), strict=True):
        gram.copy_(_gram_of_one(rows, centred))
    return Sigma


def _gram_of_one(V: Tensor, centred: bool) -> Tensor:
    n, d = V.shape
    mean = V.mean(-1, keepdim=True, dtype=torch.float64) if centred else None
    Sigma = V.new_zeros(n, n, dtype=torch.float64)
    for column in range(0, d, PANEL):
        X = V[:, column : column + PANEL].double()
        if mean is not None:
            X.sub_(mean)
        for row in range(0, n, BLOCK):
            past = min(row + BLOCK, n)
            Sigma[row:past, :past].addmm_(X[row:past], X[:past].mT)
    return Sigma
