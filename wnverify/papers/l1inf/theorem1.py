"""L1,∞ weight normalization, Theorem 1: its two bounds, at k = 0 and in general, and how they are related."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.theorem1_bounds import (
    CONSTANTS,
    DEPTHS,
    Bound,
    above_massart,
    above_what_is_proved,
    at_least,
    cases,
    coefficients,
    domination,
    first,
    first_is_proved,
    quotient,
    second,
    squares,
    symbols,
    value,
)

HYPOTHESES: Final = (
    "k ≥ 0, c > 0, o > 0, one output",
    "any sample in [−1, 1]^{m1}",
    "σ ρ-Lipschitz, σ(0) = 0",
)
LEFT_OUT: Final = ("larger samples, two hidden layers by linear programs",)
PROVED: Final = "E exp(λ sup|Σ ε f|) ≤ Σ_branches 2^j E exp(λ a_j X_j), peeled layer by layer (docs/sharper-bound.md)"


@claim(
    "L1-TH1-K0",
    place="Sec. 3.1, Thm 1 at $k=0$",
    statement="At k = 0, where the class is {v·(1, x): ‖v‖_1 ≤ o}, both bounds hold; the second for every c, which "
    "does not enter. The value is (o/n) E max_j |Σ_i ε_i x̃_ij|, at most o √(2 log(2 (m1 + 1)) / n).",
    hypotheses=("k = 0", "o > 0, one output", "any sample in [−1, 1]^{m1}"),
    formula=(first, second),
    faults={
        "first bound without the bias": (lambda t: t.o * t.sqrt(2 * t.log(2 * t.m1) / t.n), second),
        "second bound without the bias": (first, lambda t: t.o * t.sqrt(2 * t.log(2 * t.m1) / t.n)),
        "√k for √(k+3)": (first, lambda t: t.o * (t.sqrt(t.k * t.log(4)) + t.sqrt(2 * t.log(2 * t.m1))) / t.sqrt(t.n)),
        "n for √n": (first, lambda t: second(t) / t.sqrt(t.n)),
        "√log m1 left out": (lambda t: 2 * t.o * t.sqrt((t.k + 1) * t.log(16) / t.n), second),
        "half of the second bound": (first, lambda t: second(t) / 2),
        "log m1 for log(2 m1), and no bias": (lambda t: t.o * t.sqrt(2 * t.log(t.m1) / t.n), second),
    },
)
def without_hidden_layers(formula: tuple[Bound, Bound], quick: bool) -> Measured:
    parts: list[Part] = []
    for name, bound in zip(("first bound", "second bound"), formula, strict=True):
        at_zero = above_massart(bound)
        judged = domination(bound, cases((0,), CONSTANTS, quick))
        exhausted, witness = _all_samples(bound, (1, 2, 3) if quick else (1, 2, 3, 4))
        parts += [
            Part(
                f"{name}, by Massart's lemma",
                [said("symbolic", at_zero or None, "its square is at least 2 log(2 (m1 + 1))", power=0.0)],
            ),
            Part(f"{name}, at samples", judged.routes, judged.witness),
            Part(f"{name}, at every sample of few points", [exhausted], witness),
        ]
    left_out = ("larger samples, four points and every set of inputs",) if quick else ()
    return Measured(parts=parts, left_out=left_out)


def _all_samples(bound: Bound, sizes: Sequence[int]) -> tuple[Any, Json]:
    """The maximum of R̂_S over all samples: convex in X, it is at a corner of the cube, at a set of sign patterns."""
    worst, witness = 0.0, None
    for n in sizes:
        signs = list(itertools.product((-1, 1), repeat=n - 1))
        columns = [(*each, 1) for each in signs]
        sums = {
            column: [abs(sum(a * b for a, b in zip(column, e, strict=True))) for e in columns] for column in columns
        }
        ones = (1,) * n
        for m1 in range(1, min(len(columns), 3) + 1):
            # A pattern and its negative, or one twice, give nothing new; ``ones`` is there as the constant.
            for chosen in itertools.combinations([each for each in columns if each != ones] or [ones], m1):
                suprema = [max(each) for each in zip(sums[ones], *(sums[column] for column in chosen), strict=True)]
                exact = Fraction(sum(suprema), n * len(suprema))
                at = value(bound, 0, 1.0, n, m1)
                ratio = quotient(float(exact), at)
                if ratio > worst:
                    worst = ratio
                    witness = {"n": n, "m1": m1, "columns of X": [list(each) for each in chosen]}
                    witness |= {"complexity": str(exact), "bound": at}
    note = f"every set of sign patterns, n ≤ {max(sizes)}, m1 ≤ 3; the largest is {worst:.3f} of the bound"
    return said("optimisation", worst <= 1, note, power=max(1 - worst, 0.0)), witness


@claim(
    "L1-TH1a",
    place="Thm 1, first bound",
    statement="R̂_S ≤ o √((k+1) log 16 / n) (Σ_{ℓ=0}^k (cρ)^ℓ + (cρ)^k) + o (cρ)^k √(2 log(2 m1) / n).",
    hypotheses=HYPOTHESES,
    formula=first,
    faults={
        "the bias terms left out": lambda t: t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n),
        "only the deepest bias": lambda t: (
            t.o * t.last * (2 * t.sqrt((t.k + 1) * t.log(16) / t.n) + t.sqrt(2 * t.log(2 * t.m1) / t.n))
        ),
        "the input's term left out": lambda t: t.o * t.sqrt((t.k + 1) * t.log(16) / t.n) * (t.total + t.last),
        "√k for √(k+1) and one term of the sum less": lambda t: (
            t.o * t.sqrt(t.k * t.log(16) / t.n) * (t.total + t.last) + t.o * t.last * t.sqrt(2 * t.log(t.m1) / t.n)
        ),
        "n for √n": lambda t: first(t) / t.sqrt(t.n),
        "an eighth": lambda t: first(t) / 8,
        "o left out": lambda t: first(t) / t.o,
    },
)
def first_bound(formula: Bound, quick: bool) -> Measured:
    note = f"{PROVED}; (k+1) log 16 ≥ 2 (k+1) log 2, and √a + √b ≥ √(a + b) for the input"
    return Measured(
        parts=[
            above_what_is_proved(formula, first_is_proved(formula), note, from_one=False),
            domination(formula, cases(DEPTHS, CONSTANTS, quick)),
        ],
        message="The proof gives √2 less for every bias, √(j+1) for √(k+1) at the bias j layers below the output.",
        left_out=LEFT_OUT if quick else (),
    )


@claim(
    "L1-TH1b",
    place="Thm 1, second bound",
    statement="For cρ ≥ 1, R̂_S ≤ o (cρ)^k (√((k+3) log 4) + √(2 log(2 m1))) / √n.",
    hypotheses=(*HYPOTHESES, "cρ ≥ 1"),
    formula=second,
    faults={
        "half of it": lambda t: second(t) / 2,
        "√k for √(k+3)": lambda t: t.o * t.last * (t.sqrt(t.k * t.log(4)) + t.sqrt(2 * t.log(2 * t.m1))) / t.sqrt(t.n),
        "the bias left out": lambda t: t.o * t.last * t.sqrt(2 * t.log(2 * t.m1) / t.n),
        "(cρ)^k left out": lambda t: second(t) / t.last,
        "2 left out before log(2 m1)": lambda t: (
            t.o * t.last * (t.sqrt((t.k + 3) * t.log(4)) + t.sqrt(t.log(2 * t.m1))) / t.sqrt(t.n)
        ),
        "√log m1 left out": lambda t: t.o * t.last * t.sqrt((t.k + 3) * t.log(4) / t.n),
        "o left out": lambda t: second(t) / t.o,
    },
)
def second_bound(formula: Bound, quick: bool) -> Measured:
    import sympy

    t = symbols()
    P, Q, rest = coefficients(formula)
    needed = 2 * ((t.k + 1) * sympy.log(2) + sympy.log(t.m1 + 2))
    symbolic = rest == 0 and P == 0 and at_least(squares(Q), needed)
    note = f"{PROVED}, one λ for all branches; 2^(k+1) (m1 + 2) ≤ 2^(k+3) 2 m1, and √a + √b ≥ √(a + b)"
    known = [each for each in cases(DEPTHS, CONSTANTS, quick) if each.c >= 1]
    return Measured(
        parts=[above_what_is_proved(formula, symbolic, note, from_one=True), domination(formula, known)],
        message="The proof gives o (cρ)^k √(2 ((k+1) log 2 + log(m1 + 2)) / n), one root for the two.",
        left_out=LEFT_OUT if quick else (),
    )


@claim(
    "L1-TH1-REL",
    place="Thm 1",
    statement="For cρ ≥ 1 the second bound is strictly smaller than the first, for every k, m1, n: it implies the "
    "first, which does not imply it.",
    reading="one bound implies the other where its right-hand side is never larger.",
    hypotheses=("cρ ≥ 1",),
    formula=(second, first),
    faults={
        "the first for the second": (first, second),
        "the first without its sum": (
            second,
            lambda t: t.o * t.last * (t.sqrt(t.log(16) / t.n) + t.sqrt(2 * t.log(2 * t.m1) / t.n)),
        ),
        "a quarter of the first": (second, lambda t: first(t) / 4),
        "the second against itself": (second, second),
        "log 4 without root in the second": (
            lambda t: t.o * t.last * ((t.k + 3) * t.log(4) + t.sqrt(2 * t.log(2 * t.m1))) / t.sqrt(t.n),
            first,
        ),
    },
)
def relation(formula: tuple[Bound, Bound], quick: bool) -> Measured:
    smaller, larger = formula
    worst, witness = 0.0, None
    depths = range(12 if quick else 200)
    for k, c_rho, m1 in itertools.product(depths, (1.0, 1.01, 2.0), (1, 2, 100, 10**9)):
        below, above = (value(each, k, c_rho, 1, m1) for each in formula)
        if below / above > worst:
            worst = below / above
            witness = {"k": k, "c rho": c_rho, "m1": m1, "o / sqrt(n)": 1, "smaller": below, "larger": above}
    note = f"second / first is at most {worst:.3f}, k ≤ {max(depths)}, m1 ≤ 10⁹"
    return Measured(
        parts=[
            Part(
                "strictly smaller",
                [
                    said(
                        "symbolic",
                        _strictly_smaller(smaller, larger) or None,
                        "Σ_ℓ (cρ)^ℓ ≥ (cρ)^k, and 16 (k+1) − 2 (k+3) > 0 in units of log 2",
                        power=0.0,
                    ),
                    said("property search", worst < 1, note, power=max(1 - worst, 0.0)),
                ],
                witness,
            )
        ],
        left_out=("k > 11",) if quick else (),
    )


def _strictly_smaller(smaller: Bound, larger: Bound) -> bool:
    """The input's root is common to both, and total ≥ last; the squares of the bias roots differ by log 2 times a
    polynomial in k with non-negative coefficients and a positive constant."""
    import sympy

    t = symbols()
    (P, Q, rest), (P2, Q2, rest2) = coefficients(smaller), coefficients(larger)
    data = sympy.sqrt(sympy.expand_log(2 * sympy.log(2 * t.m1), force=True))
    bias, other = (sympy.simplify(sympy.expand(each - data)) for each in (P + Q, P2 + Q2))
    if rest != 0 or rest2 != 0 or P != 0 or bias.has(t.m1) or other.has(t.m1):
        return False
    gap = sympy.simplify(sympy.expand(other**2 - bias**2) / sympy.log(2))
    if not gap.is_polynomial(t.k):
        return False
    by_degree = sympy.Poly(gap, t.k).all_coeffs()
    return all(each.is_number and each >= 0 for each in by_degree) and by_degree[-1] > 0
