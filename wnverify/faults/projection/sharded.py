"""Right on a whole weight; wrong when the weight is distributed over processes."""

from __future__ import annotations

from torch import Tensor
from torch.distributed.tensor import DTensor

from wnverify.faults.projection.pieces import norms


def onto_sphere_of_the_part(W: Tensor) -> Tensor:
    """Rows of unit norm, a row being what of it is in this process."""
    if not isinstance(W, DTensor):
        return W / norms(W.flatten(1)).reshape(-1, *[1] * (W.dim() - 1))
    part = onto_sphere_of_the_part(W.to_local())
    return DTensor.from_local(part, W.device_mesh, W.placements, run_check=False, shape=W.shape, stride=W.stride())
