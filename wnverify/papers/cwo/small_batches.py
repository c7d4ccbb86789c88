"""CWO, Sec. 4.1.3 and Table 2: small batches, and the learning rate that goes with them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from wnverify.experiments.published.cwo_tables import TABLE1, TABLE2, BatchErrors, Setting, Table1
from wnverify.finding import Json
from wnverify.papers.arithmetic import standard_errors
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.cwo.comparison import STANDARD_ERRORS, judged
from wnverify.papers.cwo.tables import TEST_SIZE, known

DATA: Final = ("CIFAR-10", "CIFAR-100")
LARGE: Final = 128
SMALL: Final = (4, 16)
REFERENCE_RATE: Final = Fraction(1, 5)
"""Sec. 4.1.1: the method's initial learning rate for WideResNet at batch size 128."""


def changed(table: BatchErrors, data: str, method: str, batch: int, text: str) -> BatchErrors:
    return {**table, (data, method, batch): text}


@claim(
    "CWO-P-LRSCALE",
    place="Sec. 4.1.3",
    statement="The learning rate at batch size B is η B / 128: with η = 0.2 (WideResNet) it is 0.00625, 0.025 and 0.2 "
    "for B = 4, 16 and 128; it is proportional to B, and η at B = 128.",
    formula=lambda eta, batch: eta * batch / 128,
    faults={
        "square root of B": lambda eta, batch: eta * Fraction(round((batch / 128) ** 0.5 * 10**6), 10**6),
        "over 256": lambda eta, batch: eta * batch / 256,
        "inverted": lambda eta, batch: eta * 128 / batch,
    },
)
def learning_rate(formula: Callable[[Fraction, int], Fraction], quick: bool) -> Measured:
    sought = {4: Fraction(1, 160), 16: Fraction(1, 40), 128: Fraction(1, 5)}
    parts = []
    for batch, rate in sought.items():
        found = formula(REFERENCE_RATE, batch)
        proportional = found * LARGE == formula(REFERENCE_RATE, LARGE) * batch
        routes = [
            said("arithmetic", found == rate, f"{float(found):g}", power=0.0),
            said("exact", proportional and formula(REFERENCE_RATE, LARGE) == REFERENCE_RATE, "linear", power=0.0),
        ]
        parts.append(Part(f"B = {batch}", routes, {"B": batch, "found": float(found), "right": float(rate)}))
    return Measured(parts=parts, message="The paper gives η for its own method only; BN's is not printed.")


class Both(NamedTuple):
    table1: Table1
    table2: BatchErrors


@claim(
    "CWO-T2-T1",
    place="Tables 1, 2",
    statement="The columns B = 128 of Table 2 repeat Table 1's entries for WideResNet-28-10 with FastAA.",
    formula=Both(TABLE1, TABLE2),
    faults={
        "the method differs on CIFAR-10": Both(TABLE1, changed(TABLE2, "CIFAR-10", "Ours", 128, "2.95")),
        "BN differs on CIFAR-100": Both(TABLE1, changed(TABLE2, "CIFAR-100", "BN", 128, "16.37")),
    },
)
def repeats_table1(formula: Both, quick: bool) -> Measured:
    parts = []
    for data in DATA:
        row = formula.table1[Setting(data, "FastAA", "WideResNet-28-10")]
        for method in ("Ours", "BN"):
            one, two = known(row[method]), known(formula.table2[data, method, LARGE])
            witness: Json = {"Table 1": str(one), "Table 2": str(two)}
            parts.append(judged(f"{data}, {method}", one == two, f"{one} and {two}", witness))
    return Measured(consistency=parts)


@claim(
    "CWO-T2-BNDEG",
    place="Sec. 4.1.3",
    statement="BN gets severely worse at small batch size, especially on CIFAR-100 at B = 4.",
    reading="severely: by more than one standard error on the test set (the least that the words can mean; CIFAR-10 is "
    "at 1.87, CIFAR-100 at 2.64); 'small batch size' is B = 4 or both B = 4 and 16; 'especially' compares "
    "percentage points or relative increases.",
    formula=TABLE2,
    faults={
        "better at B = 4 on CIFAR-10": changed(TABLE2, "CIFAR-10", "BN", 4, "2.58"),
        "hardly worse at B = 4 on CIFAR-10": changed(TABLE2, "CIFAR-10", "BN", 4, "2.70"),
        "hardly worse at B = 4 on CIFAR-100": changed(TABLE2, "CIFAR-100", "BN", 4, "16.79"),
    },
)
def batch_normalization_degrades(formula: BatchErrors, quick: bool) -> Measured:
    points: dict[tuple[str, int], Decimal] = {}
    relative: dict[tuple[str, int], float] = {}
    chance: dict[tuple[str, int], float] = {}
    for data in DATA:
        large = known(formula[data, "BN", LARGE])
        for batch in SMALL:
            small = known(formula[data, "BN", batch])
            points[data, batch] = small - large
            relative[data, batch] = round(float((small - large) / large), 4)
            chance[data, batch] = standard_errors(large, small, TEST_SIZE[data])

    def worse(batches: tuple[int, ...]) -> list[Part]:
        return [
            judged(
                f"worse on {data} at B = {batch}",
                points[data, batch] > 0 and chance[data, batch] > 1,
                f"{points[data, batch]:+} points, {relative[data, batch]:+.1%}, {chance[data, batch]} standard errors",
                {"B": batch, "error": formula[data, "BN", batch], "error at B = 128": formula[data, "BN", LARGE]},
            )
            for data in DATA
            for batch in batches
        ]

    more = points["CIFAR-100", 4] > points["CIFAR-10", 4]
    more_relative = relative["CIFAR-100", 4] > relative["CIFAR-10", 4]
    pair: Json = {f"{data}: {kind}": float(x[data, 4]) for data in DATA for kind, x in _named(points, relative)}
    in_points = judged("most on CIFAR-100", more, "in percentage points", pair)
    in_relation = judged("most on CIFAR-100", more_relative, "relative to the error at B = 128", pair)
    return Measured(
        readings=[
            Reading("at B = 4 against B = 128, in percentage points", [*worse((4,)), in_points]),
            Reading("at B = 4 against B = 128, relative to the error at B = 128", [*worse((4,)), in_relation]),
            Reading("at every small batch size, 4 and 16", [*worse(SMALL), in_points]),
        ]
    )


def _named(
    points: dict[tuple[str, int], Decimal], relative: dict[tuple[str, int], float]
) -> tuple[tuple[str, dict[tuple[str, int], Decimal] | dict[tuple[str, int], float]], ...]:
    return (("points", points), ("relative", relative))


@claim(
    "CWO-T2-ROBUST",
    place="Sec. 4.1.3",
    statement="The method is robust to the batch size.",
    reading="robust: no worse at B = 4 and 16 than at B = 128 by more than two standard errors; or: its error does not "
    "depend on B by more than that, in either direction.",
    formula=TABLE2,
    faults={
        "worse at B = 4 on CIFAR-100": changed(TABLE2, "CIFAR-100", "Ours", 4, "18.12"),
        "worse at B = 16 on CIFAR-10": changed(TABLE2, "CIFAR-10", "Ours", 16, "3.64"),
    },
)
def robust(formula: BatchErrors, quick: bool) -> Measured:
    no_loss, no_change, spreads = [], [], []
    for data in DATA:
        large = known(formula[data, "Ours", LARGE])
        for batch in SMALL:
            small = known(formula[data, "Ours", batch])
            excess = standard_errors(large, small, TEST_SIZE[data])
            witness: Json = {"B": batch, "error": str(small), "error at B = 128": str(large)}
            note = f"{small - large:+} points, {excess} standard errors"
            name = f"{data}, B = {batch}"
            no_loss.append(judged(name, excess <= STANDARD_ERRORS, note, witness))
            no_change.append(judged(name, abs(excess) <= STANDARD_ERRORS, note, witness))
        for method in ("Ours", "BN"):
            entries = [known(formula[data, method, batch]) for batch in (*SMALL, LARGE)]
            spreads.append(f"{data}, {method} {max(entries) - min(entries)}")
    return Measured(
        readings=[Reading("no worse at small B", no_loss), Reading("does not depend on B", no_change)],
        message=f"Largest less smallest error over B, in points: {'; '.join(spreads)}.",
    )


@claim(
    "CWO-T2-SMALLB",
    place="Sec. 4.1.3",
    statement="The method is sometimes better at a smaller batch size: on CIFAR-100 16.40 at B = 128, 15.12 at B = 4.",
    reading="'sometimes': on one data set at least; on CIFAR-10 it is not, and on CIFAR-100 B = 16 is best.",
    formula=TABLE2,
    faults={
        "another number at B = 4": changed(TABLE2, "CIFAR-100", "Ours", 4, "15.21"),
        "worse at B = 4": changed(TABLE2, "CIFAR-100", "Ours", 4, "17.12"),
    },
)
def better_at_small_batches(formula: BatchErrors, quick: bool) -> Measured:
    large, small = (known(formula["CIFAR-100", "Ours", batch]) for batch in (LARGE, 4))
    better = {
        data: [b for b in SMALL if known(formula[data, "Ours", b]) < known(formula[data, "Ours", LARGE])]
        for data in DATA
    }
    margin = standard_errors(small, large, TEST_SIZE["CIFAR-100"])
    witness: Json = {"B = 128": str(large), "B = 4": str(small)}
    printed = (large, small) == (Decimal("16.40"), Decimal("15.12"))
    return Measured(
        parts=[
            judged("the two numbers", printed, "text against table", witness),
            judged("better at B = 4", small < large, f"by {large - small} points, {margin} standard errors", witness),
        ],
        message="; ".join(
            f"{data}: better at {len(found)} of {len(SMALL)} smaller sizes" for data, found in better.items()
        )
        + ".",
    )
