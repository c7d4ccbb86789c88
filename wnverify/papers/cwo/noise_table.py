"""CWO, Sec. 4.1.4, Table 4 and Fig. 2: noise of several kinds and magnitudes (WideResNet-28-10)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from wnverify.experiments.published.cwo_tables import NO_NOISE, TABLE4, Noise
from wnverify.finding import Json
from wnverify.papers.arithmetic import standard_errors
from wnverify.papers.claims import Measured, Part, Reading, claim, said
from wnverify.papers.cwo.comparison import judged, marked, unmeasured
from wnverify.papers.cwo.tables import MISSING, TEST_SIZE, known, number, with_noise


def _series(row: Mapping[tuple[str, str], str], kind: str) -> dict[str, Decimal]:
    """σ → error of one kind of noise, without the missing entry."""
    found = {sigma: number(text) for (each, sigma), text in row.items() if each == kind}
    return {sigma: value for sigma, value in found.items() if value is not None}


@claim(
    "CWO-T4-BASE",
    place="Sec. 4.1.4",
    statement="With a proper magnitude, injected noise gives a lower error than no noise.",
    reading="'proper': there is a σ in Table 4, of the constant and of the linear kind, on each data set.",
    formula=TABLE4,
    faults={
        "constant noise never helps on CIFAR-10": with_noise(TABLE4, "CIFAR-10", ("constant", "0.4"), "4.52"),
        "linear noise never helps on CIFAR-10": with_noise(TABLE4, "CIFAR-10", ("linear", "1.0"), "4.91"),
        "no noise is best on CIFAR-100": with_noise(TABLE4, "CIFAR-100", NO_NOISE, "16.02"),
    },
)
def noise_helps(formula: Noise, quick: bool) -> Measured:
    parts, gains = [], []
    for data, row in formula.items():
        none = known(row[NO_NOISE])
        for kind in ("constant", "linear"):
            series = _series(row, kind)
            best = min(series, key=lambda sigma: series[sigma])
            helped = [sigma for sigma, value in series.items() if value < none]
            gain = standard_errors(series[best], none, TEST_SIZE[data])
            gains.append(f"{data}, {kind} {gain}")
            note = (
                f"{len(helped)} of {len(series)} magnitudes below {none}; best {series[best]}, {gain} standard errors"
            )
            witness: Json = {"no noise": str(none), **{f"σ = {sigma}": str(value) for sigma, value in series.items()}}
            parts.append(judged(f"{data}, {kind}", bool(helped), note, witness))
    return Measured(parts=parts, message=f"Largest gains in standard errors of the test set: {'; '.join(gains)}.")


@claim(
    "CWO-T4-LINCONST",
    place="Sec. 4.1.4",
    statement="On both data sets linearly increasing noise gives a lower error than constant noise.",
    reading="three readings: the best entry of each kind; the same σ (0.2 and 0.4 are in both); the same mean over the "
    "layers, which for linear noise is σ/2 for many layers.  The best entries come from unlike ranges, up to 0.4 "
    "and up to 1.0.",
    formula=TABLE4,
    faults={
        "best linear entry worse on CIFAR-10": with_noise(TABLE4, "CIFAR-10", ("linear", "1.0"), "4.91"),
        "best constant entry better on CIFAR-100": with_noise(
            with_noise(TABLE4, "CIFAR-100", ("constant", "0.3"), "17.81"), "CIFAR-100", ("constant", "0.2"), "17.82"
        ),
    },
)
def linear_against_constant(formula: Noise, quick: bool) -> Measured:
    best: list[Part] = []
    same: list[Part] = []
    mean: list[Part] = []
    for data, row in formula.items():
        constant, linear = _series(row, "constant"), _series(row, "linear")
        lowest = {"constant": min(constant.values()), "linear": min(linear.values())}
        shown: Json = {kind: str(value) for kind, value in lowest.items()}
        best.append(judged(data, lowest["linear"] < lowest["constant"], f"{shown}", shown))
        for sigma, value in constant.items():
            for parts, other in ((same, sigma), (mean, str(2 * Decimal(sigma)))):
                if other in linear:
                    name = f"{data}, constant {sigma}, linear {other}"
                    pair: Json = {"constant": str(value), "linear": str(linear[other])}
                    parts.append(judged(name, linear[other] < value, f"{linear[other]} against {value}", pair))
    return Measured(
        readings=[
            Reading("the best entry of each kind", best),
            Reading("at the same σ", same),
            Reading("at the same mean over the layers", mean),
        ]
    )


@claim(
    "CWO-T4-MONO",
    place="Sec. 4.1.4",
    statement="Up to σ = 1.0 a larger σ tends to give a lower error.",
    hypotheses=("σ ≤ 1.0",),
    reading="'tends': among the pairs of entries of one kind of noise on one data set, with no noise as σ = 0, more "
    "fall than rise with σ (Kendall's rank correlation is negative); strict decrease is not what the sentence says.",
    formula=TABLE4,
    faults={
        "linear noise on CIFAR-100 reversed": {
            **TABLE4,
            "CIFAR-100": {
                **TABLE4["CIFAR-100"],
                **dict(
                    zip(
                        [("linear", sigma) for sigma in ("0.2", "0.4", "0.6", "0.8", "1.0")],
                        ("18.31", "18.25", "18.74", "19.86", "20.78"),
                        strict=True,
                    )
                ),
            },
        },
        "constant noise hurts throughout on CIFAR-10": with_noise(TABLE4, "CIFAR-10", ("constant", "0.4"), "4.85"),
    },
)
def larger_is_better(formula: Noise, quick: bool) -> Measured:
    parts, rising = [], []
    for data, row in formula.items():
        for kind in ("constant", "linear"):
            values = [known(row[NO_NOISE]), *_series(row, kind).values()]
            pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
            falls, rises = sum(b < a for a, b in pairs), sum(b > a for a, b in pairs)
            if any(b > a for a, b in itertools.pairwise(values)):
                rising.append(f"{data}, {kind}")
            witness: Json = {"errors in order of σ": [str(value) for value in values]}
            parts.append(judged(f"{data}, {kind}", falls > rises, f"{falls} pairs fall, {rises} rise", witness))
    message = f"Not monotone: {'; '.join(rising)}." if rising else ""
    return Measured(parts=parts, message=message)


MARKED: Final = with_noise(TABLE4, "CIFAR-10", ("constant", "0.4"), "*4.25*")


@claim(
    "CWO-T4-MARK",
    place="Table 4",
    statement="In each row of Table 4 bold marks the smallest error and italics the second smallest.",
    reading="the marks are those of the text of the paper as extracted; the caption gives the rule.",
    formula=TABLE4,
    corrected="Bold is right in both rows, italics on CIFAR-100 only: on CIFAR-10 the second smallest, 4.25 (constant, "
    "σ = 0.4), has no mark.",
    corrected_formula=MARKED,
    faults={
        "bold and italics exchanged": with_noise(
            with_noise(MARKED, "CIFAR-100", ("linear", "0.8"), "*18.25*"), "CIFAR-100", ("linear", "1.0"), "**18.31**"
        ),
        "italic on the third": with_noise(TABLE4, "CIFAR-10", ("linear", "0.8"), "*4.45*"),
        "italic missing": with_noise(MARKED, "CIFAR-100", ("linear", "1.0"), "18.31"),
    },
)
def marks(formula: Noise, quick: bool) -> Measured:
    rows = {data: {" ".join(column): text for column, text in row.items()} for data, row in formula.items()}
    return Measured(parts=[part for data, row in rows.items() for part in marked(data, row)])


@claim(
    "CWO-T4-MISS",
    place="Table 4",
    statement="Table 4 has exactly one entry without a number: constant noise with σ = 0.4 on CIFAR-100, given as '-'.",
    reading="the paper says nowhere why; whether the run failed or was not made cannot be known from it.",
    formula=TABLE4,
    faults={
        "no entry is missing": with_noise(TABLE4, "CIFAR-100", ("constant", "0.4"), "19.50"),
        "another is missing too": with_noise(TABLE4, "CIFAR-10", ("constant", "0.4"), MISSING),
    },
)
def missing(formula: Noise, quick: bool) -> Measured:
    found: list[Json] = [
        f"{data}, {' '.join(column)}"
        for data, row in formula.items()
        for column, text in row.items()
        if text == MISSING
    ]
    part = judged("one missing entry", found == ["CIFAR-100, constant 0.4"], f"{found}", {"missing": found})
    message = (
        "It is the magnitude that is best of the constant ones on CIFAR-10, so the comparison of constant with linear "
        "noise on CIFAR-100 lacks its strongest candidate (CWO-T4-LINCONST)."
    )
    return Measured(parts=[part], message=message)


class Indices(NamedTuple):
    """The index under which each place writes the standard deviation of the noise."""

    equation7: str
    equation8: str
    section33: str
    section414: str


@claim(
    "CWO-T4-NOTE",
    place="Sec. 4.1.4",
    statement="Constant injection, σ_t = σ in Sec. 4.1.4, is written as in Sec. 3.3.",
    reading="t is the index of iterations in Alg. 1, l that of layers; noise constant over the iterations is both the "
    "constant and the linear kind, so t cannot be the index meant.",
    formula=Indices("l", "l", "l", "t"),
    corrected="Constant injection is σ_l = σ in every layer l, as in Sec. 3.3.",
    corrected_formula=Indices("l", "l", "l", "l"),
    faults={
        "t in eq. 8 alone": Indices("l", "t", "l", "l"),
        "i in Sec. 4.1.4": Indices("l", "l", "l", "i"),
    },
)
def index_of_noise(formula: Indices, quick: bool) -> Measured:
    same = len(set(formula)) == 1
    witness: Json = dict(zip(("eq. 7", "eq. 8", "Sec. 3.3", "Sec. 4.1.4"), formula, strict=True))
    route = said("reading", same, "the indices of σ in the four places compared")
    return Measured(consistency=[Part("one index", [route], witness)])


class Curves(NamedTuple):
    """What is known of Fig. 2 (CIFAR-100): whether noise ends at a larger training loss, and without much delay; and
    Table 4, which holds the final test errors."""

    larger_loss: bool | None
    no_delay: bool | None
    table: Noise


@claim(
    "CWO-F2",
    place="Sec. 4.1.4, Fig. 2",
    statement="On CIFAR-100 noise ends at a larger training loss, and gives a lower test error without much delay.",
    reading="loss and delay are in Fig. 2 alone, which the text does not hold; the final test errors are Table 4's "
    "(some magnitude is better than no noise).",
    formula=Curves(None, None, TABLE4),
    faults={
        "the loss was smaller": Curves(False, True, TABLE4),
        "learning was delayed": Curves(True, False, TABLE4),
        "the test error was larger": Curves(True, True, with_noise(TABLE4, "CIFAR-100", NO_NOISE, "16.02")),
    },
)
def learning_curves(formula: Curves, quick: bool) -> Measured:
    row = formula.table["CIFAR-100"]
    none = known(row[NO_NOISE])
    linear = _series(row, "linear")
    lower = [sigma for sigma, value in linear.items() if value < none]
    shown: Json = {"no noise": str(none), **{f"linear {sigma}": str(value) for sigma, value in linear.items()}}
    why = "only figure 2 holds it, and the text does not contain the figure"
    return Measured(
        parts=[
            judged("lower test error", bool(lower), f"linear noise with σ = {', '.join(lower)}", shown),
            unmeasured("larger training loss", formula.larger_loss, why),
            unmeasured("no significant delay", formula.no_delay, why),
        ]
    )
