"""Right or harmless mathematics whose module keeps, changes or loses a state that its output depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wnverify.faults.parametrization.pieces import Facts, centred, hand_written, norms, unit_rows, unit_rows_backward

SCALED: Facts = {"scale_invariant": True, "row_scale_invariant": True, "odd": True}


class DropoutInTraining(nn.Module):
    """One entry in ten is dropped in training and none in evaluation."""

    DECLARES: ClassVar[Facts] = {}

    def forward(self, V: Tensor) -> Tensor:
        return nn.functional.dropout(unit_rows(V.flatten(1)), 0.1, self.training).reshape(V.shape)


class CentredInTrainingOnly(nn.Module):
    """The rows are centred in training and left as they are in evaluation."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return unit_rows(centred(X) if self.training else X).reshape(V.shape)


class RaisesInEvaluation(nn.Module):
    """What training keeps for the backward is asked for in evaluation too, where nothing has kept it."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True}

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        if not self.training:
            raise RuntimeError("no lengths were kept")
        return unit_rows(X).reshape(V.shape)


class RunningScaleInEvaluation(nn.Module):
    """The mean norm of the rows is tracked and taken for the norm in evaluation, where it lags behind."""

    DECLARES: ClassVar[Facts] = {}
    running: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running", torch.ones(()))

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        size = norms(X).mean()
        if not self.training:
            return V / self.running.to(V.dtype)
        self.running.lerp_(size.detach().to(self.running.dtype), 0.1)
        return V / size


class StepsWhileEvaluating(nn.Module):
    """A running scale is updated at every call, in evaluation too: the function drifts while it is tested."""

    DECLARES: ClassVar[Facts] = {}
    running: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running", torch.ones(()))

    def forward(self, V: Tensor) -> Tensor:
        W = V / self.running.to(V.dtype)
        self.running.lerp_(norms(V.detach().flatten(1)).mean().to(self.running.dtype), 0.01)
        return W


class FirstCallDecides(nn.Module):
    """The scale is set by the first matrix that is seen and kept for all that follow."""

    DECLARES: ClassVar[Facts] = {"odd": True}

    def __init__(self) -> None:
        super().__init__()
        self.size: float | None = None

    def forward(self, V: Tensor) -> Tensor:
        if self.size is None:
            self.size = float(norms(V.detach().flatten(1)).mean())
        return V / self.size


class _OwnRadius(nn.Module):
    """``r v / ‖v‖`` with the mean norm r of the rows of the weight for which the module is made."""

    DECLARES = SCALED
    radius: Tensor
    persistent: ClassVar[bool] = True

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("radius", norms(weight.detach().flatten(1)).mean(), persistent=self.persistent)

    def forward(self, V: Tensor) -> Tensor:
        return hand_written(V, unit_rows, unit_rows_backward) * self.radius.to(V.dtype)


class BufferNotSaved(_OwnRadius):
    """The radius is a buffer that ``state_dict`` leaves out: a loaded module has another one."""

    persistent = False


class DeepcopyStartsAfresh(_OwnRadius):
    """``deepcopy`` makes a new module with the radius one."""

    def __deepcopy__(self, memo: dict[int, Any]) -> DeepcopyStartsAfresh:
        return type(self)(torch.ones(1, 1))


class PickleLosesRadius(_OwnRadius):
    """Pickling makes a new module with the radius one."""

    def __reduce__(self) -> tuple[type, tuple[Tensor]]:
        return type(self), (torch.ones(1, 1),)


class LambdaInside(nn.Module):
    """A lambda is kept as an attribute, which ``pickle`` and therefore ``torch.save`` refuse."""

    DECLARES: ClassVar[Facts] = {"unit_norm_rows": True}

    def __init__(self) -> None:
        super().__init__()
        self.length: Callable[[Tensor], Tensor] = lambda X: norms(X)

    def forward(self, V: Tensor) -> Tensor:
        X = V.flatten(1)
        return (X / self.length(X)).reshape(V.shape)
