"""DSWN, section 4.1: what the text says of DSWN-SM that only drawings hold, and what of it can be reckoned."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from wnverify.experiments.published.dswn_tables import CIFAR_10, TABLE_2
from wnverify.finding import Evidence, Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, claim
from wnverify.papers.dswn.numbers import HALF_A_DIGIT, OURS, means, only_in, printed

Numbers = Mapping[str, str | None]
"""Figures of the text; None for what only a drawing holds."""


def _seen(formula: Numbers, names: tuple[str, ...], place: str, test: str, holds: bool | None) -> Part:
    """A part that the drawings alone decide: undecided while one of the numbers is missing."""
    missing = [name for name in names if formula[name] is None]
    route: Evidence = only_in(place, ", ".join(missing)) if missing else exactly(bool(holds), test)
    return Part(test, [route], {name: formula[name] for name in names})


def _value(text: str | None) -> Decimal:
    return Decimal("NaN") if text is None else Decimal(text)


def _known(*texts: str | None) -> bool:
    return None not in texts


FEWER: Final[Numbers] = {"share": "60", "fewer": "40", "accuracy of DSWN-SM": None, "accuracy of Standard": "90.88"}


@claim(
    "DSWN-S41-40LESS",
    place="sec. 4.1.1",
    statement="On CIFAR-10 with VGG, DSWN-SM with 60 % of the parameters uses 40 % fewer than Standard, and is as "
    "accurate.",
    hypotheses=("Standard uses 100 %, sec. 4",),
    reading="the same performance: at most half a point less. Standard's accuracy is that of Table 2.",
    formula=FEWER,
    faults={
        "30 % fewer": {**FEWER, "fewer": "30"},
        "70 % of the parameters": {**FEWER, "share": "70"},
        "two points less accurate": {**FEWER, "accuracy of DSWN-SM": "88.88"},
    },
)
def fewer_parameters(formula: Numbers, quick: bool) -> Measured:
    share, fewer = _value(formula["share"]), _value(formula["fewer"])
    ours, base = formula["accuracy of DSWN-SM"], formula["accuracy of Standard"]
    same = _known(ours, base) and _value(ours) >= _value(base) - Decimal("0.5")
    note = f"100 − {share} = {100 - share}, points and share of Standard's alike"
    witness: Json = {"share": str(share), "fewer": str(fewer)}
    return Measured(
        parts=[
            Part("count", [exactly(100 - share == fewer, note)], witness),
            _seen(formula, ("accuracy of DSWN-SM", "accuracy of Standard"), "Fig. 2a", "as accurate", same),
        ]
    )


EARLY: Final[Numbers] = {"epochs": "30", "of": "100", "error of DSWN-SM": None, "final error of ES, CGES": None}


@claim(
    "DSWN-S41-EPOCH30",
    place="sec. 4.1.1",
    statement="On CIFAR-10 DSWN-SM (60 %) reaches after 30 of the 100 epochs the final test error of ES and CGES "
    "(70 %).",
    formula=EARLY,
    faults={
        "more epochs than are run": {**EARLY, "epochs": "130"},
        "still above": {**EARLY, "error of DSWN-SM": "15.0", "final error of ES, CGES": "10.0"},
    },
)
def thirty_epochs(formula: Numbers, quick: bool) -> Measured:
    ours, theirs = formula["error of DSWN-SM"], formula["final error of ES, CGES"]
    reached = _known(ours, theirs) and _value(ours) <= _value(theirs)
    within = _value(formula["epochs"]) <= _value(formula["of"])
    witness: Json = dict(formula)
    return Measured(
        parts=[
            Part("within the training", [exactly(within, "30 of the 100 epochs of sec. 4.1")], witness),
            _seen(formula, ("error of DSWN-SM", "final error of ES, CGES"), "Fig. 2a", "reached", reached),
        ]
    )


GAPS: Final[Numbers] = {
    "over ES": "2.2",
    "over CGES": "2.1",
    "accuracy of DSWN-SM": None,
    "accuracy of ES": None,
    "accuracy of CGES": None,
    "accuracy of Standard": "64.72",
}


@claim(
    "DSWN-S41-C100GAP",
    place="sec. 4.1.1",
    statement="On CIFAR-100 DSWN-SM with 40 % of the parameters is 2.2 % above ES (53 %) and 2.1 % above CGES (50 %); "
    "Standard is almost as accurate as DSWN-SM.",
    reading="almost: within two points of Table 2's 64.72.",
    formula=GAPS,
    faults={
        "ES above CGES": {**GAPS, "over ES": "2.0"},
        "other gaps in the figure": {
            **GAPS,
            "accuracy of DSWN-SM": "65.5",
            "accuracy of ES": "64.5",
            "accuracy of CGES": "63.4",
        },
        "Standard far below": {
            **GAPS,
            "accuracy of DSWN-SM": "67.5",
            "accuracy of ES": "65.3",
            "accuracy of CGES": "65.4",
        },
    },
)
def gaps_on_cifar_100(formula: Numbers, quick: bool) -> Measured:
    names = tuple(name for name in formula if name.startswith("accuracy"))
    ours, es, cges, base = (_value(formula[name]) for name in names)
    over_es, over_cges = _value(formula["over ES"]), _value(formula["over CGES"])
    known = _known(*(formula[name] for name in names))
    agree = known and max(abs(ours - es - over_es), abs(ours - cges - over_cges)) <= HALF_A_DIGIT
    near = known and abs(ours - base) <= 2
    note = f"CGES would be {over_es - over_cges} points above ES; sec. 4.1.2 too calls ES the worse"
    witness: Json = dict(formula)
    return Measured(
        parts=[
            Part("CGES above ES", [exactly(over_es > over_cges, note)], witness),
            _seen(formula, names[:3], "Fig. 2b", "gaps as printed", agree),
            _seen(formula, (names[0], names[3]), "Fig. 2b", "Standard almost as accurate", near),
        ]
    )


EIGHTY: Final[Numbers] = {
    "VGG": "91.5",
    "BN-Inception": "95.48",
    "VGG in Fig. 3c": None,
    "BN-Inception in Fig. 3c": None,
}


@claim(
    "DSWN-S41-80",
    place="sec. 4.1.1",
    statement="On CIFAR-10, with 80 % of the parameters, DSWN-SM has 91.5 % (VGG) and 95.48 % (BN-Inception); the "
    "first lies in Table 2 between OWN (91.24) and DSWN-NM (91.74).",
    reading="91.5 stands for 91.45 to 91.55, VGG and VGG-Net for one network. Table 2 has no BN-Inception.",
    formula=EIGHTY,
    faults={
        "above DSWN-NM": {**EIGHTY, "VGG": "92.5"},
        "below OWN": {**EIGHTY, "VGG": "91.2"},
        "another number in the figure": {
            **EIGHTY,
            "VGG in Fig. 3c": "90.9",
            "BN-Inception in Fig. 3c": "95.48",
        },
    },
)
def at_eighty(formula: Numbers, quick: bool) -> Measured:
    row, ours = means(TABLE_2, CIFAR_10), _value(formula["VGG"])
    between = row["OWN"] < ours - HALF_A_DIGIT and ours + HALF_A_DIGIT < row[OURS]
    note = f"{ours - row['OWN']} above OWN, {row[OURS] - ours} below DSWN-NM, more than the rounding"
    drawn = tuple(f"{network} in Fig. 3c" for network in ("VGG", "BN-Inception"))
    same = _known(*(formula[name] for name in drawn)) and all(
        abs(_value(formula[name]) - _value(formula[name.partition(" in ")[0]])) <= HALF_A_DIGIT for name in drawn
    )
    return Measured(
        parts=[
            Part("between OWN and DSWN-NM", [exactly(between, note)], {"DSWN-SM": str(ours), **printed(row)}),
            _seen(formula, drawn, "Fig. 3c", "the two accuracies", same),
        ]
    )


PCT: Final[Numbers] = {
    "over CGES": "2.5",
    "over ES": "2.74",
    "mean gap to CGES in Fig. 3b": None,
    "gap to ES at 80 %": None,
}


@claim(
    "DSWN-S412-PCT",
    place="sec. 4.1.2",
    statement="On CIFAR-100 DSWN-SM is about 2.5 % above CGES at equal numbers of parameters, and 2.74 % above ES with "
    "80 %.",
    reading="the gap to CGES is the mean over the shares of Fig. 3b, to within half a digit.",
    formula=PCT,
    faults={
        "no gap to CGES": {**PCT, "mean gap to CGES in Fig. 3b": "0.3", "gap to ES at 80 %": "2.74"},
        "another gap to ES": {**PCT, "mean gap to CGES in Fig. 3b": "2.5", "gap to ES at 80 %": "2.47"},
        "less than with fewer parameters": {**PCT, "over CGES": "1.9"},
    },
)
def equal_parameters(formula: Numbers, quick: bool) -> Measured:
    names = ("mean gap to CGES in Fig. 3b", "gap to ES at 80 %")
    first, second = (_value(formula[name]) for name in names)
    same = _known(*(formula[name] for name in names)) and (
        abs(first - _value(formula["over CGES"])) <= HALF_A_DIGIT and second == _value(formula["over ES"])
    )
    # Sec. 4.1.1 gives gaps of 2.1 and 2.2 at fewer parameters than the rivals'.
    least = _value(formula["over CGES"]) >= Decimal("2.1") and _value(formula["over ES"]) >= Decimal("2.2")
    note = "not less than the gaps of sec. 4.1.1, where DSWN-SM uses fewer parameters than they"
    witness: Json = dict(formula)
    return Measured(
        parts=[
            Part("against sec. 4.1.1", [exactly(least, note)], witness),
            _seen(formula, names, "Fig. 3b", "gaps as printed", same),
        ]
    )
