"""L1,∞, Sec. 5.1: the range of β as printed against the test error that Table 1 has without regularisation."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from wnverify.experiments.data import synthetic
from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_1
from wnverify.finding import Evidence, Json, seed_of
from wnverify.oracles.ratio import REFUTES_FROM
from wnverify.papers.claims import Measured, Part, by_ratio, claim
from wnverify.papers.l1inf import regression_data


class Scale(NamedTuple):
    """β_i ~ Unif(low, high), and the test error printed for the network without regularisation."""

    low: str
    high: str
    test: str


PRINTED: Final = Scale("0.15", "150", TABLE_1[NO_LIMIT].test)
FITTING: Final = PRINTED._replace(high="1.50")
BELOW_THE_LEAST: Final = PRINTED._replace(high="1.50", test="0.695")


def interval(scale: Scale) -> tuple[float, float]:
    return float(scale.low), float(scale.high)


@lru_cache
def _least(low: float, high: float, draw: int) -> float:
    import numpy as np

    rng = np.random.default_rng(seed_of("l1inf", "regression", draw))
    data = synthetic.regression_samples(rng, low, high)
    weights = rng.standard_normal((regression_data.UNITS, synthetic.REGRESSION_INPUTS))
    return regression_data.floor_of(data, weights)


def not_below_the_floor(scale: Scale, draws: int) -> tuple[Evidence, Json]:
    """The printed error against the least one that gradient descent from a random first layer leaves possible."""
    seen = [_least(*interval(scale), draw) for draw in range(draws)]
    least = float(f"{min(seen):.4g}")
    evidence = by_ratio(
        "simulation",
        min(seen) / float(scale.test),
        f"least error possible {least}, in the best of {draws} draws of data and first layer; printed {scale.test}",
        power=REFUTES_FROM - 1,
        model="the least possible error of any function of X x and W x",
        figures={"draws": draws, "least": least},
    )
    witness: Json = {"β": f"Unif({scale.low}, {scale.high})", "least test error possible": least, "printed": scale.test}
    return evidence, witness


@claim(
    "L1-51-SCALE",
    place="Sec. 5.1, Table 1",
    statement="With 100 coefficients β_i ~ Unif(0.15, 150) and noise of variance 1, the test error without "
    "regularisation is 69.520, from 500 samples.  (Mean of Var y: 1.298·10⁶; attainable: 1 with β known, 1 + 100/399 = "
    "1.25 by least squares on the right 100 inputs, so 2.1 to 2.6 is possible at any scale for a method that finds "
    "them.)",
    hypotheses=(
        "n = 500, d = 1000, 300 hidden units",
        "gradient descent without Adam's scaling by coordinate",
    ),
    reading="without regularisation: gradient descent, whose network is a function of X x and of W x with the initial "
    "W of the first layer (Gaussian here); the least error that leaves, and that of the interpolation of least norm.",
    formula=PRINTED,
    corrected="β_i ~ Unif(0.15, 1.50): there Var y is about 149, the least error possible about 10 and that of the "
    "interpolation of least norm about 42; at 150 all are 10⁴ times as large.",
    corrected_formula=FITTING,
    faults={
        "ten times smaller": PRINTED._replace(high="15.0"),
        "a hundred times larger": PRINTED._replace(high="15000"),
        "a thousand times smaller": PRINTED._replace(low="0.015", high="0.15"),
        "a hundredth of the error": BELOW_THE_LEAST,
    },
)
def scale_of_coefficients(formula: Scale, quick: bool) -> Measured:
    import numpy as np

    draws = 1 if quick else 3
    floor, witness = not_below_the_floor(formula, draws)
    rng = np.random.default_rng(seed_of("l1inf", "regression", 0))
    data = synthetic.regression_samples(rng, *interval(formula))
    known = regression_data.minimum_norm_error(data)
    off = abs(math.log(float(formula.test) / known)) / math.log(2)
    order = by_ratio(
        "optimisation",
        off,
        f"the interpolation of least norm has {known:.4g}, Var y is {regression_data.total_variance(data.beta):.4g}",
        power=3.0,
        model="a factor of 2 either way, for networks that interpolate otherwise",
        figures={"least norm": float(f"{known:.4g}")},
    )
    low, high = Fraction(formula.low), Fraction(formula.high)
    return Measured(
        parts=[
            Part("at least what is possible", [floor], witness),
            Part("of the order of interpolation", [order], witness),
        ],
        message=f"Mean of Var y, exactly: {float(mean_variance(low, high)):.6g}.",
        left_out=("2 of 3 draws",) if quick else (),
    )


def mean_variance(low: Fraction, high: Fraction) -> Fraction:
    """E βᵀ Σ β + 1 over β_i ~ Unif(low, high), i ≤ 100, from the entries of Σ = A Aᵀ.

    >>> round(float(mean_variance(Fraction("0.15"), Fraction("1.50"))), 2)
    149.76
    """
    count = synthetic.NONZERO
    mean = (low + high) / 2
    square = mean**2 + (high - low) ** 2 / 12
    diagonal = 1 + (count - 1) * Fraction(108, 100)
    # Neighbours share 0.4, x_1 and x_2 only 0.2; next neighbours 0.04, x_1 and x_3 nothing.
    pairs = Fraction(2, 10) + (count - 2) * Fraction(4, 10) + (count - 3) * Fraction(4, 100)
    return diagonal * square + 2 * pairs * mean**2 + 1
