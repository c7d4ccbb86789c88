"""Weights that are distributed over processes (``torch.distributed.tensor.DTensor``), as far as a map must know.

Most maps here are made of operations that have a sharding rule, and know nothing of it.  What is made beside a weight
(an identity matrix) must be distributed like it, and what has no rule (a search whose length depends on values) is
computed by every process for the whole weight.  Nothing is imported before a distributed tensor has come.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def beside(plain: Tensor, like: Tensor) -> Tensor:
    """``plain``, equal in every process, as what may be combined with ``like``: replicated where that is distributed.

    >>> beside(torch.eye(2), torch.ones(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    mesh = _mesh(like)
    if mesh is None:
        return plain
    from torch.distributed.tensor import DTensor, Replicate

    return DTensor.from_local(plain, mesh, [Replicate()] * mesh.ndim, run_check=False)


def whole(tensor: Tensor) -> Tensor:
    """A distributed tensor as a plain one in every process, differentiable; any other as it is."""
    if _mesh(tensor) is None:
        return tensor
    gathered: Tensor = tensor.full_tensor()  # type: ignore[attr-defined]
    return gathered


def placed_like(tensor: Tensor, like: Tensor) -> Tensor:
    """``tensor`` as ``like`` may be overwritten with it: in place, nothing moves from process to process."""
    mesh = _mesh(like)
    if mesh is None:
        return tensor
    placed: Tensor = beside(tensor, like) if _mesh(tensor) is None else tensor
    return placed.redistribute(mesh, like.placements)  # type: ignore[attr-defined, no-any-return]


def aligned(weight: Tensor) -> Tensor:
    """``weight``, whose gradient will be distributed as it is itself: FSDP2 adds up parts without looking at that."""
    mesh = _mesh(weight)
    if mesh is None:
        return weight
    same: Tensor = weight.redistribute(mesh, weight.placements)  # type: ignore[attr-defined]
    return same


def filled(tensor: Tensor) -> Tensor:
    """``tensor``, or in copies where a process holds nothing of it: there a largest entry is refused, in that process
    alone, and the others wait for ever."""
    mesh = _mesh(tensor)
    if mesh is None:
        return tensor
    from torch.distributed.tensor import Replicate, Shard

    for axis, placement in enumerate(tensor.placements):  # type: ignore[attr-defined]
        if isinstance(placement, Shard):
            entries, parts = tensor.shape[placement.dim], mesh.size(axis)
            part = -(-entries // parts)
            if part * (parts - 1) >= entries:
                return tensor.redistribute(mesh, [Replicate()] * mesh.ndim)  # type: ignore[attr-defined, no-any-return]
    return tensor


def flattening(weight: Tensor) -> Tensor:
    """``weight``, whose axes from the second on may be made one: in copies along each axis of the mesh that cuts the
    second unevenly, or one behind it.  PyTorch views such parts as no part of the flattened axis and refuses."""
    mesh = _mesh(weight)
    if mesh is None or weight.dim() < 3:
        return weight
    from torch.distributed.tensor import Replicate, Shard

    def uneven(axis: int, placement: Any) -> bool:
        cut = placement.dim % weight.dim() if isinstance(placement, Shard) else 0
        return cut > 1 or (cut == 1 and weight.shape[1] % mesh.size(axis) > 0)

    whole = [Replicate() if uneven(axis, each) else each for axis, each in enumerate(weight.placements)]  # type: ignore[attr-defined]
    return weight.redistribute(mesh, whole)  # type: ignore[attr-defined, no-any-return]


def settled(tensor: Tensor) -> Tensor:
    """``tensor`` with no reduction pending: PyTorch lets a sum pass through a pending norm, as if that were linear."""
    mesh = _mesh(tensor)
    if mesh is None:
        return tensor
    from torch.distributed.tensor import Replicate

    placements = [Replicate() if each.is_partial() else each for each in tensor.placements]  # type: ignore[attr-defined]
    return tensor.redistribute(mesh, placements)  # type: ignore[attr-defined, no-any-return]


def agreed(truth: Tensor) -> bool:
    """A truth value of all entries, the same in every process: of what is pending PyTorch's ``bool`` takes the part
    that a process holds, and where they part ways one waits for the others for ever.

    >>> agreed(torch.tensor([True, False]).all())
    False
    """
    return bool(settled(truth))


def identity(S: Tensor) -> Tensor:
    """I of the size and dtype of the square matrices S, (n, n)."""
    return beside(torch.eye(S.shape[-1], dtype=S.dtype, device=S.device), S)


def _mesh(tensor: Tensor) -> Any:
    """The device mesh over which it is distributed, or None."""
    return getattr(tensor, "device_mesh", None)
