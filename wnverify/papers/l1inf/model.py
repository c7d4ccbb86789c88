"""L1,∞, Secs. 2.1 to 2.3: the prediction problem, the generalisation error, sizes of networks, the training problem."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from wnverify.experiments.published.l1inf_tables import TABLE_1
from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.tables import number


class Problem(NamedTuple):
    """Eq. 2.1 in its two cases: t, and m_2 as a function of the number of classes (None: regression)."""

    identity: Callable[[Any], Any]
    argmax: Callable[[Sequence[Any]], int]
    outputs: Callable[[int | None], int]


def _argmax(z: Sequence[Any]) -> int:
    return max(range(len(z)), key=lambda j: z[j]) + 1


EQ21: Final = Problem(lambda z: z, _argmax, lambda classes: classes or 1)


@claim(
    "L1-EQ21",
    place="Sec. 2.1",
    statement="z_i = f(x_i) + ε_i and y_i = t(z_i) with f: 𝒳 → 𝒵; regression is m_2 = 1, t = id, classification "
    "𝒴 = {1, …, m_2}, t = argmax.",
    hypotheses=("the ε_i are independent with mean 0",),
    reading="a definition: it is asked whether both cases are instances of it.  argmax needs a rule for ties.",
    formula=EQ21,
    faults={
        "labels from 0": EQ21._replace(argmax=lambda z: _argmax(z) - 1),
        "argmin": EQ21._replace(argmax=lambda z: _argmax([-x for x in z])),
        "one output less": EQ21._replace(outputs=lambda classes: (classes or 2) - 1),
        "t doubles": EQ21._replace(identity=lambda z: 2 * z),
    },
)
def prediction_problem(formula: Problem, quick: bool) -> Measured:
    centre = Fraction(3, 2)
    mean = sum((formula.identity(centre + noise) for noise in (-1, 1)), Fraction(0)) / 2
    regression = mean == centre and formula.outputs(None) == 1
    wrong: Json = None
    for classes in (2, 3, 4):
        outputs = formula.outputs(classes)
        for z in itertools.permutations(range(outputs)):
            label = formula.argmax(z)
            right = outputs == classes and 1 <= label <= classes and z[label - 1] == classes - 1
            wrong = wrong if right or wrong else {"classes": classes, "z": list(z), "label": label}
    return Measured(
        parts=[
            Part(
                "regression",
                [said("exact", regression, "ε = ±1 at f(x) = 3/2: the mean of y is f(x), with m_2 = 1", power=0.0)],
                {"f(x)": "3/2", "ε": "±1", "mean of y": str(mean), "m_2": formula.outputs(None)},
            ),
            Part(
                "classification",
                [said("exact", wrong is None, "all orders of 2, 3 and 4 scores: the largest is named", power=0.0)],
                wrong,
            ),
        ],
        message="The text asks E ε_i = 0 only: that f is the regression function needs E[ε_i | x_i] = 0; in "
        "classification f is determined at most up to a function added to all its outputs.",
    )


class Definitions(NamedTuple):
    """What the three places call generalisation error, from a training and a test (or expected) error."""

    section_2: Callable[[Decimal, Decimal], Decimal]
    section_5_first: Callable[[Decimal, Decimal], Decimal]
    section_5_second: Callable[[Decimal, Decimal], Decimal]


def _difference(train: Decimal, test: Decimal) -> Decimal:
    return test - train


GENERALISATION: Final = Definitions(lambda train, test: abs(test - train), _difference, lambda train, test: test)
ROW: Final = "2.00"
"""The row of Table 1 that the definitions are tried on."""


@claim(
    "L1-P-GENDEF",
    place="Secs. 2.2, 5",
    statement="Generalisation error names one thing throughout: |expected − empirical risk| in Sec. 2.2, the "
    "difference of training and test error in Sec. 5, the empirical loss on the test set three sentences later.",
    reading="the expected risk is estimated by the test error; a difference is taken as test − training error, as in "
    "Table 1, where the sign of Sec. 2.2 makes no difference.",
    formula=GENERALISATION,
    corrected="test error − training error throughout (what Table 1 lists), an estimate of the expected minus the "
    "empirical risk; |·| of it is Sec. 2.2.",
    corrected_formula=GENERALISATION._replace(section_5_second=_difference),
    faults={
        "training error": GENERALISATION._replace(section_5_second=lambda train, test: train),
        "sum": GENERALISATION._replace(section_5_first=lambda train, test: test + train),
        "relative": GENERALISATION._replace(section_5_second=lambda train, test: (test - train) / test),
    },
)
def generalisation_error(formula: Definitions, quick: bool) -> Measured:
    row = TABLE_1[ROW]
    train, test, printed = number(row.train), number(row.test), number(row.gen)
    found = {
        "Sec. 2.2": formula.section_2(train, test),
        "Sec. 5, difference": formula.section_5_first(train, test),
        "Sec. 5, loss on the test set": formula.section_5_second(train, test),
    }
    witness: Json = {f"Table 1, c = {ROW}": row._asdict(), **{name: str(each) for name, each in found.items()}}
    same = len(set(found.values())) == 1
    table = all(each == printed for each in found.values())
    note = "; ".join(f"{name}: {each}" for name, each in found.items())
    return Measured(
        consistency=[
            Part("the definitions agree", [said("arithmetic", same, note, power=0.0)], witness),
            Part("each gives Table 1's value", [said("arithmetic", table, f"printed {printed}", power=0.0)], witness),
        ],
        message="The third definition differs from the second by the training error, so they agree only where that "
        "is 0 (c = ∞ and 10 in Table 1).",
    )


VGG: Final[Mapping[str, tuple[tuple[int, int], ...]]] = MappingProxyType(
    {
        "VGG-11": ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)),
        "VGG-16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
        "VGG-19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
    }
)
"""(maps, number of 3×3 convolutions) of each stage; configurations A, D and E of the work cited."""
VGG_MILLIONS: Final[Mapping[str, int]] = MappingProxyType({"VGG-11": 133, "VGG-16": 138, "VGG-19": 144})
"""Parameters in millions as that work prints them (its Table 2)."""


def parameters(stages: Sequence[tuple[int, int]]) -> int:
    """Weights and biases: the convolutions, then linear layers from 7 · 7 · 512 to 4096, 4096 and 1000."""
    widths = [3, *(maps for maps, count in stages for _ in range(count))]
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(widths))
    return convolutions + sum(a * b + b for a, b in itertools.pairwise([49 * widths[-1], 4096, 4096, 1000]))


@claim(
    "L1-P-BILLIONS",
    place="Sec. 2.2",
    statement="It is common to use networks with billions of parameters, such as those of Simonyan and Zisserman.",
    reading="the example has at least 10⁹ parameters; how common such networks are is not asked.",
    formula=10**9,
    corrected="networks with more than a hundred million parameters: VGG-16 has 138 357 544, VGG-19 143 667 240.",
    corrected_formula=10**8,
    faults={"tens of billions": 10**10, "two hundred millions": 2 * 10**8, "a hundred and fifty": 15 * 10**7},
)
def billions(formula: int, quick: bool) -> Measured:
    counts = {name: parameters(stages) for name, stages in VGG.items()}
    largest = max(counts, key=lambda name: counts[name])
    agree = all(round(counts[name] / 10**6) == VGG_MILLIONS[name] for name in counts)
    cited = max(VGG_MILLIONS.values()) * 10**6 >= formula
    note = f"{largest}: {counts[largest]} parameters from the shapes of its layers"
    return Measured(
        parts=[
            Part(
                "the example is as large as that",
                [
                    said("arithmetic", counts[largest] >= formula, note, power=0.0, figures={**counts}),
                    said("arithmetic", cited, "the millions printed in the work cited", power=0.5),
                ],
                {**counts, "asked for": formula},
            ),
            Part("the counts agree", [said("arithmetic", agree, "to the million", power=0.004)], {**counts}),
        ],
        message="Sec. 1 speaks of millions of parameters.",
    )


class Training(NamedTuple):
    """Eq. 2.2: the objective from the losses of the samples, and the real numbers that one sample (x, y) has."""

    objective: Callable[[Sequence[Fraction]], Fraction]
    coordinates: Callable[[int], int]


EQ22: Final = Training(lambda losses: sum(losses, Fraction(0)), lambda m: m * 1)
RIGHT_SAMPLES: Final = EQ22._replace(coordinates=lambda m: m + 1)


@claim(
    "L1-EQ22",
    place="Sec. 2.3, eq. 2.2",
    statement="Training minimises Σ_i L(f(x_i), y_i) over f ∈ S_c for samples (x_i, y_i) ∈ ℝ^{m_1 × 1}.",
    reading="the sum has the minimisers of the empirical risk of Sec. 2.2; a sample is the pair that Sec. 2.1 and "
    "Sec. 5.1 describe.",
    formula=EQ22,
    corrected="(x_i, y_i) ∈ 𝒳 × 𝒴 ⊆ ℝ^{m_1} × ℝ; and inf for min, which need not be attained.",
    corrected_formula=RIGHT_SAMPLES,
    faults={
        "the largest loss": RIGHT_SAMPLES._replace(objective=lambda losses: max(losses)),
        "the product": RIGHT_SAMPLES._replace(objective=lambda losses: math.prod(losses, start=Fraction(1))),
        "two numbers too many": RIGHT_SAMPLES._replace(coordinates=lambda m: m + 2),
        "x alone": RIGHT_SAMPLES._replace(coordinates=lambda m: m),
    },
)
def training_problem(formula: Training, quick: bool) -> Measured:
    levels = tuple(Fraction(i, 2) for i in range(4))
    points = list(itertools.product(levels, repeat=2))
    ordered = all(
        (formula.objective(a) < formula.objective(b)) == (sum(a) / 2 < sum(b) / 2)
        for a, b in itertools.product(points, points)
    )
    sizes = {m: (formula.coordinates(m), m + 1) for m in (1, 2, 1000)}
    same = all(printed == needed for printed, needed in sizes.values())
    return Measured(
        parts=[
            Part(
                "the sum orders functions as the empirical risk does",
                [said("exact", ordered, "all pairs of losses 0, 1/2, 1, 3/2 of two samples", power=0.0)],
                {"losses": "0, 1/2, 1, 3/2 of two samples"},
            )
        ],
        consistency=[
            Part(
                "eq. 2.2 and Sec. 2.1 give a sample the same space",
                [said("arithmetic", same, "numbers in (x, y) ∈ ℝ^{m_1} × ℝ: m_1 + 1", power=0.0)],
                {f"m_1 = {m}": f"{printed} numbers, against {needed}" for m, (printed, needed) in sizes.items()},
            )
        ],
        message="The minimum need not exist: with the cross entropy and separable samples, scaling the free output "
        "layer lowers the loss for ever.",
    )
