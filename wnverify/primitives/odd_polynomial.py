"""The odd polynomial iteration X ← X (a + b XᵀX + c (XᵀX)²) in PyTorch, differentiable to any order.

Carried out on Gram matrices of the smaller side: with M_0 = X Xᵀ / r², Q_0 = I and P = aI + bM + cM²,

    Q_{t+1} = P_t Q_t,    M_{t+1} = P_t M_t P_t,    W = Q_T X / r,

so that only two products per call touch matrices of n d entries.  M_{t+1} is a polynomial of M_t alone: its rounding
errors commute with it, to first order, and are not amplified as those of B ← (3B − B³S)/2 are.  For n > d the same
with XᵀX and W = X Q_T / r.

A small singular value grows by the product of the a's, and M knows it only to the square of that.  The steps are
therefore cut into stretches in which the product stays below ``REACH``; each begins with a Gram matrix of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.primitives.distributed import agreed, identity, whole
from wnverify.primitives.pytorch import FAR, centre, constant
from wnverify.primitives.rules import Rule, batched, call, exactly, looking, tangents
from wnverify.primitives.singular_values import Step

REACH: Final = 32.0
"""By how much the smallest singular values may grow before the Gram matrix is formed anew."""


def iterate(V: Tensor, steps: Sequence[Step], *, scaling: str, eps: float = 0.0, centred: bool = False) -> Tensor:
    """The iteration from X_0 = X / (r + eps), X = V or, ``centred``, V less its row means; V (*batch, n, d).

    r = ‖X‖_F for ``scaling`` "frobenius", ‖X Xᵀ‖_F^{1/2} for "gram".  ``ValueError`` names a non-finite entry, and
    with eps = 0 a matrix X that vanishes; looking synchronises with the device once.  The backward keeps V itself (no
    copy) and one matrix (k, k), k = min(n, d), for the first stretch, and for each further one its input and a matrix
    (k, k); everything else is computed again from them.
    """
    W = V
    for number, stretch in enumerate(stretches(steps)):
        first = number == 0
        W = call(_Iterate, W, stretch, scaling if first else "", eps if first else 0.0, centred)[0]
    return W


def stretches(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """The steps cut where the product of the slopes |a| (those above 1) would pass ``REACH``.

    >>> [len(stretch) for stretch in stretches(((4.0, -6.0, 3.0),) * 5)]
    [2, 2, 1]
    """
    cut: list[list[Step]] = []
    grown = REACH
    for step in steps:
        slope = max(abs(step[0]), 1.0)
        if not cut or grown * slope > REACH:
            cut.append([])
            grown = 1.0
        cut[-1].append(step)
        grown *= slope
    return [tuple(stretch) for stretch in cut]


class _Iterate(Rule):
    """V ↦ (W, S), S = X Xᵀ or XᵀX, and the power of two that X was multiplied with (not differentiated).

    The map is the same for every such power, so that it may be held constant in every derivative.  Centred rows stay
    centred; W and its cotangent are centred all the same, since for n ≥ d what rounding puts along 1 belongs to the
    singular value 0 and would grow in every step.
    """

    @staticmethod
    def forward(V: Tensor, steps: tuple[Step, ...], scaling: str, eps: float, centred: bool) -> Any:
        with exactly(V):
            power = _power_of_two(V) if scaling else V.new_ones(*V.shape[:-2], 1, 1)
            X = _prepared(V, power, centred)
            left = _on_the_left(V, centred)
            S = _gram(X, X, left)
            r0 = _radius(S, scaling)
            if scaling and eps == 0 and looking():
                _refuse_zero(r0, V, centred)
            r = r0 + eps * power
            M, Q = S / (r * r), _identity(S)
            for k, step in enumerate(steps):
                P = _polynomial(M, step)
                Q = P @ Q if k else P
                M = P @ M @ P if k < len(steps) - 1 else M
            W = _times(Q / r, X, left)
            return _centred(W) if centred else W, S, power

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        V, *ctx.options = inputs
        _, S, power = output
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(power)
        ctx.save_for_backward(V, S, power)
        ctx.save_for_forward(V, S, power)

    @staticmethod
    def backward(ctx: Any, W_bar: Tensor | None, S_bar: Tensor | None, _: Any) -> Any:
        V, S, power = ctx.saved_tensors
        steps, scaling, eps, centred = ctx.options
        with exactly(V):
            X, left = _prepared(V, power, centred), _on_the_left(V, centred)
            G = None
            if W_bar is not None:
                W_bar = _centred(W_bar) if centred else W_bar
                H, pulled = _factor_vjp(S, power, _gram(W_bar, X, left), steps, scaling, eps)
                S_bar = pulled if S_bar is None else pulled + S_bar
                G = _times(H, W_bar, left)
            if S_bar is not None:
                through = _times(S_bar + S_bar.mT, X, left)
                G = through if G is None else G + through
            if G is None:
                return None, None, None, None, None
            return _prepared(G, power, centred), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, E: Tensor, *_: Any) -> Any:
        with tangents(ctx) as (V, S, power):
            steps, scaling, eps, centred = ctx.options
            X, E = _prepared(V, power, centred), _prepared(E, power, centred)
            left = _on_the_left(V, centred)
            half = _gram(E, X, left)
            dS = half + half.mT
            H, dH = _factor_jvp(S, power, dS, steps, scaling, eps)
            dW = _times(dH, X, left) + _times(H, E, left)
            return _centred(dW) if centred else dW, dS, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return call(_Iterate, *batched(info, in_dims, arguments)), (0, 0, 0)


def _factor_vjp(
    S: Tensor, power: Tensor, H_bar: Tensor, steps: tuple[Step, ...], scaling: str, eps: float
) -> tuple[Tensor, Tensor]:
    """H = Q_T / r as a function of S, and the cotangent of S (its symmetric part counts) for H_bar.

    From dQ' = dP Q + P dQ, dM' = dP M P + P dM P + P M dP and dP = b dM + c (dM M + M dM), M and P symmetric:

        P̄ = (Q̄' Qᵀ)_s + K + Kᵀ, K = M̄' P M,    Q̄ = P Q̄',    M̄ = P M̄' P + b P̄ + c (P̄ M + M P̄).
    """
    r0 = _radius(S, scaling)
    r = r0 + eps * power
    M, Q = S / (r * r), _identity(S)
    kept = []
    for k, step in enumerate(steps):
        P = _polynomial(M, step)
        kept.append((step, M, P, Q))
        Q = P @ Q if k else P
        M = P @ M @ P if k < len(steps) - 1 else M
    H, Q_bar, M_bar = Q / r, H_bar / r, torch.zeros_like(S)
    for k, (step, M, P, Q) in reversed(list(enumerate(kept))):
        P_bar = _symmetric(Q_bar @ Q.mT if k else Q_bar)
        pulled = None
        if k < len(steps) - 1:
            half = M_bar @ P
            K = half @ M
            P_bar = P_bar + K + K.mT
            pulled = P @ half
        Q_bar = P @ Q_bar if k else Q_bar
        M_bar = step[1] * P_bar
        if step[2]:
            M_bar = M_bar + 2 * step[2] * _symmetric(P_bar @ M)
        M_bar = M_bar if pulled is None else M_bar + pulled
    S_bar = M_bar / (r * r)
    if scaling:
        r_bar = -_inner(H_bar, H) / r - 2 * _inner(M_bar, M) / r
        S_bar = S_bar + r_bar * _radius_gradient(S, r0, scaling)
    return H, S_bar


def _factor_jvp(
    S: Tensor, power: Tensor, dS: Tensor, steps: tuple[Step, ...], scaling: str, eps: float
) -> tuple[Tensor, Tensor]:
    """H and its change along dS."""
    r0 = _radius(S, scaling)
    r = r0 + eps * power
    dr = _inner(_radius_gradient(S, r0, scaling), dS) if scaling else torch.zeros_like(r)
    M = S / (r * r)
    dM = dS / (r * r) - 2 * dr / r * M
    Q, dQ = _identity(S), torch.zeros_like(S)
    for k, step in enumerate(steps):
        P, dP = _polynomial(M, step), step[1] * dM
        if step[2]:
            dP = dP + 2 * step[2] * _symmetric(dM @ M)
        Q, dQ = P @ Q, dP @ Q + P @ dQ
        if k < len(steps) - 1:
            K = dP @ M @ P
            M, dM = P @ M @ P, K + K.mT + P @ dM @ P
    return Q / r, dQ / r - dr / r * (Q / r)


def _polynomial(M: Tensor, step: Step) -> Tensor:
    a, b, c = step
    P = a * _identity(M) + b * M
    return P + c * (M @ M) if c else P


def _identity(S: Tensor) -> Tensor:
    return identity(S).expand_as(S)


def _radius(S: Tensor, scaling: str) -> Tensor:
    """r, shape (*batch, 1, 1), without eps; 1 where nothing is scaled."""
    if scaling == "frobenius":
        return S.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None].sqrt()
    if scaling == "gram":
        squared: Tensor = torch.linalg.vector_norm(S, dim=(-2, -1), keepdim=True)
        return squared.sqrt()
    return S.new_ones(*S.shape[:-2], 1, 1)


def _radius_gradient(S: Tensor, r0: Tensor, scaling: str) -> Tensor:
    """N with dr = ⟨N, dS⟩: I / (2r), or S / (2r³) since r⁴ = Σ S_ij².

    At r = 0 the map X / (r + eps) has the derivative 1 / eps, as if r were constant there.
    """
    inverse = torch.where(r0 > 0, 0.5 / r0, torch.zeros_like(r0))
    if scaling == "frobenius":
        return inverse * _identity(S)
    return inverse * (S / (r0 * r0))


def _on_the_left(V: Tensor, centred: bool) -> bool:
    """Whether the Gram matrix is that of the rows: where it may have full rank, n ≤ d, or n ≤ d − 1 for centred rows.

    Else its singular values 0 would be stretched with all that rounding leaves in them.
    """
    return V.shape[-2] <= V.shape[-1] - centred


def _gram(A: Tensor, X: Tensor, left: bool) -> Tensor:
    """A Xᵀ or Xᵀ A: the cotangent of H for that A of ``_times(H, X)``, and the Gram matrix for A = X."""
    return A @ X.mT if left else X.mT @ A


def _times(H: Tensor, X: Tensor, left: bool) -> Tensor:
    return H @ X if left else X @ H


def _prepared(V: Tensor, power: Tensor, centred: bool) -> Tensor:
    return (_centred(V) if centred else V) * power


def _centred(V: Tensor) -> Tensor:
    """As ``centre``, in operations that ``torch.compile`` can trace where it does."""
    if looking():
        return centre(V)
    once = V - V.mean(-1, keepdim=True)
    return once - once.mean(-1, keepdim=True)


def _symmetric(A: Tensor) -> Tensor:
    return (A + A.mT) / 2


def _inner(A: Tensor, B: Tensor) -> Tensor:
    return (A * B).sum((-2, -1), keepdim=True)


def _power_of_two(V: Tensor) -> Tensor:
    """2^e, shape (*batch, 1, 1), that takes the largest |entry| into [2, 4), from the smallest normal number on; no
    Gram matrix of such a matrix over- or underflows.  ``ValueError`` names a non-finite entry."""
    largest = V.abs().amax((-2, -1), keepdim=True)
    if looking() and not agreed(largest.isfinite().all()):
        V = whole(V)
        place = tuple((~V.isfinite()).nonzero()[0].tolist())
        raise ValueError(f"V must be finite; got V{list(place)} = {V[place].item()}")
    largest = largest.clamp(min=torch.finfo(V.dtype).tiny)
    return torch.frexp(largest).mantissa * 4 / largest


def _refuse_zero(r: Tensor, V: Tensor, centred: bool) -> None:
    """r as of entries of V up to 4; of constant rows a rounded mean may leave the square of a rounding."""
    zero = r <= (4 * math.sqrt(V.shape[-2] * V.shape[-1]) / FAR if centred else 0.0)
    if centred and agreed(zero.any()):
        zero = constant(V).all(-2, keepdim=True)
    if agreed(zero.any()):
        place = f"[{', '.join(str(k) for k in whole(zero)[..., 0, 0].nonzero()[0].tolist())}]" if r.dim() > 2 else ""
        found = "every row of it is constant" if centred else "it is"
        raise ValueError(f"V{place} must not be the zero matrix{' after centring' * centred}; {found}")
