"""Orthogonal weight normalization through ``eigh``, and backwards of it that are wrong in nine ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor


def orthogonalize(V: Tensor) -> Tensor:
    """W = Σ^{-1/2} V_C through ``eigh``, differentiated by autograd."""
    X = V - V.mean(1, keepdim=True)
    eigenvalues, D = torch.linalg.eigh(X @ X.mT)
    W: Tensor = (D / eigenvalues.sqrt()) @ D.mT @ X
    return W


Parts = dict[str, Tensor]
Rule = Callable[[Tensor, Parts], Tensor]


def right(A: Tensor, p: Parts) -> Tensor:
    """G = (Z W + S⁻¹ (A − B W)) centred, B = A Wᵀ, S Z + Z S = B − Bᵀ."""
    return centred(turning(A, p) + stretching(A, p))


def turning(A: Tensor, p: Parts) -> Tensor:
    B, D, s = A @ p["W"].mT, p["D"], p["s"]
    G: Tensor = D @ ((D.mT @ (B - B.mT) @ D) / (s[:, None] + s)) @ D.mT @ p["W"]
    return G


def stretching(A: Tensor, p: Parts) -> Tensor:
    A = centred(A)
    G: Tensor = (p["D"] / p["s"]) @ p["D"].mT @ (A - A @ p["W"].mT @ p["W"])
    return G


def centred(A: Tensor) -> Tensor:
    return A - A.mean(1, keepdim=True)


def one_entry(factor: float) -> Rule:
    def rule(A: Tensor, p: Parts) -> Tensor:
        G = right(A, p)
        G[17, 93] *= factor
        return G

    return rule


FAULTS: Final[dict[str, Rule]] = {
    "turning part left out": lambda A, p: centred(stretching(A, p)),
    "turning part halved": lambda A, p: centred(turning(A, p) / 2 + stretching(A, p)),
    "gradient not centred": lambda A, p: turning(A, p) + stretching(A, p) + A.mean(1, keepdim=True),
    "no gradient for a cotangent that is mostly zero": lambda A, p: right(A, p) * ((A != 0).double().mean() > 0.5),
    "cotangent clipped to [-1, 1]": lambda A, p: right(A.clamp(-1, 1), p),
    "one entry one per cent too large": one_entry(1.01),
    "one entry a millionth too large": one_entry(1 + 1e-6),
    "all a ten-thousandth too large": lambda A, p: right(A, p) * (1 + 1e-4),
    "rounded to float32": lambda A, p: right(A, p).float().double(),
}


def with_backward(rule: Rule) -> Callable[[Tensor], Tensor]:
    """``orthogonalize`` with this backward."""

    class Hand(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, V: Tensor) -> Tensor:
            X = V - V.mean(1, keepdim=True)
            eigenvalues, D = torch.linalg.eigh(X @ X.mT)
            s = eigenvalues.sqrt()
            W: Tensor = (D / s) @ D.mT @ X
            ctx.save_for_backward(W, D, s)
            return W

        @staticmethod
        def backward(ctx: Any, A: Tensor) -> Tensor:
            return rule(A, dict(zip(("W", "D", "s"), ctx.saved_tensors, strict=True)))

    return Hand.apply


def subject(fault: str | None) -> Callable[[Tensor], Tensor]:
    if fault is None:
        return orthogonalize
    return with_backward(right if fault == "none" else FAULTS[fault])
