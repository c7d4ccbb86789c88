"""Learning rates over a run: what the rate is multiplied by after a share of the epochs.

constant       1
step           factor^(number of milestones passed)
cosine         (1 + cos(π t / T)) / 2                                   (Loshchilov and Hutter 2017, equation 5)
exponential    end^(t / T), so that ``end`` is the factor at the end
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

KINDS: Final = ("constant", "step", "cosine", "exponential")


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """``milestones`` in epochs and ``factor`` are of ``step``, ``end`` of ``exponential``.

    ``ValueError`` for an unknown kind, milestones out of order, or a factor or end outside (0, 1].
    """

    kind: str = "constant"
    milestones: tuple[float, ...] = ()
    factor: float = 0.1
    end: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}")
        if list(self.milestones) != sorted(set(self.milestones)) or (self.milestones and self.milestones[0] <= 0):
            raise ValueError(f"milestones must be positive epochs in rising order; got {self.milestones}")
        for name in ("factor", "end"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1; got {getattr(self, name)}")

    def at(self, epoch: float, epochs: int) -> float:
        """The multiple of the initial rate after ``epoch`` of ``epochs``.

        >>> Schedule("step", milestones=(82, 123)).at(100, 164)
        0.1
        """
        if self.kind == "step":
            return self.factor ** sum(epoch >= milestone for milestone in self.milestones)
        if self.kind == "cosine":
            return (1 + math.cos(math.pi * min(epoch / epochs, 1.0))) / 2
        if self.kind == "exponential":
            return float(self.end ** (epoch / epochs))
        return 1.0
