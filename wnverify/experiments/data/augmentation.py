"""Random changes of training batches and the preprocessing of all, as the papers name them.

A change takes a batch and a NumPy generator and gives a new batch of the same dtype; images are (count, channels,
height, width), point clouds (count, 3, points).  Sources: mirroring and random crops after padding by four pixels
(norm loss, sec. IV; CWO, sec. 4.1.1); Cutout (DeVries and Taylor 2017, one square, centre anywhere in the image, zero
once the image is scaled); crops of 8 to 100 % of the area and aspect ratio 3/4 to 4/3 (Szegedy et al. 2015); Fast
AutoAugment (see ``policies``); rotation about the up-axis and jitter (CWO, sec. 4.2.1).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wnverify.experiments.data.policies import by_policy
from wnverify.experiments.data.samples import SCALED_BY, Policy, Samples

Batch = NDArray[Any]
Change = Callable[[Batch, np.random.Generator], Batch]

PADDING: Final = 4
UP: Final = 1
"""The axis of ModelNet40's objects that points up."""
JITTER, JITTER_LIMIT = 0.01, 0.05
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
ATTEMPTS: Final = 10


def mirrored(x: Batch, rng: np.random.Generator) -> Batch:
    """Each image mirrored left to right with probability 1/2."""
    out = x.copy()
    chosen = rng.random(len(x)) < 0.5
    out[chosen] = x[chosen][..., ::-1]
    return out


def cropped(x: Batch, rng: np.random.Generator, padding: int = PADDING) -> Batch:
    """Each image padded by zeros on every side, and a window of its own size cut out at random."""
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    top, left = rng.integers(0, 2 * padding + 1, size=(2, len(x)))
    rows, columns = top[:, None] + np.arange(height), left[:, None] + np.arange(width)
    each = np.arange(len(x))
    return padded[each[:, None, None], :, rows[:, :, None], columns[:, None, :]].transpose(0, 3, 1, 2)


def cut_out(x: Batch, rng: np.random.Generator, size: int) -> Batch:
    """A square of ``size`` pixels set to zero in each image; its centre is anywhere, so that it may reach outside.

    Of scaled images: there zero is the mean colour.
    """
    out = x.copy()
    height, width = x.shape[2:]
    centres = np.stack([rng.integers(0, height, len(x)), rng.integers(0, width, len(x))], axis=1)
    for image, (row, column) in zip(out, centres, strict=True):
        top, left = row - size // 2, column - size // 2
        image[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
    return out


def scale_and_aspect(x: Batch, rng: np.random.Generator) -> Batch:
    """A window of random area and aspect ratio of each uint8 image, resized to the image's size (bilinear)."""
    from PIL import Image

    height, width = x.shape[2:]
    out = np.empty_like(x)
    for k, image in enumerate(x):
        top, left, high, wide = _window(rng, height, width)
        for channel, plane in enumerate(image):
            window = Image.fromarray(plane[top : top + high, left : left + wide])
            out[k, channel] = np.asarray(window.resize((width, height), Image.Resampling.BILINEAR))
    return out


def _window(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, height and width; the whole image where no draw fits."""
    for _ in range(ATTEMPTS):
        area = height * width * rng.uniform(*AREA)
        ratio = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            return int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1)), high, wide
    return 0, 0, height, width


def turned(x: Batch, rng: np.random.Generator) -> Batch:
    """Each cloud turned about the up-axis by an angle of its own."""
    angle = rng.uniform(0, 2 * np.pi, len(x))
    turn = np.zeros((len(x), 3, 3))
    a, b = (axis for axis in range(3) if axis != UP)
    turn[:, UP, UP] = 1
    turn[:, a, a] = turn[:, b, b] = np.cos(angle)
    turn[:, a, b], turn[:, b, a] = np.sin(angle), -np.sin(angle)
    out: Batch = (turn @ x).astype(x.dtype)
    return out


def jittered(x: Batch, rng: np.random.Generator) -> Batch:
    """N(0, 0.01²) added to every coordinate, no more than 0.05."""
    noise = np.clip(JITTER * rng.standard_normal(x.shape), -JITTER_LIMIT, JITTER_LIMIT)
    return (x + noise).astype(x.dtype)


AUGMENTATIONS: Final[dict[str, tuple[Change, ...]]] = {
    "none": (),
    "standard": (mirrored, cropped),
    "fast autoaugment and cutout": (cropped, mirrored),
    "shifts": (functools.partial(cropped, padding=1),),
    "scale and aspect": (scale_and_aspect, mirrored),
    "turns and jitter": (turned, jittered),
}
"""By the name that an experiment uses; ``shifts`` is for digits, where a mirror image is another digit."""

BY_POLICY: Final = frozenset({"fast autoaugment and cutout"})
"""Names whose first change is by a pair of the policy (see ``policies``)."""

AFTER_SCALING: Final[dict[str, Change]] = {"fast autoaugment and cutout": functools.partial(cut_out, size=16)}
"""What is done to the scaled batch of that name."""


def augment(name: str, x: Batch, rng: np.random.Generator, policy: Policy = ()) -> Batch:
    """The batch, not scaled yet, after each change of that name.

    ``ValueError`` for an unknown one, and for one of ``BY_POLICY`` without a policy.
    """
    if name not in AUGMENTATIONS:
        raise ValueError(f"augmentation must be one of {', '.join(AUGMENTATIONS)}; got {name!r}")
    if name in BY_POLICY:
        x = by_policy(x, rng, policy)
    for change in AUGMENTATIONS[name]:
        x = change(x, rng)
    return x


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """x ↦ (x − mean) / deviation, channel by channel for images, in float32."""

    mean: Batch
    deviation: Batch

    def __call__(self, x: Batch) -> Batch:
        shape = (1, -1, *[1] * (x.ndim - 2))
        return ((x - self.mean.reshape(shape)) / self.deviation.reshape(shape)).astype(np.float32)


def scaling_of(samples: Samples, most: int = SCALED_BY) -> Scaling:
    """The mean and standard deviation of each channel over the (first ``most``) training images.

    A channel without spread keeps its scale.
    """
    x, _ = samples.take(range(min(len(samples), most)))
    axes = (0, *range(2, x.ndim))
    deviation = x.std(axis=axes, dtype=np.float64)
    return Scaling(x.mean(axis=axes, dtype=np.float64), np.where(deviation > 0, deviation, 1.0))
