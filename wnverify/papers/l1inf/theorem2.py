"""L1,∞, Sec. 3.2: Theorem 2 and its condition (A3) on the range of the loss."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.l1inf import right_side
from wnverify.papers.l1inf.right_side import RightSide, first, printed, second

LENGTH_1: Final = "the values of the loss lie in an interval of length 1 (0 ≤ L ≤ 1, say)"
LABELS: Final = (256, 4096)
"""Sample sizes at which all labels may be equal; powers of 4, so that √n is whole."""
TRIALS, SAMPLE, DELTA = 150, 900, Fraction(1, 20)


@claim(
    "L1-TH2",
    place="Sec. 3.2, Thm 2, eq. 3.1",
    statement="With probability at least 1 − δ, all f_T ∈ S_c have |E_L − Ê_L| ≤ √((log(2/δ) + 2 log(t + 2))/(2n)) + "
    "(2/√n)(t + 1)(cρ)^k (√((k+3) log 4) + √(2 log(2 m1))), t = ‖T_{k+1}‖_1; and the proof from Theorem 1's second "
    "bound gives these constants.",
    hypotheses=("(A1), (A2), cρ ≥ 1, δ ∈ (0, 1)", "L is 1-Lipschitz in f and |L| ≤ 1 (A3)", "Theorem 1's second bound"),
    reading="(A3) bounds |L|, which allows an interval of length 2, while the constants are those of length 1.  A "
    "formula that the proof does not reach counts as refuted.",
    formula=printed,
    corrected="With |L| ≤ 1 alone the first term doubles (L1-TH2-RANGE).",
    faults={
        "factor 2 of the symmetrisation lost": lambda *a: first(*a) + second(*a) / 2,
        "2n outside the root, as in Remark 2": lambda *a: first(*a) / a[7](2 * a[0]) + second(*a),
        "+1 of the union lost": lambda *a: first(*a) + second(*a) * a[4] / (a[4] + 1),
        "log(1/δ), one side alone": lambda n, m1, k, r, t, d, log, sqrt: (
            sqrt((log(1 / d) + 2 * log(t + 2)) / (2 * n)) + second(n, m1, k, r, t, d, log, sqrt)
        ),
        "no union over the norm": lambda n, m1, k, r, t, d, log, sqrt: (
            sqrt(log(2 / d) / (2 * n)) + second(n, m1, k, r, t, d, log, sqrt)
        ),
        "log(t + 2) once": lambda n, m1, k, r, t, d, log, sqrt: (
            sqrt((log(2 / d) + log(t + 2)) / (2 * n)) + second(n, m1, k, r, t, d, log, sqrt)
        ),
        "k + 1 for k + 3": lambda n, m1, k, r, t, d, log, sqrt: (
            first(n, m1, k, r, t, d, log, sqrt)
            + 2 / sqrt(n) * (t + 1) * r**k * (sqrt((k + 1) * log(4)) + sqrt(2 * log(2 * m1)))
        ),
        "no factor for the depth": lambda n, m1, k, r, t, d, log, sqrt: printed(n, m1, k, r / r, t, d, log, sqrt),
    },
)
def theorem2(formula: RightSide, quick: bool) -> Measured:
    at = right_side.lacking(formula, 1, quick)
    enclosed = said("enclosure", at is None, "at or above what the proof gives at all points", power=1e-9)
    witness: Json = None if at is None else right_side.shown(at)
    parts = [
        Part("the constants follow", [_in_symbols(formula), enclosed], witness),
        Part("the union", [_shares_add_up(), _shares_in_fractions()]),
        Part("symmetrisation, contraction, differences", [_steps_enumerated()]),
    ]
    if not quick:
        parts.append(Part("coverage", [_coverage(formula)], {"trials": TRIALS}))
    route, signed = _equal_labels(formula)
    return Measured(
        parts=parts,
        conditions=[Condition(LENGTH_1, [route, _tails(formula, 4)[0]], signed)],
        left_out=("coverage by training", "norms above 10") if quick else (),
    )


def _in_symbols(formula: RightSide) -> Evidence:
    """The proof's sum with the share δ/(t + 2)² of the union and o = t + 1."""
    import sympy

    n, m1, k, r, t, d = sympy.symbols("n m1 k r t delta", positive=True)
    share = d / (t + 2) ** 2
    theorem1 = (t + 1) * r**k / sympy.sqrt(n)
    theorem1 *= sympy.sqrt((k + 3) * sympy.log(4)) + sympy.sqrt(2 * sympy.log(2 * m1))
    proof = sympy.sqrt(sympy.log(2 / share) / (2 * n)) + 2 * theorem1
    sides = (formula(n, m1, k, r, t, d, sympy.log, sympy.sqrt), proof)
    one, other = (sympy.expand(sympy.expand_log(side, force=True)) for side in sides)
    # A larger right-hand side follows as well: the enclosure decides where the two are not the same.
    return said("symbolic", bool(one == other) or None, "the same as the proof's sum", power=0.0)


@functools.cache
def _shares_add_up() -> Evidence:
    import sympy

    o, t = sympy.symbols("o t", positive=True)
    whole = sympy.summation(1 / (o * (o + 1)), (o, 1, sympy.oo)) == 1
    slack = sympy.expand((t + 2) ** 2 - (t + 1) * (t + 2))
    below = sympy.simplify(slack - (t + 2)) == 0
    return said("symbolic", bool(whole and below), "Σ 1/(o(o+1)) = 1, o(o+1) ≤ (t+1)(t+2) = (t+2)² − (t+2)", power=0.0)


def _shares_in_fractions() -> Evidence:
    total, right = Fraction(0), True
    for o in range(1, 200):
        total += Fraction(1, o * (o + 1))
        right &= total == 1 - Fraction(1, o + 1)
    return said("exact", right, "partial sums are 1 − 1/(o + 1)", power=0.0)


@functools.cache
def _steps_enumerated() -> Evidence:
    """E sup(E − Ê) ≤ 2 E R̂(L∘F) ≤ 2 E R̂(F), and differences of at most 1/n: all samples and signs of a small law."""
    x, n = (Fraction(-1), Fraction(1, 3), Fraction(1)), 3
    law = [(a, Fraction(y)) for a in x for y in (0, 1)]
    functions = [(w, b) for w, b in itertools.product((-1, 0, 1), repeat=2) if abs(w) + abs(b) <= 1]
    losses: list[list[Fraction]] = [[min(abs(y - w * a - b), Fraction(1)) for a, y in law] for w, b in functions]
    outputs: list[list[Fraction]] = [[w * a + b for a, _ in law] for w, b in functions]
    risks = [sum(each, Fraction(0)) / len(law) for each in losses]
    samples: list[tuple[int, ...]] = list(itertools.product(range(len(law)), repeat=n))
    sup = {
        S: max(r - sum((each[i] for i in S), Fraction(0)) / n for r, each in zip(risks, losses, strict=True))
        for S in samples
    }
    symmetrised = sum(sup.values(), Fraction(0)) / len(samples)
    of_losses, of_functions = (_complexity(values, samples, n) for values in (losses, outputs))
    apart = max(abs(sup[S] - sup[(i, *S[1:])]) for S in samples for i in range(len(law)))
    holds = symmetrised <= 2 * of_losses and of_losses <= of_functions and apart <= Fraction(1, n)
    figures: dict[str, Json] = {
        "E sup": str(symmetrised),
        "R(L∘F)": str(of_losses),
        "R(F)": str(of_functions),
        "difference": str(apart),
    }
    return said(
        "exact", holds, f"{len(samples)} samples of {n}, {len(functions)} functions", power=0.0, figures=figures
    )


def _complexity(values: Sequence[Sequence[Fraction]], samples: Sequence[tuple[int, ...]], n: int) -> Fraction:
    signs = list(itertools.product((-1, 1), repeat=n))
    # The complexity depends on the sample as a multiset.
    cache: dict[tuple[int, ...], Fraction] = {}
    total = Fraction(0)
    for S in samples:
        key = tuple(sorted(S))
        if key not in cache:
            rows = {tuple(each[i] for i in key) for each in values}
            sups = (max(sum((s * v for s, v in zip(e, row, strict=True)), Fraction(0)) for row in rows) for e in signs)
            cache[key] = sum(sups, Fraction(0)) / (n * len(signs))
        total += cache[key]
    return total / len(samples)


def _coverage(formula: RightSide) -> Evidence:
    """Algorithm 1 on noisy labels, L_S, exact risk: the share of samples on which the bound fails."""
    import numpy as np

    from wnverify.methods.l1_inf_projection.reference import project
    from wnverify.theory import coverage

    x = np.linspace(-1, 1, 16)
    X, y = np.repeat(x, 2)[:, None], (np.sin(3 * x)[:, None] + [-0.5, 0.5]).ravel()
    law = coverage.Distribution(X, y, np.full(32, 1 / 32))

    def train(X: Any, y: Any, rng: Any) -> Any:
        return coverage.gradient_projection(
            X, y, rng, width=4, c=1.0, project=lambda W, c: project(W, c=c), steps=20, rate=1.0
        )

    def bound(weights: Any) -> float:
        t = float(np.abs(weights[-1]).sum())
        return float(formula(SAMPLE, 1, 1, 1.0, t, float(DELTA), math.log, math.sqrt))

    seed = seed_of("L1-TH2") % 2**32
    seen = coverage.measure(
        law, train, lambda f, y: np.minimum(((y - f) / 2) ** 2, 1), bound, n=SAMPLE, trials=TRIALS, seed=seed
    )
    holds = True if seen.upper <= DELTA else False if seen.lower > DELTA else None
    figures: dict[str, Json] = {
        "fails": seen.fails,
        "trials": seen.trials,
        "interval": [seen.lower, seen.upper],
        "largest error / bound": seen.closest,
    }
    note = f"{seen.fails} of {seen.trials} samples of {SAMPLE}, δ = {DELTA}; largest error/bound {seen.closest:.3g}"
    return said("simulation", holds, note, power=1 - seen.closest, model="Clopper–Pearson, 95 %", figures=figures)


def _times(factor: Callable[[Any], Any]) -> RightSide:
    """Eq. 3.1 with its first term times ``factor(sqrt)``."""
    return lambda *a: factor(a[7]) * first(*a) + second(*a)


@claim(
    "L1-TH2-RANGE",
    place="(A3) in Thm 2",
    statement="Theorem 2 holds for every loss that is 1-Lipschitz in its first argument with |L| ≤ 1, of either sign.",
    hypotheses=("(A1), (A2), cρ ≥ 1, δ ∈ (0, 1)",),
    reading="a loss that does not depend on f is 1-Lipschitz in it.",
    formula=printed,
    corrected="For −1 ≤ L ≤ 1 the first term is 2 √((log(2/δ) + 2 log(‖T_{k+1}‖_1 + 2))/(2n)): McDiarmid's differences "
    "are 2/n.  For losses in an interval of length 1 eq. 3.1 stands.",
    corrected_formula=_times(lambda sqrt: 2),
    faults={
        "√2 for 2": _times(lambda sqrt: sqrt(2)),
        "3/2 for 2": _times(lambda sqrt: sqrt(9) / 2),
        "the second term doubled instead": lambda *a: first(*a) + 2 * second(*a),
        "log(1/δ), one side alone": lambda n, m1, k, r, t, d, log, sqrt: (
            sqrt((log(1 / d) + 2 * log(t + 2)) / (2 * n)) + second(n, m1, k, r, t, d, log, sqrt)
        ),
    },
)
def signed_losses(formula: RightSide, quick: bool) -> Measured:
    """A search can refute, and the proof can hold; neither says anything the other way."""
    exact, witness = _equal_labels(formula)
    found = None if witness is None else False
    searched, at = _tails(formula, 8 if quick else 128)
    proof = True if right_side.lacking(formula, 2, quick) is None else None
    routes = [
        said("exact", found, exact.note, power=0.0),
        searched,
        said("enclosure", proof, "at or above what the proof gives for length 2", power=1e-9),
    ]
    return Measured(
        parts=[Part("every loss with |L| ≤ 1", routes, witness or at)],
        left_out=("smaller deviations", "norms above 10") if quick else (),
    )


def _equal_labels(formula: RightSide) -> tuple[Evidence, Json]:
    """L = y, y = ±1 with probability 1/2 each, f = 0, k = 0, m1 = 1, δ = 2^{-n}: all labels are equal with 2^{1-n} > δ.

    Then |E_L − Ê_L| = 1.  Rational bounds from above: the arguments are powers of 2, but for √ of a rational, rounded
    up.
    """
    for n in LABELS:
        delta = Fraction(1, 2**n)
        bound = formula(Fraction(n), 1, 0, Fraction(1), Fraction(0), delta, _log_above, _sqrt_above)
        if bound < 1:
            witness: Json = {
                "loss": "L(f, y) = y",
                "y": "−1 or 1, each with probability 1/2",
                "f": "0, k = 0, m1 = 1",
                "n": n,
                "delta": f"2^-{n}",
                "right-hand side": f"{float(bound):.4f}",
                "|E − Ê|": f"1 with probability 2^-{n - 1} = 2 delta",
            }
            return said("exact", False, f"n = {n}, δ = 2^-{n}: fails with probability 2δ", power=0.0), witness
    return said("exact", True, "all labels equal: no violation", power=0.0), None


def _log_above(given: Any) -> Fraction:
    """A rational above log(x), x a power of 2."""
    x = Fraction(given)
    power = x.numerator.bit_length() - x.denominator.bit_length()
    if x != Fraction(2) ** power:
        raise ValueError(f"x must be a power of 2; got {x}")
    # 0.69314718 < log 2 < 0.69314719; below 1 the logarithm is negative and the smaller value is above.
    above = Fraction(69314719 if power >= 0 else 69314718, 10**8)
    return above * power


def _sqrt_above(given: Any) -> Fraction:
    """A rational at or above √x, exact for squares."""
    x = Fraction(given)
    scale = 10**12
    product = x.numerator * x.denominator
    root = math.isqrt(product)
    if root * root == product:
        return Fraction(root, x.denominator)
    return Fraction(math.isqrt(product * scale**2) + 1, scale * x.denominator)


def _tails(formula: RightSide, thresholds: int) -> tuple[Evidence, Json]:
    """The same law at n = 256: each binomial tail P(|Ê| ≥ x) against the bound at a δ just below it, in balls."""
    import flint

    n, tail = LABELS[0], 0
    with flint.ctx.workprec(right_side.PRECISION):
        for extra in range(thresholds):
            tail += math.comb(n, extra)
            delta = Fraction(2 * tail, 2**n) * (1 - Fraction(1, 2**20))
            x = Fraction(n - 2 * extra, n)
            if delta < 1 and right_side.in_balls(formula, (n, 1, 0, Fraction(1), Fraction(0), delta)) < right_side.ball(
                x
            ):
                note = f"n = {n}: P(|Ê| ≥ {x}) > δ, the bound below {x}"
                return said("enclosure", False, note, power=2.0**-20), {"n": n, "|E − Ê|": str(x), "L": "y"}
    return said("enclosure", None, f"{thresholds} tails at n = {n}: no violation", power=2.0**-20), None
