"""Row norms and Gram matrices in PyTorch, each differentiable to any order: what penalties are made of.

The pattern is that of ``primitives.pytorch``: whatever a backward needs is an input or an *output* of the function, so
that differentiating the backward goes through the graph.  An input that is kept is no copy: it is the weight itself.
Tensors are (*batch, n, d), float32 or float64.  Nothing is looked at, so nothing synchronises, and a non-finite entry
gives a non-finite result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wnverify.primitives.distributed import identity, settled
from wnverify.primitives.rules import Rule, batched, call, dot, exactly, ldexp, power_scaled, tangents


def row_norms(W: Tensor) -> Tensor:
    """r_i = ‖w_i‖, float64, shape (*batch, n, 1), right at every scale; the backward keeps W and r.

    At a zero row, where the norm has no derivative, derivatives of every order count as 0.

    >>> row_norms(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).flatten().tolist()
    [5.0, 0.0]
    """
    r: Tensor = call(_RowNorms, W)
    return r


def gram(W: Tensor, *, double: bool = False) -> Tensor:
    """W Wᵀ, (*batch, n, n), in the dtype of W or, ``double``, in float64; the backward keeps W alone.

    >>> gram(torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    S: Tensor = call(_Gram, W, double)
    return S


def product(A: Tensor, B: Tensor) -> Tensor:
    """A B, which autocast touches in no derivative; that of ``torch.matmul`` would run under the backward's autocast.

    >>> product(torch.ones(1, 2), torch.ones(2, 1))
    tensor([[2.]])
    """
    made: Tensor = call(_Product, A, B)
    return made


def identity_defect(W: Tensor) -> Tensor:
    """W Wᵀ − I."""
    S = gram(W)
    return S - identity(S)


def facing(W: Tensor, side: str) -> Tensor:
    """W for ``"rows"``, Wᵀ for ``"columns"``: what is to be orthonormal by rows; ``ValueError`` for another side."""
    if side not in ("rows", "columns"):
        raise ValueError(f"side must be 'rows' (W Wᵀ = I) or 'columns' (Wᵀ W = I); got {side!r}")
    return W if side == "rows" else W.mT


def smaller(X: Tensor) -> tuple[Tensor, int]:
    """(Y, missing) with Y = X or Xᵀ of no more rows than columns: X Xᵀ has the eigenvalues of Y Yᵀ and ``missing``
    zeros more."""
    n, d = X.shape[-2:]
    return (X, 0) if n <= d else (X.mT, n - d)


class _RowNorms(Rule):
    @staticmethod
    def forward(W: Tensor) -> Tensor:
        if W.dtype == torch.float32:
            # In float64 no square of a float32 over- or underflows.
            return settled(torch.linalg.vector_norm(W, dim=-1, keepdim=True, dtype=torch.float64))
        scaled, exponent = power_scaled(W, (-1,))
        return ldexp(torch.linalg.vector_norm(scaled, dim=-1, keepdim=True), exponent)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, r_bar: Tensor) -> Any:
        W, r = ctx.saved_tensors
        U, correction = directions(W, r)
        return U * (correction * r_bar.to(W.dtype))

    @staticmethod
    def jvp(ctx: Any, E: Tensor) -> Any:
        with tangents(ctx) as (W, r):
            U, correction = directions(W, r)
            return (dot(E, U) * correction).to(r.dtype)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return row_norms(*batched(info, in_dims, arguments)), 0


def directions(W: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """(U, c) with w_i / r_i = c_i u_i for the norms r of the rows of W; 0, with all its derivatives, for a zero row.

    U is W over r in the dtype of W, and c, a number a row, what that rounding costs: much where a float32 W has a norm
    among the subnormal numbers, or beyond all of them.  For float64 W c is 1.
    """
    positive = r.masked_fill(r == 0, 1.0)
    divisor = positive.clamp(max=torch.finfo(W.dtype).max).to(W.dtype)
    return W / divisor.masked_fill(r == 0, torch.inf), (divisor / positive).to(W.dtype)


class _Gram(Rule):
    @staticmethod
    def forward(W: Tensor, double: bool) -> Tensor:
        with exactly(W):
            X = W.double() if double else W
            return X @ X.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)  # the zeros would be plain ones, beside a distributed W
        ctx.double = inputs[1]
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx: Any, S_bar: Tensor | None) -> Any:
        if S_bar is None:
            return None, None
        (W,) = ctx.saved_tensors
        with exactly(W):
            return (S_bar + S_bar.mT).to(W.dtype) @ W, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, _: None) -> Any:
        with tangents(ctx) as (W,):
            half = E.double() @ W.double().mT if ctx.double else E @ W.mT
            return half + half.mT

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        W, double = batched(info, in_dims, arguments)
        return gram(W, double=double), 0


class _Product(Rule):
    @staticmethod
    def forward(A: Tensor, B: Tensor) -> Tensor:
        with exactly(A):
            return A @ B

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, C_bar: Tensor | None) -> Any:
        if C_bar is None:
            return None, None
        A, B = ctx.saved_tensors
        A_bar = product(C_bar, B.mT) if ctx.needs_input_grad[0] else None
        return A_bar, product(A.mT, C_bar) if ctx.needs_input_grad[1] else None

    @staticmethod
    def jvp(ctx: Any, dA: Tensor | None, dB: Tensor | None) -> Any:
        with tangents(ctx) as (A, B):
            parts = ([] if dA is None else [product(dA, B)]) + ([] if dB is None else [product(A, dB)])
            return sum(parts[1:], parts[0])

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return product(*batched(info, in_dims, arguments)), 0
