"""Where an odd polynomial iteration takes singular values: the scalar side of X ← X (a + b XᵀX + c (XᵀX)²).

Every step maps each singular value s of X to s (a + b s² + c s⁴) and leaves the singular vectors alone, so that the
image of an interval under the scalar map bounds all singular values of the result.  Plain Python, no arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

Step = tuple[float, float, float]
SCALINGS: Final = ("frobenius", "gram")
"""What a matrix is divided by first: ‖X‖_F = (Σ s²)^{1/2}, or the tighter ‖X Xᵀ‖_F^{1/2} = (Σ s⁴)^{1/4}."""


def image(steps: Iterable[Step], low: float, high: float) -> tuple[float, float]:
    """The exact image of [low, high], 0 ≤ low ≤ high, under s ↦ s (a + b s² + c s⁴) for every (a, b, c) in turn.

    The image of an interval under a continuous map is an interval; its ends are values at the ends or where the
    derivative a + 3 b s² + 5 c s⁴ vanishes, so nothing is sampled.

    >>> image([(1.5, -0.5, 0.0)], 0.5, 1.0)
    (0.6875, 1.0)
    """
    for a, b, c in steps:
        stationary = (math.sqrt(y) for y in _roots(5 * c, 3 * b, a) if y > 0)
        candidates = [low, high, *(s for s in stationary if low < s < high)]
        values = [s * (a + s * s * (b + c * s * s)) for s in candidates]
        low, high = min(values), max(values)
    return low, high


def smallest_start(condition: float, rows: int, scaling: str) -> float:
    """The least that the smallest of ``rows`` singular values can be after scaling, their ratio at most ``condition``.

    All the others are at most ``condition`` times the smallest, so 1 over the scaled norm of (1, κ, …, κ).

    >>> smallest_start(2.0, 6, "gram") == 3**-1.0
    True
    """
    if not condition >= 1 or rows < 1:
        raise ValueError(f"condition and rows must be at least 1; got condition={condition}, rows={rows}")
    power = 2 if check_scaling(scaling) == "frobenius" else 4
    return float((1 + (rows - 1) * condition**power) ** (-1 / power))


def orthonormality_error(steps: Iterable[Step], condition: float, rows: int, scaling: str) -> float:
    """A bound of ‖W Wᵀ − I‖_2 after the steps: the larger of 1 − low² and high² − 1 over all admitted starts.

    >>> orthonormality_error([(1.5, -0.5, 0.0)], 1.0, 1, "gram")
    0.0
    """
    low, high = image(steps, smallest_start(condition, rows, scaling), 1.0)
    return max(1 - low * low, high * high - 1, 0.0)


def check_scaling(scaling: str) -> str:
    """``scaling`` itself; ``ValueError`` unless it is one of ``SCALINGS``."""
    if scaling not in SCALINGS:
        raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}; got {scaling!r}")
    return scaling


def check_count(count: int, name: str) -> int:
    """``count`` itself; ``ValueError`` unless it is an integer ≥ 1."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"{name} must be an integer, at least 1; got {count!r}")
    return count


def _roots(a: float, b: float, c: float) -> list[float]:
    """The real roots of a y² + b y + c, without cancellation; none where all coefficients vanish."""
    if a == 0:
        return [] if b == 0 else [-c / b]
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return []
    q = -(b + math.copysign(math.sqrt(discriminant), b)) / 2
    return [q / a] if q == 0 else [q / a, c / q]
