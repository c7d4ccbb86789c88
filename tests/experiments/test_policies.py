"""Fast AutoAugment: every operation beside NumPy, the file of pairs, and how a pair is drawn."""

import collections

import numpy as np
import pytest
from PIL import Image

from wnverify.experiments.data import policies
from wnverify.experiments.data.policies import OPERATIONS
from wnverify.experiments.data.samples import DataError, Step

IMAGE = np.random.default_rng(3).integers(20, 230, (14, 11, 3)).astype(np.uint8)
LEVELS = (0.0517, 0.3331, 0.8713)


def acted(name, level, seed=0, image=IMAGE):
    """The operation's result, and its magnitude."""
    operation = OPERATIONS[name]
    magnitude = operation.magnitude(level)
    return np.asarray(operation.act(Image.fromarray(image), magnitude, np.random.default_rng(seed))), magnitude


def moved(image, matrix):
    """The pixel whose square holds the image of each pixel's centre, black outside."""
    height, width = image.shape[:2]
    row, column = np.mgrid[:height, :width] + 0.5
    a, b, c, d, e, f = matrix
    x, y = np.floor(a * column + b * row + c).astype(int), np.floor(d * column + e * row + f).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    out = np.zeros_like(image)
    out[inside] = image[y[inside], x[inside]]
    return out


def turned(angle):
    """The matrix of a rotation by ``angle`` degrees, counter-clockwise as seen, about the centre."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    x, y = IMAGE.shape[1] / 2, IMAGE.shape[0] / 2
    return (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


GEOMETRIC = {
    "ShearX": lambda m: (1, m, 0, 0, 1, 0),
    "ShearY": lambda m: (1, 0, 0, m, 1, 0),
    "TranslateX": lambda m: (1, 0, m * IMAGE.shape[1], 0, 1, 0),
    "TranslateY": lambda m: (1, 0, 0, 0, 1, m * IMAGE.shape[0]),
    "Rotate": turned,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", GEOMETRIC)
def test_what_moves_pixels(name, level):
    """The result is that of one direction or of the other, and over a few draws both occur."""
    seen = set()
    for seed in range(12):
        out, magnitude = acted(name, level, seed)
        ways = [way for way in (1, -1) if (out == moved(IMAGE, GEOMETRIC[name](way * magnitude))).all()]
        assert len(ways) == 1
        seen.update(ways)
    assert seen == {1, -1}


def blended(other, factor):
    """other + factor (image − other) in single precision, cut to 0 … 255 and then to whole numbers."""
    base = other.astype(np.float32)
    return np.clip(base + np.float32(factor) * (IMAGE.astype(np.float32) - base), 0, 255).astype(np.uint8)


def grey():
    """Luma of ITU-R 601-2, rounded, in three channels."""
    luma = (IMAGE.astype(int) @ [19595, 38470, 7471] + 2**15) >> 16
    return np.repeat(luma[..., None], 3, axis=2)


def smooth():
    """Weights 5 at the centre and 1 around it over 13; pixels at the border as they are."""
    out = IMAGE.copy()
    x = IMAGE.astype(int)
    around = sum(x[1 + i : x.shape[0] - 1 + i, 1 + j : x.shape[1] - 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1))
    out[1:-1, 1:-1] = np.floor((around + 4 * x[1:-1, 1:-1]) / 13 + 0.5)
    return out


def stretched():
    """Each channel's least value to 0 and its largest to 255."""
    low, high = IMAGE.min((0, 1)).astype(int), IMAGE.max((0, 1)).astype(int)
    scale = 255.0 / (high - low)
    return (IMAGE * scale - low * scale).astype(int).clip(0, 255)


def equalized():
    """Each channel's value by the count of pixels below it, in steps of which 255 hold all but the last value's."""
    out = np.empty_like(IMAGE)
    for k in range(3):
        counts = np.bincount(IMAGE[..., k].ravel(), minlength=256)
        step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
        below = np.concatenate([[0], np.cumsum(counts)[:-1]])
        table = ((step // 2 + below) // step).clip(0, 255) if step else np.arange(256)
        out[..., k] = table[IMAGE[..., k]]
    return out


COLOURS = {
    "Invert": lambda m: 255 - IMAGE,
    "Solarize": lambda m: np.where(m <= IMAGE, 255 - IMAGE, IMAGE),
    "Posterize": lambda m: IMAGE // 2 ** (8 - int(m)) * 2 ** (8 - int(m)),
    "Brightness": lambda m: blended(np.zeros_like(IMAGE), m),
    "Color": lambda m: blended(grey(), m),
    "Contrast": lambda m: blended(np.full_like(IMAGE, int(grey()[..., 0].mean() + 0.5)), m),
    "Sharpness": lambda m: blended(smooth(), m),
    "AutoContrast": lambda m: stretched(),
    "Equalize": lambda m: equalized(),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", COLOURS)
def test_what_changes_colours(name, level):
    """Bit for bit the formula, at every level."""
    out, magnitude = acted(name, level)
    assert (out == COLOURS[name](magnitude)).all()


def test_equalizing_a_large_image(monkeypatch):
    """With more than 255 pixels the steps are whole, and values are spread."""
    large = np.random.default_rng(5).integers(90, 130, (60, 50, 3)).astype(np.uint8)
    monkeypatch.setitem(globals(), "IMAGE", large)
    out, _ = acted("Equalize", 0.5, image=large)
    assert (out == equalized()).all()
    assert np.ptp(out) > 240


def test_cutout_puts_in_a_grey_square():
    """The square has the magnitude's share of the width, up to the pixels it touches; all else stays."""
    for seed, level in enumerate(np.linspace(0.05, 1, 40)):
        out, magnitude = acted("Cutout", level, seed)
        changed = (out != IMAGE).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert (out[changed] == policies.GREY).all()
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        whole = int(magnitude * IMAGE.shape[1]) + 1
        assert len(rows) == whole or rows[-1] == IMAGE.shape[0] - 1
        assert len(columns) == whole or columns[-1] == IMAGE.shape[1] - 1


RANGES = {
    **dict.fromkeys(("ShearX", "ShearY"), (-0.3, 0.3)),
    **dict.fromkeys(("TranslateX", "TranslateY"), (-0.45, 0.45)),
    **dict.fromkeys(("Contrast", "Color", "Brightness", "Sharpness"), (0.1, 1.9)),
    "Rotate": (-30, 30),
    "Solarize": (0, 256),
    "Posterize": (4, 8),
    "Cutout": (0, 0.2),
}
"""AutoAugment's Table 6; shifts of 150 pixels as 0.45 and squares of 60 pixels as 0.2 of the side."""


@pytest.mark.parametrize("name", RANGES)
def test_the_range_of_a_magnitude(name):
    """Levels 0 and 1 are its ends."""
    operation = OPERATIONS[name]
    assert (operation.magnitude(0.0), operation.magnitude(1.0)) == RANGES[name]


def test_every_operation_is_looked_at():
    """The tests above have every operation."""
    assert {*GEOMETRIC, *COLOURS, "Cutout"} == set(OPERATIONS)


def test_pairs_are_read(tmp_path):
    """In the order of the file, whole numbers among the shares."""
    (tmp_path / policies.FILE).write_text('{"pairs": [[["Invert", 1, 0.5], ["Rotate", 0.25, 0]], [["Cutout", 0, 1]]]}')
    assert policies.pairs(tmp_path) == (
        (Step("Invert", 1.0, 0.5), Step("Rotate", 0.25, 0.0)),
        (Step("Cutout", 0.0, 1.0),),
    )


GOOD = '["Invert", 1.0, 0.5]'
WRONG_STEPS = {
    "unknown": '["Blur", 0.5, 0.5]',
    "probability": '["Invert", 1.5, 0.5]',
    "level": '["Invert", 0.5, -0.1]',
    "nan": '["Invert", 0.5, NaN]',
    "bool": '["Invert", true, 0.5]',
    "text": '["Invert", "0.5", 0.5]',
    "short": '["Invert", 0.5]',
    "long": '["Invert", 0.5, 0.5, 0.5]',
    "object": '{"Invert": 0.5}',
    "operation": '[["Invert"], 0.5, 0.5]',
}


@pytest.mark.parametrize("wrong", WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_a_step_that_cannot_be(wrong, tmp_path):
    """File and entry are told, and what would be right."""
    (tmp_path / policies.FILE).write_text(f'{{"pairs": [[{GOOD}], [{GOOD}, {wrong}]]}}')
    with pytest.raises(
        DataError, match=r"fast_autoaugment\.json: pairs\[1\]\[1\] must be \[operation, probability, level"
    ):
        policies.pairs(tmp_path)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"pairs": [', r"fast_autoaugment\.json must be JSON: .*char 11"),
        ("\xff", r"fast_autoaugment\.json must be JSON: .*byte 0xff"),
        (f"[[{GOOD}]]", 'must be an object with the one key "pairs"'),
        (f'{{"pairs": [[{GOOD}]], "more": 1}}', 'must be an object with the one key "pairs"'),
        ('{"pairs": []}', r"fast_autoaugment\.json: pairs must be a list that is not empty; got \[\]"),
        ('{"pairs": {"0": 1}}', "pairs must be a list"),
        (f'{{"pairs": [[{GOOD}], []]}}', r"pairs\[1\] must be a list that is not empty; got \[\]"),
        ('{"pairs": ["Invert"]}', r"pairs\[0\] must be a list that is not empty; got 'Invert'"),
    ],
    ids=["broken", "bytes", "list", "keys", "empty", "object", "empty-pair", "pair"],
)
def test_a_file_of_another_form(written, said, tmp_path):
    """The file is named, and the entry where there is one."""
    (tmp_path / policies.FILE).write_bytes(written.encode("latin-1"))
    with pytest.raises(DataError, match=said):
        policies.pairs(tmp_path)


def test_a_missing_file(tmp_path):
    """The message has its name."""
    with pytest.raises(DataError, match=r"must hold fast_autoaugment\.json; it holds nothing"):
        policies.pairs(tmp_path)


def test_pairs_and_their_steps_are_drawn():
    """Each pair is as likely as any other, each of its steps acts with its own probability, one after the other."""
    policy = (
        (Step("Solarize", 0.25, 0.5), Step("Invert", 1.0, 0.0)),
        (Step("Invert", 0.0, 0.0), Step("Posterize", 1.0, 0.0)),
    )
    x = np.broadcast_to(np.array([10, 200, 250], np.uint8)[:, None, None], (4000, 3, 2, 2))
    out = policies.by_policy(x, np.random.default_rng(0), policy)
    seen = collections.Counter(tuple(image[:, 0, 0].tolist()) for image in out)
    shares = {(245, 200, 250): 1 / 8, (245, 55, 5): 3 / 8, (0, 192, 240): 1 / 2}
    assert set(seen) == set(shares)
    for colour, share in shares.items():
        # Six standard deviations of a binomial count.
        assert abs(seen[colour] - 4000 * share) <= 6 * (4000 * share * (1 - share)) ** 0.5


def test_images_of_one_channel():
    """They have the same shape and type afterwards; other inputs are told."""
    policy = ((Step("Invert", 0.5, 0.0), Step("Cutout", 0.5, 1.0)),)
    x = IMAGE[None, None, :, :, 0].repeat(60, axis=0)
    out = policies.by_policy(x, np.random.default_rng(0), policy)
    assert (out.shape, out.dtype) == (x.shape, x.dtype)
    assert (out != x).any(axis=(1, 2, 3)).sum() > 20
    for wrong in (x.astype(np.float32), x.repeat(2, axis=1)):
        with pytest.raises(ValueError, match="uint8 with 1 or 3 channels"):
            policies.by_policy(wrong, np.random.default_rng(0), policy)
