"""CWO, sec. 3.3: the noise of eq. 7 against that of batch normalization's mini-batch statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.cwo import laws, maps

BATCHES: Final = (8, 32, 128)


class Noise(NamedTuple):
    """var(y | x)/γ² = additive(B) + multiplicative(B) x²; ``None`` for a multiplicative part that may be chosen."""

    additive: Callable[[int], Any]
    multiplicative: Callable[[int], Any] | None


def _root_ratio(B: int) -> Any:
    """E[1/S]² for S² = (1/B) Σ (x_j − mean)² of B values of N(0, 1), B ≥ 4: B Γ(B/2 − 1)²/(2 Γ((B − 1)/2)²)."""
    import flint

    return flint.arb(B) / 2 * (flint.arb(B - 2) / 2).gamma() ** 2 / (flint.arb(B - 1) / 2).gamma() ** 2


def of_mean(B: int) -> Fraction:
    """var(mean/S) = (1/B) E[1/S²] = 1/(B − 3)."""
    return Fraction(1, B - 3)


def of_deviation(B: int) -> Any:
    """var(1/S) = B/(B − 3) − E[1/S]², about 1/(2B)."""
    import flint

    return flint.arb(B) / (B - 3) - _root_ratio(B)


@claim(
    "CWO-P-NOISEMIMIC",
    place="Sec. 3.3",
    statement="The noise of eq. 7 simulates the randomness of BN's mini-batch statistics, mean and standard deviation.",
    hypotheses=("x_i is normalised: its distribution has mean 0 and variance 1",),
    reading="simulates: given x, y has the same variance for some choice of σ_l; BN's statistics are taken over B "
    "further samples, Gaussian. Only variances are compared: BN's noise is also shared by a batch and not Gaussian.",
    formula=Noise(lambda B: Fraction(0), None),
    corrected="var(y | x) = γ²/(B − 3) + γ² x² (B/(B − 3) − E[1/S]²), about γ²(1/B + x²/(2B)): noise of the mean, that "
    "does not depend on x and which eq. 7 lacks, and noise of the deviation, for which eq. 7 stands with "
    "σ_l ≈ 1/√(2B) (0.06 for B = 128)",
    corrected_formula=Noise(of_mean, of_deviation),
    faults={
        "additive alone": Noise(of_mean, lambda B: Fraction(0)),
        "the two exchanged": Noise(of_deviation, of_mean),
        "half the noise of the mean": Noise(lambda B: of_mean(B) / 2, of_deviation),
        "to leading order only": Noise(lambda B: Fraction(1, B), lambda B: Fraction(1, 2 * B)),
        "the noise of the deviation doubled": Noise(of_mean, lambda B: 2 * of_deviation(B)),
    },
)
def imitated_noise(formula: Noise, quick: bool) -> Measured:
    additive, witness = _in_balls(formula.additive, of_mean, "additive")
    parts = [Part("the noise of the mean", [additive, _at_the_mean(formula)], _smallest() if witness else None)]
    if formula.multiplicative is not None:
        multiplicative, witness = _in_balls(formula.multiplicative, of_deviation, "multiplicative")
        parts.append(Part("the noise of the deviation", [multiplicative], witness))
        if not quick:
            parts.append(Part("both", [_sampled(formula.additive, formula.multiplicative)], witness))
    else:
        with maps.at_precision():
            fits = all(bool(of_deviation(B) > 0) for B in BATCHES)
        note = "σ_l² = var(1/S) > 0 fits the noise of the deviation, at one batch size at a time"
        parts.append(Part("the noise of the deviation", [said("enclosure", fits, note, power=maps.WIDEST)]))
    left_out = ("the simulation of what is claimed in full",) if quick else ()
    return Measured(parts=parts, left_out=left_out)


def _in_balls(claimed: Callable[[int], Any], true: Callable[[int], Any], name: str) -> tuple[Evidence, Json]:
    import flint

    def ball(value: Any) -> Any:
        return flint.arb(flint.fmpq(value.numerator, value.denominator)) if isinstance(value, Fraction) else value

    with maps.at_precision():
        pairs = [(B, ball(claimed(B)), ball(true(B))) for B in BATCHES]
        return maps.vanishing(
            (([a - b], 1 / B, {"B": B, f"{name} part claimed": str(a), "in BN": str(b)}) for B, a, b in pairs),
            "var(mean/S) and var(1/S) of B values of N(0, 1), from the laws of mean and deviation",
        )


def _at_the_mean(formula: Noise) -> Evidence:
    """At x = 0, with the statistics of B = 8 values of N(0, 1): all of the noise is that of the mean."""
    import numpy as np

    rng = np.random.default_rng(seed_of("cwo", "noise", 0))
    others = rng.standard_normal((20_000, 8))
    outputs = -others.mean(axis=1) / others.std(axis=1)
    return laws.estimated(outputs**2, float(formula.additive(8)), "BN's output at x = 0, B = 8")


def _sampled(additive: Any, multiplicative: Any, x: float = 1.0, B: int = 12, count: int = 40_000) -> Evidence:
    import numpy as np

    rng = np.random.default_rng(seed_of("cwo", "noise", x))
    others = rng.standard_normal((count, B))
    outputs = (x - others.mean(axis=1)) / others.std(axis=1)
    centre = x * math.sqrt(float(_root_ratio(B)))
    claimed = float(additive(B)) + float(multiplicative(B)) * x**2
    return laws.estimated((outputs - centre) ** 2, claimed, f"BN's output at x = {x:g}, B = {B}")


def _smallest() -> Json:
    """x = 0 in a batch with one further sample z = ±1: mean z/2, deviation 1/2, so BN gives ∓1; eq. 7 gives β."""
    values = []
    for z in (1, -1):
        mean = Fraction(z, 2)
        deviation = abs(mean)
        values.append(str((0 - mean) / deviation))
    return {"batch": "x = 0 and z = ±1", "BN's outputs": list(values), "eq. 7 at x = 0": "β, whatever σ"}
