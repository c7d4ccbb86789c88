"""DSWN, eq. 12: lines 1 and 2 given the lines before them, and K.

From Dᵀ dΣ D = dΛ + Ω Λ − Λ Ω, Ω = Dᵀ dD skew:  Ω_ij = (Dᵀ dΣ D)_ij / (λ_j − λ_i), which is Kᵀ.  From X = V − c 1ᵀ and
Σ = X Xᵀ:  X̄ = P A G^{-T} + 2 Σ̄_s X, c̄ᵀ = −1ᵀ X̄ᵀ, and V gets X̄ + (1/d) c̄ᵀ 1ᵀ.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

from wnverify.papers.claims import Condition, Measured, Part, claim, said
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_eq11 import DEFINED, LOSS, equal, free, symbolic_point

DISTINCT: Final = "the eigenvalues of Σ are distinct"
GIVEN: Final = "the derivatives of the lines before are given"
LEFT_OUT: Final = ("nine of twelve exact points",)

SigmaLine = Callable[[Point, Any, Any], Any]


def tied(n: int = 2) -> Point:
    """n equal eigenvalues."""
    return chain.point("standard basis" if n == 2 else "n = 3", (1,) * n)


def _distinct(formula: Callable[[Point], Any]) -> Condition:
    p = tied()
    try:
        value = formula(p.but(K=chain.reciprocal_differences(p.eigenvalues)))
        there = bool((chain.symmetric(value) == truth.sigma_gradient(p)).all())
    except ZeroDivisionError:
        there = False
    note = "λ_1 = λ_2 = 1: the formula divides by 0 where the true ∂L/∂Σ is finite"
    true = truth.sigma_gradient(p)
    shown = {"V": p.V, "A": p.A, "true ∂L/∂Σ": true}
    return Condition(
        DISTINCT,
        [said("exact", there, note, power=0.0)],
        {key: [[str(x) for x in row] for row in value] for key, value in shown.items()} | {"claimed": "1/0"},
    )


@functools.cache
def _closed_form_slopes() -> tuple[list[Callable[..., Any]], ...]:
    """The entries of ∂P/∂Σ_11, ∂P/∂Σ_12, ∂P/∂Σ_22 for n = 2 as functions of a, b, e, δ, τ, by SymPy.

    P = adj(Σ + δ I) / (τ δ) for Σ = [a b; b e], δ² = det Σ, τ² = tr Σ + 2 δ.
    """
    import sympy

    a, b, e, delta, tau = symbols = sympy.symbols("a b e delta tau", positive=True)
    P = [x / (tau * delta) for x in (e + delta, -b, -b, a + delta)]
    found = []
    for x, slope in ((a, e / (2 * delta)), (b, -b / delta), (e, a / (2 * delta))):
        slope_of_tau = ((0 if x == b else 1) + 2 * slope) / (2 * tau)
        change = [sympy.diff(y, x) + sympy.diff(y, delta) * slope + sympy.diff(y, tau) * slope_of_tau for y in P]
        found.append([sympy.lambdify(symbols, sympy.together(y), modules=[]) for y in change])
    return tuple(found)


def _closed_form_gradient(p: Point) -> Any:
    """∂L/∂Σ for n = 2 in symmetric matrices."""
    import numpy as np

    slope = (p.A @ p.G_inv.T @ p.V_C.T).reshape(-1)
    (m, k), Sigma = p.half.diagonal(), p.V_C @ p.V_C.T
    at = (Sigma[0, 0], Sigma[0, 1], Sigma[1, 1], m * k, m + k)
    a, b, e = (sum(s * f(*at) for s, f in zip(slope, functions, strict=True)) for functions in _closed_form_slopes())
    return np.array([[a, b / 2], [b / 2, e]], dtype=object)


def _judge_sigma(formula: Callable[[Point], Any], quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "(∂L/∂Σ)_s", chain.symmetric(formula(p)), truth.sigma_gradient(p)

    exact, witness = truth.by_exact(chain.points(quick), sides, "dL along every symmetric dΣ, no eigenvectors")
    p = symbolic_point(2)
    holds = equal(chain.symmetric(formula(p)), _closed_form_gradient(p))
    closed = said("symbolic", holds, "n = 2, A Wᵀ and Λ free, Σ^{-1/2} in closed form", power=0.0)
    return Measured(
        parts=[Part("⟨∂L/∂Σ, dΣ⟩ = dL for symmetric dΣ", [closed, exact], witness)],
        conditions=[_distinct(formula)],
        message="A skew part of ∂L/∂Σ is free: it meets no symmetric dΣ.",
        left_out=LEFT_OUT if quick else (),
    )


def _bent(change: Callable[[Point], Any]) -> SigmaLine:
    return lambda p, Lambda_bar, D_bar: chain.line_sigma(p.but(K=change(p)), Lambda_bar, D_bar)


@claim(
    "DSWN-EQ12-SIG",
    place="eq. 12, line 1",
    statement="∂L/∂Σ = D ((Kᵀ ⊙ (Dᵀ ∂L/∂D)) + (∂L/∂Λ)_diag) Dᵀ.",
    hypotheses=(LOSS, DEFINED, GIVEN),
    reading="K as the text after eq. 12 has it; as ⟨∂L/∂Σ, dΣ⟩ = dL for symmetric dΣ at fixed X.",
    formula=chain.line_sigma,
    faults={
        "K for Kᵀ": _bent(lambda p: p.K.T),
        "the whole ∂L/∂Λ": lambda p, Lambda_bar, D_bar: p.D @ (p.K.T * (p.D.T @ D_bar) + Lambda_bar) @ p.D.T,
        "∂L/∂D without Dᵀ": lambda p, Lambda_bar, D_bar: p.D @ (p.K.T * D_bar + Lambda_bar * p.eye) @ p.D.T,
        "D and Dᵀ exchanged": lambda p, Lambda_bar, D_bar: p.D.T @ (p.K.T * (p.D.T @ D_bar) + Lambda_bar * p.eye) @ p.D,
        "the sign of ∂L/∂Λ": lambda p, Lambda_bar, D_bar: chain.line_sigma(p, -Lambda_bar, D_bar),
        "a matrix product for ⊙": lambda p, Lambda_bar, D_bar: (
            p.D @ (p.K.T @ (p.D.T @ D_bar) + Lambda_bar * p.eye) @ p.D.T
        ),
    },
    corrected="as printed where the eigenvalues are distinct; in general, in the eigenbasis, "
    "(∂L/∂Σ)_s,ij = −½ (M_ij/√λ_i + M_ji/√λ_j) / (√λ_i + √λ_j) with M = Dᵀ A Wᵀ D (see DSWN-EQ12-REP)",
)
def through_the_decomposition(formula: SigmaLine, quick: bool) -> Measured:
    return _judge_sigma(lambda p: formula(p, chain.line_lambda(p), chain.line_d(p)), quick)


@claim(
    "DSWN-EQ12-K",
    place="after eq. 12",
    statement="What multiplies Dᵀ ∂L/∂D entry by entry in ∂L/∂Σ is Kᵀ, K having K_ij = 1/(λ_i − λ_j) for i ≠ j and a "
    "zero diagonal: in place (i, j) stands 1/(λ_j − λ_i).",
    hypotheses=(LOSS, DEFINED, GIVEN),
    reading="K is skew, so that transposing it is changing its sign.",
    formula=lambda p: p.K.T,
    faults={
        "K itself": lambda p: p.K,
        "ones on the diagonal": lambda p: p.K.T + p.eye,
        "differences of the roots": lambda p: chain.reciprocal_differences(list(p.half.diagonal())).T,
        "sums for differences": lambda p: p.K.T * _quotients(p),
        "half of it": lambda p: p.K.T / 2,
    },
    corrected="as printed where the eigenvalues are distinct",
)
def the_matrix_k(formula: Callable[[Point], Any], quick: bool) -> Measured:
    def line(p: Point) -> Any:
        return chain.line_sigma(p.but(K=formula(p).T), chain.line_lambda(p), chain.line_d(p))

    return _judge_sigma(line, quick)


def _quotients(p: Point) -> Any:
    """(λ_j − λ_i) / (λ_j + λ_i)."""
    import numpy as np

    lam = np.array(p.eigenvalues, dtype=object)
    return (lam[None, :] - lam[:, None]) / (lam[None, :] + lam[:, None])


CLine = Callable[[Point, Any], tuple[Any, Any]]


def in_symbols(free_c: bool) -> tuple[Point, Any, Any, Any]:
    """(point, Σ̄, c, L̃) for n = 2, d = 3: V, A, Σ̄ free; L̃ has at Σ the derivatives by X that L has.

    L̃(V, c) = ⟨A G^{-T}, P X⟩ + ⟨Σ̄, X Xᵀ⟩ with P and Σ̄ constant.
    """
    import numpy as np

    V, A, S, c, roots = free("v:6", "a:6", "s:4", "c:2", "m:2")
    V, A, S, one = V.reshape(2, 3), A.reshape(2, 3), S.reshape(2, 2), np.ones((3, 1), dtype=object)
    c = c[:, None] if free_c else V @ one / 3
    X = V - c @ one.T
    D = np.array([[3, -4], [4, 3]], dtype=object) * roots[0] ** 0 / 5
    base = chain.from_parts("symbols", "full", V, X, D, roots, np.eye(3, dtype=object), A)
    G_inv = np.eye(3, dtype=object) + 2 * np.eye(3, k=1, dtype=object)
    loss = ((A @ G_inv.T) * (base.P @ X)).sum() + (S * (X @ X.T)).sum()
    return base.but(G_inv=G_inv), S, c, loss


@functools.cache
def _free_mean() -> Point:
    """c free: the rows of V − c 1ᵀ do not add up to 0."""
    p = chain.points(True)[0]
    phi = chain.matrix([(1, 0, 0, 0), (0, 0, 1, 0)])
    X = p.D @ p.half @ p.D.T @ phi
    G_inv = chain.matrix(chain.GS["full"])
    return chain.from_parts("c free", "full", X, X, p.D, list(p.half.diagonal()), G_inv, p.A)


@functools.cache
def true_c(p: Point) -> Any:
    """∂L/∂c at fixed V, a row."""
    respond, found = truth.root_response(p), p.V_C[:, :1].T * 0
    for i in range(len(p.D)):
        dX = p.V_C * 0
        dX[i] -= Fraction(1)
        crossed = dX @ p.V_C.T
        found[0, i] = (p.A * ((respond(crossed + crossed.T) @ p.V_C + p.P @ dX) @ p.G_inv)).sum()
    return found


@claim(
    "DSWN-EQ12-C",
    place="eq. 12, line 2",
    statement="∂L/∂c = −1ᵀ G^{-1} Aᵀ D Λ^{-1/2} Dᵀ − 2·1ᵀ (V − c 1ᵀ)ᵀ (∂L/∂Σ)_s, a row of n entries; its second term "
    "is 0, because (V − c 1ᵀ) 1 = 0 at c = V 1 / d.",
    hypotheses=(LOSS, DEFINED, GIVEN, DISTINCT),
    reading="L as a function of V and c through X = V − c 1ᵀ, c free; G may be any invertible matrix.",
    formula=chain.line_c,
    faults={
        "the sign of the first term": lambda p, S: (-chain.line_c(p, S)[0], chain.line_c(p, S)[1]),
        "G^{-T} for G^{-1}": lambda p, S: chain.line_c(p.but(G_inv=p.G_inv.T), S),
        "D for Dᵀ": lambda p, S: (-(p.one.T @ p.G_inv @ p.A.T @ p.D @ p.minus_half @ p.D), chain.line_c(p, S)[1]),
        "Λ^{1/2} for Λ^{-1/2}": lambda p, S: chain.line_c(p.but(minus_half=p.half), S),
        "V for V − c 1ᵀ": lambda p, S: chain.line_c(p.but(V_C=p.V), S),
        "the second term without 2": lambda p, S: (chain.line_c(p, S)[0], chain.line_c(p, S)[1] / 2),
        "the second term without the symmetric part": lambda p, S: (
            chain.line_c(p, S)[0],
            -2 * (p.one.T @ p.V_C.T @ S),
        ),
    },
)
def by_the_mean(formula: CLine, quick: bool) -> Measured:
    def sides(p: Point) -> Iterator[tuple[str, Any, Any]]:
        first, second = formula(p, chain.sigma_bar(p))
        yield "∂L/∂c", first + second, true_c(p)

    def second(p: Point) -> Iterator[tuple[str, Any, Any]]:
        yield "the second term", formula(p, chain.sigma_bar(p))[1], p.V_C[:, :1].T * 0

    exact, witness = truth.by_exact([*chain.points(quick), _free_mean()], sides, "dL along every entry of c")
    none, none_witness = truth.by_exact(chain.points(quick), second, "the second term at c = V 1 / d")
    proofs = []
    for free_c in (True, False):
        p, S, c, loss = in_symbols(free_c)
        first, rest = formula(p, S)
        proofs.append(equal(first + rest, gradient_by_sympy(loss, c).T) if free_c else equal(rest, rest * 0))
    symbols = "n = 2, d = 3, V, A, ∂L/∂Σ and Λ free"
    return Measured(
        parts=[
            Part("the sum", [said("symbolic", proofs[0], f"{symbols}, c free", power=0.0), exact], witness),
            Part("the second term is 0", [said("symbolic", proofs[1], symbols, power=0.0), none], none_witness),
        ],
        left_out=LEFT_OUT if quick else (),
    )


def gradient_by_sympy(loss: Any, entries: Any) -> Any:
    import numpy as np

    return np.array([loss.diff(x) for x in entries.reshape(-1)], dtype=object).reshape(entries.shape)
