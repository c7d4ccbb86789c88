"""CIFAR-10 and CIFAR-100 in the binary version: records of one label byte (two: coarse, fine) and 3 × 32 × 32 bytes.

Format: https://www.cs.toronto.edu/~kriz/cifar.html.  The Python version of the files is pickled and is not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from wnverify.experiments.data.files import content, directory, present
from wnverify.experiments.data.samples import Arrays, DataError, Dataset

SHAPE: Final = (3, 32, 32)
PIXELS: Final = 3 * 32 * 32


class Layout(NamedTuple):
    """Where a version keeps its samples: subfolder, files, label bytes before the pixels, and the label that counts."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_bytes: int
    classes: int


LAYOUTS: Final = {
    "cifar10": Layout(
        "cifar-10-batches-bin", tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",), 1, 10
    ),
    "cifar100": Layout("cifar-100-binary", ("train.bin",), ("test.bin",), 2, 100),
}


def cifar10(path: str | Path) -> Dataset:
    """CIFAR-10 from the five training batches and the test batch in ``path``, or in its ``cifar-10-batches-bin``."""
    return _load("cifar10", path)


def cifar100(path: str | Path) -> Dataset:
    """CIFAR-100 with its 100 fine labels from ``train.bin`` and ``test.bin``."""
    return _load("cifar100", path)


def _load(name: str, path: str | Path) -> Dataset:
    layout = LAYOUTS[name]
    folder = directory(path)
    if (folder / layout.folder).is_dir():
        folder = folder / layout.folder
    train, test = (_part(folder, files, layout) for files in (layout.train, layout.test))
    return Dataset(name, train, test, shape=SHAPE, classes=layout.classes)


def _part(folder: Path, files: tuple[str, ...], layout: Layout) -> Arrays:
    import numpy as np

    parts = [records(present(folder, file), layout) for file in files]
    return Arrays(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))


def records(path: Path, layout: Layout) -> Arrays:
    """The images and labels of one file; ``DataError`` names file and byte."""
    import numpy as np

    data = content(path)
    size = layout.label_bytes + PIXELS
    count, rest = divmod(len(data), size)
    if rest or not count:
        raise DataError(
            f"{path.name} breaks off at byte {len(data)}: record {count} of {size} bytes began at byte {count * size}"
        )
    table = np.frombuffer(data, np.uint8).reshape(count, size)
    labels = table[:, layout.label_bytes - 1]
    wrong = np.flatnonzero(labels >= layout.classes)
    if len(wrong):
        at = int(wrong[0])
        byte = at * size + layout.label_bytes - 1
        raise DataError(
            f"{path.name}: byte {byte} must be a label below {layout.classes}; got {int(labels[at])}: is this the "
            "binary version?"
        )
    return Arrays(table[:, layout.label_bytes :].reshape(count, *SHAPE), labels.astype(np.int64))
