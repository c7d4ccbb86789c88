"""DSWN, eqs. 3 and 4: the Lagrangian, its stationary points, and P = (I + Γᵀ)^{-1}."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.dswn.model_points import (
    FULL_RANK,
    SYMMETRIC_G,
    eye,
    halves,
    inverse,
    matrix,
    shown,
    symmetric_matrices,
)

SYMMETRIC_GAMMA: Final = "Γ is symmetric"
GAMMA: Final = {1: [[2]], 2: [[1, 2], [2, -3]], 3: [[1, 2, 0], [2, -3, 1], [0, 1, 5]]}
SKEWED_GAMMA: Final = {1: [[2]], 2: [[1, 5], [2, -3]], 3: [[1, 2, 0], [7, -3, 1], [4, 1, 5]]}


def lagrangian(W: Any, X: Any, gamma: Any, G: Any) -> Any:
    """‖WG − V_C‖² + tr(Γᵀ (W G² Wᵀ − I)), eq. 3 with the trace that makes it a number."""
    constraint = W @ G @ G @ W.T
    return ((W @ G - X) ** 2).sum() + (gamma.T @ constraint).trace() - gamma.trace()


Lagrangian = Callable[[Any, Any, Any], Any]


@claim(
    "DSWN-EQ3",
    place="eq. 3",
    statement="L(W) = ‖WG − V_C‖²_F + Γᵀ(W G² Wᵀ − I) is a Lagrangian of eq. 2: a number, which is the loss at Γ = 0, "
    "and whose derivatives by the entries of Γ are those of the constraint.",
    reading="what is printed as a sum, with R for WG − V_C and C for W G² Wᵀ − I, both matrices.",
    formula=lambda R, gamma, C: (R * R).sum() + gamma.T @ C,
    faults={
        "the sum of the entries of Γᵀ C": lambda R, gamma, C: (R * R).sum() + (gamma.T @ C).sum(),
        "the trace of each": lambda R, gamma, C: (R * R).sum() + gamma.trace() * C.trace(),
        "the diagonal of the constraint": lambda R, gamma, C: (R * R).sum() + (gamma.diagonal() * C.diagonal()).sum(),
        "twice the constraint": lambda R, gamma, C: (R * R).sum() + 2 * (gamma.T @ C).trace(),
        "the loss halved": lambda R, gamma, C: (R * R).sum() / 2 + (gamma.T @ C).trace(),
        "the squared constraint": lambda R, gamma, C: (R * R).sum() + (gamma.T @ C @ C).trace(),
    },
    corrected="L(W) = ‖WG − V_C‖²_F + tr(Γᵀ(W G² Wᵀ − I)), with Γ symmetric, as the constraint is.",
    corrected_formula=lambda R, gamma, C: (R * R).sum() + (gamma.T @ C).trace(),
)
def a_lagrangian(formula: Lagrangian, quick: bool) -> Measured:
    import numpy as np

    R, C = matrix([[1, 2], [0, -1]]), matrix([[3, 1], [1, 0]])
    gamma = matrix([[2, 5], [-1, 1]])
    shape = np.shape(formula(R, gamma, C))
    symbolic_shape, symbolic_slopes = _in_symbols(formula)
    found = formula(R, gamma, C)
    text = f"a matrix {shape[0]} × {shape[1]}" if shape else str(found)
    witness: Json = {"n": 2, "Γ": shown(gamma), "W G² Wᵀ − I": shown(C), "‖WG − V_C‖²": "6", "the right side": text}
    note = f"n = 2: the right side has shape {shape}"
    message = "For n = 1 the right side is a number and nothing is amiss." if shape else ""
    return Measured(
        parts=[
            Part("a number", [said("exact", shape == (), note, power=0.0), symbolic_shape], witness),
            Part("slopes by Γ, value at Γ = 0", [_slopes(formula, R, gamma, C), symbolic_slopes], witness),
        ],
        message=message,
    )


def _in_symbols(formula: Lagrangian) -> tuple[Evidence, Evidence]:
    import numpy as np
    import sympy

    R, gamma = (np.array(sympy.symbols(f"{name}1:5", real=True), dtype=object).reshape(2, 2) for name in "rm")
    a, b, c = sympy.symbols("c1:4", real=True)
    C = np.array([[a, b], [b, c]], dtype=object)
    value = formula(R, gamma, C)
    number = said("symbolic", np.shape(value) == (), "n = 2: one expression", power=0.0)
    if np.shape(value) != ():
        return number, said("symbolic", False, "a matrix has no derivative that is the constraint", power=0.0)
    slopes = all(sympy.expand(sympy.diff(value, g) - x) == 0 for g, x in zip(gamma.ravel(), C.ravel(), strict=True))
    start = sympy.expand(value.subs(dict.fromkeys(gamma.ravel(), 0)) - (R * R).sum()) == 0
    return number, said("symbolic", slopes and start, "n = 2, all Γ, all symmetric constraints", power=0.0)


def _slopes(formula: Lagrangian, R: Any, gamma: Any, C: Any) -> Evidence:
    """L is affine in Γ, so that L(Γ + E_ij) − L(Γ) is the slope."""
    import numpy as np

    same = np.shape(formula(R, gamma, C)) == () and formula(R, 0 * gamma, C) == (R * R).sum()
    for i, j in itertools.product(range(2), repeat=2):
        moved = gamma.copy()
        moved[i, j] += 1
        difference = formula(R, moved, C) - formula(R, gamma, C)
        same = same and bool(np.all(difference == C[i, j]))
    return said("exact", same, "one step along every entry of Γ, n = 2", power=0.0)


Stationary = Callable[[Any, Any, Any], Any]


@claim(
    "DSWN-EQ4",
    place="eq. 4",
    statement="∂L/∂W = 0 gives V_C = (I + Γᵀ) WG.",
    hypotheses=("G is invertible",),
    reading="L with the trace that eq. 3 lacks (DSWN-EQ3). The 2 of the square and the 2 of the quadratic constraint "
    "cancel. For any Γ and symmetric G the right equation is V_C = (I + (Γ + Γᵀ)/2) WG.",
    formula=lambda unit, gamma, Y: (unit + gamma.T) @ Y,
    faults={
        "the sign of Γ turned": lambda unit, gamma, Y: (unit - gamma.T) @ Y,
        "half of Γ": lambda unit, gamma, Y: (unit + gamma.T / 2) @ Y,
        "twice Γ": lambda unit, gamma, Y: (unit + 2 * gamma.T) @ Y,
        "no I": lambda unit, gamma, Y: gamma.T @ Y,
        "the sign turned": lambda unit, gamma, Y: -(unit + gamma.T) @ Y,
        "Γ squared": lambda unit, gamma, Y: (unit + gamma.T @ gamma) @ Y,
    },
)
def stationary(formula: Stationary, quick: bool) -> Measured:
    exact, witness = _stationary_exactly(formula, skew_gamma=False, skew_g=False)
    parts = [Part("eq. 4 makes ∂L/∂W vanish, and nothing else does", [exact, _stationary_in_symbols(formula)], witness)]
    gamma, gamma_witness = _stationary_exactly(formula, skew_gamma=True, skew_g=False)
    skew, skew_witness = _stationary_exactly(formula, skew_gamma=False, skew_g=True)
    conditions = [Condition(SYMMETRIC_GAMMA, [gamma], gamma_witness), Condition(SYMMETRIC_G, [skew], skew_witness)]
    return Measured(
        parts=parts,
        conditions=conditions,
        message="A symmetric Γ loses nothing, as the constraint is symmetric.",
    )


def _stationary_exactly(formula: Stationary, skew_gamma: bool, skew_g: bool) -> tuple[Evidence, Json]:
    """∂L/∂W at V_C = formula(…) by central differences with step 1, exact as L is quadratic in W."""
    for n, d in ((1, 2), (2, 2), (2, 3), (3, 4)):
        gamma = matrix((SKEWED_GAMMA if skew_gamma else GAMMA)[n])
        for name, symmetric in symmetric_matrices(d).items():
            G = symmetric.copy()
            if skew_g:
                G[0, 1] += 1
            W = matrix([[(3 * i + 2 * j) % 5 - 1 + int(i == j) for j in range(d)] for i in range(n)])
            X = formula(eye(n), gamma, W @ G)
            for i, j in itertools.product(range(n), range(d)):
                E = 0 * W
                E[i, j] = Fraction(1)
                slope = (lagrangian(W + E, X, gamma, G) - lagrangian(W - E, X, gamma, G)) / 2
                if slope != 0:
                    seen = {"W": shown(W), "G": shown(G), "Γ": shown(gamma), "V_C of the formula": shown(X)}
                    note = f"∂L/∂W_{i + 1}{j + 1} = {slope} for n = {n}, d = {d}, G = {name}"
                    return said("exact", False, note, power=0.0), seen | {"∂L/∂W": f"{slope} in entry {i + 1}, {j + 1}"}
    return said("exact", True, "∂L/∂W = 0 at W, G, Γ in rationals up to n = 3, d = 4", power=0.0), None


def _stationary_in_symbols(formula: Stationary) -> Evidence:
    """n = d = 2, all W, symmetric Γ and G; the gradient is 2 (WG − V_C) G + …, so that V_C is unique for regular G."""
    import numpy as np
    import sympy

    w, x = (sympy.symbols(f"{name}1:5", real=True) for name in "wx")
    g, m = (sympy.symbols(f"{name}1:4", real=True) for name in "gm")
    W, X = (np.array(entries, dtype=object).reshape(2, 2) for entries in (w, x))
    G, gamma = (np.array([[a, b], [b, c]], dtype=object) for a, b, c in (g, m))
    slopes = [sympy.diff(sympy.expand(lagrangian(W, X, gamma, G)), entry) for entry in w]
    unit = np.array([[sympy.Integer(1), 0], [0, sympy.Integer(1)]], dtype=object)
    solved = dict(zip(x, formula(unit, gamma, W @ G).ravel(), strict=True))
    same = all(sympy.expand(slope.subs(solved)) == 0 for slope in slopes)
    return said("symbolic", same, "n = d = 2, all W, all symmetric Γ and G", power=0.0)


@claim(
    "DSWN-S3-PINV",
    place="text after eq. 4",
    statement="WG = P V_C and V_C = (I + Γᵀ) WG give P = (I + Γᵀ)^{-1}.",
    reading="P is any matrix with WG = P V_C, W feasible. Where V_C has rank n, so has I + Γᵀ, and P is unique; "
    "elsewhere I + Γᵀ is singular, and there is no such P (DSWN-FEAS).",
    formula=lambda unit, gamma: inverse(unit + gamma.T),
    faults={
        "Γ for its transpose": lambda unit, gamma: inverse(unit + gamma),
        "the sign of Γ turned": lambda unit, gamma: inverse(unit - gamma.T),
        "not inverted": lambda unit, gamma: unit + gamma.T,
        "the inverse of Γ": lambda unit, gamma: unit + inverse(gamma.T),
        "inverted twice over": lambda unit, gamma: inverse(unit + gamma.T) @ inverse(unit + gamma.T),
        "half of Γ": lambda unit, gamma: inverse(unit + gamma.T / 2),
    },
)
def inverted(formula: Callable[[Any, Any], Any], quick: bool) -> Measured:
    witness: Json = None
    for n, gamma in SKEWED_GAMMA.items():  # the step from eq. 4 to P needs no symmetry
        Y = halves(n)
        X = (eye(n) + matrix(gamma).T) @ Y
        P = formula(eye(n), matrix(gamma))
        # P is told by P V_C = WG alone, from the columns of V_C
        if not (P @ X == Y).all() and witness is None:
            witness = {"Γ": [[str(x) for x in row] for row in gamma], "V_C": shown(X), "P": shown(P)}
            witness |= {"P V_C": shown(P @ X), "WG": shown(Y)}
    exact = said("exact", witness is None, "P V_C = WG for n = 1, 2, 3, Γ not symmetric", power=0.0)
    regular = _regular_multiplier()
    condition = Condition(
        FULL_RANK,
        [said("exact", regular, "at a minimiser of eq. 2 for V_C of rank 1 < 2, I + Γᵀ has determinant 0", power=0.0)],
        {"V_C": [["1/2", "1/2", "-1/2", "-1/2"], ["0"] * 4], "I + Γᵀ": [["1", "0"], ["0", "0"]]},
    )
    return Measured(parts=[Part("P", [exact, _inverse_in_symbols(formula)], witness)], conditions=[condition])


def _regular_multiplier() -> bool:
    """Whether I + Γᵀ is regular where V_C = diag(1, 0) Q, Q feasible: V_C = (I + Γᵀ) Q determines it as V_C Qᵀ."""
    Q = halves(2)
    multiplier = (matrix([[1, 0], [0, 0]]) @ Q) @ Q.T
    return bool(multiplier[0, 0] * multiplier[1, 1] != multiplier[0, 1] * multiplier[1, 0])


def _inverse_in_symbols(formula: Callable[[Any, Any], Any]) -> Evidence:
    """n = 2: (I + Γᵀ) P = I for all Γ."""
    import numpy as np
    import sympy

    unit = np.array([[sympy.Integer(1), 0], [0, sympy.Integer(1)]], dtype=object)
    gamma = np.array(sympy.symbols("m1:5", real=True), dtype=object).reshape(2, 2)
    off = (unit + gamma.T) @ formula(unit, gamma) - unit
    same = all(sympy.cancel(x) == 0 for x in off.ravel())
    return said("symbolic", same, "(I + Γᵀ) P = I, n = 2, all Γ", power=0.0)
