"""L1,∞, Sec. 3.3: Theorem 3 and its boundary, eq. 3.2."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.l1inf import right_side, theorem3_laws, theorem3_steps
from wnverify.papers.l1inf.right_side import ball
from wnverify.papers.l1inf.theorem3_laws import CONSTANT, Order, Place

PLACE: Final = "k ≥ 1 or m1 ≥ 2"
SINGLE: Final = (
    "One sample, two classes, x = 0, output bias β on the first class: |E − Ê| = |β|/2 with probability 1, the "
    "right-hand side C |β| √log(1/δ)"
)


def printed(n: Any, m1: Any, k: Any, r: Any, largest: Any, total: Any, m2: Any, d: Any, log: Any, sqrt: Any) -> Any:
    """Eq. 3.2 without O, as it stands, with its quotient of norms."""
    depth = sqrt(k) + sqrt(log(m1))
    return r**k / sqrt(n) * largest * (sqrt(log(1 / d)) + total / largest * sqrt(m2) * depth)


def _one_up(n: Any, m1: Any, k: Any, r: Any, largest: Any, total: Any, m2: Any, d: Any, log: Any, sqrt: Any) -> Any:
    depth = sqrt(k + 1) + sqrt(log(2 * m1))
    return r**k / sqrt(n) * (largest * sqrt(log(1 / d)) + total * sqrt(m2) * depth)


FAULTS: Final[dict[str, Order]] = {
    "order 1/n": lambda *a: printed(*a) / a[9](a[0]),
    "no second term": lambda n, m1, k, r, largest, total, m2, d, log, sqrt: r**k / sqrt(n) * largest * sqrt(log(1 / d)),
    "no first term": lambda n, m1, k, r, largest, total, m2, d, log, sqrt: (
        r**k / sqrt(n) * total * sqrt(m2) * (sqrt(k) + sqrt(log(m1)))
    ),
    "no factor for the depth": lambda n, m1, k, r, *a: printed(n, m1, k, r / r, *a),
    "log 2 for log m1": lambda n, m1, k, r, largest, total, m2, d, log, sqrt: (
        r**k / sqrt(n) * (largest * sqrt(log(1 / d)) + total * sqrt(m2) * (sqrt(k) + sqrt(log(2))))
    ),
    "the squared norm of T": lambda n, m1, k, r, largest, *a: printed(n, m1, k, r, largest, *a) * largest,
    "the root of the norm of T": lambda n, m1, k, r, largest, *a: printed(n, m1, k, r, largest, *a) / a[-1](largest),
}


@claim(
    "L1-TH3",
    place="Sec. 3.3, Thm 3, eq. 3.2",
    statement="There is a constant C with which, with probability at least 1 − δ, all f_T ∈ S_c have |E − Ê| ≤ "
    "C (cρ)^k/√n ‖T‖_{1,∞} [√log(1/δ) + ‖T‖_{1,1}/‖T‖_{1,∞} √m2 (√k + √log m1)] for the cross-entropy, T = T_{k+1}.",
    hypotheses=("(B1), (B2), cρ ≥ 1, δ ∈ (0, 1)", "T_{k+1} ≠ 0, or the quotient multiplied out", "Theorem 1"),
    reading="O: one constant for all n, m1, k, widths, c, m2, T and δ; it is left open, so that no number follows from "
    "eq. 3.2.  With output limits o_j chosen beforehand |E − Ê| ≤ B √(log(2/δ)/(2n)) + 4 Σ_j R(o_j), B ≤ 4 (cρ)^k max "
    "o_j, is proved here, without √m2; for all T at once see wnverify/papers/l1inf/theorem3_steps.py.",
    formula=printed,
    corrected="√(k + 1) + √log(2 m1) in place of √k + √log m1 (L1-TH3-EDGE).",
    faults=FAULTS,
)
def theorem3(formula: Order, quick: bool) -> Measured:
    parts = [
        _upper(formula, quick, edge=False),
        _lower(formula, 1, 2),
        *theorem3_steps.steps(),
        theorem3_steps.scales(),
    ]
    if not quick:
        parts.append(
            Part("all T at once", [theorem3_steps.all_scales(formula)], {"law": "two classes, corners of the square"})
        )
    route, witness = _boundary(formula)
    return Measured(
        parts=parts,
        conditions=[Condition(PLACE, [route], witness)],
        message="Measured: the bound at fixed output norms, the steps, and deviations that are met; that one constant "
        "serves all T at once is the argument at the head of wnverify/papers/l1inf/theorem3_steps.py, of which the "
        "scales are measured.",
        left_out=("all T at once", "cρ = 3/2") if quick else (),
    )


@claim(
    "L1-TH3-EDGE",
    place="Thm 3",
    statement="Theorem 3 includes its boundary: k = 0, m1 = 1, δ near 1, T_{k+1} = 0.",
    hypotheses=("(B1), (B2), cρ ≥ 1, δ ∈ (0, 1)",),
    reading="one constant for all sizes that (B2) allows.  At k = 0, m1 = 1 the second term is 0 and the first tends "
    "to 0 with δ → 1, while |E − Ê| does not; nor does the first grow with m2.  At T = 0 the quotient is 0/0; the loss "
    "is log m2 there and |E − Ê| = 0.",
    formula=printed,
    corrected="|E − Ê| ≤ C (cρ)^k/√n [‖T‖_{1,∞} √log(1/δ) + ‖T‖_{1,1} √m2 (√(k + 1) + √log(2 m1))], without a "
    "quotient.",
    corrected_formula=_one_up,
    faults={
        "√k and √log m1 with the quotient multiplied out": lambda n, m1, k, r, largest, total, m2, d, log, sqrt: (
            r**k / sqrt(n) * (largest * sqrt(log(1 / d)) + total * sqrt(m2) * (sqrt(k) + sqrt(log(m1))))
        ),
        "log(2/δ) alone added": lambda n, m1, k, r, largest, total, m2, d, log, sqrt: (
            r**k / sqrt(n) * (largest * sqrt(log(2 / d)) + total * sqrt(m2) * (sqrt(k) + sqrt(log(m1))))
        ),
        "order 1/n": lambda *a: _one_up(*a) / a[9](a[0]),
        "quotient kept": lambda *a: a[4] * (_one_up(*a) / a[4]),
        "no factor for the depth": lambda n, m1, k, r, *a: _one_up(n, m1, k, r / r, *a),
    },
)
def boundary(formula: Order, quick: bool) -> Measured:
    zero = Place(1, 1, 0, Fraction(1), Fraction(0), Fraction(0), 2, Fraction(1, 2))
    at_zero = theorem3_laws.value(formula, zero)
    defined = bool(at_zero.is_finite() and at_zero >= 0)
    note = f"the right-hand side at T = 0 is {at_zero.str(3)}; |E − Ê| = 0"
    lower = _lower(formula, 0, 1)
    outgrown = isinstance(lower.witness, dict) and lower.witness["growing"] == "δ to 1"
    return Measured(
        parts=[
            lower,
            _upper(formula, quick, edge=True),
            Part("T = 0", [said("enclosure", defined, note, power=0.0)], {"T": 0, "right-hand side": at_zero.str(3)}),
            theorem3_steps.scales(),
        ],
        message=f"{SINGLE}: false for δ > exp(−1/(4C²)), whatever C is." if outgrown else "",
        left_out=("cρ = 3/2",) if quick else (),
    )


def _lower(formula: Order, k: int, m1: int) -> Part:
    """Deviations that are met for certain, against the order, along growing sizes."""
    import flint

    seen, worst = {}, None
    with flint.ctx.workprec(256):
        for name, cases in theorem3_laws.laws(k, m1).items():
            seen[name], witness = theorem3_laws.outgrown(formula, name, cases)
            worst = worst or witness
    figures: dict[str, Json] = {name: f"{each:.3g}" for name, each in seen.items()}
    most = max(seen, key=lambda name: seen[name])
    note = f"deviations that are met, over the order: up to {seen[most]:.3g} ({most})"
    return Part("not outgrown", [said("exact", worst is None, note, power=0.0, figures=figures)], worst)


def _boundary(formula: Order) -> tuple[Evidence, Json]:
    part = _lower(formula, 0, 1)
    return part.routes[0], part.witness


def _upper(formula: Order, quick: bool, *, edge: bool) -> Part:
    """The explicit bound at fixed output norms, by the lab's function and in balls: at most ``CONSTANT`` orders."""
    import flint

    above: Json = None
    largest = 0.0
    in_floats = True
    with flint.ctx.workprec(right_side.PRECISION):
        for place in theorem3_laws.grid(quick, edge):
            right = theorem3_laws.value(formula, place)
            explicit = _explicit(place)
            quotient = explicit / right if right > 0 else ball(10**9)
            largest = max(largest, float(quotient.mid()))
            if above is None and not quotient <= CONSTANT:
                above = {field: str(each) for field, each in zip(Place._fields, place, strict=True)}
            in_floats &= _explicit_in_floats(place) <= CONSTANT * float(right.mid())
    note = f"explicit bound at fixed output norms: at most {largest:.3g} orders"
    return Part(
        "enough at fixed output norms",
        [
            said("enclosure", above is None, note, power=0.5, figures={"constant": CONSTANT}),
            said("arithmetic", in_floats, "the same with the lab's bound and the exact range of the loss", power=0.5),
        ],
        above,
    )


def _explicit(place: Place) -> Any:
    """4F √(log(2/δ)/(2n)) + 4 Σ_j R(o_j) with Theorem 1's second bound, F = (cρ)^k max o_j, in balls."""
    n, m1, k, c_rho, largest, total, _, delta = place
    factor = ball(c_rho) ** k / ball(n).sqrt()
    root = ((k + 3) * ball(4).log()).sqrt() + (2 * ball(2 * m1).log()).sqrt()
    return factor * (4 * ball(largest) * (ball(2 / delta).log() / 2).sqrt() + 4 * ball(total) * root)


def _explicit_in_floats(place: Place) -> float:
    """The lab's Theorem 1 at the sum of the columns (it is linear in o), and the exact range of the loss."""
    from wnverify.theory.bounds import theorem1_second
    from wnverify.theory.generalization import cross_entropy_range
    from wnverify.theory.network import NetworkClass

    whole = NetworkClass(place.k, float(place.c_rho), float(place.total))
    F = NetworkClass(place.k, float(place.c_rho), float(place.largest)).range()
    tail = math.sqrt(math.log(2 / float(place.delta)) / (2 * place.n))
    return cross_entropy_range(F, place.m2) * tail + 4 * theorem1_second(whole, place.n, place.m1)
