"""Norm loss: what the prose asserts of data, times, factors and figures, and the statements that only define."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from wnverify.experiments.published.norm_loss_tables import HOURS, OTHER_SCHEDULE, TABLE_2
from wnverify.finding import Evidence, Json
from wnverify.papers.arithmetic import exactly
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.norm_loss.results import RESNET, Table

Numbers = Mapping[str, float | None]


def only_there(place: str, missing: list[str]) -> Evidence:
    """Nothing in the text holds what is asked."""
    return said("reading", None, f"only {place} could tell {', '.join(missing)}, and the text does not contain it")


@claim(
    "NL-P-DATA",
    place="Sec. V",
    statement="CIFAR-10 and CIFAR-100 have 50,000 training and 10,000 test images of 32×32; ImageNet 1.281 million "
    "training and 50,000 validation images, 50 for each class, hence 1000 classes.",
    formula={"train": 50_000, "test": 10_000, "validation": 50_000, "per class": 50, "classes": 1000},
    faults={
        "100 a class": {"train": 50_000, "test": 10_000, "validation": 50_000, "per class": 100, "classes": 1000},
        "60,000 training images": {
            "train": 60_000,
            "test": 10_000,
            "validation": 50_000,
            "per class": 50,
            "classes": 1000,
        },
        "10,000 validation images": {
            "train": 50_000,
            "test": 10_000,
            "validation": 10_000,
            "per class": 50,
            "classes": 1000,
        },
    },
)
def data_sets(formula: Mapping[str, int], quick: bool) -> Measured:
    # 60,000 images in all, in 10 or 100 classes of equal size; ImageNet 2012 has 1000 classes.
    cifar = formula["train"] + formula["test"] == 60_000 and formula["test"] == 10_000
    even = all(formula[name] % classes == 0 for name in ("train", "test") for classes in (10, 100))
    imagenet = formula["per class"] * formula["classes"] == formula["validation"]
    witness: Json = dict(formula)
    return Measured(
        parts=[
            Part("CIFAR", [exactly(cifar and even, "60,000 images in classes of equal size")], witness),
            Part("ImageNet", [exactly(imagenet, "images a class times classes")], witness),
        ]
    )


IMAGES, SMALLEST_MAP = 128, 8 * 8
"""ResNet110 on CIFAR-10: images a step (Sec. V-C), and positions of its smallest feature maps."""


class Overhead(NamedTuple):
    """Hours of training with weight decay and with norm loss, and the largest share of the former that is said to be
    added."""

    hours: Mapping[str, str]
    largest: Decimal


NEGLIGIBLE: Final = Overhead(HOURS, Decimal("0.01"))


@claim(
    "NL-P-TIME",
    place="Sec. V-C, abstract, conclusion",
    statement="Training ResNet110 on CIFAR-10 takes 4.56 h with weight decay and 4.79 h with norm loss; the overhead "
    "is negligible, orders of magnitude below the cost of the layers (Sec. IV-B).",
    reading="orders of magnitude: at most a hundredth of the time, where the counts of Sec. IV-B allow less than a "
    "thousandth even at the smallest feature maps of this network.",
    formula=NEGLIGIBLE,
    faults={
        "a tenth more": NEGLIGIBLE._replace(hours={"wd": "4.56", "nl": "5.02"}),
        "two per cent": NEGLIGIBLE._replace(hours={"wd": "4.56", "nl": "4.65"}),
    },
    corrected="The measured overhead is 5.0 % of the training time, 14 minutes: small, but not what the operation "
    "count gives.",
    corrected_formula=NEGLIGIBLE._replace(largest=Decimal("0.0505")),
)
def overhead(formula: Overhead, quick: bool) -> Measured:
    before, after = (Decimal(formula.hours[method]) for method in ("wd", "nl"))
    share = (after - before) / before
    # (3 N + C_o) / (6 m N I_h I_w) of Sec. IV-B; C_o is at most N / 9 for 3×3 filters.
    counted = (3 + Decimal(1) / 9) / (6 * IMAGES * SMALLEST_MAP)
    witness: Json = {
        "measured": f"{100 * share:.2f} % ({before} h, {after} h)",
        "counted": f"at most {100 * counted:.4f} %",
    }
    note = f"measured {100 * share:.1f} % of the time, counted at most {100 * counted:.4f} %"
    agree = exactly(share <= formula.largest, note)
    small = exactly(counted < Decimal("0.001"), "the count by itself is negligible")
    return Measured(
        parts=[Part("the count", [small], witness)], consistency=[Part("time against count", [agree], witness)]
    )


@claim(
    "NL-P-INFER",
    place="Sec. VI",
    statement="Norm loss costs nothing at inference.",
    reading="what the network computes at inference does not contain the penalty: the loss of eq. 8 is used in "
    "training only, and the weights are used as they are.",
    formula=lambda W, x, penalty: W @ x,
    faults={
        "the weight normalized at inference": lambda W, x, penalty: (W / penalty.norms(W)) @ x,
        "the penalty evaluated": lambda W, x, penalty: W @ x + 0 * penalty(W),
    },
)
def inference(formula: object, quick: bool) -> Measured:
    import numpy as np

    class Counted:
        calls = 0

        def __call__(self, W: np.ndarray) -> float:
            Counted.calls += 1
            return float(((1 - np.linalg.norm(W, axis=1)) ** 2).sum())

        def norms(self, W: np.ndarray) -> np.ndarray:
            Counted.calls += 1
            return np.asarray(np.linalg.norm(W, axis=1, keepdims=True))

    W, x = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([1.0, 2.0])
    out = formula(W, x, Counted())  # type: ignore[operator]
    same = bool((out == W @ x).all())
    witness: Json = {"W": W.tolist(), "x": x.tolist(), "y": np.asarray(out).tolist(), "calls": Counted.calls}
    note = f"the layer's output with {Counted.calls} evaluations of norms"
    return Measured(parts=[Part("no cost", [said("exact", same and Counted.calls == 0, note, power=0.0)], witness)])


@claim(
    "NL-APP-REF",
    place="Appendix",
    statement="The last step of the derivation follows from equations (1) and (2).",
    reading="the numbers are those of the paper: (1) is the soft orthogonality penalty, (2) the gradient step; the "
    "step uses the derivative of the loss and the definition of the norm, which are printed as (13) and (14).",
    formula=(1, 2),
    faults={"(9) and (10)": (9, 10), "(13) alone": (13, 13)},
    corrected="It follows from equations (13) and (14).",
    corrected_formula=(13, 14),
)
def referenced(formula: tuple[int, int], quick: bool) -> Measured:
    printed = {1: "‖WᵀW − I‖", 2: "W − η ∂L/∂W", 9: "Σ w²", 10: "2w", 13: "∂(1 − ‖w‖)² by the chain rule", 14: "‖w‖"}
    needed = {13, 14}
    note = f"({formula[0]}) is {printed[formula[0]]}, ({formula[1]}) is {printed[formula[1]]}"
    witness: Json = {"referred to": list(formula), "used": sorted(needed)}
    return Measured(consistency=[Part("numbers", [said("reading", set(formula) == needed, note)], witness)])


@claim(
    "NL-P-LAMRES",
    place="Secs. V-D, V-E",
    statement="λ_nl is 10⁻² for all ResNet experiments.",
    reading="ResNet50 on ImageNet, with λ_nl = 10⁻⁴ (Sec. V-E), is an experiment with a ResNet; the sentence stands in "
    "the section on CIFAR-100, where it may speak of that data set or of CIFAR alone.",
    formula={"ResNet110 on CIFAR-10": "0.01", "ResNet110 on CIFAR-100": "0.01", "ResNet50 on ImageNet": "0.0001"},
    faults={
        "another factor on CIFAR-10": {
            "ResNet110 on CIFAR-10": "0.001",
            "ResNet110 on CIFAR-100": "0.01",
            "ResNet50 on ImageNet": "0.0001",
        },
        "another factor on CIFAR-100": {
            "ResNet110 on CIFAR-10": "0.01",
            "ResNet110 on CIFAR-100": "0.001",
            "ResNet50 on ImageNet": "0.0001",
        },
    },
)
def one_factor(formula: Mapping[str, str], quick: bool) -> Measured:
    readings = []
    for text, chosen in (
        ("all ResNet experiments of the paper", formula),
        ("all ResNet experiments on CIFAR", {k: v for k, v in formula.items() if "CIFAR" in k}),
    ):
        other = {name: value for name, value in chosen.items() if Decimal(value) != Decimal("0.01")}
        note = "; ".join(f"{name}: {value}" for name, value in chosen.items())
        part = Part("one factor", [exactly(not other, note)], dict(other) or {"others": "none"})
        readings.append(Reading(text, [], [part]))
    return Measured(readings=readings)


@claim(
    "NL-P-2749",
    place="Sec. V-D",
    statement="The baselines of ResNet110 on CIFAR-100 are 25.42 % and 27.49 % accuracy.",
    reading="one number is that of Bansal et al., the other the authors' own; both are compared with what Table II and "
    "the same section print for the authors' weight decay.",
    formula=("accuracy", ("25.42", "27.49"), TABLE_2 + OTHER_SCHEDULE),
    faults={"other numbers, still called accuracy": ("accuracy", ("25.42", "27.94"), TABLE_2 + OTHER_SCHEDULE)},
    corrected="They are errors, and the authors' own baseline is 27.9 (Table II) or 27.56 (the other schedule).",
    corrected_formula=("error", ("25.42", "27.9"), TABLE_2 + OTHER_SCHEDULE),
)
def baselines(formula: tuple[str, tuple[str, str], Table], quick: bool) -> Measured:
    quantity, pair, rows = formula
    own = [row for row in rows if row.network == RESNET and row.method == "wd"]
    printed = {text for row in own for text in (row.best, row.mean) if text}
    errors = [Decimal(text) for text in printed]
    near = all(min(abs(Decimal(text) - error) for error in errors) < 5 for text in pair)
    as_accuracy = all(min(abs(100 - Decimal(text) - error) for error in errors) < 5 for text in pair)
    right = {"error": near, "accuracy": as_accuracy}[quantity]
    found = sorted(set(pair) & printed)
    witness: Json = {"called": quantity, "numbers": list(pair), "own baseline errors": sorted(printed)}
    return Measured(
        consistency=[
            Part("quantity", [exactly(right, f"as {quantity} they would be near errors of 25 to 29 %")], witness),
            Part("provenance", [exactly(bool(found), f"printed elsewhere: {', '.join(found) or 'neither'}")], witness),
        ]
    )


@claim(
    "NL-T2-BASELIT",
    place="Sec. V-D",
    statement="The schedule used for Table II gives a baseline that matches the literature.",
    reading="the baseline: weight decay for ResNet110, whose error in the literature meant is not printed.  The one "
    "literature baseline that is, of [14] (25.42 or 27.49, see NL-P-2749), matches neither schedule, and the schedule "
    "not used gives the lower error (28.094 against 28.398).",
    formula={"literature": None, "Table II": 28.398, "other schedule": 28.094},
    faults={
        "the literature nearer to the other": {"literature": 28.0, "Table II": 28.398, "other schedule": 28.094},
        "the literature far away": {"literature": 25.42, "Table II": 28.398, "other schedule": 28.094},
    },
)
def baseline_matches(formula: Numbers, quick: bool) -> Measured:
    known = formula["literature"]
    witness: Json = dict(formula)
    if known is None:
        return Measured(parts=[Part("match", [only_there("the cited work", ["the literature's error"])], witness)])
    table, other = (abs((formula[name] or 0.0) - known) for name in ("Table II", "other schedule"))
    return Measured(parts=[Part("match", [exactly(table < other and table < 0.1, f"misses by {table:.3f}")], witness)])


@claim(
    "NL-T1-SRIP",
    place="Sec. V-C",
    statement="Norm loss also beats the reported result of SRIP on ResNet110 and CIFAR-10.",
    reading="the result is left out of Table I, and not printed.",
    formula={"nl": 5.996, "SRIP": None},
    faults={"SRIP better": {"nl": 5.996, "SRIP": 5.0}, "a tie": {"nl": 5.996, "SRIP": 5.996}},
)
def beats_srip(formula: Numbers, quick: bool) -> Measured:
    ours, theirs = formula["nl"], formula["SRIP"]
    witness: Json = dict(formula)
    if ours is None or theirs is None:
        return Measured(parts=[Part("better", [only_there("the cited work", ["the error of SRIP"])], witness)])
    return Measured(parts=[Part("better", [exactly(ours < theirs, f"{ours} against {theirs}")], witness)])


@claim(
    "NL-P-FIGS",
    place="Secs. V-A, V-B, V-C, Figs. 2–6",
    statement="Norm loss is less sensitive to λ, trains faster, is steadier over batch sizes, and 64 is the best batch "
    "size for both.",
    reading="each is a comparison of curves in figures 2 to 6.",
    formula={"spread over λ": None, "epochs": None, "spread over batch sizes": None, "best batch size": None},
    faults={
        "more sensitive": {"spread over λ": 1.5, "epochs": 0.8, "spread over batch sizes": 0.5, "best batch size": 64},
        "slower": {"spread over λ": 0.5, "epochs": 1.2, "spread over batch sizes": 0.5, "best batch size": 64},
        "128 best": {"spread over λ": 0.5, "epochs": 0.8, "spread over batch sizes": 0.5, "best batch size": 128},
    },
)
def in_figures(formula: Numbers, quick: bool) -> Measured:
    missing = [name for name, value in formula.items() if value is None]
    witness: Json = dict(formula)
    if missing:
        return Measured(parts=[Part("curves", [only_there("the figures", missing)], witness)])
    ratios = [value for name, value in formula.items() if name != "best batch size"]
    holds = all(ratio is not None and ratio < 1 for ratio in ratios) and formula["best batch size"] == 64
    return Measured(parts=[Part("curves", [exactly(holds, "norm loss over weight decay")], witness)])


@claim(
    "NL-P-BATCH128",
    place="Sec. V-B",
    statement="On CIFAR-100 (WRN) norm loss is better for most batch sizes, weight decay at 128 only.",
    reading="the errors for batch sizes 8 to 128 are in figure 4.",
    formula={"8": None, "16": None, "32": None, "64": None, "128": None},
    faults={
        "better at 128 too": {"8": -1.0, "16": -1.0, "32": -1.0, "64": -1.0, "128": -0.1},
        "worse at 64": {"8": -1.0, "16": -1.0, "32": -1.0, "64": 0.2, "128": 0.1},
    },
)
def opposite_at_128(formula: Numbers, quick: bool) -> Measured:
    missing = [f"the errors at {size}" for size, value in formula.items() if value is None]
    witness: Json = dict(formula)
    if missing:
        return Measured(parts=[Part("sizes", [only_there("figure 4", missing)], witness)])
    worse = [size for size, value in formula.items() if value is not None and value > 0]
    return Measured(parts=[Part("sizes", [exactly(worse == ["128"], f"worse at {', '.join(worse)}")], witness)])


@claim(
    "NL-P-SOFTER",
    place="Sec. II",
    statement="The approach is softer than all cited ones except weight decay.",
    reading="softness is given no measure, and the cited works are not compared by one.",
    formula={"norm loss": None, "soft orthogonality": None, "weight decay": None},
    faults={
        "harder than soft orthogonality": {"norm loss": 2.0, "soft orthogonality": 1.0, "weight decay": 0.5},
        "softer than weight decay": {"norm loss": 0.2, "soft orthogonality": 1.0, "weight decay": 0.5},
    },
)
def softer(formula: Numbers, quick: bool) -> Measured:
    ours, orthogonal, decay = (formula[name] for name in ("norm loss", "soft orthogonality", "weight decay"))
    witness: Json = dict(formula)
    if ours is None or orthogonal is None or decay is None:
        route = said("reading", None, "no measure of softness is stated, here or in what is cited")
        return Measured(parts=[Part("order", [route], witness)])
    return Measured(parts=[Part("order", [exactly(decay < ours < orthogonal, "as measured")], witness)])


@claim(
    "NL-P-LAMCONV",
    place="Secs. IV–V (implied)",
    statement="The values of λ_wd, taken from the original papers, and those of λ_nl are on one scale, that of eqs. 9 "
    "and 10: gradient 2 λ w.",
    reading="with eqs. 8 to 10 the gradient of λ Σ w² is 2 λ w; the programs of the papers that are cited for 5·10⁻⁴ "
    "and 10⁻⁴ add λ w. Which of them the authors ran is not printed.",
    formula={"factor of w in the authors' weight decay": None},
    faults={
        "λ w": {"factor of w in the authors' weight decay": 1.0},
        "λ w / 2": {"factor of w in the authors' weight decay": 0.5},
    },
)
def one_scale(formula: Numbers, quick: bool) -> Measured:
    factor = formula["factor of w in the authors' weight decay"]
    witness: Json = dict(formula)
    if factor is None:
        return Measured(
            parts=[Part("scale", [only_there("the authors' program", ["which gradient it adds"])], witness)]
        )
    return Measured(parts=[Part("scale", [exactly(factor == 2.0, f"adds {factor} λ w, eq. 10 says 2 λ w")], witness)])
