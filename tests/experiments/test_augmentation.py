"""Random changes of batches: what they keep and what they change."""

import numpy as np
import pytest

from wnverify.experiments.data import augmentation
from wnverify.experiments.data.samples import Arrays, Step
from wnverify.oracles.ratio import Ratio, map_model


def rng(seed=0):
    return np.random.default_rng(seed)


IMAGES = rng().integers(1, 256, (40, 3, 9, 7)).astype(np.uint8)
POLICY = ((Step("Invert", 1.0, 0.5),),)
CLOUDS = rng().standard_normal((6, 3, 20)).astype(np.float32)


def test_mirroring_keeps_or_reverses():
    """Every image is itself or its mirror image, and both occur."""
    out = augmentation.mirrored(IMAGES, rng())
    kept = [(a == b).all() for a, b in zip(out, IMAGES, strict=True)]
    assert 5 < sum(kept) < 35
    assert all(same or (a == b[..., ::-1]).all() for a, b, same in zip(out, IMAGES, kept, strict=True))


def test_crops_are_windows_of_the_padded_image():
    """Each crop is found in the image padded by zeros, every offset occurs over many draws."""
    seen = set()
    for seed in range(30):
        for image, crop in zip(IMAGES, augmentation.cropped(IMAGES, rng(seed), padding=1), strict=True):
            padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
            at = [(i, j) for i in range(3) for j in range(3) if (padded[:, i : i + 9, j : j + 7] == crop).all()]
            assert len(at) == 1
            seen.update(at)
    assert len(seen) == 9


def test_cutout_clears_one_square():
    """The cleared entries form a square around some pixel, cut at the border; all else stays."""
    for image, out in zip(IMAGES, augmentation.cut_out(IMAGES, rng(), size=4), strict=True):
        cleared = (out == 0).all(axis=0)
        assert (out[:, ~cleared] == image[:, ~cleared]).all()
        rows, columns = np.flatnonzero(cleared.any(1)), np.flatnonzero(cleared.any(0))
        assert cleared[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 2 <= len(rows) <= 4
        assert 2 <= len(columns) <= 4


def test_scale_and_aspect_keeps_a_constant_image():
    """Windows are resized to the image's size; of a constant image nothing changes, of a gradient the range shrinks."""
    flat = np.full((4, 1, 16, 16), 77, np.uint8)
    assert (augmentation.scale_and_aspect(flat, rng()) == 77).all()
    ramp = np.broadcast_to(np.arange(0, 256, 16, dtype=np.uint8), (20, 1, 16, 16)).copy()
    out = augmentation.scale_and_aspect(ramp, rng())
    assert out.shape == ramp.shape
    assert np.ptp(out.astype(int), axis=(1, 2, 3)).min() < 200


def test_turns_keep_heights_and_distances():
    """The up coordinate stays as it is, and all distances from the axis."""
    out = augmentation.turned(CLOUDS, rng())
    up = augmentation.UP
    assert (out[:, up] == CLOUDS[:, up]).all()
    before, after = (np.delete(x, up, axis=1).astype(float) for x in (CLOUDS, out))
    error = abs((before**2).sum(1) - (after**2).sum(1)).max()
    assert Ratio(float(error), float((before**2).sum(1).max()), map_model("float32", 2)).value <= 1
    assert (before != after).any(axis=(1, 2)).all()


def test_jitter_is_small():
    """No coordinate moves by more than the limit, and most move."""
    moved = abs(augmentation.jittered(CLOUDS, rng()).astype(float) - CLOUDS)
    assert 0.005 < moved.std() < 0.02
    assert moved.max() <= augmentation.JITTER_LIMIT + 2.0**-22


@pytest.mark.parametrize("name", [name for name in augmentation.AUGMENTATIONS if "turns" not in name])
def test_the_input_is_left_alone(name):
    """A change gives a new batch of the same shape and dtype."""
    before = IMAGES.copy()
    out = augmentation.augment(name, IMAGES, rng(), POLICY)
    assert (before == IMAGES).all()
    assert (out.shape, out.dtype) == (IMAGES.shape, IMAGES.dtype)


def test_an_unknown_name_is_told():
    """The message lists the known names."""
    with pytest.raises(ValueError, match="augmentation must be one of none, standard"):
        augmentation.augment("mixup", IMAGES, rng())


def test_scaling_gives_mean_zero_and_deviation_one():
    """Each channel over the training images; a channel without spread is only centred."""
    x = IMAGES.copy()
    x[:, 1] = 9
    out = augmentation.scaling_of(Arrays(x, np.zeros(len(x))))(x).astype(float)
    model = map_model("float32", x[:, 0].size, condition=4.0).relative
    assert (abs(out.mean(axis=(0, 2, 3))) <= model).all()
    assert (abs(out.std(axis=(0, 2, 3)) - [1, 0, 1]) <= model).all()


def test_fast_autoaugment_comes_before_crops():
    """The policy acts on the whole image: what crops put in at the border is black, not inverted."""
    name = "fast autoaugment and cutout"
    assert augmentation.AUGMENTATIONS[name] == (augmentation.cropped, augmentation.mirrored)
    x = np.zeros((40, 3, 9, 9), np.uint8)
    out = augmentation.augment(name, x, rng(), POLICY)
    assert (out[..., 4, 4] == 255).all()
    assert (out == 0).any(axis=(1, 2, 3)).sum() > 30


def test_a_missing_policy_is_told():
    """By the name of the file that has one; other augmentations need none."""
    with pytest.raises(ValueError, match=r"policy must have pairs, those of fast_autoaugment\.json"):
        augmentation.augment("fast autoaugment and cutout", IMAGES, rng())
    augmentation.augment("standard", IMAGES, rng())


def test_windows_have_the_documented_area_and_aspect():
    """Inside the image, of 8 to 100 % of its area and 3 : 4 to 4 : 3 but for whole pixels; the ends are come near."""
    drawn = rng()
    height, width = 200, 240
    found = np.array([augmentation._window(drawn, height, width) for _ in range(4000)])
    top, left, high, wide = found.T
    assert min(top.min(), left.min()) == 0
    assert ((top + high <= height) & (left + wide <= width)).all()
    # A rounded side is off by half a pixel at most.
    area, slack = high * wide / (height * width), (high + wide + 0.5) / (2 * height * width)
    assert (area >= 0.08 - slack).all()
    assert area.min() < 0.09
    assert area.max() > 0.85
    aspect, near = wide / high, (0.5 + 0.5 * wide / high) / (high - 0.5)
    assert (aspect >= 3 / 4 - near).all()
    assert (aspect <= 4 / 3 + near).all()
    assert aspect.min() < 0.76
    assert aspect.max() > 1.32
