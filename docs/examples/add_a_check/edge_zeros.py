"""Edge, continued: the two zeros of floating-point numbers.

A mask that prunes a negative weight by multiplication leaves -0.0.  Every function of real numbers has one value at
zero, and each rounded operation keeps it, so that the comparison is exact: only a division by zero, or a look at the
sign bit, tells the zeros apart.
"""

from __future__ import annotations

import torch

from wnverify.auditing.checks.edge import base_of
from wnverify.auditing.context import Context, witness_of
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict


@check("edge.negative_zero", asks="Is W the same where a pruned weight is -0.0 in the place of 0.0?")
def negative_zero(look: Context, sheet: Sheet) -> None:
    positive = base_of(look)
    positive[:, 0] = 0.0
    negative = positive.clone()
    negative[:, 0] = -0.0
    if not look.accepts(positive, "column 0 pruned"):
        return
    with torch.no_grad():
        W, other = (look.build(V).at(V) for V in (positive, negative))
    if torch.equal(W, other):
        sheet.add("column 0 pruned", Verdict.PASS)
    else:
        change = float((W - other).abs().max())
        said = f"an entry of W moves by {change:.2g} with the sign of a zero of V"
        sheet.add("column 0 pruned", Verdict.HAZARD, said, witness=witness_of(negative))
