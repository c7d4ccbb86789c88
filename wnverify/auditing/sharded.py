"""A subject as a candidate of the lab's trials with distributed weights: made anew in every process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from wnverify.auditing.subject import Subject, parametrized_layer
from wnverify.auditing.target import PARAMETRIZATION, PENALTY, TargetSpec
from wnverify.numerics.shards.trial import Candidate
from wnverify.primitives.distributed import aligned, placed_like, whole

MAKER: Final = f"{__name__}:candidate"


def candidate(like: Tensor, spec: Mapping[str, Any], kind: str, weight: Sequence[Any], training: bool) -> Candidate:
    """The subject, built for ``weight``, in the dtype that the trial has."""
    subject = Subject(TargetSpec(**spec), kind)
    instance = subject.build(torch.tensor(weight, dtype=like.dtype), training=training)

    def function(V: Tensor, *others: Tensor) -> Tensor:
        tensors = list(others)
        tensors.insert(instance.primary, V)
        return instance(*tensors)

    def put_on(model: nn.Module, optimizer: Optimizer | None) -> None:
        layer = model.get_submodule("0")
        if kind == PARAMETRIZATION:
            model.add_module("0", parametrized_layer(subject, layer).train(training))
        elif kind != PENALTY and optimizer is not None:
            optimizer.register_step_post_hook(lambda *_: _project(layer.get_parameter("weight")))

    @torch.no_grad()
    def _project(parameter: nn.Parameter) -> None:
        parameter.copy_(placed_like(instance(parameter), parameter))

    def penalty(model: nn.Module) -> Tensor:
        return whole(instance(aligned(model.get_submodule("0").get_parameter("weight"))))

    return Candidate(
        kind=kind,
        function=function,
        others=[t.to(like.dtype) for k, t in enumerate(instance.tensors) if k != instance.primary],
        module=instance.module,
        put_on=put_on,
        penalty=penalty if kind == PENALTY else None,
    )
