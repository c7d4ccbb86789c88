"""DSWN, section 3 up to eq. 1: the layer, the two forms of φ(V), and whether φ is linear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence
from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.dswn.model_points import (
    FULL_RANK,
    balls,
    both,
    centred,
    eye,
    halves,
    matrix,
    point,
    root_in_balls,
    shown,
    working,
)

Layer = Callable[[Any, Any, Any], Any]


@claim(
    "DSWN-S3-FWD",
    place="sec. 3",
    statement="A layer is Z = W A + b with W ∈ R^{n×d} and b ∈ R^{n×1}, so that z_ij = Σ_k w_ik a_kj + b_i.",
    reading="matrix algebra by the letter, where a sum needs equal shapes. Sec. 3 calls A a vector (one sample, d × "
    "1), Algorithms 1 and 2 give it m columns; θ = (W, b) is called learnable, while the algorithms train V and b. n "
    "and d are those of one layer: as constants of the network they would force n = d.",
    formula=lambda W, A, b: W * A + b,
    faults={
        "W transposed": lambda W, A, b: W.T * A + b,
        "the factors exchanged": lambda W, A, b: A * W + b,
        "the bias subtracted": lambda W, A, b: W * A - b,
        "no bias": lambda W, A, b: W * A,
        "a bias of the wrong side": lambda W, A, b: W * (A + b),
    },
)
def layer(formula: Layer, quick: bool) -> Measured:
    vector = [_layer_symbols(formula, 1), _layer_numbers(formula, 1)]
    columns = [_layer_symbols(formula, 2), _layer_numbers(formula, 2)]
    seen = {"W": "2×3", "A": "3×2", "W A": "2×2", "b": "2×1"}
    text = "A has one column, or b stands for b 1_mᵀ (added to every column)"
    return Measured(
        parts=[Part("Z for one column", vector, {"W": "2×3", "A": "3×1", "b": "2×1"})],
        conditions=[Condition(text, columns, seen)],
    )


def _layer_symbols(formula: Layer, m: int) -> Evidence:
    import sympy

    W, A, b = (sympy.MatrixSymbol(*shape).as_explicit() for shape in (("W", 2, 3), ("A", 3, m), ("b", 2, 1)))
    true = sympy.Matrix(2, m, lambda i, j: sum(W[i, k] * A[k, j] for k in range(3)) + b[i, 0])
    try:
        same = sympy.Matrix(formula(W, A, b)) == true
    except sympy.matrices.exceptions.ShapeError as reason:
        return said("symbolic", False, f"m = {m}: {reason}", power=0.0)
    return said("symbolic", same, f"n = 2, d = 3, m = {m}, entry by entry", power=0.0)


def _layer_numbers(formula: Layer, m: int) -> Evidence:
    import sympy

    W, A, b = [[1, 2, 3], [0, -1, 4]], [[2, 5], [1, 7], [-3, 11]], [[10], [20]]
    true = [[sum(W[i][k] * A[k][j] for k in range(3)) + b[i][0] for j in range(m)] for i in range(2)]
    try:
        found = sympy.Matrix(formula(sympy.Matrix(W), sympy.Matrix([row[:m] for row in A]), sympy.Matrix(b))).tolist()
    except sympy.matrices.exceptions.ShapeError as reason:
        return said("exact", False, f"m = {m}: {reason}", power=0.0)
    return said("exact", found == true, f"whole numbers, m = {m}", power=0.0)


class TwoForms(NamedTuple):
    """What the text after eq. 1 and eq. 6 put for φ(V) = WG, from P, V and V_C."""

    text: Callable[[Any, Any, Any], Any]
    equation6: Callable[[Any, Any, Any], Any]


PRINTED: Final = TwoForms(lambda P, V, X: P @ V, lambda P, V, X: P @ X)


@claim(
    "DSWN-EQ1",
    place="eq. 1 and text",
    statement="WG = φ(V): the φ(V) = PV of the text after eq. 1 is the φ(V) = P V_C of the text before eq. 2 and of "
    "eq. 6, and it is what eq. 2 asks of WG, (WG)(WG)ᵀ = I.",
    hypotheses=(FULL_RANK,),
    reading="P = Σ^{-1/2} in both places. 'Usually assumed zero-centred' is no hypothesis: V is what is trained, eq. 6 "
    "subtracts its mean, and for V 1 = 0 alone the two forms agree.",
    formula=PRINTED,
    faults={
        "the text form in both places": PRINTED._replace(equation6=PRINTED.text),
        "P squared in eq. 6": TwoForms(*[lambda P, V, X: P @ P @ X] * 2),
        "no P": TwoForms(*[lambda P, V, X: X] * 2),
        "doubled in eq. 6": TwoForms(lambda P, V, X: P @ X, lambda P, V, X: 2 * P @ X),
        "the mean added": TwoForms(*[lambda P, V, X: P @ (2 * V - X)] * 2),
    },
    corrected="φ(V) = P V_C = P (V − c 1ᵀ) in all places.",
    corrected_formula=TwoForms(*[lambda P, V, X: P @ X] * 2),
)
def two_forms(formula: TwoForms, quick: bool) -> Measured:
    def agree(at: Any) -> tuple[Any, Any]:
        return formula.text(at.P, at.V, at.V_C), formula.equation6(at.P, at.V, at.V_C)

    def constraint(at: Any) -> tuple[Any, Any]:
        Y = formula.equation6(at.P, at.V, at.V_C)
        return Y @ Y.T, at.eye

    same, witness = both(agree, quick, "PV against P V_C")
    orthonormal, off = both(constraint, quick, "(WG)(WG)ᵀ against I, eq. 6")
    return Measured(
        parts=[Part("eq. 6 meets the constraint", orthonormal, off)],
        consistency=[Part("φ(V) of the text is φ(V) of eq. 6", same, witness)],
    )


Root = Callable[[Any], Any]


@claim(
    "DSWN-S3-LIN",
    place="text after eq. 1",
    statement="φ(V) = Σ^{-1/2} V_C is a linear transformation of V: φ(aV) = a φ(V) and φ(V + U) = φ(V) + φ(U).",
    hypotheses=(FULL_RANK,),
    reading="as a function of V, which is what is trained. P is calculated from V; with P held fixed the map is "
    "linear, which is the corrected form.",
    formula=lambda root, V, fixed: root(V) @ centred(V),
    faults={
        "Σ^{-1}": lambda root, V, fixed: root(V) @ root(V) @ centred(V),
        "P fixed, a constant added": lambda root, V, fixed: root(fixed) @ (centred(V) + 1),
        "P fixed, scaled by P(V)": lambda root, V, fixed: root(fixed) @ root(V) @ centred(V),
        "P fixed, entries squared": lambda root, V, fixed: root(fixed) @ centred(V * V),
    },
    corrected="φ is not linear, as P depends on V: φ(aV) = φ(V) for a > 0. For P held fixed V ↦ P V_C is linear.",
    corrected_formula=lambda root, V, fixed: root(fixed) @ centred(V),
)
def linear(formula: Callable[[Root, Any, Any], Any], quick: bool) -> Measured:
    roots = {1: matrix([[2]]), 2: matrix([[2, 1], [1, 3]])}
    known: list[tuple[Any, Any]] = []  # V and its P, for every V whose root is asked for
    routes, witness = [], None
    for n, S in roots.items():
        at = point(f"n = {n}", S, halves(n), eye(4))
        known += [(a * at.V, at.P / abs(a)) for a in (1, 2, -3)]
        for a in (2, -3):
            left, right = formula(_looked_up(known), a * at.V, at.V), a * formula(_looked_up(known), at.V, at.V)
            if not (left == right).all() and witness is None:
                witness = {"V": shown(at.V), "a": a, "φ(aV)": shown(left), "a φ(V)": shown(right)}
    routes.append(said("exact", witness is None, "φ(aV) against a φ(V) for a = 2, −3, n = 1, 2", power=0.0))
    return Measured(
        parts=[
            Part("homogeneous", [*routes, _scaling_in_symbols(formula)], witness),
            Part("additive", [_additive(formula)], {"V": [["1", "0", "0"]], "U": [["0", "1", "0"]]}),
        ]
    )


def _looked_up(known: list[tuple[Any, Any]]) -> Root:
    return lambda V: next(P for X, P in known if X.shape == V.shape and (X == V).all())


def _scaling_in_symbols(formula: Callable[[Root, Any, Any], Any]) -> Evidence:
    """n = 1, d = 2, V = (y + x, y) with x > 0, a > 0: ‖V_C‖ = x/√2."""
    import numpy as np
    import sympy

    x, a = sympy.symbols("x a", positive=True)
    y = sympy.Symbol("y", real=True)
    V = np.array([[y + x, y]], dtype=object)

    def root(V: Any) -> Any:
        return np.array([[sympy.sqrt(2) / sympy.expand(V[0, 0] - V[0, 1])]], dtype=object)

    left, right = formula(root, a * V, V), a * formula(root, V, V)
    same = all(sympy.cancel(p - q) == 0 for p, q in zip(left.ravel(), right.ravel(), strict=True))
    return said("symbolic", same, "φ(aV) = a φ(V) for n = 1, d = 2, a > 0", power=0.0)


def _additive(formula: Callable[[Root, Any, Any], Any]) -> Evidence:
    V, U = matrix([[1, 0, 0], [0, 2, 1]]), matrix([[0, 1, 0], [1, 1, 3]])
    with working():
        for n in (1, 2):
            first, second = balls(V[:n]), balls(U[:n])

            def root(X: Any) -> Any:
                return root_in_balls(centred(X))[1]

            parts = [formula(root, X, first) for X in (first + second, first, second)]
            off = [x for x in (parts[0] - parts[1] - parts[2]).ravel() if not x.contains(0)]
            if off:
                return said("enclosure", False, f"φ(V + U) ≠ φ(V) + φ(U), off by {float(off[0].mid()):.4g}", power=0.0)
    return said("enclosure", True, "φ(V + U) = φ(V) + φ(U) at one pair for n = 1 and for n = 2", power=1e-25)
