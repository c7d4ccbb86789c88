"""The polar factor of a weight, centred or not, and its derivatives in PyTorch, each differentiable to any order.

Tensors, pattern and what ``torch.compile`` sees are those of ``primitives.pytorch``: what a backward needs, W and S, is
an output of the function.  Eigenvectors and singular values ride along as caches: they decide how a quantity is
computed, never what is differentiated.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from wnverify.primitives import fused
from wnverify.primitives.distributed import agreed
from wnverify.primitives.pytorch import centre, centre_in_place, centred_rows, constant, finite_and_scaled, ordinary
from wnverify.primitives.rules import Rule, batched, call, exactly, ldexp, looking, power_scaled, tangents

WELL_CONDITIONED = {torch.float32: 64.0, torch.float64: 16.0}
"""Below this λ_max / λ_min (the square of κ(V_C)) the cheap way loses no more than a small constant times κ(V_C) u: the
product in float32, the eigenvalues of the Gram matrix in float64."""
GRAM_IS_ENOUGH = 2.0**24
"""Below this λ_max / λ_min the eigenvalues of a float64 Gram matrix, off by some 2⁻⁵³ λ_max, are right to 2⁻²⁹."""


def polar(V: Tensor, *, centred: bool = True) -> Tensor:
    """W = Σ^{-1/2} V_C, Σ = V_C V_Cᵀ, for V (*batch, n, d); V_C is V itself unless ``centred``.

    ``ValueError`` names a non-finite entry, or the shape and the numerical rank of V_C where it is below n (a singular
    value counts as zero up to max(n, d) u times the largest); finding out synchronises with the device.  The backward
    keeps W, S = Σ^{1/2}, its eigenvectors D and eigenvalues s, no copy of V.  Differentiating the backward in reverse
    mode forms numbers of the size ‖V_C‖⁻³ on the way: in float64 it needs scales within 2^±330.
    """
    W: Tensor = call(_Polar, V, centred)[0]
    return W


def polar_factors(V: Tensor) -> tuple[Tensor, Tensor]:
    """(W, S) with V_C = S W, S = Σ^{1/2}: ``polar`` and what it keeps beside W; both are differentiable."""
    W, S, *_ = call(_Polar, V, True)
    return W, S


class _Polar(Rule):
    """V ↦ (W, S) and the caches D, s (not differentiated) with S = D diag(s) Dᵀ."""

    @staticmethod
    def forward(V: Tensor, centred: bool) -> Any:
        with exactly(V):
            return _decompose(V, centred)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.centred = inputs[1]
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, S_bar: Tensor | None, *_: Any) -> Any:
        """G_C = Z W + S⁻¹ (A − B W) + 2 Y S W, in three products of n² d: B = A Wᵀ, S⁻¹ A and (Z − S⁻¹ B + 2 Y S) W."""
        W, S, D, s = ctx.saved_tensors
        with exactly(W):
            left = direct = None
            if W_bar is not None:
                B = W_bar @ W.mT
                inverse = call(_Inverse, S, D, s)
                left = call(_Lyapunov, S, B - B.mT, D, s) - inverse @ B
                direct = inverse @ W_bar
            if S_bar is not None:
                Y2 = call(_Lyapunov, S, S_bar + S_bar.mT, D, s)
                left = Y2 @ S if left is None else left + Y2 @ S
            if left is None:
                return None, None
            if direct is not None and direct.dim() == 2 and fused.last(left, direct):
                G = direct.addmm_(left, W)  # of so many entries there is then one matrix beside W and its cotangent
                return (centre_in_place(centre_in_place(G)) if ctx.centred else G), None
            G = left @ W
            G = G if direct is None else G + direct
            return centre(G) if ctx.centred else G, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, _: None) -> Any:
        with tangents(ctx) as (W, S, D, s):
            E = centre(E) if ctx.centred else E
            K = E @ W.mT
            Omega = call(_Lyapunov, S, K - K.mT, D, s)
            inverse = call(_Inverse, S, D, s)
            return (Omega - inverse @ K) @ W + inverse @ E, K - S @ Omega, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Polar, *batched(info, in_dims, arguments)), (0, 0, 0, 0)


class _Inverse(Rule):
    """S ↦ S⁻¹ from S = D diag(s) Dᵀ."""

    @staticmethod
    def forward(S: Tensor, D: Tensor, s: Tensor) -> Tensor:
        with exactly(S):
            return (D / s.unsqueeze(-2)) @ D.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, inverse_bar: Tensor) -> Any:
        (inverse,) = ctx.saved_tensors
        with exactly(inverse):
            return -(inverse @ inverse_bar @ inverse), None, None

    @staticmethod
    def jvp(ctx: Any, dS: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (inverse,):
            return -(inverse @ dS @ inverse)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Inverse, *batched(info, in_dims, arguments)), 0


class _Lyapunov(Rule):
    """(S, C) ↦ X of S X + X S = C, from S = D diag(s) Dᵀ, s > 0; self-adjoint in C."""

    @staticmethod
    def forward(S: Tensor, C: Tensor, D: Tensor, s: Tensor) -> Tensor:
        with exactly(S):
            return D @ ((D.mT @ C @ D) / (s.unsqueeze(-1) + s.unsqueeze(-2))) @ D.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        S, _, D, s = inputs
        ctx.save_for_backward(S, output, D, s)
        ctx.save_for_forward(S, output, D, s)

    @staticmethod
    def backward(ctx: Any, X_bar: Tensor | None) -> Any:
        if X_bar is None:
            return None, None, None, None
        S, X, D, s = ctx.saved_tensors
        with exactly(S):
            Y = call(_Lyapunov, S, X_bar, D, s)
            S_bar = -(Y @ X.mT + X.mT @ Y) if ctx.needs_input_grad[0] else None
            return S_bar, Y, None, None

    @staticmethod
    def jvp(ctx: Any, dS: Tensor | None, dC: Tensor | None, *_: Any) -> Any:
        with tangents(ctx) as (S, X, D, s):
            right = dC
            if dS is not None:
                moved = dS @ X + X @ dS
                right = -moved if right is None else right - moved
            return call(_Lyapunov, S, right, D, s)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Lyapunov, *batched(info, in_dims, arguments)), 0


def _decompose(V: Tensor, centred: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W, S, D, s of V_C, in the dtype of V; V_C, its Gram matrix and eigenvalues are float64 throughout."""
    n, d = V.shape[-2:]
    largest = d - 1 if centred else d
    if n > largest:
        raise ValueError(f"V must have {_full_rank(centred)}; got shape {tuple(V.shape)}, so rank at most {largest}")
    exponent = None
    if looking():
        Sigma = _gram(V, centred)
        norms = Sigma.diagonal(dim1=-2, dim2=-1).sqrt().unsqueeze(-1)
        if not agreed(ordinary(norms, V, centred=centred).all()):
            V, exponent = finite_and_scaled(V, (-2, -1))
            V = V.masked_fill(constant(V), 0.0) if centred else V
            Sigma = _gram(V, centred)
        W, D, s = _polar_seen(V, Sigma, centred)
    else:
        V, exponent = power_scaled(V, (-2, -1))
        V = V.masked_fill(constant(V), 0.0) if centred else V
        W, D, s = _polar_unseen(V, _double(V, centred))
    if V.dtype == torch.float64:
        # V_C has zero mean to u, its polar factor only to κ u, hence centred once more; and one Newton-Schulz step
        # squares what is left in W Wᵀ − I (κ² u of the Gram matrix, or the many u of a decomposition).
        W = centred_rows(W) if centred else W
        W = 1.5 * W - 0.5 * (W @ W.mT) @ W
    D, s = D.to(V.dtype), s.to(V.dtype)
    S = (D * s.unsqueeze(-2)) @ D.mT
    if exponent is not None:
        S, s = ldexp(S, exponent), ldexp(s, exponent.squeeze(-1))
    return W, S, D, s


def _double(V: Tensor, centred: bool) -> Tensor:
    """V_C in float64."""
    return centred_rows(V.double()) if centred else V.double()


def _gram(V: Tensor, centred: bool) -> Tensor:
    """Σ = V_C V_Cᵀ in float64; its lower triangle is all that is read."""
    if V.dtype == torch.float32 and V.shape[-2] > fused.BLOCK and fused.alone(V):
        return fused.gram_of_rows(V, centred=centred)
    X = _double(V, centred)
    return X @ X.mT


def _polar_seen(V: Tensor, Sigma: Tensor, centred: bool) -> tuple[Tensor, Tensor, Tensor]:
    """W, D, s by the cheapest way that V_C allows; Sigma is its Gram matrix."""
    lam, D = torch.linalg.eigh(Sigma)
    s = lam.clamp(min=0).sqrt()
    if agreed((lam[..., -1] < WELL_CONDITIONED[V.dtype] * lam[..., 0]).all()):
        root = ((D / s.unsqueeze(-2)) @ D.mT).to(V.dtype)
        return root @ (centred_rows(V) if centred else V), D, s
    X = _double(V, centred)
    if V.dtype == torch.float64:
        D, s, Qt = torch.linalg.svd(X, full_matrices=False)
        _refuse_rank(s, V, centred)
        return _refined(X, D, s, Qt)
    # Here float64 has the bits for κ²; a float32 product would leave rows that are orthonormal only to κ u.
    _refuse_rank(s, V, centred)
    W = (D / s.unsqueeze(-2)) @ D.mT @ X
    if agreed((lam[..., -1] >= GRAM_IS_ENOUGH * lam[..., 0]).any()):
        W = _orthonormal(W)
    return W.to(V.dtype), D, s


def _polar_unseen(V: Tensor, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """W, D, s as for an ill-conditioned V_C; W and s are NaN where that has not full rank or is not finite."""
    # The decompositions raise at what is not finite; the zero matrix has no rank and becomes NaN with the others.
    X = torch.where(X.isfinite().all(-1, keepdim=True).all(-2, keepdim=True), X, 0.0)
    if V.dtype == torch.float64:
        D, s, Qt = torch.linalg.svd(X, full_matrices=False)
        defined = _above_rounding(s, V).all(-1, keepdim=True)
        W, D, s = _refined(X, D, torch.where(defined, s, 1.0), Qt)
    else:
        lam, D = torch.linalg.eigh(X @ X.mT)
        s = lam.clamp(min=0).sqrt()
        defined = _above_rounding(s, V).all(-1, keepdim=True)
        W = _orthonormal((D / s.unsqueeze(-2)) @ D.mT @ X).to(V.dtype)
    return torch.where(defined.unsqueeze(-1), W, math.nan), D, torch.where(defined, s, math.nan)


def _orthonormal(W: Tensor) -> Tensor:
    """Rows off by κ² 2⁻⁵³, from a float64 Gram matrix: some hundredths at most where a float32 V has full rank.

    A Newton-Schulz step leaves 3/2 of the square, three leave 10⁻¹².
    """
    for _ in range(3):
        W = 1.5 * W - 0.5 * (W @ W.mT) @ W
    return W


def _refined(X: Tensor, D: Tensor, s: Tensor, Qt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """W, D, s of X = D diag(s) Qt: eigenvalues of the Gram matrix carry κ² u, these keep W orthonormal to u.

    LAPACK's decomposition drops off-diagonal entries up to about 100 u: a Newton step each for orthonormality and for
    the symmetry of W V_Cᵀ, whose eigenvalues and eigenvectors are then right to u.
    """
    W = D @ Qt
    W = 1.5 * W - 0.5 * (W @ W.mT) @ W
    M = W @ X.mT
    W = W + D @ ((D.mT @ (M.mT - M) @ D) / (s.unsqueeze(-1) + s.unsqueeze(-2))) @ D.mT @ W
    W = 1.5 * W - 0.5 * (W @ W.mT) @ W
    M = W @ X.mT
    smallest = s.amin(-1, keepdim=True)  # known to be positive; eigh is right to u s_max only
    s, D = torch.linalg.eigh((M + M.mT) / 2)
    return W, D, torch.maximum(s, smallest)


def _full_rank(centred: bool) -> str:
    return "full row rank after centring, which needs n ≤ d - 1" if centred else "full row rank, which needs n ≤ d"


def _above_rounding(s: Tensor, V: Tensor) -> Tensor:
    """Which singular values of V_C count: those above max(n, d) u times the largest."""
    n, d = V.shape[-2:]
    return s > max(n, d) * (torch.finfo(V.dtype).eps / 2) * s.amax(-1, keepdim=True)


def _refuse_rank(s: Tensor, V: Tensor, centred: bool) -> None:
    rank = int(_above_rounding(s, V).sum(-1).min())
    if rank < V.shape[-2]:
        raise ValueError(
            f"V must have {_full_rank(centred)}; got shape {tuple(V.shape)} "
            f"and numerical rank {rank}{' of V_C' if centred else ''}"
        )
