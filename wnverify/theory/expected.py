"""The expected Rademacher complexity over a distribution of the data, from exact values on drawn samples.

R_n = E_{S ~ Dⁿ} R̂_S   (sec. 3.1 of Wen, Xu, Zheng, Yang and Wang).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wnverify.theory.intervals import Interval, bernstein
from wnverify.theory.network import Matrix, NetworkClass
from wnverify.theory.rademacher import complexity

Sampler = Callable[[np.random.Generator, int], Matrix]
"""(generator, n) → a sample (n, m1) in [−1, 1]^{m1}."""


def expected_complexity(
    network: NetworkClass, sampler: Sampler, n: int, *, trials: int = 200, seed: int = 0, confidence: float = 0.999
) -> Interval:
    """R_n for k ≤ 1 (ReLU), by the empirical Bernstein inequality for values in [0, range of the class].

    ``ValueError`` for fewer than 2 trials or a confidence outside (0, 1).
    """
    if trials < 2:
        raise ValueError(f"trials must be at least 2; got {trials!r}")
    rng = np.random.default_rng(seed)
    values = np.array([complexity(network, sampler(rng, n)).value for _ in range(trials)])
    return bernstein(values, network.range(), confidence)
