"""Centring and normalizing of rows and their derivatives in PyTorch, each differentiable to any order.

The pattern throughout: whatever a backward needs is an *output* of the function (w and r) or a function of its own of
such outputs, so that differentiating the backward goes through the graph and misses nothing.

Tensors are (*batch, n, d), float32 or float64 (``working`` turns the half precisions into float32, exactly).  Every
function here has forward mode, reverse mode and a batching rule, and keeps matrix products out of autocast.

Under ``torch.compile`` no value is looked at: what is refused elsewhere gives NaN there (the row, or where rows mix the
whole matrix), and the way that is right at every scale and condition number is taken always.
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.forward_ad import _set_fwd_grad_enabled

from wnverify.primitives import fused
from wnverify.primitives.distributed import agreed, whole
from wnverify.primitives.rules import Rule, batched, call, dot, ldexp, power_scaled, tangents
from wnverify.primitives.rules import looking as looking
from wnverify.primitives.rules import working as working

Rows = Float[Tensor, "*batch n d"]
FAR: Final = 2.0**12
"""A row whose entries are so many times their deviation is looked at twice: all of them may be equal."""


def normalize(V: Tensor, *, centred: bool) -> tuple[Tensor, Tensor]:
    """(W, r): r_i = ‖x_i‖, shape (*batch, n, 1), w_i = x_i / r_i, with x = v or, ``centred``, v − mean(v).

    ``ValueError`` names a non-finite entry, a zero row or (centred) a constant row; finding out synchronises with the
    device once.  The backward keeps W and r, no copy of V.
    """
    W, r = call(_NormalizeRows, V, centred)
    return W, r


def centre(V: Tensor) -> Tensor:
    """V − mean of each row, linear and self-adjoint; the means of the result vanish to rounding of the result."""
    X: Tensor = call(_Centre, V)
    return X


def centred_rows(V: Tensor) -> Tensor:
    """V − mean of each row.

    The rounded mean c misses by up to γ_d |c|, the same for all entries of a row, however small the spread; the
    difference is rounded only relative to its own size.  Taking off the mean of the difference removes that miss.  In a
    constant row the first difference is a few units in the last place everywhere, whose mean is exact where a sum is
    divided: it becomes zero.  Where it is multiplied by a rounded 1/d, as on a GPU, the square of a rounding may stay.
    """
    return centre_in_place(V - V.mean(-1, keepdim=True))


def centre_in_place(X: Tensor) -> Tensor:
    return X.sub_(X.mean(-1, keepdim=True))


class _Centre(Rule):
    @staticmethod
    def forward(V: Tensor) -> Tensor:
        return centred_rows(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep: the map is linear."""

    @staticmethod
    def backward(ctx: Any, X_bar: Tensor) -> Any:
        return centre(X_bar)

    @staticmethod
    def jvp(ctx: Any, E: Tensor) -> Any:
        with _set_fwd_grad_enabled(True):
            return centre(E)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Centre, *batched(info, in_dims, arguments)), 0


class _NormalizeRows(Rule):
    @staticmethod
    def forward(V: Tensor, centred: bool) -> Any:
        if not looking():
            return _normalize_unseen(V, centred)
        if not fused.usable(V):
            return _normalize_seen(V, centred)
        if centred:
            return fused.standardized_rows(V, 1, 0.0, lambda: _normalize_seen(V, centred))
        return scaled_seen(V, torch.ones_like(V[..., :1]))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.centred = inputs[1]
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, r_bar: Tensor | None) -> Any:
        W, r = ctx.saved_tensors
        G = None
        if W_bar is not None:
            if fused.usable(W) and fused.last(W_bar, W):
                G = fused.centred_tangential(W_bar, W, r, 1) if ctx.centred else fused.tangential(W_bar, W, r)
            else:
                A = centre(W_bar) if ctx.centred else W_bar
                G = torch.addcmul(A, W, dot(A, W), value=-1).div_(r)
        if r_bar is not None:
            G = r_bar * W if G is None else torch.addcmul(G, r_bar, W)
        return G, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, _: None) -> Any:
        with tangents(ctx) as (W, r):
            E = centre(E) if ctx.centred else E
            dr = dot(E, W)
            return torch.addcmul(E, W, dr, value=-1) / r, dr

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_NormalizeRows, *batched(info, in_dims, arguments)), (0, 0)


def _normalize_seen(V: Tensor, centred: bool) -> tuple[Tensor, Tensor]:
    """(W, r); a ``ValueError`` names what has no direction."""
    X = centred_rows(V) if centred else V
    # In float64 no square of a float32 over- or underflows, and the sum keeps its last bits.
    r = torch.linalg.vector_norm(X, dim=-1, keepdim=True, dtype=torch.float64)
    if agreed(ordinary(r, V, centred=centred).all()):
        r = r.to(V.dtype)
        return X / r, r
    scaled, exponent = finite_and_scaled(V, (-1,))
    if centred:
        refuse_row(constant(scaled).squeeze(-1), "no constant row", "is constant")
        X = centred_rows(scaled)
    else:
        refuse_row(~scaled.any(-1), "no zero row", "is zero")
        X = scaled
    r = torch.linalg.vector_norm(X, dim=-1, keepdim=True, dtype=torch.float64).to(V.dtype)
    return X / r, ldexp(r, exponent)


def scaled_seen(V: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """(g v / r, r), r = ‖v‖, by fused kernels, of extreme rows by scaled ones; errors as ``_normalize_seen``."""
    made = fused.scaled_rows(V, g)
    if made is None:
        scaled, exponent = finite_and_scaled(V, (-1,))
        refuse_row(~scaled.any(-1), "no zero row", "is zero")
        W, r = fused.scaled_rows(scaled, g)  # type: ignore[misc]  # every norm is ordinary now
        made = W, ldexp(r, exponent)
    return made


def _normalize_unseen(V: Tensor, centred: bool) -> tuple[Tensor, Tensor]:
    """(W, r), always by scaled rows; NaN in a row without a direction."""
    X, exponent = power_scaled(V, (-1,))
    defined = ~constant(X) if centred else X.any(-1, keepdim=True)
    X = centred_rows(X) if centred else X
    r = torch.linalg.vector_norm(X, dim=-1, keepdim=True, dtype=torch.float64).to(V.dtype)
    r = torch.where(defined & (r < math.inf), r, math.nan)
    return X / r, ldexp(r, exponent)


def ordinary(norm: Tensor, V: Tensor, *, centred: bool = False) -> Tensor:
    """Where norms are so far from over- and underflow that no square has lost a bit.  False for zero and NaN.

    Norms of ``centred`` rows, (*batch, n, 1), must also be above what rounded means leave of a row whose entries are
    all equal: a mean that is off by δ |v| leaves δ |v|, of which its own mean takes all but δ² |v|.  Here δ may be
    ``FAR``^{-1/2}, more than d u up to d = 2¹⁸ in float32; of other rows few have so small a norm.
    """
    reach = 2.0 ** (60 if V.dtype == torch.float32 else 400)
    least: Any = 1 / reach
    if centred:
        least = V[..., :1].abs().mul_(math.sqrt(V.shape[-1]) / FAR).clamp_min_(least)
    usual: Tensor = (norm > least) & (norm < reach)
    return usual


def constant(V: Tensor) -> Tensor:
    """Which rows have entries that are all equal, (*batch, n, 1), decided exactly; none that is not finite."""
    top = V.amax(-1, keepdim=True)
    return (top == V.amin(-1, keepdim=True)) & top.isfinite()


def finite_and_scaled(V: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """``power_scaled``; a ``ValueError`` names a non-finite entry."""
    wrong = ~V.isfinite()
    if agreed(wrong.any()):
        place = tuple(whole(wrong).nonzero()[0].tolist())
        raise ValueError(f"V must be finite; got V{list(place)} = {whole(V)[place].item()}")
    return power_scaled(V, axes)


def refuse_row(wrong: Tensor, wanted: str, found: str) -> None:
    if agreed(wrong.any()):
        place = ", ".join(str(k) for k in whole(wrong).nonzero()[0].tolist())
        raise ValueError(f"V must have {wanted}; V[{place}, :] {found}")
