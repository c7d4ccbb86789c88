"""Sizes: what holds at small weights, across the borders at which blocks of a kernel end, and at none at all."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Final

import torch

from wnverify.auditing.checks.discovered import IMPLIED_BY, NEEDS_GRADIENT, SAMPLED
from wnverify.auditing.checks.gradient import AFTER, judge_backward
from wnverify.auditing.checks.property import admitting, by_rounding
from wnverify.auditing.context import REFUSALS, Context, first_line, witness_of
from wnverify.auditing.holding import discover, over_points
from wnverify.auditing.points import BORDERS, FIRST_BORDERS, FURTHER_KERNELS, Point, generic
from wnverify.auditing.properties import RESIDUALS
from wnverify.auditing.registry import Sheet, check
from wnverify.auditing.target import PARAMETRIZATION, PROJECTION
from wnverify.auditing.vocabulary import DECLARED_ONLY, properties_of
from wnverify.finding import Verdict

GRADIENT_BORDERS: Final = (*FIRST_BORDERS, *BORDERS[-2:])
QUICK_BORDERS: Final = 4
MOST_WORK: Final = 1e7
"""Scalar operations of one step up to which a size is looked at, the first excepted: a gradient takes hundreds."""
SMALL: Final = ((3, 5), (5, 12), (4, 4), (7, 3))


@check("property.sizes", asks="Has it at large sizes, one beyond 32 to 4096, the properties that it has at small ones?")
def properties(look: Context, sheet: Sheet) -> None:
    small = look.usable((generic(shape, look.seed) for shape in SMALL), every=True)
    names = [name for name in RESIDUALS if name in properties_of(look.subject.kind)]
    asked = tuple(name for name in names if name not in NEEDS_GRADIENT | SAMPLED | DECLARED_ONLY)
    # What a set's border has, or a set has by its size, the map need not have.
    if look.subject.kind == PROJECTION or "euclidean_projection" in look.subject.declares:
        inside = (dataclasses.replace(point, name=f"{point.name} / 4096", V=point.V / 4096) for point in small)
        small += look.usable(inside, every=True)
        asked = tuple(name for name in asked if name != "spectral_norm_le_1" or name in look.subject.declares)
    asked = tuple(name for name in asked if not IMPLIED_BY.get(name, frozenset()) & set(look.subject.declares))
    held = discover(look, tuple(look.chosen("property", asked)), small)
    quick = QUICK_BORDERS + (look.subject.kind != PARAMETRIZATION)
    for point in _borders(look, sheet, BORDERS, most=3 * MOST_WORK, quick=quick):
        for name in held:
            for found in over_points(look, name, [point]).values():
                ratio = admitting(found, look, name)
                said = f"at small sizes it has, and here it has not: {look.statement(name)}"
                declared = name in look.subject.declares
                if ratio.value > 1 and not declared and not _missed_at_any_scale(look, name, point):
                    sheet.note(f"{name} at {point.name}: missed there, but not by all weights of that size")
                    continue
                excused = declared and by_rounding(look, name, point, True, ratio, torch.float64)
                wrong = Verdict.FAIL if declared and not excused else Verdict.HAZARD
                sheet.compare(f"{name} at {point.name}", ratio, said, wrong=wrong, witness=witness_of(point.V))
    if small and not held:
        sheet.add("none", Verdict.PASS)
        sheet.note("it has none of these properties at small sizes")


def _missed_at_any_scale(look: Context, name: str, point: Point) -> bool:
    """Whether larger and smaller weights miss it too: among many rows one is short enough for a clamp."""
    others = [dataclasses.replace(point, V=point.V * scale, built_for=None) for scale in (2.0**-6, 2.0**6)]
    return all(ratio.value > 1 for other in look.usable(others) for ratio in over_points(look, name, [other]).values())


@check(
    "gradient.sizes",
    asks="Is the backward the derivative at sizes one beyond 32 to 4096?",
    requires=AFTER,
    needs=("gradient",),
)
def gradients(look: Context, sheet: Sheet) -> None:
    for kernels in look.chosen("of sizes or kernels", (False, True)):
        if kernels:  # so many entries lie on both sides of a kink
            points = look.usable(generic(shape, look.seed) for shape in FURTHER_KERNELS)
        else:
            points = _borders(look, sheet, BORDERS if look.full else GRADIENT_BORDERS, most=MOST_WORK)
        for point in points:
            judge_backward(look, sheet, point, noisy=kernels)


@check("edge.empty", asks="What happens at a weight without rows, and without columns?")
def empty(look: Context, sheet: Sheet) -> None:
    for n, d in ((0, 5), (4, 0)):
        name = f"{n}x{d}"
        V = torch.zeros((n, d), dtype=torch.float64)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # layers warn that there is nothing to initialize
                instance = look.build(V)
            leaf = instance.V.clone().requires_grad_()
            out = instance.at(leaf)
            gradient = leaf
            if "gradient" in look.subject.capabilities and out.requires_grad:
                found = torch.autograd.grad(out, leaf, torch.ones_like(out), allow_unused=True)[0]
                gradient = leaf if found is None else found
        except Exception as error:  # foreign code may raise anything; what it raised is the finding
            # No layer has a weight without columns; one without rows is what a shard of a small layer gets.
            clear = d == 0 or (isinstance(error, REFUSALS) and bool(str(error).strip()))
            said = f"{type(error).__name__}: {first_line(error)}"
            sheet.add(name, Verdict.PASS if clear else Verdict.UNSUPPORTED, "" if clear else said, route="exact")
            if clear:
                sheet.note(f"{name} is refused with {said}")
            continue
        wanted = instance.output_shape(instance.V)
        if out.shape != wanted:
            said = f"an empty weight of shape ({n}, {d}) gives an output of shape {tuple(out.shape)}"
        elif not bool(torch.isfinite(out).all()):
            said = f"the value of an empty weight of shape ({n}, {d}) is {float(out.detach())}"
        elif gradient.shape != leaf.shape:
            said = f"the gradient has shape {tuple(gradient.shape)}"
        else:
            said = ""
        sheet.add(name, Verdict.HAZARD if said else Verdict.PASS, said, route="exact", witness=witness_of(V))


def _borders(
    look: Context, sheet: Sheet, shapes: Sequence[tuple[int, int]], *, most: float, quick: int = QUICK_BORDERS
) -> list[Point]:
    """Those of the sizes that are in the domain and not too dear; the work grows with both sides."""
    if look.quick:
        sheet.note(f"quick: {quick} of {len(shapes)} sizes")
    points: list[Point] = []
    dear: list[tuple[int, int]] = []
    limit = look.most_work(most)
    for n, d in look.chosen("border", shapes[:quick] if look.quick else shapes):
        asked = look.sampled or bool(points)
        if asked and look.work_at_least((n, d)) > limit:
            dear.append((n, d))
            continue
        for point in look.usable([generic((n, d), look.seed)]):
            if asked and look.work(point) > limit:
                dear.append((n, d))
            else:
                points.append(point)
    if dear:
        left_out = ", ".join(f"{n}x{d}" for n, d in dict.fromkeys(dear))
        sheet.note(f"left out for their cost, above {limit:.0e} operations a step: {left_out}")
    return points
