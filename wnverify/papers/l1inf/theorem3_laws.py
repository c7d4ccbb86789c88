"""Small laws on which the deviation that Theorem 3 bounds is known exactly, along which one size grows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Json
from wnverify.papers.l1inf.right_side import ball

Order = Callable[..., Any]
"""(n, m1, k, cρ, ‖T‖_{1,∞}, ‖T‖_{1,1}, m2, δ, log, sqrt) → the right-hand side of eq. 3.2 without its constant."""
CONSTANT: Final = 20
"""A constant for which the orders are enough at every size looked at; beyond it, and growing, an order is refuted."""
GROWS: Final = 4


class Place(NamedTuple):
    """The sizes that eq. 3.2 speaks of."""

    n: int
    m1: int
    k: int
    c_rho: Fraction
    largest: Fraction
    total: Fraction
    m2: int
    delta: Fraction


class Case(NamedTuple):
    """At ``place`` some network of those norms has |E − Ê| ≥ ``deviation`` with a probability above δ."""

    place: Place
    deviation: Fraction
    probability: Fraction


def value(order: Order, place: Place) -> Any:
    """The order at a place, in balls."""
    n, m1, k, *rest, m2, delta = place
    log, sqrt = (lambda x: ball(x).log()), (lambda x: ball(x).sqrt())
    return order(ball(n), ball(m1), k, *map(ball, rest), ball(m2), ball(delta), log, sqrt)


@functools.cache
def laws(k: int, m1: int) -> dict[str, list[Case]]:
    """The growing size → cases, three or more, at ``k`` hidden layers and ``m1`` inputs unless one of these grows.

    All but the last: x = 0, labels uniform on m2 classes, and the output is a constant b, so that
    E − Ê = Σ_j (p̂_j − p_j) b_j.  For two classes, b = (β, 0) and n = 1 that is β/2 in size, always.
    """

    def fair(n: int, delta: Fraction, beta: Fraction = Fraction(1)) -> Place:
        return Place(n, m1, k, Fraction(1), beta, beta, 2, delta)

    half, one = Fraction(1, 2), Fraction(1)
    small = [Fraction(10) ** power for power in (-6, -3, 0, 3, 6)]
    near = [1 - Fraction(1, 10**power) for power in (1, 8, 24)]
    return {
        "norms of T, up": [Case(fair(1, half, beta), beta / 2, one) for beta in small],
        "norms of T, down": [Case(fair(1, half, beta), beta / 2, one) for beta in reversed(small)],
        "δ to 1": [Case(fair(1, delta), half, one) for delta in near],
        "δ to 0": [Case(fair(n, Fraction(1, 2**n)), half, Fraction(2, 2**n)) for n in (4, 256, 4**7)],
        "n": [Case(fair(n, Fraction(1, 4)), Fraction(1, 2 * math.isqrt(n)), spread(n)) for n in (16, 256, 1024)],
        "classes": [_classes(m2, k, m1) for m2 in (4, 4**4, 4**8)],
        "depth": [_depth(each, m1) for each in (k, 6, 24)],
        "inputs": [_inputs(n) for n in (2, 64, 4**7)],
    }


def spread(n: int) -> Fraction:
    """P(|Σ ε_i| ≥ √n) for n fair signs, n a square: |p̂ − 1/2| ≥ 1/(2√n)."""
    root = math.isqrt(n)
    few, count = 0, 1
    for heads in range((n - root) // 2 + 1):
        few += count
        count = count * (n - heads) // (heads + 1)
    return Fraction(2 * few, 2**n)


def _classes(m2: int, k: int, m1: int) -> Case:
    """n = m2/2: at least half of the classes are not in the sample, and with b_j = ±1, + on those, |E − Ê| ≥ 1."""
    place = Place(m2 // 2, m1, k, Fraction(1), Fraction(1), Fraction(m2), m2, Fraction(1, 2))
    return Case(place, Fraction(1), Fraction(1))


def _depth(k: int, m1: int) -> Case:
    """c = 2, ReLU: a bias of 2 in the first hidden layer, doubled in each, is 2^k before the output weight 1."""
    place = Place(1, m1, k, Fraction(2), Fraction(1), Fraction(1), 2, Fraction(1, 2))
    return Case(place, Fraction(2) ** k / 2, Fraction(1))


def _inputs(n: int) -> Case:
    """k = 0, inputs uniform on {−1, 1}^{m1}, m1 = 2^{n+1}, fair labels: f = (±x_j, 0), x_j equal to ± the labels.

    Then all samples have the loss log(1 + e^{-1}), and |E − Ê| = 1/2.  An input fits with the probability 2^{1−n}, so
    that none does with (1 − 2^{1−n})^{m1} ≤ exp(−4) < 1/8.
    """
    place = Place(n, 2 ** (n + 1), 0, Fraction(1), Fraction(1), Fraction(1), 2, Fraction(1, 2))
    return Case(place, Fraction(1, 2), Fraction(7, 8))


def outgrown(order: Order, name: str, cases: list[Case]) -> tuple[float, Json]:
    """The largest quotient deviation/order along a law, and the last case where it passes ``CONSTANT`` and grows."""
    if not all(each.probability > each.place.delta for each in cases):
        raise ValueError(f"{name}: a deviation must be met with a probability above δ")
    quotients = []
    for each in cases:
        right = value(order, each.place)
        quotients.append(math.inf if not right > 0 else float((ball(each.deviation) / right).mid()))
    if not (quotients[-1] > CONSTANT and quotients[-1] >= GROWS * quotients[0]) and max(quotients) < math.inf:
        return max(quotients), None
    last = cases[-1]
    witness: dict[str, Json] = {
        "growing": name,
        **{field: _text(each) for field, each in zip(Place._fields, last.place, strict=True)},
        "|E − Ê|": f"at least {_text(last.deviation)}, with a probability above δ",
        "its quotient by the order": [f"{each:.3g}" for each in quotients],
    }
    return max(quotients), witness


def _text(given: Any) -> str:
    x = Fraction(given)
    if 0 < 1 - x < Fraction(1, 1000):
        return f"1 - {float(1 - x):.3g}"
    bits = x.numerator.bit_length() - x.denominator.bit_length()
    return f"about 2^{bits}" if abs(bits) > 40 else str(x)


def grid(quick: bool, edge: bool) -> Iterator[Place]:
    """Sizes from the smallest to far beyond use, one column of T large, or all alike; ``edge``: with k = 0, m1 = 1."""
    deltas = (Fraction(1, 10**300), Fraction(1, 2), 1 - Fraction(1, 10**9))
    for n in (10**8,) if quick else (1, 10**8):
        for k, m1 in ((0, 2), (1, 1), (3, 10**6), (60, 2), (0, 10**12), *(((0, 1),) if edge else ())):
            for c_rho in (Fraction(1), Fraction(3, 2)) if not quick else (Fraction(1),):
                for m2 in (2, 10**4):
                    for size in (Fraction(1, 10**6), Fraction(10**6)):
                        for total in (size, size * m2):
                            for delta in deltas:
                                yield Place(n, m1, k, c_rho, size, total, m2, delta)
