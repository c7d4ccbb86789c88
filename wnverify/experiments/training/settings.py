"""Everything that decides a training run, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from wnverify.experiments.data.augmentation import AUGMENTATIONS
from wnverify.experiments.training.schedules import Schedule

OPTIMIZERS: Final = ("sgd", "nesterov", "adam")
LOSSES: Final = ("cross_entropy", "squared")
PRECISIONS: Final = ("float32", "bfloat16", "float16")
PLAIN: Final = ""
"""The method of the baseline: none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run.  ``method`` is a name of the catalogue (several joined by ``+``, PLAIN for none), ``options`` its own.

    ``layers`` are the method's (None: every linear and convolutional layer).  ``weight_decay`` is the optimiser's own
    (coupled).  ``precision`` other than float32 is mixed: weights stay in float32, and with float16 losses are scaled.
    """

    network: str
    method: str = PLAIN
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    layers: tuple[str, ...] | None = None
    optimizer: str = "sgd"
    rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = dataclasses.field(default_factory=Schedule)
    epochs: int = 10
    batch: int = 128
    augmentation: str = "none"
    loss: str = "cross_entropy"
    precision: str = "float32"
    seed: int = 0
    proximal: bool = False
    """A penalty's proximal operator after every step, in the place of its gradient."""

    def __post_init__(self) -> None:
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("loss", LOSSES),
            ("precision", PRECISIONS),
            ("augmentation", tuple(AUGMENTATIONS)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not self.rate > 0:
            raise ValueError(f"rate must be positive; got {self.rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1; got {self.momentum}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0; got {self.weight_decay}")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for checkpoints and findings."""
        return dataclasses.asdict(self) | {"options": dict(self.options)}
