"""Every data set by name, and what each needs."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wnverify.experiments.data.samples import Dataset

_HERE: Final = "wnverify.experiments.data"


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """``reads``: what the user's directory must hold; empty where nothing is read."""

    name: str
    function: str
    reads: str = ""


SOURCES: Final = {
    source.name: source
    for source in (
        Source("regression", f"{_HERE}.synthetic:regression"),
        Source("classification", f"{_HERE}.synthetic:classification"),
        Source("regression_folds", f"{_HERE}.synthetic:regression_folds"),
        Source("classification_folds", f"{_HERE}.synthetic:classification_folds"),
        Source("digits", f"{_HERE}.embedded:digits"),
        Source("mnist", f"{_HERE}.idx:mnist", "the four IDX files, plain or .gz"),
        Source("cifar10", f"{_HERE}.cifar:cifar10", "the binary version's data_batch_1.bin … test_batch.bin"),
        Source("cifar100", f"{_HERE}.cifar:cifar100", "the binary version's train.bin and test.bin"),
        Source("image_folders", f"{_HERE}.folders:image_folders", "train/<class>/ and val/<class>/ with images"),
        Source("faces", f"{_HERE}.folders:faces", "<person>/ with images"),
        Source("modelnet40", f"{_HERE}.clouds:modelnet40", "ply_data_*.h5, or train_points.npy and its siblings"),
    )
}


def load(name: str, directory: str | Path | None = None, seed: int = 0, **options: Any) -> Dataset:
    """The data set of that name; ``seed`` is of what is drawn or split.

    ``directory`` is read for the sets that are not drawn or embedded.  ``ValueError`` for an unknown name or option,
    or a directory that is missing or not asked for.
    """
    if name not in SOURCES:
        raise ValueError(f"data must be one of {', '.join(SOURCES)}; got {name!r}")
    source = SOURCES[name]
    if source.reads and directory is None:
        raise ValueError(f"{name} is read from a directory that holds {source.reads}: give --data DIRECTORY")
    if not source.reads and directory is not None:
        raise ValueError(f"{name} is not read from a directory; got {str(directory)!r}")
    module, function = source.function.split(":")
    make = getattr(importlib.import_module(module), function)
    parameters: Mapping[str, Any] = inspect.signature(make).parameters
    given = {"seed": seed} if "seed" in parameters else {}
    for option in options:
        if option not in parameters or option in ("path", "seed"):
            known = [each for each in parameters if each not in ("path", "seed")]
            raise ValueError(f"{name} has no option {option!r}; it has {', '.join(known) or 'none'}")
    made: Dataset = make(directory, **given, **options) if source.reads else make(**given, **options)
    return made
