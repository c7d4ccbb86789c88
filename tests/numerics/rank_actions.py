"""What the tests of sharding let the processes of a group do."""

from __future__ import annotations

import os
import sys
import time

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from wnverify.numerics.shards.trial import Candidate


def rank_of(mesh):
    print("what is printed is no answer")
    return mesh.get_local_rank()


def dies(mesh, rank):
    if mesh.get_local_rank() == rank:
        sys.stderr.write("the last words\n")
        os._exit(7)
    _meet()


def hangs(mesh, rank):
    if mesh.get_local_rank() == rank:
        _sleeps()
    _meet()


def raises(mesh, ranks):
    if mesh.get_local_rank() in ranks:
        raise ValueError("not here")
    _meet()


def _sleeps():
    time.sleep(600)


def _meet():
    torch.distributed.barrier()


def local_norm(V, method_id, said, prox):
    """Rows divided by the norm of their local part, whatever the method."""

    def function(X):
        if not isinstance(X, DTensor):
            return X / X.norm(dim=1, keepdim=True)
        part = X.to_local() / X.to_local().norm(dim=1, keepdim=True)
        return DTensor.from_local(part, X.device_mesh, X.placements, shape=X.shape, stride=X.stride())

    return Candidate(kind="parametrization", function=function, put_on=_registered)


def flattened(V, method_id, said, prox):
    """Unit rows by a view of the kernels, as if they were whole."""

    def function(X):
        rows = X.flatten(1)
        return (rows / rows.norm(dim=1, keepdim=True)).reshape(X.shape)

    return Candidate(kind="parametrization", function=function, put_on=_registered)


def refused(V, method_id, said, prox):
    """A map that every process refuses of a distributed weight."""

    def function(X):
        if isinstance(X, DTensor):
            raise NotImplementedError("no rule for it")
        return X / X.norm(dim=1, keepdim=True)

    return Candidate(kind="parametrization", function=function, put_on=_registered)


def seeded_by_rank(V, method_id, said, prox):
    """Another map in every process, where there are several."""

    def function(X):
        off = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        return (1.0 + off) * X

    return Candidate(kind="parametrization", function=function, put_on=_registered)


def _registered(model, optimizer):
    class Unit(nn.Module):
        def forward(self, X):
            return X / X.norm(dim=1, keepdim=True)

    nn.utils.parametrize.register_parametrization(model[0], "weight", Unit())
