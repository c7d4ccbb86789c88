"""L1,∞, Sec. 2.3: the augmented layers and their norm."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Measured, Part, claim, said
from wnverify.papers.l1inf import networks

Augmented = Callable[[Sequence[Sequence[Any]], Sequence[Any], Sequence[Any], Callable[[Any], Any]], list[Any]]
"""(W as d_{ℓ−1} rows of d_ℓ, B, f_{ℓ−1}, σ) → f_ℓ."""


def _columns(W: Sequence[Sequence[Any]], B: Sequence[Any]) -> list[list[Any]]:
    """The columns of Ṽ = (B, Wᵀ)ᵀ."""
    return [[b, *(row[j] for row in W)] for j, b in enumerate(B)]


def _product(columns: Sequence[Sequence[Any]], u: Sequence[Any]) -> list[Any]:
    return [sum((a * b for a, b in zip(column, u, strict=False)), 0 * u[0]) for column in columns]


@claim(
    "L1-P-AUG",
    place="Sec. 2.3",
    statement="f_ℓ = ⟨Ṽ_ℓ, (1, σ∘f_{ℓ−1}ᵀ)ᵀ⟩ with Ṽ_ℓ = (B_ℓ, W_ℓᵀ)ᵀ ∈ ℝ^{(d_{ℓ−1}+1) × d_ℓ} is T_ℓ∘σ∘f_{ℓ−1}.",
    reading="⟨Ṽ, u⟩ is Ṽᵀu, as Sec. 4 writes it; for ℓ = 1 the identity stands for σ and x for f_0.  At k = 0 the "
    "formula of the output layer is read so too.",
    formula=lambda W, B, u, act: _product(_columns(W, B), [1, *map(act, u)]),
    faults={
        "σ of the bias neuron too": lambda W, B, u, act: _product(_columns(W, B), list(map(act, [1, *u]))),
        "bias neuron last": lambda W, B, u, act: _product(_columns(W, B), [*map(act, u), 1]),
        "σ left out": lambda W, B, u, act: _product(_columns(W, B), [1, *u]),
        "bias left out": lambda W, B, u, act: _product(_columns(W, [0 * b for b in B]), [1, *map(act, u)]),
        "σ after the sum": lambda W, B, u, act: list(map(act, _product(_columns(W, B), [1, *u]))),
    },
)
def augmented(formula: Augmented, quick: bool) -> Measured:
    exact, witness = _augmented_exactly(formula)
    return Measured(parts=[Part("the two forms are one", [_augmented_in_symbols(formula), exact], witness)])


def _augmented_in_symbols(formula: Augmented) -> Evidence:
    import sympy

    sigma = sympy.Function("sigma")
    same = []
    for inputs, units in ((1, 1), (2, 3), (3, 2)):
        W, B = sympy.symarray("w", (inputs, units)), sympy.symarray("b", units)
        u = sympy.symarray("u", inputs)
        affine = [sum(W[i, j] * sigma(u[i]) for i in range(inputs)) + B[j] for j in range(units)]
        found = formula(W.tolist(), list(B), list(u), sigma)
        same.append(len(found) == units and all(sympy.expand(a - b) == 0 for a, b in zip(found, affine, strict=True)))
    return said("symbolic", all(same), "any σ, d_{ℓ−1} × d_ℓ = 1 × 1, 2 × 3 and 3 × 2", power=0.0)


def _augmented_exactly(formula: Augmented) -> tuple[Evidence, Json]:
    W, B, u = [[Fraction(2), Fraction(-1)], [Fraction(1), Fraction(3)]], [Fraction(1), Fraction(2)], [Fraction(3), 1]
    act = networks.softsign
    found = formula(W, B, u, act)
    right = [Fraction(3), Fraction(11, 4)]  # σ(u) = (3/4, 1/2): 3/2 + 1/2 + 1 and −3/4 + 3/2 + 2
    witness: Json = {
        "W": [[2, -1], [1, 3]],
        "B": [1, 2],
        "f_{ℓ−1}": [3, 1],
        "σ": "u/(1 + |u|)",
        "T∘σ∘f": list(map(str, right)),
        "augmented": list(map(str, found)),
    }
    return said("exact", found == right, "σ(u) = u/(1 + |u|), worked by hand", power=0.0), witness


Rows = Sequence[Sequence[Fraction]]
MatrixNorm = Callable[[Rows], Fraction]


def _norm(A: Rows) -> Fraction:
    return max(sum((abs(row[j]) for row in A), Fraction(0)) for j in range(len(A[0])))


@claim(
    "L1-P-NORM",
    place="Sec. 2.3",
    statement="‖A‖_{1,∞} = max_j Σ_i |a_ij| is a norm, namely the largest L1 norm of a unit's incoming weights with "
    "its bias; of Ṽ it is the norm of u ↦ Ṽᵀu induced by the maximum norm on both sides.",
    formula=_norm,
    faults={
        "no absolute values": lambda A: max(sum((row[j] for row in A), Fraction(0)) for j in range(len(A[0]))),
        "squares": lambda A: max(sum((row[j] ** 2 for row in A), Fraction(0)) for j in range(len(A[0]))),
        "least column": lambda A: min(sum((abs(row[j]) for row in A), Fraction(0)) for j in range(len(A[0]))),
        "rows for columns": lambda A: max(sum(map(abs, row), Fraction(0)) for row in A),
        "first row, the bias, left out": lambda A: _norm(A[1:]),
        "sum of columns": lambda A: sum((abs(x) for row in A for x in row), Fraction(0)),
    },
)
def matrix_norm(formula: MatrixNorm, quick: bool) -> Measured:
    entries = (Fraction(-1), Fraction(0), Fraction(1))
    few: list[Rows] = [((a, b), (c, d)) for a, b, c, d in itertools.product(entries, repeat=4)]
    others: list[Rows] = [
        ((Fraction(1), Fraction(2)), (Fraction(-3), Fraction(1, 2))),
        ((Fraction(0), Fraction(3)), (Fraction(1), Fraction(1))),
    ]
    axioms, broken = _axioms(formula, few[::4] if quick else few, others)
    matrices = [*(networks.layer_of((2, 3), networks.rationals(start)) for start in range(8)), *few, *others]
    induced, differing = _induced(formula, matrices)
    return Measured(
        parts=[
            Part("a norm", [axioms], broken),
            Part("a unit's weights and bias; the induced norm", [induced], differing),
        ],
        left_out=("three quarters of the pairs of matrices",) if quick else (),
    )


def _axioms(formula: MatrixNorm, few: Sequence[Rows], others: Sequence[Rows]) -> tuple[Evidence, Json]:
    """Definite, homogeneous, subadditive, for all pairs of the matrices given."""
    matrices = [*few, *others]
    sizes = [formula(A) for A in matrices]
    note = f"{len(matrices)} matrices 2 × 2, all pairs"
    for A, size in zip(matrices, sizes, strict=True):
        zero = not any(x for row in A for x in row)
        tripled = formula([[-3 * x for x in row] for row in A])
        if (size == 0) != zero or size < 0 or tripled != 3 * size:
            found: Json = {"A": _shown(A), "‖A‖": str(size), "‖−3A‖": str(tripled)}
            return said("exact", False, "not definite or not homogeneous", power=0.0), found
    for (A, size), (B, other) in itertools.combinations(zip(matrices, sizes, strict=True), 2):
        total = formula([[x + y for x, y in zip(a, b, strict=True)] for a, b in zip(A, B, strict=True)])
        if total > size + other:
            found = {"A": _shown(A), "B": _shown(B), "‖A + B‖": str(total), "‖A‖ + ‖B‖": str(size + other)}
            return said("exact", False, "triangle inequality", power=0.0), found
    return said("exact", True, note, power=0.0), None


def _induced(formula: MatrixNorm, matrices: Sequence[Rows]) -> tuple[Evidence, Json]:
    """max ‖Ṽᵀu‖_∞ over ‖u‖_∞ ≤ 1, which a corner u = (±1, …) reaches."""
    for A in matrices:
        corners = itertools.product((-1, 1), repeat=len(A))
        most = max(
            abs(sum((s * row[j] for s, row in zip(corner, A, strict=True)), Fraction(0)))
            for corner in corners
            for j in range(len(A[0]))
        )
        if formula(A) != most:
            found: Json = {"Ṽ": _shown(A), "largest entry of Ṽᵀu": str(most), "‖Ṽ‖": str(formula(A))}
            return said("exact", False, "the induced norm differs", power=0.0), found
    return said("exact", True, f"every corner of the cube, {len(matrices)} matrices", power=0.0), None


def _shown(A: Rows) -> list[list[str]]:
    return [[str(x) for x in row] for row in A]
