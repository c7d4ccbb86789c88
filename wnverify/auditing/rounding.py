"""In which precision is a map computed inside?  Seen from how it moves, whatever its algorithm.

A map that is computed in fewer bits than its weight has is a staircase: over short steps it moves by whole stairs or
not at all, far more than the same map moves over long steps in proportion.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from wnverify.oracles.gradients import row_scales
from wnverify.oracles.ratio import ErrorModel, Ratio

LONG: Final = (2.0**-6, 2.0**-8)
SHORT: Final = tuple(2.0**-k for k in range(14, 39, 2))
SAMPLES: Final = 12
EXCESS: Final = 4.0
"""A short step that moves a map by so much more than a long one in proportion met a stair."""
ROUNDINGS: Final = 16.0
"""Roundings of its inner precision that two ways to compute one map may differ by."""


def found_rounding(of: Callable[[Tensor], Tensor], V: Tensor, *, seed: int) -> float:
    """The largest relative stair of the float64 map ``of`` around V; 0 where it has none.

    ``of`` must not remember what it was called with.
    """
    base = of(V)
    size = float(torch.linalg.vector_norm(base))
    if not (size > 0 and math.isfinite(size)):
        return 0.0
    generator = torch.Generator().manual_seed(seed % 2**63)
    tangents = [row_scales(V) * torch.randn(V.shape, generator=generator, dtype=torch.float64) for _ in range(SAMPLES)]

    def moved(step: float) -> float:
        changes = [float(torch.linalg.vector_norm(of(V + step * t) - base)) / size for t in tangents]
        finite = [change for change in changes if math.isfinite(change)]
        return max(finite, default=0.0)

    slope = max(moved(step) / step for step in LONG)
    return max((change for step in SHORT if (change := moved(step)) > EXCESS * (slope * step + 2.0**-50)), default=0.0)


def allowing_stairs(ratio: Ratio, of: Callable[[Tensor], Tensor], V: Tensor, *, seed: int) -> Ratio:
    """The ratio; where it does not pass, judged by the precision in which ``of`` is found to be computed.

    That the precision is low is a matter of precision.float64, and no other check's.
    """
    if ratio.value <= 1:
        return ratio
    stair = found_rounding(of, V, seed=seed)
    if not stair:
        return ratio
    model = ErrorModel(
        ratio.model.relative + ROUNDINGS * stair, f"{ratio.model.text} + {ROUNDINGS:g} stairs of {stair:.2g}"
    )
    return dataclasses.replace(ratio, model=model)
