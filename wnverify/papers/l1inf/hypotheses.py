"""L1,∞: whether the experiments of Sec. 5 meet the hypotheses of the theorems that they are said to match."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.experiments.data import synthetic
from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_1, TABLE_2
from wnverify.finding import Json, seed_of
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.tables import limit

COUNT: Final = 100
"""Samples of x looked at."""
RHO: Final = 1
"""The Lipschitz constant of ReLU."""


def cube_regression() -> float:
    """A bound above P(x ∈ [−1, 1]^1000) in Sec. 5.1: x_2, x_5, …, x_998 are independent N(0, 1.08), 333 of them."""
    return math.erf(1 / math.sqrt(2 * 1.08)) ** 333


def cube_classification() -> float:
    """The largest P(x ∈ [−1, 1]^500) over the readings of Sec. 5.2: one α, at 0, or an α for each sample."""
    return max(math.erf(1 / (spread * math.sqrt(2))) ** 500 for spread in synthetic.SPREADS.values())


def squared(f: Fraction, y: Fraction) -> Fraction:
    return (f - y) ** 2


def truncated(f: Fraction, y: Fraction) -> Fraction:
    """L_S of Remark 3."""
    return min(((y - f) / 2) ** 2, Fraction(1))


def regression_inputs(rng: Any) -> Any:
    return synthetic.mixed(rng.standard_normal((COUNT, synthetic.REGRESSION_INPUTS + 1)))


def classification_inputs(rng: Any) -> Any:
    """An α for each sample, 1/4 as the deviation: the reading with most samples in the cube but for one α near 0."""
    return synthetic.labelled_samples(rng, COUNT, min(synthetic.SPREADS.values()), None).X


class Inputs(NamedTuple):
    """A bound above P(x ∈ cube), and ``COUNT`` samples of x."""

    inside: Callable[[], float]
    drawn: Callable[[Any], Any]


def clipped(inputs: Inputs) -> Inputs:
    return Inputs(lambda: 1.0, lambda rng: inputs.drawn(rng).clip(-1, 1))


class Experiment(NamedTuple):
    """An experiment and the theorem said to match: the c of its table, its inputs, and the loss.

    ``loss`` is None where the theorem asks nothing of it (Theorem 3 is about the cross entropy itself).
    """

    name: str
    limits: tuple[str, ...]
    inputs: Inputs
    loss: Callable[[Fraction, Fraction], Fraction] | None


Experiments = tuple[Experiment, ...]
GAUSSIAN: Final = Inputs(cube_regression, regression_inputs)
CENTRED_AT_ALPHA: Final = Inputs(cube_classification, classification_inputs)
PRINTED: Final[Experiments] = (
    Experiment("regression, Theorem 2", tuple(TABLE_1), GAUSSIAN, squared),
    Experiment("classification, Theorem 3", tuple(TABLE_2), CENTRED_AT_ALPHA, None),
)


def _large(limits: Sequence[str]) -> tuple[str, ...]:
    return tuple(c for c in limits if limit(c) * RHO >= 1 and c != NO_LIMIT)


WITHIN: Final[Experiments] = (
    Experiment("regression, Theorem 2", _large(tuple(TABLE_1)), clipped(GAUSSIAN), truncated),
    Experiment("classification, Theorem 3", _large(tuple(TABLE_2)), clipped(CENTRED_AT_ALPHA), None),
)


@claim(
    "L1-P-HYP",
    place="Secs. 3 and 5",
    statement="The experiments meet the hypotheses of the theorems they are said to match: x ∈ [−1, 1]^{m_1}, c ρ ≥ 1, "
    "and in regression a loss that is 1-Lipschitz in f with |L| ≤ 1.",
    reading="of the tables' rows, c = ∞ is no class 𝒮_c; the classification data in the reading most favourable to "
    "the cube.  Theorem 3 is about the cross entropy itself.",
    formula=PRINTED,
    corrected="What would meet them: inputs clipped or scaled to the cube, the truncated loss of Remark 3, and of the "
    "tables the rows c = 1.00, 2.00 and 10.00 (Table 1) and c = 1.00 (Table 2); c < 1 is left to the supplement.",
    corrected_formula=WITHIN,
    faults={
        "c = 0.90 too": (WITHIN[0]._replace(limits=("10.00", "0.90")), WITHIN[1]),
        "no clipping": (WITHIN[0]._replace(inputs=GAUSSIAN), WITHIN[1]),
        "no clipping in classification": (WITHIN[0], WITHIN[1]._replace(inputs=CENTRED_AT_ALPHA)),
        "squared error": (WITHIN[0]._replace(loss=squared), WITHIN[1]),
        "no limit": (WITHIN[0], WITHIN[1]._replace(limits=(NO_LIMIT,))),
    },
)
def hypotheses(formula: Experiments, quick: bool) -> Measured:
    parts = []
    for each in formula:
        outside = [c for c in each.limits if c not in _large(each.limits)]
        note = f"{len(outside)} of {len(each.limits)} rows with c ρ < 1 or c = ∞"
        parts.append(Part(f"{each.name}: c ρ ≥ 1", [exactly(not outside, note)], {"c": list(outside)}))
        parts.append(_cube(each.name, each.inputs))
        if each.loss is not None:
            parts.append(_loss(each.name, each.loss))
    return Measured(parts=parts)


def _cube(name: str, inputs: Inputs) -> Part:
    import numpy as np

    inside = inputs.inside()
    X = inputs.drawn(np.random.default_rng(seed_of("l1inf", "cube", name)))
    count = int((np.abs(X).max(axis=1) <= 1).sum())
    witness: Json = {
        "P(x ∈ cube), at most": float(f"{inside:.3g}"),
        "largest |x_j| of a sample": float(f"{np.abs(X).max():.3g}"),
    }
    routes = [
        said("exact", inside == 1, f"P(x ∈ cube) ≤ {inside:.3g}", power=0.0),
        said("simulation", count == len(X), f"{count} of {len(X)} samples are in the cube", power=1 / len(X)),
    ]
    return Part(f"{name}: x ∈ cube", routes, witness)


def _loss(name: str, loss: Callable[[Fraction, Fraction], Fraction]) -> Part:
    grid = [Fraction(i, 2) for i in range(-6, 7)]
    wrong: Json = None
    for y, (f, g) in itertools.product(grid, itertools.pairwise(grid)):
        slope = abs(loss(g, y) - loss(f, y)) / (g - f)
        if wrong is None and (slope > 1 or max(abs(loss(f, y)), abs(loss(g, y))) > 1):
            wrong = {"y": str(y), "f": [str(f), str(g)], "L": [str(loss(f, y)), str(loss(g, y))], "slope": str(slope)}
    note = "1-Lipschitz and |L| ≤ 1 on halves between −3 and 3"
    return Part(f"{name}: loss", [said("exact", wrong is None, note, power=0.0)], wrong)
