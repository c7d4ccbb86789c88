"""L1,∞, Secs. 4 and 5: whether the theorems reach what the algorithm returns, and the sparsity rate of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_1
from wnverify.finding import Evidence, Json, seed_of
from wnverify.papers.claims import Condition, Measured, Part, Reading, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.algorithm1 import Step, algorithm1, descended, without_bias
from wnverify.papers.l1inf.exact_projection import projection, vector
from wnverify.papers.l1inf.networks import Network
from wnverify.papers.l1inf.tables import number


@claim(
    "L1-P-UNIFALG",
    place="Sec. 4",
    statement="The bounds of Theorems 2 and 3 hold for every network of S_c at once, hence for whatever Algorithm 1 "
    "returns, however that depends on the sample.",
    hypotheses=(
        "those of Theorems 2 and 3, c·ρ ≥ 1 among them, and that these theorems are true",
        "k, d and c are fixed before the sample is drawn",
    ),
    reading="asked is whether the output lies in S_c.  A c chosen by cross-validation (Sec. 5.4) is not covered "
    "without a further union bound over the values tried.",
    formula=algorithm1,
    corrected="with V_ℓ = Ṽ_ℓ in Algorithm 1: the bias belongs to the projected column.",
    faults={
        "no projection": lambda layer, gradient, rate, c: descended(layer, gradient, rate),
        "projection before the step": lambda layer, gradient, rate, c: descended(
            tuple(projection(v, c) for v in layer), gradient, rate
        ),
        "radius 2c": lambda layer, gradient, rate, c: algorithm1(layer, gradient, rate, 2 * c),
    },
)
def reaches_the_output(formula: Step, quick: bool) -> Measured:
    inside, witness = _in_the_class(formula, 3 if quick else 8)
    outside, _ = _in_the_class(without_bias, 3)
    apart, other = _not_in_the_class()
    uniform = said("reading", True, "for all f in S_c: then also for one that was picked after the sample was seen")
    return Measured(
        parts=[
            Part("the output lies in S_c", [inside], witness),
            Part("uniform bounds hold for a choice that depends on the sample", [uniform]),
        ],
        conditions=[Condition("the projected columns hold the bias (V_ℓ = Ṽ_ℓ)", [outside, apart], other)],
        left_out=("later iterations",) if quick else (),
    )


def _in_the_class(step: Step, iterations: int) -> tuple[Evidence, Json]:
    """Iterates of a 2-2-2-1 network under gradients of any kind: the hidden columns have L1 norm at most c."""
    c, rate, numbers = Fraction(1), Fraction(1, 2), networks.rationals(6)
    net: Network = networks.network_of((2, 2, 2, 1), 4)
    for iteration in range(1, iterations + 1):
        slopes = tuple(networks.layer_of((len(layer[0]) - 1, len(layer)), numbers) for layer in net)
        hidden = [step(layer, slope, rate, c) for layer, slope in zip(net[:-1], slopes[:-1], strict=True)]
        net = (*hidden, descended(net[-1], slopes[-1], rate))
        norms = [networks.norm(layer) for layer in net[:-1]]
        if max(norms) > c:
            found: Json = {"iteration": iteration, "c": 1, "‖Ṽ_ℓ‖": [str(x) for x in norms]}
            return said("exact", False, f"outside after iteration {iteration}", power=0.0), found
    return said("exact", True, f"{iterations} iterations, k = 2", power=0.0), None


def _not_in_the_class() -> tuple[Evidence, Json]:
    """Not only the parameters: tanh(x + 1), which keeps weight 1 and bias 1 for c = 1, is no function of S_1, d_1 = 1.

    There (f(1) − f(1/2))/(f(1/2) − f(0)) = cosh b/cosh(w + b) ≥ 1/cosh 1, as in L1-P-CSPARS.
    """
    import flint

    kept = without_bias((vector(1, 1),), (vector(0, 0),), Fraction(1), Fraction(1)) == (vector(1, 1),)
    low, middle, high = (flint.arb(x).tanh() for x in (1, 1.5, 2))
    found, least = (high - middle) / (middle - low), 1 / flint.arb(1).cosh()
    figures: dict[str, Json] = {"R(f)": round(float(found.mid()), 4), "least R in S_1": round(float(least.mid()), 4)}
    witness: Json = {"f(x)": "tanh(x + 1)", "column (bias, weight)": [1, 1], "c": 1, "L1 norm": 2, **figures}
    holds = False if kept and found < least else None
    return said("enclosure", holds, "tanh(x + 1) is no function of S_1 with one hidden unit", figures=figures), witness


Rate = Callable[[Sequence[Any]], Fraction]
"""Weight matrices (each a list of rows) → sparsity rate."""


def _entries(matrices: Sequence[Any]) -> list[float]:
    return [x for matrix in matrices for row in matrix for x in row]


def rate(matrices: Sequence[Any]) -> Fraction:
    """Zero entries over all entries."""
    entries = _entries(matrices)
    return Fraction(sum(x == 0 for x in entries), len(entries))


UNREGULARISED: Final = Fraction(number(TABLE_1[NO_LIMIT].sparsity)) / 100
"""Table 1, c = ∞; Table 2 prints 2.39 %."""


@claim(
    "L1-P-SPARSDEF",
    place="Sec. 5",
    statement="The sparsity rate is the number of parameter estimates that are zero over the size of the weight "
    "matrices; it is 3.02 % for c = ∞ in Table 1.",
    reading="weight matrices hold the biases (Sec. 1), so that numerator and denominator count the same entries.  "
    "Whether the output layer counts, which is not projected, is not said.",
    formula=rate,
    faults={
        "share of entries not zero": lambda matrices: 1 - rate(matrices),
        "zeros over non-zeros": lambda matrices: rate(matrices) / (1 - rate(matrices)),
        "zeros a row": lambda matrices: Fraction(
            sum(x == 0 for x in _entries(matrices)), sum(len(matrix) for matrix in matrices)
        ),
        "first matrix alone": lambda matrices: rate(matrices[:1]),
    },
)
def sparsity_rate(formula: Rate, quick: bool) -> Measured:
    sample = [[[0, 1, 0], [2, 0, 5]], [[1.5, 0], [3, 1]]]
    counted = formula(sample)
    share = Part(
        "zeros over entries",
        [said("exact", counted == Fraction(2, 5), f"4 zeros of 10 entries: {counted}", power=0.0)],
        {"matrices": sample, "found": str(counted)},
    )
    free, projected = _rates(formula, None), _rates(formula, 0.25)
    note = (
        f"regression as in Sec. 5.1, smaller, float64: {float(free):.2%} exact zeros without projection, "
        f"{float(projected):.0%} with c = 1/4; the printed value is {float(UNREGULARISED):.2%}"
    )
    agrees = said("simulation", abs(free - UNREGULARISED) < Fraction(1, 100), note, power=0.01)
    witness: Json = {"c = ∞, exact zeros": str(free), "Table 1, c = ∞": str(UNREGULARISED)}
    unsaid = said("reading", None, "some threshold gives 3.02 %; the text names none")
    return Measured(
        readings=[
            Reading(
                "zero means equal to 0", [share], [Part("the definition gives Table 1 at c = ∞", [agrees], witness)]
            ),
            Reading("zero means below a threshold", [share, Part("Table 1 at c = ∞ follows", [unsaid])]),
        ],
        message="The projection leaves exact zeros; gradient descent from a continuous law of initial weights leaves "
        "none, with probability 1, so that 3.02 % at c = ∞ cannot be counts of exact zeros.",
    )


def _rates(formula: Rate, c: float | None) -> Fraction:
    """The rate of the hidden layer, bias included, after 60 steps on 30 samples of a sparse regression in ℝ⁴⁰."""
    import numpy as np

    from wnverify.methods.l1_inf_projection import reference

    rng = np.random.default_rng(seed_of(0, "claim/l1inf", "L1-P-SPARSDEF"))
    X, beta = rng.standard_normal((30, 40)), np.zeros(40)
    beta[:4] = rng.uniform(0.15, 1.5, 4)
    y = X @ beta + rng.standard_normal(30)
    inputs = np.concatenate([np.ones((30, 1)), X], axis=1)
    V = rng.uniform(-1, 1, (12, 41)) / math.sqrt(40)
    a, b = rng.uniform(-1, 1, 12) / math.sqrt(12), 0.0
    for _ in range(60):
        hidden = np.maximum(inputs @ V.T, 0.0)
        residual = 2 * (hidden @ a + b - y) / len(y)
        down = np.outer(residual, a) * (hidden > 0)
        V, a, b = V - 0.02 * down.T @ inputs, a - 0.02 * hidden.T @ residual, b - 0.02 * residual.sum()
        V = V if c is None else reference.project(V, c=c)
    return formula([V.tolist()])
