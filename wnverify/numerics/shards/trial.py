"""One map at one weight, whole or distributed: value, gradient and one step of SGD, by the same lines of code.

Without a mesh the weight is whole: what a process of a group finds is compared with that.  ``way`` is how the weight
is distributed: as a DTensor over the processes by rows (``shard0``), by columns (``shard1``), in copies
(``replicate``), under FSDP2 (``fsdp``: rows, gathered for the layer's forward) or DDP (``ddp``: copies of an ordinary
tensor, their gradients averaged).  Under the last two a linear layer sees the identity matrix as its batch, each
process its share of it, so that outputs are columns of W and the gradients of all shares add up to that of the whole.
"""

from __future__ import annotations

import dataclasses
import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from wnverify.primitives.distributed import aligned, beside, whole
from wnverify.primitives.layout import to_rows

PLACEMENTS: Final = ("shard0", "shard1", "replicate")
WAYS: Final = (*PLACEMENTS, "fsdp", "ddp")
RATE: Final = 0.125
"""Of the step: a power of two, so that it rounds nothing."""

Answer = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is tried, as its user would use it; a kind of ``parametrization``, ``projection`` or ``penalty``.

    ``function``: of the tensors (V first, the ``others`` beside it) what it maps them to.  ``module``: what holds
    parameters and buffers of its own.  ``transform``: of the rows of W and G the gradient that the optimiser sees.
    ``put_on``: on a model whose layer ``"0"`` is linear, given the optimiser (None for a parametrization, which comes
    first).  ``penalty``: the model's penalty.
    """

    kind: str
    function: Callable[..., Tensor]
    others: Sequence[Tensor] = ()
    module: nn.Module | None = None
    transform: Callable[[Tensor, Tensor], Tensor] | None = None
    put_on: Callable[[nn.Module, Optimizer | None], object]
    penalty: Callable[[nn.Module], Tensor] | None = None


def run(
    mesh: Any,
    maker: str,
    given: Mapping[str, Any],
    way: str,
    V: Sequence[Any],
    A: Sequence[Any],
    dtype: str,
    scale: float = 1.0,
    rate: float = RATE,
    step: bool = True,
) -> Answer:
    """``value``, ``gradient`` and ``step`` as nested lists, and what they needed.

    ``maker`` (``module:function``) makes the candidate from V and ``given``.  ``A``: the cotangent of W, of V's shape;
    ``scale``: that of a penalty; ``rate``: of the step.  ``columns``: those of W that this process's share of the
    batch has shown.  Without ``step`` the answer ends before it.
    """
    module, _, name = maker.partition(":")
    weight, cotangent = (torch.tensor(X, dtype=getattr(torch, dtype)) for X in (V, A))
    candidate: Candidate = getattr(importlib.import_module(module), name)(weight, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if way in PLACEMENTS:
            return _as_tensor(mesh, candidate, way, weight, cotangent, scale, rate, step)
        return _in_training(mesh, candidate, way, weight, cotangent, scale, rate, step)


def _as_tensor(
    mesh: Any, of: Candidate, way: str, V: Tensor, A: Tensor, scale: float, rate: float, step: bool
) -> Answer:
    place = _placing(mesh, way)
    leaf = nn.Parameter(place(V))
    others = [_like(X, V, mesh, way) for X in of.others]
    if of.module is not None and mesh is not None:
        _replicated(of.module, mesh)
    answer: Answer = {}
    with Counting() as counted:
        W = of.function(aligned(leaf), *others)
    answer |= {"weight_bytes": V.numel() * V.element_size(), "gathered_bytes": counted.gathered}
    answer |= {"collectives": counted.calls, "placement": _said(W)}
    answer["value"] = listed(W)
    if of.kind == "projection":
        if of.transform is not None:
            answer["gradient"] = listed(of.transform(to_rows(place(V), 0, 1), to_rows(place(A), 0, 1)))
        return answer | ({"step": _constrained_step(of, place, V, A, rate)} if step else {})
    if list(W.shape) != (list(A.shape) if of.kind == "parametrization" else []):
        return answer
    optimizer = SGD([leaf], lr=rate)
    loss = (W * beside(A, W)).sum() if of.kind == "parametrization" else W * scale
    whole(loss).backward()  # type: ignore[no-untyped-call]
    if leaf.grad is None:
        return answer
    answer["gradient"] = listed(leaf.grad)
    if not step:
        return answer
    optimizer.step()
    return answer | {"step": listed(leaf)}


def untouched(V: Tensor, kind: str) -> Candidate:
    """The map W = V, or the penalty Σ w: what torch itself refuses of it no method is to blame for."""

    def nothing(model: nn.Module, optimizer: Optimizer | None) -> None:
        """No method."""

    if kind == "penalty":

        def penalty(model: nn.Module) -> Tensor:
            return whole(aligned(model.get_submodule("0").get_parameter("weight")).sum())

        return Candidate(kind=kind, function=torch.sum, put_on=nothing, penalty=penalty)
    return Candidate(kind=kind, function=lambda W: 1.0 * W, put_on=nothing)


def _constrained_step(of: Candidate, place: Callable[[Tensor], Tensor], V: Tensor, A: Tensor, rate: float) -> Any:
    model = _layer(V)
    model[0].weight = nn.Parameter(place(V))
    optimizer = SGD(model.parameters(), lr=rate)
    of.put_on(model, optimizer)
    model[0].weight.grad = place(A)
    optimizer.step()
    return listed(model[0].weight)


def _in_training(
    mesh: Any, of: Candidate, way: str, V: Tensor, A: Tensor, scale: float, rate: float, step: bool
) -> Answer:
    model = _layer(V)
    if of.kind == "parametrization":
        of.put_on(model, None)
    run_model: nn.Module = model
    if mesh is not None and way == "fsdp":
        from torch.distributed.fsdp import fully_shard

        fully_shard(model[0], mesh=mesh)
        fully_shard(model, mesh=mesh)
    elif mesh is not None:
        run_model = nn.parallel.DistributedDataParallel(model)
    optimizer = SGD(model.parameters(), lr=rate)
    if of.kind != "parametrization":
        of.put_on(model, optimizer)
    world, rank = (1, 0) if mesh is None else (mesh.size(), mesh.get_local_rank())
    share = [part[rank] for part in (torch.eye(V.shape[1], dtype=V.dtype).tensor_split(world), A.T.tensor_split(world))]
    out = run_model(share[0])
    answer: Answer = {"columns": listed(out.T)}
    # The gradients of the shares are averaged, and a penalty is the same in every process.
    loss = world * (out * share[1]).sum()
    if of.penalty is not None:
        value = of.penalty(model)
        answer["value"] = listed(value)
        loss = loss + scale * value
    loss.backward()
    trained = next((p for p in model.parameters() if p.shape == V.shape), None)
    if trained is None or trained.grad is None:
        return answer
    answer["gradient"] = listed(trained.grad)
    if not step:
        return answer
    optimizer.step()
    return answer | {"step": listed(trained)}


def _layer(V: Tensor) -> nn.Sequential:
    kind: Any = {2: nn.Linear, 3: nn.Conv1d, 4: nn.Conv2d}[V.dim()]
    layer = kind(V.shape[1], V.shape[0], *([tuple(V.shape[2:])] if V.dim() > 2 else []), bias=False, dtype=V.dtype)
    with torch.no_grad():
        layer.weight.copy_(V)
    return nn.Sequential(layer)


def _placing(mesh: Any, way: str) -> Callable[[Tensor], Tensor]:
    if mesh is None:
        return lambda X: X.clone()
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    placement = {"shard0": Shard(0), "shard1": Shard(1), "replicate": Replicate()}[way]
    return lambda X: distribute_tensor(X.clone(), mesh, [placement])


def _like(X: Tensor, V: Tensor, mesh: Any, way: str) -> Tensor:
    """A tensor beside V (a gain): by rows where V is and there is one for each row, else replicated."""
    rows = way == "shard0" and X.dim() > 0 and X.shape[0] == V.shape[0]
    return _placing(mesh, "shard0" if rows else "replicate")(X)


def _replicated(module: nn.Module, mesh: Any) -> None:
    """Its own parameters and buffers as DTensors, as torch itself does it."""
    from torch.distributed.tensor import distribute_module

    distribute_module(module, mesh)


def listed(tensor: Tensor) -> Any:
    """The whole tensor as nested lists of float64."""
    return whole(tensor.detach()).double().tolist()


def _said(W: Tensor) -> str:
    placements = getattr(W, "placements", None)
    return "an ordinary tensor" if placements is None else ", ".join(map(str, placements))


class Counting(TorchDispatchMode):
    """Counts the collectives that distributed tensors call for, and the bytes that each process gathers by them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: dict[str, int] = {}
        self.gathered = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(issubclass(kind, Tensor) and kind.__name__ == "DTensor" for kind in types):
            return NotImplemented
        out = func(*args, **(kwargs or {}))
        space, _, name = str(func.name()).partition("::")
        name = name.partition(".")[0]
        if space == "_c10d_functional" and name.startswith(("all_", "reduce_", "broadcast")):
            self.calls[name] = self.calls.get(name, 0) + 1
            if name == "all_gather_into_tensor":
                self.gathered += out.numel() * out.element_size()
        return out
