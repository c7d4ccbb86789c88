"""Faults planted in the bounds of Theorem 1: which of them exact values notice, and which only the formula itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from wnverify.bounding.topics import Told
from wnverify.finding import Evidence, Json, Verdict, seed_of
from wnverify.oracles.ratio import REFUTES_FROM, Ratio, map_model
from wnverify.theory import bounds
from wnverify.theory.network import Matrix, NetworkClass
from wnverify.theory.rademacher import sign_vectors
from wnverify.theory.sandwich import sandwich

Bound = Callable[[NetworkClass, int, int], float]


def _first(
    log: float = 16.0, bias: float = 1.0, root: Callable[[int], float] = lambda k: k + 1.0, data: float = 1.0
) -> Bound:
    """Theorem 1's first bound with its parts changed; as it stands, the printed one."""

    def bound(network: NetworkClass, n: int, m1: int) -> float:
        a = network.branches()
        terms = bias * math.fsum(a[:-1]) + 2 * a[-1]
        depth = math.sqrt(root(network.k) * math.log(log) / n) * terms
        return network.o * (depth + data * a[-1] * math.sqrt(2 * math.log(2 * m1) / n))

    return bound


def _second(
    log: float = 4.0, root: Callable[[int], float] = lambda k: k + 3.0, data: float = 1.0, whole: float = 1.0
) -> Bound:
    """Theorem 1's second bound with its parts changed; as it stands, the printed one."""

    def bound(network: NetworkClass, n: int, m1: int) -> float:
        depth = math.sqrt(root(network.k) * math.log(log)) + data * math.sqrt(2 * math.log(2 * m1))
        return whole * network.o * network.branches()[-1] * depth / math.sqrt(n)

    return bound


RIGHT: Final[Mapping[str, tuple[Bound, Bound]]] = {
    "first": (_first(), bounds.theorem1_first),
    "second": (_second(), bounds.theorem1_second),
}
FAULTS: Final[Mapping[str, tuple[str, Bound]]] = {
    "first bound, log 4 for log 16": ("first", _first(log=4.0)),
    "first bound, without the biases above the first layer": ("first", _first(bias=0.0)),
    "first bound, without k": ("first", _first(root=lambda k: 1.0)),
    "first bound, without the input term": ("first", _first(data=0.0)),
    "second bound, log 2 for log 4": ("second", _second(log=2.0)),
    "second bound, √k for √(k+3)": ("second", _second(root=float)),
    "second bound, without the input term": ("second", _second(data=0.0)),
    "second bound, a lost factor 2": ("second", _second(whole=0.5)),
}


def faults(seed: int, quick: bool) -> Told:
    """The largest complexity ÷ faulty bound over samples made to be hard, and the distance from the printed formula."""
    routes = []
    missed: list[Json] = []
    for name, (which, faulty) in FAULTS.items():
        worst = 0.0
        for network, X in _hard(seed, quick):
            if which == "second" and max(network.branches()) > network.branches()[-1]:
                continue
            n, m1 = X.shape
            value = faulty(network, n, m1)
            worst = max(worst, sandwich(network, X).lower / value if value > 0 else math.inf)
        caught = worst > 1
        if not caught:
            missed.append(name)
        routes.append(
            Evidence(
                route="exact",
                verdict=Verdict.HOLDS if caught else Verdict.UNDECIDED,
                ratio=worst,
                model="complexity ÷ faulty bound: above 1 the fault is caught",
                note=f"{name}: {'caught' if caught else 'cannot be seen by domination'}",
            )
        )
        away = _away(faulty, RIGHT[which][1])
        verdict = Verdict.HOLDS if away >= REFUTES_FROM else Verdict.REFUTED
        routes.append(
            Evidence(route="arithmetic", verdict=verdict, note=f"{name}: differs from the printed value", ratio=away)
        )
    same = all(_away(made, printed) <= 1 for made, printed in RIGHT.values())
    routes.append(
        Evidence(
            route="arithmetic",
            verdict=Verdict.HOLDS if same else Verdict.REFUTED,
            note="without a fault the two formulas are the printed ones",
        )
    )
    return Told(
        tuple(routes),
        message=f"Not seen by domination: {'; '.join(map(str, missed)) or 'none'}.",
        witness={"faults": list(FAULTS)},
    )


def _away(made: Bound, printed: Bound) -> float:
    """How far a formula is from the printed one at k = 3, c = 1.5, o = 2, n = 10, m1 = 4, as a ratio."""
    network = NetworkClass(3, 1.5, o=2.0)
    right = printed(network, 10, 4)
    return Ratio(abs(made(network, 10, 4) - right), right, map_model("float64", 8)).value


def _hard(seed: int, quick: bool) -> Iterator[tuple[NetworkClass, Matrix]]:
    """Samples on which the bounds are tight: one point, all sign patterns as inputs, corners."""
    for k in range(4):
        for c in (0.01, 0.5, 1.0, 3.0):
            yield NetworkClass(k, c), np.ones((1, 1))
    for n in (2, 4, 6 if quick else 10):
        yield NetworkClass(0, 1.0), sign_vectors(0, 2 ** (n - 1), n).T
    rng = np.random.default_rng(seed_of("hard", seed))
    for c in (0.01, 1.0, 3.0):
        yield NetworkClass(1, c), np.sign(rng.uniform(-1, 1, size=(6, 3)))
