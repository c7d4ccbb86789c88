"""The triangular factorization V = L W of rows in PyTorch (Gram-Schmidt in their order), differentiable to any order.

With Ω = dW Wᵀ skew and M = L⁻¹ dV Wᵀ, the lower triangle of M belongs to L and the upper one to Ω:

    Ω = up(M) − up(M)ᵀ,    dW = Ω W + L⁻¹ (dV − dV Wᵀ W),    dL = L (M − Ω),

up( ) the strictly upper triangle.  Pulled back, with low(B) the symmetric matrix that has the lower triangle of B,

    V̄ = L⁻ᵀ (W̄ + low(Lᵀ L̄ − W̄ Wᵀ) W).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from wnverify.primitives.distributed import agreed, whole
from wnverify.primitives.pytorch import finite_and_scaled, ordinary
from wnverify.primitives.rules import Rule, batched, call, exactly, ldexp, looking, power_scaled, tangents


def triangular(V: Tensor) -> tuple[Tensor, Tensor]:
    """(W, L) with V = L W, W Wᵀ = I, L lower triangular with positive diagonal; V (*batch, n, d), n ≤ d.

    Rows of any scale.  ``ValueError`` names a non-finite entry, n > d, or rank and the row nearer than d u ‖v_i‖ to the
    span of those before it (a zero row is); looking synchronises with the device.  The backward keeps W and L, no copy
    of V.

    >>> triangular(torch.tensor([[2.0, 0.0], [1.0, 3.0]]))[1].diagonal()
    tensor([2., 3.])
    """
    W, L = call(_Triangular, V)
    return W, L


class _Triangular(Rule):
    @staticmethod
    def forward(V: Tensor) -> Any:
        with exactly(V):
            return _decompose(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, L_bar: Tensor | None) -> Any:
        W, L = ctx.saved_tensors
        with exactly(W):
            B = None if L_bar is None else L.mT @ L_bar
            if W_bar is not None:
                B = -(W_bar @ W.mT) if B is None else B - W_bar @ W.mT
            if B is None:
                return None
            A = (B.tril() + B.tril(-1).mT) @ W
            return torch.linalg.solve_triangular(L.mT, A if W_bar is None else W_bar + A, upper=True)

    @staticmethod
    def jvp(ctx: Any, E: Tensor) -> Any:
        with tangents(ctx) as (W, L):
            X = torch.linalg.solve_triangular(L, E, upper=False)
            M = X @ W.mT
            Omega = M.triu(1) - M.triu(1).mT
            return (X + (Omega - M) @ W).contiguous(), L @ (M - Omega)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Triangular, *batched(info, in_dims, arguments)), (0, 0)


def _decompose(V: Tensor) -> tuple[Tensor, Tensor]:
    """W and L, by a Householder QR decomposition of Vᵀ."""
    n, d = V.shape[-2:]
    if n > d:
        raise ValueError(
            f"V must have full row rank, which needs n ≤ d; got shape {tuple(V.shape)}, so rank at most {d}"
        )
    X, exponent = V, None
    norm = torch.linalg.vector_norm(V, dim=-1, dtype=torch.float64)
    if not (looking() and agreed(ordinary(norm, V).all())):
        # W does not depend on the scale of a row, so that each may have its own.
        X, exponent = (finite_and_scaled if looking() else power_scaled)(V, (-1,))
        norm = torch.linalg.vector_norm(X, dim=-1, dtype=torch.float64)
    Q, R = torch.linalg.qr(X.mT)
    diagonal = R.diagonal(dim1=-2, dim2=-1)
    near = ~(diagonal.abs() > max(n, d) * (torch.finfo(V.dtype).eps / 2) * norm)
    if looking() and agreed(near.any()):
        X = X / norm.clamp_min(torch.finfo(V.dtype).tiny).unsqueeze(-1)
        _refuse(whole(near), whole(X), tuple(V.shape))
    sign = torch.where(diagonal < 0, -1.0, 1.0).to(V.dtype)
    # Laid out by rows, as a weight is: eager forward mode wants tangents laid out like their primals.
    W, L = (Q * sign.unsqueeze(-2)).mT.contiguous(), (R * sign.unsqueeze(-1)).mT
    if not looking():
        W = torch.where(near.any(-1)[..., None, None], math.nan, W)
    return W, (L if exponent is None else ldexp(L, exponent)).contiguous()


def _refuse(near: Tensor, X: Tensor, shape: tuple[int, ...]) -> None:
    """``ValueError`` with the numerical rank of the first matrix that misses one, and the row."""
    *batch, row = near.nonzero()[0].tolist()
    n, d = shape[-2:]
    s = torch.linalg.svdvals(X[tuple(batch)].double())
    rank = min(n - 1, int((s > max(n, d) * (torch.finfo(X.dtype).eps / 2) * s.amax()).sum()))
    place = "".join(f"{k}, " for k in batch)
    raise ValueError(
        f"V must have full row rank, which needs n ≤ d; got shape {shape} and numerical rank {rank}: "
        f"V[{place}{row}, :] is a combination of the rows before it"
    )
