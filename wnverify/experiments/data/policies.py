"""Fast AutoAugment: the file of pairs of operations, and what each operation does.

An image is changed by one pair of the policy, all equally likely; each operation of the pair acts with its probability
p and with the magnitude low + level · (high − low).  Ranges are those of AutoAugment (Cubuk et al. 2019, Table 6), with
lengths as shares of the image's side; shears, shifts and rotations go either way with probability 1/2, take the nearest
pixel and leave black behind.

The pairs do not ship.  They are read from ``fast_autoaugment.json`` in the directory that the user names::

    {"pairs": [[["Invert", 0.25, 0.5], ["Rotate", 1.0, 0.75]], ...]}

with operation, probability and level of each step.  Those that the authors published for CIFAR-10, 493 of them, are the
policy ``fa_reduced_cifar10`` in FastAutoAugment/archive.py of the repository https://github.com/kakaobrain/fast-autoaugment.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from wnverify.experiments.data.files import directory, present
from wnverify.experiments.data.samples import DataError, Policy, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    Draw = np.random.Generator

FILE: Final = "fast_autoaugment.json"
GREY: Final = (125, 123, 114)
"""What Cutout puts in: the mean colour of ImageNet."""


class Operation(NamedTuple):
    """``act`` takes picture, magnitude and generator; the magnitude of level λ is low + λ (high − low)."""

    act: Callable[[Picture, float, Draw], Picture]
    low: float = 0.0
    high: float = 1.0

    def magnitude(self, level: float) -> float:
        return self.low + level * (self.high - self.low)


def _affine(picture: Picture, matrix: tuple[float, ...]) -> Picture:
    """Pixel (x, y) of the result is pixel (a x + b y + c, d x + e y + f) of the picture, the nearest, or black."""
    from PIL import Image

    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def _either(magnitude: float, rng: Draw) -> float:
    return magnitude if rng.random() < 0.5 else -magnitude


def _shear_x(picture: Picture, magnitude: float, rng: Draw) -> Picture:
    return _affine(picture, (1, _either(magnitude, rng), 0, 0, 1, 0))


def _shear_y(picture: Picture, magnitude: float, rng: Draw) -> Picture:
    return _affine(picture, (1, 0, 0, _either(magnitude, rng), 1, 0))


def _shift_x(picture: Picture, magnitude: float, rng: Draw) -> Picture:
    return _affine(picture, (1, 0, _either(magnitude, rng) * picture.width, 0, 1, 0))


def _shift_y(picture: Picture, magnitude: float, rng: Draw) -> Picture:
    return _affine(picture, (1, 0, 0, 0, 1, _either(magnitude, rng) * picture.height))


def _rotate(picture: Picture, magnitude: float, rng: Draw) -> Picture:
    return picture.rotate(_either(magnitude, rng))


def _cut(picture: Picture, magnitude: float, rng: Draw) -> Picture:
    """A grey square; its upper left corner is drawn so that the centre is anywhere, and is moved into the image."""
    from PIL import Image

    side = magnitude * picture.width
    left, top = (int(max(0.0, rng.uniform(0, size) - side / 2)) for size in picture.size)
    out = np.array(picture)
    out[top : int(top + side) + 1, left : int(left + side) + 1] = GREY if picture.mode == "RGB" else GREY[0]
    return Image.fromarray(out)


def _whole(name: str, picture: Picture, _magnitude: float, _rng: Draw) -> Picture:
    """An operation of Pillow's without a magnitude."""
    from PIL import ImageOps

    changed: Picture = getattr(ImageOps, name)(picture)
    return changed


def _solarize(picture: Picture, magnitude: float, _rng: Draw) -> Picture:
    """Values from the magnitude on are inverted."""
    from PIL import ImageOps

    return ImageOps.solarize(picture, magnitude)  # type: ignore[arg-type]  # compared, never used as an index


def _posterize(picture: Picture, magnitude: float, _rng: Draw) -> Picture:
    """As many leading bits are kept."""
    from PIL import ImageOps

    return ImageOps.posterize(picture, int(magnitude))


def _enhance(name: str, picture: Picture, magnitude: float, _rng: Draw) -> Picture:
    """1 leaves the picture; 0 makes it grey, colourless, black or smooth."""
    from PIL import ImageEnhance

    changed: Picture = getattr(ImageEnhance, name)(picture).enhance(magnitude)
    return changed


OPERATIONS: Final = {
    "ShearX": Operation(_shear_x, -0.3, 0.3),
    "ShearY": Operation(_shear_y, -0.3, 0.3),
    "TranslateX": Operation(_shift_x, -0.45, 0.45),
    "TranslateY": Operation(_shift_y, -0.45, 0.45),
    "Rotate": Operation(_rotate, -30, 30),
    "AutoContrast": Operation(functools.partial(_whole, "autocontrast")),
    "Invert": Operation(functools.partial(_whole, "invert")),
    "Equalize": Operation(functools.partial(_whole, "equalize")),
    "Solarize": Operation(_solarize, 0, 256),
    "Posterize": Operation(_posterize, 4, 8),
    **{name: Operation(functools.partial(_enhance, name), 0.1, 1.9) for name in ("Contrast", "Color", "Brightness")},
    "Sharpness": Operation(functools.partial(_enhance, "Sharpness"), 0.1, 1.9),
    "Cutout": Operation(_cut, 0, 0.2),
}


def pairs(path: str | Path) -> Policy:
    """The pairs of ``fast_autoaugment.json`` in the directory ``path``.

    ``DataError`` names the file, and the entry where one cannot be: JSON of another form, an unknown operation, a
    probability or level outside [0, 1].
    """
    file = present(directory(path), FILE)
    try:
        given = json.loads(file.read_bytes(), parse_int=float)
    except ValueError as error:
        raise DataError(f"{FILE} must be JSON: {error}") from None
    if not isinstance(given, dict) or list(given) != ["pairs"]:
        raise DataError(f'{FILE} must be an object with the one key "pairs"')
    found = _list(given["pairs"], "pairs")
    return tuple(
        tuple(_step(step, f"pairs[{i}][{j}]") for j, step in enumerate(_list(pair, f"pairs[{i}]")))
        for i, pair in enumerate(found)
    )


def _list(given: object, entry: str) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise DataError(f"{FILE}: {entry} must be a list that is not empty; got {given!r:.80}")
    return given


def _step(given: object, entry: str) -> Step:
    match given:
        case [str(name), float(probability), float(level)]:
            if name in OPERATIONS and 0 <= probability <= 1 and 0 <= level <= 1:
                return Step(name, probability, level)
    raise DataError(
        f"{FILE}: {entry} must be [operation, probability, level] with an operation of {', '.join(OPERATIONS)} and "
        f"numbers in [0, 1]; got {given!r:.80}"
    )


def by_policy(x: NDArray[Any], rng: Draw, policy: Policy) -> NDArray[Any]:
    """Each uint8 image of (count, 1 or 3, height, width) changed by a pair that is drawn for it.

    ``ValueError`` for other images, and for a policy without pairs.
    """
    from PIL import Image

    if x.dtype != np.uint8 or x.shape[1] not in (1, 3):
        raise ValueError(f"images must be uint8 with 1 or 3 channels; got {x.dtype} {x.shape}")
    if not policy:
        raise ValueError(f"policy must have pairs, those of {FILE} in the directory of the data; got none")
    out = np.empty_like(x)
    for k, image in enumerate(x):
        picture = Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
        for step in policy[rng.integers(len(policy))]:
            if rng.random() < step.probability:
                operation = OPERATIONS[step.operation]
                picture = operation.act(picture, operation.magnitude(step.level), rng)
        out[k] = np.asarray(picture).reshape(*x.shape[2:], -1).transpose(2, 0, 1)
    return out
