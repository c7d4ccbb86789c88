"""L1,∞, Secs. 5.2 to 5.4: what the text says of Figures 3 to 5."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from wnverify.experiments.published.l1inf_tables import (
    TABLE_1,
    TABLE_2,
    Table1,
    Table2,
)
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import networks
from wnverify.papers.l1inf.tables import number, supplied


class Block(NamedTuple):
    """Rows or columns of Ṽ_1, by number from 1."""

    axis: str
    numbers: tuple[int, ...]


@claim(
    "L1-F3",
    place="Sec. 5.2, Fig. 3",
    statement="The four inputs that matter are the first four columns of the first layer's weight matrix (dense, the "
    "others sparse).",
    reading="columns as in Sec. 2.3, Ṽ_1 ∈ ℝ^{(d_0+1)×d_1} with T_1(x) = Ṽ_1ᵀ (1, x).  Whether they are dense is in "
    "the figure alone and is not judged.",
    formula=Block("columns", (1, 2, 3, 4)),
    corrected="The inputs 1 to 4 are the rows 2 to 5 of Ṽ_1, its first row being the bias; they are the first four "
    "columns of W_1ᵀ, in which a row is a unit.  A column of Ṽ_1, what c bounds, is a unit.",
    corrected_formula=Block("rows", (2, 3, 4, 5)),
    faults={
        "the bias counted as an input": Block("rows", (1, 2, 3, 4)),
        "columns without the first": Block("columns", (2, 3, 4, 5)),
        "three inputs": Block("rows", (2, 3, 4)),
    },
)
def dense_columns(formula: Block, quick: bool) -> Measured:
    inputs, units, relevant = 6, 5, 4
    layer = networks.layer_of((inputs, units), networks.rationals(3))
    x = tuple(Fraction(i + 1) for i in range(inputs))
    touched: set[tuple[int, int]] = set()
    for j, column in enumerate(layer):
        for i in range(1, inputs + 1):
            # The entry whose change by 1 changes unit j by x_i belongs to input i.
            other = (*column[:i], column[i] + 1, *column[i + 1 :])
            change = networks.apply(other, x) - networks.apply(column, x)
            if change == x[i - 1] and i <= relevant:
                touched.add((i + 1, j + 1))
    rows, columns = {row for row, _ in touched}, {column for _, column in touched}
    told = set(formula.numbers)
    if formula.axis == "rows":
        same = told == rows and columns == set(range(1, units + 1))
    else:
        same = told == columns and rows == set(range(1, inputs + 2))
    shape = "Ṽ_1 of Sec. 2.3 is (d_0+1) × d_1: 501 × 100 here, a column for each unit"
    witness: Json = {
        "of": f"{inputs} inputs, {units} units",
        "entries of the inputs 1 to 4, rows": sorted(rows),
        "columns": sorted(columns),
        "said": f"{formula.axis} {sorted(told)}",
    }
    return Measured(
        consistency=[
            Part(
                "columns of Sec. 2.3 and of Sec. 5.2",
                [
                    said("exact", same, "the entries that multiply x_1 to x_4", power=0.0),
                    said("reading", None if formula.axis == "rows" else False, shape),
                ],
                witness,
            )
        ]
    )


Numbers = Mapping[str, float | None]
IN_THE_FIGURE: Final = "only figure 4 holds it, and the text does not contain the figure"
CIFAR: Final[Numbers] = {"zeros at 15": None, "zeros at 45": None, "gen at 15": None, "gen at 45": None}


@claim(
    "L1-53",
    place="Sec. 5.3, Fig. 4",
    statement="CIFAR-10: more than 95 % of the elements are zero at c = 15; almost 25 points fewer at c = 45; the "
    "generalisation error doubles from c = 15 to 45.",
    reading="almost 25: between 20 and 25 points; doubles: by a factor between 1.75 and 2.5.  No number of this "
    "experiment is printed but those of the sentence.",
    formula=CIFAR,
    faults={
        "fewer zeros at 15": {"zeros at 15": 94.0, "zeros at 45": 71.0, "gen at 15": 0.1, "gen at 45": 0.2},
        "hardly fewer at 45": {"zeros at 15": 96.0, "zeros at 45": 90.0, "gen at 15": 0.1, "gen at 45": 0.2},
        "an equal error": {"zeros at 15": 96.0, "zeros at 45": 72.0, "gen at 15": 0.1, "gen at 45": 0.12},
    },
)
def cifar(formula: Numbers, quick: bool) -> Measured:
    sparse, denser, low, high = (formula[name] for name in CIFAR)
    zeros = None if sparse is None else sparse > 95
    fewer = None if sparse is None or denser is None else 20 <= sparse - denser <= 25
    doubled = None if low is None or high is None else 1.75 <= high / low <= 2.5
    return Measured(
        parts=[
            supplied("zeros at c = 15", zeros, IN_THE_FIGURE),
            supplied("fewer at c = 45", fewer, IN_THE_FIGURE),
            supplied("the error doubles", doubled, IN_THE_FIGURE),
        ]
    )


class Choice(NamedTuple):
    """What Fig. 5 plots by the text and by its captions, which extreme of it is chosen, and Tables 1 and 2."""

    text: str
    captions: tuple[str, str]
    extremes: tuple[str, str]
    regression: Table1
    classification: Table2


PRINTED: Final = Choice("cross-validation", ("test", "test"), ("largest", "largest"), TABLE_1, TABLE_2)
CORRECTED: Final = PRINTED._replace(captions=("cross-validation",) * 2, extremes=("largest", "smallest"))


@claim(
    "L1-54-SEL",
    place="Sec. 5.4, Fig. 5",
    statement="c is chosen by the largest average cross-validation score, which Fig. 5 plots: accuracy in the "
    "classification experiment, error in the regression experiment.",
    reading="the captions have accuracy and error on the test data; Tables 1 and 2 stand for the curves; a choice of c "
    "is meant to give a good network.",
    formula=PRINTED,
    corrected="The largest average accuracy, or the smallest average error, over validation folds taken from the "
    "training data; chosen on the test data, as the captions have it, the test figures are no longer unbiased.",
    corrected_formula=CORRECTED,
    faults={
        "smallest accuracy": CORRECTED._replace(extremes=("smallest", "smallest")),
        "largest error": CORRECTED._replace(extremes=("largest", "largest")),
        "one caption says test": CORRECTED._replace(captions=("test", "cross-validation")),
    },
)
def selection(formula: Choice, quick: bool) -> Measured:
    data: Json = {"text": formula.text, "captions": list(formula.captions)}
    parts = [
        Part(
            "one set of data",
            [said("reading", {formula.text} == set(formula.captions), "text and captions of Fig. 5 compared")],
            data,
        )
    ]
    scores = (
        ("classification", {c: number(row.accuracy) for c, row in formula.classification.items()}, max),
        ("regression", {c: number(row.test) for c, row in formula.regression.items()}, min),
    )
    for (name, values, better), extreme in zip(scores, formula.extremes, strict=True):
        rule = max if extreme == "largest" else min
        chosen, best = rule(values, key=lambda c: values[c]), better(values, key=lambda c: values[c])
        note = f"the {extreme} is {values[chosen]} at c = {chosen}, the best {values[best]} at c = {best}"
        witness: Json = {"rule": extreme, "chosen c": chosen, "best c": best}
        parts.append(Part(f"{name}: the best c", [exactly(chosen == best, note)], witness))
    return Measured(consistency=parts)
