"""Correct pieces that the penalties share: a custom function with a scalar value, shrinkage, Gram residuals.

Every matrix here is two-dimensional, one row an output unit; ``V.flatten(1)`` is done by the variant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, cast

import torch
from torch import Tensor

Value = Callable[[Tensor], Tensor]
Gradient = Callable[[Tensor], Tensor]
Facts = dict[str, object]

OF_ROWS: Final[Facts] = {"permutation_equivariant_rows": True}
ROTATED: Final[Facts] = {"rotation_equivariant": True, "permutation_equivariant_rows": True}
CONVEX: Final[Facts] = {**OF_ROWS, "convex": True, "is_prox_of_penalty": True}
CONVEX_ROTATED: Final[Facts] = {**ROTATED, "convex": True, "is_prox_of_penalty": True}


class _HandWritten(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(V: Tensor, value: Value, gradient: Gradient) -> Tensor:
        return value(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        V, _, ctx.gradient = inputs
        ctx.save_for_backward(V)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (V,) = ctx.saved_tensors
        return cotangents[0] * ctx.gradient(V), None, None


_HandWritten.forward.__signature__ = inspect.signature(_HandWritten.forward)  # type: ignore[attr-defined]


def hand_written(V: Tensor, value: Value, gradient: Gradient) -> Tensor:
    """``value(V)`` on the flattened rows of V, with ``gradient(V)`` times the cotangent as its backward."""
    return cast(Tensor, _HandWritten.apply(V.flatten(1), value, gradient))  # type: ignore[no-untyped-call]


def norms(V: Tensor) -> Tensor:
    """Euclidean norms of the rows, shape ``(out, 1)``."""
    length: Tensor = torch.linalg.vector_norm(V, dim=1, keepdim=True)
    return length


def widened(V: Tensor) -> Tensor:
    """V in float32 where it is narrower, else V."""
    return V.float() if V.dtype in (torch.bfloat16, torch.float16) else V


def shrunk(W: Tensor, threshold: float) -> Tensor:
    """``sign(w) max(|w| − threshold, 0)`` entry by entry."""
    return W.sign() * (W.abs() - threshold).clamp_min(0)


def groups_shrunk(W: Tensor, threshold: float) -> Tensor:
    """``w_i max(1 − threshold / ‖w_i‖, 0)`` row by row; a zero row stays."""
    X = W.flatten(1)
    sizes = norms(X)
    return (X * (1 - threshold / sizes.clamp_min(max(threshold, 1e-30))).clamp_min(0)).reshape(W.shape)


def gram_residual(W: Tensor) -> Tensor:
    """``W Wᵀ − I``."""
    return W @ W.mT - torch.eye(len(W), dtype=W.dtype, device=W.device)


def gram_loss(W: Tensor) -> Tensor:
    """``‖W Wᵀ − I‖²``, summed in float32 at least."""
    return gram_residual(widened(W)).square().sum().to(W.dtype)


def gram_gradient(W: Tensor) -> Tensor:
    """``4 (W Wᵀ − I) W``."""
    X = widened(W)
    return (4 * gram_residual(X) @ X).to(W.dtype)
