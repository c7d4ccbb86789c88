"""Contract, continued: will it run where its weight lies?  No other device is needed to see that it will not."""

from __future__ import annotations

import torch

from wnverify.auditing.context import Context
from wnverify.auditing.placing import misplaced
from wnverify.auditing.points import generic
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict


@check("contract.device", asks="Is every tensor that it makes or keeps placed on the weight's device?")
def device(look: Context, sheet: Sheet) -> None:
    for shape in ((5, 12), (3, 5), (4, 2, 3, 3)):
        for point in look.usable([generic(shape, look.seed)]):
            instance = look.build(point.weight)

            def step() -> None:
                leaf = point.V.clone().requires_grad_()  # noqa: B023
                out = instance.at(leaf)  # noqa: B023
                if out.grad_fn is not None:  # a projection may give back the very weight, or a view without a graph
                    torch.autograd.grad(out, leaf, torch.ones_like(out))

            found = misplaced(step, instance.module)
            said = f"{', '.join(found)} would meet a tensor that stays on the CPU" if found else ""
            sheet.add(point.name, Verdict.HAZARD if found else Verdict.PASS, said, route="simulation")
