"""Topics that are curves: how tight every bound is, complexity ÷ bound, against one size of the problem."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np

from wnverify.bounding.comparison import BOUNDS, all_bounds
from wnverify.bounding.topics import Told, at_most_one, curve
from wnverify.finding import Json, encode_array, seed_of
from wnverify.theory.network import Matrix, NetworkClass
from wnverify.theory.sandwich import sandwich

LEFT_OUT: Final = ("sharper", "massart")
"""Judged and not drawn: lies between the closed form and the sample's own bound; is for k = 0 alone."""
DRAWN: Final = tuple(name for name in BOUNDS if name not in LEFT_OUT)


def depth(seed: int, quick: bool, c: float) -> Told:
    """k = 0, 1, 2, …: from k = 3 on the complexity is known between two bounds, and the lower one is taken."""
    X = np.random.default_rng(seed_of("depth", seed)).uniform(-1, 1, size=(5, 2))
    depths = range(5 if quick else 9)
    return _told([(k, NetworkClass(k, c), X) for k in depths], "hidden layers k", ())


depth_half = functools.partial(depth, c=0.5)
depth_one = functools.partial(depth, c=1.0)
depth_two = functools.partial(depth, c=2.0)


def constant(seed: int, quick: bool) -> Told:
    """c from 1/8 to 16 with one hidden layer."""
    X = np.random.default_rng(seed_of("constant", seed)).uniform(-1, 1, size=(8, 2))
    constants = 2.0 ** np.arange(-3, 5, 1.0 if quick else 0.5)
    return _told([(float(c), NetworkClass(1, float(c)), X) for c in constants], "normalization constant c", ("x",))


def sample_size(seed: int, quick: bool) -> Told:
    """n = 1 … 14 with one hidden layer, c = 1."""
    X = np.random.default_rng(seed_of("size", seed)).uniform(-1, 1, size=(14, 2))
    sizes = (1, 2, 4, 8) if quick else range(1, 15)
    return _told([(n, NetworkClass(1, 1.0), X[:n]) for n in sizes], "sample size n", ())


def inputs(seed: int, quick: bool) -> Told:
    """m1 = 1 … 5 with one hidden layer, c = 1."""
    X = np.random.default_rng(seed_of("inputs", seed)).uniform(-1, 1, size=(7, 5))
    return _told([(m, NetworkClass(1, 1.0), X[:, :m]) for m in range(1, 4 if quick else 6)], "inputs m1", ())


def _told(points: Sequence[tuple[float, NetworkClass, Matrix]], axis: str, log: Sequence[str]) -> Told:
    """Tightness at every point: every bound is judged, and each of ``DRAWN`` a curve."""
    series: dict[str, list[Json]] = {}
    worst = 0.0
    witness: Json = None
    for _, network, X in points:
        known = sandwich(network, X)
        limits = all_bounds(network, X)
        for name in DRAWN:
            series.setdefault(name, []).append(known.lower / limits[name] if name in limits else None)
        for name, bound in limits.items():
            if known.lower / bound > worst:
                worst = known.lower / bound
                witness = {"bound": name, "X": encode_array(X), "k": network.k, "c": list(network.c)}
    seen = {BOUNDS[name]: values for name, values in series.items() if any(each is not None for each in values)}
    drawn = curve(axis, "complexity ÷ bound", [value for value, _, _ in points], seen, [*log, "y"])
    note = "the complexity exactly for k ≤ 1, between linear programs for k = 2, from below by single paths for k ≥ 3"
    return Told(
        (at_most_one(worst, note, curve=drawn),),
        conditions=("ReLU units, o = 1, one uniform sample",),
        witness=witness,
        strength="certified",
    )
