"""DSWN, sections 4.1 and 4.2.3: what the text says of DSWN-SM, against Table 2 and against itself."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, NamedTuple

from wnverify.experiments.published.dswn_tables import CIFAR_10, CIFAR_100, TABLE_2, Table2
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.dswn.numbers import HALF_A_DIGIT, OURS, changed2, means, printed, rest_of


class Standing(NamedTuple):
    """DSWN-SM on CIFAR-10 as printed, DSWN-NM's gain over it on CIFAR-100, Table 2, and where it shall be ahead."""

    on_cifar_10: str
    gain: str
    table: Table2
    data: tuple[str, ...]


STANDING: Final = Standing("91.5", "2.1", TABLE_2, ("CIFAR-10", "CIFAR-100"))


@claim(
    "DSWN-S41-OUT",
    place="sec. 4.1.1",
    statement="DSWN-SM outperforms WN and OWN in generalization.",
    reading="generalization is the test accuracy, of DSWN-SM with 80 % on CIFAR-10 and 70 % on CIFAR-100 (sec. 4.2.3), "
    "VGG, against Table 2; the sentence is not restricted to CIFAR-10. Per cent of sec. 4.2.3 as points or as a share: "
    "the outcome is one. Optimisation quality is in Fig. 2c alone, against WN alone, and is not judged.",
    formula=STANDING,
    faults={
        "CIFAR-100 alone": STANDING._replace(data=("CIFAR-100",)),
        "not above OWN on CIFAR-10 either": STANDING._replace(on_cifar_10="91.2", data=("CIFAR-10",)),
        "below WN on CIFAR-10": STANDING._replace(on_cifar_10="90.2", data=("CIFAR-10",)),
        "a larger gain of DSWN-NM": STANDING._replace(gain="3.1"),
    },
    corrected="On CIFAR-10 DSWN-SM (80 %) is above WN and OWN, 91.5 against 90.25 and 91.24; on CIFAR-100 (70 %) it is "
    "below OWN, 65.54 against 67.24.",
    corrected_formula=STANDING._replace(data=("CIFAR-10",)),
)
def outperforms(formula: Standing, quick: bool) -> Measured:
    parts = []
    for name in formula.data:
        row = means(formula.table, CIFAR_10 if name == "CIFAR-10" else CIFAR_100)
        if name == "CIFAR-10":
            low = [Fraction(formula.on_cifar_10) - Fraction(HALF_A_DIGIT)]
        else:
            low = [rest_of(str(row[OURS]), formula.gain, relative=relative) for relative in (False, True)]
        ours = " or ".join(f"{float(value):.2f}" for value in low)
        rival = max(row["WN"], row["OWN"])
        ahead = exactly(max(low) > rival, f"DSWN-SM {ours}, WN {row['WN']}, OWN {row['OWN']}")
        parts.append(Part(f"sec. 4.1.1 and {name}", [ahead], {"DSWN-SM": ours, **printed(row)}))
    return Measured(consistency=parts)


@claim(
    "DSWN-S412-30",
    place="sec. 4.1.2",
    statement="On CIFAR-10 the 30 % with which DSWN-SM reaches the best accuracy of CGES are 40 % fewer than CGES "
    "uses: CGES uses 70 %, as in sec. 4.1.1.",
    reading="40 % fewer: 40 percentage points of the parameters, or 40 % of those that CGES uses. That the accuracy is "
    "reached is in Fig. 3a alone and is not judged.",
    formula={"DSWN-SM": 30, "fewer": 40, "CGES, sec. 4.1.1": 70},
    faults={
        "CGES with 60 % in sec. 4.1.1": {"DSWN-SM": 30, "fewer": 40, "CGES, sec. 4.1.1": 60},
        "35 %": {"DSWN-SM": 35, "fewer": 40, "CGES, sec. 4.1.1": 70},
        "30 % fewer": {"DSWN-SM": 30, "fewer": 30, "CGES, sec. 4.1.1": 70},
    },
)
def forty_fewer(formula: Mapping[str, int], quick: bool) -> Measured:
    ours, fewer, theirs = (Fraction(value) for value in formula.values())
    readings = []
    for text, implied in (
        ("percentage points of all parameters", ours + fewer),
        ("per cent of those of CGES", ours / (1 - fewer / 100)),
    ):
        note = f"CGES would use {float(implied):g} %, sec. 4.1.1 says {theirs} %"
        witness: Json = {"implied": f"{float(implied):g} %", "sec. 4.1.1": f"{theirs} %"}
        readings.append(Reading(text, (), [Part("CGES in both sections", [exactly(implied == theirs, note)], witness)]))
    return Measured(readings=readings)


class Own(NamedTuple):
    """The share of DSWN-SM, its accuracy, and Table 2."""

    share: int
    accuracy: str
    table: Table2


AGAINST_OWN: Final = Own(80, "91.5", TABLE_2)


@claim(
    "DSWN-S412-OWN",
    place="sec. 4.1.2",
    statement="On CIFAR-10 DSWN-SM with fewer parameters is more accurate than OWN with all: VGG, 80 %, 91.5 against "
    "91.24.",
    reading="the accuracies of VGG are those of sec. 4.1.1 and of Table 2; 91.5 stands for at least 91.45. OWN on "
    "BN-Inception and other shares are in Fig. 3c alone and are not judged.",
    formula=AGAINST_OWN,
    faults={
        "all parameters": AGAINST_OWN._replace(share=100),
        "within the rounding": AGAINST_OWN._replace(accuracy="91.2"),
        "OWN above": AGAINST_OWN._replace(table=changed2("OWN", CIFAR_10, "91.60")),
    },
)
def above_own(formula: Own, quick: bool) -> Measured:
    own = means(formula.table, CIFAR_10)["OWN"]
    low = Decimal(formula.accuracy) - HALF_A_DIGIT
    witness: Json = {"DSWN-SM": formula.accuracy, "OWN": str(own), "share": formula.share}
    return Measured(
        parts=[
            Part("fewer", [exactly(formula.share < 100, f"{formula.share} % of them")], witness),
            Part("more accurate", [exactly(low > own, f"at least {low} against {own}")], witness),
        ]
    )


class Implied(NamedTuple):
    """DSWN-NM's gain over DSWN-SM on CIFAR-100, the accuracy claimed to follow, and Table 2 in rising order."""

    gain: str
    accuracy: str
    below: tuple[str, ...]
    above: tuple[str, ...]
    table: Table2


IMPLIED: Final = Implied("2.1", "65.54", ("Standard",), ("WN", "OWN", OURS), TABLE_2)


@claim(
    "DSWN-S423-21",
    place="sec. 4.2.3",
    statement="On CIFAR-100 with VGG DSWN-NM is 2.1 points above DSWN-SM (70 %), which therefore has 65.54 %: above "
    "Standard (64.72), below WN (65.83) and OWN (67.24).",
    hypotheses=("trained as for Table 2",),
    reading="per cent of a difference of accuracies are points, as sec. 4.2.1 uses it of Table 1. Fig. 6b alone could "
    "confirm the gain.",
    formula=IMPLIED,
    faults={
        "above OWN": IMPLIED._replace(below=("Standard", "WN", "OWN"), above=(OURS,)),
        "another accuracy": IMPLIED._replace(accuracy="65.45"),
        "a smaller gain": IMPLIED._replace(gain="1.2"),
        "WN below": IMPLIED._replace(table=changed2("WN", CIFAR_100, "65.43")),
    },
)
def implied(formula: Implied, quick: bool) -> Measured:
    row = means(formula.table, CIFAR_100)
    value = row[OURS] - Decimal(formula.gain)
    share = rest_of(str(row[OURS]), formula.gain, relative=True)
    below = all(row[method] < value - HALF_A_DIGIT for method in formula.below)
    above = all(row[method] > value + HALF_A_DIGIT for method in formula.above)
    witness: Json = {"DSWN-SM": str(value), **printed(row)}
    message = (
        f"As a share, the gain would leave {float(share):.2f}, above WN, still below OWN; sec. 4.1.1 calls DSWN-SM "
        "better than both."
    )
    return Measured(
        parts=[
            Part("implied", [exactly(value == Decimal(formula.accuracy), f"{row[OURS]} − {formula.gain}")], witness),
            Part("standing", [exactly(below and above, "beyond the rounding of the gain")], witness),
        ],
        message=message,
    )


MANY: Final = MappingProxyType({"sec. 4.2.3": False, "abstract": True, "sec. 1": True, "sec. 4.1.1": True})
"""Place → whether it says that DSWN-SM does well on the data sets used, CIFAR-100 among them."""


@claim(
    "DSWN-S423-MULTI",
    place="sec. 4.2.3, abstract, 5",
    statement="DSWN-SM does not do well with many classes (sec. 4.2.3); its accuracy stays high (abstract), and on "
    "CIFAR-100 it generalizes best (sec. 4.1.1).",
    reading="well and high are said of the method without a rival; sec. 4.1.1 says 'best' among DSWN-SM, ES and CGES, "
    "and 'outperforms' of WN and OWN. CIFAR-100 is the data set of many classes.",
    formula=(MANY, "2.1", TABLE_2),
    faults={
        "well everywhere": ({**MANY, "sec. 4.2.3": True}, "2.1", TABLE_2),
        "the abstract agrees, sec. 4.1.1 does not": ({**MANY, "abstract": False, "sec. 1": False}, "2.1", TABLE_2),
        "not well, yet above WN and OWN": (dict.fromkeys(MANY, False), "0.2", TABLE_2),
    },
    corrected="On CIFAR-100 DSWN-SM (70 %) is, by the text, above Standard (65.54 against 64.72), ES and CGES, and "
    "below OWN and DSWN-NM: there it does not keep the accuracy of the orthogonal method that it prunes.",
    corrected_formula=(dict.fromkeys(MANY, False), "2.1", TABLE_2),
)
def many_classes(formula: tuple[Mapping[str, bool], str, Table2], quick: bool) -> Measured:
    places, gain, table = formula
    row = means(table, CIFAR_100)
    values = [rest_of(str(row[OURS]), gain, relative=relative) for relative in (False, True)]
    level = all(value >= row["OWN"] for value in values)
    note = f"{float(values[0]):.2f} or {float(values[1]):.2f} against OWN's {row['OWN']}"
    told: Json = {place: "well" if well else "not well" for place, well in places.items()}
    witness: Json = {"said": told, "DSWN-SM by sec. 4.2.3": f"{float(values[0]):.2f}", **printed(row)}
    one = said("reading", len(set(places.values())) == 1, "one method, one data set")
    return Measured(
        consistency=[
            Part("one judgement in all places", [one], witness),
            Part(
                "the judgements and Table 2",
                [exactly(all(well == level for well in places.values()), note)],
                witness,
            ),
        ]
    )
