"""Precision: is each dtype as accurate as the map's own conditioning allows?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from wnverify.auditing.context import REFUSALS, Context, first_line, rows_are_independent
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import Point, generic, outside, randn, rows, scaled_rows
from wnverify.auditing.registry import Sheet, check
from wnverify.finding import Verdict
from wnverify.oracles.gradients import sensitivity
from wnverify.oracles.ratio import LARGEST, Ratio, map_model

GROSS = 1e-3
COARSE = {2.0**-14: 0.1, 2.0**-22: 1e-3}
"""Longer steps, and by how much of itself a quotient over each may miss the derivative of a right map."""
FAR = (20, -20)
FINE = (2.0**-30, 2.0**-26, 2.0**-22, 2.0**-14)
AGREES = 0.25
"""By how much of the larger two quotients of a right map may differ where kinks lie between."""
CANCELLED = 8.0
NEARBY = 2.0**-6
"""How far away a second weight lies, where the first is no staircase for sure."""
LARGE = 1000
MOST_WORK = 1e9
"""Scalar operations of one step at a weight of more than ``LARGE`` entries up to which it is looked at in them."""
LARGEST_STAIR = 2.0**-6
"""No floating point format in use rounds by more, relative to the value."""


@check("precision.forward", asks="Does each narrower dtype agree with float64 as well as its conditioning allows?")
def forward(look: Context, sheet: Sheet) -> None:
    points = [*look.generic_points(), *look.usable([scaled_rows(1e3, look.seed), generic((6, 1100), look.seed)])]
    for point in telling(look, sheet, points):
        uneven = _uneven(look, point)
        gross = Verdict.HAZARD if uneven else Verdict.FAIL
        for kind in look.chosen("dtype", (torch.float32, torch.bfloat16, torch.float16)):
            name = str(kind).removeprefix("torch.")
            V = point.V.to(kind)
            case = f"{point.name} {name}"
            try:
                with torch.no_grad():
                    wide, unused = look.build(point.weight), look.build(point.weight)
                    expected = rows(wide.at(V.double()))
                    observed = rows(unused.to(kind).at(V)).double()
            except Exception as error:  # foreign code may refuse a dtype
                sheet.add(case, Verdict.UNSUPPORTED, f"{type(error).__name__}: {first_line(error)}")
                continue
            if look.scalar and float(expected.abs()) > LARGEST[name] / 2:
                sheet.note(f"{case}: the value is larger than the largest number of the dtype")
                continue
            condition = 1.0 + sensitivity(_value(wide), V.double(), seed=look.seed)
            model = map_model(name, look.terms(V), condition=2 * condition, roundings=8)
            ratio = Ratio(float((observed - expected).norm()), float(expected.norm()), model)
            if ratio.value > 1 and uneven:
                # A decomposition that couples rows of very different length is accurate relative to the longest.
                condition += sensitivity(_value(wide), V.double(), seed=look.seed, whole=True)
                model = map_model(name, look.terms(V), condition=2 * condition, roundings=8)
                ratio = Ratio(ratio.error, ratio.scale, model)
            wrong = gross if kind == torch.float32 and ratio.relative > GROSS else Verdict.HAZARD
            sheet.compare(case, ratio, f"the {name} output is less accurate than the map allows", wrong=wrong)


def telling(look: Context, sheet: Sheet, points: Sequence[Point]) -> Iterator[Point]:
    """Those at which a narrower dtype says something: not too dear for this look, and more than rounding in float64."""
    for point in look.chosen("point", [point for point in points if not look.dear(point)]):
        if point.V.numel() > LARGE and look.work(point) > look.most_work(MOST_WORK):
            sheet.note(f"{point.name}: left to --full, as a step there takes {look.work(point):.1g} operations")
        elif look.vanishes(point):
            sheet.note(f"{point.name}: the penalty is nothing but rounding there")
        else:
            yield point


def _uneven(look: Context, point: Point) -> bool:
    """Whether rows of very different length meet in one decomposition.

    There a squared condition costs the digits; that bites, and is no wrong mathematics.
    """
    norms = torch.linalg.vector_norm(rows(point.weight), dim=1)
    even = look.scalar or point.weight.shape[0] < 2 or float(norms.max()) <= 100 * float(norms.min())
    return not even and not rows_are_independent(look.build(point.weight), point.V)


@check("precision.float64", asks="Does float64 carry 53 bits, or is there a hidden down-cast on the way?")
def hidden_downcast(look: Context, sheet: Sheet) -> None:
    """A map evaluated in fewer bits is a staircase: over a step of 2⁻³⁰ it moves by whole stairs or not at all.

    Over longer steps it moves as the map does; the longer the step, the more kinks of a right map lie in between, and
    the more its quotient may differ from the fine one.
    """
    for point in look.generic_points()[:4]:
        value = _value(look.build(point.weight))
        worst, jumps = _stairs(look, value, point.V, point.name)
        if worst.value > 1 and not jumps:
            # A kink within reach of the longest step is met by chance, a staircase everywhere.
            nearby = point.V + NEARBY * randn(*point.V.shape, seed=look.seed_for("nearby", point.name))
            if outside(nearby, look.subject.domain) is None:
                other, _ = _stairs(look, value, nearby, point.name)
                worst = min(worst, other, key=lambda ratio: ratio.value)
        if jumps:
            sheet.add(point.name, Verdict.INCONCLUSIVE, "the map jumps here, by more than a rounding could")
            continue
        said = "the float64 output is a staircase: part of it is computed in fewer bits"
        sheet.compare(point.name, worst, said)
    for point in look.generic_points()[:1]:
        for exponent in look.chosen("size", FAR):
            try:
                _far_away(look, sheet, point, exponent)
            except REFUSALS as error:  # of weights of that size: no bits are missing
                sheet.note(f"{point.name} times 2^{exponent} is refused: {type(error).__name__}: {first_line(error)}")


def _stairs(look: Context, value: Callable[[Tensor], Tensor], V: Tensor, name: str) -> tuple[Ratio, bool]:
    """The worst miss of the quotient over 2⁻³⁰ beside longer ones, and whether the map jumps by more than a stair."""
    step = 2.0**-30
    tangent = randn(*V.shape, seed=look.seed_for("staircase", name))
    fine = (value(V + step * tangent) - value(V - step * tangent)) / (2 * step)
    condition = 1.0 + sensitivity(value, V, seed=look.seed)
    # Rounding of the two values over the step, and the coarse quotient's own truncation.
    noise = map_model("float64", look.terms(V), condition=2 * condition).relative
    model = map_model("float64", 1)
    size = float(value(V).norm())
    worst = Ratio(0.0, 1.0, model)
    jump = 0.0
    for longer, truncation in COARSE.items():
        coarse = (value(V + longer * tangent) - value(V - longer * tangent)) / (2 * longer)
        miss = float((fine - coarse).norm())
        bound = noise * size / step + truncation * float(coarse.norm())
        worst = max(worst, Ratio(miss, bound / model.relative if bound else 1.0, model), key=lambda r: r.value)
        jump = max(jump, 2 * step * miss)
    return worst, jump > LARGEST_STAIR * size


def _far_away(look: Context, sheet: Sheet, point: Point, exponent: int) -> None:
    """The same at a size at which nobody looks: where entries are rounded, the finer of two steps goes nowhere.

    A map may bend at any size; so the coarse quotient counts only where the fine ones do not agree with one another.
    """
    V = point.V * 2.0**exponent
    if outside(V, look.subject.domain) is not None:
        return
    value = _value(look.build(point.weight))
    size = float(value(V).norm())
    if not 0 < size < float("inf"):
        return
    tangent = 2.0**exponent * randn(*V.shape, seed=look.seed_for("staircase", exponent))
    quotients = [(value(V + step * tangent) - value(V - step * tangent)) / (2 * step) for step in FINE]
    if not all(bool(torch.isfinite(quotient).all()) for quotient in quotients):
        return
    model = map_model("float64", look.terms(V), condition=2 * (1.0 + sensitivity(value, V, seed=look.seed)))
    first, *others = quotients
    misses = [float((other - first).norm()) for other in others]
    bounds = [
        model.relative * size / FINE[0] + AGREES * max(float(first.norm()), float(other.norm())) for other in others
    ]
    smooth = float(first.norm()) > 0 and misses[0] <= bounds[0]
    worst = 0 if smooth else max(range(len(misses)), key=lambda i: misses[i] / bounds[i])
    ratio = Ratio(misses[worst], bounds[worst] / model.relative, model)
    said = "at this size the output is a staircase: what is small beside it is rounded away"
    stair = 2 * FINE[0] * misses[worst]
    case, rounding = f"{point.name} times 2^{exponent}", CANCELLED * map_model("float64", look.terms(V)).relative
    # log(1 + w²), cosh w − 1: a constant of order one in each entry, or of the value's ordinary size, leaves its
    # rounding behind.  A loss does not feel that; a weight has lost digits.
    ordinary = max(float(value(point.V).norm()), math.sqrt(V.numel()))
    if look.scalar and ratio.value > 1 and stair <= rounding * ordinary:
        sheet.add(case, Verdict.PASS)
        sheet.note(f"{case}: stairs of {stair:.2g}, what rounding leaves of values of {ordinary:.2g}")
        return
    # Onto a set a stair of a few roundings of the weight itself is left of what is taken off: no bits are missing.
    beside = max(float(V.norm()) if look.subject.target_set else 0.0, ordinary if exponent < 0 else 0.0)
    wrong = Verdict.HAZARD if stair <= rounding * beside else Verdict.FAIL
    sheet.compare(case, ratio, said, wrong=wrong)


def _value(instance: Instance) -> Callable[[Tensor], Tensor]:
    def value(V: Tensor) -> Tensor:
        with torch.no_grad():
            return instance.at(V.clone()).detach().double()  # a forward that writes into its input spoils a copy

    return value
