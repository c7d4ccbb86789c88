"""Right when called plainly; compiled, exported, mapped, cast, called functionally or by two threads something else."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import UNIT_ROWS, Facts, call, dots, norms, unit_rows, unit_rows_backward


class CompiledShortcut(nn.Module):
    """Inside a compiled graph ``eps`` is added to the norm, which is left out elsewhere."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        size = norms(X) + 1e-3 if self.shortened() else norms(X)
        return (X / size).reshape(V.shape)

    def shortened(self) -> bool:
        return torch.compiler.is_compiling() and not torch.compiler.is_exporting()


class ExportedShortcut(CompiledShortcut):
    """What is exported has the ``eps`` that the plain call leaves out."""

    def shortened(self) -> bool:
        return torch.compiler.is_exporting()


class CompiledBackward(nn.Module):
    """Inside a compiled graph the norm is detached: the value is right, the gradient not."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        size = norms(X.detach()) if torch.compiler.is_compiling() else norms(X)
        return (X / size).reshape(V.shape)


class _FirstAxisMapped(torch.autograd.Function):
    @staticmethod
    def forward(X: Tensor) -> Tensor:
        return unit_rows(X)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        X, W = ctx.saved_tensors
        return unit_rows_backward(X, W, cotangents[0])

    @staticmethod
    def vmap(info: Any, in_dims: Any, X: Any) -> Any:
        return X / torch.linalg.vector_norm(X, dim=-1, keepdim=True), in_dims[0]


class StackedOtherwise(nn.Module):
    """The batching rule takes the stack to be the first axis; stacked along the last, norms of other sets are taken."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_FirstAxisMapped, V.flatten(1)).reshape(V.shape)


class _NormOfStack(_FirstAxisMapped):
    @staticmethod
    def vmap(info: Any, in_dims: Any, X: Any) -> Any:
        X = X.movedim(in_dims[0], 0)
        return X / torch.linalg.vector_norm(X, dim=(0, 2), keepdim=True), 0


class NormOfStack(nn.Module):
    """The batching rule takes one norm for the same row of every weight of the stack."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        return call(_NormOfStack, V.flatten(1)).reshape(V.shape)


class GainReadOnce(nn.Module):
    """The gain is read through a list, which ``functional_call`` does not follow: what it is given there is ignored."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "row_scale_invariant": True, "odd": True}

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))
        self.own = [self.gain]

    def forward(self, V: Tensor) -> Tensor:
        return (unit_rows(V.flatten(1)) * self.own[0].to(V.dtype).exp()).reshape(V.shape)


class GramUnderAutocast(nn.Module):
    """The squared norms are the diagonal of a matrix product, which autocast computes in bfloat16."""

    DECLARES: ClassVar[Facts] = {"scale_invariant": True, "odd": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / (X @ X.mT).diagonal().to(X.dtype).sqrt()[:, None]).reshape(V.shape)


class _ProductInBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, X: Tensor) -> Tensor:
        W = unit_rows(X)
        ctx.save_for_backward(X, W)
        ctx.cast = torch.is_autocast_enabled("cpu")
        return W

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        X, W = ctx.saved_tensors
        G = cotangents[0]
        if ctx.cast:
            return (G - W * dots(W, G).to(torch.bfloat16)) / norms(X)
        return (G - W * dots(W, G)) / norms(X)


class BackwardUnderAutocast(nn.Module):
    """Under autocast the inner products of the backward are rounded to bfloat16; the value is right."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        made = _ProductInBackward.apply(V.flatten(1))  # type: ignore[no-untyped-call]
        return cast(Tensor, made).reshape(V.shape)


class ScratchShared(nn.Module):
    """The norms are put down on the module and read again on the next line: another thread's may stand there then."""

    DECLARES = UNIT_ROWS

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        self.norms = norms(X)
        return (X / self.norms).reshape(V.shape)


class ScratchBuffer(nn.Module):
    """The norms are written into one buffer that every call uses again."""

    DECLARES = UNIT_ROWS

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[object, Tensor] = {}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        size = norms(X)
        scratch = self.kept.setdefault((X.shape[0], X.dtype), torch.empty_like(size.detach()))
        scratch.copy_(size.detach())
        radius = size / size.detach()
        return (X / (scratch.clone() * radius)).reshape(V.shape)
