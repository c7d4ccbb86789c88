"""MNIST in its IDX files: a big-endian header (0, 0, 8, dimensions; each size in 4 bytes), then one byte an entry.

Format: http://yann.lecun.com/exdb/mnist/ (as documented there); files plain or compressed by gzip.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wnverify.experiments.data.files import content, directory, exactly, present
from wnverify.experiments.data.samples import Arrays, DataError, Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSIGNED_BYTE: Final = 8
CLASSES: Final = 10
NAMES: Final = {"train": "train", "test": "t10k"}


def read(path: Path) -> NDArray[Any]:
    """The array of one IDX file of unsigned bytes; ``DataError`` names file and byte where it is no such file."""
    import numpy as np

    data = content(path)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"{path.name}: byte 0 must begin the IDX magic 00 00 08; got {data[:4].hex(' ') or 'no bytes'}")
    if data[2] != UNSIGNED_BYTE:
        raise DataError(f"{path.name}: byte 2 must be 08, unsigned bytes; got {data[2]:02x}")
    dimensions = data[3]
    header = 4 + 4 * dimensions
    if dimensions == 0 or len(data) < header:
        raise DataError(f"{path.name} breaks off at byte {len(data)}: the header of {dimensions} sizes needs {header}")
    sizes = struct.unpack(f">{dimensions}I", data[4:header])
    count = 1
    for size in sizes:
        count *= size
    exactly(path, data, header + count, f"a header of {header} and {' × '.join(map(str, sizes))} entries")
    return np.frombuffer(data, np.uint8, offset=header).reshape(sizes)


def mnist(path: str | Path) -> Dataset:
    """MNIST from ``train-images-idx3-ubyte`` and its three siblings (or ``….gz``, or ``….idx3-ubyte``) in ``path``."""
    folder = directory(path)
    train, test = (_part(folder, NAMES[part]) for part in ("train", "test"))
    if train.x.shape[1:] != test.x.shape[1:]:
        raise DataError(f"train and test images must have one size; got {train.x.shape[1:]} and {test.x.shape[1:]}")
    return Dataset("mnist", train, test, shape=train.x.shape[1:], classes=CLASSES)


def _part(folder: Path, prefix: str) -> Arrays:
    import numpy as np

    found = {}
    for what, rank in (("images", 3), ("labels", 1)):
        names = (f"{prefix}-{what}-idx{rank}-ubyte", f"{prefix}-{what}.idx{rank}-ubyte")
        path = present(folder, *names, *(f"{name}.gz" for name in names))
        found[what] = read(path)
        if found[what].ndim != rank:
            raise DataError(f"{path.name}: byte 3 must be {rank:02x}, its dimensions; got {found[what].ndim:02x}")
    images, labels = found["images"], found["labels"]
    if len(images) != len(labels):
        raise DataError(f"{prefix} must have one label an image; got {len(images)} images and {len(labels)} labels")
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        at = int(wrong[0])
        raise DataError(f"{path.name}: byte {8 + at} must be a digit, 0 to 9; got {int(labels[at])}")
    return Arrays(images[:, None], labels.astype(np.int64))
