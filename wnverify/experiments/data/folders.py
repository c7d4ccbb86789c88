"""Images in folders, one folder a class: ImageNet's ``train/<class>/*.JPEG`` and ``val/<class>/*``, faces likewise.

Images are read when they are taken, turned to RGB, their shorter side resized (bilinear) and the centre cut out, so
that a batch has one shape; random cropping belongs to ``augmentation``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wnverify.experiments.data.files import directory, listed
from wnverify.experiments.data.samples import SCALED_BY, DataError, Dataset
from wnverify.finding import dumps, seed_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wnverify.experiments.data.samples import Indices

SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm")
TEST_NAMES: Final = ("val", "test")
CHANNELS: Final = {"RGB": 3, "L": 1}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ImageFiles:
    """Paths and labels; ``take`` reads (count, channels, size, size) in uint8."""

    paths: tuple[Path, ...]
    labels: NDArray[Any]
    size: int
    mode: str

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: Indices) -> tuple[NDArray[Any], NDArray[Any]]:
        import numpy as np

        chosen = np.asarray(indices, dtype=np.int64)
        images = [read(self.paths[i], self.size, self.mode) for i in chosen]
        return np.stack(images) if images else np.zeros((0, CHANNELS[self.mode], self.size, self.size), np.uint8), (
            self.labels[chosen]
        )

    def digest(self) -> str:
        """SHA-256 of every file's folder, name, size and time of change, of labels, mode and size of the images."""
        known = [(path.parent.name, path.name, *_changed(path)) for path in self.paths]
        return hashlib.sha256(dumps([known, self.labels.tolist(), self.size, self.mode]).encode()).hexdigest()


def _changed(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def read(path: Path, size: int, mode: str = "RGB") -> NDArray[Any]:
    """One image (channels, size, size) in uint8; ``DataError`` names the file that is truncated or no image."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = opened.convert(mode)
    except UnidentifiedImageError:
        begins = path.read_bytes()[:4].hex(" ") or "no bytes"
        raise DataError(f"{path.parent.name}/{path.name}: byte 0 begins no known image; got {begins}") from None
    except (OSError, SyntaxError, ValueError) as error:
        bytes_there = path.stat().st_size
        raise DataError(f"{path.parent.name}/{path.name} breaks off among its {bytes_there} bytes: {error}") from None
    scale = size / min(image.size)
    wide, high = (max(size, round(side * scale)) for side in image.size)
    left, top = (wide - size) // 2, (high - size) // 2
    cut = image.resize((wide, high), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    array = np.asarray(cut, np.uint8)
    return array.transpose(2, 0, 1) if mode == "RGB" else array[None]


def image_folders(path: str | Path, size: int = 224) -> Dataset:
    """ImageNet-style folders: ``train`` and ``val`` (or ``test``) in ``path``, each with one folder a class."""
    folder = directory(path)
    train = folder / "train"
    test = next((folder / name for name in TEST_NAMES if (folder / name).is_dir()), None)
    if not train.is_dir() or test is None:
        raise DataError(f"{folder.name} must hold the folders train and val (or test); it holds {listed(folder)}")
    classes = _classes(train)
    if (there := _classes(test)) != classes:
        odd = sorted(set(there) ^ set(classes))
        raise DataError(
            f"train and {test.name} must have the same classes; {', '.join(odd[:5])} is in one of them only"
        )
    return Dataset(
        "image_folders",
        _files(train, classes, size, "RGB"),
        _files(test, classes, size, "RGB"),
        shape=(3, size, size),
        classes=len(classes),
        decided=(
            f"an image is its central square, resized to {size} pixels: random windows are cut out of that, not out of "
            "the whole image, and the whole of it is tested on, where the usual protocol cuts 224 pixels out of 256",
            f"channels are scaled by the first {SCALED_BY:,} training images at most, those of the first classes by "
            "name",
        ),
    )


def faces(path: str | Path, seed: int, size: int = 64, tests: int = 1340) -> Dataset:
    """Grey faces, one folder a person (as PIE is handed out): ``tests`` of all images are drawn to test on.

    1,340 of 11,544 as in section 4.2.1 of the DSWN paper.  ``DataError`` where there are no more images than that,
    ``ValueError`` for less than one.
    """
    import numpy as np

    folder = directory(path)
    classes = _classes(folder)
    every = _files(folder, classes, size, "L")
    if tests < 1:
        raise ValueError(f"tests must be a number of images, at least 1; got {tests}")
    if len(every) <= tests:
        raise DataError(f"{folder.name} must hold more than the {tests} images to test on; it holds {len(every)}")
    rng = np.random.default_rng(seed_of("data", "faces", seed))
    kept = np.ones(len(every), dtype=bool)
    kept[rng.permutation(len(every))[:tests]] = False
    train, test = (
        ImageFiles(
            tuple(path for path, keep in zip(every.paths, mask, strict=True) if keep), every.labels[mask], size, "L"
        )
        for mask in (kept, ~kept)
    )
    decided = (f"the {tests} images to test on are drawn from all images alike, whoever is on them",)
    return Dataset("faces", train, test, shape=(1, size, size), classes=len(classes), decided=decided)


def _classes(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise DataError(f"{folder.name} must hold a folder for each class, two at least; it holds {listed(folder)}")
    return names


def _files(folder: Path, classes: list[str], size: int, mode: str) -> ImageFiles:
    import numpy as np

    if size < 1:
        raise ValueError(f"size must be a number of pixels, at least 1; got {size}")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in SUFFIXES)
        if not found:
            raise DataError(
                f"{folder.name}/{name} must hold images ({', '.join(SUFFIXES)}); it holds {listed(folder / name)}"
            )
        paths += found
        labels += [label] * len(found)
    return ImageFiles(tuple(paths), np.array(labels, dtype=np.int64), size, mode)
