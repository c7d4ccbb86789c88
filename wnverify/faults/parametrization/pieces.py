# mypy: disable-error-code="no-any-return"
# torch.linalg has no types.
"""Correct pieces that the variants share: row maps, the polar factor with its backward, a custom function.

Every matrix here is two-dimensional, one row an output unit; ``V.flatten(1)`` is done by the variant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, cast

import torch
from torch import Tensor

Forward = Callable[[Tensor], Tensor]
Backward = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(V, W, G) -> ∂L/∂V``, with W = f(V) and G = ∂L/∂W."""
Facts = dict[str, object]

UNIT_ROWS: Final[Facts] = {
    "unit_norm_rows": True,
    "scale_invariant": True,
    "row_scale_invariant": True,
    "odd": True,
    "rotation_equivariant": True,
    "permutation_equivariant_rows": True,
    "gradient_orthogonal_to_weight": True,
}
CENTRED_UNIT_ROWS: Final[Facts] = {
    "unit_norm_rows": True,
    "zero_mean_rows": True,
    "scale_invariant": True,
    "row_scale_invariant": True,
    "shift_invariant_rows": True,
    "odd": True,
    "permutation_equivariant_rows": True,
    "gradient_orthogonal_to_weight": True,
    "gradient_zero_mean": True,
}
POLAR: Final[Facts] = {
    "orthonormal_rows": True,
    "scale_invariant": True,
    "odd": True,
    "idempotent": True,
    "rotation_equivariant": True,
    "permutation_equivariant_rows": True,
}
WIDE: Final[Facts] = {"rows_le_cols": True, "full_rank": True}


class _HandWritten(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(V: Tensor, value: Forward, rule: Backward) -> Tensor:
        return value(V)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        V, _, ctx.rule = inputs
        ctx.save_for_backward(V, output)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        V, W = ctx.saved_tensors
        return ctx.rule(V, W, cotangents[0]), None, None


def read_once(function: type[torch.autograd.Function]) -> None:
    """``apply`` asks for the signature at every call; read once, it costs a tenth of the whole selftest less."""
    function.forward.__signature__ = inspect.signature(function.forward)  # type: ignore[attr-defined]


read_once(_HandWritten)


def hand_written(V: Tensor, value: Forward, rule: Backward) -> Tensor:
    """``value(V)`` on the flattened rows of V, differentiated by ``rule(V, W, G)``."""
    return call(_HandWritten, V.flatten(1), value, rule).reshape(V.shape)


def call(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    """``function.apply(*arguments)`` with its type."""
    return cast(Tensor, function.apply(*arguments))  # type: ignore[no-untyped-call]


def norms(V: Tensor) -> Tensor:
    """Euclidean norms of the rows, shape ``(out, 1)``."""
    return torch.linalg.vector_norm(V, dim=1, keepdim=True)


def dots(A: Tensor, B: Tensor) -> Tensor:
    """Inner products of the rows of A and of B, shape ``(out, 1)``."""
    return (A * B).sum(dim=1, keepdim=True)


def unit_rows(V: Tensor) -> Tensor:
    """``v / ‖v‖`` row by row."""
    return V / norms(V)


def unit_rows_backward(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
    """``(g − w⟨w, g⟩) / ‖v‖`` row by row."""
    return (G - W * dots(W, G)) / norms(V)


def centred(V: Tensor) -> Tensor:
    """``v − mean(v)`` row by row."""
    return V - V.mean(dim=1, keepdim=True)


def centred_unit_rows(V: Tensor) -> Tensor:
    """Centred weight normalization: ``(v − mean(v)) / ‖v − mean(v)‖``."""
    return unit_rows(centred(V))


def widened(V: Tensor) -> Tensor:
    """V in float32 where it is narrower (the factorizations know no half precision), else V."""
    return V.float() if V.dtype in (torch.bfloat16, torch.float16) else V


def polar(V: Tensor) -> Tensor:
    """The matrix with orthonormal rows nearest to V: ``A Bᵀ`` for the singular value decomposition ``A S Bᵀ``."""
    A, _, Bt = torch.linalg.svd(widened(V), full_matrices=False)
    return (A @ Bt).to(V.dtype)


def polar_backward(V: Tensor, W: Tensor, G: Tensor) -> Tensor:
    """``A [(M − Mᵀ)_ij / (s_i + s_j)] Bᵀ + A S⁻¹ Aᵀ G (I − B Bᵀ)`` with ``M = Aᵀ G B``: no gap divides."""
    A, s, Bt = torch.linalg.svd(widened(V), full_matrices=False)
    AtG = A.mT @ G.to(A.dtype)
    M = AtG @ Bt.mT
    turning = (M - M.mT) / (s[:, None] + s)
    leaving = (AtG - M @ Bt) / s[:, None]
    return (A @ (turning @ Bt + leaving)).to(V.dtype)


def inverse_sqrt(Gram: Tensor) -> Tensor:
    """``Sigma^(−1/2)`` of a symmetric positive definite matrix by its eigendecomposition."""
    eigenvalues, U = torch.linalg.eigh(Gram)
    return (U / eigenvalues.sqrt()) @ U.mT


def whitened(V: Tensor) -> Tensor:
    """``(V Vᵀ)^(−1/2) V``, which is ``polar(V)`` by another road."""
    X = widened(V)
    return (inverse_sqrt(X @ X.mT) @ X).to(V.dtype)
