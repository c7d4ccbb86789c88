"""Rows by kernels of PyTorch that read them once, and their Gram matrix by halves, on a CPU where nothing follows them.

These kernels know no function transform, no sharding and no derivative of higher order, hence ``usable``.  They sum in
the dtype of V, so that long rows are left to others, and rows of extreme scale or with a mean far above their spread
as well: what is returned is then None.  Which rows those are is found out from one number or two a row.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from wnverify.primitives.rules import looking

LONGEST: Final = 2**13
"""Entries of a row: up to here a sum in lanes costs the norm a few u."""
SPREAD: Final = 4.0
"""A row's deviation is at least so many times its mean: what rounding the mean costs is then below u of the entries."""
PANEL: Final = 2048
"""Columns of V in float64 at a time: some MiB, which stay in a cache."""
BLOCK: Final = 64
"""Rows of a Gram matrix at a time."""
SEEN_ABOVE: Final = 2.0**-10
"""The least σ² / eps at which σ² is known from σ² + eps."""


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
    """Whether the kernels may be used with these: ``alone``, and rows are short."""
    return tensors[0].shape[-1] <= LONGEST and alone(*tensors)


def last(*tensors: Tensor) -> bool:
    """Whether this is a backward with nothing but these, which nobody will differentiate."""
    return not torch.is_grad_enabled() and alone(*tensors)


def scaled_rows(V: Tensor, g: Tensor) -> tuple[Tensor, Tensor] | None:
    """(W, r) with w_i = g_i v_i / r_i, r_i = ‖v_i‖, for V (*batch, n, d) and g, r (*batch, n, 1)."""
    rows = V.reshape(-1, V.shape[-1])
    W, r = torch._weight_norm_interface(rows.contiguous(), g.reshape(-1, 1), 0)
    low, high = r.aminmax()
    if not 1 / _reach(V) < float(low) <= float(high) < _reach(V):
        return None
    return W.view(V.shape), r.view(g.shape)


def standardized_rows(V: Tensor, m: int, eps: float) -> tuple[Tensor, Tensor] | None:
    """(W, s) with w_i = x_i / s_i, x = v − mean(v), s = (‖x‖² / m + eps)^{1/2}, s (*batch, n, 1)."""
    d = V.shape[-1]
    inner = eps * m / d  # s² = (d / m) (variance + inner)
    weight = None if m == d else V.new_full((d,), math.sqrt(m / d))
    W, mean, inverse = torch.native_layer_norm(V, (d,), weight, None, inner)
    root = inverse.double().reciprocal_()
    variance = root.square().sub_(inner)
    low, high = variance.aminmax()
    reach = _reach(V) ** 2
    if not max(1 / reach, SEEN_ABOVE * inner) < float(low) <= float(high) < reach:
        return None
    if bool((mean.double().mul_(SPREAD).square_() > variance).any()):
        return None
    return W, root.mul_(math.sqrt(d / m)).to(V.dtype)


def tangential(A: Tensor, W: Tensor, s: Tensor) -> Tensor:
    """(A − W ⟨A, W⟩) / s row by row, for W (*batch, n, d) with rows of norm 1."""
    d = W.shape[-1]
    inverse = s.reshape(-1, 1).reciprocal()
    G, _ = torch.ops.aten._weight_norm_interface_backward(
        A.reshape(-1, d).contiguous(), W.view(-1, d), inverse, torch.ones_like(inverse), 0
    )
    return G.view(W.shape)  # type: ignore[no-any-return]


def centred_tangential(A: Tensor, W: Tensor, s: Tensor, m: int) -> Tensor:
    """(A − mean(A) − W ⟨A, W⟩ / m) / s row by row, for W (*batch, n, d) with rows of mean 0.

    That is the backward of batch normalization with rows for channels, W for its input and (d / m)^{1/2} for its
    inverse deviation.  The mean of the result vanishes to rounding of the result.
    """
    d = W.shape[-1]
    inverse = s.flatten().mul(math.sqrt(d / m)).reciprocal_()
    deviation = torch.full_like(inverse, math.sqrt(d / m))
    G: Tensor = torch.ops.aten.native_batch_norm_backward(
        A.reshape(1, -1, d).contiguous(), W.view(1, -1, d), inverse, None, None,
        torch.zeros_like(inverse), deviation, True, 0.0, [True, False, False],
    )[0]  # fmt: skip
    return G.sub_(G.mean(-1, keepdim=True)).view(W.shape)


def _reach(V: Tensor) -> float:
    """Norms between its inverse and it are far from where a square, or a third power, loses a bit."""
    return 2.0 ** (40 if V.dtype == torch.float32 else 300)


def gram_of_rows(V: Tensor, *, centred: bool) -> Tensor:
    """V_C V_Cᵀ in float64 for V (n, d) in float32; above the diagonal it may be 0.

    That is half the work, and V_C in float64 is never there as a whole.  One centring is enough in float64: the mean
    of a float32 row is off by less than 2⁻²⁴ of its spread, and that of a constant row is exact.
    """
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
