"""Ways to run one and the same map: laid out otherwise, mapped over a stack, under autocast, compiled, exported.

Every way takes a function V ↦ W and cases, and gives for each case what came: ``(W, G)``, G the gradient for the
case's cotangent (None where the map has none), or the exception with which it was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from wnverify.numerics.judge import Subject, attempt
from wnverify.numerics.matrices import Typed
from wnverify.quietly import quietly

Function = Callable[[Tensor], Tensor]
Came = tuple[Tensor, Tensor | None] | Exception
KERNEL: Final = 4
"""Columns of one 2 × 2 kernel."""


def transposed(X: Tensor) -> Tensor:
    """The same matrix, columns first in memory."""
    return X.mT.contiguous().mT


def sliced(X: Tensor) -> Tensor:
    """The same matrix as every second row and column of a larger one, with ordinary numbers around it.

    Not with NaN: a map that reads them by mistake would refuse them, which looks like a refusal of the layout.
    """
    n, d = X.shape
    around = X.new_full((2 * n + 1, 2 * d + 1), 3.0)
    around[1::2, 1::2] = X
    return around[1::2, 1::2]


def channels_last(X: Tensor) -> Tensor:
    """The same rows as 2 × 2 kernels, (n, d / 4, 2, 2), with the channels last in memory; d is a multiple of 4."""
    n, d = X.shape
    return X.reshape(n, d // KERNEL, 2, 2).contiguous(memory_format=torch.channels_last)


LAYOUTS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "transposed": transposed,
    "sliced": sliced,
    "channels last": channels_last,
}


def layouts(subject: Subject) -> list[str]:
    """Those that the map takes: the rows of W above those of G are a matrix, never kernels."""
    return [layout for layout in LAYOUTS if not (subject.map.stacked and layout == "channels last")]


def run(function: Function, subject: Subject, case: Typed, dtype: str, layout: str = "") -> Came:
    """Value and gradient of ``function`` at the case, both laid out as said, and given back as matrices."""
    came: Came = attempt(_pulled, function, subject, case, dtype, LAYOUTS.get(layout, lambda X: X))
    return came


def _pulled(
    function: Function, subject: Subject, case: Typed, dtype: str, layout: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor | None]:
    leaf = layout(subject.tensor(case.V, dtype)).detach()
    leaf.requires_grad_(subject.map.vjp is not None)
    W = function(leaf)
    value = W.detach().reshape(subject.map.reference(case.V).shape)
    if not leaf.requires_grad:
        return value, None
    A = subject.tensor(case.A, dtype)
    A = layout(A) if W.shape == leaf.shape else A.reshape(W.shape)
    (G,) = torch.autograd.grad(W, leaf, A)
    return value, G.reshape(case.V.shape)


def mapped(function: Function, subject: Subject, cases: Sequence[Typed], dtype: str, axis: int) -> list[Came]:
    """``torch.func.vmap`` of the map, and of its gradient, over a stack of cases of one shape along ``axis``."""

    def both(V: Tensor, A: Tensor) -> Any:
        if subject.map.vjp is None:
            return (function(V),)
        W, pull, *_ = torch.func.vjp(function, V)
        return W, pull(A)[0]

    def all_of_them() -> list[Came]:
        V, A = (
            torch.stack([subject.tensor(X, dtype) for X in stack], axis)
            for stack in ([case.V for case in cases], [case.A for case in cases])
        )
        found = torch.func.vmap(both, in_dims=axis)(V, A)
        return [(found[0][k], found[1][k] if len(found) > 1 else None) for k in range(len(cases))]

    with quietly():
        found = attempt(all_of_them)
    return [found] * len(cases) if isinstance(found, Exception) else found


def cast(function: Function, subject: Subject, cases: Sequence[Typed], dtype: str) -> list[Came]:
    """Forward and backward under ``torch.autocast`` to bfloat16 on the subject's device."""
    with torch.autocast(torch.device(subject.device).type, dtype=torch.bfloat16):
        return [run(function, subject, case, dtype) for case in cases]


def compiled(
    function: Function, subject: Subject, cases: Sequence[tuple[Typed, str]], dtype: str, backend: str
) -> list[Came]:
    """``torch.compile`` at each case, laid out as said; refused where every graph broke and nothing was compiled.

    One compiled function sees all cases, as in a program: the second shape makes it compile for any shape.
    """
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    try:
        with quietly():
            call = torch.compile(lambda V: function(V), backend=backend)
            found = [run(call, subject, case, dtype, layout) for case, layout in cases]
        compiled_any = counters["stats"]["unique_graphs"] > 0
        return found if compiled_any else [RuntimeError("every graph broke, nothing was compiled")] * len(cases)
    finally:
        torch._dynamo.reset()


class _Called(nn.Module):
    """A function as the module that the exporter takes."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, V: Tensor) -> Tensor:
        return self.function(V)


def exported(function: Function, subject: Subject, cases: Sequence[Typed], dtype: str) -> list[Came]:
    """The program of ``torch.export``, made at the first case, at all of them (of one shape)."""
    with quietly():
        given = (subject.tensor(cases[0].V, dtype),)
        program = attempt(lambda: torch.export.export(_Called(function), given).module())
        if isinstance(program, Exception):
            return [program] * len(cases)
        return [run(program, subject, case, dtype) for case in cases]
