"""Numbers that a method is told, checked before anything is computed with them.  No torch."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


def number(value: Any, name: str) -> float:
    """``value`` as a float, which it, an integer or one of NumPy's may be; ``TypeError`` naming any other thing."""
    # A pair and no union: this is traced with a penalty's prox, and torch 2.9 cannot trace a union.
    usual = isinstance(value, (int, float))
    if isinstance(value, bool) or not (usual or isinstance(value, Real)):
        raise TypeError(f"{name} must be a number; got {type(value).__name__}")
    return float(value)


def nonnegative(value: Any, name: str) -> float:
    """``value`` as a float; ``TypeError`` or ``ValueError`` naming it unless it is a number, finite and at least 0."""
    if not 0 <= number(value, name) < math.inf:
        raise ValueError(f"{name} must be finite and at least 0; got {value!r}")
    return float(value)
