"""L1,∞, Sec. 5.2: what the text says of Table 2."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final

from wnverify.experiments.published.l1inf_tables import NO_LIMIT, TABLE_2, Table2
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.l1inf.tables import changed2, half_digit, number, pairs_with, steps_against


def _gen(table: Table2) -> dict[str, Decimal]:
    """Generalisation errors from the largest c to the smallest."""
    return {c: number(row.gen) for c, row in table.items()}


Exceptions = tuple[tuple[str, str], ...]
EXCEPTIONS: Final[Exceptions] = ((NO_LIMIT, "1.00"), ("0.07", "0.04"))


@claim(
    "L1-T2-MONOGEN",
    place="Sec. 5.2",
    statement="The generalisation error decreases as c decreases.",
    reading="the means of Table 2 from row to row.  Also without the row c = ∞ it fails; as a tendency (pairs of rows "
    "in that order) it is true of 64 of 66.",
    formula=((), TABLE_2),
    corrected="It decreases from row to row but for two steps: from c = ∞ to 1.00 it rises from 0.543 to 0.624, from "
    "0.07 to 0.04 from 0.102 to 0.112.",
    corrected_formula=(EXCEPTIONS, TABLE_2),
    faults={
        "the first step alone": (EXCEPTIONS[:1], TABLE_2),
        "the second alone": (EXCEPTIONS[1:], TABLE_2),
        "another rise": (EXCEPTIONS, changed2("0.19", gen="0.293")),
        "an exception that is none": ((*EXCEPTIONS, ("0.50", "0.30")), TABLE_2),
    },
)
def generalisation_error_falls(formula: tuple[Exceptions, Table2], quick: bool) -> Measured:
    exceptions, table = formula
    gen = _gen(table)
    rises = steps_against(gen, falls=True)
    told = {f"c = {first} → {second}" for first, second in exceptions}
    agreeing, pairs = pairs_with(gen, falls=True)
    note = f"rises: {rises or 'none'}, told of: {sorted(told) or 'none'}"
    route = exactly(set(rises) == told, note, **{"pairs of rows that fall": agreeing, "pairs": pairs})
    return Measured(parts=[Part("falls", [route], rises or {"rises": "none"})])


@claim(
    "L1-T2-MONOSP",
    place="Sec. 5.2",
    statement="The network becomes sparser as c decreases: from 2.39 % of zeros to 99.49 %.",
    reading="the means of Table 2 from row to row.",
    formula=TABLE_2,
    faults={
        "denser at c = 0.04": changed2("0.04", sparsity="98.94"),
        "equal at c = 0.50": changed2("0.50", sparsity="66.71"),
        "sparse without regularisation": changed2(NO_LIMIT, sparsity="99.61"),
    },
)
def sparser(formula: Table2, quick: bool) -> Measured:
    zeros = {c: number(row.sparsity) for c, row in formula.items()}
    against = steps_against(zeros, falls=False)
    agreeing, pairs = pairs_with(zeros, falls=False)
    routes = [
        exactly(not against, f"{len(zeros) - 1} steps, against it {len(against)}"),
        said("exact", agreeing == pairs, f"{agreeing} of {pairs} pairs of rows rise", power=0.0),
    ]
    return Measured(parts=[Part("sparser", routes, against)])


@claim(
    "L1-T2-DOUBLE",
    place="Sec. 5.2",
    statement="From c = 0.10 to 0.07 the training error nearly doubles: from 0.121 to 0.207, by a factor of 1.71.",
    reading="nearly doubled: nearer to twice than to once the value, or within a tenth of the way of being doubled.",
    formula=TABLE_2,
    faults={
        "0.150 at c = 0.07": changed2("0.07", train="0.150"),
        "0.177 at c = 0.10": changed2("0.10", train="0.177"),
    },
)
def nearly_doubles(formula: Table2, quick: bool) -> Measured:
    first, second = (Fraction(formula[c].train) for c in ("0.10", "0.07"))
    ratio = second / first
    half = half_digit(formula["0.10"].train)
    low, high = (second - half) / (first + half), (second + half) / (first - half)
    witness: Json = {f"c = {c}": formula[c].train for c in ("0.10", "0.07")}
    note = f"ratio {float(ratio):.3f}, between {float(low):.3f} and {float(high):.3f} before rounding"
    readings = []
    for text, least in (("nearer to twice", Fraction(3, 2)), ("within a tenth", Fraction(19, 10))):
        part = Part("factor", [exactly(ratio >= least, note)], witness)
        readings.append(Reading(f"{text}: a factor of at least {float(least)}", [part]))
    return Measured(readings=readings)


@claim(
    "L1-T2-PERFECT",
    place="Sec. 5.2",
    statement="Without regularisation the network fits the training data perfectly (training error 0.005) and performs "
    "poorly on the test data (71.60).",
    reading="the training error is the mean cross entropy: the test error 0.548 that the row implies is not the error "
    "rate 0.284.  Perfectly: an error of 0, or next to no sample wrong; a wrong one costs at least log 2, so at most "
    "0.7 % are.  Poorly: the lowest accuracy of Table 2.",
    formula=TABLE_2,
    faults={
        "a training error of 0.050": changed2(NO_LIMIT, train="0.050"),
        "good on the test data": changed2(NO_LIMIT, accuracy="89.60"),
    },
)
def perfect(formula: Table2, quick: bool) -> Measured:
    row = formula[NO_LIMIT]
    others = min(number(other.accuracy) for c, other in formula.items() if c != NO_LIMIT)
    witness: Json = {"train": row.train, "test accuracy": row.accuracy}
    wrong = float(row.train) / math.log(2)
    lowest = number(row.accuracy) < others
    poor = Part("poorly", [exactly(lowest, f"{row.accuracy}, the others {others} and more")], witness)
    zero = Part("error 0", [exactly(number(row.train) == 0, f"printed {row.train}")], witness)
    few = Part("next to none wrong", [exactly(wrong <= 0.01, f"at most {100 * wrong:.2f} % wrong on average")], witness)
    return Measured(
        readings=[Reading("a training error of 0", [zero, poor]), Reading("at most 1 % wrong", [few, poor])]
    )


@claim(
    "L1-T2-20",
    place="Sec. 5.2",
    statement="With c = 0.07 the test accuracy improves by more than 20 %: from 71.60 to 90.12.",
    reading="per cent as percentage points (18.52), or as a share of the accuracy without regularisation (25.9 %).",
    formula=TABLE_2,
    faults={
        "85.12 with c = 0.07": changed2("0.07", accuracy="85.12"),
        "76.10 without": changed2(NO_LIMIT, accuracy="76.10"),
    },
)
def improves(formula: Table2, quick: bool) -> Measured:
    before, after = (number(formula[c].accuracy) for c in (NO_LIMIT, "0.07"))
    readings = []
    for text, gain in (("percentage points", after - before), ("of the accuracy before", 100 * (after / before - 1))):
        witness: Json = {"c = ∞": str(before), "c = 0.07": str(after), text: f"{gain:.2f}"}
        readings.append(Reading(text, [Part("more than 20", [exactly(gain > 20, f"{gain:.2f}")], witness)]))
    return Measured(readings=readings)
