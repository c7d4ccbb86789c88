"""One hidden layer of tanh units: the empirical Rademacher complexity between certified bounds, at small sizes.

The supremum over the output weights is largest at one unit, and tanh is odd, so that for each sign vector

    sup_f Σ_i ε_i f(x_i) = o max(|Σ ε_i|, max_{‖v‖_1 ≤ c} Σ_i ε_i tanh(v·x̃_i)).

The inner maximum is no linear program.  Branch and bound over boxes encloses it: on a box every v·x̃_i lies in an
interval, and tanh is increasing.  A box without a point of the ball, or below the best value found, is dropped.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from wnverify.oracles.ratio import unit_roundoff
from wnverify.theory.network import Matrix, NetworkClass, Vector, augmented, checked_data
from wnverify.theory.rademacher import sign_vectors
from wnverify.theory.two_hidden import Enclosed

MAX_BOXES: Final = 400_000
MAX_SAMPLES: Final = 12
MAX_INPUTS: Final = 2
ULPS: Final = 4
"""Error of tanh that is allowed for, in units in the last place of 1."""


def tanh_complexity(network: NetworkClass, X: ArrayLike, *, gap: float = 1e-3) -> Enclosed:
    """R̂_S of SN_{c,o} with k = 1 and tanh, within ``gap`` of the range of the sum where ``MAX_BOXES`` boxes suffice.

    The two bounds are valid whatever the gap.  ``ValueError`` for k ≠ 1, ρ ≠ 1, more than 12 samples or 2 inputs.

    >>> found = tanh_complexity(NetworkClass(1, 1.0), [[1.0], [-1.0]])
    >>> found.upper - found.lower < 1e-2
    True
    """
    data = checked_data(X)
    n, m1 = data.shape
    if network.k != 1 or network.rho != 1:
        raise ValueError(f"network must have one hidden layer with ρ = 1; got k = {network.k}, rho = {network.rho}")
    if n > MAX_SAMPLES or m1 > MAX_INPUTS:
        raise ValueError(
            f"X must have at most {MAX_SAMPLES} samples and {MAX_INPUTS} inputs for tanh; got {n} and {m1}"
        )
    if not 0 < gap < 1:
        raise ValueError(f"gap must be between 0 and 1; got {gap!r}")
    points = augmented(data)
    signs = sign_vectors(0, 1 << (n - 1), n)
    found = [_maximum(points, each, network.c[0], gap * n) for each in signs]
    bias = np.abs(signs.sum(axis=1))
    scale = network.o / n
    lower = float(np.mean([max(b, one.lower) for b, one in zip(bias, found, strict=True)]))
    upper = float(np.mean([max(b, one.upper) for b, one in zip(bias, found, strict=True)]))
    slack = _slack(n) * scale
    return Enclosed(scale * lower - slack, scale * upper + slack)


def _maximum(points: Matrix, signs: Vector, c: float, gap: float) -> Enclosed:
    """max of Σ ε_i tanh(v·x̃_i) over ‖v‖_1 ≤ c, before rounding is allowed for."""
    m = points.shape[1]
    centres = np.zeros((1, m))
    radius = np.full(m, c)
    best, done = 0.0, 0.0
    seen = 1
    axis = 0
    while True:
        inside = centres * np.minimum(1.0, c / np.maximum(np.abs(centres).sum(axis=1, keepdims=True), 1e-300))
        best = max(best, float((np.tanh(inside @ points.T) @ signs).max()))
        above = _above(points, signs, centres, radius, c)
        keep = above > best + gap
        done = max(done, float(above[~keep].max(initial=0.0)))
        centres = centres[keep]
        if not len(centres) or seen > MAX_BOXES:
            open_boxes = float(above[keep].max(initial=0.0))
            return Enclosed(best, max(best, done, open_boxes))
        radius = radius.copy()
        radius[axis] /= 2
        step = np.zeros(m)
        step[axis] = radius[axis]
        centres = np.concatenate([centres - step, centres + step])
        # The nearest point of a box to 0 in the L1 norm: outside the ball the box holds nothing.
        nearest = np.maximum(np.abs(centres) - radius, 0.0).sum(axis=1)
        centres = centres[nearest <= c]
        seen += len(centres)
        axis = (axis + 1) % m


def _above(points: Matrix, signs: Vector, centres: Matrix, radius: Vector, c: float) -> Vector:
    """An upper bound of the sum on every box: v·x̃_i within its interval, and within ±c max|x̃_ij|."""
    middle = centres @ points.T
    half = np.abs(points) @ radius
    reach = c * np.abs(points).max(axis=1)
    high = np.clip(middle + half, -reach, reach)
    low = np.clip(middle - half, -reach, reach)
    return np.asarray(np.tanh(np.where(signs > 0, high, low)) @ signs)


def _slack(n: int) -> float:
    """n values of tanh, each of an argument with a few roundings, and their sum."""
    return n * (n + ULPS + 8) * 2 * unit_roundoff("float64")
