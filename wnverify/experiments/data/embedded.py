"""scikit-learn's digits: 1,797 images of 8 × 8 that come with the package, so that nothing is downloaded.

Source: E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998
(the test part).  Grey values 0 … 16 are spread to 0 … 240, so that they are images like all others.
"""

from __future__ import annotations

from typing import Final

from wnverify.experiments.data.samples import Arrays, DataError, Dataset
from wnverify.finding import seed_of

CLASSES: Final = 10
SHAPE: Final = (1, 8, 8)
TEST_SHARE: Final = 0.25
GREY: Final = 15
"""16 grey levels above zero onto 0 … 240."""


def digits(seed: int = 0) -> Dataset:
    """The digits, a quarter of each class kept for testing by ``seed``; ``DataError`` without scikit-learn."""
    import numpy as np

    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError("digits need scikit-learn: pip install 'wnverify[experiments]'") from None
    found = load_digits()
    x = (GREY * found.images).astype(np.uint8)[:, None]
    y = found.target.astype(np.int64)
    rng = np.random.default_rng(seed_of("data", "digits", seed))
    kept = np.zeros(len(y), dtype=bool)
    for label in range(CLASSES):
        members = rng.permutation(np.flatnonzero(y == label))
        kept[members[: round(TEST_SHARE * len(members))]] = True
    train, test = Arrays(x[~kept], y[~kept]), Arrays(x[kept], y[kept])
    decided = ("a quarter of each class is kept for testing, chosen by the seed",)
    return Dataset("digits", train, test, shape=SHAPE, classes=CLASSES, decided=decided)
