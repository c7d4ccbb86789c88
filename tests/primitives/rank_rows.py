"""What the tests of distributed rows let the processes of a group do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import Shard, distribute_tensor

from wnverify.methods.weight_standardization.pytorch import standardize_rows
from wnverify.primitives.odd_polynomial import iterate
from wnverify.primitives.polar import polar
from wnverify.primitives.pytorch import normalize
from wnverify.primitives.triangular import triangular

MAPS = {
    "normalize": lambda V: normalize(V, centred=False)[0],
    "centre and normalize": lambda V: normalize(V, centred=True)[0],
    "standardize": lambda V: standardize_rows(V, eps=0.0),
    "polar": polar,
    "triangular": lambda V: triangular(V)[0],
    "iterate": lambda V: iterate(V, ((1.5, -0.5, 0.0),), scaling="gram", centred=True),
}


def weight(scale: float, shift: float, value: float | None) -> Tensor:
    """(4, 7), its first row of another scale and mean than the others, with another first entry where one is given."""
    V = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    V[0] = V[0] * scale + shift
    if value is not None:
        V[0, 0] = value
    return V


def mapped(mesh: Any, name: str, dim: int, scale: float, shift: float, value: float | None) -> list[list[float]]:
    """The map of that weight, cut along ``dim``, as a whole."""
    V = distribute_tensor(weight(scale, shift, value), mesh, [Shard(dim)])
    whole: list[list[float]] = MAPS[name](V).full_tensor().tolist()  # type: ignore[attr-defined]
    return whole
