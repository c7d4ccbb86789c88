"""Difference quotients that know their own error.

A coarse step accuses right maps that are sharply curved, a fine one drowns in rounding.  Here central differences
at shrinking steps are extrapolated (C. J. F. Ridders, *Accurate computation of F'(x) and F'(x)F''(x)*, Adv. Eng.
Software 4 (1982), 75-76); the error of the chosen entry is bounded by its distance from its neighbours in the
tableau plus the rounding noise of the quotient, and a map that cannot be differenced reports a large error instead
of a wrong number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

FIRST_STEP: Final = 2.0**-6
"""Relative to the direction; directions are scaled so that 1 is a change of the point's own size."""
LEVELS: Final = 26
SMALLEST_FIRST_STEP: Final = 2.0**-36
ENOUGH: Final = 2e-12
"""Relative error from which on further steps are not worth their time."""
ORDERS: Final = 6
"""Columns of the tableau: steps further apart than 2⁶ say nothing about each other."""
UNRESOLVED: Final = 1e-2
"""Relative error from which on the quotients at the finest step are examined for a jump or a kink."""
NOISE_STEPS: Final = (2.0**-50, 2.0**-38, 2.0**-26, 2.0**-12)
"""Relative to the point: where rounding of the point, and of a part computed in fewer bits, shows."""
HARDLY: Final = 2.0**-10
"""Relative change of the values over all eight points; its sixth power is below u."""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A directional derivative, the norm of its estimated error, and the number of evaluations spent."""

    value: Tensor
    error: float
    evaluations: int


class NotDifferencedError(ArithmeticError):
    """The map could not be evaluated on both sides of the point, however small the step."""


class DiscontinuousError(NotDifferencedError):
    """The two sides stay apart however small the step: the map jumps at this point."""


class KinkError(NotDifferencedError):
    """The one-sided slopes stay apart however small the step: the map has no derivative at this point."""


def directional_difference(
    f: Callable[[Tensor], Tensor], x: Tensor, e: Tensor, *, noise: float = 0.0, centre: Tensor | None = None
) -> Difference:
    """df/dt of f(x + t e) at t = 0, with an error estimate in the Euclidean norm.

    ``f`` maps a float64 tensor to a float64 tensor; ``e`` has the shape of ``x`` and about its size; ``noise`` is
    the norm of the rounding error of one value of ``f`` (default: ``rounding_noise``), ``centre`` is f(x) where it is
    known already.  Raises
    ``NotDifferencedError`` when no step gives finite values on both sides, ``DiscontinuousError`` where the values on
    the two sides do not approach each other, and ``KinkError`` where the slopes do not.

    A kink within the step is invisible to central differences, which see the mean of the two slopes at every step.
    It shows in s(h) = (f(x + h e) − 2 f(x) + f(x − h e)) / h, which is a h + b h³ + … for a smooth map; the
    combination of three steps that cancels both terms leaves the gap between the slopes, and half of that is added
    to the error.
    """
    step, evaluations = FIRST_STEP, int(centre is None)
    centre = f(x) if centre is None else centre
    while True:
        pair = _two_sided(f, x, e, step)
        evaluations += 2
        if pair is not None:
            break
        step /= 16
        if step < SMALLEST_FIRST_STEP:
            raise NotDifferencedError(f"no finite values on both sides of the point for steps down to {step:.1e}")
    size = max(_norm(pair[0]), _norm(pair[1]), _norm(centre))
    noise = noise or rounding_noise(f, x, seed=0)
    tableau = [(pair[0] - pair[1]) / (2 * step)]
    bends = [(pair[0] - 2 * centre + pair[1]) / step]
    jumps = [_norm(pair[0] - pair[1])]
    best, best_error, moved = tableau[0], math.inf, math.inf
    for level in range(1, LEVELS):
        step /= 2
        pair = _two_sided(f, x, e, step)
        evaluations += 2
        if pair is None:
            break
        jumps.append(_norm(pair[0] - pair[1]))
        bends.append((pair[0] - 2 * centre + pair[1]) / step)
        gap = _gap(bends) / 2 if level > 1 else math.inf
        row = [(pair[0] - pair[1]) / (2 * step)]
        if _norm(row[0] - tableau[0]) > max(moved, 8 * noise / step):
            best_error = math.inf  # halving the step moves the quotient more and more: not yet where it converges
        moved = _norm(row[0] - tableau[0])
        for order in range(1, min(level, ORDERS) + 1):
            factor = 4.0**order
            row.append((factor * row[order - 1] - tableau[order - 1]) / (factor - 1))
            spread = max(_norm(row[order] - row[order - 1]), _norm(row[order] - tableau[order - 1]))
            estimate = spread + gap + noise / step
            if estimate < best_error:
                best, best_error = row[order], estimate
        if best_error <= ENOUGH * _norm(best) or (best_error < math.inf and best_error <= 8 * noise / step):
            break
        tableau = row
    # What is rounding of the point itself, as of an output that cancels to nothing, is no jump.
    _refuse_singular_point(best, best_error, jumps, bends, max(size, 2.0**-26 * _norm(x)))
    return Difference(best, best_error, evaluations)


def rounding_noise(f: Callable[[Tensor], Tensor], x: Tensor, *, seed: int) -> float:
    """Norm of the rounding error of one value of ``f`` near ``x``, that of the point itself included.

    Eight values on a short line are differenced six times: what is smooth vanishes, independent errors of standard
    deviation σ leave σ √((2k)!)/k! in the k-th differences (J. J. Moré and S. M. Wild, *Estimating computational
    noise*, SIAM J. Sci. Comput. 33 (2011), 1292-1314).  A map that is a staircase, because part of it is computed in
    fewer bits, shows at longer steps; those count only where the values hardly move and three orders agree within a
    factor 4, so that curvature is not taken for noise.  At least 8 u ‖f(x)‖.
    """
    generator = torch.Generator().manual_seed(seed)
    direction = x * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    size = _norm(f(x))
    noise = 8 * 2.0**-53 * size
    for step in NOISE_STEPS:
        # To one side of the point: a jump at the point itself is no noise.
        ends = value_at(f, x + step * direction), value_at(f, x + 8 * step * direction)
        if ends[0] is None or ends[1] is None or _norm(ends[1] - ends[0]) > HARDLY * size:
            break
        between = [value for k in range(2, 8) if (value := value_at(f, x + k * step * direction)) is not None]
        if len(between) < 6:
            break
        table, sigma = torch.stack([ends[0], *between, ends[1]]), []
        for order in range(1, 7):
            table = table.diff(dim=0)
            scale = math.factorial(order) / math.sqrt(math.factorial(2 * order) * len(table))
            sigma.append(scale * _norm(table))
        if max(sigma[3:]) <= 4 * min(sigma[3:]):
            noise = max(noise, 2 * max(sigma[3:]))
    return noise


def _gap(bends: list[Tensor]) -> float:
    """Norm of what is left of s(h), s(h/2), s(h/4) when a h + b h³ is cancelled: the gap between the slopes."""
    coarse, middle, fine = bends[-3:]
    return _norm((8 * (2 * fine - middle) - (2 * middle - coarse)) / 7)


def _refuse_singular_point(best: Tensor, error: float, jumps: list[float], bends: list[Tensor], size: float) -> None:
    """Raise where the finest steps show a jump or a kink rather than a derivative that is merely hard to see."""
    if error <= UNRESOLVED * _norm(best) or len(jumps) < 8:
        return
    if jumps[-1] > jumps[-8] / 2 and jumps[-1] > 1e-6 * size:
        raise DiscontinuousError(f"the map jumps by {jumps[-1] / size:.2g} of its size at this point")
    # Rounding makes s(h) grow like 1/h, a kink leaves it as it is.
    if _norm(bends[-8]) / 2 < _norm(bends[-1]) < 2 * _norm(bends[-8]) and _norm(bends[-1]) > UNRESOLVED * _norm(best):
        raise KinkError("the slopes on the two sides differ at this point: the map has no derivative here")


def _two_sided(f: Callable[[Tensor], Tensor], x: Tensor, e: Tensor, step: float) -> tuple[Tensor, Tensor] | None:
    """f(x + s e) and f(x − s e); None where one has no value."""
    above, below = value_at(f, x + step * e), value_at(f, x - step * e)
    return None if above is None or below is None else (above, below)


def value_at(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    """f(x); None where it raises or is not finite."""
    try:
        value = f(x)
    except (ValueError, RuntimeError, ArithmeticError):
        return None  # outside the map's domain: a smaller step may stay inside
    return value if bool(torch.isfinite(value).all()) else None


def _norm(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x))
