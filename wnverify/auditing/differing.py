"""Two outputs, or two gradients, that should be one: their miss beside what this map may lose at this weight."""

from __future__ import annotations

import torch
from torch import Tensor

from wnverify.auditing.backward import differenced
from wnverify.auditing.context import Context
from wnverify.auditing.points import Point
from wnverify.auditing.rounding import allowing_stairs
from wnverify.oracles.gradients import reverse_mode, sensitivity
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model


def difference(out: Tensor, expected: Tensor, look: Context, point: Point) -> Ratio:
    """The miss beside what this map may lose at this weight, in the precision in which it is found to be computed."""
    if torch.equal(out, expected):
        return ratio_of(out, expected, 1.0, look.terms(point.V))
    instance = look.build(point.weight)

    def value(weight: Tensor) -> Tensor:
        with torch.no_grad():
            return instance.at(weight).double()

    def afresh(weight: Tensor) -> Tensor:
        with torch.no_grad():
            return look.build(point.weight).at(weight).double()

    condition = sensitivity(value, point.V, seed=look.seed) + 1.0
    if look.scalar and float(expected.abs()) > 0:  # a sum that cancels loses relative to what went into it
        condition += differenced(instance, point.V)[1] / float(expected.abs())
    ratio = ratio_of(out, expected, condition, look.terms(point.V) if look.scalar else None)
    return ratio if out.shape != expected.shape else allowing_stairs(ratio, afresh, point.V, seed=look.seed)


def gradient_difference(out: Tensor, expected: Tensor, look: Context, point: Point, cotangent: Tensor) -> Ratio:
    """The same of two gradients for one cotangent."""

    def afresh(weight: Tensor) -> Tensor:
        instance = look.build(point.weight)
        return reverse_mode(instance, instance.with_primary(weight), instance.primary)(cotangent)

    ratio = ratio_of(out, expected, 1e3)
    return ratio if out.shape != expected.shape else allowing_stairs(ratio, afresh, point.V, seed=look.seed)


def ratio_of(out: Tensor, expected: Tensor, condition: float, terms: int | None = None) -> Ratio:
    """``terms``: of the longest sum; the entries of what is expected where it is not told."""
    model: ErrorModel = map_model("float64", terms or expected.numel(), condition=condition)
    if out.shape != expected.shape:
        return Ratio(float("inf"), 1.0, model)
    return Ratio(float((out - expected).norm()), float(expected.norm()), model)
