"""How the backward of an instance is compared with its differences: with which model, at which distance.

A map V ↦ W is differenced as it is.  A penalty needs two things more.  Where it is least its value and its gradient
vanish, and what is left of right ones is rounding of what cancelled; so it is looked at on top of how much it changes
half a row's size away, and judged relative to that.  And a sum over all entries has kinks close to every point (the
nearest zero of ten thousand entries is a ten-thousandth away); so a miss counts only if it stays with differences so
near that hardly one lies between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import torch
from torch import Tensor

from wnverify.auditing.context import REFUSALS, rows_are_independent
from wnverify.auditing.instance import Instance
from wnverify.auditing.points import randn, rows
from wnverify.oracles.gradients import (
    JacobianReport,
    Noises,
    NotDifferencedError,
    check_backward,
    check_rows,
    reverse_mode,
    row_scales,
    row_sensitivity,
    sensitivity,
)
from wnverify.oracles.ratio import ErrorModel, Ratio, map_model

LEAST: Final = 1e-3
"""A penalty whose value is below this share of its change nearby is at a minimum."""
NEAR: Final = 2.0**-14
PARTS: Final = (0.5, 1 / 16, 1 / 128)
"""Of a row's size, how far away a penalty is looked at: the first distance at which it is finite."""
ROUNDINGS_AWAY: Final = 4.0
NEARBY: Final = 8
Found = TypeVar("Found")


def backward_report(
    instance: Instance,
    V: Tensor,
    *,
    seed: int,
    gaussian: int,
    structured: int | None = None,
    noises: Noises | None = None,
) -> JacobianReport:
    """The backward at V against differences, over the whole Jacobian; raises what ``check_backward`` raises."""
    f, steepness = differenced(instance, V)
    model, tensors = backward_model(instance, V), instance.with_primary(V)

    def judge(reach: float) -> JacobianReport:
        return check_backward(
            f,
            tensors,
            wrt=instance.primary,
            seed=seed,
            gaussian=gaussian,
            structured=structured,
            noises=noises,
            model=model,
            steepness=steepness,
            reach=reach,
        )

    return _confirmed(instance, judge, lambda report: report)


def row_report(
    instance: Instance, V: Tensor, *, seed: int, chosen: Sequence[int], noises: Noises | None = None
) -> tuple[int, JacobianReport]:
    """The same with one row moved at a time: the row with the largest ratio, and its report."""
    f, steepness = differenced(instance, V)
    model, tensors = backward_model(instance, V), instance.with_primary(V)

    def judge(reach: float) -> tuple[int, JacobianReport]:
        return check_rows(
            f,
            tensors,
            wrt=instance.primary,
            seed=seed,
            rows=chosen,
            model=model,
            steepness=steepness,
            reach=reach,
            noises=noises,
        )

    return _confirmed(instance, judge, lambda found: found[1])


def backward_model(instance: Instance, V: Tensor, *, slack: float = 1.0) -> ErrorModel:
    """Rounding of one backward pass: the gradient's own local condition number at this weight, times ``slack``."""
    shape = instance.output_shape(V)
    cotangent = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def gradient(weight: Tensor) -> Tensor:
        pull = reverse_mode(instance, instance.with_primary(weight), instance.primary)
        return pull(cotangent)

    condition = sensitivity(gradient, V, seed=0, samples=2)
    return map_model("float64", max(rows(V).shape), condition=slack * (1.0 + min(condition, 1e6)), roundings=8)


def natural_size(instance: Instance, V: Tensor, cotangent: Tensor) -> float:
    """‖a‖ ‖f(V)‖ / ‖V‖: where the derivative all but vanishes, rounding of this size is left of it."""
    with torch.no_grad():
        value = float(instance.at(V).norm())
    size = float(V.norm())
    return float(cotangent.norm()) * value / size if size > 0 else 0.0


def worst_narrow_row(wide: Instance, low: Tensor, cotangent: Tensor, observed: Tensor, expected: Tensor) -> Ratio:
    """The row with the largest ratio; each row is modelled by its own response to a rounding of the weight.

    ``low`` and ``cotangent`` have the narrower dtype, the gradients are in float64.
    """
    kind = str(low.dtype).removeprefix("torch.")

    def gradient(V: Tensor) -> Tensor:
        return reverse_mode(wide, wide.with_primary(V), wide.primary)(cotangent.double())

    got, right = rows(observed), rows(expected)
    response = row_sensitivity(gradient, low.double(), seed=0)
    # Where rows are coupled a sound algorithm is accurate relative to the whole gradient.  Otherwise to the row's own,
    # or to ‖a‖ ‖w‖ / ‖v‖, twice (a product less another): where the Jacobian all but vanishes (a saturated softmax)
    # only rounding of that size is left.
    coupled = right.shape[0] > 1 and not rows_are_independent(wide, low.double())
    typical = float(right.norm()) / max(right.shape[0], 1) ** 0.5
    with torch.no_grad():
        sizes = [rows(t).double().norm(dim=1) for t in (cotangent, wide.at(low.double()), low)]
    natural = 2 * sizes[0] * sizes[1] / sizes[2].clamp_min(torch.finfo(torch.float64).tiny)
    worst = Ratio(0.0, 1.0, map_model(kind, max(right.shape)))
    nearby: list[Tensor] | None = None
    for row in range(right.shape[0]):
        scale = max(float(right[row].norm()), typical if coupled else float(natural[row]))
        condition = 8 * (1.0 + min(float(response[row]) / max(scale, 1e-300), 1e6))
        terms = right.numel() if wide.scalar else max(right.shape)
        model = map_model(kind, terms, condition=condition, roundings=16)
        ratio = Ratio(float((got[row] - right[row]).norm()), scale, model)
        if ratio.value > 1:
            # A kink nearer than a rounding: on its other side the right gradient is another.
            nearby = _nearby(gradient, low) if nearby is None else nearby
            spread = max(float((there[row] - right[row]).norm()) for there in nearby)
            wider = ErrorModel(model.relative + 2 * spread / max(scale, 1e-300), f"{model.text} + kinks nearby")
            ratio = Ratio(ratio.error, scale, wider)
        if not ratio.value <= worst.value:
            worst = ratio
    return worst


def _nearby(gradient: Callable[[Tensor], Tensor], low: Tensor) -> list[Tensor]:
    """The float64 gradient, rows flattened, at weights a few roundings of the narrow dtype away."""
    V = low.double()
    step = ROUNDINGS_AWAY * torch.finfo(low.dtype).eps / 2
    away = (step * row_scales(V) * randn(*V.shape, seed=seed) for seed in range(NEARBY))
    return [rows(gradient(V + change)) for change in away]


def differenced(instance: Instance, V: Tensor) -> tuple[Callable[..., Tensor], float]:
    """The map whose differences are taken, and how steep it is around V; 0 for what is no penalty."""
    if not instance.scalar:
        return instance, 0.0
    steepness, here = 0.0, _value(instance, V)
    for seed in range(2):
        away = row_scales(V) * randn(*V.shape, seed=seed)
        for part in PARTS:
            change = _value(instance, V + part * away) - here
            if math.isfinite(change):
                steepness = max(steepness, abs(change) / part)
                break
    if abs(here) > LEAST * steepness:
        return instance, steepness
    return lambda *tensors: instance(*tensors) + steepness, steepness


def _value(instance: Instance, V: Tensor) -> float:
    """A penalty's value; infinity where it is refused, as a barrier is beyond its wall."""
    try:
        with torch.no_grad():
            return float(instance.at(V))
    except REFUSALS:
        return math.inf


def _confirmed(
    instance: Instance, judge: Callable[[float], Found], report_of: Callable[[Found], JacobianReport]
) -> Found:
    found = judge(1.0)
    if not instance.scalar or report_of(found).ratio <= 1:
        return found
    try:
        closely = judge(NEAR)
    except NotDifferencedError:
        return found
    return closely if report_of(closely).ratio < report_of(found).ratio else found
