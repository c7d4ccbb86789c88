"""Norm loss, section III: the gradient step, the two conventions for W, and the oblique manifold (eqs. 2 and 3)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from wnverify.papers.claims import Measured, Part, claim
from wnverify.papers.norm_loss.matrices import (
    Rows,
    is_identity_matrix,
    minus_identity,
    product,
    small_matrices,
    transposed,
)
from wnverify.papers.norm_loss.witnesses import F, exact, proved, shown


@claim(
    "NL-EQ2",
    place="Sec. III, eq. 2",
    statement="W_new = W − η ∂L/∂W moves W in the direction that lowers L: dL/dη = −‖∂L/∂W‖² at η = 0.",
    hypotheses=("η ≪ 1", "L is differentiable"),
    formula=lambda W, g, eta: W - eta * g,
    faults={
        "plus": lambda W, g, eta: W + eta * g,
        "η missing": lambda W, g, eta: W - g,
        "η squared": lambda W, g, eta: W - eta**2 * g,
        "W shrunk": lambda W, g, eta: (1 - eta) * W - eta * g,
    },
)
def gradient_step(formula: Any, quick: bool) -> Measured:
    import sympy

    from wnverify.oracles.symbolic import Gram, is_identity

    gram, t = Gram({}), sympy.Symbol("t", positive=True)
    W, g = gram.vector("W"), gram.vector("g")
    moved = formula(W, g, t)
    slope = sum(sympy.diff(c, t).subs(t, 0) * gram.product(name, "g") for name, c in moved.coefficients.items())
    still = all(is_identity(sympy.sympify(c).subs(t, 0), int(name == "W")) for name, c in moved.coefficients.items())
    # L = (x − 1)² + 3 (y + 2)², gradient 2 (x − 1), 6 (y + 2), at two points and a small rate
    worst: Any = None
    for x, y in ((F(3), F(1)), (F(-1), F(0))):
        gradient, rate = (2 * (x - 1), 6 * (y + 2)), F(1, 10**6)
        new = [formula(w, s, rate) for w, s in zip((x, y), gradient, strict=True)]
        before, after = ((u - 1) ** 2 + 3 * (v + 2) ** 2 for u, v in ((x, y), new))
        rate_of_change, square = (after - before) / rate, sum(s * s for s in gradient)
        if abs(rate_of_change + square) > square / 1000 and worst is None:
            worst = {"W": shown([x, y]), "gradient": shown(gradient), "W_new": shown(new)}
    routes = [
        proved(still and is_identity(slope, -(g @ g)), "over inner products, every dimension"),
        exact(worst is None, "change of a quadratic loss over η at η = 10⁻⁶ against −‖g‖²"),
    ]
    return Measured(parts=[Part("descent", routes, worst)])


@claim(
    "NL-P-CONV",
    place="Secs. II–III",
    statement="W has filters as rows, the transpose V = Wᵀ of the usual matrix: VᵀV = I of Secs. I–II and WWᵀ = I of "
    "Sec. III are one condition.",
    reading="the remark before eq. 3 counts: the letter W stands for the transpose from there on.  Without it the two "
    "conditions differ for n ≠ p.",
    formula=transposed,
    faults={
        "one matrix in both": lambda W: [list(row) for row in W],
        "filters in reverse order": lambda W: [list(reversed(row)) for row in transposed(W)],
        "twice the matrix": lambda W: [[2 * x for x in row] for row in transposed(W)],
    },
)
def conventions(formula: Callable[[Rows], Rows], quick: bool) -> Measured:
    import sympy

    witness, same = None, True
    for n, p in ((1, 2), (2, 1), (2, 2), (2, 3)):
        for W in small_matrices(n, p) if n * p < 6 else ():
            V = formula(W)
            if product(transposed(V), V) != product(W, transposed(W)) and witness is None:
                witness = {
                    "W": shown(W),
                    "VᵀV": shown(product(transposed(V), V)),
                    "WWᵀ": shown(product(W, transposed(W))),
                }
        S = [[sympy.Symbol(f"w{i}{j}") for j in range(p)] for i in range(n)]
        V = formula(S)
        left, right = product(transposed(V), V), product(S, transposed(S))
        same &= len(left) == len(right) and all(
            sympy.expand(x - y) == 0 for a, b in zip(left, right, strict=True) for x, y in zip(a, b, strict=True)
        )
    routes = [proved(same, "entries of both products, up to 2×3"), exact(witness is None, "entries 0, 1, −1")]
    return Measured(parts=[Part("one condition", routes, witness)])


def ddiag(A: Rows) -> list[list[Any]]:
    return [[x if i == j else F(0) for j, x in enumerate(row)] for i, row in enumerate(A)]


UNIT_ROWS = [
    [[F(3, 5), F(4, 5)], [F(3, 5), F(4, 5)]],
    [[F(1), F(0)], [F(-4, 5), F(3, 5)], [F(0), F(-1)]],
    [[F(2, 3), F(-1, 3), F(2, 3)]],
]


@claim(
    "NL-EQ3",
    place="Sec. III, eq. 3",
    statement="ddiag(WWᵀ) = I holds if and only if every row of W has norm one.",
    formula=lambda W: ddiag(product(W, transposed(W))),
    faults={
        "the whole Gram matrix": lambda W: product(W, transposed(W)),
        "columns": lambda W: ddiag(product(transposed(W), W)),
        "diagonal zeroed instead": lambda W: [
            [F(int(i == j)) if i == j else x for j, x in enumerate(row)]
            for i, row in enumerate(product(W, transposed(W)))
        ],
    },
)
def oblique(formula: Callable[[Rows], Rows], quick: bool) -> Measured:
    import sympy

    witness: Any = None
    for W in [*UNIT_ROWS, *small_matrices(1, 2), *small_matrices(2, 2), *small_matrices(2, 1)]:
        unit = all(sum(x * x for x in row) == 1 for row in W)
        if is_identity_matrix(formula(W)) != unit and witness is None:
            witness = {"W": shown(W), "unit rows": unit, "left side": shown(formula(W))}
    same = True
    for n, p in ((1, 2), (2, 2), (3, 2)):
        S = [[sympy.Symbol(f"w{i}{j}", real=True) for j in range(p)] for i in range(n)]
        left = formula(S)
        same &= len(left) == n and all(
            sympy.expand(x - (sum(s * s for s in S[i]) if i == j else 0)) == 0
            for i, row in enumerate(left)
            for j, x in enumerate(row)
        )
    routes = [
        proved(same, "the left side is the diagonal matrix of the rows' squared norms, up to 3×2"),
        exact(witness is None, "the equivalence on matrices with entries 0, 1, −1 and on unit rows"),
    ]
    return Measured(parts=[Part("if and only if", routes, witness)])


@claim(
    "NL-P-LESS",
    place="Sec. III",
    statement="Eq. 3 demands less than WWᵀ = I: it follows from it, and not the other way round.",
    hypotheses=("at least two filters; with one, the two are the same",),
    formula=(lambda W: ddiag(product(W, transposed(W))), lambda W: product(W, transposed(W))),
    faults={
        "the other way round": (lambda W: product(W, transposed(W)), lambda W: ddiag(product(W, transposed(W)))),
        "one and the same": (lambda W: product(W, transposed(W)), lambda W: product(W, transposed(W))),
        "unit columns": (lambda W: ddiag(product(transposed(W), W)), lambda W: product(W, transposed(W))),
    },
)
def less_restrictive(formula: Any, quick: bool) -> Measured:
    import sympy

    weak, strong = formula
    breaks: Any = None
    gain: Any = None
    matrices = [*UNIT_ROWS, *itertools.chain(small_matrices(2, 2), small_matrices(2, 3))]
    for W in matrices:
        demanded, less = is_identity_matrix(strong(W)), is_identity_matrix(weak(W))
        if demanded and not less and breaks is None:
            breaks = {"W": shown(W), "demanded by": "eq. 3 alone"}
        if less and not demanded and gain is None:
            gain = W
    S = [[sympy.Symbol(f"w{i}{j}") for j in range(2)] for i in range(2)]

    def equations(matrix: Rows) -> set[Any]:
        return {sympy.expand(x) for row in minus_identity(matrix) for x in row} - {0}

    inside = equations(weak(S)) < equations(strong(S))
    routes = [
        proved(inside, "the equations of eq. 3 are some of the others, at n = p = 2"),
        exact(breaks is None and gain is not None, f"allowed by eq. 3 alone: {shown(gain)}"),
    ]
    return Measured(parts=[Part("strictly less", routes, breaks or {"W allowed by eq. 3 alone": "none"})])
