"""How a penalty's factor changes over the epochs: kept, reduced step by step, or dropped.  No torch.

A schedule is a function epoch → factor, epochs counted from 0.  Whoever runs the training sets ``penalty.factor`` to
it before each epoch.  Bansal, Chen and Wang 2018 reduce the factor of their orthogonality penalties, and in the end
drop it, which *Norm loss* (section I) names as the remedy for what orthogonality forbids a network to learn.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Final

from wnverify.primitives.scalars import nonnegative

Schedule = Callable[[int], float]


@dataclasses.dataclass(frozen=True)
class Constant:
    """One factor for every epoch; ``ValueError`` unless it is finite and at least 0.

    >>> Constant(0.01)(7)
    0.01
    """

    value: float

    def __post_init__(self) -> None:
        nonnegative(self.value, "value")

    def __call__(self, epoch: int) -> float:
        _epoch(epoch, "epoch")
        return float(self.value)


@dataclasses.dataclass(frozen=True)
class Reduced:
    """``value`` at first, and from each epoch of ``milestones`` on the factor that stands there.

    ``milestones``: epoch → factor, in rising order of epochs, from 1 on.  ``ValueError`` names what is wrong.

    >>> [Reduced(0.1, {2: 0.01, 4: 0.0})(epoch) for epoch in (0, 1, 2, 3, 4)]
    [0.1, 0.1, 0.01, 0.01, 0.0]
    """

    value: float
    milestones: Mapping[int, float]

    def __post_init__(self) -> None:
        nonnegative(self.value, "value")
        if not self.milestones:
            raise ValueError("milestones must name at least one epoch; for one factor throughout there is Constant")
        for epoch, factor in self.milestones.items():
            _epoch(epoch, "milestones", least=1)
            nonnegative(factor, f"milestones[{epoch}]")
        for before, after in itertools.pairwise(self.milestones):
            if before >= after:
                raise ValueError(f"milestones must be in rising order of epochs; got {before} before {after}")
        object.__setattr__(self, "milestones", dict(self.milestones))

    def __call__(self, epoch: int) -> float:
        _epoch(epoch, "epoch")
        passed = [factor for start, factor in self.milestones.items() if start <= epoch]
        return float(passed[-1] if passed else self.value)

    def __hash__(self) -> int:
        return hash((self.value, tuple(self.milestones.items())))


@dataclasses.dataclass(frozen=True)
class Dropped:
    """``value`` before ``epoch``, 0 from it on.

    >>> [Dropped(0.1, 2)(epoch) for epoch in (0, 1, 2)]
    [0.1, 0.1, 0.0]
    """

    value: float
    epoch: int

    def __post_init__(self) -> None:
        nonnegative(self.value, "value")
        _epoch(self.epoch, "epoch")

    def __call__(self, epoch: int) -> float:
        _epoch(epoch, "epoch")
        return float(self.value) if epoch < self.epoch else 0.0


def _epoch(epoch: int, name: str, *, least: int = 0) -> None:
    if isinstance(epoch, bool) or not isinstance(epoch, int):
        raise TypeError(f"{name} must be counted in whole numbers; got {type(epoch).__name__}")
    if epoch < least:
        raise ValueError(f"{name} must be at least {least}; got {epoch}")


SRIP: Final = Reduced(0.1, {20: 1e-3, 50: 1e-4, 70: 1e-6, 120: 0.0})
"""The factor in Bansal, Chen and Wang 2018, section 4.1.  Their published program has those numbers as multiples of an
initial 0.01: ``Reduced(1e-2, {20: 1e-5, 50: 1e-6, 70: 1e-8, 120: 0.0})``.

>>> [SRIP(epoch) for epoch in (19, 20, 50, 70, 119, 120)]
[0.1, 0.001, 0.0001, 1e-06, 1e-06, 0.0]
"""
