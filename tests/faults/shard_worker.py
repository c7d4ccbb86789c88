"""One of two processes: what each variant gives for a weight that is distributed, beside the whole weight.

Arguments: rank, store file, output file, then ``target situation`` pairs.  Shares no code with the audit.
"""

import importlib
import inspect
import json
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize

WORLD = 2
PLACEMENTS = {"shard0": Shard(0), "shard1": Shard(1), "replicate": Replicate(), "fsdp": Shard(0)}


def made(target):
    module, name = target.split(":")
    thing = getattr(importlib.import_module(module), name)
    return thing() if inspect.isclass(thing) else thing


def weight():
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5


def distributed(target, situation, mesh):
    """The relative difference of the value from that of the whole weight, the larger of both processes."""
    V = weight()
    right = made(target)(V)
    W = made(target)(distribute_tensor(V, mesh, [PLACEMENTS[situation]]))
    W = W.full_tensor() if isinstance(W, DTensor) else W
    return float((W - right).norm() / right.norm())


def in_ddp(target):
    """The same of the gradient of a layer, both processes having the same samples."""
    torch.manual_seed(0)
    layer = nn.Linear(6, 4, bias=False, dtype=torch.float64)
    layer.weight.data = weight()
    x, A = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    parametrize.register_parametrization(layer, "weight", made(target))
    wrapped = DistributedDataParallel(layer)
    (wrapped(x) * A).sum().backward()
    (found,) = (parameter.grad for parameter in wrapped.parameters())
    W = weight().requires_grad_()
    right = torch.autograd.grad((x @ made_alone(target)(W).mT * A).sum(), W)[0]
    return float((found - right).norm() / right.norm())


def made_alone(target):
    """The map as it is without a process group."""
    alone = made(target)

    def call(W):
        initialized, dist.is_initialized = dist.is_initialized, lambda: False
        try:
            return alone(W)
        finally:
            dist.is_initialized = initialized

    return call


def main():
    rank, store, out, *pairs = sys.argv[1:]
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=int(rank), world_size=WORLD)
    mesh = init_device_mesh("cpu", (WORLD,))
    found = {}
    for target, situation in zip(pairs[::2], pairs[1::2], strict=True):
        miss = torch.tensor(in_ddp(target) if situation == "ddp" else distributed(target, situation, mesh))
        dist.all_reduce(miss, op=dist.ReduceOp.MAX)
        found[f"{target} {situation}"] = float(miss)
    if rank == "0":
        with open(out, "w", encoding="utf-8") as file:
            json.dump(found, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
