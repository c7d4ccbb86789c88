"""L1,∞, Sec. 3.2: how large Theorem 2's right-hand side is at the sizes of the paper's own experiment."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import right_side

N: Final = 500
INPUTS: Final = 1000
HIDDEN: Final = 1
DELTA: Final = Fraction(1, 20)


class Size(NamedTuple):
    """Decimals, rounded to the nearest: the bound at ‖T‖ = 0 with δ = 0.05; the least it can be (‖T‖ = 0, δ → 1); the
    ‖T‖_1 from which it is at least 1 with δ = 0.05, ``None`` where it always is; the least n with a bound below 1 at
    ‖T‖_1 = 1, δ = 0.05."""

    at_zero: str
    least: str
    threshold: str | None
    enough: int


SIZES: Final = {
    1: Size("0.631", "0.605", "0.654", 715),
    2: Size("1.190", "1.164", None, 2678),
    10: Size("5.665", "5.639", None, 63437),
}


class Answer(NamedTuple):
    """The constants c for which the bound says something, and the figures of each."""

    informative: tuple[int, ...]
    sizes: dict[int, Size]


def _wrong(c: int, size: Size) -> Answer:
    return Answer((1,), SIZES | {c: size})


@claim(
    "L1-TH2-SIZE",
    place="Thm 2 (implied)",
    statement="At the sizes of Sec. 5.1 (n = 500, m1 = 1000, k = 1, ReLU) Theorem 2's right-hand side says something "
    "of the networks in the rows of Table 1 that it can cover, c = 1, 2, 10: it is below 1, the range of the loss.",
    hypotheses=("0 ≤ L ≤ 1", "cρ ≥ 1, so that the rows of Table 1 with c < 1 and c = ∞ are not covered"),
    reading="says something: below 1 for some output layer and some δ at least.  The inputs of Sec. 5.1 are Gaussian, "
    "not in [−1, 1], and its loss is unbounded, so that Theorem 2 does not apply there in the first place (L1-P-HYP).",
    formula=Answer((1, 2, 10), SIZES),
    corrected="For c = 2 and c = 10 it is above 1 for every network and every δ: it says nothing.  For c = 1 and "
    "δ = 0.05 it is 0.631 for the zero output layer and above 1 from ‖T_2‖_1 = 0.654 on.  With ‖T_2‖_1 = 1 it falls "
    "below 1 from n = 715, 2678 and 63437 on (c = 1, 2, 10).",
    corrected_formula=Answer((1,), SIZES),
    faults={
        "factor 2 lost": _wrong(2, Size("0.630", "0.605", "0.654", 715)),
        "1 for c = 2 at zero": _wrong(2, Size("0.999", "0.999", "0.001", 500)),
        "threshold 1.653": _wrong(1, SIZES[1]._replace(threshold="1.653")),
        "n = 500 is enough": _wrong(1, SIZES[1]._replace(enough=500)),
        "a threshold for c = 10": _wrong(10, SIZES[10]._replace(threshold="0.000")),
        "c = 2 says something": Answer((1, 2), SIZES),
    },
)
def size(formula: Answer, quick: bool) -> Measured:
    parts = []
    for c, answer in formula.sizes.items():
        witness: Json = {"c": c, "at zero": _value(c, 0.0, float(DELTA)), "least": _least(c)}
        if c in formula.informative:
            parts.append(Part(f"c = {c} says something", _below_1(c), witness))
        parts.append(Part(f"the figures of c = {c}", [_in_floats(c, answer), _in_balls(c, answer)], witness))
    return Measured(parts=parts)


def _below_1(c: int) -> list[Evidence]:
    """The least value of the right-hand side, at ‖T‖ = 0 and δ → 1, against the range of the loss."""
    import flint

    least = _least(c)
    with flint.ctx.workprec(right_side.PRECISION):
        ball = right_side.in_balls(right_side.printed, (N, INPUTS, HIDDEN, Fraction(c), Fraction(0), Fraction(1)))
        sure = True if ball < 1 else False if ball > 1 else None
    note = f"its least value is {least:.4f}"
    return [said("arithmetic", least < 1, note), said("enclosure", sure, "the same in balls")]


def _value(c: int, t: float, delta: float, n: int = N) -> float:
    from wnverify.theory.generalization import regression

    return regression(n, INPUTS, HIDDEN, float(c), t, delta)


def _least(c: int) -> float:
    return _value(c, 0.0, 1 - 2.0**-53)


def _in_floats(c: int, answer: Size) -> Evidence:
    """By the lab's function, a root by bisection and the sample size by ``vacuous``; 0.5 of the last place decides."""
    from scipy.optimize import brentq

    from wnverify.theory.generalization import vacuous

    least, at_zero = _least(c), _value(c, 0.0, float(DELTA))
    root = brentq(lambda t: _value(c, t, float(DELTA)) - 1, 0.0, 2.0) if at_zero < 1 else None
    enough = vacuous(lambda n: _value(c, 1.0, float(DELTA), n), N).enough
    same = _rounds(at_zero, answer.at_zero) and _rounds(least, answer.least) and enough == answer.enough
    same &= (root is None) == (answer.threshold is None)
    if root is not None and answer.threshold is not None:
        same &= _rounds(root, answer.threshold)
    edge = "never below 1" if root is None else f"1 at ‖T‖_1 = {root:.5f}"
    note = f"{at_zero:.4f} at ‖T‖ = 0, least {least:.4f}, {edge}, n ≥ {enough}"
    return said("arithmetic", same, note, power=5e-4)


def _rounds(value: float, printed: str) -> bool:
    return Decimal(value).quantize(Decimal(printed)) == Decimal(printed)


def _in_balls(c: int, answer: Size) -> Evidence:
    """Eq. 3.1 in balls: the values within half a last place, signs at both sides of the threshold and of n."""
    import flint

    half = Fraction(1, 2000)
    with flint.ctx.workprec(right_side.PRECISION):

        def at(t: Fraction, delta: Fraction, n: int = N) -> Any:
            point = (n, INPUTS, HIDDEN, Fraction(c), t, delta)
            return right_side.in_balls(right_side.printed, point)

        def near(value: Any, printed: str) -> bool:
            return bool(abs(value - right_side.ball(Fraction(printed))) <= right_side.ball(half))

        zero, one = Fraction(0), Fraction(1)
        holds = near(at(zero, DELTA), answer.at_zero) and near(at(zero, one), answer.least)
        holds &= bool(at(one, DELTA, answer.enough) < 1) and bool(at(one, DELTA, answer.enough - 1) >= 1)
        if answer.threshold is None:
            holds &= bool(at(zero, one) > 1)
        else:
            edge = Fraction(answer.threshold)
            holds &= bool(at(max(edge - half, zero), DELTA) < 1) and bool(at(edge + half, DELTA) > 1)
    return said("enclosure", holds, "eq. 3.1 in balls, at both sides of every rounded number", power=5e-4)
