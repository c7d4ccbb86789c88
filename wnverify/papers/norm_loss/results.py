"""Norm loss, sections V and VI: what the text says of Tables I to III, from their printed numbers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from wnverify.experiments.published.norm_loss_tables import OTHER_SCHEDULE, TABLE_1, TABLE_2, TABLE_3, Row, Row3
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly, standard_errors
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.norm_loss.tables import RUNS, TEST_IMAGES, changed, find, number

Table = tuple[Row, ...]
OURS: Final = "Ours"
RESNET, WIDE = "ResNet110", "WRN-28-10"


def _rivals(table: Table, network: str) -> list[Row]:
    return [row for row in table if row.network == network and row.source != OURS]


def _listed(rows: Sequence[Row]) -> dict[str, Json]:
    return {f"{row.method} {row.source}".strip(): f"{row.best or '-'} ({row.mean})" for row in rows}


@claim(
    "NL-T1-BEATS",
    place="Sec. V-C",
    statement="ResNet110 on CIFAR-10: norm loss has a lower error than every other regularizer of Table I.",
    reading="means (or medians) are compared with the mean, and best runs with the best run where both are printed.",
    formula=TABLE_1,
    faults={
        "PBWN below norm loss": changed(TABLE_1, RESNET, "PBWN", "[19]*", mean="5.9"),
        "norm loss above ONI": changed(TABLE_1, RESNET, "nl", OURS, mean="6.6"),
        "a tie in the best run": changed(TABLE_1, RESNET, "wd", "", best="5.9"),
    },
)
def best_on_resnet(formula: Table, quick: bool) -> Measured:
    ours, rivals = find(formula, RESNET, "nl", OURS), _rivals(formula, RESNET)
    means = all(number(ours.mean) < number(row.mean) for row in rivals)
    bests = all(number(ours.best) < number(row.best) for row in rivals if row.best)
    margin = min(number(row.mean) for row in rivals) - number(ours.mean)
    witness: Json = {"nl": f"{ours.best} ({ours.mean})", **_listed(rivals)}
    return Measured(
        parts=[
            Part("means", [exactly(means, f"least margin {margin} points", rivals=len(rivals))], witness),
            Part("best runs", [exactly(bests, "where a best run is printed")], witness),
        ]
    )


@claim(
    "NL-T1-WRN",
    place="Sec. V-C",
    statement="WRN-28-10 on CIFAR-10: norm loss is much worse than the authors' own weight decay: by 0.696 points of "
    "mean error, 17.5 % of it, more than three times the distance between mean and best run of either.",
    reading="much: the difference of the means is larger than three times the larger distance of mean and best run.",
    formula=TABLE_1,
    faults={
        "norm loss as good": changed(TABLE_1, WIDE, "nl", OURS, mean="3.97", best="3.9"),
        "within the spread": changed(TABLE_1, WIDE, "nl", OURS, mean="4.262", best="4.07"),
        "norm loss better": changed(TABLE_1, WIDE, "nl", OURS, mean="3.662", best="3.47"),
    },
)
def worse_on_wide(formula: Table, quick: bool) -> Measured:
    ours, base = find(formula, WIDE, "nl", OURS), find(formula, WIDE, "wd", "")
    gap = number(ours.mean) - number(base.mean)
    spread = max(number(row.mean) - number(row.best) for row in (ours, base))
    share = 100 * gap / number(base.mean)
    witness: Json = {"nl": f"{ours.best} ({ours.mean})", "wd": f"{base.best} ({base.mean})"}
    note = f"gap of the means {gap} points, {share:.1f} % of the baseline; mean and best run differ by up to {spread}"
    return Measured(parts=[Part("much worse", [exactly(gap > 3 * spread, note)], witness)])


@claim(
    "NL-T1-CAP",
    place="Captions of Tables I, II",
    statement="The number outside the parentheses is the best accuracy (caption) and stands in the column of errors.",
    reading="error = 100 − accuracy in percent, as the paper's own footnote defines it.",
    formula=("accuracy", "error", TABLE_1 + TABLE_2),
    faults={"the column called accuracy, values kept": ("accuracy", "accuracy", TABLE_1 + TABLE_2)},
    corrected="The numbers outside the parentheses are the errors of the best runs.",
    corrected_formula=("error", "error", TABLE_1 + TABLE_2),
)
def caption(formula: tuple[str, str, Table], quick: bool) -> Measured:
    called, column, rows = formula
    same = called == column
    printed = [row for row in rows if row.best is not None]
    # Of several runs the best has the least error, and the greatest accuracy.
    least = all(number(row.best) <= number(row.mean) for row in printed)
    greatest = all(number(row.best) >= number(row.mean) for row in printed)
    behaves = {"error": least, "accuracy": greatest}[called]
    witness: Json = {"caption": called, "column": column, "best (mean)": f"{printed[0].best} ({printed[0].mean})"}
    note = f"the caption says {called}, the column {column}"
    how = "in every row that prints both, the best run is " + ("below" if least else "not below") + " the mean"
    return Measured(
        consistency=[
            Part("caption and column", [said("reading", same, note)], witness),
            Part("what the numbers do", [exactly(behaves, how, rows=len(printed))], witness),
        ]
    )


@claim(
    "NL-T12-GRIM",
    place="Tables I, II, Sec. V-D",
    statement="The authors' own means are possible as means of five runs over 10,000 test images, that is multiples "
    "of 0.002 points, and none is below its best run, a multiple of 0.01 points.",
    hypotheses=("five runs", "10,000 test images"),
    formula=TABLE_1 + TABLE_2 + OTHER_SCHEDULE,
    faults={
        "an odd last digit": changed(TABLE_1, RESNET, "nl", OURS, mean="5.997"),
        "a mean below the best run": changed(TABLE_2, WIDE, "nl", OURS, mean="18.562"),
        "a best run of three decimals": changed(TABLE_2, WIDE, "nl", OURS, best="18.571"),
    },
)
def possible_means(formula: Table, quick: bool) -> Measured:
    own = [row for row in formula if row.own]
    wrong = [row for row in own if number(row.mean) * TEST_IMAGES * RUNS / 100 % 1]
    below = [row for row in own if number(row.mean) < number(row.best)]
    uneven = [row for row in own if number(row.best) * TEST_IMAGES / 100 % 1]
    return Measured(
        parts=[
            Part("multiples", [exactly(not wrong, f"{len(own)} means of own runs")], _listed(wrong)),
            Part("not below the best run", [exactly(not below, f"{len(own)} pairs")], _listed(below)),
            Part("best runs", [exactly(not uneven, "multiples of 0.01 points")], _listed(uneven)),
        ]
    )


@claim(
    "NL-T2-MOST",
    place="Sec. V-D",
    statement="On CIFAR-100 norm loss has a lower error than most methods, for ResNet110 and for WRN-28-10.",
    reading="most: more than half of the other rows of Table II for that network, by the means.",
    formula=TABLE_2,
    faults={
        "worse than PBWN and WN": changed(TABLE_2, RESNET, "nl", OURS, mean="28.39"),
        "worse than OLM and the literature": changed(TABLE_2, WIDE, "nl", OURS, mean="18.9"),
    },
)
def better_than_most(formula: Table, quick: bool) -> Measured:
    parts = []
    for network in (RESNET, WIDE):
        ours, rivals = find(formula, network, "nl", OURS), _rivals(formula, network)
        beaten = [row for row in rivals if number(ours.mean) < number(row.mean)]
        note = f"{network}: below {len(beaten)} of {len(rivals)} others"
        witness: Json = {"nl": ours.mean, **_listed(rivals)}
        parts.append(Part(network, [exactly(2 * len(beaten) > len(rivals), note)], witness))
    return Measured(parts=parts)


@claim(
    "NL-T2-ALT",
    place="Sec. V-D",
    statement="With the schedule of CIFAR-10 the errors are 28.094 (27.56) for weight decay and 25.878 (25.2) for norm "
    "loss: both lower than in Table II, and the advantage of norm loss is larger, 2.216 against 1.872 points.",
    formula=(OTHER_SCHEDULE, TABLE_2),
    faults={
        "weight decay worse than in the table": (
            changed(OTHER_SCHEDULE, RESNET, "wd", "", mean="28.494", best="28.0"),
            TABLE_2,
        ),
        "norm loss worse than in the table": (
            changed(OTHER_SCHEDULE, RESNET, "nl", OURS, mean="26.578", best="26.3"),
            TABLE_2,
        ),
        "a smaller advantage": (changed(OTHER_SCHEDULE, RESNET, "nl", OURS, mean="26.4", best="26.2"), TABLE_2),
    },
)
def other_schedule(formula: tuple[Table, Table], quick: bool) -> Measured:
    other, table = formula
    parts, advantage = [], []
    for rows in (other, table):
        advantage.append(number(find(rows, RESNET, "wd", "").mean) - number(find(rows, RESNET, "nl", OURS).mean))
    for method, source in (("wd", ""), ("nl", OURS)):
        there, here = (find(rows, RESNET, method, source) for rows in (table, other))
        lower = number(here.mean) < number(there.mean) and number(here.best) < number(there.best)
        note = f"{method}: {here.mean} ({here.best}) against {there.mean} ({there.best})"
        parts.append(Part(f"{method} lower", [exactly(lower, note)], {"here": here.mean, "Table II": there.mean}))
    larger = exactly(advantage[0] > advantage[1], f"advantage {advantage[0]} against {advantage[1]} points")
    parts.append(Part("a larger advantage", [larger], {"here": str(advantage[0]), "Table II": str(advantage[1])}))
    message = "Table II thus reports, for both methods, the schedule with the higher errors."
    return Measured(parts=parts, message=message)


@claim(
    "NL-T3-ROWS",
    place="Sec. V-E",
    statement="The first two rows of Table III are the literature's baseline and the authors' reproduction, in this "
    "order.",
    reading="a row with a star and a citation is the literature's, as the caption says; one without is the authors'.",
    formula=(("literature", "own"), TABLE_3),
    faults={"both from the literature": (("literature", "literature"), TABLE_3)},
    corrected="The first row is the authors' reproduction (25.29), the second the literature's baseline (23.85).",
    corrected_formula=(("own", "literature"), TABLE_3),
)
def order_of_rows(formula: tuple[tuple[str, str], tuple[Row3, ...]], quick: bool) -> Measured:
    told, table = formula
    seen = tuple("literature" if row.source.endswith("*") else "own" for row in table[:2])
    errors = [Decimal(row.top1) for row in table[:2]]
    # A second route: the text calls the authors' own error the much larger one.
    by_size = tuple("own" if error == max(errors) else "literature" for error in errors)
    witness: Json = {"text": list(told), "table": [f"{row.method} {row.source} {row.top1}" for row in table[:2]]}
    return Measured(
        consistency=[
            Part("stars", [said("reading", told == seen, f"marked in the table: {', '.join(seen)}")], witness),
            Part("sizes", [exactly(told == by_size, f"{errors[0]} and {errors[1]}; the larger is the own")], witness),
        ]
    )


def _of3(table: tuple[Row3, ...], method: str, source: str) -> Row3:
    (row,) = (r for r in table if (r.method, r.source) == (method, source))
    return row


def _changed3(method: str, source: str, **values: str) -> tuple[Row3, ...]:
    old = _of3(TABLE_3, method, source)
    return tuple(row._replace(**values) if row == old else row for row in TABLE_3)


IMAGENET_VALIDATION: Final = 50_000


@claim(
    "NL-T3-IMPR",
    place="Sec. V-E",
    statement="On ImageNet norm loss lowers top-1 and top-5 error substantially below the authors' own weight decay: "
    "by 0.95 and 0.42 points.",
    reading="substantially: by more than two standard errors of a difference of two binomial counts over the 50,000 "
    "validation images; the text gives no number of runs.",
    formula=TABLE_3,
    faults={
        "top-1 within chance": _changed3("nl", OURS, top1="25.1"),
        "top-5 worse": _changed3("nl", OURS, top5="7.9"),
        "top-1 worse": _changed3("nl", OURS, top1="25.34"),
    },
)
def substantial(formula: tuple[Row3, ...], quick: bool) -> Measured:
    base, ours = _of3(formula, "wd", ""), _of3(formula, "nl", OURS)
    parts = []
    for name, before, after in (("top-1", base.top1, ours.top1), ("top-5", base.top5, ours.top5)):
        margin = standard_errors(number(after), number(before), IMAGENET_VALIDATION)
        note = f"{name}: {before} against {after}, {margin:.1f} standard errors"
        parts.append(Part(name, [exactly(margin > 2, note)], {"wd": before, "nl": after}))
    return Measured(parts=parts)


@claim(
    "NL-T3-GAP",
    place="Sec. V-E",
    statement="The authors' baseline error (25.29) is much larger than the literature's (23.85), by 1.44 points; norm "
    "loss (24.34) is above the literature's weight decay too, by 0.49.",
    reading="much larger: by more than the improvement that norm loss brings over the authors' baseline.",
    formula=TABLE_3,
    faults={
        "the baseline as in the literature": _changed3("wd", "", top1="23.9"),
        "a smaller gap than the improvement": _changed3("wd", "[15]*", top1="24.4"),
        "norm loss below the literature": _changed3("nl", OURS, top1="23.8"),
    },
)
def gap_to_literature(formula: tuple[Row3, ...], quick: bool) -> Measured:
    own, known, ours = (Decimal(_of3(formula, *key).top1) for key in (("wd", ""), ("wd", "[15]*"), ("nl", OURS)))
    witness: Json = {"own": str(own), "literature": str(known), "norm loss": str(ours)}
    larger = exactly(own - known > abs(own - ours), f"gap {own - known}, improvement {own - ours} points")
    above = exactly(ours > known, f"norm loss above the literature's weight decay by {ours - known}")
    return Measured(parts=[Part("much larger", [larger], witness), Part("norm loss above", [above], witness)])


def _own_comparisons(tables: tuple[Table, Table, tuple[Row3, ...]]) -> dict[str, tuple[Decimal, Decimal]]:
    """Set-up → (norm loss, the authors' own weight decay), mean errors."""
    found = {}
    for name, table in (("CIFAR-10", tables[0]), ("CIFAR-100", tables[1])):
        for network in (RESNET, WIDE):
            ours, base = find(table, network, "nl", OURS), find(table, network, "wd", "")
            found[f"{network} on {name}"] = (number(ours.mean), number(base.mean))
    found["ResNet50 on ImageNet"] = (Decimal(_of3(tables[2], "nl", OURS).top1), Decimal(_of3(tables[2], "wd", "").top1))
    return found


def _best_rivals(tables: tuple[Table, Table, tuple[Row3, ...]]) -> dict[str, tuple[Decimal, Decimal]]:
    """Set-up → (norm loss, the best other row of its table), mean errors."""
    found = {}
    for name, table in (("CIFAR-10", tables[0]), ("CIFAR-100", tables[1])):
        for network in (RESNET, WIDE):
            best = min(number(row.mean) for row in _rivals(table, network))
            found[f"{network} on {name}"] = (number(find(table, network, "nl", OURS).mean), best)
    others = [Decimal(row.top1) for row in tables[2] if row.source != OURS]
    found["ResNet50 on ImageNet"] = (Decimal(_of3(tables[2], "nl", OURS).top1), min(others))
    return found


ALL_TABLES: Final = (TABLE_1, TABLE_2, TABLE_3)
ONLY_ONE: Final = f"{WIDE} on CIFAR-10"


@claim(
    "NL-C-ONESETUP",
    place="Sec. VI",
    statement="Norm loss underperforms in one set-up only, WRN-28-10 on CIFAR-10.",
    reading="underperforms: a higher mean error than the authors' own weight decay, or than the best other row of the "
    "table; the sentence leaves open which.",
    formula=ALL_TABLES,
    faults={
        "worse than own weight decay on CIFAR-100 too": (
            TABLE_1,
            changed(TABLE_2, WIDE, "nl", OURS, mean="19.2"),
            TABLE_3,
        ),
        "worse nowhere": (changed(TABLE_1, WIDE, "nl", OURS, mean="3.7"), TABLE_2, TABLE_3),
    },
)
def one_setup(formula: tuple[Table, Table, tuple[Row3, ...]], quick: bool) -> Measured:
    readings = []
    for text, pairs in (
        ("against the authors' own weight decay", _own_comparisons(formula)),
        ("against the best other row of the table", _best_rivals(formula)),
    ):
        worse = [name for name, (ours, other) in pairs.items() if ours > other]
        witness: Json = {name: [str(ours), str(other)] for name, (ours, other) in pairs.items() if ours > other}
        route = exactly(worse == [ONLY_ONE], f"worse in {', '.join(worse) or 'none'}")
        readings.append(Reading(text, [Part("one set-up", [route], witness or {"worse in": []})]))
    return Measured(readings=readings)


@claim(
    "NL-C-COMP",
    place="Abstract, Sec. VI",
    statement="Norm loss is comparable to the state of the art, and in some cases better.",
    reading="the state of the art is the best other row of Tables I to III for a network; better: a lower mean error; "
    "comparable: better, or above it by at most two standard errors of a difference of two binomial counts. The "
    "sentence leaves open whether that is meant of most set-ups or of every one.",
    formula=ALL_TABLES,
    faults={
        "better nowhere": (
            changed(TABLE_1, RESNET, "nl", OURS, mean="6.9"),
            changed(TABLE_2, RESNET, "nl", OURS, mean="28.9"),
            TABLE_3,
        ),
        "far behind in most": (
            changed(TABLE_1, RESNET, "nl", OURS, mean="7.0"),
            changed(TABLE_2, WIDE, "nl", OURS, mean="20.6"),
            TABLE_3,
        ),
    },
)
def comparable(formula: tuple[Table, Table, tuple[Row3, ...]], quick: bool) -> Measured:
    pairs = _best_rivals(formula)
    images = {name: IMAGENET_VALIDATION if "ImageNet" in name else TEST_IMAGES for name in pairs}
    above = {name: standard_errors(other, ours, images[name]) for name, (ours, other) in pairs.items()}
    better = [name for name, (ours, other) in pairs.items() if ours < other]
    behind = [name for name, errors in above.items() if errors > 2]
    witness: Json = {name: {"nl": str(pairs[name][0]), "best other": str(pairs[name][1])} for name in behind or pairs}
    some = Part("in some cases better", [exactly(bool(better), f"best in {', '.join(better) or 'none'}")], witness)
    figures: dict[str, Json] = {f"{name}, standard errors above": round(errors, 2) for name, errors in above.items()}
    note = f"behind in {', '.join(behind) or 'none'}"
    return Measured(
        readings=[
            Reading(
                "comparable in most set-ups",
                [some, Part("comparable", [exactly(2 * len(behind) < len(pairs), note, **figures)], witness)],
            ),
            Reading(
                "comparable in every set-up",
                [some, Part("comparable", [exactly(not behind, note, **figures)], witness)],
            ),
        ]
    )
