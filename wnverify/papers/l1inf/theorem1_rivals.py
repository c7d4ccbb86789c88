"""L1,∞ weight normalization, abstract and Sec. 1: Theorem 1 against the bounds of others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final

from wnverify.finding import Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf.theorem1_bounds import above_massart, first, quotient, second, value

Factor = Callable[[int, int, float], float]
"""(k, m1, cρ) → how many times larger the earlier bound is claimed to be."""
DEPTHS: Final = (0, 1, 2, 3, 6, 12, 40)
INPUTS: Final = (1, 2, 10, 1000, 10**6)


def theorem1(k: int, m1: int, c_rho: float) -> float:
    """The smaller of the two bounds that apply, in units of o / √n; c is no part of the class at k = 0."""
    one = value(first, k, c_rho, m1=m1)
    return min(one, value(second, k, c_rho, m1=m1)) if c_rho >= 1 or k == 0 else one


def earlier(k: int, m1: int, c_rho: float) -> float:
    """Neyshabur, Tomioka and Srebro (2015), Theorem 1, p = 1, q = ∞, k + 1 layers without biases, over o / √n."""
    return float((2 * c_rho) ** k) * math.sqrt(4 * math.log(2 * m1))


def actual(k: int, m1: int, c_rho: float) -> float:
    """The ratio of the two in one formula."""
    L = math.log(2 * m1)
    if c_rho >= 1 or k == 0:
        return 2.0**k * math.sqrt(4 * L) / (math.sqrt((k + 3) * math.log(4)) + math.sqrt(2 * L))
    total = math.fsum(c_rho**j for j in range(k + 1))
    biases = math.sqrt((k + 1) * math.log(16)) * (total + c_rho**k)
    return float((2 * c_rho) ** k) * math.sqrt(4 * L) / (biases + c_rho**k * math.sqrt(2 * L))


@claim(
    "L1-P-2K",
    place="Sec. 1",
    statement="The earlier Rademacher bounds for networks without biases in the hidden layers are 2^k times larger "
    "than Theorem 1's.",
    reading="the quotient of the two bounds is at least 2^k for every k, m1 and c; of the three sources the one whose "
    "constants are explicit, Neyshabur et al. (2015), is evaluated. The other two have the factor 2^k with constants "
    "of their own; with the constant √2 that the argument gives, the quotient is below 2^k always.",
    formula=lambda k, m1, c_rho: 2.0**k,
    faults={
        "4^k": lambda k, m1, c_rho: 4.0**k,
        "2^(k+1)": lambda k, m1, c_rho: 2.0 ** (k + 1),
        "the data terms alone: 2^k √2": lambda k, m1, c_rho: 2.0**k * math.sqrt(2),
        "2^k / √(k+1)": lambda k, m1, c_rho: 2.0**k / math.sqrt(k + 1),
        "the quotient for cρ ≥ 1 at every cρ": lambda k, m1, c_rho: actual(k, m1, 1.0),
        "at least as large": lambda k, m1, c_rho: 1.0,
    },
    corrected="The quotient is 2^k √(4 log(2 m1)) / (√((k+3) log 4) + √(2 log(2 m1))) for cρ ≥ 1: at least 2^k only "
    "for log(2 m1) ≥ (k + 3) log 4 / (2 − √2)², below 1 for k ≤ 1 and m1 = 1, of the order 2^k / √k in the depth; for "
    "cρ < 1/2 it tends to 0.",
    corrected_formula=actual,
)
def larger_by_two_to_the_depth(formula: Factor, quick: bool) -> Measured:
    from wnverify.oracles.ratio import map_model
    from wnverify.theory.rivals import neyshabur, peeling, ratio_to_theorem1

    rounding = map_model("float64", 64).relative
    rates = (1.0, 2.0, 0.25, 0.75)
    lowest, witness, laboratory, with_root_2 = math.inf, None, math.inf, 0.0
    for c_rho, k, m1 in itertools.product(rates, DEPTHS, INPUTS):
        found = earlier(k, m1, c_rho) / theorem1(k, m1, c_rho)
        again = ratio_to_theorem1(neyshabur, (k,), c_rho, m1)[0]
        claimed = formula(k, m1, c_rho)
        lowest, laboratory = (min(best, each / claimed) for best, each in ((lowest, found), (laboratory, again)))
        with_root_2 = max(with_root_2, ratio_to_theorem1(peeling, (k,), c_rho, m1)[0] / 2**k)
        if witness is None and found < claimed * (1 - rounding) and k:
            witness = {"k": k, "m1": m1, "c rho": c_rho, "unit": "o / sqrt(n)"}
            witness |= {"Neyshabur et al.": earlier(k, m1, c_rho), "Theorem 1": theorem1(k, m1, c_rho)}
            witness |= {"quotient": found, "claimed": claimed}
    note = f"k ≤ {max(DEPTHS)}, m1 ≤ 10⁶, cρ in {rates}: the quotient is at least {{:.3g}} of what is claimed"
    return Measured(
        parts=[
            Part(
                "at least so many times larger",
                [
                    said("arithmetic", lowest >= 1 - rounding, note.format(lowest), power=rounding),
                    said(
                        "arithmetic",
                        laboratory >= 1 - rounding,
                        note.format(laboratory) + ", by theory.rivals",
                        power=rounding,
                    ),
                ],
                witness,
            )
        ],
        message=f"With the constant √2 for 2 in the earlier bound the quotient is at most {with_root_2:.3f} × 2^k.",
    )


@claim(
    "L1-P-GOLO",
    place="Sec. 1",
    statement="It is difficult to extend the bound of Golowich, Rakhlin and Shamir (2018) to bias neurons, above all "
    "where σ does not map the bias neuron to one.",
    reading="what is difficult has no measure. What can be measured: where σ(1) = 1 and c ≥ 1 the extension is one "
    "further input; elsewhere their technique, applied with a bias in each layer, gives a bound below Theorem 1.",
    formula={"the authors' measure of difficulty": None},
    faults={"a known extension of a few lines": {"the authors' measure of difficulty": 0.0}},
)
def extending_golowich(formula: dict[str, float | None], quick: bool) -> Measured:
    difficulty = formula["the authors' measure of difficulty"]
    fixed, moved = _carried(math.tanh), _carried(lambda t: max(t, 0.0))
    sharper = _sharper()
    note = "no measure of difficulty is stated; the technique carries over with one further branch for each bias"
    judged = said("reading", None if difficulty is None else difficulty > 0, note)
    witness: Json = {
        "carried through five layers": {"ReLU": moved, "tanh": fixed},
        "sharper / Theorem 1, at most": sharper,
    }
    return Measured(
        parts=[
            Part("difficult", [judged], witness),
            Part(
                "tanh does not carry the constant, ReLU does",
                [
                    said(
                        "arithmetic",
                        fixed < 1 == moved,
                        f"1 becomes {fixed:.3f} and {moved:.0f} in five layers",
                        power=0.0,
                    )
                ],
                witness,
            ),
        ],
        message=f"With a bias in each layer the same technique gives at most {sharper:.3f} of Theorem 1.",
    )


def _carried(sigma: Callable[[float], float]) -> float:
    """What becomes of 1 in five layers of one unit with weight 1."""
    carried = 1.0
    for _ in range(5):
        carried = sigma(carried)
    return carried


def _sharper() -> float:
    from wnverify.theory.bounds import closed_form
    from wnverify.theory.network import NetworkClass

    n = 10**8
    return max(
        closed_form(NetworkClass(k, c), n, m1) * math.sqrt(n) / theorem1(k, m1, c)
        for k, c, m1 in itertools.product(DEPTHS, (0.5, 1.0, 2.0), INPUTS)
    )


Scope = Callable[[int, float], bool]


@claim(
    "L1-P-BEST",
    place="Abstract",
    statement="Theorem 1's bounds are the best available for networks with bias neurons.",
    reading="no bound with a smaller value could be had from the literature of 2018 for a class that Theorem 1 covers, "
    "any k ≥ 0 and c > 0. Compared are Massart's lemma for linear classes (k = 0), and for ReLU with c ≥ 1, where a "
    "further unit carries the constant, Neyshabur et al. (2015) and Golowich et al. (2018) with m1 + 1 inputs. Whether "
    "others had published smaller ones for other k and c is not decided here.",
    formula=lambda k, c_rho: True,
    faults={
        "best for hidden layers": lambda k, c_rho: k >= 1,
        "best for c ≥ 1": lambda k, c_rho: c_rho >= 1,
        "best from two hidden layers on": lambda k, c_rho: k >= 2,
        "best for one or no hidden layer": lambda k, c_rho: k <= 1,
    },
    corrected="Among these Theorem 1 is the smallest for k ≥ 3 and c ≥ 1, whatever m1. At k = 0 Massart's lemma is "
    "smaller, at k = 1 and 2 and c ≥ 1 Golowich et al. for some m1 (ten inputs).",
    corrected_formula=lambda k, c_rho: k >= 3 and c_rho >= 1,
)
def best_available(formula: Scope, quick: bool) -> Measured:
    from wnverify.theory.rivals import RIVALS

    rivals = {name: RIVALS[name].bound for name in RIVALS if "carried" in name}
    worst, witness = math.inf, None
    for k, c_rho, m1 in itertools.product(range(6), (0.5, 1.0, 2.0), (1, 2, 5, 10, 30, 100, 10**4, 10**9)):
        if not formula(k, c_rho):
            continue
        ours = theorem1(k, m1, c_rho)
        for name, theirs in _others(rivals, k, c_rho, m1).items():
            if theirs / ours < worst:
                worst = theirs / ours
                witness = {"k": k, "c rho": c_rho, "m1": m1, "unit": "o / sqrt(n)", "Theorem 1": ours, name: theirs}
    note = f"k ≤ 5, m1 ≤ 10⁹: the smallest rival is {worst:.3f} of Theorem 1"
    return Measured(
        parts=[
            Part(
                "no smaller rival", [said("arithmetic", worst >= 1, note, power=0.0), _for_all_inputs(formula)], witness
            )
        ],
        message="The sharper bound of the proof, which is newer, is smaller throughout.",
    )


def _others(rivals: dict[str, Any], k: int, c_rho: float, m1: int) -> dict[str, float]:
    from wnverify.theory.bounds import linear
    from wnverify.theory.network import NetworkClass

    network = NetworkClass(k, c_rho)
    found = {"Massart": linear(network, 1, m1)} if k == 0 else {}
    if c_rho >= 1 or k == 0:
        found |= {name: bound(network, 1, m1) for name, bound in rivals.items()}
    return found


def _for_all_inputs(formula: Scope) -> Any:
    """Golowich with m1 + 1 inputs against the second bound, squared: (√a + √b)² ≤ 2 a + 2 b, and

        4 (k + 2 + log(m1 + 1)) − 2 (k + 3) log 4 − 4 log(2 m1)  ≥  4 k + 8 − (4 k + 16) log 2,

    which is positive from k = 3 on and increases with k; 2^k √(4 log(2 m1)) ≥ √(2 a + 2 b) too, for k ≥ 3 (Neyshabur).
    At k = 0 it is Massart's lemma that refutes.
    """
    if formula(0, 1.0):
        below = above_massart(first) and above_massart(second)
        return said(
            "symbolic", False if below else None, "k = 0: Massart's 2 log(2 (m1 + 1)) is below for every m1", power=0.0
        )
    if any(formula(k, c) for k in (0, 1, 2) for c in (0.5, 1.0)) or any(formula(k, 0.5) for k in range(3, 6)):
        return said("symbolic", None, "the inequality is proved for k ≥ 3, c ≥ 1 alone")
    golowich = 4 * 3 + 8 - (4 * 3 + 16) * math.log(2)
    neyshabur = quotient(2 * 6 * math.log(4) + 4 * math.log(2), 4 * 4**3 * math.log(2))
    return said(
        "symbolic",
        golowich > 0 and neyshabur < 1,
        f"(√a + √b)² ≤ 2 a + 2 b: at k = 3 Golowich's square is above by {golowich:.2f} for every m1, then by more",
        power=0.0,
    )
