"""CWO, Sec. 4.1.4 and Table 3: one constraint or both (WideResNet-28-10), and what Tables 1, 3 and 4 share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from wnverify.experiments.published.cwo_tables import NO_NOISE, TABLE1, TABLE3, TABLE4, Ablation, Noise, Setting, Table1
from wnverify.finding import Json
from wnverify.papers.arithmetic import standard_errors
from wnverify.papers.claims import Measured, claim
from wnverify.papers.cwo.comparison import STANDARD_ERRORS, judged
from wnverify.papers.cwo.tables import TEST_SIZE, known, with_noise

DATA: Final = ("CIFAR-10", "CIFAR-100")
SIGMAS: Final = ("0.0", "1.0")
SINGLE: Final[Mapping[str, tuple[bool, bool]]] = {"centring only": (True, False), "sphere only": (False, True)}


@claim(
    "CWO-T3-SINGLE",
    place="Sec. 4.1.4",
    statement="The sphere alone or the centring alone can make the error larger than neither does.",
    reading="'can': in one of the four columns (data set, σ) at least, for each of the two.",
    formula=TABLE3,
    faults={
        "centring never hurts": {**TABLE3, ("CIFAR-10", True, False, "0.0"): "5.28"},
        "the sphere never hurts": {
            **TABLE3,
            ("CIFAR-10", False, True, "0.0"): "5.28",
            ("CIFAR-10", False, True, "1.0"): "4.92",
        },
    },
)
def one_constraint(formula: Ablation, quick: bool) -> Measured:
    parts, seen = [], list[str]()
    for name, (centred, sphere) in SINGLE.items():
        worse: list[str] = []
        for data in DATA:
            for sigma in SIGMAS:
                alone, neither = (known(formula[data, *pair, sigma]) for pair in ((centred, sphere), (False, False)))
                if alone > neither:
                    worse.append(f"{data}, σ = {sigma}: {alone} against {neither}")
        seen += worse
        parts.append(judged(name, bool(worse), f"worse in {len(worse)} of 4 columns", {"worse in": list[Json](worse)}))
    return Measured(
        parts=parts, message=f"Worse in {len(seen)} of 8 comparisons ({'; '.join(seen)}), better in the rest."
    )


@claim(
    "CWO-T3-BOTH",
    place="Sec. 4.1.4",
    statement="Centring and sphere together reduce the error significantly.",
    reading=f"below neither of them by more than {STANDARD_ERRORS} standard errors of the difference on the test set, "
    "in each of the four columns, and below each alone.",
    formula=TABLE3,
    faults={
        "no better on CIFAR-10": {**TABLE3, ("CIFAR-10", True, True, "0.0"): "5.35"},
        "worse than the sphere alone on CIFAR-100": {**TABLE3, ("CIFAR-100", True, True, "0.0"): "22.77"},
        "within chance at σ = 1": {**TABLE3, ("CIFAR-10", True, True, "1.0"): "4.60"},
    },
)
def both_constraints(formula: Ablation, quick: bool) -> Measured:
    parts = []
    for data in DATA:
        for sigma in SIGMAS:
            both, neither = (known(formula[data, pair, pair, sigma]) for pair in (True, False))
            gain = standard_errors(both, neither, TEST_SIZE[data])
            alone = {name: known(formula[data, *pair, sigma]) for name, pair in SINGLE.items()}
            witness: Json = {"both": str(both), "neither": str(neither), **{k: str(x) for k, x in alone.items()}}
            note = f"{both} against {neither}: {gain} standard errors"
            lower = all(both < value for value in alone.values())
            parts += [
                judged(f"{data}, σ = {sigma}: against neither", gain > STANDARD_ERRORS, note, witness),
                judged(f"{data}, σ = {sigma}: against each alone", lower, "printed errors compared", witness),
            ]
    return Measured(parts=parts)


class Three(NamedTuple):
    table1: Table1
    table3: Ablation
    table4: Noise


COMMON: Final = Three(TABLE1, TABLE3, TABLE4)


@claim(
    "CWO-T34-CONS",
    place="Tables 1, 3, 4",
    statement="The entries that Tables 1, 3 and 4 share for WideResNet-28-10 with standard augmentation agree: "
    "both constraints with σ = 1.0 (4.19, 18.31) in all three, both with σ = 0 (4.45, 20.61) in Tables 3 and 4.",
    reading="σ = 1.0 of Table 3 is taken to be the linearly increasing noise of Table 4.",
    formula=COMMON,
    faults={
        "Table 3 differs at σ = 1": COMMON._replace(table3={**TABLE3, ("CIFAR-10", True, True, "1.0"): "4.91"}),
        "Table 3 differs at σ = 0": COMMON._replace(table3={**TABLE3, ("CIFAR-100", True, True, "0.0"): "20.16"}),
        "Table 4 differs at σ = 1": COMMON._replace(table4=with_noise(TABLE4, "CIFAR-100", ("linear", "1.0"), "18.25")),
    },
)
def common_entries(formula: Three, quick: bool) -> Measured:
    parts = []
    for data in DATA:
        quiet: dict[str, Json] = {
            "Table 3": str(known(formula.table3[data, True, True, "0.0"])),
            "Table 4": str(known(formula.table4[data][NO_NOISE])),
        }
        noisy: dict[str, Json] = {
            "Table 1": str(known(formula.table1[Setting(data, "Standard", "WideResNet-28-10")]["Ours"])),
            "Table 3": str(known(formula.table3[data, True, True, "1.0"])),
            "Table 4": str(known(formula.table4[data]["linear", "1.0"])),
        }
        for name, found in (("σ = 0", quiet), ("σ = 1.0", noisy)):
            same = len({str(value) for value in found.values()}) == 1
            parts.append(judged(f"{data}, {name}", same, f"{found}", dict(found)))
    return Measured(consistency=parts)
