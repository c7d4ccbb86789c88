"""CWN, Proposition 1: mean and variance of z = w·h, and for which parameters there is anything to say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, REFUTES_FROM
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said, worse
from wnverify.papers.cwn import witnesses

ASSUMPTIONS: Final = (
    "h Gaussian",
    "E[h] = μ 1",
    "cov(h) = σ² I, σ² ≥ 0",
    "wᵀ1 = 0",
    "‖w‖ = 1",
)
MU: Final = 3.0
SIGMA2: Final = 4.0
SIZES: Final = (2, 3, 8, 64)
"""Mean, variance and sizes of the simulation."""


@claim(
    "CWN-P1-MEAN",
    place="Prop. 1, eq. 1",
    statement="E[z] = 0 for z = wᵀh, E[h] = μ 1 and wᵀ1 = 0.",
    hypotheses=ASSUMPTIONS,
    formula=lambda w, one, mu, sigma2: 0,
    faults={
        "the mean of h kept": lambda w, one, mu, sigma2: mu,
        "the mean of h over d": lambda w, one, mu, sigma2: mu / (one @ one),
        "the variance for the mean": lambda w, one, mu, sigma2: sigma2,
        "the sum of E[h], with w left out": lambda w, one, mu, sigma2: mu * (one @ one),
        "the mean of h with the opposite sign": lambda w, one, mu, sigma2: -mu,
    },
)
def mean_of_z(formula: Any, quick: bool) -> Measured:
    known, mu, sigma2 = witnesses.symbols(), *_parameters()
    linear = known.w @ (mu * known.one)
    note = "E[w·h] = w·E[h] by linearity, over inner products, for every d"
    return _moment(formula, quick, order=1, linear=(formula(known.w, known.one, mu, sigma2), linear, note))


@claim(
    "CWN-P1-VAR",
    place="Prop. 1, eq. 2",
    statement="var(z) = σ² for z = wᵀh, cov(h) = σ² I and ‖w‖ = 1.",
    hypotheses=ASSUMPTIONS,
    formula=lambda w, one, mu, sigma2: sigma2,
    faults={
        "a factor 2": lambda w, one, mu, sigma2: 2 * sigma2,
        "a factor d, as for a sum": lambda w, one, mu, sigma2: sigma2 * (one @ one),
        "a factor 1/d, as for an average": lambda w, one, mu, sigma2: sigma2 / (one @ one),
        "the second moment of h for its variance": lambda w, one, mu, sigma2: sigma2 + mu**2,
        "squared": lambda w, one, mu, sigma2: sigma2**2,
        "the wrong sign": lambda w, one, mu, sigma2: -sigma2,
        "zero": lambda w, one, mu, sigma2: 0,
    },
)
def variance_of_z(formula: Any, quick: bool) -> Measured:
    known, mu, sigma2 = witnesses.symbols(), *_parameters()
    bilinear = known.w @ (sigma2 * known.w)
    note = "var(w·h) = w·cov(h) w, over inner products, for every d"
    return _moment(formula, quick, order=2, linear=(formula(known.w, known.one, mu, sigma2), bilinear, note))


def _parameters() -> tuple[Any, Any]:
    import sympy

    return sympy.Symbol("mu", real=True), sympy.Symbol("sigma2", positive=True)


def _moment(formula: Any, quick: bool, order: int, linear: tuple[Any, Any, str]) -> Measured:
    from wnverify.oracles.symbolic import is_identity

    claimed, true, note = linear
    by_inner_products = said("symbolic", is_identity(claimed, true), note, power=0.0)
    by_cumulant, witness = _cumulant(formula, order, sizes=(2, 3) if quick else (2, 3, 4))
    routes = [by_inner_products, by_cumulant, _simulated(formula, order, draws=4_000 if quick else 40_000)]
    return Measured(
        parts=[Part("the moment of z", routes, witness)],
        left_out=("d = 4 in symbols, nine draws in ten",) if quick else (),
    )


def _cumulant(formula: Any, order: int, sizes: tuple[int, ...]) -> tuple[Evidence, Json]:
    """The cumulant from the moment generating function of independent N(μ, σ²), for every unit w of sum 0."""
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import is_identity, unit_zero_sum

    mu, sigma2 = _parameters()
    s = sympy.Symbol("s", real=True)
    witness: Json = None
    for d in sizes:
        parameters = sympy.symbols(f"t1:{d - 1}", real=True)
        w, one = unit_zero_sum(parameters), np.array([sympy.Integer(1)] * d, dtype=object)
        moment_generating = sympy.exp(sum(mu * s * x + sigma2 * s**2 * x**2 / 2 for x in w))
        found = sympy.diff(sympy.log(moment_generating), s, order).subs(s, 0)
        claimed = formula(w, one, mu, sigma2)
        if not is_identity(claimed, found):
            at = {mu: 3, sigma2: 4} | dict.fromkeys(parameters, 0)
            values = [str(sympy.nsimplify(sympy.sympify(x).subs(at))) for x in (claimed, found)]
            witness = {"d": d, "w": [str(x.subs(at)) for x in w], "mu": 3, "sigma2": 4}
            witness |= {"claimed": values[0], "found": values[1]}
            if values[0] != values[1]:
                break
    note = f"cumulant {order} from the moment generating function, w ranging over its whole set, d = {sizes}"
    return said("symbolic", witness is None, note, power=0.0), witness


def _simulated(formula: Any, order: int, draws: int) -> Evidence:
    """Sample mean or variance of z against the formula; an honest formula fails with probability at most the budget."""
    import numpy as np

    worst, least = 0.0, math.inf
    budget = FALSE_ALARM_BUDGET / len(SIZES)
    for d in SIZES:
        rng = np.random.default_rng(seed_of("cwn", "proposition 1", order, d, draws))
        w = rng.standard_normal(d)
        w -= w.mean()
        w /= np.sqrt(w @ w)
        z = (MU + math.sqrt(SIGMA2) * rng.standard_normal((draws, d))) @ w
        found = float(z.mean() if order == 1 else z.var(ddof=1))
        claimed = float(formula(w, np.ones(d), MU, SIGMA2))
        allowed = mean_deviation(draws, budget) if order == 1 else variance_deviation(draws, budget) * math.sqrt(SIGMA2)
        allowed *= math.sqrt(SIGMA2)
        worst = worse(worst, abs(found - claimed) / allowed)
        least = min(least, allowed / (math.sqrt(SIGMA2) if order == 1 else SIGMA2))
    model = (
        "normal quantile × σ/√n" if order == 1 else "Laurent-Massart: σ² (2 √(x/(n−1)) + 2 x/(n−1)), x = log(2/budget)"
    )
    return by_ratio(
        "simulation",
        worst,
        f"{draws} Gaussian h, d = {SIZES}",
        power=REFUTES_FROM * least,
        model=f"{model}, budget {FALSE_ALARM_BUDGET:g} in all",
        figures={"mu": MU, "sigma2": SIGMA2, "draws": draws},
    )


def mean_deviation(draws: int, budget: float) -> float:
    """The mean of ``draws`` N(0, 1) is further from 0 than this with probability ``budget``."""
    return statistics.NormalDist().inv_cdf(1 - budget / 2) / math.sqrt(draws)


def variance_deviation(draws: int, budget: float) -> float:
    """The sample variance of N(0, 1) is further from 1 than this with probability at most ``budget`` (Laurent, Massart
    2000, Lemma 1, for χ² with n − 1 degrees of freedom)."""
    x = math.log(2 / budget) / (draws - 1)
    return 2 * math.sqrt(x) + 2 * x


Admits = Callable[[Fraction], bool]


@claim(
    "CWN-P1-SIGN",
    place="Prop. 1",
    statement="μ ∈ R and σ² ∈ R are the only restrictions that the parameters need: for each such pair there is an h "
    "with E[h] = μ 1 and cov(h) = σ² I.",
    reading="'σ² ∈ R' is taken by the letter, as a real number; a reader who takes σ ∈ R and squares it meets no "
    "gap. Without an h the proposition is true of nothing. σ² = 0 counts as a (degenerate) Gaussian.",
    formula=lambda sigma2: sigma2 >= 0,
    faults={
        "no condition": lambda sigma2: True,
        "too strict: σ² > 0": lambda sigma2: sigma2 > 0,
        "too lax: σ² ≥ −1": lambda sigma2: sigma2 >= -1,
        "the wrong sign": lambda sigma2: sigma2 <= 0,
        "too strict: σ² ≥ 1": lambda sigma2: sigma2 >= 1,
    },
    corrected="μ ∈ R and σ² ∈ R with σ² ≥ 0.",
)
def sign_of_the_variance(formula: Admits, quick: bool) -> Measured:
    probes = [Fraction(p, q) for p, q in ((-4, 1), (-1, 1), (-1, 10**6), (0, 1), (1, 10**6), (1, 1), (9, 4))]
    exists = {sigma2: _some_h_exists(sigma2) for sigma2 in probes}
    spectral = {sigma2: _covariance_possible(sigma2) for sigma2 in probes}
    admitted = [x for x in probes if formula(x)]
    refused = [x for x in probes if not formula(x)]
    empty = next((x for x in admitted if not exists[x]), None)
    lost = next((x for x in refused if exists[x]), None)
    note = f"σ² in {', '.join(map(str, probes))}"
    routes = {
        name: (
            said("exact", all(known[x] for x in admitted), f"{words}, {note}", power=0.0),
            said("exact", not any(known[x] for x in refused), f"{words}, {note}", power=0.0),
        )
        for name, words, known in (
            ("built", "h with values μ 1 ± σ √2 e_i built for d = 2", exists),
            ("minors", "N(μ 1, σ² I) exists: principal minors of σ² I, d = 3", spectral),
        )
    }
    parts = [
        Part("an h exists for all parameters admitted", [pair[0] for pair in routes.values()], _pair(empty)),
        Part("none exists for those refused", [pair[1] for pair in routes.values()], _pair(lost)),
    ]
    negative = Fraction(-1)
    without = said(
        "exact", _some_h_exists(negative), "var(h_1) = σ² would be −1, and a variance is E of a square", power=0.0
    )
    return Measured(parts=parts, conditions=[Condition("σ² ≥ 0", [without], _pair(negative))])


def _pair(sigma2: Fraction | None) -> Json:
    return None if sigma2 is None else {"d": 2, "mu": "0", "sigma2": str(sigma2)}


def _some_h_exists(sigma2: Fraction) -> bool:
    """Whether the law of d = 2 that puts 1/4 on each of μ 1 ± σ √2 e_i has covariance σ² I with real points.

    Only squares matter: E[(h_i − μ)²] = (1/4)(2)(2 σ²), which must be a mean of squares and so not negative.
    """
    squares = [2 * sigma2, 2 * sigma2, Fraction(0), Fraction(0)]  # (h_1 − μ)² at the four points
    return all(x >= 0 for x in squares) and sum(squares) / 4 == sigma2


def _covariance_possible(sigma2: Fraction) -> bool:
    """Whether all principal minors of σ² I, d = 3, which are (σ²)^k, are at least 0: then N(μ 1, σ² I) exists."""
    return all(sigma2**k >= 0 for k in (1, 2, 3))


@claim(
    "CWN-P1-DEG",
    place="Prop. 1 (derived)",
    statement="For which d does a w with ‖w‖ = 1 and wᵀ1 = 0 exist? Answer: exactly for d ≥ 2.",
    formula=lambda d: d >= 2,
    faults={
        "d ≥ 1": lambda d: d >= 1,
        "d ≥ 3": lambda d: d >= 3,
        "even d": lambda d: d % 2 == 0,
        "no d": lambda d: False,
    },
)
def dimensions(formula: Callable[[int], bool], quick: bool) -> Measured:
    sizes = range(1, 8)
    solvable = {d: _solvable(d) for d in sizes}
    ranks = {d: _rank_of_centring(d) for d in sizes}
    wrong = next((d for d in sizes if formula(d) != solvable[d]), None)
    witness: Json = None if wrong is None else {"d": wrong, "such w exist": solvable[wrong]}
    note = "for d ≥ 2 the vector (1, −1, 0, …)/√2 serves, whatever d; for d = 1 the ideal of w and w² − 1 is everything"
    routes = [
        said("symbolic", all(formula(d) == solvable[d] for d in sizes), note, power=0.0, figures={"d up to": 7}),
        said(
            "exact",
            all(formula(d) == (ranks[d] > 0) for d in sizes),
            "the vectors of sum 0 have a nonzero member, to be normalised, iff I − 11ᵀ/d has positive rank (it is d "
            "− 1)",
            power=0.0,
            figures={f"rank for d = {d}": rank for d, rank in ranks.items()},
        ),
    ]
    return Measured(parts=[Part("existence", routes, witness)])


def _solvable(d: int) -> bool:
    """Whether w·1 = 0, w·w = 1 has a real solution: an explicit one, or a proof (1 in the ideal) that there is none."""
    import sympy

    from wnverify.oracles.symbolic import coordinates, vanishes_on

    w = coordinates("w", d)
    equations = [sum(w), sum(x**2 for x in w) - 1]
    if vanishes_on(sympy.Integer(1), equations, list(w)):
        return False
    point = dict.fromkeys(w, sympy.Integer(0)) | {w[0]: 1 / sympy.sqrt(2), w[1]: -1 / sympy.sqrt(2)}
    if any(sympy.simplify(equation.subs(point)) != 0 for equation in equations):
        raise ArithmeticError(f"neither a solution nor a proof that there is none, for d = {d}")
    return True


def _rank_of_centring(d: int) -> int:
    """Rank of I − 11ᵀ/d over the rationals, by elimination."""
    rows = [[Fraction(int(i == j)) - Fraction(1, d) for j in range(d)] for i in range(d)]
    rank = 0
    for column in range(d):
        pivot = next((r for r in range(rank, d) if rows[r][column] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(rank + 1, d):
            factor = rows[r][column] / rows[rank][column]
            rows[r] = [x - factor * y for x, y in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank
