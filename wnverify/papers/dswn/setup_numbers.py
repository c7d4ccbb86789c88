"""DSWN, section 4: methods compared, data sets and learning rate, by arithmetic on the numbers of the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from wnverify.experiments.published.dswn_tables import TABLE_1, TABLE_2
from wnverify.finding import Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, Reading, claim, said


class Methods(NamedTuple):
    """The numbers of the list, its names, those that tables and text of section 4 use, and the share of Standard."""

    numbered: tuple[int, ...]
    named: tuple[str, ...]
    used: tuple[str, ...]
    standard: int


NAMES: Final = ("Standard", "ES", "CGES", "DSWN-SM", "WN", "QR", "OWN", "DSWN-NM")
USED: Final = (*dict.fromkeys((*TABLE_1, *TABLE_2)), "ES", "CGES", "DSWN-SM")
"""The methods of the tables, and those of which secs. 4.1.1 and 4.1.2 speak."""
METHODS: Final = Methods((1, 2, 3, 4, 5, 6, 7, 8), NAMES, USED, 100)


@claim(
    "DSWN-S4-NMETH",
    place="sec. 4",
    statement="Eight methods, numbered (1) to (8), are compared; Standard uses 100 % of the parameters.",
    reading="each number is given once, each name is another method, each occurs in a table or in the text of the "
    "experiments; the two that the paper proposes are counted among the eight.",
    formula=METHODS,
    faults={
        "seven names": METHODS._replace(named=NAMES[:-1], used=NAMES[:-1]),
        "a name twice": METHODS._replace(named=(*NAMES[:-1], "OWN")),
        "one never used": METHODS._replace(used=NAMES[:5] + NAMES[6:]),
        "Standard with 90 %": METHODS._replace(standard=90),
    },
)
def methods(formula: Methods, quick: bool) -> Measured:
    count = len(formula.numbered)
    counted = formula.numbered == tuple(range(1, 9)) and len(set(formula.named)) == len(formula.named) == count
    used = set(formula.used) == set(formula.named)
    # Sec. 4.1.1: DSWN-SM with 60 % has 40 % fewer parameters than Standard.
    full = formula.standard == 60 + 40
    witness: Json = {"numbers": list(formula.numbered), "names": list(formula.named), "used": list(formula.used)}
    return Measured(
        parts=[
            Part("count", [exactly(counted, f"{count} numbers, {len(set(formula.named))} names")], witness),
            Part("each is used", [exactly(used, "names of Tables 1, 2 and secs. 4.1.1, 4.1.2")], witness),
            Part("Standard", [exactly(full, "60 % + 40 % by sec. 4.1.1")], {"Standard": formula.standard}),
        ]
    )


class Task(NamedTuple):
    """What section 4 calls the data sets of DSWN-SM, and what section 4.1 does with them."""

    announced: str
    data: tuple[str, ...]
    measured: str
    classes: bool


TASK: Final = Task("retrieval", ("CIFAR-10", "CIFAR-100"), "accuracy", True)


@claim(
    "DSWN-S4-RETR",
    place="sec. 4",
    statement="The sparsity measurement is tried on two image retrieval data sets.",
    reading="a retrieval data set is used with queries and a ranking (precision, recall); images of labelled classes "
    "whose label is predicted, judged by top-1 accuracy, make a classification data set.",
    formula=TASK,
    faults={
        "three of them, for retrieval": TASK._replace(data=("CIFAR-10", "CIFAR-100", "MNIST")),
        "called a detection": TASK._replace(announced="detection"),
        "classification of three": Task("classification", ("CIFAR-10", "CIFAR-100", "PIE"), "accuracy", True),
    },
    corrected="The sparsity measurement is tried on two image classification data sets, CIFAR-10 and CIFAR-100.",
    corrected_formula=TASK._replace(announced="classification"),
)
def retrieval(formula: Task, quick: bool) -> Measured:
    two = len(formula.data) == 2
    done = "classification" if formula.classes and formula.measured == "accuracy" else "retrieval"
    witness: Json = {"sec. 4": formula.announced, "sec. 4.1": done, "data sets": list(formula.data)}
    note = "sec. 4.1 counts images per class and reports test error and top-1 accuracy; no query, no ranking"
    return Measured(
        consistency=[
            Part("two data sets", [exactly(two, f"{len(formula.data)} in sec. 4.1")], witness),
            Part("the task", [said("reading", formula.announced == done, note)], witness),
        ]
    )


class Images(NamedTuple):
    """Images in all, classes, and images of each class to train on and to test on."""

    total: int
    classes: int
    train: int
    test: int
    names: tuple[str, ...] = ()


ANIMALS_AND_VEHICLES: Final = (
    *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
CIFAR_10: Final = Images(60_000, 10, 5_000, 1_000, ANIMALS_AND_VEHICLES)
CIFAR_100: Final = Images(60_000, 100, 500, 100)


def _adds_up(images: Images) -> Measured:
    product = images.classes * (images.train + images.test)
    split = (images.classes * images.train, images.classes * images.test)
    witness: Json = {"in all": images.total, "classes × images": product, "training": split[0], "test": split[1]}
    note = f"{images.classes} · ({images.train} + {images.test}) = {product}"
    parts = [
        Part("sum", [exactly(product == images.total, note)], witness),
        Part("split", [exactly(split == (50_000, 10_000), "50,000 to train, 10,000 to test, as published")], witness),
    ]
    if images.names:
        named = len(set(images.names))
        parts.append(Part("names", [exactly(named == images.classes, f"{named} classes are named")], {"named": named}))
    return Measured(parts=parts)


@claim(
    "DSWN-S41-C10",
    place="sec. 4.1",
    statement="CIFAR-10 has 60,000 images in 10 classes, 5,000 to train on and 1,000 to test on in each.",
    formula=CIFAR_10,
    faults={
        "6,000 to train on": CIFAR_10._replace(train=6_000),
        "50,000 in all": CIFAR_10._replace(total=50_000),
        "nine named": CIFAR_10._replace(names=ANIMALS_AND_VEHICLES[1:]),
        "parts exchanged": CIFAR_10._replace(train=1_000, test=5_000),
    },
)
def cifar_10(formula: Images, quick: bool) -> Measured:
    return _adds_up(formula)


@claim(
    "DSWN-S41-C100",
    place="sec. 4.1",
    statement="CIFAR-100 has 100 classes with 500 images to train on and 100 to test on in each, 60,000 as CIFAR-10.",
    formula=CIFAR_100,
    faults={
        "20 classes": CIFAR_100._replace(classes=20),
        "600 to train on": CIFAR_100._replace(train=600),
        "parts exchanged": CIFAR_100._replace(train=100, test=500),
    },
)
def cifar_100(formula: Images, quick: bool) -> Measured:
    return _adds_up(formula)


START: Final = Decimal("0.05")


def _factor(end: str, steps: int) -> Callable[[], Decimal]:
    return lambda: Decimal(end) ** (Decimal(1) / steps)


@claim(
    "DSWN-S41-LR",
    place="sec. 4.1",
    statement="The learning rate is 0.05 in epoch 1, each epoch multiplies it by 0.01^(1/99) = 0.95455, and it is "
    "0.0005, 1 % of 0.05, in epoch 100.",
    hypotheses=("100 epochs", "one factor for all epochs"),
    reading="1 % may be of the initial rate or the rate 0.01 itself; the decay may take 99 steps, from the first "
    "epoch to the last, or 100, one in every epoch. The text does not print the factor.",
    formula=_factor("0.01", 99),
    faults={
        "0.95": lambda: Decimal("0.95"),
        "1 % in ten epochs": _factor("0.01", 10),
        "a tenth": _factor("0.1", 99),
        "no decay": lambda: Decimal(1),
    },
)
def learning_rate(formula: Callable[[], Decimal], quick: bool) -> Measured:
    factor = formula()
    readings = []
    for text, end, steps in (
        ("to 1 % of 0.05, epoch 1 at 0.05: 99 steps", Decimal("0.0005"), 99),
        ("to 1 % of 0.05, a step in each of the 100 epochs", Decimal("0.0005"), 100),
        ("to the rate 0.01, epoch 1 at 0.05: 99 steps", Decimal("0.01"), 99),
    ):
        right = (end / START) ** (Decimal(1) / steps)
        # Two numbers of 28 digits; the factors of the readings differ by 4e-4 and more.
        near = abs(factor - right) < Decimal("1e-20")
        by_steps = START
        for _ in range(steps):
            by_steps *= factor
        arrives = abs(by_steps - end) < Decimal("1e-20")
        witness: Json = {"factor": f"{factor:.6f}", "needed": f"{right:.6f}", "rate at the end": f"{by_steps:.6f}"}
        routes = [
            exactly(near, f"factor {right:.5f}"),
            said("exact", arrives, f"0.05 multiplied {steps} times gives {by_steps:.6f}", power=1e-18),
        ]
        readings.append(Reading(text, [Part("factor", routes, witness)]))
    message = "0.95455 by the first reading, 0.95499 by the second, 0.98388 by the third."
    return Measured(readings=readings, message=message)


class Digits(NamedTuple):
    """MNIST as printed: images said to be for training, and in each class to train and to test on."""

    training: int
    total: int
    train: int
    test: int


MNIST_TRAIN: Final = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
MNIST_TEST: Final = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
"""Images of the digits 0 to 9 in the published files."""
DIGITS: Final = Digits(70_000, 70_000, 6_000, 1_000)


@claim(
    "DSWN-S42-MNIST",
    place="sec. 4.2.1",
    statement="MNIST has 70,000 images of 28×28 for training; 6,000 to train on and 1,000 to test on in each class.",
    hypotheses=("ten classes",),
    reading="images per class are averages over the classes: in the published files they are between 5,421 and 6,742, "
    "and between 892 and 1,135.",
    formula=DIGITS,
    faults={
        "7,000 to train on": DIGITS._replace(train=7_000),
        "10,000 for training": DIGITS._replace(training=10_000),
        "60,000 in all": DIGITS._replace(training=60_000, total=60_000),
    },
    corrected="70,000 images in all, 60,000 for training and 10,000 for test; 6,000 and 1,000 a class on average.",
    corrected_formula=DIGITS._replace(training=60_000),
)
def mnist(formula: Digits, quick: bool) -> Measured:
    classes = len(MNIST_TRAIN)
    train, test = classes * formula.train, classes * formula.test
    witness: Json = {"called for training": formula.training, "10 × train": train, "10 × test": test}
    note = f"{formula.training} for training against 10 · {formula.train} = {train}"
    whole = exactly(train + test == formula.total, f"10 · ({formula.train} + {formula.test}) = {train + test}")
    average = (sum(MNIST_TRAIN), sum(MNIST_TEST)) == (train, test)
    return Measured(
        parts=[Part("averages", [exactly(average, "60,000 and 10,000 images in the published files")], witness)],
        consistency=[
            Part("training", [exactly(formula.training == train, note)], witness),
            Part("in all", [whole], witness),
        ],
        message="No class has exactly 6,000 training images, nor any exactly 1,000 test images.",
    )


PIE: Final[Mapping[str, int]] = MappingProxyType({"images": 11_544, "classes": 68, "test": 1_340, "training": 10_204})


@claim(
    "DSWN-S42-PIE",
    place="sec. 4.2.1",
    statement="PIE: of 11,544 images of 68 classes 1,340 are for test, the other 10,204 for training.",
    reading="the text gives no number of training images: it is the difference. That the sample is 11,544 images of "
    "the published set is not judged.",
    formula=PIE,
    faults={
        "10,214 for training": {**PIE, "training": 10_214},
        "1,430 for test": {**PIE, "test": 1_430},
        "more for test than there are": {**PIE, "test": 12_000, "training": -456},
    },
)
def pie(formula: Mapping[str, int], quick: bool) -> Measured:
    rest = formula["images"] - formula["test"]
    witness: Json = {**formula, "images − test": rest}
    possible = formula["classes"] <= formula["test"] < formula["images"] and formula["training"] > 0
    return Measured(
        parts=[
            Part("difference", [exactly(rest == formula["training"], f"images − test = {rest}")], witness),
            Part("possible", [exactly(possible, "every class can be in both parts")], witness),
        ],
        message="Neither 11,544 nor 1,340 is a multiple of 68: the classes are not equal in size.",
    )
