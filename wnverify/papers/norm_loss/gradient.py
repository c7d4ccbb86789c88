"""Norm loss, section IV-A and appendix: the gradients (eqs. 10, 11) and their derivation (eqs. 13, 15)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.norm_loss.witnesses import (
    FILTERS,
    F,
    difference,
    exact,
    fraction_root,
    gradient_by_differences,
    gradient_by_reverse_mode,
    network,
    norm,
    proved,
    shown,
)


def decay(w: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """Σ w², the filter's share of L_wd."""
    return sum(x * x for x in w)


def deviation(w: Sequence[Any], root: Callable[[Any], Any]) -> Any:
    """(1 − ‖w‖)², the filter's share of L_nl."""
    return (1 - norm(w, root)) ** 2


def norms_of(W: Any) -> Any:
    return (W * W).sum(1, keepdim=True).sqrt()


def in_symbols(loss: Any, formula: Callable[[Any, Any], Any], sizes: Sequence[int]) -> bool:
    """``formula(w_i, ‖w‖)`` against SymPy's derivative of ``loss``, one filter of each size, every entry."""
    import sympy

    for size in sizes:
        (row,), (r,) = network(1, size)
        s = sympy.Symbol("s", positive=True)
        value = loss(row, sympy.sqrt)
        for x in row:
            gap = (sympy.diff(value, x) - formula(x, r)).subs(r, s)
            if sympy.simplify(sympy.expand(gap)) != 0:
                return False
    return True


@claim(
    "NL-EQ10",
    place="Sec. IV-A, eq. 10",
    statement="∂L_wd/∂w = 2w for every weight, L_wd the sum of the squares of all weights.",
    reading="L_wd as meant in eq. 9 (see NL-EQ9).",
    formula=lambda x, r: 2 * x,
    faults={
        "2 missing": lambda x, r: x,
        "minus": lambda x, r: -2 * x,
        "divided by the norm": lambda x, r: 2 * x / r,
        "squared": lambda x, r: 2 * x * x,
    },
)
def decay_gradient(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    near, witness = gradient_by_differences(decay, formula, FILTERS[:2] if quick else FILTERS)
    routes = [proved(in_symbols(decay, formula, (2,)), "every entry, p = 2"), near]
    if not quick:
        routes.append(gradient_by_reverse_mode(lambda W: (W * W).sum(), formula, "eq10"))
    left = ("reverse mode, four of six filters",) if quick else ()
    return Measured(parts=[Part("eq. 10", routes, witness)], left_out=left)


def eq11(x: Any, r: Any) -> Any:
    """Eq. 11: the entry of the gradient for the weight x of a filter of norm r."""
    return 2 * x * (1 - 1 / r)


@claim(
    "NL-EQ11",
    place="Sec. IV-A, eq. 11",
    statement="∂L_nl/∂w_{ijc_ic_o} = 2 w_{ijc_ic_o} (1 − 1/‖w_{c_o}‖).",
    reading="L_nl as meant in eq. 7 (see NL-EQ7).",
    formula=eq11,
    faults={
        "1/norm squared": lambda x, r: 2 * x * (1 - 1 / r**2),
        "minus": lambda x, r: -2 * x * (1 - 1 / r),
        "2 missing": lambda x, r: x * (1 - 1 / r),
        "the norm for its inverse": lambda x, r: 2 * x * (1 - r),
        "not a direction": lambda x, r: 2 * x * (r - 1),
        "plus": lambda x, r: 2 * x * (1 + 1 / r),
    },
    corrected="For w_{c_o} ≠ 0: at a zero filter L_nl has no gradient (see NL-EQ11-ZERO).",
)
def loss_gradient(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    near, witness = gradient_by_differences(deviation, formula, FILTERS[:2] if quick else FILTERS)
    sizes = (2,) if quick else (2, 3)
    routes = [proved(in_symbols(deviation, formula, sizes), f"every entry, p in {sizes}"), near]
    if not quick:
        routes.append(gradient_by_reverse_mode(lambda W: ((1 - norms_of(W)) ** 2).sum(), formula, "eq11"))
    try:
        formula(F(0), F(0))
        defined = True
    except ZeroDivisionError:
        defined = False
    # the loss is defined at 0, and its slopes along ± the first axis are both −2: no gradient
    h = F(1, 10**6)
    slopes = [(deviation([step], fraction_root) - 1) / h for step in (h, -h)]
    kink = slopes[0] + slopes[1] < -1
    zero = Condition(
        "w_{c_o} ≠ 0",
        [exact(defined and not kink, f"slopes {float(slopes[0]):.6f} to both sides; eq. 11 divides by 0")],
        {"w": [0], "L_nl": 1, "slopes to both sides": [-2, -2], "eq. 11": "2·0·(1 − 1/0)"},
    )
    left = ("reverse mode, four of six filters, p = 3",) if quick else ()
    return Measured(parts=[Part("eq. 11", routes, witness)], conditions=[zero], left_out=left)


@claim(
    "NL-EQ11-ZERO",
    place="Sec. IV-A (implied)",
    statement="At w_{c_o} = 0 the filter's loss is 1 and falls in every direction at rate 2, a peak like a cone's, so "
    "that there is no gradient; eq. 11 is 0·(1 − 1/0), and nearby gradients have norm near 2 in every direction, so "
    "that no value continues them.",
    reading="the row asks what happens there; this is the answer.",
    formula={"loss": 1, "slope in every direction": -2, "norm of gradients nearby": 2, "eq. 11 is a number": False},
    faults={
        "flat": {
            "loss": 1,
            "slope in every direction": 0,
            "norm of gradients nearby": 0,
            "eq. 11 is a number": False,
        },
        "a minimum": {
            "loss": 0,
            "slope in every direction": 2,
            "norm of gradients nearby": 2,
            "eq. 11 is a number": False,
        },
        "eq. 11 gives 0": {
            "loss": 1,
            "slope in every direction": -2,
            "norm of gradients nearby": 2,
            "eq. 11 is a number": True,
        },
        "gradients vanish": {
            "loss": 1,
            "slope in every direction": -2,
            "norm of gradients nearby": 0,
            "eq. 11 is a number": False,
        },
    },
)
def zero_filter(formula: Mapping[str, Any], quick: bool) -> Measured:
    import numpy as np
    import sympy

    from wnverify.methods.norm_loss.reference import printed_gradient

    t = sympy.Symbol("t", positive=True)
    a, b = sympy.symbols("a b", real=True)
    length = sympy.sqrt(a**2 + b**2)  # norm of the direction; its slope is −2 for unit directions
    along = deviation([t * a, t * b], lambda square: sympy.sqrt(sympy.factor(square)))
    slope = sympy.simplify(sympy.diff(along, t).subs(t, 0) / length)
    near = sympy.limit(abs(eq11(t, t)), t, 0, "+")
    number = bool(np.isfinite(printed_gradient([[0.0, 0.0]])).all())
    seen = {
        "loss": sympy.Integer(int(deviation([F(0), F(0)], fraction_root))),
        "slope in every direction": slope,
        "norm of gradients nearby": near,
        "eq. 11 is a number": number,
    }
    wrong = [name for name, value in seen.items() if value != formula[name]]
    h = F(1, 10**9)
    slopes = [(deviation([h * x for x in w], fraction_root) - 1) / (h * r) for w, r in FILTERS]
    exactly = all(abs(s - formula["slope in every direction"]) < F(1, 10**6) for s in slopes)
    ball = all(
        abs(abs(difference(deviation, [h * x / r for x in w], i)) - abs(formula["norm of gradients nearby"] * x / r))
        < 1e-6
        for w, r in FILTERS[:2]
        for i, x in enumerate(w)
    )
    witness = {name: f"{shown(value)}, claimed {shown(formula[name])}" for name, value in seen.items()}
    exactly_number = number == formula["eq. 11 is a number"]
    return Measured(
        parts=[
            Part("in symbols", [proved(not wrong, f"differs: {', '.join(wrong) or 'nothing'}")], witness),
            Part("slopes", [exact(exactly, "difference quotients at 0 in six directions")], witness),
            Part("gradients nearby", [said("differences", ball, "at norm 10⁻⁹", power=1e-6)], witness),
            Part("eq. 11 in float64", [exact(exactly_number, "0 × (1 − 1/0) is not a number")], witness),
        ]
    )


@claim(
    "NL-EQ13",
    place="Appendix, eq. 13",
    statement="∂L_nl/∂w_{ijc_ic_o} is that of the one filter's (1 − ‖w_{c_o}‖)², which is "
    "2 (1 − ‖w_{c_o}‖) ∂(1 − ‖w_{c_o}‖)/∂w_{ijc_ic_o}.",
    hypotheses=("the norm is differentiable, w_{c_o} ≠ 0; where it is not, neither side exists",),
    reading="indices that are summed and those of the derivative are different ones, though named alike.",
    formula=lambda norms, c, slope: 2 * (1 - norms[c]) * slope,
    faults={
        "2 missing": lambda norms, c, slope: (1 - norms[c]) * slope,
        "the sum kept": lambda norms, c, slope: sum(2 * (1 - r) for r in norms) * slope,
        "the inner derivative missing": lambda norms, c, slope: 2 * (1 - norms[c]),
        "minus": lambda norms, c, slope: -2 * (1 - norms[c]) * slope,
    },
)
def chain(formula: Callable[[Sequence[Any], int, Any], Any], quick: bool) -> Measured:
    import sympy

    known = network(2, 2)
    loss = sum((1 - r) ** 2 for r in known.norms)
    proof, witness = True, None
    for c, (row, r) in enumerate(zip(*known, strict=True)):
        for x in row:
            claimed = formula(known.norms, c, sympy.diff(1 - r, x))
            proof &= sympy.simplify(sympy.diff(loss, x) - claimed) == 0
    W, norms = ((F(3), F(4)), (F(3, 10), F(-4, 10))), (F(5), F(1, 2))
    for c in range(2):
        for i in range(2):

            def whole(w: Sequence[Any], root: Any, c: int = c) -> Any:
                rows = [w if k == c else [root(x * x) for x in other] for k, other in enumerate(_digits(W))]
                return sum(deviation(each, root) for each in rows)

            right, claimed = difference(whole, W[c], i), formula(norms, c, -W[c][i] / norms[c])
            if abs(right - float(claimed)) > 1e-12 and witness is None:
                witness = {"W": shown(W), "entry": [c + 1, i + 1], "formula": shown(claimed), "gradient": float(right)}
    routes = [
        proved(bool(proof), "two filters of two weights, every entry"),
        said("differences", witness is None, "of the sum over two filters", power=1e-12),
    ]
    return Measured(parts=[Part("eq. 13", routes, witness)])


def _digits(W: Sequence[Sequence[Any]]) -> list[list[Any]]:
    import mpmath

    return [[mpmath.mpf(x.numerator) / x.denominator for x in row] for row in W]


MEMBERS = (
    lambda x, r, ds: 2 * (1 - r) * (-1 / (2 * r)) * ds,
    lambda x, r, ds: 2 * (1 - r) * (-1 / (2 * r)) * 2 * x,
    lambda x, r, ds: 2 * x * (1 - 1 / r),
)
"""The three forms of eq. 15, ds the derivative of the sum of squares under the root."""


@claim(
    "NL-EQ15",
    place="Appendix, eq. 15",
    statement="∂L_nl/∂w = 2 (1 − r)(−1/(2r)) ∂(Σ w²)/∂w = 2 (1 − r)(−1/(2r)) 2w = 2w (1 − 1/r) with r = ‖w_{c_o}‖.",
    hypotheses=("r ≠ 0, by which the equation divides",),
    formula=MEMBERS,
    faults={
        "1/r for 1/(2r)": (lambda x, r, ds: 2 * (1 - r) * (-1 / r) * ds, *MEMBERS[1:]),
        "w for 2w": (MEMBERS[0], lambda x, r, ds: 2 * (1 - r) * (-1 / (2 * r)) * x, MEMBERS[2]),
        "the sign lost": (*MEMBERS[:2], lambda x, r, ds: 2 * x * (1 / r - 1)),
        "plus in the middle": (MEMBERS[0], lambda x, r, ds: 2 * (1 - r) / (2 * r) * 2 * x, MEMBERS[2]),
    },
)
def last_step(formula: Sequence[Callable[[Any, Any, Any], Any]], quick: bool) -> Measured:
    parts = []
    for number, member in enumerate(formula, start=1):

        def entry(x: Any, r: Any, member: Any = member) -> Any:
            return member(x, r, 2 * x)

        near, witness = gradient_by_differences(deviation, entry, FILTERS[:2] if quick else FILTERS[:4])
        proof = proved(in_symbols(deviation, entry, (2,)), "against the derivative of (1 − ‖w‖)², p = 2")
        parts.append(Part(f"form {number}", [proof, near], witness))
    return Measured(parts=parts, left_out=("two of four filters",) if quick else ())
