"""Where an odd polynomial iteration takes singular values: exact images of intervals, smallest starts, errors."""

import numpy as np

from wnverify.oracles.ratio import map_model
from wnverify.primitives.singular_values import image, orthonormality_error, smallest_start


def test_the_image_of_an_interval_is_exact():
    """No sample of the interval leaves its image, the ends are attained, and a wrong bound would be seen."""
    steps, start = [(3.4445, -4.7750, 2.0315), (1.5, -0.5, 0.0), (2.0, -1.5, 0.5)], np.linspace(0.05, 1.0, 200_001)
    values = start
    for a, b, c in steps:
        values = values * (a + b * values**2 + c * values**4)
    low, high = image(steps, 0.05, 1.0)
    model = map_model("float64", 12, condition=10.0)
    assert low <= values.min() + model.relative
    assert high >= values.max() - model.relative
    step = 20 * (start[1] - start[0])
    assert values.min() - low < step
    assert high - values.max() < step
    assert smallest_start(1.0, 16, "frobenius") == 0.25
    assert smallest_start(1.0, 16, "gram") == 0.5
    assert orthonormality_error([(2.0, 0.0, 0.0)], 1.0, 1, "gram") == 3.0
