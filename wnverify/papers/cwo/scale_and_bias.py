"""CWO, eqs. 6 to 8: scale, bias and noise, and how large the noise is from layer to layer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.cwo import laws

Matrix = Sequence[Sequence[int]]


@claim(
    "CWO-EQ6",
    place="Sec. 3.2, eq. 6",
    statement="The layer's output is y_i = γ_i x_i + β_i. What is x_i, and do the shapes agree with y = Wx of sec. 3? "
    "Answer: x_i must be the product w_iᵀx, of which there are n_o; with x the input and y the output of the layer, as "
    "sec. 3 defines them, the two equations contradict each other.",
    reading="the formula is what stands for x_i, of (W, x); compared with sec. 3 at γ = 1, β = 0, where eq. 6 adds "
    "nothing to the layer.",
    formula=lambda W, x: list(x),
    corrected="y_i = γ_i (w_iᵀx) + β_i, i = 1, …, n_o: a layer that takes the place of BN behind the product "
    "(sec. 4.1.1)",
    corrected_formula=lambda W, x: [laws.dot(row, x) for row in W],
    faults={
        "the transposed product": lambda W, x: [
            sum(a * b for a, b in zip(column, x, strict=False)) for column in zip(*W, strict=True)
        ],
        "the first product in every entry": lambda W, x: [laws.dot(W[0], x)] * len(W),
        "the products summed": lambda W, x: [sum(laws.dot(row, x) for row in W)],
        "one entry too few": lambda W, x: [laws.dot(row, x) for row in W][:-1],
    },
)
def scaled_entry(formula: Callable[[Matrix, Sequence[int]], list[int]], quick: bool) -> Measured:
    shapes: Json = None
    values: Json = None
    for n, n_o in itertools.product((2, 3), repeat=2):
        W = [[(i + 2) ** j * (-1) ** j for j in range(n)] for i in range(n_o)]
        x = [1 + j * j for j in range(n)]
        layer, scaled = [laws.dot(row, x) for row in W], formula(W, x)
        shown: dict[str, Json] = {"W": [list(row) for row in W], "x": list(x), "Wx": list(layer)}
        shown["γ_i x_i + β_i at γ = 1, β = 0"] = list(scaled)
        if len(scaled) != len(layer):
            shapes = shapes or {"n": n, "n_o": n_o, **shown}
        elif scaled != layer:
            values = values or shown
    agree = "n, n_o = 2, 3: as many entries as y = Wx has"
    return Measured(
        consistency=[
            Part("the number of entries", [said("exact", shapes is None, agree, power=0.0)], shapes),
            Part("the values", [said("exact", values is None, "n = n_o: the entries of y = Wx", power=0.0)], values),
        ]
    )


class Moments(NamedTuple):
    """Mean and variance of y_i given x_i, of (γ, β, x, σ)."""

    mean: Callable[[Any, Any, Any, Any], Any]
    variance: Callable[[Any, Any, Any, Any], Any]


EQ7: Final = Moments(
    lambda gamma, beta, x, sigma: gamma * x + beta, lambda gamma, beta, x, sigma: (sigma * gamma * x) ** 2
)
GRANULARITIES: Final = ("one draw for a unit and batch", "one for a unit and sample", "one for every entry")


@claim(
    "CWO-EQ7",
    place="Sec. 3.3, eq. 7",
    statement="y_i = (1 + n_i) γ_i x_i + β_i with n_i ~ N(0, σ_l²). Which moments has y_i given x_i, and how often is "
    "n_i drawn? Answer: mean γ_i x_i + β_i, that of eq. 6, and variance σ_l² γ_i² x_i², for every way to draw; how "
    "often is not said.",
    hypotheses=("in training; n_i is independent of x_i",),
    formula=EQ7,
    faults={
        "the mean is shifted": EQ7._replace(mean=lambda gamma, beta, x, sigma: (1 + sigma) * gamma * x + beta),
        "the bias is lost": EQ7._replace(mean=lambda gamma, beta, x, sigma: gamma * x),
        "sigma not squared": EQ7._replace(variance=lambda gamma, beta, x, sigma: sigma * (gamma * x) ** 2),
        "the bias is perturbed too": EQ7._replace(
            variance=lambda gamma, beta, x, sigma: (sigma * (gamma * x + beta)) ** 2
        ),
        "the noise is added": EQ7._replace(variance=lambda gamma, beta, x, sigma: sigma**2),
        "the scale is left out": EQ7._replace(variance=lambda gamma, beta, x, sigma: (sigma * x) ** 2),
    },
)  # fmt: skip
def noisy_output(formula: Moments, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import is_identity

    gamma, beta, x, sigma, t = sympy.symbols("gamma beta x sigma t", real=True)
    # cumulants of y from the cumulant generating function σ²t²/2 of N(0, σ²)
    cumulants = sympy.expand(t * (gamma * x + beta) + (t * gamma * x) ** 2 * sigma**2 / 2)
    found = [sympy.diff(cumulants, t, order).subs(t, 0) for order in (1, 2)]
    readings = []
    for text in GRANULARITIES:
        parts = []
        for order, (name, claimed) in enumerate((("mean", formula.mean), ("variance", formula.variance))):
            proof = is_identity(found[order], claimed(gamma, beta, x, sigma))
            symbolic = said("symbolic", proof, "from the cumulants of N(0, σ²)", power=0.0)
            true, value = _three_points(order), claimed(*_POINT)
            exact = said("exact", true == value, f"noise 0, ±√3 σ with the moments of N(0, σ²): {true}", power=0.0)
            witness: Json = {"γ, β, x, σ": [str(each) for each in _POINT], name: str(true), "claimed": str(value)}
            sampled = [] if quick else [_sampled(claimed, text, order)]
            parts.append(Part(name, [symbolic, exact, *sampled], witness))
        readings.append(Reading(f"n_i is {text}", parts))
    message = (
        "What differs is the covariance of y_i at two samples x, x′: σ² γ² x x′ with one draw for a batch, else 0. "
        "(n_i is the noise here and the fan-in in eqs. 16 to 20.)"
    )
    return Measured(readings=readings, message=message, left_out=("the simulations",) if quick else ())


_POINT: Final = (Fraction(3), Fraction(5), Fraction(-2), Fraction(1, 2))


def _three_points(order: int) -> Fraction:
    """Mean or variance of y at ``_POINT`` for noise on 0, ±√3 σ (2/3, 1/6, 1/6); the root drops out by symmetry."""
    gamma, beta, x, sigma = _POINT
    if order == 0:
        return gamma * x + beta
    return Fraction(1, 3) * 3 * (sigma * gamma * x) ** 2


def _sampled(claimed: Any, text: str, order: int) -> Evidence:
    """Mean or variance over draws for two samples and four positions of one unit, at one of the entries."""
    import numpy as np

    gamma, beta, x, sigma = (float(each) for each in _POINT)
    shape = {GRANULARITIES[0]: (1, 1), GRANULARITIES[1]: (2, 1), GRANULARITIES[2]: (2, 4)}[text]
    rng = np.random.default_rng(seed_of("cwo", "eq7", text))
    noise = np.broadcast_to(sigma * rng.standard_normal((10_000, *shape)), (10_000, 2, 4))
    y = (1 + noise[:, 0, 3]) * gamma * x + beta
    samples = (y - y.mean()) ** 2 if order else y
    return laws.estimated(samples, float(claimed(gamma, beta, x, sigma)), "over draws of the noise")


class TwoPlaces(NamedTuple):
    """The noise's variance σ_l² as two places of sec. 3.3 give it, of σ."""

    first: Callable[[Any], Any]
    later: Callable[[Any], Any]


SIGMA: Final = TwoPlaces(lambda sigma: sigma, lambda sigma: sigma**2)
TRIED: Final = tuple(Fraction(k, 10) for k in (1, 2, 3, 4))
"""The σ of constant noise in table 4."""


@claim(
    "CWO-P-SIGCONST",
    place="Sec. 3.3",
    statement="Constant noise: σ_l² is one constant written σ in every layer, and σ_l = σ for non-residual networks.",
    reading="both sentences define the same σ, that of table 4.",
    formula=SIGMA,
    corrected="σ_l = σ, so that σ_l² = σ² (as eq. 8 has it for l = L)",
    corrected_formula=TwoPlaces(lambda sigma: sigma**2, lambda sigma: sigma**2),
    faults={
        "the variance is sigma, the deviation its root cubed": TwoPlaces(lambda sigma: sigma, lambda sigma: sigma**3),
        "twice the variance": TwoPlaces(lambda sigma: 2 * sigma**2, lambda sigma: sigma**2),
        "the fourth power": TwoPlaces(lambda sigma: sigma**2, lambda sigma: sigma**4),
    },
)
def constant_noise(formula: TwoPlaces, quick: bool) -> Measured:
    import sympy

    sigma = sympy.Symbol("sigma", positive=True)
    difference = sympy.expand(formula.first(sigma) - formula.later(sigma))
    common = sorted(str(value) for value in sympy.solve(difference, sigma)) if difference != 0 else ["every σ"]
    symbolic = said("symbolic", difference == 0, f"the two variances agree at σ = {', '.join(common)}", power=0.0)
    apart = [value for value in TRIED if formula.first(value) != formula.later(value)]
    exact = said("arithmetic", not apart, f"at the {len(TRIED)} σ of table 4: {len(apart)} differ", power=0.0)
    value = TRIED[-1]
    witness: Json = {"σ": "0.4", "σ_l² (first)": str(formula.first(value)), "σ_l² (later)": str(formula.later(value))}
    return Measured(consistency=[Part("the noise's variance", [symbolic, exact], witness)])


class Schedule(NamedTuple):
    """σ_l of (l, L, σ), and the variable in which the text says that it grows linearly."""

    size: Callable[[Any, Any, Any], Any]
    grows_in: str


EQ8: Final = Schedule(lambda l, L, sigma: l / L * sigma, "L")  # noqa: E741


@claim(
    "CWO-EQ8",
    place="Sec. 3.3, eq. 8",
    statement="σ_l = (l/L) σ for residual networks, which grows linearly in the number of layers L.",
    hypotheses=("1 ≤ l ≤ L, σ > 0",),
    formula=EQ8,
    corrected="σ_l = (l/L) σ grows linearly in the index l of the layer, from σ/L to σ; in L it falls as 1/L",
    corrected_formula=EQ8._replace(grows_in="l"),
    faults={
        "quadratic in l": Schedule(lambda l, L, sigma: (l / L) ** 2 * sigma, "l"),  # noqa: E741
        "falls with l": Schedule(lambda l, L, sigma: (L - l) / L * sigma, "l"),  # noqa: E741
        "constant": Schedule(lambda l, L, sigma: sigma, "l"),  # noqa: E741
        "inverse": Schedule(lambda l, L, sigma: L / l * sigma, "l"),  # noqa: E741
        "exponential": Schedule(lambda l, L, sigma: sigma * 2 ** (l - L), "l"),  # noqa: E741
    },
)
def growing_noise(formula: Schedule, quick: bool) -> Measured:
    import sympy

    l, L, sigma = sympy.symbols("l L sigma", positive=True)  # noqa: E741
    size = formula.size(l, L, sigma)
    variable = {"l": l, "L": L}[formula.grows_in]
    slope, bend = sympy.simplify(sympy.diff(size, variable)), sympy.simplify(sympy.diff(size, variable, 2))
    grows = bool(bend == 0 and slope.is_positive)
    symbolic = said("symbolic", grows, f"dσ_l/d{formula.grows_in} = {slope}, second derivative {bend}", power=0.0)
    one = Fraction(1)
    steps = [(l, 4) for l in (1, 2, 3, 4)] if formula.grows_in == "l" else [(1, L) for L in (1, 2, 3, 4)]  # noqa: E741
    values = [Fraction(formula.size(Fraction(a), Fraction(b), one)) for a, b in steps]
    gaps = {after - before for before, after in itertools.pairwise(values)}
    exact = said("exact", len(gaps) == 1 and min(gaps) > 0, f"σ = 1: {[str(x) for x in values]}", power=0.0)
    witness: Json = {"(l, L)": [list(pair) for pair in steps], "σ_l/σ": [str(x) for x in values]}
    return Measured(
        consistency=[Part(f"eq. 8 against 'linearly in {formula.grows_in}'", [symbolic, exact], witness)],
        message="What counts as a layer (convolutions or blocks) is not said.",
    )
