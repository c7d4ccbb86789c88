"""Numbers that a method is told, checked before anything is computed with them.  No torch."""

from __future__ import annotations

import math


def nonnegative(value: float, name: str) -> float:
    """``value`` as a float; ``TypeError`` or ``ValueError`` naming it unless it is finite and at least 0."""
    # A pair and no union: this is traced with a penalty's prox, and torch 2.9 cannot trace a union.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number; got {type(value).__name__}")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and at least 0; got {value!r}")
    return float(value)
