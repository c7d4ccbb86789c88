"""DSWN, section 4.2: what Tables 1 and 2 allow and show beyond their numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, NamedTuple

from wnverify.experiments.published.dswn_tables import CIFAR_10, CIFAR_100, MNIST, PIE, TABLE_1, TABLE_2, Table1, Table2
from wnverify.finding import Json, seed_of
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, Reading, claim, said, worse
from wnverify.papers.dswn.numbers import OURS, RUNS, TEST_IMAGES, changed1, changed2, column, means, printed
from wnverify.papers.dswn.table_numbers import best

Runs = tuple[Mapping[str, Callable[[int], bool]], Mapping[str, int], Table1]
MOST_RUNS: Final = 12
"""From eight runs on the step of a mean over 1,340 images, 100 / (1,340 k), is below 0.01: all numbers can occur."""
WHICH: Final = MappingProxyType({"MNIST": lambda k: True, "PIE": lambda k: k == 5 or k >= 7})


@claim(
    "DSWN-T1-GRIM",
    place="Table 1 (derived)",
    statement="All accuracies of Table 1 can be means of k runs: on the 10,000 images of MNIST for every k ≥ 1; on the "
    "1,340 of PIE for k = 5 and every k ≥ 7, and for no other k: a single run is excluded.",
    hypotheses=("1,340 test images of PIE, 10,000 of MNIST", "the same k for all methods"),
    reading="each printed number is the mean rounded to two decimals, in either direction at a half.",
    formula=(WHICH, TEST_IMAGES, TABLE_1),
    faults={
        "a single run": ({**WHICH, "PIE": lambda k: True}, TEST_IMAGES, TABLE_1),
        "six runs": ({**WHICH, "PIE": lambda k: k >= 5}, TEST_IMAGES, TABLE_1),
        "not five runs": ({**WHICH, "PIE": lambda k: k >= 7}, TEST_IMAGES, TABLE_1),
        "1,430 test images": (WHICH, {**TEST_IMAGES, "PIE": 1_430}, TABLE_1),
        "one run possible on 1,000 digits": (WHICH, {**TEST_IMAGES, "MNIST": 1_000}, TABLE_1),
    },
)
def possible_means(formula: Runs, quick: bool) -> Measured:
    told, images, table = formula
    parts = []
    for name, index in (("MNIST", MNIST), ("PIE", PIE)):
        row = column(table, index)
        claimed = [k for k in range(1, MOST_RUNS + 1) if told[name](k)]
        counts = range(1, MOST_RUNS + 1)
        by_bounds = [k for k in counts if all(_between(x, k * images[name]) for x in row.values())]
        by_rounding = [k for k in counts if all(_rounds(x, k * images[name]) for x in row.values())]
        witness: Json = {"claimed": list(claimed), "possible": list(by_bounds), **printed(row)}
        tail = Fraction(100, images[name] * MOST_RUNS) <= Fraction(1, 100)
        routes = [
            exactly(claimed == by_bounds and tail, f"k ≤ {MOST_RUNS}: {by_bounds}; the step is fine enough beyond"),
            said("exact", claimed == by_rounding and tail, "nearest counts, rounded back", power=0.0),
        ]
        parts.append(Part(name, routes, witness))
    message = "The five runs of Table 2 are among those possible for Table 1, whose caption gives no number."
    return Measured(parts=parts, message=message)


def _between(printed_number: Decimal, answers: int) -> bool:
    """Whether a whole number of right answers lies within half a digit of the printed percentage."""
    low, high = (Fraction(printed_number) + sign * Fraction(1, 200) for sign in (-1, 1))
    return math.ceil(low * answers / 100) <= math.floor(high * answers / 100)


def _rounds(printed_number: Decimal, answers: int) -> bool:
    """Whether one of the nearest counts, as a percentage, is off by half a digit at most."""
    guess = int(printed_number * answers / 100)
    return any(abs(100 * Decimal(s) / answers - printed_number) <= Decimal("0.005") for s in (guess, guess + 1))


class Ordered(NamedTuple):
    """Epochs that DSWN-NM needs to reach the final error of WN and of OWN, and their accuracies."""

    epochs: Mapping[str, tuple[int, int]]
    one: Table1
    two: Table2


EPOCHS: Final = MappingProxyType({"PIE": (7, 13), "CIFAR-10": (10, 16)})


@claim(
    "DSWN-S42-EPOCHS",
    place="sec. 4.2.1, 4.2.2",
    statement="DSWN-NM reaches the final error of WN before that of OWN (7 and 13 epochs on PIE, 10 and 16 on "
    "CIFAR-10), as the tables let expect: WN ends with the higher error on both, DSWN-NM below either.",
    reading="the numbers of epochs are taken as printed: Figs. 4b and 5a alone could confirm them. That the table's "
    "final accuracies are those of the figures is supposed.",
    formula=Ordered(EPOCHS, TABLE_1, TABLE_2),
    faults={
        "13 and 7 exchanged": Ordered({**EPOCHS, "PIE": (13, 7)}, TABLE_1, TABLE_2),
        "OWN below WN on CIFAR-10": Ordered(EPOCHS, TABLE_1, changed2("OWN", CIFAR_10, "90.00")),
        "an error that is never reached": Ordered(EPOCHS, changed1("OWN", PIE, "98.90"), TABLE_2),
        "more epochs than are run": Ordered({**EPOCHS, "CIFAR-10": (10, 160)}, TABLE_1, TABLE_2),
    },
)
def order_of_epochs(formula: Ordered, quick: bool) -> Measured:
    parts = []
    for name, row in (("PIE", column(formula.one, PIE)), ("CIFAR-10", means(formula.two, CIFAR_10))):
        wn, own = formula.epochs[name]
        ordered = (wn < own) == (row["WN"] < row["OWN"]) and row[OURS] > max(row["WN"], row["OWN"])
        note = f"{name}: WN {row['WN']} after {wn}, OWN {row['OWN']} after {own} epochs"
        witness: Json = {"epochs to WN": wn, "epochs to OWN": own, **printed(row)}
        parts.append(Part(name, [exactly(ordered and max(wn, own) <= 100, note)], witness))
    return Measured(parts=parts)


def _best_other(row: Mapping[str, Decimal]) -> str:
    others = {method: value for method, value in row.items() if method != OURS}
    return max(others, key=lambda method: others[method])


def _shares(row: Mapping[str, Decimal], rival: str) -> tuple[Decimal, Decimal]:
    gap = row[OURS] - row[rival]
    return gap, 100 * gap / (100 - row[rival])


@claim(
    "DSWN-S42-MORE",
    place="sec. 4.2.1, end",
    statement="The effect of DSWN-NM is larger in fully connected networks (Table 1) than in the convolutional one "
    "(Table 2).",
    reading="the effect is the gain over OWN, to which neuron scaling is added, or over the best other row; in points, "
    "or as the share of the error that it removes; larger on average over the two data sets of each table, or on each. "
    "The sentence leaves all three open. The cause, more neurons, is not judged.",
    formula=(TABLE_1, TABLE_2),
    faults={
        "no gain on MNIST and PIE": ({**TABLE_1, OURS: ("96.61", "98.54")}, TABLE_2),
        "larger gains on CIFAR": (
            TABLE_1,
            {**TABLE_2, "OWN": (TABLE_2["OWN"][0]._replace(mean="70.00"), TABLE_2["OWN"][1]._replace(mean="20.00"))}
            | {"WN": (TABLE_2["WN"][0]._replace(mean="60.00"), TABLE_2["WN"][1]._replace(mean="20.00"))}
            | {"Standard": (TABLE_2["WN"][0]._replace(mean="60.00"), TABLE_2["WN"][1]._replace(mean="20.00"))},
        ),
    },
)
def more_obvious(formula: tuple[Table1, Table2], quick: bool) -> Measured:
    one, two = formula
    rows = [column(one, MNIST), column(one, PIE), means(two, CIFAR_10), means(two, CIFAR_100)]
    names = ("MNIST", "PIE", "CIFAR-10", "CIFAR-100")
    readings = []
    for over in ("OWN", "the best other row"):
        rivals = ["OWN" if over == "OWN" else _best_other(row) for row in rows]
        for unit, what in enumerate(("points", "share of the error")):
            gains = [_shares(row, rival)[unit] for row, rival in zip(rows, rivals, strict=True)]
            witness: Json = {name: f"{gain:.2f}" for name, gain in zip(names, gains, strict=True)}
            listed = ", ".join(f"{name} {gain:.2f}" for name, gain in zip(names, gains, strict=True))
            for how, larger in (
                ("on average", sum(gains[:2]) > sum(gains[2:])),
                ("on each data set", min(gains[:2]) > max(gains[2:])),
            ):
                part = Part("larger", [exactly(larger, listed)], witness)
                readings.append(Reading(f"over {over}, {what}, {how}", [part]))
    return Measured(readings=readings)


@claim(
    "DSWN-T2-SIG",
    place="Table 2 (derived)",
    statement="The margins of DSWN-NM over each rival exceed the spread between runs: they are larger than either "
    "standard deviation, and Welch's test on five runs finds them significant at 5 %, for both data sets.",
    hypotheses=("five independent runs", "accuracies of runs normal"),
    reading="± is the standard deviation of runs, as the caption says, with divisor n − 1 or n.",
    formula=TABLE_2,
    faults={
        "OWN within the spread": changed2("OWN", CIFAR_100, "67.60"),
        "a wide spread": changed2(OURS, CIFAR_10, "91.74", "0.60"),
        "a margin of one deviation": changed2("OWN", CIFAR_10, "91.61"),
    },
)
def significance(formula: Table2, quick: bool) -> Measured:
    from scipy.special import stdtr

    parts = []
    for name, index in (("CIFAR-10", CIFAR_10), ("CIFAR-100", CIFAR_100)):
        ours = formula[OURS][index]
        for rival in (method for method in formula if method != OURS):
            other = formula[rival][index]
            margin = Decimal(ours.mean) - Decimal(other.mean)
            spread = max(Decimal(ours.deviation), Decimal(other.deviation))
            worst = 0.0
            for divisor in (RUNS - 1, RUNS):
                a, b = (float(cell.deviation) ** 2 * divisor / (RUNS - 1) / RUNS for cell in (ours, other))
                t, freedom = float(margin) / math.sqrt(a + b), (a + b) ** 2 * (RUNS - 1) / (a * a + b * b)
                worst = worse(worst, 2 * float(stdtr(freedom, -t)))
            witness: Json = {"margin": str(margin), "spread": str(spread), "p": f"{worst:.2g}"}
            larger = exactly(margin > spread, f"margin {margin}, larger deviation {spread}")
            welch = said("exact", worst < 0.05, f"Welch's test, two-sided p at most {worst:.2g}", power=1e-12)
            parts.append(Part(f"{name}, {rival}: margin", [larger], witness))
            parts.append(Part(f"{name}, {rival}: test", [welch], witness))
    message = (
        "Against OWN t = 5.9 and 5.0. Were ± the standard error of the mean, against the caption, t would be 2.6 and "
        "2.2, p = 0.03 and 0.06."
    )
    return Measured(parts=parts, message=message)


class Costs(NamedTuple):
    """What is said of the cost at inference of DSWN-NM against a rival's, and of the accuracies."""

    faster: Callable[[int, int], bool]
    one: Table1
    two: Table2


@claim(
    "DSWN-S42-SPEED",
    place="sec. 4.2",
    statement="DSWN-NM has an advantage over existing weight normalizations in performance and in speed at inference.",
    reading="performance is the accuracy of Tables 1 and 2; the cost at inference is that of W x with W computed "
    "once: entries of W other than zero. Computed anew, W of DSWN-NM costs OWN's and the scales besides.",
    formula=Costs(lambda ours, rival: ours < rival, TABLE_1, TABLE_2),
    faults={
        "twice as fast": Costs(lambda ours, rival: 2 * ours <= rival, TABLE_1, TABLE_2),
        "slower": Costs(lambda ours, rival: ours > rival, TABLE_1, TABLE_2),
        "as fast, less accurate": Costs(lambda ours, rival: ours == rival, changed1(OURS, MNIST, "97.00"), TABLE_2),
    },
    corrected="DSWN-NM has the higher accuracy in Tables 1 and 2; at inference it costs what WN and OWN cost, a dense "
    "W of the same shape. What the section reports as faster is training, in epochs.",
    corrected_formula=Costs(lambda ours, rival: ours == rival, TABLE_1, TABLE_2),
)
def speed(formula: Costs, quick: bool) -> Measured:
    import numpy as np

    from wnverify.methods.dswn_neuron_measurement import reference as neuron
    from wnverify.methods.orthogonal_weight_normalization import reference as orthogonal
    from wnverify.methods.weight_normalization import reference as plain

    V = np.random.default_rng(seed_of("dswn", "speed")).standard_normal((2, 5))
    small = np.array([[3.0, 1.0, -1.0, -3.0]])
    parts = []
    for name, rival in (("OWN", orthogonal.forward), ("WN", plain.forward)):
        costs = [(int(np.count_nonzero(neuron.forward(X))), int(np.count_nonzero(rival(X)))) for X in (small, V)]
        holds = [formula.faster(*pair) for pair in costs]
        witness: Json = {"V": small.tolist(), "multiplications, DSWN-NM": costs[0][0], name: costs[0][1]}
        note = f"multiplications of W x, DSWN-NM and {name}: {costs[0]} at n = 1, d = 4, {costs[1]} at n = 2, d = 5"
        rule = formula.faster(V.size, V.size)
        routes = [
            said("property search", all(holds), note, power=0.0),
            exactly(rule, "column scales other than zero leave the zeros of φ(V) as they are: n d each"),
        ]
        parts.append(Part(f"inference against {name}", routes, witness))
    parts += [best("MNIST", column(formula.one, MNIST)), best("PIE", column(formula.one, PIE))]
    parts += [best("CIFAR-10", means(formula.two, CIFAR_10)), best("CIFAR-100", means(formula.two, CIFAR_100))]
    return Measured(parts=parts, message="No time at inference is reported in the paper.")
