"""DSWN, eq. 5 and the text after it: Σ = (I + Γᵀ)², and which square root of Σ^{-1} is P."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, by_ratio, claim, said
from wnverify.papers.dswn.lagrangian import GAMMA, SKEWED_GAMMA, SYMMETRIC_GAMMA
from wnverify.papers.dswn.model_points import (
    SYMMETRIC_G,
    equal,
    eye,
    full_rank,
    halves,
    inverse,
    matrix,
    point,
    reflection,
    shown,
    symmetric_matrices,
)


class Chain(NamedTuple):
    """The two right sides of eq. 5, of M = I + Γᵀ."""

    middle: Callable[[Any, Any], Any]
    last: Callable[[Any, Any], Any]


CHAIN: Final = Chain(lambda M, constraint: M @ M @ constraint, lambda M, unit: M @ M @ unit)


@claim(
    "DSWN-EQ5",
    place="eq. 5",
    statement="Σ = (I + Γᵀ)² W G² Wᵀ = (I + Γᵀ)² I.",
    hypotheses=("eq. 4", "W G² Wᵀ = I"),
    reading="what eq. 4 gives is Σ = (I + Γᵀ) W G Gᵀ Wᵀ (I + Γ); the square of I + Γᵀ is that for symmetric Γ alone, "
    "as M Mᵀ = M² only for symmetric M.",
    formula=CHAIN,
    faults={
        "not squared": Chain(lambda M, constraint: M @ constraint, lambda M, unit: M @ unit),
        "cubed": Chain(lambda M, constraint: M @ M @ M @ constraint, lambda M, unit: M @ M @ M),
        "inverted": Chain(lambda M, constraint: inverse(M @ M) @ constraint, lambda M, unit: inverse(M @ M)),
        "a factor 2": Chain(lambda M, constraint: 2 * M @ M @ constraint, lambda M, unit: 2 * M @ M),
        "I + Γ²": Chain(lambda M, constraint: constraint + (M - constraint) @ (M - constraint), lambda M, unit: M @ M),
        "entries squared": Chain(lambda M, constraint: M * M @ constraint, lambda M, unit: M * M),
    },
)
def chain(formula: Chain, quick: bool) -> Measured:
    exact, witness = _chain_exactly(formula, GAMMA, skew_g=False)
    gamma, gamma_witness = _chain_exactly(formula, {2: SKEWED_GAMMA[2]}, skew_g=False)
    skew, skew_witness = _chain_exactly(formula, {1: GAMMA[1]}, skew_g=True)
    return Measured(
        parts=[Part("Σ against both right sides", [exact, _chain_in_symbols(formula)], witness)],
        conditions=[Condition(SYMMETRIC_GAMMA, [gamma], gamma_witness), Condition(SYMMETRIC_G, [skew], skew_witness)],
    )


def _chain_exactly(formula: Chain, multipliers: dict[int, Any], skew_g: bool) -> tuple[Evidence, Json]:
    for n, entries in multipliers.items():
        gamma, unit = matrix(entries), eye(n)
        if skew_g:  # w = (1, 0) is feasible for G = [[1, 1], [0, 1]]: w G² wᵀ = 1, while w G Gᵀ wᵀ = 2
            cases = [(matrix([[1, 0]]), matrix([[1, 1], [0, 1]]))]
        else:
            cases = [(halves(n) @ inverse(G), G) for G in symmetric_matrices(4).values()]
        for W, G in cases:
            M, constraint = unit + gamma.T, W @ G @ G @ W.T
            X = M @ W @ G
            Sigma = X @ X.T
            for name, side in (("middle", formula.middle(M, constraint)), ("last", formula.last(M, unit))):
                if not equal(Sigma, side):
                    seen = {"Γ": shown(gamma), "W": shown(W), "G": shown(G), "Σ": shown(Sigma), name: shown(side)}
                    return said("exact", False, f"Σ is not the {name} side, n = {n}", power=0.0), seen
    return said("exact", True, "Σ of V_C = (I + Γᵀ) WG at feasible W in rationals", power=0.0), None


def _chain_in_symbols(formula: Chain) -> Evidence:
    """n = 2, WG a rotation by t (rational in t), all symmetric Γ."""
    import numpy as np
    import sympy

    t = sympy.Symbol("t", real=True)
    a, b, c = sympy.symbols("m1:4", real=True)
    Y = np.array([[1 - t**2, 2 * t], [-2 * t, 1 - t**2]], dtype=object) / (1 + t**2)
    M = np.array([[1 + a, b], [b, 1 + c]], dtype=object)
    unit = np.array([[sympy.Integer(1), 0], [0, sympy.Integer(1)]], dtype=object)
    sides = [formula.middle(M, Y @ Y.T), formula.last(M, unit)]
    X = M @ Y
    same = all(sympy.cancel(x) == 0 for side in sides for x in (X @ X.T - side).ravel())
    return said("symbolic", same, "n = 2, WG any rotation, Γ any symmetric matrix", power=0.0)


class Roots(NamedTuple):
    """P from D and λ^{1/2}; whether eqs. 4-5 allow the root with given signs; its loss from σ and the signs."""

    root: Callable[[Any, Any], Any]
    allowed: Callable[[tuple[int, ...]], bool]
    loss: Callable[[Any, Any], Any]


ROOTS: Final = Roots(lambda D, s: D @ inverse(s) @ D.T, lambda signs: True, lambda sigma, sign: (sigma - sign) ** 2)
POSITIVE: Final = "of the symmetric roots of Σ^{-1}, all of which eqs. 4-5 allow, the positive definite one is taken"


@claim(
    "DSWN-S3-SQRT",
    place="text after eq. 5",
    statement="Hence P = (I + Γᵀ)^{-1} = Σ^{-1/2} = D Λ^{-1/2} Dᵀ. Which roots of Σ^{-1} do eqs. 4-5 allow, and which "
    "is meant? Answer: every symmetric root, D diag(±λ_i^{-1/2}) Dᵀ (2^n of them for distinct eigenvalues, a "
    "continuum for repeated ones), with loss Σ_i (σ_i ∓ 1)²; meant is the positive definite one, the only minimiser.",
    reading="Γ symmetric, as the constraint is; D, Λ the eigenvectors and eigenvalues of Σ = D Λ Dᵀ, Λ^{-1/2} "
    "positive.",
    formula=ROOTS,
    faults={
        "Λ^{1/2}": ROOTS._replace(root=lambda D, s: D @ s @ D.T),
        "Λ^{-1}": ROOTS._replace(root=lambda D, s: D @ inverse(s @ s) @ D.T),
        "D for its transpose at the end": ROOTS._replace(root=lambda D, s: D @ inverse(s) @ D),
        "the transpose in front": ROOTS._replace(root=lambda D, s: D.T @ inverse(s) @ D),
        "the negative root": ROOTS._replace(root=lambda D, s: -D @ inverse(s) @ D.T),
        "eqs. 4-5 allow the positive root alone": ROOTS._replace(allowed=lambda signs: min(signs) > 0),
        "all roots have the same loss": ROOTS._replace(loss=lambda sigma, sign: (sigma - 1) ** 2),
        "the losses of the signs exchanged": ROOTS._replace(loss=lambda sigma, sign: (sigma + sign) ** 2),
    },
)
def roots(formula: Roots, quick: bool) -> Measured:
    turn = matrix([[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]])
    sigma = matrix([[2, 0], [0, 3]])
    wide = reflection([1, 2, 3]) @ reflection([1, 1, 0])
    cases = [(matrix([[1]]), matrix([[2]])), (turn, sigma)]
    cases += [] if quick else [(wide, matrix([[1, 0, 0], [0, 2, 0], [0, 0, 5]]))]
    return Measured(
        parts=[*_the_root(formula, cases), *_all_roots(formula, cases)],
        conditions=[full_rank(), _positive(turn, sigma)],
        left_out=("n = 3",) if quick else (),
    )


def _the_root(formula: Roots, cases: list[tuple[Any, Any]]) -> list[Part]:
    """That P of the formula inverts I + Γᵀ and is the positive root of Σ^{-1}: exactly, and as certified minimiser."""
    import numpy as np

    from wnverify.oracles.optimality import certificate

    off: Json = None
    worst, model = 0.0, ""
    for D, s in cases:
        P, S = formula.root(D, s), D @ s @ D.T
        if not equal(P @ S, eye(len(S))) and off is None:
            off = {"D": shown(D), "Λ^{1/2}": shown(s), "P": shown(P), "P Σ^{1/2}": shown(P @ S)}
        found = certificate("stiefel_rows", S.astype(np.float64), (P @ S).astype(np.float64))
        worst, model = max((worst, model), (found.ratio, found.optimality.model.text))
    routes = [
        said("exact", off is None, "P D Λ^{1/2} Dᵀ = I in rationals", power=0.0),
        by_ratio("optimisation", worst, "R = P Σ^{1/2} as the nearest to Σ^{1/2}", power=1e-12, model=model),
    ]
    return [Part("P is the positive root and the minimiser", routes, off)]


def _all_roots(formula: Roots, cases: list[tuple[Any, Any]]) -> list[Part]:
    """Of every choice of signs: eqs. 4, 5 and the constraint hold; the loss is as claimed, and least for + alone."""
    wrong: Json = None
    count = 0
    for D, s in cases:
        n = len(s)
        at = point("", D @ s @ D.T, halves(n), eye(4))
        for signs in itertools.product((1, -1), repeat=n):
            count += 1
            flips = matrix([[signs[i] * (i == j) for j in range(n)] for i in range(n)])
            P = D @ flips @ inverse(s) @ D.T
            Y, multiplier = P @ at.V_C, inverse(P)
            stationary = equal(multiplier, multiplier.T) and equal(at.V_C, multiplier @ Y)
            feasible = equal(Y @ Y.T, at.eye) and equal(at.V_C @ at.V_C.T, multiplier @ multiplier)
            value = ((Y - at.V_C) ** 2).sum()
            claimed = sum(formula.loss(s[i, i], signs[i]) for i in range(n))
            if (stationary and feasible) != formula.allowed(signs) or value != claimed:
                wrong = wrong or {"D": shown(D), "Λ^{1/2}": shown(s), "signs": list(signs), "loss": str(value)} | {
                    "claimed": str(claimed)
                }
    note = f"{count} choices of signs: stationary, feasible, and the loss"
    exact = said("exact", wrong is None, note, power=0.0)
    mixed, many = (1, -1), [reflection(u) for u in ([1, 0], [1, 1], [2, 1], [3, 1])]
    every = all(equal(R @ R, eye(2)) and equal(R, R.T) for R in many)
    text = "Σ = 4 I_2: P = R/2 is a symmetric root for every reflection R, four of them tried"
    continuum = said("exact", formula.allowed(mixed) == every, text, power=0.0)
    seen: Json = {"Σ": [["4", "0"], ["0", "4"]], "P": shown(many[2] / 2)}
    return [Part("what eqs. 4-5 allow", [exact], wrong), Part("repeated eigenvalues", [continuum], seen)]


def _positive(D: Any, s: Any) -> Condition:
    """Without it: −Σ^{-1/2} meets eqs. 4-5 as well."""
    P, S = -D @ inverse(s) @ D.T, D @ s @ D.T
    allowed = equal(S @ S, inverse(P) @ inverse(P)) and equal(inverse(P), inverse(P).T)
    same = equal(P, D @ inverse(s) @ D.T)
    note = "P = −D Λ^{-1/2} Dᵀ, Γ = P^{-1} − I: eqs. 4-5 and the constraint hold, and P is another"
    evidence = said("exact", same or not allowed, note, power=0.0)
    losses = [str(((s.diagonal() - sign) ** 2).sum()) for sign in (-1, 1)]
    witness = {"Λ^{1/2}": shown(s), "D": shown(D), "P": shown(P)}
    witness |= {"loss": losses[0], "loss of the positive root": losses[1]}
    return Condition(POSITIVE, [evidence], witness)
