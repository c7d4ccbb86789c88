"""The two bounds of Theorem 1 as formulas, and the two ways to judge a formula in their place.

From above, the inequality that is proved (docs/sharper-bound.md), with a_j = (cρ)^j: R̂_S is at most the smaller of

    o √(2/n) (Σ_{j=0}^k a_j √((j+1) log 2) + a_k √(k log 2 + log(2 m1)))  ≤  o (A Σ a_j + B a_k) / √n,
        A² = 2 (k+1) log 2,   B² = 2 (k log 2 + log(2 m1)),
    o max_j a_j √(2 ((k+1) log 2 + log(m1 + 2)) / n).

A formula that is at least one of them holds.  From below, exact complexities (k ≤ 1) and, for deeper networks, those of
networks that lie in the class: a formula below one of them is refuted.  Between the two nothing is decided.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Part, said, worse

PATTERNS: Final = (8, 24, 1000, 100_000)
"""Sizes n at which ``every_sign_pattern`` is used without listing it."""
DEPTHS: Final = (0, 1, 2, 3, 5)
CONSTANTS: Final = (0.01, 0.5, 1.0, 3.0, 100.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What a bound may contain: ``total`` = Σ_{ℓ=0}^k (cρ)^ℓ and ``last`` = (cρ)^k, in floats or in symbols."""

    k: Any
    total: Any
    last: Any
    n: Any
    m1: Any
    o: Any
    sqrt: Callable[[Any], Any] = math.sqrt
    log: Callable[[Any], Any] = math.log


Bound = Callable[[Terms], Any]


def first(t: Terms) -> Any:
    """The first bound as printed."""
    bias = t.o * t.sqrt((t.k + 1) * t.log(16) / t.n) * (t.total + t.last)
    return bias + t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n)


def second(t: Terms) -> Any:
    """The second bound as printed."""
    return t.o * t.last * (t.sqrt((t.k + 3) * t.log(4)) + t.sqrt(2 * t.log(2 * t.m1))) / t.sqrt(t.n)


def value(bound: Bound, k: int, c_rho: float, n: int = 1, m1: int = 1, o: float = 1.0) -> float:
    """The bound in floats."""
    return float(bound(Terms(k, math.fsum(c_rho**j for j in range(k + 1)), c_rho**k, n, m1, o)))


def quotient(least: float, bound: float) -> float:
    """least / bound, infinite where a wrong formula gives no positive bound."""
    return least / bound if bound > 0 else math.inf


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """``least`` ≤ R̂_S for k hidden layers of ReLU, o = 1; ``exact`` where it is R̂_S but for rounding."""

    k: int
    c: float
    sample: tuple[tuple[float, ...], ...]
    least: float
    exact: bool


def samples(quick: bool) -> dict[str, list[list[float]]]:
    """Data sets at which complexities are large, degenerate, or neither."""
    chosen = {
        "one point": [[1.0]],
        "two opposite points": [[1.0], [-1.0]],
        "all points equal": [[0.5], [0.5], [0.5]],
        "zeros": [[0.0], [0.0]],
        "corners of the square": [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]],
        "every sign pattern of 3 points": every_sign_pattern(3),
    }
    if not quick:
        chosen |= {
            "on a line": [[-1.0], [-0.5], [0.0], [0.5], [1.0]],
            "dependent inputs": [[0.5, 0.5], [-1.0, -1.0], [0.25, 0.25], [0.0, 0.0]],
            "corners of the cube": [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)],
            "every sign pattern of 4 points": every_sign_pattern(4),
        }
    return chosen


def every_sign_pattern(n: int) -> list[list[float]]:
    """n points with 2^{n-1} inputs, one for each pair ±ε ∈ {−1, 1}^n: at k = 0 every sum is n, so that R̂_S = o."""
    return [[1.0 if (j >> i) & 1 or i == n - 1 else -1.0 for j in range(1 << (n - 1))] for i in range(n)]


@functools.cache
def cases(depths: tuple[int, ...], constants: tuple[float, ...], quick: bool) -> tuple[Case, ...]:
    """Exact complexities for k ≤ 1, lower bounds by single paths above."""
    return tuple(_cases(depths, constants, quick))


def _cases(depths: Sequence[int], constants: Sequence[float], quick: bool) -> Iterator[Case]:
    from wnverify.theory.network import NetworkClass, checked_data
    from wnverify.theory.rademacher import complexity
    from wnverify.theory.two_hidden import two_hidden

    for X in samples(quick).values():
        frozen = tuple(map(tuple, X))
        for k in depths:
            for c in (1.0,) if k == 0 else constants:
                # A path of one unit a layer: for k ≥ 2 that is one hidden layer with o' = max a_j and c' = a_k / o'.
                a = NetworkClass(k, c).branches()
                shallow = NetworkClass(min(k, 1), a[-1] / max(a), max(a))
                found = complexity(shallow, X)
                yield Case(k, c, frozen, found.value - found.error, k < 2)
                if k == 2 and c == 1 and len(X) <= 3 and not quick:
                    yield Case(k, c, frozen, two_hidden(NetworkClass(k, c), checked_data(X)).lower, True)


def domination(bound: Bound, known: Iterable[Case], o: float = 3.0) -> Part:
    """The part that no complexity is above the bound, with the first one that is, or the largest, as its witness."""
    points: list[tuple[int, float, int, int, float, Case | None]] = [
        (each.k, each.c, len(each.sample), len(each.sample[0]), each.least, each) for each in known
    ]
    points += [(0, 1.0, n, 1 << (n - 1), 1.0, None) for n in PATTERNS]
    worst: float = 0.0
    witness: Json = None
    count = {True: 0, False: 0}
    for k, c, n, m1, least, case in points:
        at = value(bound, k, c, n, m1, o)
        ratio = quotient(least * o, at)
        count[case is None or case.exact] += 1
        if ratio > worst and worst <= 1:
            worst = ratio
            witness = {"k": k, "c": c, "o": o, "n": n, "complexity": least * o, "bound": at}
            witness["X"] = [list(row) for row in case.sample] if case else f"every sign pattern, m1 = 2^{n - 1}"
    routes = [
        said(
            "exact",
            worst <= 1,
            f"{count[True]} exact complexities, {count[False]} single paths of deeper networks; the largest is "
            f"{worst:.3f} of the bound",
            power=max(1 - worst, 0.0),
            figures={"largest / bound": worst},
        )
    ]
    return Part("no complexity above it", routes, witness)


def above_what_is_proved(bound: Bound, symbolic: bool, note: str, from_one: bool) -> Part:
    """The part that the formula is at least a proved bound; a formula that is not is not refuted by that."""
    return Part(
        "at least a proved bound, for every k, m1, n and sample",
        [said("symbolic", symbolic or None, note, power=0.0), _on_a_grid(bound, from_one)],
    )


def _on_a_grid(bound: Bound, from_one: bool) -> Evidence:
    from wnverify.theory.bounds import closed_form
    from wnverify.theory.network import NetworkClass

    # n is so large that the range of the class, which is a bound too, never decides.
    n, worst = 10**8, 0.0
    constants = (1.0, 1.1, 3.0) if from_one else (0.01, 0.5, 0.9, 1.0, 1.1, 3.0)
    points = [*itertools.product((0, 1, 2, 5, 20, 100), constants, (1, 2, 10, 10**6, 10**300)), (5000, 1.0, 1)]
    for k, c, m1 in points:
        worst = worse(worst, quotient(closed_form(NetworkClass(k, c), n, m1), value(bound, k, c, n, m1)))
    note = f"the sharper closed form is at most {worst:.3f} of it, k ≤ 5000, m1 ≤ 10³⁰⁰"
    power = max(1 - worst, 0.0)
    return said("property search", worst <= 1 or None, note, power=power, figures={"sharper / bound": worst})


@functools.cache
def symbols() -> Terms:
    """k ≥ 0, m1, n ≥ 1, o > 0 and the sums, as positive symbols."""
    import sympy

    k, total, last, n, m1, o = sympy.symbols("k total last n m1 o", positive=True)
    return Terms(k, total, last, n, m1, o, sympy.sqrt, sympy.log)


def coefficients(bound: Bound) -> tuple[Any, Any, Any]:
    """(P, Q, rest) of bound √n / o = P total + Q last + rest, in symbols."""
    import sympy

    t = symbols()
    scaled = sympy.expand(sympy.expand(bound(t)) * sympy.sqrt(t.n) / t.o)
    P, Q = scaled.coeff(t.total), scaled.coeff(t.last)
    return P, Q, sympy.simplify(scaled - sympy.expand(P * t.total) - sympy.expand(Q * t.last))


def squares(expression: Any) -> Any:
    """The sum of the squares of the terms of a sum of non-negative terms: at most the square of the sum."""
    import sympy

    return sympy.expand(sum(sympy.expand(term**2) for term in sympy.Add.make_args(sympy.expand(expression))))


def at_least(left: Any, right: Any) -> bool:
    """Whether left ≥ right is proved for k ≥ 0 and m1 ≥ 1: both are p(k) log 2 + log R(m1) with p a polynomial.

    left − right = p log 2 + log R; p ≥ p(0) where its other coefficients are ≥ 0, and 2^{p(0)} R ≥ 1 where, in
    m1 = 1 + t, the numerator less the denominator has no negative coefficient.  ``False``: not proved.
    """
    import sympy

    t, log2 = symbols(), sympy.log(2)
    difference = sympy.expand(sympy.expand_log(sympy.expand(left - right), force=True))
    p = difference.coeff(log2)
    rest = sympy.simplify(difference - sympy.expand(p * log2))
    if not p.is_polynomial(t.k) or rest.has(t.k, t.n, t.o, t.total, t.last):
        return False
    by_degree = sympy.Poly(p, t.k).all_coeffs()[::-1]
    if any(each.free_symbols or each < 0 for each in by_degree[1:]):
        return False
    beyond = sympy.Symbol("t", positive=True)
    R = sympy.together(sympy.powsimp(sympy.exp(sympy.logcombine(rest, force=True)), force=True).subs(t.m1, 1 + beyond))
    above, below = sympy.fraction(sympy.cancel(sympy.together(2 ** by_degree[0] * R)))
    excess = sympy.expand(above - below)
    if not excess.is_polynomial(beyond):
        return False
    return all(not each.free_symbols and each >= 0 for each in sympy.Poly(excess, beyond).all_coeffs())


def first_is_proved(bound: Bound) -> bool:
    """Whether the coefficients of ``total`` and ``last`` are at least the A and B of the head of this module."""
    import sympy

    t, log2 = symbols(), sympy.log(2)
    P, Q, rest = coefficients(bound)
    return (
        rest == 0
        and at_least(squares(P), 2 * (t.k + 1) * log2)
        and at_least(squares(Q), 2 * (t.k * log2 + sympy.log(2 * t.m1)))
    )


def above_massart(bound: Bound) -> bool:
    """Whether at k = 0 the bound is proved to be at least o √(2 log(2 (m1 + 1)) / n), that of a linear class."""
    import sympy

    t = symbols()
    scaled = sympy.expand(bound(Terms(0, 1, 1, t.n, t.m1, t.o, t.sqrt, t.log)) * sympy.sqrt(t.n) / t.o)
    return at_least(squares(scaled), 2 * sympy.log(2 * (t.m1 + 1)))
