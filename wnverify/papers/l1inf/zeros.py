"""L1,∞, Tables 1 and 2: the zeros that they count among the weights of networks without regularisation."""

from __future__ import annotations

import itertools
import math
from typing import Final, NamedTuple

from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_1, TABLE_2
from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Measured, Part, Reading, by_ratio, claim, said
from wnverify.papers.l1inf import training
from wnverify.papers.l1inf.regression_scale import FITTING
from wnverify.papers.l1inf.reruns import NETWORKS, regression
from wnverify.papers.l1inf.tables import half_digit


class Zeros(NamedTuple):
    """Percent of zeros printed without regularisation, in Table 1 and in Table 2."""

    regression: str
    classification: str


ZEROS: Final = Zeros(TABLE_1[NO_LIMIT].sparsity, TABLE_2[NO_LIMIT].sparsity)
THRESHOLD: Final = 1e-3
SPREAD: Final = 1.25


@claim(
    "L1-T1-SPARS0",
    place="Table 1",
    statement="Without regularisation 3.02 % of the weights of the regression network are zero (Table 2: 2.39 % of "
    "the classification network's).",
    reading="zero as Sec. 5 has it, or of magnitude at most 0.001, a threshold that is printed nowhere; weights drawn "
    "uniformly in ±1/√(inputs of the layer), as is usual, and in full mode trained.",
    formula=ZEROS,
    faults={
        "ten times as many": Zeros("30.20", "23.90"),
        "Table 1's alone": Zeros("1.02", "2.39"),
        "Table 2's alone": Zeros("3.02", "8.39"),
    },
)
def zeros_without_regularisation(formula: Zeros, quick: bool) -> Measured:
    import numpy as np

    exact, small = [], []
    for name, widths in NETWORKS.items():
        printed = getattr(formula, name)
        layers = training.initial(np.random.default_rng(seed_of("l1inf", "zeros", name)), widths)
        zero = training.share_below(layers, 0.0)
        near = 100 * training.share_below(layers, THRESHOLD)
        law = 100 * _expected(widths)
        witness: Json = {"printed": f"{printed} %", "zeros": f"{100 * zero:g} %", "at most 0.001": f"{near:.3g} %"}
        note = f"{100 * zero:g} % of {sum(W.size for W, _ in layers)} initial weights, printed {printed} %"
        none = [said("simulation", 100 * zero >= float(printed) - float(half_digit(printed)), note)]
        routes = [
            _near(float(printed), near, "initial weights counted"),
            _near(float(printed), law, "by the uniform law"),
        ]
        if name == "regression" and not quick:
            run = regression(FITTING)
            none.append(said("simulation", 100 * run.zero >= float(printed), f"{100 * run.zero:g} % after training"))
            routes.append(_near(float(printed), 100 * run.small, f"after {run.steps} steps"))
        exact.append(Part(name, none, witness))
        small.append(Part(name, routes, witness))
    return Measured(
        readings=[Reading("exactly zero", exact), Reading(f"of magnitude at most {THRESHOLD}", small)],
        message="A continuous initialisation and gradient steps leave no weight at exactly zero.",
        left_out=("the trained network",) if quick else (),
    )


def _expected(widths: tuple[int, ...]) -> float:
    """Probability of |w| ≤ 0.001 in the layers of these widths, 0.001 √d_{ℓ−1} in layer ℓ."""
    sizes = [a * b for a, b in itertools.pairwise(widths)]
    return THRESHOLD * sum(n * math.sqrt(a) for n, a in zip(sizes, widths, strict=False)) / sum(sizes)


def _near(printed: float, found: float, how: str) -> Evidence:
    return by_ratio(
        "simulation",
        abs(math.log(printed / found)) / math.log(SPREAD),
        f"{how}: {found:.3g} %, printed {printed} %",
        power=SPREAD**2 - 1,
        model=f"a factor of {SPREAD} for initialisation and training",
    )
