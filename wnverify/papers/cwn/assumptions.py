"""CWN, Proposition 1: which of its assumptions each of its two conclusions needs."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwn.proposition1 import ASSUMPTIONS

CONCLUSIONS: Final = ("mean", "variance")
DROPPED: Final = ("Gaussian", "mean of h", "covariance of h", "zero sum", "unit norm")
Needs = Mapping[tuple[str, str], bool]

ANSWER: Final[Needs] = {(c, a): False for c in CONCLUSIONS for a in DROPPED} | {
    ("mean", "mean of h"): True,
    ("mean", "zero sum"): True,
    ("variance", "covariance of h"): True,
    ("variance", "unit norm"): True,
}


def _but(conclusion: str, assumption: str) -> Needs:
    """The answer with one entry turned round."""
    return {**ANSWER, (conclusion, assumption): not ANSWER[conclusion, assumption]}


@claim(
    "CWN-P1-GAUSS",
    place="Prop. 1 (derived)",
    statement="Which of the stated assumptions (Gaussian; mean μ 1; covariance σ² I; unit norm; zero sum) does each "
    "conclusion need? Answer: E[z] = 0 needs E[h] = μ 1 and wᵀ1 = 0 and no other; var(z) = σ² needs cov(h) = σ² I and "
    "‖w‖ = 1 and no other (not even wᵀ1 = 0); neither needs h to be Gaussian. For the conclusions to hold for every "
    "admissible w it is enough, and necessary, that E[h] ∥ 1 and that P cov(h) P = σ² P with P = I − 11ᵀ/d.",
    hypotheses=ASSUMPTIONS,
    reading="an assumption is needed if, it alone being dropped, the conclusion fails for some h and w; laws have "
    "second moments.",
    formula=ANSWER,
    faults={
        "the mean needs a Gaussian": _but("mean", "Gaussian"),
        "the variance needs a Gaussian": _but("variance", "Gaussian"),
        "the mean needs no zero sum": _but("mean", "zero sum"),
        "the mean needs no mean along 1": _but("mean", "mean of h"),
        "the mean needs unit norm": _but("mean", "unit norm"),
        "the mean needs the covariance": _but("mean", "covariance of h"),
        "the variance needs a zero sum": _but("variance", "zero sum"),
        "the variance needs no unit norm": _but("variance", "unit norm"),
        "the variance needs no covariance": _but("variance", "covariance of h"),
        "the variance needs the mean": _but("variance", "mean of h"),
    },
)
def needed_assumptions(formula: Needs, quick: bool) -> Measured:
    parts = []
    for conclusion, dropped in itertools.product(CONCLUSIONS, DROPPED):
        proof, failing = _symbolically(conclusion, dropped)
        instances = list(_instances(dropped))
        fails = [instance for instance in instances if not _concludes(conclusion, instance)]
        claimed = formula[conclusion, dropped]
        routes = [
            said(
                "symbolic", None if proof is None else claimed == (not proof), _symbolic_note(proof, failing), power=0.0
            ),
            _exact(claimed, len(instances), len(fails)),
        ]
        witness = _shown(fails[0]) if fails else {"holds without it, as in": _shown(instances[0])}
        parts.append(Part(f"{conclusion}, without '{dropped}'", routes, witness))
    parts.append(Part("the weakest sufficient form", [_weakest_form()]))
    return Measured(parts=parts)


def _exact(claimed: bool, tried: int, failed: int) -> Evidence:
    note = f"{failed} of {tried} laws and weights in rationals break the conclusion"
    return said("exact", claimed == (failed > 0), note, power=0.0)


def _symbolic_note(proof: bool | None, failing: Mapping[str, str] | None) -> str:
    if proof:
        return "the conclusion stays an identity for d = 3, from linearity of E alone"
    return f"the conclusion fails at {dict(failing or {})} (d = 3)"


@functools.cache
def _symbolically(conclusion: str, dropped: str) -> tuple[bool | None, Mapping[str, str] | None]:
    """(whether the conclusion stays true without the assumption, None if unknown; a point where it fails), d = 3.

    E[w·h] = w·m and var(w·h) = w·C w whatever the law of h, so no step below can use that it is Gaussian.
    """
    import sympy

    from wnverify.oracles.symbolic import coordinates, counterexample, is_identity

    mu, sigma2 = sympy.Symbol("mu", real=True), sympy.Symbol("sigma2", positive=True)
    w, free = _weights(dropped)
    m = coordinates("m", 3) if dropped == "mean of h" else [mu] * 3
    spread = coordinates("c", 3) if dropped == "covariance of h" else [sigma2] * 3
    if conclusion == "mean":
        left, right = sum(x * y for x, y in zip(w, m, strict=True)), sympy.Integer(0)
    else:  # for a covariance that is no multiple of I, σ² is read as its mean diagonal
        left, right = sum(c * x**2 for x, c in zip(w, spread, strict=True)), sum(spread) / 3
    if is_identity(left, right):
        return True, None
    symbols = [*free, *sorted((sympy.sympify(left) - right).free_symbols - set(free), key=str)]
    variances = [x for x in symbols if str(x).startswith(("c", "sigma2"))]
    failing = counterexample(left - right, symbols, allowed=variances)
    return (None if failing is None else False), failing


def _weights(dropped: str) -> tuple[list[Any], list[Any]]:
    """All w for d = 3 that satisfy the assumptions kept on it, by free parameters."""
    import sympy

    from wnverify.oracles.symbolic import unit_zero_sum

    t, r = sympy.symbols("t r", real=True)
    if dropped == "zero sum":
        square = 1 + t**2 + r**2
        return [2 * t / square, 2 * r / square, (1 - t**2 - r**2) / square], [t, r]
    if dropped == "unit norm":
        return [t, r, -t - r], [t, r]
    return list(unit_zero_sum([t])), [t]


class Instance(NamedTuple):
    """h = m + diag(a) ε with independent ε_i of mean 0, variance 1 (Gaussian, or on the points of ``law``); and w."""

    w: tuple[Fraction, ...]
    m: tuple[Fraction, ...]
    a: tuple[Fraction, ...]
    law: tuple[tuple[Fraction, Fraction], ...] | None


_HALF: Final = Fraction(1, 2)
_UNIT_ZERO_SUM: Final = (
    (_HALF, _HALF, -_HALF, -_HALF),
    (Fraction(5, 6), Fraction(-1, 2), Fraction(-1, 6), Fraction(-1, 6)),
)
"""Rational w with ‖w‖ = 1 and w·1 = 0, which need d = 4."""
_MU, _SIGMA = Fraction(3), Fraction(2)
_SKEWED: Final = ((Fraction(-1, 2), Fraction(4, 5)), (Fraction(2), Fraction(1, 5)))
_SIGNS: Final = ((Fraction(-1), _HALF), (Fraction(1), _HALF))


def _instances(dropped: str) -> Iterator[Instance]:
    """d = 4, rational, the smallest first: all assumptions met but the one dropped."""
    F = Fraction
    weights, means, spreads = list(_UNIT_ZERO_SUM), [(_MU,) * 4], [(_SIGMA,) * 4]
    laws: list[tuple[tuple[Fraction, Fraction], ...] | None] = [None]
    if dropped == "Gaussian":
        laws = [_SIGNS, _SKEWED]
    elif dropped == "mean of h":
        means = [(F(1), F(0), F(0), F(0)), (F(1), F(2), F(3), F(5))]
    elif dropped == "covariance of h":
        spreads = [(F(1), F(0), F(0), F(0)), (F(1), F(2), F(3), F(5))]
    elif dropped == "zero sum":
        weights = [(F(1), F(0), F(0), F(0)), (_HALF,) * 4]
    else:
        weights = [(F(1), F(-1), F(0), F(0)), (F(1, 3), F(1, 3), F(-1, 3), F(-1, 3))]
    for w, m, a, law in itertools.product(weights, means, spreads, laws):
        yield Instance(w, m, a, law)


def _concludes(conclusion: str, instance: Instance) -> bool:
    """Whether E z = 0 (or var z = σ²) exactly; for a covariance that is no multiple of I, σ² is its mean diagonal."""
    weighted = [x * s for x, s in zip(instance.w, instance.a, strict=True)]
    centre = sum((x * y for x, y in zip(instance.w, instance.m, strict=True)), Fraction(0))
    if instance.law is None:  # a combination of independent N(0, 1)
        mean, variance = centre, sum((x * x for x in weighted), Fraction(0))
    else:  # all points with their probabilities
        mean, second = Fraction(0), Fraction(0)
        for point in itertools.product(instance.law, repeat=4):
            probability, z = Fraction(1), centre
            for (value, mass), x in zip(point, weighted, strict=True):
                probability, z = probability * mass, z + x * value
            mean, second = mean + probability * z, second + probability * z * z
        variance = second - mean * mean
    sigma2 = sum((s * s for s in instance.a), Fraction(0)) / 4
    return mean == 0 if conclusion == "mean" else variance == sigma2


def _shown(instance: Instance) -> dict[str, Json]:
    law = (
        "Gaussian"
        if instance.law is None
        else ", ".join(f"{value} with probability {mass}" for value, mass in instance.law)
    )
    shown = {"w": instance.w, "E h": instance.m, "standard deviations of h": instance.a}
    return {name: [str(x) for x in values] for name, values in shown.items()} | {"law of (h − E h)/σ": law}


def _weakest_form() -> Evidence:
    """P C P = σ² P is sufficient (every d) and, w ranging over its set, necessary (d = 3); likewise E h ∥ 1."""
    import sympy

    from wnverify.oracles.symbolic import is_identity, unit_zero_sum
    from wnverify.papers.cwn.witnesses import symbols

    known, sigma2 = symbols(), sympy.Symbol("sigma2", real=True)
    a = known.gram.vector("a")
    image = sigma2 * known.w + (known.one @ known.w) * a + (a @ known.w) * known.one  # C w, C = σ² I + a 1ᵀ + 1 aᵀ
    sufficient = is_identity(known.w @ image, sigma2)

    t = sympy.Symbol("t", real=True)
    w = sympy.Matrix(unit_zero_sum([t]))
    entries = sympy.symbols("c11 c12 c13 c22 c23 c33", real=True)
    c11, c12, c13, c22, c23, c33 = entries
    C = sympy.Matrix([[c11, c12, c13], [c12, c22, c23], [c13, c23, c33]])
    m = sympy.Matrix(sympy.symbols("m1:4", real=True))
    P = sympy.eye(3) - sympy.ones(3, 3) / 3
    variance = sympy.Poly(sympy.fraction(sympy.together((w.T * C * w)[0] - sigma2))[0].expand(), t).all_coeffs()
    mean = sympy.Poly(sympy.fraction(sympy.together((w.T * m)[0]))[0].expand(), t).all_coeffs()
    rest = P * C * P - sigma2 * P
    necessary = all(_linear_consequence(x, variance, [*entries, sigma2]) for x in rest)
    along_one = all(_linear_consequence(x, mean, list(m)) for x in P * m)
    figures: dict[str, Json] = {"sufficient": sufficient, "necessary": necessary, "E h ∥ 1 necessary": along_one}
    note = "PCP = σ²P sufficient for every d; it and E h ∥ 1 necessary for d = 3"
    return said("symbolic", sufficient and necessary and along_one, note, power=0.0, figures=figures)


def _linear_consequence(form: Any, given: list[Any], symbols: list[Any]) -> bool:
    """Whether the linear form is a combination of the given linear forms."""
    import sympy

    def row(x: Any) -> list[Any]:
        return [sympy.diff(sympy.expand(x), symbol) for symbol in symbols]

    known = sympy.Matrix([row(x) for x in given])
    return bool(known.col_join(sympy.Matrix([row(form)])).rank(simplify=True) == known.rank(simplify=True))
