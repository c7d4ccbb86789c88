"""Right on a whole weight; wrong, or right, when the weight is distributed over processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Replicate

from wnverify.faults.parametrization.right_norms import WeightNormScaled
from wnverify.faults.parametrization.right_rows import MeanRemoved


def like(part: Tensor, V: DTensor) -> Tensor:
    """The local part of a result that is distributed as V is."""
    given: dict[str, Any] = {"run_check": False, "shape": V.shape, "stride": V.stride()}
    return DTensor.from_local(part, V.device_mesh, V.placements, **given)


class LocalNorm(WeightNormScaled):
    """The norm of a row is that of its local part: off by the root of the number of shards."""

    def forward(self, V: Tensor) -> Tensor:
        return like(super().forward(V.to_local()), V) if isinstance(V, DTensor) else super().forward(V)


class LocalMean(MeanRemoved):
    """The mean of a row is that of its local part."""

    def forward(self, V: Tensor) -> Tensor:
        return like(super().forward(V.to_local()), V) if isinstance(V, DTensor) else super().forward(V)


class KeptLargest(nn.Module):
    """Divided by the largest entry, which a plain tensor attribute keeps: that of the local part."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = torch.ones(())

    def forward(self, V: Tensor) -> Tensor:
        part = V.to_local() if isinstance(V, DTensor) else V
        if part.numel():
            self.largest = part.detach().abs().max()
        W = part / self.largest
        return like(W, V) if isinstance(V, DTensor) else W


class ReducedTwice(nn.Module):
    """Divided by the Frobenius norm, whose square is summed over the processes twice."""

    def forward(self, V: Tensor) -> Tensor:
        part = V.to_local() if isinstance(V, DTensor) else V
        square = part.detach().square().sum()
        if isinstance(V, DTensor):
            dist.all_reduce(square)
            dist.all_reduce(square)
        W = part / square.sqrt()
        return like(W, V) if isinstance(V, DTensor) else W


class GradientTimesWorld(nn.Module):
    """The weight itself, its gradient times the number of processes, to undo an average that is meant."""

    def forward(self, V: Tensor) -> Tensor:
        W = 1.0 * V
        if dist.is_initialized() and W.requires_grad:
            W.register_hook(lambda G: G * dist.get_world_size())  # type: ignore[no-untyped-call]
        return W


class GatheredUnit(WeightNormScaled):
    """Right: the whole weight in every process, and of the result the part that was asked for."""

    def forward(self, V: Tensor) -> Tensor:
        if not isinstance(V, DTensor):
            return super().forward(V)
        W = DTensor.from_local(super().forward(V.full_tensor()), V.device_mesh, [Replicate()], run_check=False)
        return W.redistribute(V.device_mesh, V.placements)
