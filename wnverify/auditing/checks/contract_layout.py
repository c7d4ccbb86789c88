"""Contract, continued: weights that are not laid out row by row."""

from __future__ import annotations

import torch
from torch import Tensor

from wnverify.auditing.checks.contract import difference, ratio_of
from wnverify.auditing.context import Context, first_line
from wnverify.auditing.points import Point, generic
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict


@check("contract.layout", asks="Do non-contiguous weights give the value and gradient of their contiguous copies?")
def layout(look: Context, sheet: Sheet) -> None:
    for shape in ((3, 5), (4, 4), (7, 3), (4, 2, 3, 3)):
        found = look.usable([generic(shape, look.seed)])
        if not found:
            continue
        point = found[0]
        cotangent = look.cotangent(point.V, look.seed_for("layout", shape))
        with torch.no_grad():
            expected = look.build(point.weight).at(point.V)
        pulled = _gradient(look, point, point.V, cotangent)
        for name, V in _layouts(point.V):
            case = f"{point.name} {name}"
            try:
                with torch.no_grad():
                    out = look.build(point.weight).at(V)
                gradient = None if pulled is None else _gradient(look, point, V, cotangent)
            except Exception as error:  # foreign code may raise anything (a view of strides that allow none)
                sheet.add(case, Verdict.HAZARD, f"raises {type(error).__name__}: {first_line(error)}", route="exact")
                continue
            sheet.compare(case, difference(out, expected, look, point), "the value differs")
            if pulled is not None and gradient is not None:
                sheet.compare(f"{case}, gradient", ratio_of(gradient, pulled, 1e3), "the gradient differs")


def _layouts(V: Tensor) -> list[tuple[str, Tensor]]:
    wide = torch.zeros(*V.shape[:-1], 2 * V.shape[-1], dtype=V.dtype)
    wide[..., ::2] = V
    offset = torch.cat([torch.zeros_like(V[:1]), V])[1:]
    made = [("transposed", V.mT.contiguous().mT), ("strided", wide[..., ::2]), ("with an offset", offset)]
    if V.dim() == 4:
        made.append(("channels_last", V.contiguous(memory_format=torch.channels_last)))
    return made


def _gradient(look: Context, point: Point, V: Tensor, cotangent: Tensor) -> Tensor | None:
    """The gradient at V with V's own strides, or None where the map has none."""
    if "gradient" not in look.subject.capabilities:
        return None
    instance = look.build(point.weight)
    leaf = V.detach().requires_grad_()
    out = instance.at(leaf)
    if not out.requires_grad:
        return None
    return torch.autograd.grad(out, leaf, cotangent)[0]
