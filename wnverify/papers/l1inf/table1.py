"""L1,∞, Sec. 5.1: the rows of Table 1, and what the text says of them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from wnverify.experiments.published.l1inf_tables import (
    NO_LIMIT,
    TABLE_1,
    Regression,
    Table1,
)
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.tables import changed1, half_digit, number, pairs_with, steps_against

DIFFERENCE: Final = "generalisation error = test error − training error (Sec. 5, first definition)"
WRONG_ROW: Final = "1.00"


def _moved(cell: str, thousandths: int) -> str:
    return str(Decimal(cell) + Decimal(thousandths) / 1000)


def _right_difference(row: Regression) -> Regression:
    return row._replace(gen=str(Decimal(row.test) - Decimal(row.train)))


def difference(row: Regression, quick: bool) -> Measured:
    """Whether the three numbers can be roundings of a training error, a test error and their difference."""
    train, test, gen = (Decimal(cell) for cell in row[:3])
    off = gen - (test - train)
    allowed = sum((half_digit(cell) for cell in row[:3]), Fraction(0))
    low, high = (
        [Fraction(cell) + sign * half_digit(cell) for cell in row[:3]] for sign in (-1, 1)
    )  # of train, test and gen
    meet = low[1] - high[0] <= high[2] and low[2] <= high[1] - low[0]
    bounds = f"[{float(low[1] - high[0]):.4f}, {float(high[1] - low[0]):.4f}]"
    witness: Json = {"train": row.train, "test": row.test, "gen": row.gen, "test − train": str(test - train)}
    part = Part(
        "generalisation error",
        [
            exactly(abs(Fraction(off)) <= allowed, f"off by {off}, rounding explains {float(allowed)}"),
            said("enclosure", meet, f"test − train was in {bounds}, gen is printed {row.gen}", power=0.0),
        ],
        witness,
    )
    return Measured(consistency=[part])


def _register(c: str, row: Regression) -> None:
    wrong = c == WRONG_ROW
    right = _right_difference(row)
    more = " The printed value would be larger than the test error itself." if wrong else ""
    claim(
        f"L1-T1-c{'INF' if c == NO_LIMIT else c}",
        place="Table 1",
        statement=f"c = {c}: the generalisation error {row.gen} is the test error {row.test} less the training error "
        f"{row.train}.{more}",
        hypotheses=(DIFFERENCE,),
        reading="each number is a mean of the same 10 trials rounded to 0.001, so the identity may be off by 0.0015. "
        "By the second definition of Sec. 5 (the loss on the test set) it would be the test error itself.",
        formula=row,
        corrected=f"{right.gen} = {row.test} − {row.train}; or, with {row.gen} right, a test error of "
        f"{Decimal(row.gen) + Decimal(row.train)}: the one printed is that of the next row."
        if wrong
        else None,
        corrected_formula=right if wrong else None,
        faults={
            "generalisation error 0.003 too large": right._replace(gen=_moved(right.gen, 3)),
            "test error 0.003 too large": right._replace(test=_moved(right.test, 3)),
            "training error 0.003 too large": right._replace(train=_moved(right.train, 3)),
        },
    )(difference)


for _c, _row in TABLE_1.items():
    _register(_c, _row)


@claim(
    "L1-T1-MONO",
    place="Sec. 5.1",
    statement="As c increases, the weights become denser and the generalisation error increases.",
    reading="the means of Table 1 from row to row, c = ∞ as the largest; by either value of the row c = 1.00 that its "
    "numbers allow (2.426 as printed, 2.293 as test − train).",
    formula=TABLE_1,
    faults={
        "a smaller error at c = ∞": changed1(NO_LIMIT, gen="35.520"),
        "a denser network at c = 0.40": changed1("0.40", sparsity="93.30"),
        "the row c = 2.00 below its neighbour": changed1("2.00", gen="2.077"),
        "equal sparsity": changed1("0.50", sparsity="91.78"),
    },
)
def monotone(formula: Table1, quick: bool) -> Measured:
    rising = list(formula)[::-1]
    by_definition = Decimal(formula[WRONG_ROW].test) - Decimal(formula[WRONG_ROW].train)
    zeros = {c: Decimal(formula[c].sparsity) for c in rising}
    gen = {c: Decimal(formula[c].gen) for c in rising}
    parts = []
    for name, values, falls in (
        ("denser", zeros, True),
        ("larger error", gen, False),
        ("larger error, c = 1.00 by the definition", {**gen, WRONG_ROW: by_definition}, False),
    ):
        against = steps_against(values, falls=falls)
        agreeing, pairs = pairs_with(values, falls=falls)
        routes = [
            exactly(not against, f"{len(values) - 1} steps, against it {len(against)}"),
            said("exact", agreeing == pairs, f"{agreeing} of {pairs} pairs in that order", power=0.0),
        ]
        parts.append(Part(name, routes, against))
    return Measured(parts=parts)


class Fit(NamedTuple):
    """The row without regularisation and the sizes of the experiment."""

    row: Regression
    samples: int
    inputs: int
    units: int


UNLIMITED: Final = Fit(TABLE_1[NO_LIMIT], 500, 1000, 300)


@claim(
    "L1-T1-PERFECT",
    place="Sec. 5.1",
    statement="With c = ∞ the model fits the training data perfectly, and overfits seriously.",
    reading="perfectly: a mean squared error printed as 0.000, with noise of variance 1 in the data; seriously: the "
    "test error is many times that of the noise.",
    formula=UNLIMITED,
    faults={
        "a training error": UNLIMITED._replace(row=UNLIMITED.row._replace(train="0.001")),
        "a test error like the noise": UNLIMITED._replace(row=UNLIMITED.row._replace(test="1.020")),
        "more samples than the linear part can meet": UNLIMITED._replace(samples=1002),
        "one hidden unit": UNLIMITED._replace(units=1),
    },
)
def perfect(formula: Fit, quick: bool) -> Measured:
    row = formula.row
    printed: Json = {"train": row.train, "test": row.test}
    sizes: Json = {"samples": formula.samples, "inputs": formula.inputs, "hidden units": formula.units}
    # y_i = w·x_i + b has a solution for n ≤ d + 1 points in general position, and u = relu(u) − relu(−u).
    able = formula.samples <= formula.inputs + 1 and formula.units >= 2
    return Measured(
        parts=[
            Part("training error", [exactly(number(row.train) == 0, f"printed {row.train}")], printed),
            Part("test error", [exactly(number(row.test) > 10, f"{row.test}; the noise alone gives 1")], printed),
            Part("such a fit exists", [said("exact", able, "w·x + b meets n ≤ d + 1 points, with two units")], sizes),
        ],
        message="Interpolation is what 1000 inputs allow with 500 samples, noise included; trained to that point in "
        "L1-T1-REPRO.",
    )


@claim(
    "L1-T1-95",
    place="Sec. 5.1",
    statement="With c = 1 the test error is more than 95 % below that without regularisation: 2.424 for 69.520, "
    "96.5 % less.",
    reading="also with 2.557, the test error that the other two numbers of the row c = 1.00 give (96.3 % less).",
    formula=TABLE_1,
    faults={
        "3.480 at c = 1": changed1("1.00", test="3.480"),
        "48.000 without": changed1(NO_LIMIT, test="48.000"),
        "c = 2": changed1("1.00", **TABLE_1["2.00"]._asdict()),
    },
)
def lower_test_error(formula: Table1, quick: bool) -> Measured:
    base, row = number(formula[NO_LIMIT].test), formula["1.00"]
    parts = []
    for name, test in (("as printed", number(row.test)), ("by gen + train", number(row.gen) + number(row.train))):
        less = 1 - test / base
        witness: Json = {"c = ∞": str(base), "c = 1": str(test), "less by": f"{100 * less:.2f} %"}
        routes = [
            exactly(less > Decimal("0.95"), f"{test} for {base}: {100 * less:.2f} % less"),
            said("exact", 20 * Fraction(test) < Fraction(base), "less than a twentieth is left", power=0.0),
        ]
        parts.append(Part(name, routes, witness))
    return Measured(parts=parts)
