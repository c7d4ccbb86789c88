"""L1,∞ weight normalization, Remark 1 and the abstract: how Theorem 1 depends on the depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.l1inf.theorem1_bounds import Bound, Terms, first, second, symbols

Order = Callable[[Any, Any], Any]
"""(k, cρ) → the order of growth; in balls, or with k a symbol."""
DEPTHS: Final = (1, 2, 3, 10, 100, 1000, 10**4, 10**6)
INPUTS: Final = (1, 10, 1000)
READ: Final = "f(k) = O(g(k)) as k → ∞ with c, ρ, o, n, m1 fixed; a factor found here serves every k ≥ 1."


def root(x: Any) -> Any:
    """√x of a ball or of a symbol; integers become balls."""
    import flint
    import sympy

    return sympy.sqrt(x) if isinstance(x, sympy.Basic) else flint.arb(x).sqrt()


def geometric(k: Any, r: Any) -> Any:
    """(1 − r^{k+1}) / (1 − r)."""
    return (1 - r ** (k + 1)) / (1 - r)


@claim(
    "L1-REM1a",
    place="Remark 1",
    statement="For cρ < 1 the first bound is O(√k (1 − (cρ)^{k+1}) / (1 − cρ)) in k, so O(√k).",
    reading=f"{READ} At k = 0 the order is 0 and the bound is not.",
    hypotheses=("cρ < 1", "log m1 small: a constant here"),
    formula=(lambda k, r: root(k) * geometric(k, r), lambda k, r: root(k)),
    faults={
        "√k left out": (lambda k, r: geometric(k, r), lambda k, r: root(k)),
        "√k left out of the summary": (lambda k, r: root(k) * geometric(k, r), lambda k, r: root(1)),
        "times (cρ)^k, as for cρ ≥ 1": (lambda k, r: root(k) * r**k, lambda k, r: root(k)),
        "k^(1/4)": (lambda k, r: root(root(k)) * geometric(k, r), lambda k, r: root(k)),
        "the sum inverted": (lambda k, r: root(k) * geometric(k, r), lambda k, r: 1 / root(k)),
    },
)
def small_constants(formula: tuple[Order, Order], quick: bool) -> Measured:
    rates = (Fraction(1, 100), Fraction(1, 2), Fraction(99, 100))
    depths = DEPTHS[:6] if quick else DEPTHS

    def factor(r: Any, m1: int) -> Any:
        # √(k+1) ≤ √2 √k and (cρ)^k ≤ the sum, whose first term is 1.
        return 2 * root(2 * _log(16)) + root(2 * _log(2 * m1))

    parts = []
    for name, order, widened in zip(("order", "summary"), formula, (False, True), strict=True):
        factors = (lambda r, m1: factor(r, m1) / (1 - r)) if widened else factor
        enclosed, witness = _within(first, order, factors, rates, depths)
        # In symbols one r is enough to see the power of k; r^k is eliminated by the limit.
        limit = _limit(first, order, Fraction(1, 2))
        parts.append(Part(name, [limit, enclosed], witness))
    return Measured(
        parts=parts,
        message="The factor of the summary grows as 1 / (1 − cρ). The complexity itself is bounded in k for cρ < 1: "
        "the proof has √(j+1) (cρ)^j for the bias j layers below the output, a convergent sum.",
        left_out=("k > 1000",) if quick else (),
    )


@claim(
    "L1-REM1b",
    place="Remark 1",
    statement="For cρ ≥ 1 Theorem 1's bound is O(√k (cρ)^k) in k.",
    reading=f"{READ} The bound is the second; the first grows as k^(3/2) at cρ = 1.",
    hypotheses=("cρ ≥ 1", "log m1 small: a constant here"),
    formula=lambda k, r: root(k) * r**k,
    faults={
        "√k left out": lambda k, r: r**k,
        "(cρ)^k left out": lambda k, r: root(k),
        "√log k": lambda k, r: root(_log(k + 1)) * r**k,
        "(cρ)^{k/2}": lambda k, r: root(k) * root(r**k),
        "1/√k": lambda k, r: r**k / root(k),
    },
)
def large_constants(formula: Order, quick: bool) -> Measured:
    depths = DEPTHS[:6] if quick else DEPTHS

    def factor(r: Any, m1: int) -> Any:
        return _factor_of_the_second(m1)

    parts = []
    for name, rates in (("cρ = 1", (Fraction(1),)), ("cρ > 1", (Fraction(3, 2), Fraction(4)))):
        enclosed, witness = _within(second, formula, factor, rates, depths)
        parts.append(Part(name, [_limit(second, formula, rates[-1]), enclosed], witness))
    return Measured(
        parts=parts,
        message="√log m1 adds to √k: where m1 grows with k the order needs log m1 = O(k).",
        left_out=("k > 1000",) if quick else (),
    )


@claim(
    "L1-P-SQRTK",
    place="Abstract, Sec. 1",
    statement="Theorem 1's bounds do not depend on the widths and depend on the depth k as √k.",
    reading=f"{READ} Of the whole bound, as the abstract has it; besides the product (cρ)^k, which Remark 1 names, it "
    "is √k for cρ ≥ 1 alone.",
    formula=lambda k, r: root(k),
    faults={
        "no dependence": lambda k, r: root(1),
        "1/√k": lambda k, r: 1 / root(k),
        "k^(1/4)": lambda k, r: root(root(k)),
        "log k": lambda k, r: _log(k + 1),
    },
    corrected="The bounds do not depend on the widths; they are O(√k) for cρ ≤ 1 and O(√k (cρ)^k), exponential in the "
    "depth, for cρ > 1.",
)
def root_of_the_depth(formula: Order, quick: bool) -> Measured:
    depths = DEPTHS[:6] if quick else DEPTHS
    free = [bound(symbols()).free_symbols <= _known() for bound in (first, second)]

    def below(r: Any, m1: int) -> Any:
        return (2 * root(2 * _log(16)) + root(2 * _log(2 * m1))) / (1 - r)

    def at_one(r: Any, m1: int) -> Any:
        return _factor_of_the_second(m1)

    small, first_witness = _within(first, formula, below, (Fraction(1, 2), Fraction(9, 10)), depths)
    one, second_witness = _within(second, formula, at_one, (Fraction(1),), depths)
    beyond, third_witness = _within(second, formula, at_one, (Fraction(2), Fraction(11, 10)), (10, 100))
    return Measured(
        parts=[
            Part("no widths", [said("symbolic", all(free), "free symbols", power=0.0)]),
            Part("cρ < 1", [_limit(first, formula, Fraction(1, 2)), small], first_witness),
            Part("cρ = 1", [_limit(second, formula, Fraction(1)), one], second_witness),
        ],
        conditions=[Condition("cρ ≤ 1", [_limit(second, formula, Fraction(2)), beyond], third_witness)],
        left_out=("k > 1000",) if quick else (),
    )


def _factor_of_the_second(m1: int) -> Any:
    # k + 3 ≤ 4 k; with 9/2 for 4 the balls are apart at k = 1 too.
    return root(_log(4) * 9 / 2) + root(2 * _log(2 * m1))


def _known() -> set[Any]:
    t = symbols()
    return {t.k, t.total, t.last, t.n, t.m1, t.o}


def _log(x: Any) -> Any:
    import flint
    import sympy

    return sympy.log(x) if isinstance(x, sympy.Basic) else flint.arb(x).log()


def _ball(r: Fraction) -> Any:
    import flint

    return flint.arb(r.numerator) / r.denominator


def _within(
    bound: Bound, order: Order, factor: Callable[[Any, int], Any], rates: Sequence[Fraction], depths: Sequence[int]
) -> tuple[Evidence, Json]:
    """Whether bound √n / o ≤ factor × order at every depth and rate, in balls, and the first place where it is not."""
    from wnverify.oracles.enclosures import precision

    worst, overlaps, witness = 0.0, 0, None
    with precision(256):
        for rate in rates:
            r = _ball(rate)
            for m1 in INPUTS:
                for k in depths:
                    total = geometric(k, r) if rate != 1 else _ball(Fraction(k + 1))
                    at = bound(Terms(k, total, r**k, _ball(Fraction(1)), m1, 1, root, _log))
                    allowed = factor(r, m1) * order(k, r)
                    if at <= allowed:
                        worst = max(worst, float((at / allowed).mid()))
                        continue
                    if not at > allowed:
                        overlaps += 1
                        continue
                    witness = {"k": k, "c rho": str(rate), "m1": m1, "bound sqrt(n) / o": _short(at)}
                    witness["factor × order"] = _short(allowed)
                    return said("enclosure", False, f"exceeded at k = {k}, cρ = {rate}", power=0.0), witness
    tried = ", ".join(map(str, rates))
    note = f"at most {worst:.3f} of an explicit factor times the order, k ≤ {max(depths)}, cρ in {tried}"
    return said("enclosure", None if overlaps else True, note, power=0.0), None


def _short(x: Any) -> str:
    return str(x.str(6, radius=False))


def _limit(bound: Bound, order: Order, rate: Fraction) -> Evidence:
    """lim_{k→∞} bound √n / (o order): finite holds, infinite refutes."""
    import sympy

    k = sympy.Symbol("k", positive=True)
    r = sympy.Rational(rate.numerator, rate.denominator)
    total = geometric(k, r) if rate != 1 else k + 1
    at = bound(dataclasses.replace(symbols(), k=k, total=total, last=r**k, n=sympy.Integer(1), o=sympy.Integer(1)))
    # Term by term, as every term is non-negative: each limit exists.
    terms = sympy.Add.make_args(sympy.expand(at.subs(symbols().m1, 2)))
    limits = [sympy.limit(sympy.powsimp(term / order(k, r)), k, sympy.oo) for term in terms]
    finite = all(each.is_finite for each in limits)
    note = f"limit of bound / order at cρ = {rate}: {sympy.N(sum(limits), 5)}"
    return said("symbolic", finite, note, power=0.0)
