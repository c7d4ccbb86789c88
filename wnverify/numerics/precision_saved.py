"""What a method's forward keeps for its backward: which dtypes, how many bytes beside the weight."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wnverify.finding import Evidence, Finding, Json, Verdict, seed_of
from wnverify.numerics import matrices
from wnverify.numerics.judge import Subject, attempt, finding, said
from wnverify.numerics.precision_accuracy import measured_check
from wnverify.numerics.precision_cases import HALVES, Row, held

SHAPE: Final = (16, 72)
"""A layer's proportions: a number a row, a number a column and n² numbers are told apart from n d."""


def saved(subject: Subject, row: Row) -> Finding:
    """``hazard`` where the backward of a half precision weight keeps float64 numbers of the order of the weight, more
    than one a row and column; or where anything keeps more bytes than every result of the forward together.

    That sum is what plain autograd keeps at most.  Figures: ``bytes`` by dtype of all kept tensors that are not the
    weight itself, each storage once, ``weight`` and ``plain`` (the bytes of the weight and of every result).
    """
    V = (matrices.normal(*SHAPE, seed=seed_of(subject.seed, "precision", *SHAPE)) + 0.3) / 8  # squares of float16 too
    case = subject.fit(matrices.Typed("saved", held(V, row.format), V), row.format)
    route = _route(subject, row, None if case is None else case.V)
    asked = "Is what is kept for the backward narrow, and no more than plain autograd would keep?"
    return finding(subject, measured_check(subject, "saved"), row.label, asked, [route])


def _route(subject: Subject, row: Row, V: Any) -> Evidence:
    if V is None:
        note = f"no value that {row.format} holds at this size"
        return Evidence(route="arithmetic", verdict=Verdict.INCONCLUSIVE, note=note)
    leaf = torch.tensor(V, dtype=row.dtype, device=subject.device, requires_grad=True)
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _Results() as results:
        W = attempt(subject.map.implementation, leaf)
    if isinstance(W, Exception):
        return Evidence(route="arithmetic", verdict=Verdict.FAIL, note=said(W))
    kept.pop(leaf.untyped_storage().data_ptr(), None)
    by_dtype: dict[str, Json] = {}
    for tensor in kept.values():
        name = str(tensor.dtype).removeprefix("torch.")
        by_dtype[name] = by_dtype.get(name, 0) + tensor.untyped_storage().nbytes()  # type: ignore[operator]
    weight, total = leaf.untyped_storage().nbytes(), sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    wide = [t for t in kept.values() if t.dtype == torch.float64 and t.numel() > sum(leaf.shape)]
    causes = []
    if row.format in HALVES and wide:
        causes.append(
            f"float64 of shape {', '.join(str(tuple(tensor.shape)) for tensor in wide)} for a {row.format} weight"
        )
    if total > results.bytes:
        causes.append(f"more than all results of the forward, {results.bytes} bytes")
    listed = ", ".join(f"{count} of {name}" for name, count in sorted(by_dtype.items())) or "nothing"
    return Evidence(
        route="arithmetic",
        verdict=Verdict.HAZARD if causes else Verdict.PASS,
        note=f"kept beside the weight ({weight} bytes): {listed}" + "".join(f"; {cause}" for cause in causes),
        figures={"bytes": by_dtype, "weight": weight, "plain": results.bytes, "shape": list(V.shape)},
    )


class _Results(TorchDispatchMode):
    """The bytes of every result that is no view."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            for tensor in found if isinstance(found, list | tuple) else (found,):
                self.bytes += tensor.numel() * tensor.element_size() if isinstance(tensor, Tensor) else 0
        return found
