"""The leading eigenvalue of a symmetric matrix in PyTorch, differentiable to any order, with a decision at ties.

Eigenvectors are never differentiated: the backward is built from the projector on the leading eigenspace and the
reduced resolvent, outputs of the function that no choice of eigenvectors changes.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from wnverify.primitives.distributed import agreed, whole
from wnverify.primitives.rules import Rule, batched, call, exactly, looking, tangents

TIED: Final = 8.0
"""Eigenvalues within TIED · m · u of the largest count as equal to it: that is how far rounding may part them."""


def leading(S: Tensor, *, absolute: bool = False, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    """(λ, P) of symmetric S (*batch, m, m): the largest eigenvalue and ∂λ/∂S, by the eigendecomposition.

    ``absolute``: λ is the largest |eigenvalue|, the spectral norm.  At a simple λ, P = ± x xᵀ.  Where k eigenvalues are
    tied (within ``TIED`` · m · u of ``shift`` + largest |eigenvalue|, S being right to u times that), P is the mean of
    theirs, X Xᵀ / k: the shortest element of the subdifferential, which depends on S alone, not on a choice of
    eigenvectors.  With ``absolute``: where both ends are tied, that of the positive one; where S = 0 to that width, 0.
    The backward keeps P and the reduced resolvent, 2 m² numbers.  ``ValueError`` for a non-finite S, outside
    ``torch.compile``.

    >>> leading(torch.tensor([[2.0, 0.0], [0.0, -3.0]]), absolute=True)[1] + 0.0
    tensor([[ 0.,  0.],
            [ 0., -1.]])
    """
    lam: Tensor
    P: Tensor
    lam, P, *_ = call(_Leading, S, absolute, shift)
    return lam, P


def half_square(W: Tensor, P: Tensor, value: Tensor) -> Tensor:
    """``value``, with the gradient P W: for ½ σ² where P is a function of W that no scale of W changes.

    The chain through σ² itself would over- or underflow where P W does not.
    """
    made: Tensor = call(_HalfSquare, W, P, value)
    return made


class _Leading(Rule):
    """S ↦ (λ, P, R) and, not differentiated, (k, s): R the reduced resolvent Σ_j x_j x_jᵀ / (λ − s λ_j) over the
    eigenvalues that are not tied, k their number, s the sign of λ's eigenvalue.

    With dS' = s dS:  dλ = ⟨P, dS'⟩,  dP = P dS' R + R dS' P,
    dR = R dS' R − dλ R² − k (P dS' R² + R² dS' P); here P is without the sign.  Tied eigenvalues are taken to stay so.
    """

    @staticmethod
    def forward(S: Tensor, absolute: bool, shift: float) -> Any:
        if looking() and not agreed(S.isfinite().all()):
            row = int((~whole(S).isfinite()).flatten(0, -2).nonzero()[0, 0]) % S.shape[-2]
            raise ValueError(f"W must be finite, and its products too; the Gram matrix is not, in row {row}")
        with exactly(S):
            values, X = torch.linalg.eigh(S)
            low, high = values[..., :1], values[..., -1:]
            size = torch.maximum(high.abs(), low.abs())
            width = TIED * S.shape[-1] * (torch.finfo(S.dtype).eps / 2) * (size + shift)
            lam, sign = high, torch.ones_like(high)
            if absolute:
                lam, sign = size, torch.where(high >= size - width, 1.0, -1.0).masked_fill(size <= width, 0.0)
            values = sign * values
            top = values.amax(-1, keepdim=True)
            tied = values >= top - width
            count = tied.sum(-1, keepdim=True).to(S.dtype)
            P = (X * (tied / count).unsqueeze(-2)) @ X.mT
            gaps = (top - values).masked_fill(tied, torch.inf)
            R = (X / gaps.unsqueeze(-2)) @ X.mT
            # Cloned: an output may not be a view of a tensor that is none.
            return lam.squeeze(-1).clone(), sign.unsqueeze(-1) * P, R, count.unsqueeze(-1), sign.unsqueeze(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[3:])
        ctx.save_for_backward(*output[1:])
        ctx.save_for_forward(*output[1:])

    @staticmethod
    def backward(ctx: Any, lam_bar: Tensor | None, P_bar: Tensor | None, R_bar: Tensor | None, *_: Any) -> Any:
        P, R, count, sign = ctx.saved_tensors
        with exactly(P):
            S_bar = None
            if lam_bar is not None:
                S_bar = lam_bar[..., None, None] * P
            if P_bar is not None:
                # P carries the sign once and dS' once: together they are 1.
                half = P @ P_bar @ R
                turned = R @ P_bar @ P
                S_bar = _plus(S_bar, sign * (half + turned))
            if R_bar is not None:
                square = R @ R
                along = (R_bar * square).sum((-2, -1), keepdim=True)
                mixed = P @ R_bar @ square + square @ R_bar @ P
                S_bar = _plus(S_bar, sign * (R @ R_bar @ R) - along * P - count * mixed)
            return S_bar, None, None

    @staticmethod
    def jvp(ctx: Any, dS: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (P, R, count, sign):
            dlam = (P * dS).sum((-2, -1))
            turned = P @ dS @ R + R @ dS @ P
            square = R @ R
            mixed = P @ dS @ square + square @ dS @ P
            dR = sign * (R @ dS @ R) - dlam[..., None, None] * square - count * mixed
            return dlam, sign * turned, dR, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Leading, *batched(info, in_dims, arguments)), (0, 0, 0, 0, 0)


def _plus(A: Tensor | None, B: Tensor) -> Tensor:
    return B if A is None else A + B


class _HalfSquare(Rule):
    @staticmethod
    def forward(W: Tensor, P: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, value_bar: Tensor) -> Any:
        W, P = ctx.saved_tensors
        with exactly(W):
            return value_bar.to(W.dtype)[..., None, None] * (P.to(W.dtype) @ W), None, None

    @staticmethod
    def jvp(ctx: Any, dW: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (W, P):
            return (dW * (P.to(W.dtype) @ W)).sum((-2, -1)).to(P.dtype)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return half_square(*batched(info, in_dims, arguments)), 0
