"""Norm loss, section III: the Riemannian gradient (eqs. 4 and 5), what is concluded from it, the projection (eq. 6)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from wnverify.finding import seed_of
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.norm_loss.witnesses import F, circle, exact, proved, shown, vectors

UNIT: Final = ((F(1), F(0)), (F(3, 5), F(4, 5)), (F(-5, 13), F(12, 13)), (F(2, 3), F(-1, 3), F(2, 3)))
"""Filters of norm one."""


def pairs() -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """A unit filter w and a gradient g: small integers, and multiples of w."""
    for w in UNIT:
        for g in itertools.chain(vectors(len(w), (0, 1, -2)), [w, tuple(-3 * x for x in w)]):
            yield w, g


def dot(u: Sequence[Any], v: Sequence[Any]) -> Any:
    return sum((x * y for x, y in zip(u, v, strict=True)), F(0))


def times(A: Any, B: Any) -> Any:
    """The matrix product, a 1×1 matrix in front counting as a number, as is usual in such formulas."""
    return A[0, 0] * B if A.shape == (1, 1) else A @ B


def eq4(w: Any, g: Any) -> Any:
    """Eq. 4 to the letter, w and g as NumPy arrays of one shape."""
    return g - times(w.T @ g, w)


@claim(
    "NL-EQ4",
    place="Sec. III, eq. 4",
    statement="At w (1, p) with wwᵀ = 1 the Riemannian gradient on the sphere is g − (wᵀ g) w, g = ∂L/∂w (1, p).",
    hypotheses=("w wᵀ = 1, w a row",),
    reading="W in the equation is the weight w of the one neuron, and products are those of matrices.",
    formula=eq4,
    faults={
        "the inner product, added": lambda w, g: g + times(g @ w.T, w),
        "the outer product in front": lambda w, g: g - times(w, w.T @ g),
        "the normal part twice": lambda w, g: g - 2 * times(g @ w.T, w),
        "w and g exchanged": lambda w, g: g - times(g @ w.T, g),
        "the normal part alone": lambda w, g: times(g @ w.T, w),
    },
    corrected="g − (g wᵀ) w for rows; what is printed is right for columns, w (p, 1) with wᵀw = 1.",
    corrected_formula=lambda w, g: g - times(g @ w.T, w),
)
def riemannian_gradient(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    import numpy as np
    import sympy

    from wnverify.oracles.symbolic import coordinates, vanishes_on

    def as_rows(w: Sequence[Any], g: Sequence[Any]) -> Any:
        """The formula at rows; None where its products do not exist."""
        try:
            return formula(np.array([w], dtype=object), np.array([g], dtype=object))
        except ValueError:
            return None

    witness: Any = None
    for w, g in pairs():
        found, right = as_rows(w, g), [x - dot(w, g) * y for x, y in zip(g, w, strict=True)]
        if witness is None and (found is None or found.shape != (1, len(w)) or list(found[0]) != right):
            shapes = f"wᵀ g is {len(w)}×{len(w)}, and its product with w 1×{len(w)} does not exist"
            witness = {"w": shown(w), "g": shown(g), "right": shown(right)}
            witness["formula"] = shapes if found is None else shown(list(found[0]))
    proof = True
    for p in (2, 3):
        w, g = coordinates("w", p), coordinates("g", p)
        found = as_rows(w, g)
        # d/dt L(w + t u) on the sphere: the derivative of c·x/‖x‖ at ‖x‖ = 1, entry by entry
        x = [sympy.Symbol(f"x{i}", real=True) for i in range(p)]
        loss = sum(a * b for a, b in zip(g, x, strict=True)) / sympy.sqrt(sum(b * b for b in x))
        at, square = dict(zip(x, w, strict=True)), sympy.Symbol("s", positive=True)
        total = sum(y * y for y in w)
        for i in range(p):
            slope = sympy.diff(loss, x[i]).subs(at).subs(total, square**2).subs(square, 1)
            proof = proof and found is not None and vanishes_on(found[0][i] - slope, [total - 1], list(w))
    columns = _right_for_columns(formula)
    note = "as columns, w (p, 1), it is right" if columns else "as columns, w (p, 1), it is not right either"
    routes = [
        proved(proof, f"against the derivative of L(w/‖w‖), p = 2 and 3; {note}"),
        exact(witness is None, "against the part of g tangent to the sphere, which is what the gradient is"),
    ]
    return Measured(parts=[Part("eq. 4", routes, witness)], message=f"{note[0].upper()}{note[1:]}.")


def _right_for_columns(formula: Callable[[Any, Any], Any]) -> bool:
    import numpy as np

    for w, g in pairs():
        try:
            found = formula(*(np.array([[x] for x in v], dtype=object) for v in (w, g)))
        except ValueError:
            return False
        right = [[x - dot(w, g) * y] for x, y in zip(g, w, strict=True)]
        if found.tolist() != right:
            return False
    return True


@claim(
    "NL-EQ5",
    place="Sec. III, eq. 5",
    statement="‖g‖ ≤ ‖(w·g) w‖ for the gradient g = ∂L/∂w at ‖w‖ = 1.",
    hypotheses=("w wᵀ = 1",),
    reading="(wᵀ g) w is the normal part (w·g) w of eq. 4, whose shapes do not fit as printed (see NL-EQ4).  The "
    "formula gives the squares of the lesser and the greater side.",
    formula=lambda gg, wg, ww: (gg, wg**2 * ww),
    faults={
        "twice the normal part": lambda gg, wg, ww: (4 * wg**2 * ww, gg),
        "less than half of it": lambda gg, wg, ww: (gg / 4, wg**2 * ww),
        "the tangent part the greater": lambda gg, wg, ww: (gg, gg - wg**2),
    },
    corrected="‖(w·g) w‖ ≤ ‖g‖ (Cauchy–Schwarz), with equality only for g parallel to w.",
    corrected_formula=lambda gg, wg, ww: (wg**2 * ww, gg),
)
def bound(formula: Callable[[Any, Any, Any], tuple[Any, Any]], quick: bool) -> Measured:
    from wnverify.oracles.symbolic import coordinates, vanishes_on

    witness: Any = None
    count = 0
    for w, g in pairs():
        lesser, greater = formula(dot(g, g), dot(w, g), dot(w, w))
        count += 1
        if lesser > greater and witness is None:
            witness = {"w": shown(w), "g": shown(g), "lesser side²": shown(lesser), "greater side²": shown(greater)}
    # Lagrange: ‖g‖²‖w‖² − (w·g)² is a sum of squares, zero only for parallel vectors
    holds: bool | None = True
    for p in (2, 3):
        w, g = coordinates("w", p), coordinates("g", p)
        lesser, greater = formula(sum(g * g), sum(w * g), sum(w * w))
        squares = sum((w[i] * g[j] - w[j] * g[i]) ** 2 for i, j in itertools.combinations(range(p), 2))
        relation = [sum(w * w) - 1]
        if vanishes_on(greater - lesser + squares, relation, list(w)):
            holds = False
        elif not vanishes_on(greater - lesser - squares, relation, list(w)) and holds:
            holds = None
    routes = [
        proved(holds, "greater² − lesser² against the sum of squares of Lagrange's identity, p = 2 and 3"),
        exact(witness is None, f"{count} pairs of unit w and g"),
    ]
    return Measured(parts=[Part("eq. 5", routes, witness or {"w": "any", "g": "not parallel to w"})])


@claim(
    "NL-P-DOM",
    place="Sec. III",
    statement="From eq. 5 it follows that the plain gradient is the dominant term of eq. 4.",
    reading="dominant: its norm is at least that of the normal part (w·g) w.  What experiments of the cited work add "
    "is not printed.  The formula is what eq. 5 says of the two squared norms.",
    formula=lambda plain, normal: plain <= normal,
    faults={
        "strictly less": lambda plain, normal: plain < normal,
        "equal": lambda plain, normal: plain == normal,
    },
    corrected="It follows from eq. 5 turned round, ‖(w·g) w‖ ≤ ‖g‖, and only so far: for g parallel to w the two are "
    "equal and the Riemannian gradient is 0.",
    corrected_formula=lambda plain, normal: normal <= plain,
)
def dominant(formula: Callable[[Any, Any], bool], quick: bool) -> Measured:
    from wnverify.oracles.symbolic import coordinates, vanishes_on

    witness: Any = None
    dominates = True
    for w, g in pairs():
        plain, normal = dot(g, g), dot(w, g) ** 2
        dominates &= plain >= normal
        if bool(formula(plain, normal)) != (plain >= normal) and witness is None:
            witness = {"w": shown(w), "g": shown(g), "‖g‖²": shown(plain), "‖(w·g) w‖²": shown(normal)}
    w, g = coordinates("w", 2), coordinates("g", 2)
    difference = sum(g * g) - sum(w * g) ** 2 - (w[0] * g[1] - w[1] * g[0]) ** 2
    proof = vanishes_on(difference, [sum(w * w) - 1], list(w))
    conclusion = Part(
        "the conclusion", [proved(proof, "‖g‖² − (w·g)² is a square, p = 2"), exact(dominates, "all pairs")]
    )
    agree = exact(witness is None, "whether eq. 5 and the conclusion say the same of every pair")
    return Measured(parts=[conclusion], consistency=[Part("eq. 5 and the conclusion", [agree], witness)])


@claim(
    "NL-EQ6",
    place="Sec. III, eq. 6",
    statement="w/‖w‖ is the point of the oblique manifold nearest to w.",
    reading="nearest: in the Euclidean norm, which is what projecting means; row by row.",
    formula=lambda w, norm: [x / norm for x in w],
    faults={
        "the squared norm": lambda w, norm: [x / norm**2 for x in w],
        "the opposite point": lambda w, norm: [-x / norm for x in w],
        "signs": lambda w, norm: [(1 if x > 0 else -1) / F(len(w)) for x in w],
        "not divided": lambda w, norm: list(w),
    },
    corrected="For w ≠ 0.  At w = 0 the quotient does not exist, and every unit vector is equally near.",
)
def projection(formula: Callable[[Any, Any], list[Any]], quick: bool) -> Measured:
    import numpy as np
    import scipy.optimize

    witness: Any = None
    for w, norm in (
        ((F(3), F(4)), F(5)),
        ((F(-5, 26), F(12, 26)), F(1, 2)),
        ((F(0), F(-2)), F(2)),
        ((F(1), F(0)), F(1)),
    ):
        point = formula(w, norm)
        far = sum((x - y) ** 2 for x, y in zip(point, w, strict=True))
        for u in circle():
            nearer = sum((x - y) ** 2 for x, y in zip(u, w, strict=True)) < far
            if (nearer or dot(point, point) != 1) and witness is None:
                witness = {"w": shown(w), "point": shown(point), "a unit vector": shown(u), "nearer": nearer}
    rng = np.random.default_rng(seed_of("norm_loss", "projection"))
    gap = 0.0
    for scale in (0.1, 5.0):
        x: Any = scale * rng.standard_normal(3)
        found = scipy.optimize.minimize(
            lambda y, x=x: ((y / np.sqrt(y @ y) - x) ** 2).sum(), rng.standard_normal(3), tol=1e-14
        )
        best = found.x / np.sqrt(found.x @ found.x)
        gap = max(gap, float(np.abs(best - np.array(formula(list(x), float(np.sqrt(x @ x))), dtype=float)).max()))
    try:
        defined = bool(formula((F(0), F(0)), F(0)) is not None)
    except ZeroDivisionError:
        defined = False
    routes = [
        exact(witness is None, "against every rational unit vector of a list: ‖w − u‖² ≥ (‖w‖ − 1)² by Cauchy–Schwarz"),
        said(
            "optimisation",
            gap < 1e-4,
            f"the nearest point found by descent over directions: off by {gap:.1e}",
            power=1e-4,
        ),
    ]
    zero = {"w": [0, 0], "g": [1, 0], "reached": "w = (1, 0) after eq. 2 with η = 1", "w/‖w‖": "0/0"}
    return Measured(
        parts=[Part("nearest point", routes, witness)],
        conditions=[Condition("w ≠ 0", [exact(defined, "eq. 6 at w = 0 divides by 0")], zero)],
    )
