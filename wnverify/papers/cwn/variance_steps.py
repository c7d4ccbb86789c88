"""CWN, eq. 2: the printed chain of equalities for var(z), line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import FALSE_ALARM_BUDGET, REFUTES_FROM
from wnverify.papers.claims import Measured, Part, Reading, by_ratio, claim, said
from wnverify.papers.cwn.proposition1 import ASSUMPTIONS, MU, SIGMA2, mean_deviation, variance_deviation


class Law(NamedTuple):
    """What a printed line may use: the expectation ``E`` of a function of h, w, E[h], cov(h) and σ²."""

    E: Callable[[Callable[[Any], Any]], Any]
    w: Any
    mean: Any
    cov: Any
    sigma2: Any


Line = Callable[[Law], Any]


def _z(law: Law) -> Callable[[Any], Any]:
    return lambda h: _dot(law.w, h)


def _deviation(law: Law) -> Callable[[Any], Any]:
    """w·(h − E[h])."""
    return lambda h: _dot(law.w, [x - m for x, m in zip(h, law.mean, strict=True)])


def _dot(x: Any, y: Any) -> Any:
    return sum(a * b for a, b in zip(x, y, strict=True))


def _mean_of_deviations(law: Law) -> list[Any]:
    """E[h − E[h]], entry by entry."""

    def entry(i: int) -> Any:
        return law.E(lambda h: h[i] - law.mean[i])

    return [entry(i) for i in range(len(law.mean))]


def _square(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda h: f(h) ** 2


def line1_square_inside(law: Law) -> Any:
    z = _z(law)
    mean = law.E(z)
    return law.E(lambda h: (z(h) - mean) ** 2)


def line1_square_outside(law: Law) -> Any:
    z = _z(law)
    mean = law.E(z)
    return law.E(lambda h: z(h) - mean) ** 2


def line2_square_inside(law: Law) -> Any:
    return law.E(_square(_deviation(law)))


def line2_square_outside(law: Law) -> Any:
    return law.E(_deviation(law)) ** 2


def line3(law: Law) -> Any:
    """A product of two expectations; the transposition does nothing to a number."""
    return law.E(_deviation(law)) * law.E(_deviation(law))


def line4(law: Law) -> Any:
    inner = _mean_of_deviations(law)
    return _dot(law.w, inner) * _dot(inner, law.w)


def line3_corrected(law: Law) -> Any:
    """E[(w·(h − E h)) (w·(h − E h))ᵀ], one expectation of the product."""
    deviation = _deviation(law)
    return law.E(lambda h: deviation(h) * deviation(h))


def line4_corrected(law: Law) -> Any:
    """wᵀ E[(h − E h)(h − E h)ᵀ] w."""

    def entry(i: int, j: int) -> Any:
        return law.E(lambda h: (h[i] - law.mean[i]) * (h[j] - law.mean[j]))

    d = range(len(law.mean))
    product = [[entry(i, j) for j in d] for i in d]
    return _dot(law.w, [_dot(row, law.w) for row in product])


def line5(law: Law) -> Any:
    return _dot(law.w, [_dot(row, law.w) for row in law.cov])


def line6(law: Law) -> Any:
    return _dot(law.w, [law.sigma2 * x for x in law.w])


def line7(law: Law) -> Any:
    return law.sigma2 * _dot(law.w, law.w)


def line8(law: Law) -> Any:
    return law.sigma2


Chain = tuple[Line, ...]
INSIDE: Final = "E[x]² means E[(x)²]"
OUTSIDE: Final = "E[x]² means (E[x])²"
PRINTED: Final[Mapping[str, Chain]] = MappingProxyType(
    {
        INSIDE: (line1_square_inside, line2_square_inside, line3, line4, line5, line6, line7, line8),
        OUTSIDE: (line1_square_outside, line2_square_outside, line3, line4, line5, line6, line7, line8),
    }
)
CORRECTED: Final[Mapping[str, Chain]] = MappingProxyType(
    {
        INSIDE: (
            line1_square_inside,
            line2_square_inside,
            line3_corrected,
            line4_corrected,
            line5,
            line6,
            line7,
            line8,
        )
    }
)


def _corrected_but(number: int, line: Line) -> Mapping[str, Chain]:
    chain = CORRECTED[INSIDE]
    return {INSIDE: (*chain[: number - 1], line, *chain[number:])}


@claim(
    "CWN-P1-STEPS",
    place="eq. 2, lines 1-5",
    statement="Each printed equality of eq. 2 is true: var(z) = E[z − E z]² = E[wᵀ(h − E h)]² = E[wᵀ(h − E "
    "h)]·E[wᵀ(h − E h)]ᵀ = wᵀE[h − E h]·E[h − E h]ᵀw = wᵀcov(h)w = wᵀσ²Iw = σ²wᵀw = σ².",
    hypotheses=ASSUMPTIONS,
    reading="the square in lines 1 and 2 can stand for E[(x)²] or for (E[x])²; both are decided. Lines 3 and 4 write "
    "two expectations, each with its own bracket, so no reading makes them the expectation of a product.",
    formula=PRINTED,
    faults={
        "corrected, line 3 as printed": _corrected_but(3, line3),
        "corrected, line 4 as printed": _corrected_but(4, line4),
        "corrected, line 2 with the square outside": _corrected_but(2, line2_square_outside),
        "corrected, line 2 not centred": _corrected_but(2, lambda law: law.E(lambda h: _dot(law.w, h))),
        "corrected, line 5 with the trace": _corrected_but(
            5, lambda law: sum(law.cov[i][i] for i in range(len(law.w)))
        ),
        "corrected, line 6 with a factor 2": _corrected_but(6, lambda law: 2 * line6(law)),
        "corrected, line 8 as σ⁴": _corrected_but(8, lambda law: law.sigma2**2),
        "corrected, line 7 with the wrong sign": _corrected_but(7, lambda law: -line7(law)),
    },
    corrected="line 3: E[(wᵀ(h − E h))(wᵀ(h − E h))ᵀ]; line 4: wᵀE[(h − E h)(h − E h)ᵀ]w, one expectation of a "
    "product in each; with lines 1 and 2 read as E[(x)²] all equalities then hold, and the conclusion var(z) = σ² "
    "stands.",
    corrected_formula=CORRECTED,
)
def printed_chain(formula: Mapping[str, Chain], quick: bool) -> Measured:
    readings = [Reading(text, _equalities(chain, quick)) for text, chain in formula.items()]
    return Measured(
        readings=readings,
        left_out=("d = 3 in symbols, nine draws in ten",) if quick else (),
    )


def _equalities(chain: Chain, quick: bool) -> list[Part]:
    from wnverify.oracles.symbolic import is_identity

    laws = [symbolic_law(d) for d in ((2,) if quick else (2, 3))]
    values = [[line(law) for line in chain] for law in laws]
    variance = [law.sigma2 * _dot(law.w, law.w) for law in laws]
    draws = 4_000 if quick else 40_000
    sampled, truth = _sampled(chain, draws), SIGMA2
    parts = []
    for number in range(len(chain)):
        # line 1 is compared with var(z) itself, every other line with the one before
        left = variance if number == 0 else [row[number - 1] for row in values]
        holds = all(is_identity(x, row[number]) for x, row in zip(left, values, strict=True))
        seen = (truth, sampled[0]) if number == 0 else (sampled[number - 1], sampled[number])
        name = "var(z) = line 1" if number == 0 else f"line {number} = line {number + 1}"
        routes = [
            said("symbolic", holds, f"expectations of polynomials in h, d = {[len(law.w) for law in laws]}", power=0.0),
            _compared(*seen, draws),
        ]
        parts.append(Part(name, routes, None if holds else _witness(left[0], values[0][number])))
    return parts


def _witness(left: Any, right: Any) -> Json:
    import sympy

    at = {"mu": 3, "sigma2": 4}
    values = [sympy.sympify(x).subs({sympy.Symbol(k, real=True): v for k, v in at.items()}) for x in (left, right)]
    return {"d": 2, "w": ["1/√2", "-1/√2"], **at, "left": str(values[0]), "right": str(values[1])}


def symbolic_law(d: int) -> Law:
    """h ~ N(μ 1, σ² I) with symbolic μ, σ²; E of degree ≤ 2 from E h_i = μ and E h_i h_j = μ² + σ² δ_ij."""
    import sympy

    from wnverify.oracles.symbolic import coordinates, unit_zero_sum

    mu, sigma2 = sympy.Symbol("mu", real=True), sympy.Symbol("sigma2", real=True)
    h = list(coordinates("h", d))
    w = list(unit_zero_sum(sympy.symbols(f"t1:{d - 1}", real=True)))

    def expectation(f: Callable[[Any], Any]) -> Any:
        total = sympy.Integer(0)
        for powers, coefficient in sympy.Poly(sympy.expand(f(h)), *h).terms():
            if sum(powers) > 2:
                raise ValueError(f"expectation of degree {sum(powers)}: only degrees up to 2 are known here")
            total += coefficient * (mu ** sum(powers) + (sigma2 if 2 in powers else 0))
        return sympy.expand(total)

    cov = [[sigma2 if i == j else sympy.Integer(0) for j in range(d)] for i in range(d)]
    return Law(expectation, w, [mu] * d, cov, sigma2)


def _sampled(chain: Chain, draws: int) -> list[float]:
    """Every line with E as the average over Gaussian draws of h, d = 2."""
    import numpy as np

    rng = np.random.default_rng(seed_of("cwn", "variance steps", draws))
    h = MU + math.sqrt(SIGMA2) * rng.standard_normal((2, draws))
    w = [math.sqrt(0.5), -math.sqrt(0.5)]
    law = Law(lambda f: float(np.mean(f(h))), w, [MU, MU], [[SIGMA2, 0.0], [0.0, SIGMA2]], SIGMA2)
    return [float(line(law)) for line in chain]


def _compared(left: float, right: float, draws: int) -> Evidence:
    """Each line is within the allowance of its true value up to the budget, so two equal ones differ by twice that."""
    budget = FALSE_ALARM_BUDGET / 8
    allowed = 2 * SIGMA2 * (variance_deviation(draws, budget) + mean_deviation(draws, budget) ** 2)
    return by_ratio(
        "simulation",
        abs(left - right) / allowed,
        f"{draws} Gaussian h, d = 2: {left:.3f} and {right:.3f}",
        power=REFUTES_FROM * allowed / SIGMA2,
        model=f"χ² and normal deviations, budget {FALSE_ALARM_BUDGET:g} in all",
        figures={"mu": MU, "sigma2": SIGMA2},
    )
