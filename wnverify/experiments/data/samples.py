"""What a data set is: samples to train on, samples to test on, and what was decided where its text is open.

Images are (count, channels, height, width) in uint8 until a batch is taken; every other input is float32.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from wnverify.finding import dumps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = Sequence[int] | NDArray[np.int64]

TASKS: Final = ("regression", "classification")
SCALED_BY: Final = 10_000
"""Training images by whose mean and deviation all are scaled, the first of them."""


class DataError(ValueError):
    """A file is truncated, foreign or missing: the message names the file and the byte or entry."""


class Step(NamedTuple):
    """One operation of an augmentation policy: its name, how probable it is, and its level, both in [0, 1]."""

    operation: str
    probability: float
    level: float


Policy = tuple[tuple[Step, ...], ...]
"""Of which one entry acts on an image, its steps one after the other (see ``policies``)."""


class Samples(Protocol):
    """Inputs and targets, taken by index; files are read when they are taken."""

    def __len__(self) -> int: ...

    def take(self, indices: Indices) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs (count, …), float32 or uint8, and targets (count,), float32 or int64, of these samples."""
        ...

    def digest(self) -> str:
        """The same for the same samples alone, as far as can be told without reading what is read when it is taken."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Samples that are held in memory: x (count, …) and y (count,); ``DataError`` where their counts differ."""

    x: NDArray[Any]
    y: NDArray[Any]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise DataError(f"x and y must have one entry for each sample; got {len(self.x)} and {len(self.y)}")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: Indices) -> tuple[NDArray[Any], NDArray[Any]]:
        import numpy as np

        chosen = np.asarray(indices, dtype=np.int64)
        return self.x[chosen], self.y[chosen]

    def digest(self) -> str:
        """SHA-256 of every number."""
        import numpy as np

        found = hashlib.sha256()
        for array in (self.x, self.y):
            found.update(f"{array.dtype} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """``classes`` is None for a regression; ``decided`` has a sentence for every gap of the text that was filled.

    ``policy`` is what an augmentation by policy draws from; empty where none is asked for.
    """

    name: str
    train: Samples
    test: Samples
    shape: tuple[int, ...]
    classes: int | None = None
    decided: tuple[str, ...] = ()
    policy: Policy = ()

    @property
    def task(self) -> str:
        return TASKS[0] if self.classes is None else TASKS[1]

    def digest(self) -> str:
        """SHA-256 of all that a run takes from here: a run goes on with the data that it began with."""
        told = [self.shape, self.classes, self.policy, self.train.digest(), self.test.digest()]
        return hashlib.sha256(dumps(told).encode()).hexdigest()


def subset(samples: Samples, indices: Indices) -> Arrays:
    """These samples in memory, in this order."""
    return Arrays(*samples.take(indices))
