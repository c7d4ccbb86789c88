"""A small second opinion on how a map is run and on what it costs; see fault_gradients.

What refuses to run is not wrong in silence: it counts as right here.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from fault_gradients import Subject, gradient, randn
from fault_interleaved import interleaved
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Map = Callable[[Tensor], Tensor]
EXACT, SINGLE = 1e-10, 2e-5
"""Rounding of float64 and of float32 on well-conditioned points, with digits to spare; bfloat16 leaves 4e-3."""
ROWS, GROWN = 8, 16
"""The costs of ``ROWS`` rows are compared with those of ``GROWN`` times as many; twice as many columns as rows."""
BATCH = 64


def stack() -> list[Tensor]:
    return [randn(3, 5, seed=60 + k) + 0.3 for k in range(3)]


def apart(found: Tensor, expected: Tensor, relative: float = EXACT) -> float:
    if found.shape != expected.shape:
        return math.inf
    wide = expected.detach().double()
    miss = float((found.detach().double() - wide).norm())
    return math.inf if math.isnan(miss) else miss / (relative * (float(wide.norm()) + 1e-3))


def step(f: Map, V: Tensor, relative: float, right: Map, backward: bool = True) -> float:
    """The value and the gradient of ``f`` against those of ``right``."""
    G = randn(*V.shape, seed=63).to(V.dtype)
    value = apart(f(V), right(V), relative)
    return max(value, apart(gradient(f, V, G), gradient(right, V, G), relative)) if backward else value


def compiled(subject: Subject) -> float:
    points = stack()
    torch._dynamo.reset()
    run, plain = torch.compile(subject.map(points[0]), backend="eager"), subject.map(points[0])
    return max(step(run, V, EXACT, plain) for V in points)


def exported(subject: Subject) -> float:
    """Values of a map with one tensor."""
    points = stack()
    f, plain = subject.map(points[0]), subject.map(points[0])
    if not isinstance(f, nn.Module):
        return 0.0
    with torch.no_grad():
        run: Any = torch.export.export(f, (points[0],)).module()
        return max(step(run, V, EXACT, plain, backward=False) for V in points)


def mapped(subject: Subject) -> float:
    """Stacks along the first axis and along the last, values and gradients."""
    points, G = stack(), randn(3, 5, seed=63)
    f, alone = subject.map(points[0]), subject.map(points[0])
    worst = 0.0
    for axis in (0, -1):
        given = torch.stack(points, axis)
        try:
            values = torch.func.vmap(f, in_dims=axis)(given)
            pulled = torch.func.vmap(torch.func.grad(lambda V: (f(V) * G).sum()), in_dims=axis)(given)
        except RuntimeError:  # no batching rule, or a state that a batch cannot be written into
            continue
        for V, W, P in zip(points, values, pulled, strict=True):
            worst = max(worst, apart(W, alone(V)), apart(P, gradient(alone, V, G)))
    return worst


def functional(subject: Subject) -> float:
    """Parameters handed to ``functional_call`` against the same ones written into a module, for one tensor beside."""
    V = stack()[0]
    host, other = subject.map(V), subject.map(V)
    if not isinstance(host, nn.Module) or not isinstance(other, nn.Module):
        return 0.0
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.25)
    tensors = {name: t.detach().clone() for name, t in (*other.named_parameters(), *other.named_buffers())}
    return apart(torch.func.functional_call(host, tensors, (V,)), other(V))


def autocast(subject: Subject) -> float:
    V = stack()[0].float()
    f, plain = subject.map(V), subject.map(V)

    def cast(X: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return f(X)

    try:
        cast(V)
    except RuntimeError:  # two types in one operator
        return 0.0
    return step(cast, V, SINGLE, plain)


def threads(subject: Subject) -> float:
    """Value and gradient while a second thread calls; in evaluation, where maps are shared."""
    V, other, G = *stack()[:2], randn(3, 5, seed=63)
    f, plain = (m.eval() if isinstance(m, nn.Module) else m for m in (subject.map(V), subject.map(V)))

    def step() -> tuple[Tensor, Tensor]:
        leaf = V.clone().requires_grad_()
        W = f(leaf)
        return W, torch.autograd.grad(W, leaf, G)[0]

    (W, pulled), found, raised = interleaved(step, lambda: f(other).detach())
    second = max((apart(X, plain(other)) for X in found), default=0.0)
    return max(math.inf if raised else 0.0, second, apart(W, plain(V)), apart(pulled, gradient(plain, V, G)))


def device(subject: Subject) -> float:
    """Whether what is made on the way follows the weight, and what is kept the module; numbers are not computed.

    The former without a device would lie on the meta device, beside a weight of the CPU; the latter, left behind by
    ``to``, on the CPU, beside a weight of the meta device.
    """
    V = stack()[0]
    far, f, module = V.to("meta"), subject.map(V), subject.build(V)
    beside = () if len(inspect.signature(module.forward).parameters) == 1 else (module.right_inverse(V)[0].to("meta"),)
    module.to("meta")
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            gradient(lambda X: module(*beside, X), far, far)
            with torch.device("meta"):
                gradient(f, V, V)
    except RuntimeError as error:
        if "device" not in str(error):
            raise
        return math.inf
    return 0.0


class Ledger(TorchDispatchMode):
    """The operators that were called, the bytes that they gave back and the entries of the largest tensor among them,
    the work of matrix products; views are free."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.bytes = 0
        self.largest = 0
        self.work = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.calls += 1
            made = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
            self.bytes += sum(t.nbytes for t in made)
            self.largest = max([self.largest, *(t.numel() for t in made)])
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.bmm, torch.ops.aten.mv):
            self.work += 2 * out.numel() * args[0].shape[-1]
        return out


def ledgers(subject: Subject) -> Iterator[Ledger]:
    for n in (ROWS, GROWN * ROWS):
        V = randn(n, 2 * n, seed=64) + 0.3
        f = subject.map(V)
        with Ledger() as ledger:
            gradient(f, V, torch.ones_like(V))
        yield ledger


def calls(subject: Subject) -> float:
    """As many for a large weight as for a small one; twice as many are let pass."""
    small, large = ledgers(subject)
    return large.calls / (2 * max(small.calls, 1))


def memory(subject: Subject) -> float:
    """Growth beside that of the weight's entries; twice as much is let pass."""
    small, large = ledgers(subject)
    return large.bytes / (2 * GROWN**2 * max(small.bytes, 1))


def work(subject: Subject) -> float:
    """Matrix products of a step beside those of the layer itself at a small batch, as wide as kernels are."""
    V = randn(64, 1024, seed=65) + 0.3
    f = subject.map(V)
    with Ledger() as ledger:
        gradient(f, V, torch.ones_like(V))
    return ledger.work / (3 * 2 * BATCH * V.numel())


PROBES: dict[str, Callable[[Subject], float]] = {
    "execution.compile": compiled,
    "execution.export": exported,
    "execution.vmap": mapped,
    "execution.functional_call": functional,
    "execution.autocast": autocast,
    "execution.threads": threads,
    "contract.device": device,
    "cost.calls": calls,
    "cost.memory": memory,
    "cost.work": work,
}
