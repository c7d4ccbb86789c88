"""What every differentiable function of the house is built from: one base, and the pieces of its rules.

A leaf of ``Rule`` states ``forward``, ``setup_context``, ``backward``, ``jvp`` and ``vmap`` as static methods and is
called by ``call``.  Its tensors have leading batch axes, so that ``batched`` is all that ``vmap`` needs; a jvp runs in
``tangents``.  Values are looked at only where ``looking()``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import _set_fwd_grad_enabled, unpack_dual

from wnverify.primitives.distributed import filled

_FORMAT: Final = {torch.float32: (127, 23, torch.int32), torch.float64: (1023, 52, torch.int64)}
"""Bias of the exponent, bits of the mantissa, integers as wide."""
_VMAP_VIEWS_BITS: Final = bool(torch._C._dispatch_has_kernel_for_dispatch_key("aten::view.dtype", "FuncTorchBatched"))
FLOATING: Final = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def working(V: Tensor) -> Tensor:
    """V in float32 or float64: itself, or an exact copy for bfloat16 and float16; errors as ``check_weight``.

    Of a distributed V every process holds a part (``filled``).
    """
    check_weight(V)
    if V.dtype in (torch.float32, torch.float64):
        return filled(V)
    return filled(V.float())


def check_weight(V: Tensor, name: str = "V") -> None:
    """``TypeError`` unless V is a tensor of real floating numbers, ``ValueError`` where it has no row or no column."""
    if not isinstance(V, Tensor):
        raise TypeError(f"{name} must be a tensor; got {type(V).__name__}")
    if V.dtype not in FLOATING:
        raise TypeError(f"{name} must be a real floating tensor (float64, float32, bfloat16 or float16); got {V.dtype}")
    if 0 in V.shape[-2:]:
        raise ValueError(f"{name} must have at least one row and one column; got shape {tuple(V.shape)}")


def check_gradient(W: Tensor, G: Tensor) -> None:
    """``TypeError`` or ``ValueError`` unless G is a gradient of W: a tensor of its shape and dtype."""
    check_weight(W, "W")
    if not isinstance(G, Tensor) or G.dtype != W.dtype:
        raise TypeError(f"G must have the dtype {W.dtype} of W; got {getattr(G, 'dtype', type(G).__name__)}")
    if G.shape != W.shape:
        raise ValueError(f"G must have the shape {tuple(W.shape)} of W; got {tuple(G.shape)}")


def looking() -> bool:
    """Whether values may be looked at: not inside ``torch.compile``, where that would break the graph.

    There undefined input is not refused but gives NaN.
    """
    return not torch.compiler.is_compiling()


class Rule(Function):
    """A function with its own derivatives and batching rule, which ``torch.compile(fullgraph=True)`` can trace as well.

    The compiler refuses a ``Function`` that has a jvp (seen with torch 2.13), so every leaf gets a twin without jvp and
    vmap, which ``traced`` applies.  Inside a compiled graph ``torch.func`` therefore differentiates the forward itself,
    operation by operation: right where the forward is made of differentiable operations, and never silently zero.
    """

    traced: Callable[..., Any]

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        rules = {name: cls.__dict__[name] for name in ("forward", "setup_context", "backward")}
        twin: Any = type(f"{cls.__name__}Traced", (Function,), {**rules, "__module__": cls.__module__})
        # A static method in plain Python: the one kind of attribute of a Function that the compiler follows.
        cls.traced = staticmethod(lambda *arguments: twin.apply(*arguments))


def call(function: type[Rule], *arguments: Any) -> Any:
    """The function of its arguments, by its twin under ``torch.compile``."""
    if looking():
        return function.apply(*arguments)  # type: ignore[no-untyped-call]
    return function.traced(*arguments)


def batched(info: Any, in_dims: tuple[Any, ...], arguments: tuple[Any, ...]) -> list[Any]:
    """The batching rule: all functions take leading batch axes, so the new axis goes to the front of every tensor."""
    return [
        argument
        if not isinstance(argument, Tensor)
        else argument.expand(info.batch_size, *argument.shape)
        if dim is None
        else argument.movedim(dim, 0)
        for argument, dim in zip(arguments, in_dims, strict=True)
    ]


def exactly(tensor: Tensor) -> torch.autocast:
    """Autocast off: a Gram matrix in bfloat16 would ruin the weight under any mixed-precision training loop."""
    return torch.autocast(tensor.device.type, enabled=False)


def dot(A: Tensor, B: Tensor) -> Tensor:
    """⟨a_i, b_i⟩ of the rows, (*batch, n, 1), without a product of size n d in between."""
    with exactly(A):
        inner: Tensor = torch.linalg.vecdot(A, B)
        return inner.unsqueeze(-1)


@contextlib.contextmanager
def tangents(ctx: Any) -> Iterator[tuple[Tensor, ...]]:
    """What every jvp rule runs in: autocast off, forward mode on, and what ``ctx`` saved, without its own tangents.

    PyTorch calls a custom jvp with forward mode switched off, so that the *outer* tangents of a nested ``jacfwd`` or
    ``jvp`` are lost without a word and second derivatives come out as zero (seen with torch 2.13).  Switched on, a
    saved input still carries the tangent of the *present* level, which the rule already accounts for: taken off here.
    """
    saved = tuple(unpack_dual(tensor).primal for tensor in ctx.saved_tensors)  # type: ignore[no-untyped-call]
    with exactly(saved[0]), _set_fwd_grad_enabled(True):
        yield saved


def power_scaled(V: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(V 2^-e, e), exact, largest |entry| along ``axes`` in [1/2, 1); less where that entry is subnormal or zero.

    A largest entry that is not finite stays so.
    """
    largest = V.detach().abs().amax(axes, keepdim=True)
    if _bits_are_out_of_reach():
        exponent = torch.frexp(largest)[1]
        return ldexp(V, -exponent), exponent
    bias, mantissa, integers = _FORMAT[V.dtype]
    # Not by ``torch.frexp``: inductor (torch 2.13) writes C++ for that of float64 which does not compile.
    exponent = torch.bitwise_right_shift(largest.view(integers), mantissa) - (bias - 1)
    return ldexp(V, -exponent), exponent


def ldexp(x: Tensor, exponent: Tensor) -> Tensor:
    """x 2^e in two steps, since 2^e alone may over- or underflow where the result does not.

    Not by ``torch.ldexp``, whose gradient is 0 at a negative integer exponent (seen with torch 2.13).
    """
    half = torch.bitwise_right_shift(exponent, 1)
    return x * _power_of_two(half, x.dtype) * _power_of_two(exponent - half, x.dtype)


def _power_of_two(exponent: Tensor, dtype: torch.dtype) -> Tensor:
    """2^e for e of normal numbers, put together from its bits: exact on every device.

    Not by ``<<`` and ``>>``: of a distributed tensor those give back their left side unshifted, without a word (seen
    with torch 2.13, which takes ``__lshift__`` for an in-place operation because its name ends in an underscore).
    """
    if _bits_are_out_of_reach():
        return torch.ldexp(torch.ones_like(exponent, dtype=dtype), exponent)
    bias, mantissa, integers = _FORMAT[dtype]
    return torch.bitwise_left_shift(exponent.to(integers) + bias, mantissa).view(dtype)


def _bits_are_out_of_reach() -> bool:
    """Whether this runs inside a function transform of a PyTorch whose ``vmap`` views no number as its bits (2.9)."""
    if _VMAP_VIEWS_BITS or torch.compiler.is_compiling():
        return False
    return torch._C._functorch.peek_interpreter_stack() is not None
