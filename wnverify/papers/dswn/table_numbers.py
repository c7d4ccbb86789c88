"""DSWN, section 4.2: what the text says of the numbers of Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from wnverify.experiments.published.dswn_tables import CIFAR_10, CIFAR_100, MNIST, PIE, TABLE_1, TABLE_2, Table1, Table2
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.dswn.numbers import OURS, changed1, changed2, column, means, printed

Gap = tuple[str, Table1]


def _gap(rival: str, formula: Gap) -> Measured:
    """The margin over ``rival`` on MNIST; the share of the rival's accuracy is given beside it."""
    told, table = formula
    row = column(table, MNIST)
    gap = row[OURS] - row[rival]
    witness: Json = {OURS: str(row[OURS]), rival: str(row[rival]), "difference": str(gap), "text": told}
    note = f"{row[OURS]} − {row[rival]} = {gap} points, {100 * gap / row[rival]:.2f} % of {row[rival]}"
    return Measured(parts=[Part("difference", [exactly(gap == Decimal(told), note)], witness)])


POINTS: Final = "per cent of a difference of accuracies are percentage points."


@claim(
    "DSWN-T1-OWN",
    place="sec. 4.2.1 vs Table 1",
    statement="On MNIST DSWN-NM is 1.29 points above OWN: 97.90 − 96.61.",
    reading=POINTS,
    formula=("1.29", TABLE_1),
    faults={
        "1.34, relative": ("1.34", TABLE_1),
        "OWN's last digit": ("1.29", changed1("OWN", MNIST, "96.60")),
        "a point lower": ("1.29", changed1(OURS, MNIST, "96.90")),
    },
)
def above_own(formula: Gap, quick: bool) -> Measured:
    return _gap("OWN", formula)


@claim(
    "DSWN-T1-QR",
    place="sec. 4.2.1 vs Table 1",
    statement="On MNIST DSWN-NM is 3.52 points above QR: 97.90 − 94.38.",
    reading=POINTS,
    formula=("3.52", TABLE_1),
    faults={
        "3.73, relative": ("3.73", TABLE_1),
        "QR's last digit": ("3.52", changed1("QR", MNIST, "94.39")),
        "digits exchanged": ("3.25", TABLE_1),
    },
)
def above_qr(formula: Gap, quick: bool) -> Measured:
    return _gap("QR", formula)


def best(name: str, row: Mapping[str, Decimal]) -> Part:
    rivals = {method: value for method, value in row.items() if method != OURS}
    nearest = max(rivals, key=lambda method: rivals[method])
    margin = row[OURS] - rivals[nearest]
    note = f"{name}: {row[OURS]} against {rivals[nearest]} of {nearest}, margin {margin} points"
    return Part(name, [exactly(margin > 0, note)], printed(row))


@claim(
    "DSWN-T1-SUP",
    place="sec. 4.2.1 vs Table 1",
    statement="DSWN-NM has the highest accuracy in both columns of Table 1.",
    formula=TABLE_1,
    faults={
        "WN better on MNIST": changed1("WN", MNIST, "97.91"),
        "a tie on PIE": changed1("OWN", PIE, "98.88"),
        "DSWN-NM below OWN on PIE": changed1(OURS, PIE, "98.50"),
    },
)
def best_in_table_1(formula: Table1, quick: bool) -> Measured:
    return Measured(parts=[best("MNIST", column(formula, MNIST)), best("PIE", column(formula, PIE))])


@claim(
    "DSWN-T1-PIE",
    place="sec. 4.2.1 vs Table 1",
    statement="On PIE, with Adam, DSWN-NM has the best accuracy, 98.88 %, against 98.54 % of OWN.",
    formula=(("98.88", "98.54"), TABLE_1),
    faults={
        "another best": (("98.98", "98.54"), TABLE_1),
        "another number of OWN": (("98.88", "98.45"), TABLE_1),
        "not the best": (("98.88", "98.54"), changed1("WN", PIE, "98.90")),
    },
)
def pie_with_adam(formula: tuple[tuple[str, str], Table1], quick: bool) -> Measured:
    told, table = formula
    row = column(table, PIE)
    same = (row[OURS], row["OWN"]) == tuple(map(Decimal, told))
    numbers = Part("numbers", [exactly(same, f"table: {row[OURS]} and {row['OWN']}")], {"text": list(told)})
    return Measured(parts=[numbers, best("PIE", row)])


@claim(
    "DSWN-T2-NUM",
    place="sec. 4.2.2 vs Table 2",
    statement="The best accuracies of DSWN-NM are 91.74 % on CIFAR-10 and 67.64 % on CIFAR-100, as in Table 2.",
    formula=(("91.74", "67.64"), TABLE_2),
    faults={
        "digits exchanged": (("91.47", "67.64"), TABLE_2),
        "OWN's number": (("91.74", "67.24"), TABLE_2),
        "another table": (("91.74", "67.64"), changed2(OURS, CIFAR_10, "91.75")),
    },
)
def numbers_of_table_2(formula: tuple[tuple[str, str], Table2], quick: bool) -> Measured:
    told, table = formula
    parts = []
    for name, index in (("CIFAR-10", CIFAR_10), ("CIFAR-100", CIFAR_100)):
        seen = means(table, index)[OURS]
        witness: Json = {"text": told[index], "Table 2": str(seen)}
        parts.append(Part(name, [exactly(Decimal(told[index]) == seen, f"Table 2: {seen}")], witness))
    return Measured(parts=parts)


@claim(
    "DSWN-T2-BEST",
    place="sec. 4.2.2 vs Table 2",
    statement="DSWN-NM has the highest mean accuracy of Table 2 on both data sets.",
    formula=TABLE_2,
    faults={
        "OWN better on CIFAR-10": changed2("OWN", CIFAR_10, "91.75"),
        "a tie on CIFAR-100": changed2("OWN", CIFAR_100, "67.64"),
        "Standard best": changed2("Standard", CIFAR_100, "69.0"),
    },
)
def best_in_table_2(formula: Table2, quick: bool) -> Measured:
    parts = [best("CIFAR-10", means(formula, CIFAR_10)), best("CIFAR-100", means(formula, CIFAR_100))]
    return Measured(parts=parts)


@claim(
    "DSWN-T2-ERR",
    place="sec. 4.2.2 vs Table 2",
    statement="Table 2 reports the test error.",
    formula=("error", "accuracy", TABLE_2),
    faults={
        "the caption says error too": ("error", "error", TABLE_2),
        "accuracy in the text, error in the caption": ("accuracy", "error", TABLE_2),
        "the best is the smallest number": ("accuracy", "accuracy", changed2(OURS, CIFAR_10, "8.26")),
    },
    corrected="Table 2 reports the test accuracy, as its caption says; the test errors are 8.26 % and 32.36 %.",
    corrected_formula=("accuracy", "accuracy", TABLE_2),
)
def error_or_accuracy(formula: tuple[str, str, Table2], quick: bool) -> Measured:
    text, caption, table = formula
    row = means(table, CIFAR_10)
    # The same text calls the largest number the best.
    does = "accuracy" if row[OURS] == max(row.values()) else "error" if row[OURS] == min(row.values()) else "neither"
    witness: Json = {"text": text, "caption": caption, "DSWN-NM, called the best": str(row[OURS]), **printed(row)}
    return Measured(
        consistency=[
            Part("text and caption", [said("reading", text == caption, f"{text} against {caption}")], witness),
            Part("what the numbers do", [exactly(text == does, f"they behave as {does}")], witness),
        ]
    )
