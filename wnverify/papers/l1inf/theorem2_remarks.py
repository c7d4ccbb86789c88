"""L1,∞, Sec. 3.2: Remark 2, what Theorem 2's right-hand side is and of which orders."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import right_side
from wnverify.papers.l1inf.right_side import RightSide, first, second


class Remark(NamedTuple):
    """What Remark 2 prints: the two terms, and their orders as functions of (n, m1, k, cρ, δ, log, sqrt)."""

    first: RightSide
    second: RightSide
    n: Callable[[Any, Any], Any]
    delta: Callable[[Any, Any, Any], Any]
    depth: Callable[[Any, Any, Any], Any]
    inputs: Callable[[Any, Any, Any], Any]


PRINTED: Final = Remark(
    first=lambda n, m1, k, r, t, d, log, sqrt: sqrt(log(2 / d) + 2 * log(t + 2)) / (2 * n),
    second=second,
    n=lambda n, sqrt: 1 / sqrt(n),
    delta=lambda d, log, sqrt: sqrt(log(1 / d)),
    depth=lambda k, r, sqrt: sqrt(k) * r**k,
    inputs=lambda m1, log, sqrt: sqrt(log(m1)),
)
RIGHT: Final = PRINTED._replace(first=first)


@claim(
    "L1-REM2",
    place="Remark 2",
    statement="The bound of Theorem 2 is √(log(2/δ) + 2 log(‖T‖_1 + 2))/2n plus the second term of eq. 3.1; both are "
    "of order n^{-1/2}, the first of order √log(1/δ), the second of order √k (cρ)^k and √log m1.",
    hypotheses=("cρ ≥ 1",),
    reading="2n stands outside the root, as it is printed; eq. 3.1 has it inside.  Orders: the quotient tends to a "
    "positive number as n, 1/δ, k or m1 grows.",
    formula=PRINTED,
    corrected="The first term is √((log(2/δ) + 2 log(‖T_{k+1}‖_1 + 2))/(2n)), of order n^{-1/2}, as eq. 3.1 has it; "
    "the printed one is of order 1/n.",
    corrected_formula=RIGHT,
    faults={
        "√n outside alone": RIGHT._replace(first=lambda *a: first(*a) / a[7](a[0])),
        "the second term without 2": RIGHT._replace(second=lambda *a: second(*a) / 2),
        "order 1/n": RIGHT._replace(n=lambda n, sqrt: 1 / n),
        "order log(1/δ)": RIGHT._replace(delta=lambda d, log, sqrt: log(1 / d)),
        "order k (cρ)^k": RIGHT._replace(depth=lambda k, r, sqrt: k * r**k),
        "order log m1": RIGHT._replace(inputs=lambda m1, log, sqrt: log(m1)),
    },
)
def remark2(formula: Remark, quick: bool) -> Measured:
    given = (100, 1, 0, Fraction(1), Fraction(0), Fraction(1, 2))
    witness: Json = {**right_side.shown(given), **_figures(formula, given)}
    return Measured(
        parts=[
            Part(f"order in {name}", [_limit(name, formula), _growth(name, formula)], {"order in": name})
            for name in ("n", "δ", "k", "m1")
        ],
        consistency=[
            Part("first term as in eq. 3.1", _same(formula.first, first), witness),
            Part("second term as in eq. 3.1", _same(formula.second, second), witness),
            Part("first term of the order that is stated", [_own_order(formula)], witness),
        ],
    )


def _figures(formula: Remark, given: right_side.Point) -> dict[str, Any]:
    import flint

    with flint.ctx.workprec(right_side.PRECISION):
        remark, equation = (float(right_side.in_balls(each, given).mid()) for each in (formula.first, first))
    return {"Remark 2": round(remark, 5), "eq. 3.1": round(equation, 5)}


def _same(left: RightSide, right: RightSide) -> list[Evidence]:
    """Two terms as expressions, and at points in balls."""
    import flint
    import sympy

    symbols = sympy.symbols("n m1 k r t delta", positive=True)
    gap = left(*symbols, sympy.log, sympy.sqrt) - right(*symbols, sympy.log, sympy.sqrt)
    identical = bool(sympy.simplify(gap) == 0)
    with flint.ctx.workprec(right_side.PRECISION):
        gaps = [right_side.in_balls(left, p) - right_side.in_balls(right, p) for p in right_side.points(True)]
        meet = all(each.contains(0) for each in gaps)
    return [
        said("symbolic", identical, "the two expressions", power=0.0),
        said("enclosure", meet, f"in balls at {len(gaps)} points", power=1e-30),
    ]


def _quotient(name: str, formula: Remark, at: Any, log: Any, sqrt: Any) -> list[Any]:
    """Terms of eq. 3.1 over the stated order, the named variable at ``at`` (δ: at 1/at), the others fixed."""
    values = {"n": 7, "m1": 5, "k": 3, "r": 2, "t": 1} | ({name: at} if name != "δ" else {})
    # δ enters as its reciprocal, so that every variable grows.
    delta = 1 / (at if name == "δ" else at / at * 3)
    given: tuple[Any, ...] = (
        *(at / at * values[each] for each in ("n", "m1")),
        values["k"],
        *(at / at * values[each] for each in "rt"),
        delta,
    )
    terms: dict[str, tuple[RightSide, ...]] = {"n": (first, second), "δ": (first,), "k": (second,), "m1": (second,)}
    orders: dict[str, Callable[[], Any]] = {
        "n": lambda: formula.n(at, sqrt),
        "δ": lambda: formula.delta(delta, log, sqrt),
        "k": lambda: formula.depth(at, at / at * 2, sqrt),
        "m1": lambda: formula.inputs(at, log, sqrt),
    }
    order = orders[name]()
    return [term(*given, log, sqrt) / order for term in terms[name]]


def _limit(name: str, formula: Remark) -> Evidence:
    import sympy

    x = sympy.Symbol("x", positive=True)
    # With L = log x as the variable the limit in x is one in powers.
    limits = []
    for quotient in _quotient(name, formula, x, sympy.log, sympy.sqrt):
        spread = sympy.expand_log(quotient, force=True)
        limits.append(sympy.limit(spread.subs(sympy.log(x), sympy.Symbol("L", positive=True)), *_towards(name, x)))
    fine = all(bool(each.is_finite and each.is_positive) for each in limits)
    return said("symbolic", fine, f"limits {', '.join(map(str, limits))}", power=0.0)


def _towards(name: str, x: Any) -> tuple[Any, Any]:
    import sympy

    return (sympy.Symbol("L", positive=True) if name in ("δ", "m1") else x), sympy.oo


def _growth(name: str, formula: Remark) -> Evidence:
    """The quotient at x = 2^400 and 2^800 (k: 2^10 and 2^20) in balls: of that order, it changes by less than 1/5."""
    import flint

    low, high = (10, 20) if name == "k" else (400, 800)
    with flint.ctx.workprec(right_side.PRECISION):
        far, farther = (
            _quotient(
                name,
                formula,
                flint.arb(2) ** power if name != "k" else flint.arb(2**power),
                right_side.log,
                right_side.root,
            )
            for power in (low, high)
        )
        changes = [float((b / a).mid()) for a, b in zip(far, farther, strict=True)]
    fine = all(5 / 6 < each < 6 / 5 for each in changes)
    return said("enclosure", fine, f"quotients change by {', '.join(f'{each:.3g}' for each in changes)}", power=0.2)


def _own_order(formula: Remark) -> Evidence:
    """The first term that is printed, at 4n against n: half, if it is of order n^{-1/2}."""
    import sympy

    n, m1, k, r, t, d = sympy.symbols("n m1 k r t delta", positive=True)
    term = formula.first(n, m1, k, r, t, d, sympy.log, sympy.sqrt)
    shrinks = sympy.simplify(term.subs(n, 4 * n) / term)
    stated = sympy.simplify(formula.n(4 * n, sympy.sqrt) / formula.n(n, sympy.sqrt))
    return said("symbolic", bool(shrinks == stated), f"factor {shrinks} from n to 4n, stated {stated}", power=0.0)
