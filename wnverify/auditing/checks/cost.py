"""Cost: what one forward and backward takes beside plain weight normalization and the layer's own matrix product.

Counted, not timed, so that the finding is the same everywhere: see ``wnverify.auditing.counted``.  The exponent in m of
a weight with m rows and 2m columns is rounded to the next whole number: what grows with a logarithm is no power more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from wnverify.auditing.context import Context, first_line
from wnverify.auditing.counted import Cost, cost_of, exponents
from wnverify.auditing.points import generic
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict

SIZES: Final = (32, 64, 128, 256)
GROWTH_SIZES: Final = SIZES[:3]
"""Enough for an exponent; the layer's own work is asked at the last of all sizes."""
BATCH: Final = 256
OF_PRODUCT: Final = 3
"""The work of a product of m×m matrices grows like m³."""
OF_WEIGHT: Final = 2
"""The entries of a weight, and the layer's activations at a fixed batch, grow no faster than m²."""


@check("cost.work", asks="Takes a step less work than a plainly normalized layer at batch 256, and grows no faster?")
def work(look: Context, sheet: Sheet) -> None:
    sizes, found = _counted(look, sheet, GROWTH_SIZES if look.quick else SIZES)
    if look.quick:
        sheet.note(f"quick: up to {GROWTH_SIZES[-1]} rows")
    if not found:
        return
    _grows(sheet, "work", sizes, [cost.work for cost in found], OF_PRODUCT, "a matrix product's")
    m, cost = sizes[-1], found[-1]
    plain = cost_of(_weight_normalization, _weight(look, m)).work
    own = 3 * 2.0 * BATCH * m * 2 * m + plain  # the layer's product, and two of the same size in its backward
    share = cost.work / own
    figures = {"work": cost.work, "of_the_layer": share, "of_weight_normalization": cost.work / plain}
    said = (
        f"{share:.3g} times the layer's own work at batch {BATCH}, {cost.work / plain:.3g} times weight normalization's"
    )
    dear = share > 1
    sheet.add(
        f"{m}x{2 * m}", Verdict.HAZARD if dear else Verdict.PASS, said if dear else "", route="exact", figures=figures
    )


@check("cost.memory", asks="Does the memory of a step grow no faster than the weight?")
def memory(look: Context, sheet: Sheet) -> None:
    sizes, found = _counted(look, sheet, GROWTH_SIZES)
    if not found:
        return
    plain = cost_of(_weight_normalization, _weight(look, sizes[-1]))
    for name, values, beside in (
        ("tensors kept for the backward", [float(cost.saved) for cost in found], plain.saved),
        ("tensors made on the way", [float(cost.made) for cost in found], plain.made),
    ):
        own = 8.0 * sizes[-1] * 2 * sizes[-1]
        figures = {
            "bytes": values[-1],
            "of_the_weight": values[-1] / own,
            "of_weight_normalization": values[-1] / beside,
        }
        _grows(sheet, name, sizes, values, OF_WEIGHT, "the weight's", figures)


@check("cost.calls", asks="Is the number of operations that it calls the same for a large weight as for a small one?")
def calls(look: Context, sheet: Sheet) -> None:
    sizes, found = _counted(look, sheet, GROWTH_SIZES)
    if found:
        counts = [float(cost.calls) for cost in found]
        figures = {"calls": dict(zip(map(str, sizes), counts, strict=True))}
        _grows(sheet, "operations called", sizes, counts, 0, "a map's without a loop", figures)


def _counted(look: Context, sheet: Sheet, sizes: Sequence[int]) -> tuple[tuple[int, ...], list[Cost]]:
    """The cost at each size that lies in the domain and is accepted; nothing where fewer than three do."""
    points = [(m, found[0]) for m in sizes if (found := look.usable([generic((m, 2 * m), look.seed)]))]
    if len(points) < 3:
        return (), []
    costs = []
    for _, point in points:
        instance = look.build(point.weight)
        try:
            costs.append(cost_of(instance.at, point.V))
        except Exception as error:  # some operators cannot be watched
            sheet.add(point.name, Verdict.UNSUPPORTED, f"{type(error).__name__}: {first_line(error)}", route="exact")
            return (), []
    for name in costs[-1].opaque:
        sheet.note(f"what happens inside {name} is not counted")
    return tuple(m for m, _ in points), costs


def _grows(
    sheet: Sheet,
    name: str,
    sizes: tuple[int, ...],
    values: Sequence[float],
    allowed: int,
    whose: str,
    figures: Mapping[str, object] | None = None,
) -> None:
    # The smaller sizes are overhead; the last two doublings tell.
    last = list(exponents(sizes, list(values)))[-2:]
    exponent = sum(last) / len(last)
    too_fast = round(exponent) > allowed
    said = f"exponent {exponent:.2f} in m, with m rows and 2m columns; {whose} is {allowed}" if too_fast else ""
    verdict = Verdict.HAZARD if too_fast else Verdict.PASS
    sheet.add(name, verdict, said, route="exact", figures={"exponent": exponent, **(figures or {})})


def _weight_normalization(V: Tensor) -> Tensor:
    W: Tensor = V / torch.linalg.vector_norm(V, dim=1, keepdim=True)
    return W


def _weight(look: Context, m: int) -> Tensor:
    return generic((m, 2 * m), look.seed).V
