"""The probability of class 1 in the classification data of Sec. 5.2, by quadrature."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def shares(alphas: Any, spread: float) -> Any:
    """P(y = 1 | α) for every α, by Gauss–Hermite nodes in x_1, x_3, x_4; the law of x_2² is the normal one.

    Class 1 is x_2² > t − e^{x_1} with t = 3 − 5 sin(x_3 x_4) in [−2, 8].
    """
    import numpy as np
    from scipy.special import ndtr

    nodes, weights = np.polynomial.hermite_e.hermegauss(48)
    weights = weights / weights.sum()
    t = np.linspace(-2, 8, 201)
    found = []
    for alpha in alphas:
        x = alpha / 2 + spread * nodes
        root = np.sqrt(np.maximum(t[:, None] - np.exp(x), 0))
        inside = ndtr((root - alpha / 2) / spread) - ndtr((-root - alpha / 2) / spread)
        given = 1 - inside @ weights
        products = np.interp(3 - 5 * np.sin(np.outer(x, x)), t, given)
        found.append(weights @ products @ weights)
    return np.array(found)


@lru_cache
def overall(spread: float) -> tuple[float, float]:
    """P(y = 1) with an α for each sample, and the best accuracy of a rule that knows α alone."""
    import numpy as np

    alphas = np.linspace(-6, 6, 97)
    density = np.exp(-(alphas**2) / 2)
    p = shares(alphas, spread)
    mean = float((density * p).sum() / density.sum())
    return mean, float((density * np.maximum(p, 1 - p)).sum() / density.sum())


@lru_cache
def balanced(spread: float, share: float = 0.5) -> float:
    """The α between 0 and 2 at which P(y = 1 | α) is ``share``, by bisection."""
    low, high = 0.0, 2.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if shares([middle], spread)[0] < share else (low, middle)
    return (low + high) / 2
