"""CWO, Secs. 4.2, 4.3 and 5: ModelNet40 (Table 5), ImageNet (Table 6), and what is concluded from all data sets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from wnverify.experiments.published.cwo_tables import TABLE1, TABLE5, TABLE6, Accuracies, Table1
from wnverify.finding import Json
from wnverify.papers.arithmetic import standard_errors
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.cwo.comparison import SHARE, STANDARD_ERRORS, WITHIN_CHANCE, WITHIN_SHARE, behind, judged, share
from wnverify.papers.cwo.table1 import OURS, altered
from wnverify.papers.cwo.tables import TEST_SIZE

CLEARLY: Final = 3
"""A margin is clear when it is at least this many times any margin that the same sentence calls comparable."""


def numbers(table: Accuracies, column: int) -> dict[str, Decimal]:
    return {name: Decimal(row[column]) for name, row in table.items()}


class Split(NamedTuple):
    models: int
    training: int
    test: int


@claim(
    "CWO-P-MN40",
    place="Sec. 4.2",
    statement="ModelNet40's 12,311 models are 9,843 for training and 2,468 for testing.",
    formula=Split(12_311, 9_843, 2_468),
    faults={
        "a digit of the total": Split(12_331, 9_843, 2_468),
        "a digit of the training set": Split(12_311, 9_834, 2_468),
        "a digit of the test set": Split(12_311, 9_843, 2_486),
    },
)
def split(formula: Split, quick: bool) -> Measured:
    total = formula.training + formula.test
    witness: Json = {"models": formula.models, "training + test": total}
    return Measured(parts=[judged("sum", total == formula.models, f"{total}", witness)])


@claim(
    "CWO-T5-CLAIM",
    place="Sec. 4.2.2",
    statement="On ModelNet40 the method is clearly better than GN, and comparable with WS+GN and BN.",
    reading=f"comparable: less than {STANDARD_ERRORS} standard errors apart in overall accuracy; clearly: above in "
    f"both columns by at least {CLEARLY} times the largest difference called comparable, also where rounding (0.05 "
    "points in each number) is against it.",
    formula=TABLE5,
    faults={
        "GN nearly as good": {**TABLE5, "GN": ("88.7", "91.1")},
        "far below BN": {**TABLE5, "BN": ("92.3", "94.7")},
        "far below BN, farther above GN": {**TABLE5, "BN": ("91.3", "93.7"), "GN": ("79.0", "81.7")},
        "the method and GN exchanged": {**TABLE5, OURS: TABLE5["GN"], "GN": TABLE5[OURS]},
    },
)
def point_clouds(formula: Accuracies, quick: bool) -> Measured:
    mean, overall = (numbers(formula, column) for column in (0, 1))
    rounding = Decimal("0.1")
    columns = {"mean class": mean, "overall": overall}
    near = max(abs(column[OURS] - column[name]) for column in columns.values() for name in ("WS+GN", "BN"))
    parts = []
    for name, column in columns.items():
        gap = column[OURS] - column["GN"]
        witness: Json = {OURS: str(column[OURS]), "GN": str(column["GN"]), "largest comparable": str(near)}
        clear = gap - rounding >= CLEARLY * (near + rounding)
        parts.append(judged(f"clearly above GN, {name}", clear, f"{gap:+} points against {near}", witness))
    for name in ("WS+GN", "BN"):
        apart = standard_errors(overall[name], overall[OURS], TEST_SIZE["ModelNet40"])
        note = f"{overall[OURS] - overall[name]:+} points, {apart} standard errors"
        pair: Json = {OURS: str(overall[OURS]), name: str(overall[name])}
        parts.append(judged(f"comparable with {name}", abs(apart) < STANDARD_ERRORS, note, pair))
    above = standard_errors(overall["GN"], overall[OURS], TEST_SIZE["ModelNet40"])
    message = f"Above GN by {above} standard errors; WS+BN, which the sentence leaves out, is the best of the table."
    return Measured(parts=parts, message=message)


class Words(NamedTuple):
    """What each place calls the entries of Table 6, and the entries."""

    caption: str
    heads: str
    text: str
    table: Accuracies


PRINTED: Final = Words("error", "accuracy", "error", TABLE6)


@claim(
    "CWO-T6-CAPTION",
    place="Table 6, Sec. 4.3.2",
    statement="Caption, column heads and text of Table 6 give its entries one name, and it fits the numbers.",
    reading="Sec. 4.3.2 calls them error rates where it introduces the table and accuracy where it compares; the first "
    "is taken here.",
    formula=PRINTED,
    corrected="The entries are accuracies, as the heads say: in every row the top-5 number is the larger, while a "
    "top-5 error cannot exceed a top-1 error.",
    corrected_formula=Words("accuracy", "accuracy", "accuracy", TABLE6),
    faults={
        "errors everywhere": Words("error", "error", "error", TABLE6),
        "the caption alone": Words("error", "accuracy", "accuracy", TABLE6),
        "the text alone": Words("accuracy", "accuracy", "error", TABLE6),
    },
)
def names_of_entries(formula: Words, quick: bool) -> Measured:
    top1, top5 = (numbers(formula.table, column) for column in (0, 1))
    rising = all(top5[name] >= top1[name] for name in top1)
    kind = "accuracy" if rising else "error"
    names: dict[str, Json] = {"caption": formula.caption, "heads": formula.heads, "text": formula.text}
    same = len({formula.caption, formula.heads, formula.text}) == 1
    witness: Json = {**names, "top-1, top-5 of the method": list(formula.table[OURS])}
    fits = kind in names.values()
    note = f"top-5 is {'above' if rising else 'not above'} top-1 in every row, so the numbers are of the kind {kind}"
    return Measured(
        parts=[judged("one of the names fits the numbers", fits, note, witness)],
        consistency=[Part("one name", [said("reading", same, "the three places compared")], witness)],
    )


@claim(
    "CWO-T6-CLAIM",
    place="Sec. 4.3.2",
    statement="On ImageNet top-1 accuracy improves significantly over the plain network, from 73.76 to 75.15, and is "
    "comparable with GN.",
    reading=f"significantly: by more than {STANDARD_ERRORS} standard errors of the difference on the validation set; "
    "comparable: less than that apart, in top-1 and top-5.",
    formula=TABLE6,
    faults={
        "another number for the plain network": {**TABLE6, "Plain": ("73.67", "91.15")},
        "no significant gain": {**TABLE6, OURS: ("73.90", "92.37")},
        "GN far better": {**TABLE6, "GN": ("76.19", "92.54")},
    },
)
def imagenet(formula: Accuracies, quick: bool) -> Measured:
    top1, top5 = (numbers(formula, column) for column in (0, 1))
    size = TEST_SIZE["ImageNet"]
    gain = standard_errors(top1["Plain"], top1[OURS], size)
    shown: Json = {"Plain": str(top1["Plain"]), OURS: str(top1[OURS])}
    printed = (top1["Plain"], top1[OURS]) == (Decimal("73.76"), Decimal("75.15"))
    parts = [
        judged("the two numbers", printed, "text against table", shown),
        judged("above the plain network", gain > STANDARD_ERRORS, f"{gain} standard errors", shown),
    ]
    for name, column in (("top-1", top1), ("top-5", top5)):
        apart = standard_errors(column["GN"], column[OURS], size)
        note = f"{column[OURS] - column['GN']:+} points, {apart} standard errors"
        pair: Json = {OURS: str(column[OURS]), "GN": str(column["GN"])}
        parts.append(judged(f"comparable with GN, {name}", abs(apart) < STANDARD_ERRORS, note, pair))
    below = {
        name: standard_errors(top1[OURS], top1[name], size) for name in formula if name not in (OURS, "Plain", "GN")
    }
    message = "Below the others in top-1 by, in standard errors: " + ", ".join(f"{k} {x}" for k, x in below.items())
    return Measured(parts=parts, message=f"{message}.")


class Results(NamedTuple):
    table1: Table1
    table5: Accuracies
    table6: Accuracies


ALL: Final = Results(TABLE1, TABLE5, TABLE6)


@claim(
    "CWO-P-CONCL",
    place="Abstract, Sec. 5",
    statement="On three popular data sets the method is highly competitive with, or better than, the state-of-the-art "
    "normalisation methods.",
    reading="in each setting of Tables 1, 5 (overall) and 6 (top-1), against the best of the other methods.  Two "
    f"readings of highly competitive, those of CWO-T1-OVERALL: {WITHIN_CHANCE}; or {WITHIN_SHARE}.  CIFAR-10 and "
    "CIFAR-100 count as one of the three.",
    formula=ALL,
    faults={
        "far behind on ImageNet": ALL._replace(table6={**TABLE6, OURS: ("73.15", "91.37")}),
        "far behind on ModelNet40": ALL._replace(table5={**TABLE5, OURS: ("86.0", "87.4")}),
        "far behind on CIFAR-100": ALL._replace(table1=altered(TABLE1, ("CIFAR-100", "Standard", "CNN"), Ours="28.26")),
    },
)
def conclusion(formula: Results, quick: bool) -> Measured:
    settings: list[tuple[str, str, Mapping[str, Decimal]]] = [
        (", ".join(setting), setting.data, {name: Decimal(cell.strip("*")) for name, cell in row.items()})
        for setting, row in formula.table1.items()
    ]
    for name, table, column in (("ModelNet40", formula.table5, 1), ("ImageNet", formula.table6, 0)):
        settings.append((name, name, {key: 100 - value for key, value in numbers(table, column).items()}))
    chance, shares, ranks = [], [], []
    for name, data, errors in settings:
        others = [value for key, value in errors.items() if key != OURS]
        far, part = behind(errors[OURS], others, TEST_SIZE[data]), share(errors[OURS], others)
        witness: Json = {"errors": {key: str(value) for key, value in errors.items()}}
        chance.append(judged(name, far <= STANDARD_ERRORS, f"{far} standard errors behind the best other", witness))
        shares.append(judged(name, part >= SHARE, f"{float(part):.4f} of the best other accuracy", witness))
        ranks.append((name, 1 + sum(value < errors[OURS] for value in others), len(errors)))
    message = "; ".join(f"{name}: number {rank} of {count}" for name, rank, count in ranks[-2:])
    return Measured(readings=[Reading(WITHIN_CHANCE, chance), Reading(WITHIN_SHARE, shares)], message=f"{message}.")
