"""Contract of the proximal operator that stands beside a penalty."""

from __future__ import annotations

import torch
from torch import Tensor

from wnverify.auditing.context import Context, first_line
from wnverify.auditing.points import KERNEL_SHAPES, generic
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.target import PENALTY
from wnverify.finding import Verdict

STEP = 0.5


@check(
    "contract.prox",
    asks="Gives prox(W, step) a finite weight of the shape and dtype of W, the same each time, and leaves W as it was?",
    needs=("prox",),
    kinds=(PENALTY,),
)
def prox(look: Context, sheet: Sheet) -> None:
    for point in [*look.generic_points(), *look.usable(generic(shape, look.seed) for shape in KERNEL_SHAPES)]:
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            W = point.V.to(dtype)
            case = f"{point.name} {str(dtype).removeprefix('torch.')}"
            given = W.clone()
            try:
                instance = look.build(point.weight).to(dtype)
                first, second = instance.prox(given, STEP), instance.prox(given, STEP)
            except Exception as error:  # foreign code may raise anything; what it raised is the finding
                verdict = Verdict.UNSUPPORTED if dtype.itemsize < 4 else Verdict.HAZARD
                sheet.add(case, verdict, f"{type(error).__name__}: {first_line(error)}", route="exact")
                continue
            said = _wrong(W, given, first, second)
            sheet.add(case, Verdict.FAIL if said else Verdict.PASS, said, route="exact")


def _wrong(W: Tensor, given: Tensor, first: Tensor, second: Tensor) -> str:
    if not torch.equal(W, given):
        return f"prox changed {int((given != W).sum())} entries of its input"
    if first.shape != W.shape or first.dtype != W.dtype:
        return f"prox gives {first.dtype} of shape {tuple(first.shape)} for {W.dtype} of shape {tuple(W.shape)}"
    if not bool(torch.isfinite(first).all()):
        return "the proximal point is not finite at an ordinary weight"
    return "" if torch.equal(first, second) else "prox gives another point at the second call"
