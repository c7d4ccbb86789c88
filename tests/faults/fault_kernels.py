"""A second opinion on kernels of other sizes, gains at zero, rows below a floor and long rows in half precision."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from fault_corners import HALVES, against
from fault_gradients import Subject, against_differences, backward_at, gradient, randn
from fault_running import Ledger
from fault_settings import gains
from fault_values import EXACT, misses
from torch import Tensor

KERNELS = ((8, 12, 1, 1), (8, 2, 7, 7), (6, 1, 3, 3), (1, 4, 3, 3))


def unit(subject: Subject) -> float:
    if "unit_norm_rows" not in subject.declares:
        return 0.0
    points = [V for V in (randn(*shape, seed=100) for shape in KERNELS) if subject.admits(V)]
    return max((misses(subject, "unit_norm_rows", 1.0, V) for V in points), default=0.0) / EXACT


def of_kernels(subject: Subject) -> float:
    """Those sizes, 600 rows, and 4600 columns; not where a kink is sure to lie within a step.

    What makes a matrix of columns by columns on the way is asked at 460 columns instead, where it takes no second.
    """
    if "nonsmooth" in subject.domain:
        return 0.0
    long = randn(3, 4600, seed=101) + 0.3
    if subject.admits(long):
        fewer = long[:, :460].clone()
        with torch.no_grad(), Ledger() as ledger:
            subject.map(fewer)(fewer)
        long = long if ledger.largest < fewer.shape[1] ** 2 else fewer
    points = [*(randn(*shape, seed=101) + 0.3 for shape in (*KERNELS, (600, 12))), long]
    return max((backward_at(subject, V) for V in points if subject.admits(V)), default=0.0)


def of_zero_gain(subject: Subject) -> float:
    """Whether the gradient is a number where the last entry of a gain is zero, and the value too."""
    V, G = randn(3, 5, seed=102) + 0.3, randn(3, 5, seed=103)
    for start, call in gains(subject, V):
        at = start.clone()
        at.view(-1)[-1:] = 0.0
        with torch.no_grad():
            if not bool(torch.isfinite(call(at, V)).all()):
                continue
        if not bool(torch.isfinite(gradient(lambda X, at=at, call=call: call(at, X), V, G)).all()):  # type: ignore[misc]
            return math.inf
    return 0.0


def of_tiny(subject: Subject) -> float:
    """The weight in units of its size, so that the differences take steps as large as the weight."""
    V, scale = randn(3, 5, seed=104) + 0.3, 2.0**-20
    if "nonsmooth" in subject.domain or not subject.admits(scale * V):
        return 0.0
    f, G = subject.map(scale * V), randn(3, 5, seed=105)

    def rescaled(X: Tensor) -> Tensor:
        return f(scale * X)

    with torch.no_grad():
        size = float(rescaled(V).norm())
    return against_differences(rescaled, V, gradient(rescaled, V, G), G) if size > 1e-4 else 0.0


def of_long_halves(subject: Subject) -> float:
    V, G = 16 * randn(3, 12, seed=106), randn(3, 12, seed=107)
    low = V.half()
    if not subject.admits(low.double()):
        return 0.0
    try:
        f = subject.map(low)
        with torch.no_grad():
            if not bool(torch.isfinite(f(low)).all()):
                return 0.0
        found = gradient(f, low, G.half()).double()
    except (NotImplementedError, RuntimeError):  # torch has no such operation in half precision, or no such dtype
        return 0.0
    wide = gradient(subject.map(low.double()), low.double(), G.half().double())
    return against(found, wide, 2 * HALVES[torch.float16] * float(wide.norm()) + 1e-6 * float(G.norm()))


FURTHER: dict[str, Callable[[Subject], float]] = {
    "property.unit_norm_rows": unit,
    "gradient.sizes": of_kernels,
    "gradient.settings": of_zero_gain,
    "gradient.conditioning": of_tiny,
    "gradient.float32": of_long_halves,
}
