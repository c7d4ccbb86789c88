"""DSWN, section 3.3, closing remarks: that the gradient carries the structure, and that plain descent will do."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from wnverify.finding import Evidence, Json
from wnverify.papers.claims import Condition, Measured, Part, Reading, claim, said
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_routes as routes
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_chain import Point
from wnverify.papers.dswn.backward_eq11 import DEFINED, free
from wnverify.papers.dswn.backward_eq12 import DISTINCT
from wnverify.papers.dswn.backward_line3 import OWN
from wnverify.papers.dswn.backward_methods import SMOOTH, mended
from wnverify.papers.dswn.backward_properties import cell
from wnverify.papers.dswn.backward_structured import neuron_push, see_neuron, through_g
from wnverify.papers.dswn.model_points import determinant

Chain = Callable[[Point], Any]
SENSITIVE: Final = "G stands in the gradient: another G gives another ∂L/∂V"
CARRIED: Final = "the gradient carries how the structure G depends on V"


@claim(
    "DSWN-S33-STRUCT",
    place="sec. 3.3, end",
    statement="∂L/∂V holds the penalty matrix G, so that the structure is propagated backwards.",
    hypotheses=(SMOOTH, DEFINED, DISTINCT),
    reading="of DSWN-NM, the only method with a G (DSWN-SM has none, eq. 8 giving no d × d matrix).",
    formula={SENSITIVE: lambda p: chain.chain(p, chain.line_v), CARRIED: lambda p: chain.chain(p, chain.line_v)},
    faults={
        "a gradient without G": dict.fromkeys(
            (SENSITIVE, CARRIED), lambda p: mended(p.but(G_inv=chain.diagonal([1] * p.d), W=p.phi))
        ),
        "only the constant part": {CARRIED: mended},
    },
)
def structure(formula: Mapping[str, Chain], quick: bool) -> Measured:
    p = chain.points()[0]
    readings = []
    for text, gradient in formula.items():
        if text == SENSITIVE:
            scaled = p.but(G_inv=chain.matrix(chain.GS["diagonal"]), W=p.phi @ chain.matrix(chain.GS["diagonal"]))
            values = [gradient(q) for q in (p, scaled)]
            sensitive = bool((values[0] != values[1]).any())
            evidence = said("exact", sensitive, "G = I against a diagonal G, V and A unchanged", power=0.0)
            witness = truth.witness(p, "∂L/∂V, G = I and diagonal", *values)
            readings.append(Reading(text, [Part("another G", [evidence, _proof_of_g(gradient)], witness)]))
            continue

        def sides(q: Point, gradient: Chain = gradient) -> Iterator[tuple[str, Any, Any]]:
            constant_g = mended(see_neuron(q))
            yield "what comes through G", gradient(see_neuron(q)) - constant_g, through_g(q)
            yield "∂L/∂V", gradient(see_neuron(q)), truth.gradient(q, neuron_push)

        exact, seen = truth.by_exact([chain.point("n = 1", (3,))], sides, "n = 1, where line 3 is right for constant G")
        readings.append(Reading(text, [Part("the term through G_NM(V)", [exact], seen)]))
    return Measured(readings=readings)


def _proof_of_g(gradient: Chain) -> Evidence:
    """Whether an entry of the gradient varies with g: one row, G^{-1} = diag(g, 1, 1, 1); A, g and ‖V_C‖ free."""
    import numpy as np

    A, (g, s) = free("a:4", "g:2")
    X = np.array([[1, 1, -1, -1]], dtype=object) * s / 2
    D = np.array([[1]], dtype=object)
    p = chain.from_parts("symbols", "diagonal", X, X, D, [s], chain.diagonal([g, 1, 1, 1]), A[None, :])
    slopes = [x.diff(g) for x in gradient(p).reshape(-1)]
    return said("symbolic", any(x != 0 for x in slopes), "∂/∂g of the gradient, one row, A and g free", power=0.0)


@functools.cache
def _uphill() -> Point:
    """A point at which line 3 to the letter points uphill."""
    return chain.point("rotation", (1, 2), slope=[[0, 0, 0, 0], [0, 0, 0, 1]], name="the last entry of W as the loss")


STEPS: Final = (Fraction(1, 100), Fraction(1), Fraction(100))


@claim(
    "DSWN-S33-GD",
    place="sec. 3.3, end",
    statement="Given ∂L/∂V, ordinary gradient descent on V may be used: V needs no constraint.",
    hypotheses=(SMOOTH, "W = φ(V) G^{-1}, G constant"),
    reading="W satisfies eq. 2 at every V that a step reaches, and a small step lowers L. For constant G a step of any "
    "length keeps V_C of rank n: V_C − η ∂L/∂V = (S − η Z) φ − η S^{-1} Q with S = Σ^{1/2}, Z skew and Q φᵀ = 0, so "
    "its least singular value is at least that of S.",
    formula=mended,
    faults={
        "uphill": lambda p: -mended(p),
        "line 3 to the letter": lambda p: chain.chain(p, chain.line_v),
        "along V": lambda p: p.V_C,
        "K of the wrong sign": lambda p: mended(p.but(K=p.K.T)),
    },
    corrected="with ∂L/∂V as corrected in DSWN-EQ12-V, from a V_0 whose centred rows are independent (n ≤ d − 1). For "
    "DSWN-NM the step must be short besides: V = (1, −1), L = W_1, η = √2 leads to V_C = 0",
)
def descent(formula: Chain, quick: bool) -> Measured:
    chosen = [*(p for p in chain.points(quick) if p.kind in ("identity", "diagonal")), _uphill()]

    def rank(p: Point) -> Iterator[tuple[str, Any, Any]]:
        bottom = min(p.eigenvalues)
        for step in STEPS:
            X = p.V_C - step * formula(p)
            X = X - X @ p.one @ p.one.T / p.d
            lowered = not _positive_semidefinite(X @ X.T - bottom * p.eye)
            yield f"least eigenvalue of Σ after η = {step} fallen", cell(int(lowered)), cell(0)

    def falls(p: Point) -> Iterator[tuple[str, Any, Any]]:
        true = truth.gradient(p)
        slope = (formula(p) * true).sum()
        down = slope > 0 or not true.any()
        yield "⟨direction, ∂L/∂V⟩ not positive", cell(int(not down)), cell(0)

    def feasible(p: Point) -> Iterator[tuple[str, Any, Any]]:
        WG = p.W @ truth.solve(p.G_inv, chain.diagonal([Fraction(1)] * p.d))
        yield "(WG)(WG)ᵀ", WG @ WG.T, p.eye

    ranks, rank_witness = truth.by_exact(chosen, rank, "the least eigenvalue of Σ does not fall, η = 1/100, 1, 100")
    slopes, slope_witness = truth.by_exact(chosen, falls, "the slope of L along the step")
    stepped = routes.by_step(formula, OWN, [p for p in chosen if not p.name.startswith("condition")])
    feasibility, feasible_witness = truth.by_exact(chosen, feasible, "eq. 2 at every V of rank n")
    return Measured(
        parts=[
            Part("eq. 2", [feasibility], feasible_witness),
            Part("rank kept", [ranks], rank_witness),
            Part("descent", [slopes, stepped], slope_witness),
        ],
        conditions=[_independent_rows(), _right_gradient()],
        left_out=("nine of twelve exact points",) if quick else (),
    )


def _positive_semidefinite(M: Any) -> bool:
    """All principal minors ≥ 0, for up to three rows in exact numbers."""
    sizes = range(1, len(M) + 1)
    chosen = (list(rows) for size in sizes for rows in itertools.combinations(range(len(M)), size))
    return all(determinant(M[rows][:, rows]) >= 0 for rows in chosen)


def _independent_rows() -> Condition:
    V = chain.matrix([[1, 3], [2, -1]])
    X = V - V.sum(axis=1)[:, None] / 2
    (a, b), (_, e) = X @ X.T
    defined = a * e - b * b != 0
    evidence = said("exact", bool(defined), "n = d = 2: det Σ = 0, W is not defined at any V", power=0.0)
    return Condition(DEFINED, [evidence], {"V": [["1", "3"], ["2", "-1"]], "det Σ": str(a * e - b * b)})


def _right_gradient() -> Condition:
    p = _uphill()
    slope = (chain.chain(p, chain.line_v) * truth.gradient(p)).sum()
    note = "⟨line 3 to the letter, ∂L/∂V⟩ < 0: the step raises L"
    witness: Json = {
        "⟨printed, true⟩": str(slope),
        "point": truth.witness(p, "∂L/∂V", chain.chain(p, chain.line_v), truth.gradient(p)),
    }
    return Condition(
        "∂L/∂V is the gradient, line 3 of eq. 12 being mended",
        [said("exact", bool(slope > 0), note, power=0.0)],
        witness,
    )
